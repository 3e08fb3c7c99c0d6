"""`beholder audit`: what is wrong with a dataset, and what to do about it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from beholder.cli import printing
from beholder.cli.data_options import add_data_options, read_data
from beholder.errors import UsageError
from beholder.records import nearest

if TYPE_CHECKING:
    from beholder.auditing import Audit, Kind
    from beholder.data import Change, Dataset

_STEPS: Final = {
    "reading": "reading files",
    "looking": "looking at images",
    "fitting": "fitting a head to judge the labels",
    "comparing": "comparing images that could be the same",
    "judging": "judging",
    "done": "done",
}
_SHOWN: Final = 3
"""Findings of each kind that are printed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `audit`."""
    parser.add_argument("data", metavar="DATA", help="folder with a folder for each class, or a CSV or COCO file")
    parser.add_argument("--fix", action="store_true", help="write corrections; the files stay as they are")
    parser.add_argument(
        "--only", action="append", default=[], metavar="KIND", help="findings of this kind; may be given several times"
    )
    parser.add_argument("--report", metavar="DIR|FILE.html", help="also write a page with the images")
    parser.add_argument("--force", action="store_true", help="replace an earlier page")
    parser.add_argument("--quick", action="store_true", help="leave out wrong labels and cropped copies")
    parser.add_argument("--backbone", metavar="FILE|NAME", help="what images are compared by (efficientnet-lite0)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the folds that labels are judged by (0)")
    parser.add_argument("--json", action="store_true", help="one JSON object for each finding")
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Audit; see the module."""
    from beholder.auditing import audit
    from beholder.training import Recipe

    kinds = _kinds(args.only)
    if args.force and args.report is None:
        raise UsageError("--force replaces a page, and needs --report")
    recipe = Recipe(seed=args.seed) if args.backbone is None else Recipe(seed=args.seed, backbone=args.backbone)
    dataset = read_data(args.data, args)
    with printing.steps(_STEPS) as report:
        done = audit(dataset, backbone=recipe.backbone, recipe=recipe, quick=args.quick, report=report)
    for note in done.notes[len(dataset.notes) :]:
        printing.warn(note)
    done = replace(done, findings=tuple(found for found in done.findings if found.kind in kinds))
    if args.json:
        for found in done.findings:
            printing.say(printing.as_json(found.to_dict()))
    else:
        _tell(done)
    if args.report is not None:
        _write(done, dataset, args)
    _fix(done, dataset, kinds if args.only else None, args)
    return 0


def _kinds(only: list[str]) -> tuple[Kind, ...]:
    from beholder.auditing import KINDS

    unknown = next((kind for kind in only if kind not in KINDS), None)
    if unknown is not None:
        raise UsageError(f"--only: no kind {unknown!r}; {nearest(unknown, list(KINDS))}")
    return tuple(kind for kind in KINDS if not only or kind in only)


def _tell(done: Audit) -> None:
    """What was found, for a person: each kind with its first few."""
    from beholder.auditing.finding import WORDS

    printing.say(done.summary)
    for kind, count in done.counts().items():
        found = done.of_kind(kind)
        printing.say("")
        printing.say(f"{found[0].severity}: {count:,} {WORDS[kind][count != 1]} ({kind})")
        for one in found[:_SHOWN]:
            printing.say(f"  {one.source}")
            printing.say(f"    {one.reason}")
            if one.proposal is not None:
                printing.say(f"    {one.proposal}")
        if count > _SHOWN:
            printing.say(f"  and {count - _SHOWN:,} more")


def _write(done: Audit, dataset: Dataset, args: argparse.Namespace) -> None:
    from beholder.auditing.page import write_page
    from beholder.evaluation.report import thumbnails_of

    page = write_page(done, args.report, thumbnails_of(dataset), place=args.data, overwrite=args.force)
    printing.warn(f"page    {page}")


def _fix(done: Audit, dataset: Dataset, kinds: tuple[Kind, ...] | None, args: argparse.Namespace) -> None:
    """Write the corrections, or say what would be written."""
    from beholder.auditing import changes_of
    from beholder.cli.dataset_log import data_words, undo_command
    from beholder.data import CorrectionLog
    from beholder.data.corrections import by_audit

    changes = changes_of(done.findings, kinds)
    place = data_words(args)
    if changes and args.fix:
        made = CorrectionLog.of(dataset).add(changes, by=by_audit())
        printing.warn(f"fixed   {_in_words(changes)}; the files are as they were, and whatever reads them uses this")
        printing.warn(f"see     beholder dataset corrections {place}")
        printing.warn(f"undo    {undo_command(made, args)}")
    elif changes:
        printing.warn(f"fix     beholder audit {place} --fix{_again(args)}  would {_in_words(changes)}")
    elif args.fix:
        printing.warn("nothing to fix: no finding has a change that is safe to make without a look")
    _tell_labels_left(done, changes, place)


def _tell_labels_left(done: Audit, changes: Sequence[Change], place: str) -> None:
    """Say how many labels are left alone, and how to correct them knowingly."""
    changed = {change.name for change in changes}
    left = [found for found in done.of_kind("label_issue") if found.source not in changed]
    if not left:
        return
    sure = sum(found.change is not None for found in left)
    count = f"{len(left):,} {'label is' if len(left) == 1 else 'labels are'}"
    printing.warn(f"labels  {count} left as given; one by one: beholder dataset relabel {place} IMAGE LABEL")
    if sure:
        at_once = f"beholder audit {place} --fix --only label_issue"
        printing.warn(f"        the {sure:,} surest at once, unseen, though many can be wrong: {at_once}")


def _again(args: argparse.Namespace) -> str:
    return "".join(f" --only {kind}" for kind in args.only)


def _in_words(changes: list[Change]) -> str:
    """`leave out 3 images and relabel 2`."""
    out = sum(change.what == "exclude" for change in changes)
    labels = sum(change.what == "relabel" for change in changes)
    parts = [f"leave out {out:,}"] if out else []
    parts += [f"relabel {labels:,}"] if labels else []
    return f"{' and '.join(parts)} image{'' if out + labels == 1 else 's'}"
