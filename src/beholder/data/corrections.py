"""What people corrected in a dataset: a log that is only ever added to, and applied when the dataset is read.

The files of a dataset are never touched. Each correction is one line of JSON in the person's data directory, in one
file per place (`Dataset.identity`): what, by whom, when, and its inverse. It speaks of an image by its content digest
and its name, so that it still fits when the file is renamed, and does not fit by accident when the file is replaced.
Undoing adds a line as well.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, Self

from beholder.data.line_log import LineLog
from beholder.data.sample import NONE, UNKNOWN, Dataset, Sample, Split
from beholder.errors import DataError, RefusedCorrection
from beholder.files import data_dir, file_digest
from beholder.records import RecordError, from_json, to_json

What = Literal["relabel", "exclude", "include", "move", "merge", "unmerge", "rename"]

_INVERSES: Final[dict[What, What]] = {
    "relabel": "relabel",
    "exclude": "include",
    "include": "exclude",
    "move": "move",
    "merge": "unmerge",
    "unmerge": "merge",
    "rename": "rename",
}
_ASPECTS: Final[dict[What, str]] = {"relabel": "labels", "exclude": "use", "include": "use", "move": "split"}
"""What of an image a change is about; the other changes are about classes."""

AUDIT: Final = "beholder audit"  # begins `by` where an audit said so, and no person


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is different after a correction.

    Attributes:
        what: the kind; `unmerge` is only ever the inverse of `merge`.
        before: labels, split or class names before it; empty for no label and no split.
        after: the same after it.
        digest: content digest of the image; None for a change of classes.
        name: name of the image; None for a change of classes.
    """

    what: What
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    digest: str | None = None
    name: str | None = None

    @property
    def inverse(self) -> Change:
        """What takes it back."""
        return Change(_INVERSES[self.what], self.after, self.before, self.digest, self.name)

    def __str__(self) -> str:
        subject = self.name or "class"
        if self.what in ("exclude", "include"):
            return f"{self.what} {subject}"
        return f"{self.what} {subject}: {', '.join(self.before) or 'none'} to {', '.join(self.after) or 'none'}"


def relabel(sample: Sample, *labels: str) -> Change:
    """Give an image other labels: `_unknown` alone makes it a stranger, `_none` alone says that no class applies.

    Args:
        sample: of `Dataset.everything()`, in which strangers are labelled `_unknown`.
        labels: what applies; none to make it unlabelled.

    Raises:
        RefusedCorrection: these are its labels already, or are no names.
    """
    after = tuple(sorted(set(labels)))
    if any(not label.strip() for label in after) or (len(after) > 1 and {UNKNOWN, NONE}.intersection(after)):
        raise RefusedCorrection(
            f"{sample.name}: labels must be names of classes, or {UNKNOWN} or {NONE} alone, found {', '.join(after)}"
        )
    if after == tuple(sorted(sample.said)):
        raise RefusedCorrection(f"{sample.name}: is labelled {', '.join(after) or 'nothing'} already")
    return Change("relabel", sample.said, after, _digest(sample), sample.name)


def exclude(sample: Sample) -> Change:
    """Leave an image out."""
    return Change("exclude", digest=_digest(sample), name=sample.name)


def include(sample: Sample) -> Change:
    """Take an image in again that was excluded."""
    return Change("include", digest=_digest(sample), name=sample.name)


def move(sample: Sample, split: Split | None) -> Change:
    """Put an image into another split, or into none."""
    if split == sample.split:
        raise RefusedCorrection(f"{sample.name}: is in {split or 'no split'} already")
    before = (sample.split,) if sample.split else ()
    return Change("move", before, (split,) if split else (), _digest(sample), sample.name)


def merge(classes: Sequence[str], into: str) -> Change:
    """Make several classes one.

    Args:
        classes: the classes that end.
        into: the class that their images have then; it may be one of them, or another.
    """
    ending = tuple(name for name in dict.fromkeys(classes) if name != into)
    if not ending or {UNKNOWN, NONE}.intersection((*ending, into)) or not into.strip():
        raise RefusedCorrection(f"classes to merge must be others than {into!r}, found {', '.join(classes) or 'none'}")
    return Change("merge", ending, (into,))


def rename(name: str, to: str) -> Change:
    """Give a class another name."""
    if name == to or {UNKNOWN, NONE}.intersection((name, to)) or not to.strip():
        raise RefusedCorrection(f"class {name!r}: must get another name, found {to!r}")
    return Change("rename", (name,), (to,))


def _digest(sample: Sample) -> str:
    try:
        return sample.digest or file_digest(sample.path)
    except OSError as error:
        raise RefusedCorrection(f"{sample.path}: cannot be read: {error.strerror or error}") from None


@dataclass(frozen=True, slots=True)
class Correction:
    """An entry of the log.

    Attributes:
        id: its number, from 1.
        change: what is different.
        inverse: what takes it back.
        by: who made it.
        when: the moment, UTC, `2026-11-20T09:30:00Z`.
        undoes: the number of the entry that it takes back; None for most.
    """

    id: int
    change: Change
    inverse: Change
    by: str
    when: str
    undoes: int | None = None


@dataclass(frozen=True, slots=True)
class LogContent:
    """What a log holds.

    Attributes:
        entries: in the order in which they were made.
        notes: lines that were cut off or damaged, and were passed over.
    """

    entries: tuple[Correction, ...]
    notes: tuple[str, ...] = ()

    def effective(self) -> tuple[Correction, ...]:
        """Entries that hold: neither undone, nor made to undo another."""
        undone: set[int] = set()
        holding: list[Correction] = []
        for entry in reversed(self.entries):
            if entry.id in undone:
                continue
            if entry.undoes is None:
                holding.append(entry)
            else:
                undone.add(entry.undoes)
        return tuple(reversed(holding))

    def undone_by(self) -> dict[int, int]:
        """By the number of each entry that was undone, the number of the one that undid it last."""
        undone: dict[int, int] = {}
        for entry in reversed(self.entries):
            if entry.undoes is not None and entry.id not in undone:
                undone.setdefault(entry.undoes, entry.id)
        return undone


class CorrectionLog:
    """The corrections of one dataset; several processes may add to it at once."""

    def __init__(self, path: Path, about: str) -> None:
        self.path = path
        self._lines = LineLog(path, {"schema": 1, "corrections_of": about})

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """The log of a dataset, in the person's data directory; it may not exist yet."""
        about = f"{dataset.source} {dataset.view}".strip()
        return cls(data_dir() / "corrections" / f"{dataset.identity}.jsonl", about)

    def read(self) -> LogContent:
        """What is in the log; empty where there is none.

        Raises:
            DataError: it cannot be read, or was written by a newer version.
        """
        lines, damaged = self._lines.read()
        entries = tuple(self._entry(number, value) for number, value in lines)
        notes = [f"{self.path}, line {number}: cut off or damaged, and passed over" for number in damaged]
        return LogContent(entries, tuple(notes))

    def add(self, changes: Iterable[Change], by: str | None = None) -> tuple[Correction, ...]:
        """Add corrections; when this returns, they are on the disk.

        Args:
            changes: what is to be different, in order.
            by: who says so; None for the person who runs this.

        Raises:
            OutputFailed: the log cannot be written.
            DataError: it cannot be read.
        """
        wanted = list(changes)
        return self._append(lambda _: [(change, None) for change in wanted], by)

    def undo(self, number: int, by: str | None = None) -> Correction:
        """Take one correction back, by adding its inverse; undoing that makes it hold again.

        Raises:
            RefusedCorrection: there is none of that number, it is undone already, or a later one builds on it.
            OutputFailed: the log cannot be written.
        """

        def inverse(content: LogContent) -> list[tuple[Change, int | None]]:
            entry = _undoable(content, number)
            return [(entry.inverse, number)]

        (added,) = self._append(inverse, by)
        return added

    def _append(self, make: Any, by: str | None) -> tuple[Correction, ...]:
        """Add what `make` makes of the content, while no other process can add anything."""
        who, when = by or _user(), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with self._lines.locked() as appender:
            content = self.read()
            following = max((entry.id for entry in content.entries), default=0) + 1
            made = tuple(
                Correction(number, change, change.inverse, who, when, undoes)
                for number, (change, undoes) in enumerate(make(content), start=following)
            )
            appender.append([to_json(entry) for entry in made])
        return made

    def _entry(self, line: int, value: Any) -> Correction:
        try:
            return from_json(Correction, value)
        except RecordError as error:
            raise DataError(f"{self.path}, line {line}: not a correction that this version knows: {error}") from None


def _undoable(content: LogContent, number: int) -> Correction:
    """The entry of a number, if it can be undone now."""
    entry = next((entry for entry in content.entries if entry.id == number), None)
    if entry is None:
        last = content.entries[-1].id if content.entries else 0
        raise RefusedCorrection(f"correction {number}: there is none of this number; the last is {last}")
    by = content.undone_by().get(number)
    if by is not None:
        raise RefusedCorrection(f"correction {number}: was undone already, by {by}")
    for later in reversed(content.effective()):
        if later.id > number and _builds_on(later.change, entry.change):
            raise RefusedCorrection(
                f"correction {number}: {later.id} builds on it ({later.change}); undo {later.id} first"
            )
    return entry


def _builds_on(later: Change, earlier: Change) -> bool:
    """Whether a change would mean something else without an earlier one."""
    if earlier.name is not None:
        same = (later.digest, later.name) == (earlier.digest, earlier.name)
        return same and _ASPECTS.get(later.what) == _ASPECTS[earlier.what]
    if later.what in ("exclude", "include", "move"):
        return False
    return bool({*earlier.before, *earlier.after} & {*later.before, *later.after})


def by_audit() -> str:
    """Who made a correction that an audit proposed, and a person let it make."""
    return f"{AUDIT} ({_user()})"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container without a name for the user
        return "unknown"
