"""A file of JSON lines that is only added to, by several processes, and survives being killed.

A line is written with one call and is on the disk when `append` returns. What a crash cut off stays where it is, ends
with a newline before the next line is added, and is passed over when the file is read.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from beholder.errors import DataError, OutputFailed

_LOCKED_BYTE: Final = 2**40
"""Where Windows locks; far behind the end, because it locks readers out too."""


class LineLog:
    """A log; the first line says what it is.

    Args:
        path: the file, made when the first line is added.
        head: the object on the first line; its `schema` is the newest that is read.
    """

    def __init__(self, path: Path, head: dict[str, Any]) -> None:
        self.path = path
        self._head = head

    def read(self) -> tuple[list[tuple[int, Any]], list[int]]:
        """Read all lines.

        Returns:
            Each line's number and object, without the first; and the numbers of those that are no JSON objects.

        Raises:
            DataError: it cannot be read, or was written by a newer version.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return [], []
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read: {error.strerror or error}") from None
        found: list[tuple[int, Any]] = []
        damaged: list[int] = []
        for number, line in enumerate(data.split(b"\n"), start=1):
            value = _object(line)
            if value is not None and "schema" in value:
                self._check_schema(value["schema"])
            elif value is not None:
                found.append((number, value))
            elif line.strip():
                damaged.append(number)
        return found, damaged

    @contextmanager
    def locked(self) -> Iterator[Appender]:
        """Keep other processes from adding anything until the block is left.

        Raises:
            OutputFailed: the file cannot be written, or the disk is full.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "ab", buffering=0) as stream, _exclusive(stream):
                yield Appender(self.path, stream, self._head)
        except OSError as error:
            raise OutputFailed(f"{self.path}: cannot be written: {error.strerror or error}") from error

    def _check_schema(self, found: Any) -> None:
        if not isinstance(found, int) or found > self._head["schema"]:
            raise DataError(f"{self.path}: was written by a newer version of Beholder (schema {found}); upgrade")


class Appender:
    """Adds lines to a log that is locked."""

    def __init__(self, path: Path, stream: IO[bytes], head: dict[str, Any]) -> None:
        self._path = path
        self._stream = stream
        self._head = head

    def append(self, values: Sequence[dict[str, Any]]) -> None:
        """Add a line for each object; all are on the disk when this returns."""
        size = os.fstat(self._stream.fileno()).st_size
        lines = values if size else [self._head, *values]
        text = "".join(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n" for value in lines)
        data = (b"" if not size or self._ends_line(size) else b"\n") + text.encode()
        while data:  # one call, unless a signal or a full disk cuts it short
            data = data[self._stream.write(data) :]
        os.fsync(self._stream.fileno())
        if not size:
            _sync_folder(self._path.parent)

    def _ends_line(self, size: int) -> bool:
        with open(self._path, "rb") as stream:
            stream.seek(size - 1)
            return stream.read(1) == b"\n"


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


@contextmanager
def _exclusive(stream: IO[bytes]) -> Iterator[None]:
    """A lock between processes; it ends with the process, whatever becomes of it."""
    if sys.platform == "win32":
        import msvcrt

        stream.seek(_LOCKED_BYTE)
        msvcrt.locking(stream.fileno(), msvcrt.LK_LOCK, 1)
        try:
            yield
        finally:
            stream.seek(_LOCKED_BYTE)
            msvcrt.locking(stream.fileno(), msvcrt.LK_UNLCK, 1)
    else:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(stream, fcntl.LOCK_UN)


def _sync_folder(folder: Path) -> None:
    """Make a new file's name survive a power cut, where the system can."""
    if sys.platform != "win32":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
