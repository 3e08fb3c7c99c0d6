"""The page of several runs: their curves, what differs, and what came of it; it needs nothing else."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from beholder.errors import UsageError
from beholder.evaluation.report.markup import NOT_MEASURED, folded, name, plain, section, share, table, text, track
from beholder.evaluation.report.wording import METRIC_WORDS, images
from beholder.files import write_atomic
from beholder.result.pages import fill_page
from beholder.training.history.curves import COLORS, Axis, held_out_chart, loss_chart, rate_chart
from beholder.training.history.differing import Difference, Footing, differences, footing, other_differences
from beholder.training.history.reading import read_bytes
from beholder.training.history.record import RunRecord

_TEMPLATE: Final = Path(__file__).with_name("page.html")
_NAVIGATION: Final = {
    "curves": "Curves",
    "differences": "What differs",
    "numbers": "Every number",
    "pictures": "What networks saw",
    "provenance": "Where this comes from",
}
_MOST_PICTURE_BYTES: Final = 4_000_000


def write_runs_page(runs: Sequence[RunRecord], out: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write the page of some runs.

    Args:
        runs: at least one, in the order of their colors.
        out: the page to make.
        overwrite: whether an existing file may be replaced.

    Raises:
        OutputExists: the file exists and `overwrite` is false.
        OutputFailed: it cannot be written.
    """
    page = runs_html(runs)
    with write_atomic(out, overwrite=overwrite) as stream:
        stream.write(page.encode("utf-8", "backslashreplace"))
    return Path(out)


def runs_html(runs: Sequence[RunRecord]) -> str:
    """The page as text; arguments as in `write_runs_page`."""
    ground = footing(runs) if len(runs) > 1 else None
    sections = "".join((_curves(runs), _differences(runs), _numbers(runs, ground), _pictures(runs), _provenance(runs)))
    titles = {**_NAVIGATION, **({"differences": "How it was trained"} if len(runs) == 1 else {})}
    links = [(anchor, words) for anchor, words in titles.items() if f'<section id="{anchor}">' in sections]
    values = {
        "title": text(runs[0].name) if len(runs) == 1 else images(len(runs), "run"),
        "question": f"How did <b>{name(runs[0].name)}</b> learn?"
        if len(runs) == 1
        else f"Which way to train is <b>{'better' if len(runs) == 2 else 'best'}</b>?",
        "hero": _hero(runs, ground),
        "navigation": "".join(f'<a href="#{anchor}">{words}</a>' for anchor, words in links),
        "sections": sections,
    }
    return fill_page(_TEMPLATE, values)


def _swatch(number: int) -> str:
    return f'<i class="swatch r{number % COLORS}"></i>'


def _labels(runs: Sequence[RunRecord]) -> list[str]:
    """What each run is called: its name, and the end of its id where another has the same."""
    names = [run.name for run in runs]
    return [run.name if names.count(run.name) == 1 else f"{run.name} ({run.id.rpartition('-')[2]})" for run in runs]


def _heads(runs: Sequence[RunRecord]) -> list[str]:
    """A head of a column for each run."""
    return [f"{_swatch(number)}{name(label)}" for number, label in enumerate(_labels(runs))]


def _hero(runs: Sequence[RunRecord], ground: Footing | None) -> str:
    rows = []
    for number, (run, label) in enumerate(zip(runs, _labels(runs), strict=True)):
        metric = run.headline or ""
        measured = run.metrics.get(metric)
        shown = share(measured, places=1) if measured is not None else NOT_MEASURED
        line = track(measured) if measured is not None else ""
        title = text(METRIC_WORDS.get(metric, ("", ""))[0])
        rows.append(
            f'<li class="r{number % COLORS}"><div class="who">{_swatch(number)}<b>{name(label)}</b>'
            f"<span>{text(run.made)}</span></div><div>{line}</div>"
            f'<div class="got"><span>{title}</span> {shown}</div></li>'
        )
    return f'<ul class="runs">{"".join(rows)}</ul>{_verdict(runs, ground)}'


def _verdict(runs: Sequence[RunRecord], ground: Footing | None) -> str:
    """Whether the numbers may stand side by side, in plain words."""
    if ground is None:
        return ""
    reason = text(ground.reason)
    if ground.comparable:
        words = (
            f"<b>The numbers can be compared:</b> {reason}. Intervals that overlap do not say that two are equal: "
            "the paired test that <code>beholder runs compare</code> names is sharper."
        )
        return f'<p class="verdict">{words}</p>'
    return f'<p class="verdict bad"><b>The numbers cannot be compared as they stand:</b> {reason}.</p>'


def _curves(runs: Sequence[RunRecord]) -> str:
    if not any(run.curve for run in runs):
        said = "A head is fitted at once, without steps: there is no curve to show."
        return section("curves", "Curves", said)
    named = list(enumerate(zip(runs, _labels(runs), strict=True)))
    chips = "".join(f"<li>{_swatch(number)}{name(label)}</li>" for number, (run, label) in named if run.curve)
    without = [name(label) for _, (run, label) in named if not run.curve]
    lead = "Full lines are of the images that are learned from, dashed ones of those held out."
    if not any(row.get("held_out_loss") is not None for run in runs for row in run.curve):
        lead = "Nothing was held out while the network that is kept was fitted: the lines are of what it learned from."
    lead += f" No curve, for it was fitted at once: {', '.join(without)}." if without else ""
    choice = (
        '<fieldset class="choice"><legend>over</legend>'
        '<label><input type="radio" name="axis" id="by-step" checked>steps</label>'
        '<label><input type="radio" name="axis" id="by-time">time</label></fieldset>'
    )
    head = f'<div class="bar-of-choices"><ul class="chips">{chips}</ul>{choice}</div>'
    return section("curves", "Curves", lead, head, _plots(runs, "step"), _plots(runs, "seconds"))


def _plots(runs: Sequence[RunRecord], axis: Axis) -> str:
    drawn = {
        "Loss": loss_chart(runs, axis),
        "Right, of what is held out": held_out_chart(runs, axis),
        "Learning rate": rate_chart(runs, axis),
    }
    figures = "".join(f"<figure><h3>{title}</h3>{chart}</figure>" for title, chart in drawn.items() if chart)
    return f'<div class="plots over-{axis}">{figures}</div>'


def _differences(runs: Sequence[RunRecord]) -> str:
    if len(runs) == 1:
        chosen = runs[0].unusual()
        lead = "The keys of its recipe that are not as usual." if chosen else "Its recipe is the usual one."
        rows = [(f"<code>{text(key)}</code>", _value(value)) for key, value in chosen.items()]
        whole = folded("The whole recipe", _recipe(runs[0]))
        return section("differences", "How it was trained", lead, table(("", "value"), rows) if rows else "", whole)
    parts = []
    found = differences(runs)
    if found:
        parts.append(f"<h3>In the recipe</h3>{_difference_table(runs, found)}")
    beside = other_differences(runs)
    if beside:
        parts.append(f"<h3>Beside it</h3>{_difference_table(runs, beside)}")
    lead = "The keys that differ; all others are the same." if found else "Their recipes are the same."
    return section("differences", "What differs", lead, *parts)


def _difference_table(runs: Sequence[RunRecord], found: Sequence[Difference]) -> str:
    rows = [(f"<code>{text(one.key)}</code>", *(_value(value) for value in one.values)) for one in found]
    return table(("", *_heads(runs)), rows, "side")


def _recipe(run: RunRecord) -> str:
    lines = (
        f"{text(key)} = {text(json.dumps(value, ensure_ascii=False, default=str))}" for key, value in run.recipe.items()
    )
    return f"<pre>{chr(10).join(lines)}</pre>"


def _value(value: Any) -> str:
    if value is None:
        return '<span class="none">–</span>'
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = ", ".join(value) or "none"
    shown = f"{value:.4g}" if isinstance(value, float) else value
    shown = shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)
    if shown.startswith("sha256:"):
        shown = shown[:19]  # as many digits as `dataset diff` asks for
    if len(shown) > 60:
        return f'<span class="long" title="{text(shown)}">{text(shown[:57])}…</span>'
    return text(shown)


def _numbers(runs: Sequence[RunRecord], ground: Footing | None) -> str:
    known = dict.fromkeys(metric for run in runs for metric, one in run.metrics.items() if one.value is not None)
    rows = []
    for metric in known:
        title, meaning = METRIC_WORDS.get(metric, (metric, ""))
        cells = []
        for run in runs:
            measured = run.metrics.get(metric)
            shown = NOT_MEASURED
            if measured is not None:
                shown = plain(measured) if "set_size" in metric else share(measured, places=1)
            cells.append(shown)
        cells += [text(meaning)] if len(runs) == 1 else []
        rows.append((f'<span title="{text(meaning)}">{text(title)}</span> <code>{text(metric)}</code>', *cells))
    heads = ("", *_heads(runs), *(["means"] if len(runs) == 1 else []))
    lead = "Each with its 95% interval, and the number of images behind it."
    if ground is not None and not ground.comparable:
        lead += f" They cannot be compared as they stand: {text(ground.reason)}."
    return section("numbers", "Every number", lead, table(heads, rows, "side"))


def _pictures(runs: Sequence[RunRecord]) -> str:
    figures = []
    for number, (run, label) in enumerate(zip(runs, _labels(runs), strict=True)):
        data = _picture(run.folder / "augmentations.jpg")
        if data is not None:
            caption = f"{_swatch(number)}{name(label)}: {_value(run.facts.get('augment'))}"
            picture = f'<img src="data:image/jpeg;base64,{data}" alt="Images as the network saw them in training">'
            figures.append(f"<figure>{picture}<figcaption>{caption}</figcaption></figure>")
    if not figures:
        return ""
    lead = "Images as they were varied in training. What is not to be recognized here cannot be learned either."
    return section("pictures", "What networks saw", lead, f'<div class="sheets">{"".join(figures)}</div>')


def _picture(path: Path) -> str | None:
    """A JPEG as text; `None` where there is none, or something else."""
    try:
        data = read_bytes(path, _MOST_PICTURE_BYTES)
    except UsageError:
        return None
    return base64.b64encode(data).decode() if data.startswith(b"\xff\xd8\xff") else None


def _provenance(runs: Sequence[RunRecord]) -> str:
    rows = {
        "Done": [text(f"{run.when:%Y-%m-%d %H:%M} UTC") for run in runs],
        "Took": ["–" if run.took is None else f"{run.took:,.1f} s" for run in runs],
        "Machine": [_value(run.machine) for run in runs],
        "Data": [_value(run.source) for run in runs],
        "Version of the data": [_value(run.dataset) for run in runs],
        "Images": ["–" if run.images is None else f"{run.images:,}" for run in runs],
        "Beholder": [_value(run.versions.get("beholder")) for run in runs],
        "Run": [f"<code>{text(run.id)}</code>" for run in runs],
    }
    cells = [(title, *values) for title, values in rows.items()]
    return section("provenance", "Where this comes from", "", table(("", *_heads(runs)), cells, "side"))
