"""Two models on the same images: better, worse, or cannot tell."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np

from beholder.errors import UsageError
from beholder.evaluation import metrics
from beholder.evaluation.intervals import Z_95, Estimate, Interval, estimate, proportion, rounded
from beholder.evaluation.measuring_labels import measure_labels
from beholder.evaluation.parts import LeftOut
from beholder.evaluation.predictions import Predictions
from beholder.evaluation.resampling import Booleans, Floats, Statistic, percentile_interval, resampled
from beholder.records import to_json

COMPARISON_SCHEMA_VERSION: Final = 1

Verdict = Literal["better", "worse", "cannot tell"]

ComparedMetric = Literal["top1", "map", "macro_f1", "micro_f1"]

_Z_POWER: Final = 0.8416212335729143
"""The normal quantile of 80%: the wanted probability of telling, with the images asked for."""

_MOST_IMAGES: Final = 1_000_000
"""A difference that needs more images than these is as good as none."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a second model compares with a first one on the same images.

    Attributes:
        models: names of the first and the second.
        dataset: digest of the dataset.
        metric: what is compared.
        verdict: on the second: `better` or `worse` where the whole interval of the difference lies on that side of 0.
        difference: the second minus the first.
        p: the probability of a difference at least this large between equally good models.
        first: the metric of the first.
        second: the metric of the second.
        only_first_right: images that only the first has right; `None` where the metric does not judge single images.
        only_second_right: images that only the second has right.
        more_images: about how many images more would tell, if what was seen so far is typical; `None` where the models
            have been told apart, or where no difference is in sight.
        left_out: images that were not compared on, and why.
        notes: what else a reader should know.
        schema: version of the JSON.
    """

    models: tuple[str, str]
    dataset: str
    metric: ComparedMetric
    verdict: Verdict
    difference: Estimate
    p: float
    first: Estimate
    second: Estimate
    only_first_right: int | None
    only_second_right: int | None
    more_images: int | None
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    schema: int = COMPARISON_SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        """The comparison as JSON values, the schema version first."""
        values: dict[str, Any] = to_json(self)
        return {"schema": values.pop("schema"), **values}


def compare_predictions(
    first: Predictions,
    second: Predictions,
    *,
    models: tuple[str, str],
    dataset: str,
    metric: ComparedMetric | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare what two models said of the same images.

    Args:
        first: what the first said, such as the model in use.
        second: what the second said of the same images in the same order, such as the one to replace it.
        models: their names.
        dataset: digest of the dataset.
        metric: what to compare; by default top-1 where an image has one label, and mAP where it may have several.
        seed: of the resamples.

    Raises:
        UsageError: the images or their truth differ, or the metric is not one for them.
    """
    _check_same(first, second)
    metric = metric or ("map" if first.multi_label else "top1")
    if metric not in get_args(ComparedMetric) or (metric == "top1") == first.multi_label:
        fitting = "map, macro_f1 or micro_f1" if first.multi_label else "top1"
        raise UsageError(f"metric: must be {fitting} for these images, found {metric}")
    if metric == "top1":
        return _compare_right(first.right, second.right, models, dataset)
    return _compare_resampled(first, second, metric, models, dataset, seed)


def mcnemar_p(only_first: int, only_second: int) -> float:
    """The exact two-sided p-value of McNemar's test: of a fair coin for each image that one model alone has right.

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 1947, with binomial probabilities in place of the chi-squared approximation.
    """
    tosses, fewer = only_first + only_second, min(only_first, only_second)
    ways = total = 1
    for heads in range(1, fewer + 1):
        ways = ways * (tosses - heads + 1) // heads
        total += ways
    return min(1.0, 2 * total / (1 << tosses))


def paired_interval(only_first: int, only_second: int, count: int) -> Interval:
    """The interval of the difference of two proportions on the same images, the second minus the first.

    Source: D. G. Bonett and R. M. Price, "Adjusted Wald confidence interval for a difference of binomial proportions
    based on paired data", Journal of Educational and Behavioral Statistics 2012.
    """
    up, down = (only_second + 1) / (count + 2), (only_first + 1) / (count + 2)
    spread = Z_95 * math.sqrt((up + down - (up - down) ** 2) / (count + 2))
    return max(-1.0, up - down - spread), min(1.0, up - down + spread)


def _compare_right(first: Booleans, second: Booleans, models: tuple[str, str], dataset: str) -> Comparison:
    """By McNemar's test: on images that have one label."""
    count, only_first, only_second = len(first), int((first & ~second).sum()), int((second & ~first).sum())
    p = mcnemar_p(only_first, only_second)
    difference = (only_second - only_first) / count
    low, high = paired_interval(only_first, only_second, count)
    if p >= 0.05:  # the interval is an approximation; where it disagrees with the exact test, the test is right
        low, high = min(low, 0.0), max(high, 0.0)
    verdict = _verdict((low, high))
    discordant = (only_first + only_second) / count
    return Comparison(
        models=models,
        dataset=dataset,
        metric="top1",
        verdict=verdict,
        difference=estimate(difference, (low, high), count),
        p=rounded(p),
        first=proportion(int(first.sum()), count),
        second=proportion(int(second.sum()), count),
        only_first_right=only_first,
        only_second_right=only_second,
        more_images=_more_images(verdict, difference, math.sqrt(discordant), count),
    )


def _compare_resampled(
    first: Predictions, second: Predictions, metric: ComparedMetric, models: tuple[str, str], dataset: str, seed: int
) -> Comparison:
    """By a paired bootstrap: both models on the same resamples of the images."""
    count = len(first.sources)
    of_first, of_second = _statistic(first, metric), _statistic(second, metric)

    def differ(weights: Floats) -> Floats:
        return of_second(weights) - of_first(weights)

    difference = float(differ(np.ones((1, count)))[0])
    if math.isnan(difference):
        raise UsageError(f"{metric}: cannot be measured on these images; none of them has a label")
    seen = resampled(differ, count, seed=seed, cost=2 * len(first.classes))
    seen = seen[np.isfinite(seen)]
    interval = percentile_interval(seen) or (-1.0, 1.0)
    verdict = _verdict((min(interval[0], difference), max(interval[1], difference)))
    tail = min(int((seen <= 0).sum()), int((seen >= 0).sum()))
    spread = float(seen.std()) * math.sqrt(count) if len(seen) else 0.0
    return Comparison(
        models=models,
        dataset=dataset,
        metric=metric,
        verdict=verdict,
        difference=estimate(difference, interval, count),
        p=rounded(min(1.0, 2 * (tail + 1) / (len(seen) + 1))),
        first=measure_labels(first, seed=seed)[metric],
        second=measure_labels(second, seed=seed)[metric],
        only_first_right=None,
        only_second_right=None,
        more_images=_more_images(verdict, difference, spread, count),
    )


def _statistic(said: Predictions, metric: ComparedMetric) -> Statistic:
    if metric == "map":
        return metrics.mean_average_precision(said.probabilities, said.label_truth)
    count = metrics.counting(said.label_truth, said.label_accepted, len(said.classes))
    score: Callable[[metrics.Counts], Floats] = metrics.macro_f1 if metric == "macro_f1" else metrics.micro_f1
    return lambda weights: score(count(weights))


def _verdict(interval: Interval) -> Verdict:
    low, high = interval
    return "better" if low > 0 else "worse" if high < 0 else "cannot tell"


def _more_images(verdict: Verdict, difference: float, deviation: float, count: int) -> int | None:
    """Images beyond those at hand with which a difference like the one seen is told with a probability of 80%.

    Source: R. J. Connor, "Sample size for testing differences in proportions for the paired-sample design", Biometrics
    1987; `deviation` is that of a single image's difference when there is none on average.
    """
    if verdict != "cannot tell" or difference == 0:
        return None
    own = math.sqrt(max(0.0, deviation**2 - difference**2))
    wanted = ((Z_95 * deviation + _Z_POWER * own) / difference) ** 2
    return max(1, math.ceil(wanted) - count) if wanted <= _MOST_IMAGES else None


def _check_same(first: Predictions, second: Predictions) -> None:
    if first.sources != second.sources:
        raise UsageError("two models can be compared on the same images in the same order only, found others")
    same_classes = first.classes == second.classes
    if first.multi_label != second.multi_label or (first.multi_label and not same_classes):
        raise UsageError("two models with several labels per image must have the same classes to be compared")
    if len(first.sources) == 0:
        raise UsageError("two models can be compared on at least one image, found none")
    same = np.array_equal(first.truth, second.truth) if same_classes else first.truth_names == second.truth_names
    if not same:
        raise UsageError("two models can be compared where the truth of each image is the same, found others")
