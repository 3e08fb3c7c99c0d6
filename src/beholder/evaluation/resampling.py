"""The bootstrap: how much a number would vary had other images been drawn.

A resample is a row of weights: how often each image was drawn. A statistic takes many rows at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from beholder.evaluation.intervals import Interval

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

Statistic = Callable[[Floats], Floats]
"""From weights float64 `(b, n)` to values float64 `(b,)`, NaN where undefined."""

RESAMPLES: Final = 1000
_FEWEST_RESAMPLES: Final = 400
_WORK: Final = 1e7
"""Weighted values that a bootstrap may look at before it makes do with fewer resamples."""

_CHUNK: Final = 2_000_000
"""Weights in memory at a time."""


def resampled(statistic: Statistic, count: int, *, seed: int, strata: Integers | None = None, cost: int = 1) -> Floats:
    """A statistic on resamples of the images.

    Args:
        statistic: what to compute.
        count: how many images there are, n.
        seed: the same seed gives the same resamples.
        strata: int `(n,)`; where given, each stratum keeps its number of images.
        cost: how many values the statistic looks at for each weight.

    Returns:
        float64 `(resamples,)`, NaN where the statistic is undefined. A thousand, or fewer where there is very much to
        look at.
    """
    resamples = int(np.clip(_WORK / max(1, count * cost), _FEWEST_RESAMPLES, RESAMPLES))
    parts = [statistic(weights) for weights in _weights(count, resamples, seed, strata)]
    return np.concatenate(parts) if parts else np.empty(0)


def percentile_interval(values: Floats) -> Interval | None:
    """The middle 95% of the values on resamples; `None` where the statistic is undefined on most of them.

    Source: B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
    """
    finite = values[np.isfinite(values)]
    if 2 * len(finite) < max(1, len(values)):
        return None
    low, high = np.percentile(finite, (2.5, 97.5))
    return float(low), float(high)


def bootstrap(
    statistic: Statistic, count: int, *, seed: int, strata: Integers | None = None, cost: int = 1
) -> Interval | None:
    """The percentile interval of a statistic; arguments as in `resampled`."""
    return percentile_interval(resampled(statistic, count, seed=seed, strata=strata, cost=cost)) if count else None


def weighted_mean(values: NDArray[Any]) -> Statistic:
    """The statistic that is the mean over the images of a value of each, `(n,)`."""
    return lambda weights: (weights @ values.astype(np.float64)) / weights.sum(axis=1)


def group_sums(groups: Integers, group_count: int) -> Callable[[Floats], Floats]:
    """What adds up values `(b, n)` by the group of their column, to `(b, group_count)`.

    Args:
        groups: int `(n,)`, each from 0 below `group_count`.
        group_count: how many groups there are; one without a column adds up to 0.
    """
    order = np.argsort(groups, kind="stable")
    present, starts = np.unique(groups[order], return_index=True)

    def add_up(values: Floats) -> Floats:
        sums = np.zeros((len(values), group_count))
        if len(present):
            sums[:, present] = np.add.reduceat(values[:, order], starts, axis=1)
        return sums

    return add_up


def _weights(count: int, resamples: int, seed: int, strata: Integers | None) -> Iterator[Floats]:
    """Rows of weights, a chunk of them at a time."""
    draw = _draw_any(count) if strata is None else _draw_within(strata)
    random = np.random.default_rng(seed)
    chunk = max(1, _CHUNK // max(1, count))
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        keys = draw(random, rows) + count * np.arange(rows)[:, None]
        yield np.bincount(keys.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)


def _draw_any(count: int) -> Callable[[np.random.Generator, int], Integers]:
    return lambda random, rows: random.integers(count, size=(rows, count))


def _draw_within(strata: Integers) -> Callable[[np.random.Generator, int], Integers]:
    """What draws in place of each image one of its stratum."""
    order = np.argsort(strata, kind="stable")
    _, starts, inverse, sizes = np.unique(strata[order], return_index=True, return_inverse=True, return_counts=True)
    first, size = starts[inverse], sizes[inverse]

    def draw(random: np.random.Generator, rows: int) -> Integers:
        drawn = (random.random((rows, len(order))) * size).astype(np.int64)
        within: Integers = order[first + np.minimum(drawn, size - 1)]  # rounding may reach the size itself
        return within

    return draw
