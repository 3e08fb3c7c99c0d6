"""Whether confidences mean what they say, and what even a perfectly calibrated model would show on so few images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from beholder.evaluation.intervals import Interval
from beholder.evaluation.resampling import Booleans, Floats, Integers, group_sums, resampled

BINS: Final = 15
_DRAWS: Final = 1000
_FEWEST_DRAWS: Final = 100
_WORK: Final = 5e7
_CHUNK: Final = 2_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Binned:
    """Confidences in bins of about equal mass; equal confidences share a bin.

    Attributes:
        of: int `(n,)`, the bin of each confidence; bins without a confidence do not occur.
        sizes: float64 `(B,)`, confidences in each.
        confidence: float64 `(B,)`, their mean.
        right: float64 `(B,)`, the share of them that was right.
    """

    of: Integers
    sizes: Floats
    confidence: Floats
    right: Floats

    @property
    def error(self) -> float:
        """The expected calibration error: the mean over images of how far their bin is off."""
        return float((self.sizes * np.abs(self.right - self.confidence)).sum() / self.sizes.sum())


def equal_mass_bins(confidences: NDArray[Any], right: Booleans, bins: int = BINS) -> Binned:
    """Sort confidences into bins at their quantiles.

    Args:
        confidences: float `(n,)`, n at least 1.
        right: bool `(n,)`, whether what was said with that confidence was right.
        bins: at most how many; the edges are those of scikit-learn's `calibration_curve(strategy="quantile")`.

    Source: K. Nguyen and B. O'Connor, "Posterior calibration and exploratory analysis for natural language processing
    models", EMNLP 2015 (adaptive bins).
    """
    values = confidences.astype(np.float64)
    edges = np.percentile(values, np.linspace(0, 1, bins + 1) * 100)  # scikit-learn's rounding decides on borders
    _, of = np.unique(np.searchsorted(edges[1:-1], values), return_inverse=True)
    sizes = np.bincount(of).astype(np.float64)
    return Binned(of, sizes, np.bincount(of, values) / sizes, np.bincount(of, right.astype(np.float64)) / sizes)


def calibration_error(confidences: NDArray[Any], right: Booleans, bins: int = BINS) -> float:
    """The expected calibration error (ECE) over bins of equal mass; arguments as in `equal_mass_bins`."""
    return equal_mass_bins(confidences, right, bins).error


@dataclass(frozen=True, slots=True, eq=False)
class PerfectCalibration:
    """What a perfectly calibrated model with the same confidences would show.

    Attributes:
        mean_error: its mean expected calibration error on that many images.
        high_error: the 95th percentile of that error.
        low_right: float64 `(B,)`, the share right in each bin that it exceeds 97.5% of the time.
        high_right: float64 `(B,)`, the share right in each bin that it stays below 97.5% of the time.
    """

    mean_error: float
    high_error: float
    low_right: Floats
    high_right: Floats


def perfect_calibration(confidences: NDArray[Any], binned: Binned, *, seed: int) -> PerfectCalibration:
    """Simulate a model whose confidences are exactly the probability of being right.

    Args:
        confidences: float `(m,)`.
        binned: the bins of these.
        seed: of the simulation.

    Source: the consistency bars of J. Bröcker and L. A. Smith, "Increasing the reliability of reliability diagrams",
    Weather and Forecasting 2007.
    """
    values = confidences.astype(np.float64)
    draws = int(np.clip(_WORK / len(values), _FEWEST_DRAWS, _DRAWS))
    chunk = max(1, _CHUNK // len(values))
    random, add_up = np.random.default_rng(seed), group_sums(binned.of, len(binned.sizes))
    rows = [min(chunk, draws - start) for start in range(0, draws, chunk)]
    rights = [add_up((random.random((count, len(values))) < values).astype(np.float64)) for count in rows]
    right = np.concatenate(rights) / binned.sizes
    errors = (np.abs(right - binned.confidence) * binned.sizes).sum(axis=1) / binned.sizes.sum()
    low, high = np.percentile(right, (2.5, 97.5), axis=0)
    return PerfectCalibration(float(errors.mean()), float(np.percentile(errors, 95)), low, high)


def calibration_error_interval(
    confidences: NDArray[Any],
    right: Booleans,
    binned: Binned,
    images: Integers,
    perfect: PerfectCalibration,
    *,
    seed: int,
) -> Interval:
    """The interval of the expected calibration error.

    Chance alone makes this error larger, by at most what it makes of a perfect model's error of 0 (the triangle
    inequality): the lower end takes that off. In a resample of the images chance strikes twice, so the upper end of the
    bootstrap lies on the safe side.

    Args:
        confidences: float `(m,)`.
        right: bool `(m,)`.
        binned: the bins of these; resamples keep them.
        images: int `(m,)`, the image of each confidence, from 0; the images are what is resampled.
        perfect: what a perfectly calibrated model would show.
        seed: of the resamples.
    """
    bins, count = len(binned.sizes), int(images.max()) + 1
    cells = images * bins + binned.of
    gaps = np.bincount(cells, right - confidences.astype(np.float64), count * bins).reshape(count, bins)
    sizes = np.bincount(images).astype(np.float64)

    def error(weights: Floats) -> Floats:
        mean: Floats = np.abs(weights @ gaps).sum(axis=1) / (weights @ sizes)
        return mean

    high = float(np.percentile(resampled(error, count, seed=seed), 97.5))
    return max(0.0, binned.error - perfect.high_error), min(1.0, high)
