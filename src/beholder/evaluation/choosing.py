"""Which images of a dataset a model can be measured on, and why the others are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from beholder.data import SPLITS, Dataset, Sample, Split
from beholder.data.listing import counted, some
from beholder.errors import DataError, InvalidClasses, UsageError, WrongTask
from beholder.evaluation.matching import match_classes
from beholder.evaluation.parts import LeftOut
from beholder.model import ModelCard
from beholder.model.card import fitting_mark

UNREADABLE: Final = "could not be read"
FITTED: Final = "the model was fitted on them"
_UNLABELLED: Final = "they have no label"
_SEVERAL: Final = "they have several labels, where the model gives one"
_NEGATIVE: Final = "they show none of the classes, where the model always gives one"


@dataclass(frozen=True, slots=True)
class Known:
    """What a model knows, as far as it decides which images can be measured.

    Attributes:
        name: of the model.
        labels: names of its classes.
        multi_label: whether it may give several labels.
        fitted_on: marks of the images it was fitted on; see `beholder.model.card.fitting_mark`.
        unmarked: names of models whose cards do not say what they were fitted on.
    """

    name: str
    labels: tuple[str, ...]
    multi_label: bool
    fitted_on: frozenset[str]
    unmarked: tuple[str, ...]

    @classmethod
    def of(cls, card: ModelCard) -> Self:
        """What one model knows.

        Raises:
            WrongTask: it does not classify.
        """
        if card.task != "classify":
            raise WrongTask(f"{card.name}: must classify to be evaluated, and it can {card.task}")
        marks = card.provenance.fitted_on
        return cls(
            card.name, card.labels, card.multi_label, frozenset(marks or ()), (card.name,) if marks is None else ()
        )

    def shared(self, other: Known) -> Known:
        """What two models both know, in the first one's spelling; fitted on is what either was fitted on.

        Raises:
            UsageError: one gives several labels per image, and the other one.
            InvalidClasses: they know no class in common.
        """
        if self.multi_label != other.multi_label:
            raise UsageError(
                f"{self.name} and {other.name}: both must give one label per image, or both several, to be compared"
            )
        columns = match_classes(other.labels, self.labels).columns.values()
        labels = tuple(self.labels[index] for index in sorted(columns))
        if not labels:
            raise InvalidClasses(
                f"{self.name} and {other.name}: must know some classes in common to be compared; they know "
                f"{some(self.labels)}, and {some(other.labels)}"
            )
        marks = self.fitted_on | other.fitted_on
        unmarked = tuple(dict.fromkeys((*self.unmarked, *other.unmarked)))
        return Known(f"{self.name} and {other.name}", labels, self.multi_label, marks, unmarked)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The images of a dataset that a model is measured on.

    Attributes:
        samples: of classes that the model knows.
        columns: the index of the model's label for each class of the dataset that it knows.
        near: samples of classes that the model does not know.
        strange: names of classes that the model does not know, of which there are images.
        given: images of nothing known, as their owner says.
        left_out: how many were left out, and why.
        notes: what a reader should know of the choice.
    """

    samples: tuple[Sample, ...]
    columns: Mapping[str, int]
    near: tuple[Sample, ...]
    strange: tuple[str, ...]
    given: tuple[Sample, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]

    def truth(self, label_count: int) -> NDArray[np.bool_]:
        """Which of the model's labels apply to which sample, bool `(n, label_count)`."""
        truth = np.zeros((len(self.samples), label_count), np.bool_)
        for row, sample in enumerate(self.samples):
            truth[row, [self.columns[label] for label in sample.labels if label in self.columns]] = True
        return truth


def choose(dataset: Dataset, known: Known, split: Split | None = None) -> Chosen:
    """Choose the images that a model can be measured on.

    Args:
        dataset: its samples have digests.
        known: what the model knows.
        split: only images of this part; all that the model was not fitted on when left out.

    Raises:
        UsageError: the dataset has no such split.
        InvalidClasses: the dataset has no labels, or none that the model knows.
        DataError: no image is left.
    """
    part = _part(dataset, split)
    matched = match_classes(dataset.classes, known.labels)
    if not matched.columns:
        raise _no_class(dataset, known)
    reasons = Counter[str]()
    samples: list[Sample] = []
    near: list[Sample] = []
    for sample in part.samples:
        reason = _reason(sample, known)
        if reason is not None:
            reasons[reason] += 1
        elif sample.negative or not matched.columns.keys().isdisjoint(sample.labels):
            samples.append(sample)
        else:
            near.append(sample)
    given = [stranger for stranger in part.strangers if not _is_fitted(stranger, known)]
    reasons[FITTED] += len(part.strangers) - len(given)
    left_out = tuple(LeftOut(reason, count) for reason, count in reasons.items() if count)
    if not samples:
        raise _nothing_left(part, left_out, len(near))
    notes = [f"The class {name!r} of the data is taken for {label!r} of the model." for name, label in matched.loosely]
    notes += [] if split is not None else _split_notes(part, samples)
    notes += [
        f"The card of {name} does not say which images it was fitted on, so none of them could be left out."
        for name in known.unmarked
    ]
    seen = {label for sample in (*samples, *near) for label in sample.labels}
    strange = tuple(name for name in matched.unmatched if name in seen)
    return Chosen(tuple(samples), matched.columns, tuple(near), strange, tuple(given), left_out, tuple(notes))


def _part(dataset: Dataset, split: Split | None) -> Dataset:
    """The samples of a split, with the strangers of that split or of none."""
    if split is None:
        return dataset
    if split not in dataset.splits:
        found = ", ".join(dataset.splits) or "none"
        raise UsageError(f"{dataset.source}: must have the split {split} to be measured on it, found {found}")
    strangers = tuple(stranger for stranger in dataset.strangers if stranger.split in (split, None))
    return replace(dataset.in_split(split), strangers=strangers)


def _reason(sample: Sample, known: Known) -> str | None:
    """Why a sample is left out; None where it is not."""
    if _is_fitted(sample, known):
        return FITTED
    if not sample.labelled:
        return _UNLABELLED
    if known.multi_label:
        return None
    return _NEGATIVE if sample.negative else _SEVERAL if len(sample.labels) > 1 else None


def _is_fitted(sample: Sample, known: Known) -> bool:
    return sample.digest is not None and fitting_mark(sample.digest) in known.fitted_on


def _no_class(dataset: Dataset, known: Known) -> InvalidClasses:
    if not dataset.classes:
        return InvalidClasses(
            f"{dataset.source}: images must have labels to be measured, found none; put them into a folder for each "
            "class"
        )
    return InvalidClasses(
        f"{dataset.source}: must have classes that {known.name} knows; it has {some(dataset.classes)}, and the model "
        f"knows {some(known.labels)}"
    )


def _nothing_left(part: Dataset, left_out: Sequence[LeftOut], near: int) -> DataError:
    if not near and [one.reason for one in left_out] == [FITTED]:
        return DataError(f"{part.source}: every image was used to fit the model; give images that it has not seen")
    found = [f"{counted(one.count, 'image')} left out: {one.reason}" for one in left_out]
    found += [f"{counted(near, 'image')} of classes that the model does not know"] if near else []
    return DataError(f"{part.source}: no image can be measured; {'; '.join(found) or 'there are none'}")


def _split_notes(part: Dataset, samples: Sequence[Sample]) -> list[str]:
    """Of which splits the measured images are, where there are any."""
    if not part.splits:
        return []
    counts = Counter(sample.split for sample in samples)
    found = [f"{split or 'no split'} {counts[split]:,}" for split in (*SPLITS, None) if counts[split]]
    return [f"Measured on: {', '.join(found)}."]
