"""The parts that an evaluation consists of: frozen records, each a JSON object of the same keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from beholder.evaluation.intervals import Estimate

StrangerKind = Literal["far", "near", "given"]
"""Another kind of image altogether; an unseen class of the same kind; whatever a person gave as unknown."""


@dataclass(frozen=True, slots=True)
class ClassResult:
    """How well one class is recognized.

    Attributes:
        name: of the class.
        count: how many images are of it.
        said: how many images were said to be of it.
        right: how many were both.
        precision: of those said to be of it, the share that is.
        recall: of those that are of it, the share that was said to be.
        f1: the harmonic mean of both.
        average_precision: only where an image may have several labels.
        more_images: about how many images of it more would bring the interval of its recall down to ±10 points.
    """

    name: str
    count: int
    said: int
    right: int
    precision: Estimate
    recall: Estimate
    f1: Estimate
    average_precision: Estimate | None
    more_images: int | None


@dataclass(frozen=True, slots=True)
class Confused:
    """How many images of one class were said to be of another, or of the same; pairs that do not occur are left out."""

    truth: str
    predicted: str
    count: int


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Answers of about the same confidence.

    Attributes:
        confidence: their mean confidence.
        right: the share of them that was right.
        calibrated_low: from this to `calibrated_high` that share would lie 95 times of 100, were the model perfectly
            calibrated.
        calibrated_high: see there.
    """

    confidence: float
    right: Estimate
    calibrated_low: float
    calibrated_high: float


@dataclass(frozen=True, slots=True)
class CalibratedError:
    """The expected calibration error of a perfectly calibrated model on as many images: mean and 95th percentile."""

    mean: float
    high: float


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """What answering only from a confidence up would give.

    Attributes:
        confidence: where the answers begin.
        coverage: the share of images that would be answered.
        risk: the share of these that would be wrong; its count is that of the answered.
    """

    confidence: float
    coverage: float
    risk: Estimate


@dataclass(frozen=True, slots=True)
class SetSize:
    """How many images have a prediction set of some size."""

    size: int
    count: int


@dataclass(frozen=True, slots=True)
class SetSizes:
    """The sizes of the prediction sets that promise some coverage, in percent."""

    promised: int
    sizes: tuple[SetSize, ...]


@dataclass(frozen=True, slots=True)
class StrangerResult:
    """How well images that belong to no class are told from those that do.

    Attributes:
        kind: `far` is another kind of image altogether, `near` an unseen class of the same kind, `given` what a
            person gave as unknown.
        auroc: how often a known image looks more familiar than a stranger.
        share: the share of strangers answered *unknown*.
    """

    kind: StrangerKind
    auroc: Estimate
    share: Estimate


@dataclass(frozen=True, slots=True)
class Mistake:
    """A wrong answer.

    Attributes:
        source: name of the image.
        truth: its label; `None` where a label was accepted that the image does not have.
        predicted: what was said; `None` where a label that the image has was not accepted.
        confidence: in the wrong answer; for a label that was not accepted, in its absence.
    """

    source: str
    truth: str | None
    predicted: str | None
    confidence: float


@dataclass(frozen=True, slots=True)
class Unanswered:
    """An image of a known class that was answered *unknown*, and the class it came nearest to."""

    source: str
    truth: str
    nearest: str
    confidence: float


@dataclass(frozen=True, slots=True)
class AnsweredStranger:
    """An image of no class that was taken for one."""

    source: str
    kind: StrangerKind
    predicted: str
    confidence: float


@dataclass(frozen=True, slots=True)
class CollectNext:
    """A class of which more images would help most.

    Attributes:
        name: of the class.
        count: how many images of it were measured.
        recall: as in its `ClassResult`.
        more_images: as in its `ClassResult`.
        confused_with: the class that its images are most often taken for, when that is no single slip.
        confused_count: how many of them.
    """

    name: str
    count: int
    recall: Estimate
    more_images: int | None
    confused_with: str | None
    confused_count: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Images that were not measured, and why."""

    reason: str
    count: int
