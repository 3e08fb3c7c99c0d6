"""`beholder compare`: whether a second model is better than a first one on the same images."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from beholder.cli import printing
from beholder.cli.data_options import add_data_options, add_split_option, read_data, refuse_swapped, split_of
from beholder.cli.evaluate import STEPS, shown, warn_of_left_out
from beholder.cli.parsing import whole

if TYPE_CHECKING:
    from beholder.evaluation import Comparison


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `compare`."""
    parser.add_argument("first", metavar="MODEL", help="model file or name, such as the one in use")
    parser.add_argument("second", metavar="MODEL", help="the one to replace it")
    parser.add_argument("data", metavar="DATA", help="folder with a folder for each class, or a CSV or COCO file")
    parser.add_argument(
        "--metric",
        choices=("top1", "map", "macro_f1", "micro_f1"),
        help="what to compare (top1; map where images have several labels)",
    )
    add_split_option(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, … (see: beholder doctor)")
    parser.add_argument("--seed", type=whole(0), default=0, metavar="N", help="of the interval's resamples (0)")
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Compare; see the module."""
    refuse_swapped([args.first, args.second], args.data)
    from beholder.evaluation import UNREADABLE, compare
    from beholder.zoo import load

    dataset = read_data(args.data, args)
    with (
        load(args.first, device=args.device) as first,
        load(args.second, device=args.device) as second,
        printing.steps(STEPS) as report,
    ):
        found = compare(first, second, dataset, split=split_of(args), metric=args.metric, report=report, seed=args.seed)
    if found.models[0] == found.models[1]:
        found = replace(found, models=(args.first, args.second))
    if args.json:
        printing.say(printing.as_json(found.to_dict()))
    else:
        _tell(found, (args.first, args.second))
    warn_of_left_out(found.left_out, [note for note in found.notes if note not in dataset.notes])
    return 1 if any(one.reason == UNREADABLE for one in found.left_out) else 0


def _tell(found: Comparison, files: tuple[str, str]) -> None:
    from beholder.evaluation.report import images

    first, second = files
    printing.say(_verdict(found, first, second))
    width = max(len("difference"), len(first), len(second))
    for name, measured in ((first, found.first), (second, found.second)):
        printing.say(f"{name:<{width}}  {shown(measured)}")
    printing.say(f"{'difference':<{width}}  {_difference(found)}")
    if found.only_first_right is not None and found.only_second_right is not None:
        printing.say(f"Only {first} is right on {images(found.only_first_right)}")
        printing.say(f"Only {second} is right on {images(found.only_second_right)}")


def _verdict(found: Comparison, first: str, second: str) -> str:
    """Better, worse, or cannot tell, in a sentence."""
    from beholder.evaluation.report import about
    from beholder.evaluation.report.wording import METRIC_WORDS

    metric = METRIC_WORDS[found.metric][0]
    if found.verdict != "cannot tell":
        return f"{second} is {found.verdict} than {first}, by {metric}"
    if found.more_images is None:
        return f"Cannot tell which is better, by {metric}: no difference is in sight"
    return f"Cannot tell which is better, by {metric}: {about(found.more_images)} more images would tell"


def _difference(found: Comparison) -> str:
    measured = found.difference
    if measured.value is None or measured.low is None or measured.high is None:
        return "not measured"
    points = [f"{100 * value:+.1f}" for value in (measured.value, measured.low, measured.high)]
    return f"{points[0]} points  (between {points[1]} and {points[2]}, p = {found.p:.2g}, on {measured.count:,} images)"
