"""Which column of a table means what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from beholder.data.listing import some
from beholder.errors import InvalidAnnotations, UsageError
from beholder.records import nearest

PATH_NAMES: Final = (
    "path",
    "file",
    "filename",
    "file_name",
    "filepath",
    "file_path",
    "image",
    "image_path",
    "image_name",
    "img",
    "source",
)
LABEL_NAMES: Final = ("label", "labels", "class", "classes", "class_name", "category", "categories", "tag", "tags")
SPLIT_COLUMN_NAMES: Final = ("split", "subset", "set", "partition")

YES: Final = frozenset({"1", "1.0", "true", "yes"})
NO: Final = frozenset({"0", "0.0", "false", "no"})


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column means what, by number.

    Attributes:
        header: names of all columns.
        path: the column of paths.
        labels: columns of labels as text.
        one_hot: columns named after a class, with 1 where it applies.
        split: the column of splits.
    """

    header: tuple[str, ...]
    path: int
    labels: tuple[int, ...] = ()
    one_hot: tuple[int, ...] = ()
    split: int | None = None

    @property
    def metadata(self) -> tuple[int, ...]:
        """All the other columns."""
        used = {self.path, self.split, *self.labels, *self.one_hot}
        return tuple(number for number in range(len(self.header)) if number not in used)

    def says(self) -> str:
        """What was taken for what."""
        parts = [f"paths in {self.header[self.path]!r}"]
        if self.labels:
            parts.append(f"labels in {some(repr(self.header[number]) for number in self.labels)}")
        if self.one_hot:
            parts.append(f"a column for each of {len(self.one_hot)} classes")
        if self.split is not None:
            parts.append(f"splits in {self.header[self.split]!r}")
        if self.metadata:
            parts.append(f"metadata in {some(repr(self.header[number]) for number in self.metadata)}")
        return ", ".join(parts)


def find_columns(header: Sequence[str], label: str | None, binary: Sequence[int], place: str) -> Columns:
    """Find out which column means what.

    Args:
        header: names of the columns.
        label: the column or columns of labels that a person chose, separated by commas.
        binary: columns that hold 0 and 1 only.
        place: the file, for errors.

    Raises:
        InvalidAnnotations: a name stands twice, or there is no column of paths or of labels, or too many.
        UsageError: there is no column of the name that a person chose.
    """
    names = [name.strip() for name in header]
    lower = [name.lower() for name in names]
    twice = next((name for name in lower if lower.count(name) > 1), None)
    if twice is not None:
        raise InvalidAnnotations(f"{place}: columns must have different names, found {twice!r} twice")
    path = path_column(header)
    if path is None:
        raise InvalidAnnotations(
            f"{place}: a column must be named {PATH_NAMES[0]} or {PATH_NAMES[1]}, found {some(names, 8)}"
        )
    split = next((lower.index(name) for name in SPLIT_COLUMN_NAMES if name in lower), None)
    if label is not None:
        chosen = tuple(_chosen(part.strip(), names, place) for part in label.split(","))
        return Columns(tuple(names), path, chosen, (), None if split in chosen else split)
    labels = [lower.index(name) for name in LABEL_NAMES if name in lower]
    if len(labels) > 1:
        which = " and ".join(repr(names[number]) for number in labels)
        raise InvalidAnnotations(f"{place}: one column must hold the labels, found {which}; choose with --label")
    if labels:
        return Columns(tuple(names), path, (labels[0],), (), split)
    one_hot = tuple(number for number in binary if number not in (path, split))
    if len(one_hot) < 2:
        others = [name for number, name in enumerate(names) if number not in (path, split)]
        raise InvalidAnnotations(
            f"{place}: a column must hold the labels, named label or class, found {some(others, 8) or 'none'}; "
            "choose one with --label"
        )
    return Columns(tuple(names), path, (), one_hot, split)


def path_column(header: Sequence[str]) -> int | None:
    """The column of paths; None where no name is that of one."""
    lower = [name.strip().lower() for name in header]
    return next((lower.index(name) for name in PATH_NAMES if name in lower), None)


def _chosen(name: str, names: list[str], place: str) -> int:
    lower = [known.lower() for known in names]
    if name.lower() not in lower:
        raise UsageError(f"--label: {place} has no column {name!r}; {nearest(name, names)}")
    return lower.index(name.lower())
