"""The small form that every format of datasets has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from beholder.data.sample import Dataset
from beholder.data.writing import Progress


@dataclass(frozen=True, slots=True)
class Options:
    """What a person may say about a dataset; None is left to be found out.

    Attributes:
        pattern: a regular expression that names of files match, with a group `label`.
        label: the column or columns that hold the labels, separated by commas.
        images: the folder that paths in annotations are relative to.
    """

    pattern: str | None = None
    label: str | None = None
    images: Path | None = None


@dataclass(frozen=True, slots=True)
class Writing:
    """How to write a dataset.

    Attributes:
        link: make hard links to the images instead of copies, where images are written at all and the file system can.
        progress: told how many images are written.
        overwrite: replace an existing file; an existing folder is never replaced.
    """

    link: bool = False
    progress: Progress | None = None
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """What a format finds at a place.

    Attributes:
        path: what it would read.
        what: in words, for the person who must choose between two: `class folders cat, dog`, `labels.csv`.
        certain: false when it could be read so, but other claims go first.
    """

    path: Path
    what: str
    certain: bool


@dataclass(frozen=True, slots=True)
class Format:
    """One way to lay out a dataset.

    Attributes:
        name: what `--format` calls it.
        says: in a few words, how it is laid out.
        detect: what it finds at a path that exists, in order; nothing where the path is something else.
        read: reads what a claim of `detect` names; also what nobody claimed, where a person chose the format.
            Raises `DataError`.
        write: writes a dataset to a path that does not exist, whole or not at all; None where it cannot.
    """

    name: str
    says: str
    detect: Callable[[Path, Options], list[Claim]]
    read: Callable[[Path, Options], Dataset]
    write: Callable[[Dataset, Path, Writing], None] | None
