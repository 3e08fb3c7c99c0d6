"""Test splits and folds that keep the share of every class, and never part images that show the same.

Iterative stratification (Sechidis, Tsoumakas, Vlahavas, "On the Stratification of Multi-Label Data", ECML PKDD 2011,
algorithm 1), with whole groups in the place of examples: the class with the fewest images left is dealt out first, each
of its groups, largest first, to the part that still wants most of that class. With one label per image this is ordinary
stratification.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from beholder.data.listing import counted, natural, some
from beholder.errors import ImpossibleSplit, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Labels = Sequence[Sequence[str]]
"""The labels of each image; empty for one that is unlabelled or shows none of the classes."""

_ATTEMPTS: Final = 8
"""How often to deal again, with other luck, when a class has ended up in one part only."""


def take_test(
    labels: Labels, groups: NDArray[np.intp], *, share: float = 0.2, seed: int = 0, minimum_per_class: int = 20
) -> NDArray[np.intp] | None:
    """Choose images to test on.

    Args:
        labels: of each image.
        groups: the number of each image's group, `(n,)`; no group is parted.
        share: of the images to choose, 0 to 1.
        seed: of the luck.
        minimum_per_class: groups that each class must have on either side of the split: many images of one thing
            measure a class no better than one of them.

    Returns:
        The numbers of the chosen images in order, or None where a class would keep too few: then estimate by folds.

    Raises:
        UsageError: the arguments do not belong together.
    """
    import numpy as np

    if not 0 < share < 1:
        raise UsageError(f"share: must be between 0 and 1, found {share}")
    _check(labels, groups)
    counts = _counts(labels, groups)
    shown = counts.by_class > 0
    for attempt in range(_ATTEMPTS):
        part_of = _deal(counts, np.array([share, 1 - share]), np.random.default_rng([seed, attempt]))
        chosen = shown[part_of == 0].sum(axis=0)
        kept = shown.sum(axis=0) - chosen
        if chosen.size and min(chosen.min(), kept.min()) >= minimum_per_class:
            return np.flatnonzero(part_of[counts.places] == 0)
    return None


def folds(labels: Labels, groups: NDArray[np.intp], k: int, *, seed: int = 0) -> NDArray[np.intp]:
    """Deal images out to folds, each to be predicted by what was learned from the others.

    Args:
        labels: of each image.
        groups: the number of each image's group, `(n,)`; no group is parted.
        k: how many folds, 2 or more.
        seed: of the luck.

    Returns:
        The number of each image's fold, `(n,)`, 0 to k - 1.

    Raises:
        ImpossibleSplit: all images of a class would be in one fold, so that it could not be learned from the others.
        UsageError: the arguments do not belong together.
    """
    import numpy as np

    _check(labels, groups)
    if not 2 <= k <= max(len(labels), 2):
        raise UsageError(f"k: must be between 2 and the {counted(len(labels), 'image')}, found {k}")
    counts = _counts(labels, groups)
    _check_groups(counts)
    for attempt in range(_ATTEMPTS):
        part_of = _deal(counts, np.full(k, 1 / k), np.random.default_rng([seed, attempt]))
        lost = [
            name for number, name in enumerate(counts.names) if len(set(part_of[counts.by_class[:, number] > 0])) < 2
        ]
        if not lost:
            return part_of[counts.places]
    raise ImpossibleSplit(
        f"{k} folds: each class must be in two of them, found all of {some(map(repr, lost))} in one: images that "
        "show the same stay together; add images of other things, or use fewer folds"
    )


def groups_per_class(labels: Labels, groups: NDArray[np.intp]) -> dict[str, int]:
    """In how many groups each class is, by name; the least of them is the most folds that can all hold every class."""
    _check(labels, groups)
    counts = _counts(labels, groups)
    return {name: int((counts.by_class[:, number] > 0).sum()) for number, name in enumerate(counts.names)}


class _Counts:
    """How many images of each class are in each group.

    Attributes:
        names: of the classes.
        places: the row of each image's group.
        by_class: `(groups, classes)`.
        sizes: images in each group, `(groups,)`.
    """

    def __init__(
        self, names: list[str], places: NDArray[np.intp], by_class: NDArray[np.intp], sizes: NDArray[np.intp]
    ) -> None:
        self.names = names
        self.places = places
        self.by_class = by_class
        self.sizes = sizes


def _counts(labels: Labels, groups: NDArray[np.intp]) -> _Counts:
    import numpy as np

    names = sorted({label for some in labels for label in some}, key=natural)
    number_of = {name: number for number, name in enumerate(names)}
    distinct, places = np.unique(groups, return_inverse=True)
    by_class = np.zeros((len(distinct), len(names)), np.intp)
    for place, some_labels in zip(places.tolist(), labels, strict=True):
        for label in some_labels:
            by_class[place, number_of[label]] += 1
    return _Counts(names, places, by_class, np.bincount(places, minlength=len(distinct)))


def _deal(counts: _Counts, shares: NDArray[np.float64], luck: np.random.Generator) -> NDArray[np.intp]:
    """Deal groups out to parts; returns the part of each group."""
    import numpy as np

    order = luck.permutation(len(counts.sizes))
    order = order[np.argsort(-counts.sizes[order], kind="stable")]  # largest first, equal ones by luck
    part_of = np.full(len(order), -1, np.intp)
    wanted = np.outer(shares, counts.by_class.sum(axis=0)).astype(np.float64)
    wanted_images = shares * counts.sizes.sum()
    remaining = counts.by_class.sum(axis=0)
    while remaining.size and (remaining > 0).any():
        rarest = int(np.argmin(np.where(remaining > 0, remaining, remaining.max() + 1)))
        for number in order[(part_of[order] < 0) & (counts.by_class[order, rarest] > 0)]:
            part = _neediest(wanted[:, rarest], wanted_images, luck)
            part_of[number] = part
            wanted[part] -= counts.by_class[number]
            wanted_images[part] -= counts.sizes[number]
            remaining = remaining - counts.by_class[number]
    for number in order[part_of[order] < 0]:  # without labels
        part = _neediest(wanted_images, wanted_images, luck)
        part_of[number] = part
        wanted_images[part] -= counts.sizes[number]
    return part_of


def _neediest(wanted: NDArray[np.float64], wanted_images: NDArray[np.float64], luck: np.random.Generator) -> int:
    """The part that wants most of a class; of several, the one that wants most images; then by luck."""
    import numpy as np

    best = np.flatnonzero(wanted >= wanted.max() - 1e-9)
    if len(best) > 1:
        best = best[wanted_images[best] >= wanted_images[best].max() - 1e-9]
    return int(best[0] if len(best) == 1 else luck.choice(best))


def _check(labels: Labels, groups: NDArray[np.intp]) -> None:
    if len(labels) != len(groups) or not len(labels):
        raise UsageError(f"labels and groups: must be one for each image, found {len(labels)} and {len(groups)}")


def _check_groups(counts: _Counts) -> None:
    """Refuse a class all of which shows the same, which no dealing can part."""
    in_groups = (counts.by_class > 0).sum(axis=0)
    for number, name in enumerate(counts.names):
        if in_groups[number] == 1:
            count = int(counts.by_class[:, number].sum())
            what = "has one image" if count == 1 else f"has {count:,} images that all show the same"
            raise ImpossibleSplit(
                f"class {name!r}: must have images in two folds at least, but {what}; add others, or "
                "leave the class out"
            )
