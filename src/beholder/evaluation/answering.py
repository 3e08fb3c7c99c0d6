"""When to answer and when not: risk against coverage, prediction sets, strangers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beholder.evaluation.intervals import Interval, wilson
from beholder.evaluation.resampling import Booleans, Floats, Integers, Statistic, bootstrap, weighted_mean


@dataclass(frozen=True, slots=True, eq=False)
class RiskCoverage:
    """What answering only from some confidence up would give; one place for each distinct confidence, highest first.

    Attributes:
        confidence: float64 `(m,)`, where the answers begin.
        answered: int `(m,)`, how many images have at least that confidence.
        wrong: int `(m,)`, how many of these are wrong.
    """

    confidence: Floats
    answered: Integers
    wrong: Integers


def risk_coverage(confidences: NDArray[Any], right: Booleans) -> RiskCoverage:
    """The curve of risk against coverage.

    Args:
        confidences: float `(n,)`, n at least 1.
        right: bool `(n,)`.

    Source: Y. Geifman and R. El-Yaniv, "Selective classification for deep neural networks", NeurIPS 2017.
    """
    order = np.argsort(-confidences, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(confidences[order]) != 0, True))
    wrong = np.cumsum((~right[order]).astype(np.int64))[ends]
    return RiskCoverage(confidences[order][ends].astype(np.float64), ends + 1, wrong)


def area_under_risk(confidences: NDArray[Any], right: Booleans) -> Statistic:
    """The statistic AURC: the mean risk over all coverages 1/n, 2/n, … 1; the smaller the better.

    Among images of equal confidence the order is left open: each counts as wrong by the share of them that is.
    """
    order = np.argsort(-confidences, kind="stable")
    _, groups = np.unique(-confidences[order], return_inverse=True)
    wrong = (~right[order]).astype(np.float64)
    risk = (np.bincount(groups, wrong) / np.bincount(groups))[groups]

    def area(weights: Floats) -> Floats:
        drawn = weights[:, order]
        answered = np.cumsum(drawn, axis=1) - (drawn - 1) / 2  # the middle of an image drawn several times
        risks = (np.cumsum(drawn * risk, axis=1) - risk * (drawn - 1) / 2) / answered
        mean: Floats = (drawn * risks).sum(axis=1) / drawn.sum(axis=1)
        return mean

    return area


def area_under_risk_interval(confidences: NDArray[Any], right: Booleans, *, seed: int) -> Interval:
    """The interval of AURC by bootstrap; the upper end as if one more error had been seen, of the median confidence.

    Few errors say little of where the next one falls, and none would leave a bootstrap nothing to vary.
    """
    one_more = np.append(confidences, np.median(confidences)), np.append(right, False)
    seen = bootstrap(area_under_risk(confidences, right), len(right), seed=seed) or (0.0, 1.0)
    expected = bootstrap(area_under_risk(*one_more), len(right) + 1, seed=seed) or (0.0, 1.0)
    return seen[0], max(seen[1], expected[1])


def covered(sets: Booleans, truth: Integers) -> Booleans:
    """Whether the prediction set of each image, bool `(n, K)`, contains the truth: bool `(n,)`."""
    return np.take_along_axis(sets, truth[:, None], axis=1)[:, 0]


def set_sizes(sets: Booleans) -> Integers:
    """How many classes each prediction set holds, int `(n,)`."""
    sizes: Integers = sets.sum(axis=1).astype(np.int64)
    return sizes


def set_size_interval(sizes: Integers, class_count: int, *, seed: int) -> Interval:
    """The interval of the mean size; where all sizes are equal, one more or less may have been missed by chance."""
    low, high = bootstrap(weighted_mean(sizes), len(sizes), seed=seed) or (0.0, float(class_count))
    if low < high:
        return low, high
    missed = wilson(0, len(sizes))[1]
    return max(0.0, low - missed), min(float(class_count), high + missed)


def auroc(positives: NDArray[Any], negatives: NDArray[Any]) -> float:
    """The area under the ROC curve: how often a positive scores above a negative, ties counting half.

    Args:
        positives: float `(m,)`, m at least 1; for *unknown* the scores of known images.
        negatives: float `(n,)`, n at least 1; for *unknown* those of strangers.
    """
    sorted_negatives = np.sort(negatives)
    below = np.searchsorted(sorted_negatives, positives, side="left")
    up_to = np.searchsorted(sorted_negatives, positives, side="right")
    return float((below + up_to).mean() / 2 / len(negatives))
