"""Which images are left out together in cross-validation: those that show the same, told apart where all of a class do.

A class that one group holds alone could never be left out, and no cross-validated number would speak of it. So the
images of such a class are told apart by their hashes only and, where that is not enough, as files.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from beholder.data import Sample, folds, groups_per_class
from beholder.data.listing import some
from beholder.errors import ImpossibleSplit

Rows = NDArray[np.intp]
"""Numbers: of images, `(m,)`, or of the group of each, `(n,)`."""


def groups_to_part(
    samples: Sequence[Sample], groups: Rows, fitted: NDArray[np.bool_], by_looks: Callable[[Rows], Rows]
) -> tuple[Rows, list[str]]:
    """Groups to deal out to folds: finer ones of a class that one group holds alone.

    Images of other classes keep their groups, but for equal files of those that move.

    Args:
        samples: with digests.
        groups: of each of them, equal for images that show the same.
        fitted: bool `(n,)`, those that are dealt out.
        by_looks: the groups of some images by their hashes alone.

    Returns:
        The number of each image's group, `(n,)`, and lines that say what was done to which classes.
    """
    parting, notes = _Parting.of(samples, fitted), []
    for by, kept in ((by_looks, "near copies"), (parting.by_file, "equal files")):
        groups, helped = parting.finer(groups, by)
        if helped:
            notes.append(_note(helped, kept))
    return groups, notes


@dataclass(frozen=True, slots=True)
class _Parting:
    """What images are told apart by.

    Attributes:
        labels: of each image.
        files: equal for equal files, `(n,)`.
        fitted: bool `(n,)`, the images that are dealt out.
    """

    labels: Sequence[tuple[str, ...]]
    files: Rows
    fitted: NDArray[np.bool_]

    @classmethod
    def of(cls, samples: Sequence[Sample], fitted: NDArray[np.bool_]) -> Self:
        files = _numbers([sample.digest or "" for sample in samples])
        return cls([sample.labels for sample in samples], files, fitted)

    def by_file(self, rows: Rows) -> Rows:
        return self.files[rows]

    def finer(self, groups: Rows, by: Callable[[Rows], Rows]) -> tuple[Rows, list[str]]:
        """The groups with finer ones of classes that one holds alone, and which of these classes have several then."""
        alone = self.alone(groups)
        if not alone:
            return groups, []
        moved = np.array([any(name in alone for name in names) for names in self.labels], bool)
        rows = np.flatnonzero(np.isin(self.files, self.files[moved]))
        # Within the groups there were: what is told apart by more is not joined again by less.
        keys = list(zip(groups[rows].tolist(), by(rows).tolist(), strict=True))
        parted = groups.copy()
        parted[rows] = groups.max() + 1 + _numbers(keys)
        left = self.alone(parted)
        return parted, [name for name in alone if name not in left]

    def alone(self, groups: Rows) -> list[str]:
        """Classes of which several different files are dealt out, all of them in one group."""
        rows = np.flatnonzero(self.fitted)
        if not len(rows):
            return []
        labels = [self.labels[int(row)] for row in rows]
        files = groups_per_class(labels, self.files[rows])
        found = groups_per_class(labels, groups[rows])
        return [name for name, count in found.items() if count == 1 and files[name] > 1]


def _numbers(keys: Sequence[Hashable]) -> Rows:
    """A number for each key, equal for equal ones."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.intp)


def _note(names: Sequence[str], kept: str) -> str:
    shown = some([repr(name) for name in names], 8)
    if len(names) == 1:
        return (
            f"class {shown}: all its images look alike, so that only {kept} are kept together; its numbers may flatter"
        )
    return (
        f"classes {shown}: all images of each look alike, so that only {kept} are kept together; "
        "their numbers may flatter"
    )


def folds_of(
    samples: Sequence[Sample], groups: NDArray[Any], tested: NDArray[np.bool_], parts: int, seed: int
) -> NDArray[np.int64]:
    """The fold of each image outside the test part, `(n,)`; -1 of a class that one group holds alone, and of the test.

    Args:
        samples: of all images.
        groups: of each, `(n,)`; a group is in one fold.
        tested: bool `(n,)`, the test part.
        parts: how many folds; fewer where there are not so many groups.
        seed: of the choice.
    """
    part_of = np.full(len(samples), -1, np.int64)
    rows = np.flatnonzero(~tested)
    labels = [samples[int(row)].labels for row in rows]
    while len(rows):
        counts = groups_per_class(labels, groups[rows])
        usable = [index for index, names in enumerate(labels) if all(counts[name] >= 2 for name in names)]
        if len(usable) == len(rows):
            break
        # An image that is put aside for one of its labels may leave another label in one group.
        rows, labels = rows[usable], [labels[index] for index in usable]
    for count in range(min(parts, len(np.unique(groups[rows]))), 1, -1):
        try:
            part_of[rows] = folds(labels, groups[rows], count, seed=seed)
        except ImpossibleSplit:
            continue
        break
    return part_of
