"""What a model said of images whose truth is known: the arrays that an evaluation is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from beholder.errors import UsageError
from beholder.evaluation.metrics import Probabilities, most_probable
from beholder.evaluation.parts import StrangerKind
from beholder.evaluation.resampling import Booleans, Integers

_ROUNDING: Final = 1e-5
"""So far a sum of float32 may exceed 1."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Strangers:
    """What a model said of images that belong to none of its classes.

    Args:
        kind: how strange they are.
        scores: float `(m,)`, the higher the more like the known images: familiarity for far strangers, for near ones
            what is made of the logits.
        known_scores: float `(n,)`, the same score of each known image.
        unanswered: bool `(m,)`, whether the model answered *unknown*; `None` where it has no such rule.
        sources: names of the m images, where known.
        probabilities: float `(m, K)`, where known: what they were taken for.

    Raises:
        UsageError: the arrays do not fit each other.
    """

    kind: StrangerKind
    scores: NDArray[np.floating[Any]]
    known_scores: NDArray[np.floating[Any]]
    unanswered: Booleans | None = None
    sources: Sequence[str] | None = None
    probabilities: Probabilities | None = None

    def __post_init__(self) -> None:
        count = len(self.scores)
        _must_be_numbers(self.scores, "scores of strangers", (count,))
        _must_be_numbers(self.known_scores, "known_scores", (len(self.known_scores),))
        _must_be_flags(self.unanswered, "unanswered of strangers", (count,))
        if self.sources is not None and len(self.sources) != count:
            raise UsageError(f"sources of strangers must be {count}, found {len(self.sources)}")
        if self.probabilities is not None:
            _must_be_numbers(self.probabilities, "probabilities of strangers", (count, None))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictions:
    """What a model said of images whose truth is known.

    Args:
        classes: names of the K classes, in the order of the columns.
        sources: names of the n images.
        probabilities: float `(n, K)`, each from 0 to 1.
        truth: int `(n,)`, the class of each image; or bool `(n, K)` where an image may have several labels.
        accepted: bool `(n, K)`, the labels above their thresholds; needed where an image may have several.
        unanswered: bool `(n,)`, whether the model answered *unknown*; `None` where it has no such rule.
        sets: for each promised coverage, in percent, the prediction sets, bool `(n, K)`.
        class_sets: the same of the sets that promise it for each class by itself; none where there are too few images.
        columns: further facts of each image by name of the column, n each; `None` where one is not known.
        strangers: images of no class.

    Raises:
        UsageError: the arrays do not fit each other.
    """

    classes: tuple[str, ...]
    sources: tuple[str, ...]
    probabilities: Probabilities
    truth: NDArray[Any]
    accepted: Booleans | None = None
    unanswered: Booleans | None = None
    sets: Mapping[Literal[90, 95], Booleans] = field(default_factory=dict)
    class_sets: Mapping[Literal[90, 95], Booleans] = field(default_factory=dict)
    columns: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    strangers: tuple[Strangers, ...] = ()

    def __post_init__(self) -> None:
        shape = (len(self.sources), len(self.classes))
        if not self.classes or len(set(self.classes)) != len(self.classes):
            raise UsageError("classes must be at least one, with names that differ")
        _must_be_numbers(self.probabilities, "probabilities", shape)
        least, most = self.probabilities.min(initial=0), self.probabilities.max(initial=0)
        if least < -_ROUNDING or most > 1 + _ROUNDING:
            raise UsageError(f"probabilities must lie between 0 and 1, found {least:g} to {most:g}")
        if least < 0 or most > 1:
            object.__setattr__(self, "probabilities", np.clip(self.probabilities, 0, 1))
        self._check_truth(shape)
        _must_be_flags(self.unanswered, "unanswered", shape[:1])
        for coverage, sets in (*self.sets.items(), *self.class_sets.items()):
            if coverage not in (90, 95) or self.multi_label:
                raise UsageError(f"sets: must be of 90 or 95 percent, for images of one label; found {coverage!r}")
            _must_be_flags(sets, f"the prediction sets of {coverage}%", shape)
        for name, values in self.columns.items():
            if len(values) != shape[0]:
                raise UsageError(f"the column {name!r} must have {shape[0]} values, found {len(values)}")
        for strangers in self.strangers:
            if len(strangers.known_scores) != shape[0]:
                raise UsageError(f"known_scores must be of all {shape[0]} images, found {len(strangers.known_scores)}")
            if strangers.probabilities is not None and strangers.probabilities.shape[1] != shape[1]:
                raise UsageError(f"probabilities of strangers must be of all {shape[1]} classes")

    def _check_truth(self, shape: tuple[int, int]) -> None:
        if self.truth.ndim == 2:
            _must_be_flags(self.truth, "truth", shape)
            if self.accepted is None:
                raise UsageError("accepted must be given where an image may have several labels")
            _must_be_flags(self.accepted, "accepted", shape)
            return
        if self.accepted is not None:
            raise UsageError("accepted must not be given where an image has one label")
        if self.truth.shape != shape[:1] or self.truth.dtype.kind not in "iu":
            raise UsageError(f"truth must be whole numbers ({shape[0]},), found {self.truth.dtype} {self.truth.shape}")
        if self.truth.size and not (self.truth.min() >= 0 and self.truth.max() < shape[1]):
            raise UsageError(f"truth must be from 0 below {shape[1]}, found others")

    @property
    def multi_label(self) -> bool:
        """Whether an image may have several labels."""
        return self.truth.ndim == 2

    @property
    def count(self) -> int:
        """How many images, n."""
        return len(self.sources)

    @property
    def class_truth(self) -> Integers:
        """The class of each image, int64 `(n,)`, where it has one."""
        return self.truth.astype(np.int64)

    @property
    def label_truth(self) -> Booleans:
        """The labels of each image, bool `(n, K)`, where it may have several."""
        return self.truth.astype(np.bool_)

    @property
    def label_accepted(self) -> Booleans:
        """The labels that were accepted, bool `(n, K)`, where an image may have several."""
        if self.accepted is None:
            raise UsageError("accepted labels are asked for where an image has one label")
        return self.accepted

    @property
    def predicted(self) -> Integers:
        """The most probable class of each image, int64 `(n,)`."""
        return most_probable(self.probabilities)

    @property
    def right(self) -> Booleans:
        """Whether the most probable class is the true one, bool `(n,)`, where an image has one label."""
        return np.equal(self.predicted, self.class_truth)

    @property
    def confidence(self) -> NDArray[np.float64]:
        """The probability of the most probable class, float64 `(n,)`."""
        best: NDArray[np.float64] = self.probabilities.max(axis=1).astype(np.float64)
        return best

    @property
    def truth_names(self) -> list[str]:
        """The name of each image's class, where it has one."""
        return [self.classes[index] for index in self.class_truth]


def _must_be_numbers(values: NDArray[Any], what: str, shape: tuple[int | None, ...]) -> None:
    if values.dtype.kind != "f" or not _fits(values, shape):
        raise UsageError(f"{what} must be floating point {_shape(shape)}, found {values.dtype} {values.shape}")
    if not np.isfinite(values).all():
        raise UsageError(f"{what} must be finite, found values that are not")


def _must_be_flags(values: NDArray[Any] | None, what: str, shape: tuple[int | None, ...]) -> None:
    if values is not None and (values.dtype.kind != "b" or not _fits(values, shape)):
        raise UsageError(f"{what} must be true or false {_shape(shape)}, found {values.dtype} {values.shape}")


def _fits(values: NDArray[Any], shape: tuple[int | None, ...]) -> bool:
    pairs = zip(shape, values.shape, strict=False)
    return values.ndim == len(shape) and all(wanted in (None, found) for wanted, found in pairs)


def _shape(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('any' if length is None else str(length) for length in shape)})"
