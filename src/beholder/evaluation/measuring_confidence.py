"""Estimates of how far confidences can be trusted, and of answers withheld, hedged or wrongly given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from beholder.evaluation import answering, calibration
from beholder.evaluation.intervals import (
    NOT_MEASURED,
    Estimate,
    auroc_interval,
    estimate,
    mean_interval,
    proportion,
    rounded,
    wilson,
)
from beholder.evaluation.parts import (
    CalibratedError,
    ReliabilityBin,
    RiskPoint,
    SetSize,
    SetSizes,
    StrangerResult,
)
from beholder.evaluation.predictions import Predictions, Strangers
from beholder.evaluation.resampling import Booleans, Integers

RISK_POINTS: Final = 100
"""At most as many points of the curve of risk against coverage are kept."""

_SHOWN_BIN_SIZE: Final = 8
"""The reliability diagram has fewer bins where these would hold fewer confidences: a dot made of two says nothing."""

_COVERAGES: Final = (90, 95)


@dataclass(frozen=True, slots=True)
class Calibrated:
    """How far confidences can be trusted."""

    error: Estimate
    if_perfect: CalibratedError | None
    bins: tuple[ReliabilityBin, ...]


def measure_calibration(said: Predictions, *, seed: int) -> Calibrated:
    """The expected calibration error, beside that of a perfectly calibrated model, and its bins.

    Where an image has one label it is about the confidence in the most probable class; where it may have several, about
    the confidence in each label of each image.
    """
    if said.count == 0:
        return Calibrated(NOT_MEASURED, None, ())
    confidences, right, images = _statements(said)
    binned = calibration.equal_mass_bins(confidences, right)
    perfect = calibration.perfect_calibration(confidences, binned, seed=seed)
    interval = calibration.calibration_error_interval(confidences, right, binned, images, perfect, seed=seed)
    fewer = min(calibration.BINS, max(1, len(right) // _SHOWN_BIN_SIZE))
    shown = binned if fewer == calibration.BINS else calibration.equal_mass_bins(confidences, right, fewer)
    band = perfect if shown is binned else calibration.perfect_calibration(confidences, shown, seed=seed)
    bins = tuple(_bin(shown, band, index) for index in range(len(shown.sizes)))
    if_perfect = CalibratedError(rounded(perfect.mean_error), rounded(perfect.high_error))
    return Calibrated(estimate(binned.error, interval, said.count), if_perfect, bins)


def measure_risk(said: Predictions, *, seed: int) -> tuple[Estimate, tuple[RiskPoint, ...]]:
    """AURC, and points of the curve of risk against coverage."""
    if said.count == 0 or said.multi_label:
        return NOT_MEASURED, ()
    confidences, right = said.confidence, said.right
    value = float(answering.area_under_risk(confidences, right)(np.ones((1, said.count)))[0])
    area = estimate(value, answering.area_under_risk_interval(confidences, right, seed=seed), said.count)
    curve = answering.risk_coverage(confidences, right)
    wanted = np.linspace(1, said.count, min(RISK_POINTS, said.count))
    points = []
    for index in np.unique(np.searchsorted(curve.answered, wanted)):
        answered, confidence = int(curve.answered[index]), rounded(curve.confidence[index])
        risk = proportion(int(curve.wrong[index]), answered)
        points.append(RiskPoint(confidence, rounded(answered / said.count), risk))
    return area, tuple(points)


def measure_answers(said: Predictions) -> dict[str, Estimate]:
    """How many known images go unanswered, how right the answers to the others are, and how many both leaves."""
    flags = said.unanswered
    share = NOT_MEASURED if flags is None else proportion(int(flags.sum()), said.count)
    if said.multi_label:
        return {"unanswered_share": share}
    if flags is None:
        return {"unanswered_share": share, "answered_top1": NOT_MEASURED, "right_share": NOT_MEASURED}
    right, answered = int((said.right & ~flags).sum()), int((~flags).sum())
    return {
        "unanswered_share": share,
        "answered_top1": proportion(right, answered),
        "right_share": proportion(right, said.count),
    }


def measure_sets(said: Predictions, *, seed: int) -> tuple[dict[str, Estimate], tuple[SetSizes, ...]]:
    """Coverage and mean size of the prediction sets, and how many there are of each size."""
    if said.multi_label:
        return {}, ()
    measured: dict[str, Estimate] = {}
    all_sizes = []
    for promised in _COVERAGES:
        sets = said.sets.get(promised)
        if sets is None or said.count == 0:
            measured |= {f"coverage_{promised}": NOT_MEASURED, f"set_size_{promised}": NOT_MEASURED}
            continue
        sizes = answering.set_sizes(sets)
        interval = answering.set_size_interval(sizes, len(said.classes), seed=seed)
        measured[f"coverage_{promised}"] = proportion(int(answering.covered(sets, said.class_truth).sum()), said.count)
        measured[f"set_size_{promised}"] = estimate(float(sizes.mean()), interval, said.count)
        found, counts = np.unique(sizes, return_counts=True)
        pairs = zip(found.tolist(), counts.tolist(), strict=True)
        all_sizes.append(SetSizes(promised, tuple(SetSize(size, count) for size, count in pairs)))
    return measured, tuple(all_sizes)


def measure_class_sets(said: Predictions, *, seed: int) -> dict[str, Estimate]:
    """Coverage and size of the prediction sets that promise it for each class by itself; nothing without such sets.

    The coverage is the mean over the classes that have images.
    """
    measured: dict[str, Estimate] = {}
    for promised in _COVERAGES:
        sets = said.class_sets.get(promised)
        if sets is None or said.count == 0:
            continue
        hits = np.bincount(said.class_truth, answering.covered(sets, said.class_truth), len(said.classes))
        counts = np.bincount(said.class_truth, minlength=len(said.classes))
        pairs = [(float(hit), int(count)) for hit, count in zip(hits, counts, strict=True) if count]
        shares = [hit / count for hit, count in pairs]
        interval = mean_interval(shares, [wilson(hit, count) for hit, count in pairs])
        measured[f"class_coverage_{promised}"] = estimate(sum(shares) / len(shares), interval, said.count)
        sizes = answering.set_sizes(sets)
        interval = answering.set_size_interval(sizes, len(said.classes), seed=seed)
        measured[f"class_set_size_{promised}"] = estimate(float(sizes.mean()), interval, said.count)
    return measured


def measure_strangers(said: Predictions) -> tuple[dict[str, Estimate], tuple[StrangerResult, ...]]:
    """How well strangers are told from known images: over all, a stranger of each kind counting alike, and by kind."""
    results = tuple(_stranger_result(strangers) for strangers in said.strangers)
    sizes = [len(strangers.scores) for strangers in said.strangers]
    total = sum(sizes)
    measured = {"unknown_auroc": NOT_MEASURED, "unknown_share": NOT_MEASURED}
    if total and said.count:
        areas = [_auroc(strangers) * size for strangers, size in zip(said.strangers, sizes, strict=True) if size]
        area = min(1.0, sum(areas) / total)
        measured["unknown_auroc"] = estimate(area, auroc_interval(area, said.count, total), total)
    flags = [strangers.unanswered for strangers in said.strangers if strangers.unanswered is not None]
    if total and len(flags) == len(sizes):
        measured["unknown_share"] = proportion(int(sum(own.sum() for own in flags)), total)
    return measured, results


def _statements(said: Predictions) -> tuple[NDArray[Any], Booleans, Integers]:
    """Confidences, whether what was said with them was right, and the image of each."""
    if not said.multi_label:
        return said.confidence, said.right, np.arange(said.count)
    images = np.repeat(np.arange(said.count), len(said.classes))
    return said.probabilities.ravel(), said.label_truth.ravel(), images


def _bin(binned: calibration.Binned, perfect: calibration.PerfectCalibration, index: int) -> ReliabilityBin:
    size = int(binned.sizes[index])
    return ReliabilityBin(
        confidence=rounded(binned.confidence[index]),
        right=proportion(round(float(binned.right[index]) * size), size),
        calibrated_low=rounded(perfect.low_right[index]),
        calibrated_high=rounded(perfect.high_right[index]),
    )


def _stranger_result(strangers: Strangers) -> StrangerResult:
    count, known = len(strangers.scores), len(strangers.known_scores)
    area = NOT_MEASURED
    if count and known:
        value = _auroc(strangers)
        area = estimate(value, auroc_interval(value, known, count), count)
    share = NOT_MEASURED
    if strangers.unanswered is not None:
        share = proportion(int(strangers.unanswered.sum()), count)
    return StrangerResult(strangers.kind, area, share)


def _auroc(strangers: Strangers) -> float:
    return answering.auroc(strangers.known_scores, strangers.scores)
