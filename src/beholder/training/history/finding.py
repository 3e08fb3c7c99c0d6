"""The run folders in the data directory: listed, found by what a person calls them, and removed."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from beholder.errors import OutputFailed, UsageError
from beholder.files import data_dir
from beholder.records import nearest
from beholder.training.history.record import RunRecord, moment_of, read_run
from beholder.training.history.unfinished import Unfinished


@dataclass(frozen=True, slots=True)
class History:
    """The runs that there are.

    Attributes:
        runs: the newest first.
        refused: why a folder among them could not be read, a line for each.
        short: for the id of each folder, a short one that no other has.
        damaged: the ids of the folders that could not be read.
    """

    runs: tuple[RunRecord, ...]
    refused: tuple[str, ...]
    short: dict[str, str]
    damaged: tuple[str, ...] = ()

    def short_id(self, run: RunRecord) -> str:
        """What a run is called in a table: its short id, or all of it for one that is kept elsewhere."""
        return self.short.get(run.id, run.id)


def runs_dir() -> Path:
    """The folder of all run folders."""
    return data_dir() / "runs"


def list_runs() -> History:
    """Read all runs, the newest first; a folder that cannot be read stops none of the others."""
    runs, refused, damaged = [], [], []
    ids = _ids()
    for name in ids:
        try:
            runs.append(read_run(runs_dir() / name))
        except UsageError as error:
            refused.append(str(error))
            damaged.append(name)
    runs.sort(key=lambda run: (run.when, run.id), reverse=True)
    return History(tuple(runs), tuple(refused), _short_ids(ids), tuple(damaged))


def find_run(text: str, note: Callable[[str], None] | None = None) -> RunRecord:
    """The run that a person means: see `find_folder`.

    Args:
        text: what the run is called.
        note: told in a line of newer runs of that name that are passed over, for they are damaged.

    Raises:
        UsageError: there is none, or it is damaged.
    """
    return read_run(find_folder(text, note=note))


def find_folder(text: str, *, sure: bool = False, note: Callable[[str], None] | None = None) -> Path:
    """The folder of the run that a person means.

    Args:
        text: its id or the short one, a beginning of the id that no other has, the name of a model, which means its
            newest run, or a path to the folder or to a file in it. Where a folder lies here that has the name of a
            run too, the run is meant.
        sure: for what cannot be undone: a name that several runs have is refused, and so is a file.
        note: as in `find_run`.

    Raises:
        UsageError: there is none, or several may be meant.
    """
    if os.sep in text or (os.altsep or os.sep) in text or text in (".", ".."):
        return _folder_at(text, sure=sure)
    history = list_runs()
    if text in history.short:
        return runs_dir() / text
    named = [run for run in history.runs if run.name == text]
    damaged = [id for id in history.damaged if _may_be_named(id, text)]
    if sure:
        _require_one([*(run.id for run in named), *damaged], text)
    meant = {*(run.id for run in named[:1]), *(name for name, short in history.short.items() if short == text)}
    meant = meant or {name for name in history.short if text and name.startswith(text)}
    if len(meant) > 1:
        raise UsageError(f"{text!r}: {len(meant)} runs may be meant, such as {' and '.join(sorted(meant)[-2:])}")
    if named and note is not None:
        _tell_passed_over(named[0], damaged, note)
    if meant:
        return runs_dir() / meant.pop()
    if damaged:
        raise UsageError(f"{text}: its run {damaged[-1]} is damaged; see: beholder runs")
    if os.path.isdir(text):
        return Path(text)
    raise UsageError(_unknown(text, history))


def _folder_at(text: str, *, sure: bool) -> Path:
    if not os.path.isfile(text):
        return Path(text)
    if sure:
        raise UsageError(f"{text}: is a file; name the folder of the run, or its id")
    return Path(text).parent


def _require_one(ids: Sequence[str], name: str) -> None:
    if len(ids) > 1:
        raise UsageError(f"{name}: {len(ids)} runs are named so; name one of them by its id, such as {ids[0]}")


def _may_be_named(id: str, name: str) -> bool:
    """Whether a folder that cannot be read seems to be of a model of that name: `<time>-<name>-<ending>`."""
    written = re.sub(r"[^\w-]", "-", name)[:60]  # as a training names its folder
    return bool(written) and moment_of(id) is not None and id.split("-", 2)[2].rpartition("-")[0] == written


def _tell_passed_over(found: RunRecord, damaged: Sequence[str], note: Callable[[str], None]) -> None:
    newer = [id for id in damaged if (moment_of(id) or found.when) > found.when]
    if newer:
        which = f"its newest run, {newer[-1]}, is" if len(newer) == 1 else f"its {len(newer)} newest runs are"
        note(f"{found.name}: {which} damaged, so that this is {found.id}; see: beholder runs")


def remove_folder(folder: Path) -> None:
    """Remove a folder of the data directory for good; what is removed halfway is listed no more.

    Args:
        folder: of a run, or of an unfinished training.

    Raises:
        UsageError: it lies elsewhere, or is of a training that may be running.
        OutputFailed: it cannot be removed.
    """
    if not _lies_in("unfinished", folder):
        require_among_runs(folder)
    elif Unfinished.of(folder).may_be_running:
        raise UsageError(f"{folder}: was written to in the last hour, so that its training may be running")
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
    """Refuse a folder that is not of a run in the data directory, before any is removed.

    Raises:
        UsageError: it lies elsewhere, is just being written, or is not there.
    """
    if _lies_in("unfinished", folder):
        raise UsageError(f"{folder}: is of an unfinished training; see: beholder runs remove --unfinished")
    if not _lies_in("runs", folder):
        raise UsageError(f"{folder}: must be a folder in {runs_dir()}; remove it yourself if you mean it")


def _lies_in(home: str, folder: Path) -> bool:
    """Whether a folder is in that one of the data directory; what begins with a dot is being written or removed."""
    if not folder.name or folder.name.startswith("."):
        return False
    return os.path.realpath(folder.parent) == os.path.realpath(data_dir() / home) and os.path.isdir(folder)


def _ids() -> list[str]:
    """The names of all folders that may be runs; one that is being written or removed begins with a dot."""
    try:
        names = sorted(os.listdir(runs_dir()))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"{runs_dir()}: cannot be read: {error.strerror or error}") from None
    return [name for name in names if not name.startswith(".") and _is_listed(runs_dir() / name)]


def _is_listed(path: Path) -> bool:
    """Whether it is a folder, and no link to one that is listed here anyway."""
    return os.path.isdir(path) and not (path.is_symlink() and _lies_in("runs", Path(os.path.realpath(path))))


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
