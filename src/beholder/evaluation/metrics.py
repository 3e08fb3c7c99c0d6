"""Metrics of classification, on arrays: one label per image, or several.

Probabilities are float `(n, K)`; the truth is int `(n,)` where an image has one label and bool `(n, K)` where it may
have several. What is undefined is NaN here, and `None` once it is an `Estimate`. Definitions are those of scikit-learn,
with which the tests compare.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beholder.evaluation.resampling import Booleans, Floats, Integers, Statistic, group_sums

Probabilities = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """How often each class was rightly said, was true, and was said: float64 `(K,)`, or `(b, K)` on resamples."""

    right: Floats
    true: Floats
    said: Floats


def most_probable(probabilities: Probabilities) -> Integers:
    """The most probable class of each image, int `(n,)`; of equals the first, as `predict` answers."""
    best: Integers = np.argmax(probabilities, axis=1).astype(np.int64)
    return best


def among_top(probabilities: Probabilities, truth: Integers, k: int) -> Booleans:
    """Whether the truth is among the `k` most probable classes, bool `(n,)`; of equals the first come first."""
    own = np.take_along_axis(probabilities, truth[:, None], axis=1)
    earlier = np.arange(probabilities.shape[1]) < truth[:, None]
    rank = (probabilities > own).sum(axis=1) + ((probabilities == own) & earlier).sum(axis=1)
    among: Booleans = rank < k
    return among


def confusion_matrix(truth: Integers, said: Integers, class_count: int) -> Integers:
    """How many images of each class were said to be of each: int `(K, K)`, a row for each true class."""
    pairs = np.bincount(truth * class_count + said, minlength=class_count**2)
    return pairs.reshape(class_count, class_count).astype(np.int64)


def counting(truth: NDArray[Any], said: NDArray[Any], class_count: int) -> Callable[[Floats], Counts]:
    """What counts on resamples: from weights float64 `(b, n)` to counts `(b, K)`; arguments as in `class_counts`."""
    if truth.ndim == 2:
        right, true, accepted = (part.astype(np.float64) for part in (truth & said, truth, said))
        return lambda weights: Counts(weights @ right, weights @ true, weights @ accepted)
    by_truth, by_said = group_sums(truth, class_count), group_sums(said, class_count)
    hits = (truth == said).astype(np.float64)
    return lambda weights: Counts(by_truth(weights * hits), by_truth(weights), by_said(weights))


def class_counts(truth: NDArray[Any], said: NDArray[Any], class_count: int) -> Counts:
    """The counts of each class.

    Args:
        truth: int `(n,)`, or bool `(n, K)` where an image may have several labels.
        said: of the same form: the predicted class, or whether each label was accepted.
        class_count: K.
    """
    counts = counting(truth, said, class_count)(np.ones((1, len(truth))))
    return Counts(counts.right[0], counts.true[0], counts.said[0])


def precision(counts: Counts) -> Floats:
    """Of the images said to be of a class, the share that is: `(K,)`; NaN for one never said."""
    return _ratio(counts.right, counts.said)


def recall(counts: Counts) -> Floats:
    """Of the images of a class, the share that was said to be: `(K,)`; NaN for one without images."""
    return _ratio(counts.right, counts.true)


def f1(counts: Counts) -> Floats:
    """The harmonic mean of precision and recall, `(K,)`; NaN for a class that neither occurs nor is said."""
    return _ratio(2 * counts.right, counts.true + counts.said)


def balanced_accuracy(counts: Counts) -> Floats:
    """The mean recall of the classes that occur."""
    return mean_of_defined(recall(counts))


def macro_f1(counts: Counts) -> Floats:
    """The mean F1 of the classes that occur."""
    return mean_of_defined(np.where(counts.true > 0, f1(counts), np.nan))


def micro_precision(counts: Counts) -> Floats:
    """Of all labels said, the share that is right."""
    return _ratio(counts.right.sum(axis=-1), counts.said.sum(axis=-1))


def micro_recall(counts: Counts) -> Floats:
    """Of all labels that are true, the share that was said."""
    return _ratio(counts.right.sum(axis=-1), counts.true.sum(axis=-1))


def micro_f1(counts: Counts) -> Floats:
    """F1 over all labels of all images; where an image has one label, the same as top-1."""
    return _ratio(2 * counts.right.sum(axis=-1), (counts.true + counts.said).sum(axis=-1))


def exact_match(truth: Booleans, accepted: Booleans) -> Booleans:
    """Whether all labels of an image are right, bool `(n,)`."""
    matching: Booleans = (truth == accepted).all(axis=1)
    return matching


def average_precision(probabilities: Probabilities, truth: Booleans) -> Floats:
    """The average precision of each class, `(K,)`; NaN for one without images.

    The sum over thresholds of precision times the gain in recall, without interpolation: scikit-learn's
    `average_precision_score`.
    """
    weights = np.ones((1, len(truth)))
    columns = zip(probabilities.T, truth.T, strict=True)
    return np.array([_ranking(*column)(weights)[0] for column in columns], np.float64)


def mean_average_precision(probabilities: Probabilities, truth: Booleans) -> Statistic:
    """The statistic mAP: the mean average precision of the classes that occur."""
    rankings = [_ranking(*column) for column in zip(probabilities.T, truth.T, strict=True)]
    return lambda weights: mean_of_defined(np.stack([ranking(weights) for ranking in rankings], axis=-1))


def mean_of_defined(values: Floats) -> Floats:
    """The mean along the last axis of what is not NaN; NaN where all is."""
    defined = np.isfinite(values)
    return _ratio(np.where(defined, values, 0).sum(axis=-1), defined.sum(axis=-1))


def _ranking(scores: Probabilities, positive: Booleans) -> Statistic:
    """The average precision of one class as a statistic; images of equal score enter together.

    It is the mean, over the images of the class, of the precision at the place where each enters.
    """
    order = np.argsort(-scores, kind="stable")
    sorted_scores, places = scores[order], np.flatnonzero(positive[order])
    ends = np.searchsorted(-sorted_scores, -sorted_scores[places], side="right") - 1
    positives_at_ends = np.searchsorted(places, ends, side="right") - 1

    def area(weights: Floats) -> Floats:
        drawn = weights[:, order]
        own = drawn[:, places]
        found = np.cumsum(own, axis=1)[:, positives_at_ends]
        said = np.cumsum(drawn, axis=1)[:, ends]
        return _ratio((own * found / np.maximum(said, 1e-12)).sum(axis=1), own.sum(axis=1))

    return area


def _ratio(part: Floats, whole: NDArray[Any]) -> Floats:
    """`part / whole`, NaN where there is no whole."""
    whole = np.asarray(whole, np.float64)
    ratio: Floats = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)
    return ratio
