"""The page of an audit: what was found, with the images, and what to do; it needs nothing else."""

from __future__ import annotations

import base64
import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from beholder.auditing.finding import SAFE, WORDS, Audit, Finding, Kind, Severity, changes_of
from beholder.data.listing import counted
from beholder.errors import ImageError
from beholder.evaluation.report import Thumbnails
from beholder.evaluation.report.markup import exact, name, section, text
from beholder.files import write_atomic
from beholder.result.pages import fill_page

SHOWN: Final = 36
"""Findings of each kind that are on the page; all are in its JSON twin."""

_OTHERS: Final = 3
_TEMPLATE: Final = Path(__file__).with_name("page.html")
_ABOUT_CLASSES: Final[frozenset[Kind]] = frozenset(
    {"small_class", "unbalanced", "indistinguishable", "shortcut", "one_background", "one_light"}
)

_NAMED: Final[frozenset[Kind]] = frozenset({"unreadable", "small_class", "indistinguishable"})
"""Kinds without a picture, of which the source says what they are about."""

_LEADS: Final[dict[Kind, str]] = {
    "unreadable": "Files that are named as images and cannot be used.",
    "duplicate_across_splits": "What is measured on a picture that was learned from looks better than it is.",
    "duplicate_across_classes": "Pictures that look the same under different labels: one is wrong, or both apply.",
    "label_issue": "A head that was fitted without the image finds its label improbable. The most suspicious first.",
    "exact_duplicate": "The same file, more than once in one class.",
    "near_duplicate": "Pictures that look the same in different files: resized, saved again, cropped or mirrored.",
    "small_class": "Too few images to learn from and to measure on.",
    "unbalanced": "A common class hides how well the rare ones are recognized.",
    "indistinguishable": "On images that the head has not seen, it can hardly tell these apart.",
    "shortcut": "Something beside the thing itself gives its class away. A model may learn that in its place.",
    "one_background": "What looks the same everywhere here may look different where the model is used.",
    "one_light": "What looks the same everywhere here may look different where the model is used.",
    "low_information": "One color, or nearly.",
    "blurred": "Nothing is in focus.",
    "too_dark": "Darkness hides what there is.",
    "too_bright": "Light hides what there is.",
    "odd_size": "Tiny, very long, or much smaller than the rest.",
}

_SEVERITIES: Final[dict[Severity, tuple[str, str]]] = {
    "error": ("error", "errors"),
    "warning": ("warning", "warnings"),
    "notice": ("notice", "notices"),
}


def write_page(
    audit: Audit,
    out: str | os.PathLike[str],
    thumbnails: Thumbnails | None = None,
    *,
    place: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the page and, beside it, its JSON twin with every finding.

    Args:
        audit: what was found.
        out: the page, when the name ends in `.html`; otherwise a folder, to hold `audit.html` and `audit.json`.
        thumbnails: gives a small JPEG for the name of an image; called for the images shown.
        place: the dataset as it is named on the command line; its source when left out.
        overwrite: whether earlier files may be replaced.

    Returns:
        The path of the page.

    Raises:
        OutputExists: one of the two exists and `overwrite` is false; then neither is written.
        OutputFailed: they cannot be written.
    """
    page = Path(out)
    if page.suffix.lower() not in (".html", ".htm"):
        page = page / "audit.html"
    twin = page.with_suffix(".json")
    with write_atomic(page, overwrite=overwrite) as page_stream, write_atomic(twin, overwrite=overwrite) as twin_stream:
        page_stream.write(page_html(audit, thumbnails, place).encode())
        values = json.dumps(audit.to_dict(), ensure_ascii=False, allow_nan=False, indent=1)
        twin_stream.write(values.encode(errors="backslashreplace"))
    return page


def page_html(audit: Audit, thumbnails: Thumbnails | None = None, place: str | None = None) -> str:
    """The page as text; arguments as in `write_page`."""
    kinds = audit.counts()
    values = {
        "name": text(audit.name),
        "hero": _hero(audit, place or audit.source),
        "navigation": "".join(
            f'<a href="#{kind}">{text(_title(kind, count))} <b>{count:,}</b></a>' for kind, count in kinds.items()
        ),
        "sections": "".join(_section(audit.of_kind(kind), thumbnails) for kind in kinds),
        "notes": "".join(f"<li>{text(note)}</li>" for note in audit.notes),
        "version": text(audit.version),
        "source": text(audit.source),
        "bare": "" if kinds else ' class="bare"',
    }
    return fill_page(_TEMPLATE, values)


def _hero(audit: Audit, place: str) -> str:
    looked = f"{counted(audit.images, 'image')}, {counted(len(audit.classes), 'class', 'classes')}"
    if not audit.findings:
        return (
            f'<p class="big"><strong>Nothing found</strong></p><p class="looked">{looked} were looked at. That does '
            "not prove that all is well, but whatever is looked for here is not there.</p>"
        )
    pills = []
    for severity, (one, many) in _SEVERITIES.items():
        count = sum(found.severity == severity for found in audit.findings)
        if count:
            pills.append(
                f'<li class="{severity}"><b>{exact(count, f"{count:,}")}</b> {one if count == 1 else many}</li>'
            )
    total = len(audit.findings)
    images = len({found.source for found in audit.findings if found.kind not in _ABOUT_CLASSES})
    about = f"<p class=looked>{looked}; {counted(images, 'of the images is', 'of the images are')} concerned.</p>"
    return (
        f'<div><p class="big"><strong>{exact(total, f"{total:,}")}</strong> thing{"" if total == 1 else "s"} to look at'
        f'</p><ul class="pills">{"".join(pills)}</ul>{about}</div>{_fix(audit, place)}'
    )


def _fix(audit: Audit, place: str) -> str:
    changes = changes_of(audit.findings)
    if not changes:
        return ""
    quoted = text(shlex.quote(place))
    return (
        f'<div class="fix"><h2>Correct {counted(len(changes), "image")}</h2><pre>beholder audit {quoted} --fix</pre>'
        f"<p>Your files stay as they are: corrections are kept beside them and can be undone "
        f"(<code>beholder dataset corrections {quoted}</code>). Look at the images below first.</p></div>"
    )


def _title(kind: Kind, count: int) -> str:
    words = WORDS[kind][count != 1]
    return words[0].upper() + words[1:]


def _section(findings: Sequence[Finding], thumbnails: Thumbnails | None) -> str:
    kind = findings[0].kind
    shown = findings[:SHOWN]
    if kind in _ABOUT_CLASSES or kind == "unreadable":
        content = f'<ul class="told">{"".join(_told(found) for found in shown)}</ul>'
    else:
        content = f'<ul class="cards{" pairs" if findings[0].others else ""}">'
        content += f"{''.join(_card(found, thumbnails) for found in shown)}</ul>"
    rest = len(findings) - len(shown)
    more = f'<p class="note">and {rest:,} more, in the JSON file beside this page</p>' if rest > 0 else ""
    count = f'<span class="count">{len(findings):,}</span>'
    return section(kind, f"{text(_title(kind, len(findings)))} {count}", text(_LEADS[kind]), content, more)


def _told(found: Finding) -> str:
    subject = f"<b>{name(found.source)}</b>" if found.kind in _NAMED else ""
    return f'<li class="{found.severity}">{subject}<p>{text(found.reason)}</p>{_proposal(found)}</li>'


def _card(found: Finding, thumbnails: Thumbnails | None) -> str:
    pictures = [_figure(found.source, thumbnails, _mark(found))]
    pictures += [_figure(other, thumbnails, None) for other in found.others[:_OTHERS]]
    label = _label(found)
    return (
        f'<li class="{found.severity}"><div class="row">{"".join(pictures)}</div><div class="words">{label}'
        f"<p>{text(found.reason)}</p>{_proposal(found)}</div></li>"
    )


def _label(found: Finding) -> str:
    if found.label is None:
        return ""
    if found.proposed_label is not None:
        return f'<b class="label">{name(found.label)} <i>→</i> {name(found.proposed_label)}</b>'
    return f'<b class="label">{name(found.label)}</b>'


def _proposal(found: Finding) -> str:
    return f'<p class="proposal">{text(found.proposal)}</p>' if found.proposal else ""


def _mark(found: Finding) -> str | None:
    """What becomes of the first of several pictures."""
    if not found.others or found.change is None or found.change.what != "exclude":
        return None
    return "left out" if found.kind in SAFE else "could go"


def _figure(source: str, thumbnails: Thumbnails | None, mark: str | None) -> str:
    short = source.replace("\\", "/").rstrip("/").split("/")[-1]
    flag = f'<span class="flag">{mark}</span>' if mark else ""
    caption = f'<figcaption title="{text(source)}">{name(short)}</figcaption>'
    return f"<figure>{flag}{_picture(source, thumbnails)}{caption}</figure>"


def _picture(source: str, thumbnails: Thumbnails | None) -> str:
    jpeg = None
    if thumbnails is not None:
        try:
            jpeg = thumbnails(source)
        except (ImageError, OSError):  # it has gone since
            jpeg = None
    if not jpeg:
        return '<div class="nothing">no picture</div>'
    return f'<img src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}" alt="{text(source)}" loading="lazy">'
