"""The dataset that a model is measured on, every file of it known by content."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from beholder.data import ContentCache, Dataset, Manifest, Sample, Split, read, save_version, with_digests
from beholder.data.listing import counted, some
from beholder.errors import OutputFailed
from beholder.evaluation.choosing import UNREADABLE
from beholder.evaluation.parts import LeftOut
from beholder.result import ImageFailure

Place = str | os.PathLike[str]

Report = Callable[[str, int, int], None]
"""Told what is being done (`reading`, `answering`, `strangers`, `measuring`), how much of it is done, and how much
there is; 0 where that is not known."""


@dataclass(frozen=True, slots=True)
class Material:
    """A dataset whose samples have digests.

    Attributes:
        dataset: without the files that cannot be read.
        version: its digest.
        unread: those files.
    """

    dataset: Dataset
    version: str
    unread: tuple[Sample, ...]

    def left_out(self, failures: Sequence[ImageFailure], split: Split | None) -> tuple[list[LeftOut], list[str]]:
        """How many images could not be read, and a note that names them.

        Args:
            failures: of images that could not be decoded.
            split: the part of the data that is measured; None for all.
        """
        unread = [sample.name for sample in self.unread if split in (None, sample.split)]
        names = [*unread, *(failure.source for failure in failures)]
        if not names:
            return [], []
        named = [*unread, *(str(failure) for failure in failures)] if len(names) == 1 else names
        note = f"{counted(len(names), 'image')} {UNREADABLE}: {some(dict.fromkeys(named))}."
        return [LeftOut(UNREADABLE, len(names))], [note]


def read_material(data: Place | Dataset, tell: Report) -> Material:
    """Read a dataset and the content digest of every file.

    Raises:
        DataError: it cannot be read.
    """
    dataset = data if isinstance(data, Dataset) else read(data)
    with ContentCache() as contents:
        known = with_digests(dataset, contents, lambda done, total: tell("reading", done, total))
    readable = {sample.name for sample in (*known.samples, *known.strangers)}
    unread = [sample for sample in (*dataset.samples, *dataset.strangers) if sample.name not in readable]
    with suppress(OutputFailed):  # where nothing can be kept, the version has its name all the same
        save_version(known)
    return Material(replace(known, notes=dataset.notes), Manifest.of(known).version, tuple(unread))
