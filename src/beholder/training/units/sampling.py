"""Which images of a dataset are looked at: some of every class, better such that the model was not fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from beholder.data import ContentCache, Dataset, Sample, with_digests
from beholder.data.listing import counted
from beholder.errors import DataError
from beholder.model import ModelCard
from beholder.model.card import fitting_mark
from beholder.model.file import embedding_space

MOST_IMAGES: Final = 500
MOST_CLASSES: Final = 50
LEAST_OF_CLASS: Final = 4
"""A class with fewer images is left out."""

LEAST_UNSEEN: Final = 10
"""Images of each class that the model was not fitted on, for the others to be left out."""

_CANDIDATES: Final = 4
"""So many times the images needed are drawn, to choose those from that the model was not fitted on."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """The images to look at.

    Attributes:
        samples: in an order by luck, with their digests.
        classes: those that they are of; none where too few images have one label.
        notes: what a reader should know, for the page and the terminal.
    """

    samples: tuple[Sample, ...]
    classes: tuple[str, ...]
    notes: tuple[str, ...]


def draw(dataset: Dataset, card: ModelCard, contents: ContentCache, seed: int) -> Drawn:
    """Draw the images to look at.

    Args:
        dataset: labelled or not.
        card: of the model, which may say what it was fitted on.
        contents: knows the digests of files.
        seed: of the luck.

    Raises:
        DataError: there is no image.
    """
    if not dataset.samples:
        raise DataError(f"{dataset.source}: must hold images to look at the network with, found none")
    luck = np.random.default_rng(seed)
    notes: list[str] = []
    classes = _classes(dataset, luck, notes)
    each = max(LEAST_OF_CLASS, MOST_IMAGES // max(1, len(classes)))
    pools: list[list[Sample]] = [[] for _ in classes] or [[]]
    for place in luck.permutation(len(dataset.samples)):
        sample = dataset.samples[place]
        number = _number(sample, classes)
        if number is not None and len(pools[number]) < _CANDIDATES * each:
            pools[number].append(sample)
    known = with_digests(dataset.with_samples(sample for pool in pools for sample in pool), contents)
    notes += known.notes[len(dataset.notes) :]
    digests = {sample.name: sample.digest for sample in known.samples}
    pools = [[replace(s, digest=digests[s.name]) for s in pool if s.name in digests] for pool in pools]
    pools = _unseen(pools, card, each, notes)
    drawn = [sample for pool in pools for sample in pool[:each]]
    return Drawn(tuple(drawn[place] for place in luck.permutation(len(drawn))), classes, tuple(notes))


def _number(sample: Sample, classes: Sequence[str]) -> int | None:
    """The class of an image; 0 for every one where there are no classes, None for one that is left out."""
    if not classes:
        return 0
    return classes.index(sample.labels[0]) if len(sample.labels) == 1 and sample.labels[0] in classes else None


def _classes(dataset: Dataset, luck: np.random.Generator, notes: list[str]) -> tuple[str, ...]:
    """Those with images enough, of one label each."""
    sizes = dict.fromkeys(dataset.classes, 0)
    for sample in dataset.samples:
        if len(sample.labels) == 1:
            sizes[sample.labels[0]] += 1
    kept = [name for name, size in sizes.items() if size >= LEAST_OF_CLASS]
    several = sum(len(sample.labels) > 1 for sample in dataset.samples)
    if several and len(kept) >= 2:
        notes.append(f"{counted(several, 'image')} with several labels left out.")
    if len(kept) < 2:
        notes.append(
            f"Which class a unit answers to is left out: that takes two classes of {LEAST_OF_CLASS} images with one "
            f"label each, found {counted(len(kept), 'such class', 'such classes')}."
        )
        return ()
    if len(kept) < len(sizes):
        few = len(sizes) - len(kept)
        notes.append(f"{counted(few, 'class', 'classes')} of fewer than {LEAST_OF_CLASS} images left out.")
    if len(kept) > MOST_CLASSES:
        notes.append(f"{MOST_CLASSES} of the {len(kept):,} classes are looked at, drawn by luck.")
        kept = [kept[place] for place in sorted(luck.permutation(len(kept))[:MOST_CLASSES])]
    return tuple(kept)


def _unseen(pools: list[list[Sample]], card: ModelCard, each: int, notes: list[str]) -> list[list[Sample]]:
    """Of every class the images that the model was not fitted on, where there are enough."""
    marks = frozenset(() if _is_head(card) else card.provenance.fitted_on or ())
    unseen = [[sample for sample in pool if fitting_mark(sample.digest or "") not in marks] for pool in pools]
    if all(len(pool) >= LEAST_UNSEEN for pool in unseen):
        return unseen
    chosen = [sample for pool in pools for sample in pool[:each]]
    fitted = sum(fitting_mark(sample.digest or "") in marks for sample in chosen)
    if fitted:
        notes.append(
            f"{fitted:,} of the {counted(len(chosen), 'image')} were used to fit this model; where its network was "
            "trained on them, late stages look better here than they are."
        )
    return pools


def _is_head(card: ModelCard) -> bool:
    """Whether only a head was fitted: its embedding is still that of the network that it was put on."""
    parent, embedding = card.provenance.parent, card.embedding
    return bool(parent and embedding and embedding.space == embedding_space(parent, card.geometry))


def numbers_of(samples: Sequence[Sample], classes: Sequence[str]) -> NDArray[np.intp]:
    """The class of each image, `(n,)`."""
    return np.array([classes.index(sample.labels[0]) for sample in samples], np.intp)
