"""`beholder evaluate`: how good a model is, measured on images whose truth is known."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from beholder.cli import printing
from beholder.cli.data_options import add_data_options, add_split_option, read_data, refuse_swapped, split_of
from beholder.cli.parsing import whole

if TYPE_CHECKING:
    from beholder.data import Dataset
    from beholder.evaluation import Estimate, Evaluation
    from beholder.evaluation.parts import LeftOut, StrangerKind
    from beholder.evaluation.report import Thumbnails

STEPS: Final = {
    "reading": "reading files",
    "answering": "answering",
    "strangers": "answering strangers",
    "measuring": "measuring",
}

_SHOWN_PARTS: Final = 3
"""So many parts of the images that differ from the whole are listed on a terminal."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `evaluate`."""
    parser.add_argument("model", metavar="MODEL", help="model file or name (see: beholder zoo)")
    parser.add_argument("data", metavar="DATA", help="folder with a folder for each class, or a CSV or COCO file")
    parser.add_argument(
        "--unknown",
        action="append",
        default=[],
        metavar="[far=|near=]DIR",
        help="images of nothing known; far: another kind of image, near: other classes of the same kind",
    )
    add_split_option(parser)
    parser.add_argument("--report", metavar="DIR|FILE.html", help="also write a page about it, and its JSON")
    parser.add_argument("--force", action="store_true", help="replace an earlier report")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, … (see: beholder doctor)")
    parser.add_argument("--seed", type=whole(0), default=0, metavar="N", help="of the intervals' resamples (0)")
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate; see the module."""
    refuse_swapped([args.model], args.data)
    from beholder.evaluation import UNREADABLE, evaluate
    from beholder.evaluation.report import require_free, write_report
    from beholder.zoo import load

    if args.report is not None and not args.force:
        require_free(args.report)
    unknown = _unknown(args.unknown)
    dataset = read_data(args.data, args)
    with load(args.model, device=args.device) as model, printing.steps(STEPS) as report:
        found = evaluate(model, dataset, split=split_of(args), unknown=unknown, report=report, seed=args.seed)
    if os.path.isfile(args.model):
        found = replace(found, model=Path(args.model).name)
    page = None
    if args.report is not None:
        page = write_report(found, args.report, _thumbnails(dataset, found), overwrite=args.force)
    if args.json:
        printing.say(printing.as_json(found.to_dict()))
    else:
        _tell(found, page)
    warn_of_left_out(found.left_out, [note for note in found.notes if note not in dataset.notes])
    return 1 if any(one.reason == UNREADABLE for one in found.left_out) else 0


def warn_of_left_out(left_out: tuple[LeftOut, ...], notes: list[str]) -> None:
    """Say on standard error what was not measured, and what else a reader should know."""
    from beholder.evaluation import UNREADABLE

    for one in left_out:
        if one.reason != UNREADABLE:  # a note names them
            printing.warn(f"left out {one.count:,} image{'' if one.count == 1 else 's'}: {one.reason}")
    for note in notes:
        printing.warn(note)


def _unknown(words: list[str]) -> dict[StrangerKind, list[str]]:
    """Where the strangers of each kind are; a word that names no kind is a path."""
    kinds: tuple[StrangerKind, ...] = ("far", "near", "given")
    places: dict[StrangerKind, list[str]] = {}
    for word in words:
        kind = next((kind for kind in kinds if word.startswith(f"{kind}=")), None)
        places.setdefault(kind or "given", []).append(word if kind is None else word[len(kind) + 1 :])
    return places


def _thumbnails(dataset: Dataset, found: Evaluation) -> Thumbnails:
    """Small pictures of images of the data, and of strangers from elsewhere, whose names are their paths."""
    from beholder.data import Sample
    from beholder.evaluation.report import thumbnails_of

    named = {sample.name for sample in (*dataset.samples, *dataset.strangers)}
    elsewhere = [Sample(Path(one.source), one.source) for one in found.answered_strangers if one.source not in named]
    return thumbnails_of(replace(dataset, strangers=(*dataset.strangers, *elsewhere)))


def _tell(found: Evaluation, page: Path | None) -> None:
    """The headline, what to take away, the numbers that matter, and on what they were measured."""
    from beholder.evaluation.report import headlines, key_numbers, measured_on, summary

    for headline in headlines(found):
        printing.say(str(headline))
    for sentence in summary(found):
        printing.say(f"  {sentence}")
    numbers = key_numbers(found)
    width = max((len(title) for title, _ in numbers), default=0)
    for title, measured in numbers:
        printing.say(f"{title:<{width}}  {shown(measured)}")
    for line in _differing(found):
        printing.say(line)
    printing.say(measured_on(found))
    if page is not None:
        printing.say(f"report  {page}")


def _differing(found: Evaluation) -> list[str]:
    """A line for each of the parts of the images that differ most from the whole, and how many more do."""
    overall = found.metrics["micro_f1" if found.multi_label else "top1"].value or 0.0
    differing = [one for one in found.slices if one.differs is not None]
    differing.sort(key=lambda one: -abs((one.estimate.value or 0.0) - overall))
    what = "F1 of the labels" if found.multi_label else "first answer right on"
    lines = [
        f"{one.differs} the whole: {one.column} = {'(no value)' if one.value is None else one.value}: {what}"
        f" {shown(one.estimate).lstrip()}"
        for one in differing[:_SHOWN_PARTS]
    ]
    rest = len(differing) - _SHOWN_PARTS
    return lines + ([f"and {rest:,} more {'part' if rest == 1 else 'parts'}; see --report"] if rest > 0 else [])


def shown(measured: Estimate) -> str:
    """A share with its interval and count, for a person."""
    from beholder.evaluation.report import percent

    if measured.value is None or measured.low is None or measured.high is None:
        return "not measured"
    between = f"between {percent(measured.low)} and {percent(measured.high)}"
    return f"{percent(measured.value):>6}  ({between}, of {measured.count:,})"
