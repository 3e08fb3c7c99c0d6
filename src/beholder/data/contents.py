"""What was learned of images, kept by their content, so that an unchanged image is never read or decoded twice.

One SQLite database in the cache folder, shared by threads and processes. It holds the digest of each file, found again
by path, size and time of change; and for each digest, values of any kind, such as `facts/1` or `features/<space>`. All
of it can be made again: a damaged database is set aside and started anew.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from beholder.data.writing import Progress
from beholder.errors import OutputFailed, SourceNotFound, UnreadableImage
from beholder.files import cache_dir, file_digest

_SCHEMA: Final = 1
_BATCH: Final = 256
"""Items that are written together, or as many as come within the seconds: what a killed process loses at most."""

_BATCH_SECONDS: Final = 2.0

_ASKED: Final = 500
"""Digests that are asked for in one query."""

_WAIT_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 0.02
_TAKEN: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_FRESH_NANOSECONDS: Final = 2 * 10**9
"""A file that was changed less than this before it was read may change again without a trace in its time."""

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, size INTEGER, changed INTEGER, touched INTEGER, digest BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS items (kind TEXT, digest BLOB, value BLOB, UNIQUE (kind, digest));
"""

T = TypeVar("T")


class ContentCache:
    """Digests of files, and values of any kind by digest; safe for several threads and processes.

    Args:
        path: the database; None for the person's own, in the cache folder.

    Attributes:
        notes: what to tell a person: that a damaged cache was set aside, or that nothing can be kept.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or cache_dir() / "contents.sqlite"
        self.notes: list[str] = []
        self._lock = threading.RLock()
        self._database = self._open()

    def close(self) -> None:
        """Close the database; what was put is kept."""
        with self._lock:
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def digest_of(self, path: str | Path) -> str:
        """The content digest of a file; it is read only if it has changed since the last time.

        Raises:
            SourceNotFound: there is no such file.
            UnreadableImage: it cannot be read.
        """
        found = self.digests([path])[0]
        if found is None:
            if not os.path.exists(path):
                raise SourceNotFound(str(path), "no such file")
            raise UnreadableImage(str(path), "cannot be read; is it yours to read?")
        return found

    def digests(self, paths: Sequence[str | Path], progress: Progress | None = None) -> list[str | None]:
        """The content digests of files, `sha256:…`, in their order; None for one that cannot be read.

        Args:
            paths: files.
            progress: told how many are known.
        """
        found: list[str | None] = []
        remaining = iter(paths)
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as readers:
            while batch := [os.path.abspath(path) for path in islice(remaining, _ASKED)]:
                found += self._digests(batch, readers)
                if progress is not None:
                    progress(len(found), len(paths))
        return found

    def get(self, kind: str, digests: Iterable[str]) -> dict[str, bytes]:
        """The values of a kind that are known, by digest.

        Args:
            kind: such as `facts/1`; a new version of a kind is another kind.
            digests: of images; all their values are held in memory.
        """
        return dict(self._found("digest, value", kind, digests))

    def missing(self, kind: str, digests: Iterable[str]) -> list[str]:
        """The digests of which no value of a kind is known, each once, in their order."""
        wanted = list(dict.fromkeys(digests))
        known = {digest for digest, _ in self._found("digest, NULL", kind, wanted)}
        return [digest for digest in wanted if digest not in known]

    def put(self, kind: str, items: Iterable[tuple[str, bytes]]) -> None:
        """Keep values; those that an iterator makes one by one are kept now and then while it goes on.

        Args:
            kind: as in `get`.
            items: pairs of digest and value. When it raises, what it gave before is kept.

        Raises:
            OutputFailed: the disk is full, or the cache cannot be written any more.
        """
        for batch in _batches(items):
            rows = [(kind, _blob(digest), value) for digest, value in batch]
            self._write("INSERT OR REPLACE INTO items VALUES (?, ?, ?)", rows)

    def clear(self, kind: str | None = None) -> None:
        """Forget the values of a kind, or everything."""
        if kind is not None:
            self._write("DELETE FROM items WHERE kind = ?", [(kind,)])
        else:
            self._write("DELETE FROM items WHERE ? IS NULL", [(None,)])
            self._write("DELETE FROM files WHERE ? IS NULL", [(None,)])

    def _digests(self, paths: list[str], readers: ThreadPoolExecutor) -> list[str | None]:
        """Find digests by the state of files; read those that are new or have changed."""
        states = [_state(path) for path in paths]
        texts = [_text(path) for path in paths]
        query = f"SELECT path, size, changed, touched, digest FROM files WHERE path IN ({_marks(texts)})"  # noqa: S608
        known = {
            path: ((size, changed, touched), digest) for path, size, changed, touched, digest in self._ask(query, texts)
        }
        found = [
            f"sha256:{known[text][1].hex()}" if state is not None and known.get(text, (None,))[0] == state else None
            for text, state in zip(texts, states, strict=True)
        ]
        unread = [number for number, state in enumerate(states) if state is not None and found[number] is None]
        read = readers.map(lambda number: _read_digest(paths[number], states[number]), unread)
        settled: list[tuple[Any, ...]] = []
        for number, (digest, is_settled) in zip(unread, read, strict=True):
            found[number] = digest
            if digest is not None and is_settled:
                settled.append((texts[number], *(states[number] or ()), _blob(digest)))
        if settled:
            self._write("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", settled)
        return found

    def _found(self, columns: str, kind: str, digests: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        remaining = iter(digests)
        while batch := [_blob(digest) for digest in islice(remaining, _ASKED)]:
            query = f"SELECT {columns} FROM items WHERE kind = ? AND digest IN ({_marks(batch)})"  # noqa: S608
            for digest, value in self._ask(query, [kind, *batch]):
                yield f"sha256:{digest.hex()}", value

    def _ask(self, query: str, values: Sequence[str | bytes]) -> list[tuple[Any, ...]]:
        return self._run(lambda: self._database.execute(query, values).fetchall())

    def _write(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run a statement for each row, in one transaction."""

        def whole() -> None:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._database.executemany(statement, rows)
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:  # a full disk has ended it already
                    self._database.execute("ROLLBACK")
                raise

        self._run(whole)

    def _run(self, action: Callable[[], T]) -> T:
        """Do something with the database; once more with a new one when it is found to be damaged."""
        with self._lock:
            try:
                return action()
            except sqlite3.OperationalError as error:
                raise OutputFailed(f"{self.path}: the cache cannot be used: {error}; is the disk full?") from error
            except sqlite3.DatabaseError as error:
                self._set_aside(error)
                return action()

    def _open(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return self._connected_when_free(self.path)
        except (OSError, sqlite3.OperationalError) as error:
            return self._unkept(error)
        except sqlite3.DatabaseError as error:
            self._set_aside(error)
            return self._database

    def _unkept(self, error: Exception) -> sqlite3.Connection:
        """A database in memory, so that the work can go on where nothing can be written."""
        self.notes.append(f"{self.path}: the cache cannot be used ({error}); what is learned now is not kept")
        return self._connected(":memory:")

    def _connected_when_free(self, path: Path) -> sqlite3.Connection:
        """As `_connected`, once another process has made it: the change to a log ahead of writing waits for nobody."""
        until = time.monotonic() + _WAIT_SECONDS
        while True:
            try:
                return self._connected(path)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in _TAKEN or time.monotonic() > until:
                    raise
                time.sleep(_PAUSE_SECONDS)

    def _connected(self, path: Path | str) -> sqlite3.Connection:
        database = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version not in (0, _SCHEMA):
                raise sqlite3.DatabaseError(f"it was made by another version of Beholder (schema {version})")
            database.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {_SCHEMA}; COMMIT;")
        except BaseException:
            database.close()
            raise
        return database

    def _set_aside(self, error: Exception) -> None:
        """Begin a new database where the old one is damaged, which is kept for whoever wants to know why."""
        if hasattr(self, "_database"):
            self._database.close()
        aside = self.path.with_name(f"{self.path.name}.damaged-{time.time_ns()}")
        for suffix in ("", "-wal", "-shm"):
            try:
                os.replace(f"{self.path}{suffix}", f"{aside}{suffix}")
            except OSError:
                continue  # another process was first, or there is no such part
        self.notes.append(f"{self.path}: the cache was damaged ({error}) and begun anew; the old one is {aside.name}")
        try:
            self._database = self._connected(self.path)
        except sqlite3.Error as again:
            self._database = self._unkept(again)


def _batches(items: Iterable[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    """Gather items; what was gathered is given out also when making the next one fails."""
    batch: list[tuple[str, bytes]] = []
    began = time.monotonic()
    remaining = iter(items)
    while True:
        try:
            item = next(remaining, None)
        except BaseException:
            yield batch
            raise
        if item is not None:
            batch.append(item)
        if batch and (item is None or len(batch) >= _BATCH or time.monotonic() - began > _BATCH_SECONDS):
            yield batch
            batch, began = [], time.monotonic()
        if item is None:
            return


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


def _state(path: str) -> tuple[int, int, int] | None:
    """What tells whether a file has changed: its size, and when its content and its entry were changed."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _read_digest(path: str, state: tuple[int, int, int] | None) -> tuple[str | None, bool]:
    """The digest of a file, and whether it can be relied on as long as the file's state stays the same."""
    began = time.time_ns()
    try:
        digest = file_digest(path)
    except OSError:
        return None, False
    return digest, state is not None and _state(path) == state and max(state[1:]) < began - _FRESH_NANOSECONDS


def _text(path: str) -> str:
    """A path as text that SQLite takes, also where its encoding is damaged."""
    return path if path.isascii() else os.fsencode(path).decode("utf-8", "backslashreplace")


def _blob(digest: str) -> bytes:
    return bytes.fromhex(digest.removeprefix("sha256:"))
