"""The report: one page that needs nothing else, and its JSON twin."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from beholder.errors import OutputExists
from beholder.evaluation.evaluation import Evaluation
from beholder.evaluation.report import classes, confidence, overview, pictures
from beholder.evaluation.report.markup import text
from beholder.evaluation.report.pictures import LabelIssue, Thumbnails
from beholder.files import write_atomic
from beholder.records import to_json
from beholder.result.pages import fill_page

_TEMPLATE: Final = Path(__file__).with_name("report.html")

_NAVIGATION: Final = {
    "classes": "Classes",
    "confusions": "Confusions",
    "mistakes": "Mistakes",
    "labels": "Labels to check",
    "collect": "Collect next",
    "confidence": "How sure",
    "sets": "Prediction sets",
    "unknown": "Unknown",
    "slices": "Parts",
    "numbers": "Every number",
}


@dataclass(frozen=True, slots=True)
class ReportExtras:
    """What a report shows beside the evaluation.

    Args:
        label_issues: labels in the dataset that look wrong, the most suspicious first.
        recipe: of the training run, as TOML.
        facts: where the numbers come from, as in `{"Measured": "2026-05-04 17:20"}`.
    """

    label_issues: tuple[LabelIssue, ...] = ()
    recipe: str | None = None
    facts: dict[str, str] = field(default_factory=dict)


def write_report(
    evaluation: Evaluation,
    out: str | os.PathLike[str],
    thumbnails: Thumbnails | None = None,
    extras: ReportExtras | None = None,
    *,
    overwrite: bool = False,
) -> Path:
    """Write the page and, beside it, its JSON twin.

    Args:
        evaluation: what was measured.
        out: the page, when the name ends in `.html`; otherwise a folder, to hold `report.html` and `report.json`.
        thumbnails: gives a small JPEG for the name of an image; called for the images shown, at most a few dozen.
        extras: what to show beside the evaluation; the twin has it under `extras`.
        overwrite: whether earlier files may be replaced.

    Returns:
        The path of the page. The twin has the same name, ending in `.json`.

    Raises:
        OutputExists: one of the two exists and `overwrite` is false; then neither is written.
        OutputFailed: they cannot be written.
    """
    page, twin = _files(out)
    with write_atomic(page, overwrite=overwrite) as page_stream, write_atomic(twin, overwrite=overwrite) as twin_stream:
        page_stream.write(report_html(evaluation, thumbnails, extras).encode())
        # Half a character, as in the name of a file that is not Unicode, becomes the escape that JSON has for it.
        values = json.dumps(report_dict(evaluation, extras), ensure_ascii=False, allow_nan=False, indent=1)
        twin_stream.write(values.encode(errors="backslashreplace"))
    return page


def require_free(out: str | os.PathLike[str]) -> None:
    """Refuse a place where a report is already, before the work for another is begun.

    Raises:
        OutputExists: the page or its twin is there.
    """
    for path in _files(out):
        if os.path.lexists(path):
            raise OutputExists(f"{path}: exists already; choose another name or pass --force")


def _files(out: str | os.PathLike[str]) -> tuple[Path, Path]:
    """The page and its twin."""
    page = Path(out)
    if page.suffix.lower() not in (".html", ".htm"):
        page = page / "report.html"
    return page, page.with_suffix(".json")


def report_dict(evaluation: Evaluation, extras: ReportExtras | None = None) -> dict[str, Any]:
    """The JSON twin: the evaluation, and under `extras` what is shown beside it."""
    return {**evaluation.to_dict(), "extras": to_json(extras or ReportExtras())}


def report_html(
    evaluation: Evaluation, thumbnails: Thumbnails | None = None, extras: ReportExtras | None = None
) -> str:
    """The page as text; arguments as in `write_report`."""
    extras = extras or ReportExtras()
    sections = "".join(
        (
            classes.per_class(evaluation),
            classes.confusions(evaluation),
            pictures.mistakes(evaluation, thumbnails),
            pictures.label_issues(extras.label_issues, thumbnails),
            classes.collect_next(evaluation),
            confidence.confidence(evaluation),
            confidence.prediction_sets(evaluation),
            confidence.strangers(evaluation),
            pictures.unanswered(evaluation, thumbnails),
            classes.slices(evaluation),
            overview.every_number(evaluation),
            overview.provenance(evaluation, extras.facts, extras.recipe),
        )
    )
    values = {
        "model": text(evaluation.model),
        "navigation": _navigation(sections),
        "hero": overview.hero(evaluation),
        "tiles": overview.tiles(evaluation),
        "sections": sections,
    }
    return fill_page(_TEMPLATE, values)


def _navigation(sections: str) -> str:
    present = [(anchor, words) for anchor, words in _NAVIGATION.items() if f'<section id="{anchor}">' in sections]
    return "".join(f'<a href="#{anchor}">{words}</a>' for anchor, words in present)
