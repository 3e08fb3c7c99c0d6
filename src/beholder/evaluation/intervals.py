"""A number with its 95% interval and the count behind it.

Proportions have Wilson's interval, and what is made of proportions has one made of theirs: such intervals stay honest
where nothing went wrong, which a bootstrap takes for certainty. Everything else is in `resampling`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from beholder.records import RecordError

Z_95: Final = 1.959963984540054
"""The normal quantile of a two-sided 95% interval."""

DECIMALS: Final = 6
"""More than a metric means, and the same in memory, in JSON and on the page."""

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured number; `None` in all three places where it was not measured or is undefined.

    Args:
        value: the number.
        low: lower end of its 95% interval.
        high: upper end of its 95% interval.
        count: how many images (or predictions, or bins, as the metric says) it rests on.

    Raises:
        RecordError: the interval does not contain the value.
    """

    value: float | None
    low: float | None
    high: float | None
    count: int

    def __post_init__(self) -> None:
        if self.count < 0:
            raise RecordError(f"count: must be 0 or more, found {self.count}")
        if self.value is None or self.low is None or self.high is None:
            if (self.value, self.low, self.high) != (None, None, None):
                raise RecordError("value: must come with low and high, or all three be null")
        elif not self.low <= self.value <= self.high:
            raise RecordError(f"value: must lie from low to high, found {self.low} {self.value} {self.high}")

    @property
    def half_width(self) -> float | None:
        """Half the width of the interval."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    def __str__(self) -> str:
        if self.value is None:
            return "not measured"
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f}, {self.count:,})"


NOT_MEASURED: Final = Estimate(None, None, None, 0)


def estimate(value: float | None, interval: Interval | None, count: int) -> Estimate:
    """A rounded estimate whose interval contains its value; not measured where there is no value."""
    if value is None or interval is None or count == 0:
        return Estimate(None, None, None, count)
    low, high = min(interval[0], value), max(interval[1], value)
    return Estimate(rounded(value), rounded(low), rounded(high), count)


def rounded(value: float) -> float:
    """A number as it is kept."""
    return round(float(value), DECIMALS) + 0.0  # and never -0.0


def wilson(successes: float, count: int) -> Interval:
    """Wilson's score interval of a proportion.

    Args:
        successes: from 0 to `count`. May be fractional: the sum of `count` values between 0 and 1 varies at most as
            much as that many yes-or-no answers with the same mean.
        count: at least 1.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.
    """
    share, square = successes / count, Z_95**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    spread = Z_95 / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    return (
        0.0 if successes <= 0 else max(0.0, middle - spread),
        1.0 if successes >= count else min(1.0, middle + spread),
    )


def proportion(successes: int, count: int) -> Estimate:
    """A share of `count`, with Wilson's interval."""
    return estimate(successes / count, wilson(successes, count), count) if count else NOT_MEASURED


def mean_interval(values: Sequence[float], intervals: Sequence[Interval]) -> Interval | None:
    """The interval of a plain mean of independent numbers, made of their own intervals.

    Source: G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures: a general approach",
    Statistics in Medicine 2008 (the method of variance estimates recovery).
    """
    if not values:
        return None
    middle = sum(values) / len(values)
    below = math.sqrt(sum((value - low) ** 2 for value, (low, _) in zip(values, intervals, strict=True)))
    above = math.sqrt(sum((high - value) ** 2 for value, (_, high) in zip(values, intervals, strict=True)))
    return middle - below / len(values), middle + above / len(values)


def f1_interval(true_positives: int, false_positives: int, false_negatives: int) -> Interval | None:
    """The interval of one class's F1; `None` where the class neither occurs nor is predicted.

    Among the images that are of the class or are said to be, those that are both are a proportion J, and
    F1 = 2 J / (1 + J) grows with it: so Wilson's interval of J, carried over.
    """
    union = true_positives + false_positives + false_negatives
    if union == 0:
        return None
    low, high = wilson(true_positives, union)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def auroc_interval(auroc: float, positives: int, negatives: int) -> Interval:
    """The interval of an area under the ROC curve; stays wide where the two are perfectly apart.

    Source: R. G. Newcombe, "Confidence intervals for an effect size measure based on the Mann-Whitney statistic. Part
    2", Statistics in Medicine 2006, method 5.
    """
    average = (positives + negatives) / 2

    def outside(area: float) -> bool:
        spread = (1 - area) / (2 - area) + area / (1 + area)
        variance = area * (1 - area) * (1 + (average - 1) * spread) / (positives * negatives)
        return (auroc - area) ** 2 > Z_95**2 * variance

    low = 0.0 if auroc <= 0 else _border(outside, 0.0, auroc)
    high = 1.0 if auroc >= 1 else _border(outside, 1.0, auroc)
    return low, high


def wider(*intervals: Interval | None) -> Interval | None:
    """The interval that contains all those given; `None` where none is."""
    given = [interval for interval in intervals if interval is not None]
    return (min(low for low, _ in given), max(high for _, high in given)) if given else None


def more_needed(measured: Estimate, half_width: float = 0.05) -> int | None:
    """About how many images more would bring an interval down to a wanted half-width.

    Args:
        measured: what is known now.
        half_width: wanted, in the unit of the estimate: 0.05 is ±5 points.

    Returns:
        0 when it is narrow enough already; `None` when nothing was measured. Intervals shrink with the square root of
        the count, so four times the images halve one.
    """
    if measured.half_width is None:
        return None
    wanted = measured.count * (measured.half_width / half_width) ** 2
    return max(0, math.ceil(wanted - measured.count))


def _border(outside: Callable[[float], bool], far: float, near: float) -> float:
    """Where, between a point outside and one inside, the outside ends."""
    for _ in range(60):
        middle = (far + near) / 2
        far, near = (middle, near) if outside(middle) else (far, middle)
    return near
