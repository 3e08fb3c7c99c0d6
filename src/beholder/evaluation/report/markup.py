"""Pieces of HTML: text made harmless, numbers that stay what they are, tracks, tiles, tables.

Everything that a person or a file name may have chosen goes through `text`. A number is shown rounded and carries its
exact value, as it stands in the JSON, in a `data` element.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from typing import Final

from beholder.evaluation.intervals import Estimate
from beholder.evaluation.report.wording import decimals, percent

NOT_MEASURED: Final = '<span class="none">not measured</span>'

_JOINERS: Final = "\u200c\u200d"
"""Invisible, and part of ordinary words in Persian and Hindi."""


def text(value: object) -> str:
    """Any text, escaped, without characters that would steer the page or turn its direction around."""
    shown = str(value)
    if not shown.isprintable():
        kept = (c if c.isprintable() or c in _JOINERS else repr(c)[1:-1] for c in shown)
        shown = "".join(kept)
    return html.escape(shown)


def name(value: str) -> str:
    """The name of a class or file, isolated from the direction of the text around it."""
    return f"<bdi>{text(value)}</bdi>"


def exact(value: float, shown: str) -> str:
    """A number as it is shown, with its exact value."""
    return f'<data value="{json.dumps(value)}">{html.escape(shown)}</data>'


def share(measured: Estimate, unit: str = "images", places: int | None = None) -> str:
    """A share with its interval and count; as many decimals as it is worth, unless told."""
    if measured.value is None:
        return NOT_MEASURED
    return f"{share_value(measured, places)} {share_range(measured, unit, places)}"


def share_value(measured: Estimate, places: int | None = None) -> str:
    """A share alone."""
    if measured.value is None:
        return NOT_MEASURED
    return f"<b>{exact(measured.value, percent(measured.value, decimals(measured) if places is None else places))}</b>"


def share_range(measured: Estimate, unit: str = "images", places: int | None = None, of: int | None = None) -> str:
    """The interval and count of a share, or `of` how many of that count."""
    if measured.low is None or measured.high is None:
        return ""
    places = decimals(measured) if places is None else places
    low, high = percent(measured.low, places), percent(measured.high, places)
    return _range(exact(measured.low, low), exact(measured.high, high), measured.count, unit, of)


def plain(measured: Estimate, unit: str = "images") -> str:
    """A number that is not a share, with its interval and count."""
    if measured.value is None or measured.low is None or measured.high is None:
        return NOT_MEASURED
    low, high = exact(measured.low, f"{measured.low:.2f}"), exact(measured.high, f"{measured.high:.2f}")
    return f"<b>{exact(measured.value, f'{measured.value:.2f}')}</b> {_range(low, high, measured.count, unit)}"


def _range(low: str, high: str, count: int, unit: str, of: int | None = None) -> str:
    total = exact(count, f"{count:,}")
    counted = f" · {total}&nbsp;{unit}" if unit else ""
    if of is not None:
        counted = f" · {exact(of, f'{of:,}')}&nbsp;of&nbsp;{total}"
    return f'<span class="range">{low} to {high}{counted}</span>'


def track(measured: Estimate, *, mark: float | None = None, wanted: float | None = None) -> str:
    """A line from 0 to 1 with the interval and the value on it.

    Args:
        measured: a share.
        mark: another share to compare with, as a thin line.
        wanted: a share that was promised, as a dashed line.
    """
    lines = "".join(
        f'<i class="{kind}" style="left:{_percent(place)}"></i>'
        for kind, place in (("mark", mark), ("wanted", wanted))
        if place is not None
    )
    if measured.value is None or measured.low is None or measured.high is None:
        return f'<span class="track">{lines}</span>'
    width = _percent(max(0.0, measured.high - measured.low))
    return (
        f'<span class="track">{lines}<i class="span" style="left:{_percent(measured.low)};width:{width}"></i>'
        f'<i class="dot" style="left:{_percent(measured.value)}"></i></span>'
    )


def bar(part: float) -> str:
    """A bar filled to a share."""
    return f'<span class="bar"><i style="width:{_percent(part)}"></i></span>'


def tile(title: str, value: str, note: str, line: str = "") -> str:
    """A number with its title above and its interval below."""
    return f'<div class="tile"><h3>{title}</h3><p class="value">{value}</p>{line}<p class="note">{note}</p></div>'


def section(anchor: str, title: str, lead: str, *content: str) -> str:
    """A part of the page."""
    lead = f'<p class="lead">{lead}</p>' if lead else ""
    return f'<section id="{anchor}"><h2>{title}</h2>{lead}{"".join(content)}</section>\n'


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table of cells that are HTML already; the first of a row is its head."""
    head = "".join(f"<th scope=col>{cell}</th>" for cell in heads)
    body = "".join(
        f"<tr><th scope=row>{row[0]}</th>{''.join(f'<td>{cell}</td>' for cell in row[1:])}</tr>" for row in rows
    )
    return f'<div class="wide"><table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def folded(title: str, content: str) -> str:
    """Something for those who ask."""
    return f"<details><summary>{title}</summary>{content}</details>"


def _percent(place: float) -> str:
    return f"{min(1.0, max(0.0, place)) * 100:.2f}%"
