"""`beholder runs remove`: remove run folders, or what unfinished trainings keep; without `--force` only say which."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from beholder.cli import printing
from beholder.cli.runs_wording import add_runs, moment
from beholder.errors import OutputFailed, UsageError

if TYPE_CHECKING:
    from beholder.training.history import Unfinished


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `runs remove`."""
    add_runs(parser, "*")
    parser.add_argument("--unfinished", action="store_true", help="what interrupted trainings keep to go on, instead")
    parser.add_argument("--force", action="store_true", help="do it; without it, only say what would be removed")


class _Doomed(NamedTuple):
    """A folder, and what is said of it."""

    folder: Path
    words: str


def run(args: argparse.Namespace) -> int:
    """Remove; see the module."""
    from beholder.training.history import remove_folder

    if args.unfinished == bool(args.runs):
        raise UsageError("remove needs runs, or --unfinished" + (", not both" if args.runs else "; see: beholder runs"))
    doomed = _unfinished() if args.unfinished else _named(args.runs)
    if not args.force:
        for one in doomed:
            printing.say(f"would remove {one.words}")
        if doomed:
            printing.warn("nothing was removed; add --force to remove it for good")
        return 2 if doomed else 0
    failed = 0
    for one in doomed:
        try:
            remove_folder(one.folder)
        except (OutputFailed, UsageError) as error:  # it cannot be, or may be running again by now
            failed += 1
            printing.warn(str(error))
        else:
            printing.say(f"removed {one.words}")
    return 0 if not failed else 2 if failed == len(doomed) else 1


def _named(texts: list[str]) -> list[_Doomed]:
    """The runs that are named, each so that no other can be meant; a damaged one can be removed too."""
    from beholder.training.history import find_folder
    from beholder.training.history.finding import require_among_runs

    folders = [find_folder(text, sure=True) for text in texts]
    for folder in folders:
        require_among_runs(folder)
    once = {folder.name: folder for folder in folders}
    return [_Doomed(folder, _words(folder)) for folder in once.values()]


def _words(folder: Path) -> str:
    from beholder.training.history import read_run

    try:
        found = read_run(folder)
    except UsageError:
        return f"{folder}, which is no whole run"
    model = f", with its copy of {found.model.name}" if found.model is not None else ""
    return f"{found.id}: {found.made}, {moment(found.when)} UTC{model}"


def _unfinished() -> list[_Doomed]:
    """What rests; a training that may be running would lose all its work."""
    from beholder.training.history import list_unfinished

    found = list_unfinished()
    for one in found:
        if one.may_be_running:
            printing.warn(f"left alone: {_told(one)}: it may be running; an hour after its end it can be removed")
    resting = [_Doomed(one.folder, _told(one)) for one in found if not one.may_be_running]
    if not found:
        printing.warn("no training is unfinished")
    return resting


def _told(one: Unfinished) -> str:
    return f"{one.folder}, {printing.shown_size(one.byte_size)}, last written {moment(one.touched)} UTC"
