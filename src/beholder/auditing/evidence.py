"""What detectors judge by: everything that is known of a dataset, gathered once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from beholder.auditing.sameness import Copy
from beholder.data import ContentCache, Dataset, Facts, Sample, Split
from beholder.data.facts import TINY_KIND, TINY_SIDE
from beholder.training import Learned, Suspect, find_label_issues

_SOME: Final = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """What a head says of images that it was fitted without.

    Attributes:
        judged: the samples that it says something of.
        unseen: float64 `(m, k)`, their probabilities.
        classes: names of the classes, in the order of the probabilities.
        suspects: labels that look wrong.
    """

    judged: tuple[Sample, ...] = ()
    unseen: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    classes: tuple[str, ...] = ()
    suspects: tuple[Suspect, ...] = ()

    @classmethod
    def of(cls, learned: Learned) -> Judgement:
        """From a head that was fitted."""
        unseen = learned.unseen_probabilities()
        rows = np.flatnonzero(~np.isnan(unseen[:, 0]))
        dataset = learned.material.dataset
        judged = tuple(dataset.samples[row] for row in rows)
        return cls(judged, unseen[rows], dataset.classes, tuple(find_label_issues(learned)))


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything that is known of a dataset; nothing in it is ever changed.

    Attributes:
        dataset: as it was read.
        samples: the images that can be read, strangers labelled `_unknown` among them, with digests.
        facts: of each of the samples.
        borders: float32 `(n, 3)`, the mean color along the border of each, 0 to 1; NaN where it is not known.
        copies: which of the samples show the same picture in different files, by their numbers; of equal files only
            the first is named.
        failures: of files that were read but are no images that can be decoded: the image, and why.
        unopened: names of files that cannot be read at all, or are not there, why, and what to do.
        judgement: what a head says of labels.
    """

    dataset: Dataset
    samples: tuple[Sample, ...]
    facts: tuple[Facts, ...]
    borders: NDArray[np.float32]
    copies: tuple[Copy, ...] = ()
    failures: tuple[tuple[Sample, str], ...] = ()
    unopened: tuple[tuple[str, str, str], ...] = ()
    judgement: Judgement = field(default_factory=Judgement)

    def same(self, number: int) -> Iterator[tuple[int, Copy | None]]:
        """Other samples that show the same picture as one, and how; None where the files are equal.

        Of equal files with the same labels in the same split only the first is given: a placeholder that is there
        thousands of times would otherwise make millions of pairs.
        """
        digest = self.samples[number].digest or ""
        for other, copy in ((digest, None), *self._near.get(digest, ())):
            yield from ((first, copy) for first in self._firsts[other].values() if first != number)

    def is_first(self, number: int) -> bool:
        """Whether a sample is the first of equal files with the same labels in the same split."""
        sample = self.samples[number]
        return self._firsts[sample.digest or ""][sample.split, sample.said] == number

    @cached_property
    def _firsts(self) -> Mapping[str, Mapping[tuple[Split | None, tuple[str, ...]], int]]:
        found: dict[str, dict[tuple[Split | None, tuple[str, ...]], int]] = {}
        for number, sample in enumerate(self.samples):
            found.setdefault(sample.digest or "", {}).setdefault((sample.split, sample.said), number)
        return found

    @cached_property
    def _near(self) -> Mapping[str, Sequence[tuple[str, Copy]]]:
        found: dict[str, list[tuple[str, Copy]]] = {}
        for copy in self.copies:
            first, second = self.samples[copy.first].digest or "", self.samples[copy.second].digest or ""
            found.setdefault(first, []).append((second, copy))
            found.setdefault(second, []).append((first, copy))
        return found


def border_colors(samples: Sequence[Sample], contents: ContentCache) -> NDArray[np.float32]:
    """The mean color along the border of images, float32 `(n, 3)`, from their pixels at 32 a side; NaN if unknown."""
    colors = np.full((len(samples), 3), np.nan, np.float32)
    edge = np.ones((TINY_SIDE, TINY_SIDE), np.bool_)
    edge[2:-2, 2:-2] = False
    for start in range(0, len(samples), _SOME):
        part = samples[start : start + _SOME]
        tiny = contents.get(TINY_KIND, [sample.digest or "" for sample in part])
        for row, sample in enumerate(part, start=start):
            if sample.digest in tiny:
                pixels = np.frombuffer(tiny[sample.digest], np.uint8).reshape(TINY_SIDE, TINY_SIDE, 3)
                colors[row] = pixels[edge].mean(axis=0) / 255
    return colors
