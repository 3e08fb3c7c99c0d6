"""The run folders in the data directory: listed, found by what a person calls them, and removed."""

from __future__ import annotations

import os
import secrets
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from beholder.errors import OutputFailed, UsageError
from beholder.files import data_dir
from beholder.records import nearest
from beholder.training.history.record import RunRecord, read_run


@dataclass(frozen=True, slots=True)
class History:
    """The runs that there are.

    Attributes:
        runs: the newest first.
        refused: why a folder among them could not be read, a line for each.
        short: for the id of each folder, a short one that no other has.
    """

    runs: tuple[RunRecord, ...]
    refused: tuple[str, ...]
    short: dict[str, str]

    def short_id(self, run: RunRecord) -> str:
        """What a run is called in a table: its short id, or all of it for one that is kept elsewhere."""
        return self.short.get(run.id, run.id)


def runs_dir() -> Path:
    """The folder of all run folders."""
    return data_dir() / "runs"


def list_runs() -> History:
    """Read all runs, the newest first; a folder that cannot be read stops none of the others."""
    runs, refused = [], []
    ids = _ids()
    for name in ids:
        try:
            runs.append(read_run(runs_dir() / name))
        except UsageError as error:
            refused.append(str(error))
    runs.sort(key=lambda run: (run.when, run.id), reverse=True)
    return History(tuple(runs), tuple(refused), _short_ids(ids))


def find_run(text: str) -> RunRecord:
    """The run that a person means: see `find_folder`.

    Raises:
        UsageError: there is none, or it is damaged.
    """
    return read_run(find_folder(text))


def find_folder(text: str, *, newest: bool = True) -> Path:
    """The folder of the run that a person means.

    Args:
        text: its id or the short one, a beginning of the id that no other has, the name of a model, or a path to the
            folder or to a file in it. Where a folder lies here that has the name of a run too, the run is meant.
        newest: of several runs of that name the newest is meant; otherwise they are refused.

    Raises:
        UsageError: there is none, or several may be meant.
    """
    if os.sep in text or (os.altsep or os.sep) in text or text in (".", ".."):
        path = Path(text)
        return path.parent if os.path.isfile(path) else path
    history = list_runs()
    if text in history.short:
        return runs_dir() / text
    named = [run.id for run in history.runs if run.name == text]
    if len(named) > 1 and not newest:
        raise UsageError(f"{text}: {len(named)} runs are named so; name one of them by its id, such as {named[0]}")
    meant = {*named[:1], *(name for name, short in history.short.items() if short == text)}
    meant = meant or {name for name in history.short if text and name.startswith(text)}
    if len(meant) > 1:
        raise UsageError(f"{text!r}: {len(meant)} runs may be meant, such as {' and '.join(sorted(meant)[-2:])}")
    if meant:
        return runs_dir() / meant.pop()
    if os.path.isdir(text):
        return Path(text)
    raise UsageError(_unknown(text, history))


def remove_folder(folder: Path) -> None:
    """Remove a folder of the data directory for good; what is removed halfway is listed no more.

    Args:
        folder: of a run, or of an unfinished training.

    Raises:
        UsageError: it lies elsewhere.
        OutputFailed: it cannot be removed.
    """
    require_among_runs(folder)
    try:
        if folder.is_symlink():
            folder.unlink()
            return
        gone = folder.with_name(f".{folder.name[:40]}.{secrets.token_hex(4)}.part")
        folder.rename(gone)
        shutil.rmtree(gone)
    except OSError as error:
        raise OutputFailed(f"{folder}: cannot be removed: {error.strerror or error}") from None


def require_among_runs(folder: Path) -> None:
    """Refuse a folder that lies elsewhere than in the data directory, before any is removed.

    Raises:
        UsageError: it does, or it is not there.
    """
    homes = [(data_dir() / home).resolve() for home in ("runs", "unfinished")]
    if folder.parent.resolve() not in homes or folder.name in ("", ".", "..") or not folder.is_dir():
        raise UsageError(f"{folder}: must be a folder in {homes[0]}; remove it yourself if you mean it")


def _ids() -> list[str]:
    """The names of all folders that may be runs; one that is being written or removed begins with a dot."""
    try:
        with os.scandir(runs_dir()) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"{runs_dir()}: cannot be read: {error.strerror or error}") from None


def _short_ids(ids: Sequence[str]) -> dict[str, str]:
    """The last part of each id, where no other has it."""
    endings = {name: name.rpartition("-")[2] for name in ids}
    count = Counter(endings.values())
    return {name: ending if count[ending] == 1 and len(ending) >= 4 else name for name, ending in endings.items()}


def _unknown(text: str, history: History) -> str:
    if not history.short:
        return f"{text!r} is no run: there are none yet; make one with: beholder train DATA"
    known = list(dict.fromkeys([*(run.name for run in history.runs), *history.short.values(), *history.short]))
    hint = nearest(text, known)
    return f"{text!r} is no run; {hint if hint.startswith('did you mean') else 'list them with: beholder runs'}"
