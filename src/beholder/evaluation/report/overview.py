"""The top of the page: the headline, the numbers that matter, and what to take away; and its end: every number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from beholder.evaluation.evaluation import Evaluation
from beholder.evaluation.intervals import Estimate
from beholder.evaluation.report.charts import waffle
from beholder.evaluation.report.headline import Headline, headlines
from beholder.evaluation.report.markup import (
    NOT_MEASURED,
    exact,
    folded,
    name,
    plain,
    section,
    share,
    share_range,
    share_value,
    table,
    text,
    tile,
    track,
)
from beholder.evaluation.report.takeaways import measured_on, summary
from beholder.evaluation.report.wording import METRIC_WORDS, images, percent

# The metrics with a tile of their own. Of five classes the truth is always among the first five.
_ONE_LABEL: Final = ("balanced_accuracy", "top5", "coverage_90", "unknown_share", "unanswered_share")
_FEW_CLASSES: Final = ("balanced_accuracy", "coverage_90", "coverage_95", "unknown_share", "unanswered_share")
_SEVERAL_LABELS: Final = ("exact_match", "map", "macro_f1", "unknown_share", "unanswered_share")

_TILE_WORDS: Final = {
    "balanced_accuracy": ("First answer right, classes alike", "a rare class counts as much as a common one"),
    "top5": ("Among its first five", "the truth is one of its five best answers"),
    "coverage_90": ("90% sets hold the truth", "prediction sets that promise 90%"),
    "coverage_95": ("95% sets hold the truth", "prediction sets that promise 95%"),
    "exact_match": ("All labels right", "nothing missing and nothing too much"),
    "map": ("Ranking of images", "mean average precision (mAP): images of a class before all others"),
    "macro_f1": ("Labels, all classes alike", "F1: right and found in one number, the mean over the classes"),
    "unknown_share": ("Strangers found", "answered “unknown”"),
    "unanswered_share": ("Yours left unanswered", "of known classes, answered “unknown”"),
}

_PROMISES: Final = {"coverage_90": 0.9, "coverage_95": 0.95}

_TUNED: Final = ("exact_match", "macro_f1")
"""What depends on the thresholds of several labels."""

_PROMISED: Final = (*_PROMISES, "unanswered_share")
"""What cross-validation sets by thresholds made from the same answers."""


def hero(evaluation: Evaluation) -> str:
    """The headline, with a picture of it."""
    parts = "".join(_hero_part(headline) for headline in headlines(evaluation))
    left_out = "".join(
        f" Left out: {images(one.count)}, {text(one.reason)}." for one in evaluation.left_out if one.count
    )
    sentences = "".join(f"<li>{text(sentence)}</li>" for sentence in summary(evaluation))
    takeaways = f"<ul>{sentences}</ul>" if sentences else ""
    said = f'<p class="on">{text(measured_on(evaluation))}{left_out}</p>'
    return f'<div class="hero"><div class="heads">{parts}</div><div class="away">{takeaways}{said}</div></div>'


def _hero_part(headline: Headline) -> str:
    value = headline.measured.value
    if value is None:
        return f'<div class="head alone"><p class="big">{headline.before} … {NOT_MEASURED}</p></div>'
    number = exact(value, headline.number)
    return (
        f'<div class="head">{waffle(headline.measured)}<div><p class="big">{headline.before} '
        f"<strong>{number}</strong> {headline.after}</p>"
        f'<p class="between">{headline.between}</p></div></div>'
    )


def key_numbers(evaluation: Evaluation) -> list[tuple[str, Estimate]]:
    """The numbers that matter most after the headline, each with what it is called; those that were measured."""
    named = [(_TILE_WORDS[metric][0], evaluation.metrics[metric]) for metric in _tile_metrics(evaluation)]
    return [(title, measured) for title, measured in named if measured.value is not None]


def _tile_metrics(evaluation: Evaluation) -> tuple[str, ...]:
    if evaluation.multi_label:
        return _SEVERAL_LABELS
    return _ONE_LABEL if len(evaluation.classes) > 5 else _FEW_CLASSES


def tiles(evaluation: Evaluation) -> str:
    """The numbers that matter most, one tile each."""
    shown = [_tile(evaluation, metric) for metric in _tile_metrics(evaluation)]
    return f'<div class="tiles">{"".join([*shown, _calibration_tile(evaluation)])}</div>'


def _tile(evaluation: Evaluation, metric: str) -> str:
    measured = evaluation.metrics[metric]
    title, note = _TILE_WORDS[metric]
    if metric in _PROMISED and evaluation.tuned_here:
        note += "; true by construction: made from these answers"
    if metric in _TUNED and evaluation.tuned_here:
        note += "; flattered: thresholds were chosen on these answers"
    if measured.value is None:
        return tile(title, NOT_MEASURED, note)
    line = track(measured, wanted=_PROMISES.get(metric))
    return tile(title, share_value(measured), f"{share_range(measured)}<br>{note}", line)


def _calibration_tile(evaluation: Evaluation) -> str:
    title, measured, perfect = "Confidence is off by", evaluation.metrics["ece"], evaluation.ece_if_calibrated
    if measured.value is None or perfect is None:
        return tile(title, NOT_MEASURED, "expected calibration error")
    mean, high = exact(perfect.mean, percent(perfect.mean)), exact(perfect.high, percent(perfect.high))
    note = f"a perfect model shows {mean} on as many images, up to {high} by chance"
    if evaluation.tuned_here:
        note += "; made from these answers"
    line = track(measured, mark=perfect.high)
    return tile(title, share_value(measured, 1), f"{share_range(measured, places=1)}<br>{note}", line)


def every_number(evaluation: Evaluation) -> str:
    """All metrics by their names in the JSON."""
    rows = []
    for metric, measured in evaluation.metrics.items():
        title, meaning = METRIC_WORDS.get(metric, (metric, ""))
        shown = plain(measured) if "set_size" in metric else share(measured, places=1)
        rows.append((f"{text(title)} <code>{text(metric)}</code>", shown, text(meaning)))
    if evaluation.ece_if_calibrated:
        both = evaluation.ece_if_calibrated
        mean, high = exact(both.mean, percent(both.mean)), exact(both.high, percent(both.high))
        shown = f"{mean} on average, up to {high} 95 times of 100"
        rows.append(("ECE if perfect <code>ece_if_calibrated</code>", shown, "what chance alone would show"))
    lead = (
        "Each with its 95% interval, and the number of images behind it. The names are those of the JSON file beside "
        "this page."
    )
    return section("numbers", "Every number", lead, table(("", "measured", "means"), rows, "numbers"))


def provenance(evaluation: Evaluation, facts: Mapping[str, str], recipe: str | None) -> str:
    """Where the numbers come from."""
    known = {"Model": evaluation.model, "Dataset": evaluation.dataset, "Estimate": evaluation.kind, **facts}
    listed = "".join(f"<dt>{text(key)}</dt><dd>{name(value)}</dd>" for key, value in known.items())
    left_out = [f"{images(one.count)} left out: {one.reason}" for one in evaluation.left_out]
    notes = "".join(f"<li>{text(note)}</li>" for note in (*left_out, *evaluation.notes))
    return section(
        "provenance",
        "Where this comes from",
        "",
        f"<dl>{listed}</dl>",
        f"<ul>{notes}</ul>" if notes else "",
        folded("The recipe", f"<pre>{_lines(recipe)}</pre>") if recipe else "",
    )


def _lines(recipe: str) -> str:
    return "\n".join(text(line) for line in recipe.splitlines())
