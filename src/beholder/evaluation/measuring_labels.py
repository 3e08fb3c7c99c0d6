"""Estimates of how right the labels are, over all images and for each class."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from beholder.evaluation import metrics
from beholder.evaluation.collecting import CLASS_HALF_WIDTH
from beholder.evaluation.intervals import (
    NOT_MEASURED,
    Estimate,
    Interval,
    estimate,
    f1_interval,
    mean_interval,
    more_needed,
    proportion,
    wider,
    wilson,
)
from beholder.evaluation.metrics import Counts
from beholder.evaluation.parts import ClassResult, Confused
from beholder.evaluation.predictions import Predictions
from beholder.evaluation.resampling import Floats, Integers, Statistic, bootstrap

SINGLE_LABEL_METRICS = ("top1", "top5", "balanced_accuracy", "macro_f1", "micro_f1")
MULTI_LABEL_METRICS = ("map", "micro_f1", "macro_f1", "micro_precision", "micro_recall", "exact_match")


def measure_labels(said: Predictions, *, seed: int) -> dict[str, Estimate]:
    """Everything that is measured of the labels, by name of the metric.

    An interval is the bootstrap's, and no narrower than what the counts of each class leave open: where next to nothing
    went wrong a bootstrap alone is far too sure.
    """
    if said.count == 0:
        return dict.fromkeys(MULTI_LABEL_METRICS if said.multi_label else SINGLE_LABEL_METRICS, NOT_MEASURED)
    return _several_labels(said, seed) if said.multi_label else _one_label(said, seed)


def measure_classes(said: Predictions) -> tuple[ClassResult, ...]:
    """A result for each class, in their order."""
    counts = _counts(said)
    areas: Floats | None = None
    if said.multi_label:
        areas = metrics.average_precision(said.probabilities, said.label_truth)
    return tuple(_class_result(name, counts, areas, index) for index, name in enumerate(said.classes))


def measure_confusion(said: Predictions) -> tuple[Confused, ...] | None:
    """How often each class was said to be each, the most frequent pair first; `None` for several labels per image."""
    if said.multi_label:
        return None
    pairs, sizes = np.unique(said.class_truth * len(said.classes) + said.predicted, return_counts=True)
    order = np.argsort(-sizes, kind="stable")
    named = [(*divmod(int(pairs[index]), len(said.classes)), int(sizes[index])) for index in order]
    return tuple(Confused(said.classes[truth], said.classes[predicted], size) for truth, predicted, size in named)


def part_measure(said: Predictions, *, seed: int) -> tuple[str, Callable[[Integers], Estimate]]:
    """The metric for parts of the images, and what measures it on the images at some indices."""
    if not said.multi_label:
        right = said.right
        return "top1", lambda indices: proportion(int(right[indices].sum()), len(indices))
    truth, accepted = said.label_truth, said.label_accepted

    def measure(indices: Integers) -> Estimate:
        counts = metrics.class_counts(truth[indices], accepted[indices], len(said.classes))
        count = metrics.counting(truth[indices], accepted[indices], len(said.classes))
        closed = f1_interval(*_totals(counts))
        return _estimate(lambda weights: metrics.micro_f1(count(weights)), closed, len(indices), seed)

    return "micro_f1", measure


def _one_label(said: Predictions, seed: int) -> dict[str, Estimate]:
    truth, classes = said.class_truth, len(said.classes)
    count = metrics.counting(truth, said.predicted, classes)
    counts = _counts(said)
    occurs = np.flatnonzero(counts.true)
    recalls = _mean_of(metrics.recall(counts), occurs, lambda k: wilson(counts.right[k], int(counts.true[k])))
    f1s = _mean_of(metrics.f1(counts), occurs, lambda k: f1_interval(*_errors(counts, k)))
    top1 = proportion(int(said.right.sum()), said.count)
    top5 = Estimate(None, None, None, said.count)
    if classes > 5:  # of five classes the truth is always among the top five
        top5 = proportion(int(metrics.among_top(said.probabilities, truth, 5).sum()), said.count)

    def balanced(weights: Floats) -> Floats:
        return metrics.balanced_accuracy(count(weights))

    def macro(weights: Floats) -> Floats:
        return metrics.macro_f1(count(weights))

    return {
        "top1": top1,
        "top5": top5,
        "balanced_accuracy": _estimate(balanced, recalls, said.count, seed, strata=truth),
        "macro_f1": _estimate(macro, f1s, said.count, seed, strata=truth),
        "micro_f1": top1,
    }


def _several_labels(said: Predictions, seed: int) -> dict[str, Estimate]:
    truth, accepted, classes = said.label_truth, said.label_accepted, len(said.classes)
    count = metrics.counting(truth, accepted, classes)
    counts = _counts(said)
    occurs = np.flatnonzero(counts.true)
    areas = metrics.average_precision(said.probabilities, truth)
    # A class's average precision is the mean over its images of a precision, so of values between 0 and 1.
    area = _mean_of(areas, occurs, lambda k: wilson(float(areas[k] * counts.true[k]), int(counts.true[k])))
    f1s = _mean_of(metrics.f1(counts), occurs, lambda k: f1_interval(*_errors(counts, k)))
    right, extra, missed = _totals(counts)
    shares = {"micro_precision": (right, right + extra), "micro_recall": (right, right + missed)}
    closed: dict[str, Interval | None] = {name: wilson(*pair) if pair[1] else None for name, pair in shares.items()}
    closed |= {"micro_f1": f1_interval(right, extra, missed), "macro_f1": f1s}
    scores: dict[str, Callable[[Counts], Floats]] = {
        "micro_f1": metrics.micro_f1,
        "macro_f1": metrics.macro_f1,
        "micro_precision": metrics.micro_precision,
        "micro_recall": metrics.micro_recall,
    }
    measured = {
        name: _estimate(lambda weights, score=score: score(count(weights)), closed[name], said.count, seed)  # type: ignore[misc]
        for name, score in scores.items()
    }
    mean_area = metrics.mean_average_precision(said.probabilities, truth)
    return {
        "map": _estimate(mean_area, area, said.count, seed, cost=classes),
        **measured,
        "exact_match": proportion(int(metrics.exact_match(truth, accepted).sum()), said.count),
    }


def _estimate(
    statistic: Statistic,
    closed: Interval | None,
    count: int,
    seed: int,
    *,
    strata: Integers | None = None,
    cost: int = 1,
) -> Estimate:
    """A statistic of all images, with the wider of its bootstrap interval and one made of counts."""
    value = float(statistic(np.ones((1, count)))[0])
    if math.isnan(value):
        return Estimate(None, None, None, count)
    return estimate(value, wider(bootstrap(statistic, count, seed=seed, strata=strata, cost=cost), closed), count)


def _mean_of(values: Floats, occurs: Integers, interval: Callable[[int], Interval | None]) -> Interval | None:
    """The interval of the mean over the classes that occur, made of an interval for each."""
    found = [(float(values[k]), interval(int(k)) or (0.0, 1.0)) for k in occurs]
    return mean_interval([value for value, _ in found], [own for _, own in found])


def _counts(said: Predictions) -> Counts:
    if said.multi_label:
        return metrics.class_counts(said.label_truth, said.label_accepted, len(said.classes))
    return metrics.class_counts(said.class_truth, said.predicted, len(said.classes))


def _errors(counts: Counts, k: int) -> tuple[int, int, int]:
    """Right, wrongly said and missed, of one class."""
    right = int(counts.right[k])
    return right, int(counts.said[k]) - right, int(counts.true[k]) - right


def _totals(counts: Counts) -> tuple[int, int, int]:
    """Right, wrongly said and missed, of all classes."""
    right = int(counts.right.sum())
    return right, int(counts.said.sum()) - right, int(counts.true.sum()) - right


def _class_result(name: str, counts: Counts, areas: Floats | None, k: int) -> ClassResult:
    right, extra, missed = _errors(counts, k)
    true, union = right + missed, right + extra + missed
    recall = proportion(right, true)
    area = None
    if areas is not None:
        area = estimate(float(areas[k]), wilson(float(areas[k]) * true, true), true) if true else NOT_MEASURED
    return ClassResult(
        name=name,
        count=true,
        said=right + extra,
        right=right,
        precision=proportion(right, right + extra),
        recall=recall,
        f1=estimate(2 * right / (true + right + extra), f1_interval(right, extra, missed), union)
        if union
        else NOT_MEASURED,
        average_precision=area,
        more_images=more_needed(recall, CLASS_HALF_WIDTH),
    )
