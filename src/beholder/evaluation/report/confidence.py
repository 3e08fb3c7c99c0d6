"""How sure to be: confidence against reality, risk against coverage, prediction sets, strangers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from beholder.evaluation.evaluation import Evaluation
from beholder.evaluation.intervals import Estimate
from beholder.evaluation.parts import ReliabilityBin, RiskPoint, SetSize, SetSizes
from beholder.evaluation.report import charts
from beholder.evaluation.report.markup import NOT_MEASURED, bar, exact, folded, plain, section, share, table, track
from beholder.evaluation.report.takeaways import by_construction, confidence_words, in_band
from beholder.evaluation.report.wording import STRANGER_WORDS, percent

_COVERAGES: Final = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)
_SHOWN_SIZES: Final = 8

_HARDLY_MORE_THAN_ONE: Final = 1.05
"""Sets of this mean size or less cannot be made smaller by much."""


def confidence(evaluation: Evaluation) -> str:
    """The reliability diagram, and risk against coverage."""
    if not evaluation.reliability:
        return section("confidence", "How sure to be", "", f"<p>{NOT_MEASURED}</p>")
    parts = f"<div>{_reliability(evaluation.reliability)}</div>"
    if evaluation.risk_coverage:
        parts += f"<div>{_risk(evaluation.risk_coverage)}</div>"
    return section("confidence", "How sure to be", confidence_words(evaluation), f'<div class="two">{parts}</div>')


def _reliability(bins: Sequence[ReliabilityBin]) -> str:
    inside = sum(in_band(one) for one in bins)
    rows = [
        (
            exact(one.confidence, percent(one.confidence)),
            share(one.right, "answers"),
            f"{exact(one.calibrated_low, percent(one.calibrated_low, 0))} to "
            f"{exact(one.calibrated_high, percent(one.calibrated_high, 0))}",
        )
        for one in bins
    ]
    heads = ("says", "is right", "a perfect model")
    return (
        "<h3>Does it know how sure it is?</h3>"
        f"<p>Answers in {len(bins)} groups of about equal confidence. Where it says 90%, 90 of 100 should be right: "
        "the dots should lie in the gray band, where a perfectly calibrated model’s would 95 times of 100. "
        f"<b>{inside} of {len(bins)}</b> do.</p>"
        f"{charts.reliability(bins)}{folded('The numbers of this plot', table(heads, rows))}"
    )


def _risk(points: Sequence[RiskPoint]) -> str:
    chosen = {min(points, key=lambda point: abs(point.coverage - wanted)).confidence: wanted for wanted in _COVERAGES}
    rows = [
        (
            exact(point.confidence, percent(point.confidence)),
            exact(point.coverage, percent(point.coverage)),
            share(point.risk, "answers"),
        )
        for point in reversed(points)
        if point.confidence in chosen
    ]
    return (
        "<h3>What if it may leave some to you?</h3>"
        "<p>It answers only from some confidence up, and hands the other images to a person. The fewer it answers, the "
        "fewer answers should be wrong.</p>"
        f"{charts.risk_coverage(points)}{table(('answers from', 'answered', 'wrong among them'), rows, 'risk')}"
    )


def prediction_sets(evaluation: Evaluation) -> str:
    """What prediction sets promise, and what they kept."""
    if evaluation.multi_label:
        return ""
    lead = (
        "In place of one answer it can give a short list that contains the truth with a stated probability: one name "
        "where it is sure, several where it hesitates."
    )
    sizes = {one.promised: one for one in evaluation.set_sizes}
    told = by_construction(evaluation)
    told = f'<p class="made">{told}</p>' if told else ""
    if not sizes:
        return section("sets", "Prediction sets", lead, f"<p>{NOT_MEASURED}: the model promises no sets.</p>")
    parts = "".join(_promise(evaluation, promised, sizes[promised]) for promised in sorted(sizes))
    return section(
        "sets", "Prediction sets", lead, told, f'<div class="two">{parts}</div>', _for_each_class(evaluation)
    )


def _for_each_class(evaluation: Evaluation) -> str:
    """Sets that keep their promise for a rare or hard class too, beside those that keep it over all images."""
    rows = []
    for promised in (90, 95):
        covered = evaluation.metrics.get(f"class_coverage_{promised}")
        if covered is not None:
            size = plain(evaluation.metrics[f"class_set_size_{promised}"])
            rows.append((f"{promised} of 100", track(covered, wanted=promised / 100), share(covered), size))
    if not rows:
        return ""
    return (
        "<h3>The same promise for each class by itself</h3>"
        "<p>The sets above keep their promise over all images; a hard class may get less. The model card also has "
        "thresholds for sets that promise it for every class alike; on the whole these are longer.</p>"
        f"{table(('promised', '', 'kept, the mean over the classes', 'names in a set'), rows, 'slices')}"
    )


def _promise(evaluation: Evaluation, promised: int, sizes: SetSizes) -> str:
    covered, size = evaluation.metrics[f"coverage_{promised}"], evaluation.metrics[f"set_size_{promised}"]
    kept = "" if evaluation.tuned_here else _kept(covered, size, promised / 100)
    total = sum(one.count for one in sizes.sizes)
    rows = [(_names(one.size), bar(one.count / total), exact(one.count, f"{one.count:,}")) for one in _folded(sizes)]
    rest = [one for one in sizes.sizes if one.size >= _SHOWN_SIZES]
    if rest:
        count = sum(one.count for one in rest)
        rows.append((f"{_SHOWN_SIZES} names or more", bar(count / total), f"{count:,}"))
    return (
        f"<div><h3>Promised: {promised} of 100</h3><p>Kept: {share(covered)}. {kept}</p>"
        f"{track(covered, wanted=promised / 100)}"
        f"<p>On average {plain(size)} names in a set:</p>"
        f"{table(('', '', 'images'), rows, 'sizes')}</div>"
    )


def _folded(sizes: SetSizes) -> list[SetSize]:
    return [one for one in sizes.sizes if one.size < _SHOWN_SIZES]


def _names(size: int) -> str:
    return {0: "no name", 1: "one name"}.get(size, f"{size} names")


def _kept(covered: Estimate, size: Estimate, promised: float) -> str:
    if covered.low is None or covered.high is None:
        return ""
    if covered.high < promised:
        return '<span class="flag below">less than promised</span>'
    if covered.low > promised and (size.value or 0.0) <= _HARDLY_MORE_THAN_ONE:
        return "More than promised, with hardly more than one name in a set: the first answers are that good."
    if covered.low > promised:
        return '<span class="flag above">more than promised: the sets could be smaller</span>'
    return "As promised, as far as so many images can tell."


def strangers(evaluation: Evaluation) -> str:
    """Whether it says *unknown* when it should, and only then."""
    lead = (
        "An image that belongs to none of its classes should be answered “unknown”. In return some images of known "
        "classes go unanswered."
    )
    rows = [
        (f"{STRANGER_WORDS[one.kind][1]}, answered “unknown”", track(one.share), share(one.share))
        for one in evaluation.strangers
    ]
    known = evaluation.metrics["unanswered_share"]
    rows.append(("Images of known classes, answered “unknown”", track(known), share(known)))
    if "answered_top1" in evaluation.metrics:
        answered = evaluation.metrics["answered_top1"]
        rows.append(("Right among the answered", track(answered), share(answered)))
    rows += [
        (
            f"{STRANGER_WORDS[one.kind][1]}: how often a known image looks more familiar (AUROC)",
            track(one.auroc, mark=0.5),
            share(one.auroc),
        )
        for one in evaluation.strangers
    ]
    note = (
        "" if evaluation.strangers else f"<p>Strangers: {NOT_MEASURED}. Give a folder of images of nothing known.</p>"
    )
    told = by_construction(evaluation) if known.value is not None else ""
    told = (
        f'<p class="made">The share of known images that go unanswered: {told[0].lower()}{told[1:]}</p>' if told else ""
    )
    return section("unknown", "When it should say “unknown”", lead, table(("", "", ""), rows, "slices"), told, note)
