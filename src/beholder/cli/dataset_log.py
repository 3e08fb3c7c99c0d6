"""`beholder dataset corrections` and `undo`, and how every correction is added to the log and told."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beholder.cli import printing
from beholder.cli.data_options import add_data_options, read_data
from beholder.errors import RefusedCorrection, UsageError

if TYPE_CHECKING:
    from beholder.data import Change, Correction, CorrectionLog, Dataset


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare DATA and the options that all verbs of corrections have."""
    parser.add_argument("data", metavar="DATA", help="the dataset: folder of images, or a CSV or COCO file")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, a correction each")
    add_data_options(parser)


def add_undo_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `dataset undo`."""
    add_data_arguments(parser)
    parser.add_argument(
        "ids", metavar="ID", nargs="*", type=_numbers, help="number of: beholder dataset corrections, or a range: 3-125"
    )
    parser.add_argument("--all", action="store_true", help="every correction that holds")


def add_adopt_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `dataset adopt`."""
    add_data_arguments(parser)
    parser.add_argument("old", metavar="OLD", help="where the dataset was: the folder or file that was read there")


def _numbers(text: str) -> range:
    """Reads a number, or a range of them with both ends: `3-125`."""
    first, dash, last = text.partition("-")
    ends = [int(end) for end in (first, last if dash else first) if re.fullmatch(r"[0-9]{1,18}", end)]
    if len(ends) < 2 or not 1 <= ends[0] <= ends[1]:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, or a range such as 3-125, found {text!r}")
    return range(ends[0], ends[1] + 1)


def read_correctable(args: argparse.Namespace) -> Dataset:
    """Read a dataset that is to be corrected: labels that only look different are there to be merged, not refused."""
    if args.similar_labels == "refuse":
        args.similar_labels = "keep"
    return read_data(args.data, args)


def run_corrections(args: argparse.Namespace) -> int:
    """List the log; see the module."""
    from beholder.data import CorrectionLog

    content = CorrectionLog.of(read_correctable(args)).read()
    undone = content.undone_by()
    if not content.entries and not args.json:
        printing.say("nothing was corrected")
    for entry in content.entries:
        if args.json:
            printing.say(printing.as_json(described(entry, undone.get(entry.id))))
            continue
        state = f"  (undone by {undone[entry.id]})" if entry.id in undone else ""
        state += f"  (undoes {entry.undoes})" if entry.undoes is not None else ""
        when = entry.when.replace("T", " ").removesuffix("Z")
        printing.say(f"{entry.id:>4}  {when} UTC  {entry.by:<10}  {shown(entry.change)}{state}")
    return 0


def run_undo(args: argparse.Namespace) -> int:
    """Undo corrections, the newest first, so that none builds on another that is gone; see the module."""
    from beholder.data import CorrectionLog

    if args.all == bool(args.ids):
        raise UsageError("undo needs the numbers of corrections, or --all" + (", not both" if args.all else ""))
    log = CorrectionLog.of(read_correctable(args))
    refused: list[RefusedCorrection] = []
    numbers = _wanted(log, args)
    if not numbers:
        printing.warn("nothing to undo: no such correction holds")
    for number in sorted(numbers, reverse=True):
        try:
            added = log.undo(number)
        except RefusedCorrection as error:
            refused.append(error)
            printing.warn(str(error))
            continue
        if args.json:
            printing.say(printing.as_json(described(added)))
        else:
            printing.say(f"undone: {number}  (as {added.id}: {shown(added.change)})")
    return 2 if len(refused) == len(numbers) else 1 if refused else 0


def run_adopt(args: argparse.Namespace) -> int:
    """Take over the corrections that were made elsewhere; they speak of images by content; see the module."""
    from beholder.data import CorrectionLog

    dataset = read_correctable(args)
    log, old = CorrectionLog.of(dataset), CorrectionLog.of(replace(dataset, source=Path(args.old)))
    entries = old.read().effective()
    if old.path == log.path or not entries:
        raise UsageError(f"{args.old}: must be where corrections were made that still hold, found none")
    if log.read().effective():
        raise RefusedCorrection(f"{args.data}: has corrections of its own; undo them first, or make the others by hand")
    added = [one for who, part in groupby(entries, lambda entry: entry.by) for one in log.add(_changes(part), by=who)]
    printing.say(f"{len(added):,} correction{'' if len(added) == 1 else 's'} taken over from {args.old}")
    printing.warn(f"take them back with: {undo_command(added, args)}")
    return 0


def _changes(entries: Iterable[Correction]) -> list[Change]:
    return [entry.change for entry in entries]


def _wanted(log: CorrectionLog, args: argparse.Namespace) -> set[int]:
    """The numbers to undo: each that is named, and of a range those that hold; an undoing is only undone by name."""
    holding = [entry.id for entry in log.read().effective()]
    named = {one[0] for one in args.ids if len(one) == 1}
    return named.union(number for number in holding if args.all or any(number in one for one in args.ids))


def add_to_log(dataset: Dataset, args: argparse.Namespace, changes: Iterable[Change]) -> int:
    """Add changes to the log of a dataset, all or none, and tell them; returns the exit status."""
    from beholder.data import CorrectionLog

    added = CorrectionLog.of(dataset).add(changes)
    for entry in added:
        if args.json:
            printing.say(printing.as_json(described(entry)))
        else:
            printing.say(f"{entry.id:>4}  {shown(entry.change)}")
    if added and not args.json:
        printing.warn(f"no file was changed; take it back with: {undo_command(added, args)}")
    return 0


def undo_command(added: Sequence[Correction], args: argparse.Namespace) -> str:
    """The command that takes back corrections which were added together."""
    first, last = added[0].id, added[-1].id
    return f"beholder dataset undo {data_words(args)} {first if first == last else f'{first}-{last}'}"


def data_words(args: argparse.Namespace) -> str:
    """DATA with what chooses among its labels, each choice of which has a log of its own."""
    chosen = [("--format", args.format), ("--pattern", args.pattern), ("--label", args.label)]
    return shlex.join([args.data, *(word for name, value in chosen if value is not None for word in (name, value))])


def described(entry: Correction, undone_by: int | None = None) -> dict[str, Any]:
    """A correction as plain JSON values."""
    change = entry.change
    return {
        "id": entry.id,
        "what": change.what,
        "image": change.name,
        "digest": change.digest,
        "before": list(change.before),
        "after": list(change.after),
        "by": entry.by,
        "when": entry.when,
        "undoes": entry.undoes,
        "undone_by": undone_by,
    }


def shown(change: Change) -> str:
    """A change in words."""
    if change.what in ("merge", "unmerge", "rename"):
        return f"{change.what} {', '.join(change.before)} to {', '.join(change.after)}"
    return str(change)
