"""`beholder predict`: say what is in images."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from beholder.cli import printing
from beholder.errors import EmptySource, SourceNotFound, UsageError

if TYPE_CHECKING:
    from beholder.image import Input, Isolation, Limits
    from beholder.model import FileModel

_NOTHING_THERE: Final = (SourceNotFound.kind, EmptySource.kind)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `predict`."""
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="image, folder, 'pattern*.jpg', zip or tar archive, video, camera:0, or - for standard input",
    )
    parser.add_argument("--model", default=None, metavar="FILE|NAME", help="model file or name (see: beholder zoo)")
    parser.add_argument("--top", type=int, default=5, metavar="K", help="how many labels to give; 0 for all (5)")
    parser.add_argument("--threshold", type=float, metavar="X", help="replace the model's thresholds, 0 to 1")
    output = parser.add_argument_group("output")
    form = output.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object a line")
    form.add_argument("--csv", action="store_true", help="comma-separated values")
    output.add_argument("--report", metavar="DIR", help="also write a gallery page into a new folder")
    output.add_argument("--force", action="store_true", help="replace an earlier report")
    speed = parser.add_argument_group("speed")
    speed.add_argument("--batch", type=int, metavar="N", help="images computed together")
    speed.add_argument("--device", default="auto", help="auto, cpu, cuda, … (see: beholder doctor)")
    speed.add_argument("--exact", action="store_true", help="decode large JPEGs whole instead of at a reduced scale")
    safety = parser.add_argument_group("reading")
    safety.add_argument("--every", type=int, default=1, metavar="N", help="of a video, one frame in N (1)")
    safety.add_argument("--isolate", action="store_true", help="decode every image in a process that can be killed")
    safety.add_argument("--max-pixels", type=int, metavar="N", help="largest image, width times height")
    safety.add_argument("--max-bytes", type=int, metavar="N", help="largest encoded image")
    safety.add_argument("--max-frames", type=int, metavar="N", help="most frames of one video")
    safety.add_argument("--timeout", type=float, metavar="SECONDS", help="longest time to decode one image")


def run(args: argparse.Namespace) -> int:
    """Answer every image; see the module."""
    from beholder.zoo import DEFAULT_MODEL, load

    _check(args)
    limits = _limits(args)
    isolation: Isolation = "always" if args.isolate else "auto"
    name = args.model or DEFAULT_MODEL
    model = load(name, device=args.device, limits=limits, isolation=isolation, exact=args.exact)
    started = time.perf_counter()
    counts = _answer(args, model, _inputs(args, limits))
    if not (args.json or args.csv):
        printing.closing(model.card, counts.done, counts.failed, time.perf_counter() - started, args.model is None)
    if counts.done == 0 and counts.nothing_there == counts.failed:
        return 2
    return 1 if counts.failed else 0


class _Counts:
    def __init__(self) -> None:
        self.done = 0
        self.failed = 0
        self.nothing_there = 0


def _answer(args: argparse.Namespace, model: FileModel, inputs: Iterator[Input]) -> _Counts:
    from beholder.result import ImageFailure

    counts = _Counts()
    answers = model.predict_many(inputs, top=args.top, threshold=args.threshold, batch_size=args.batch)
    printer = printing.printer("json" if args.json else "csv" if args.csv else "table", model.card)
    with printing.progress() as advance, _gallery(args, model) as gallery:
        for answer in answers:
            advance()
            printer(answer)
            if isinstance(answer, ImageFailure):
                counts.failed += 1
                counts.nothing_there += answer.kind in _NOTHING_THERE
                printing.warn(str(answer))
            else:
                counts.done += 1
            if gallery is not None:
                gallery.add(answer)
    return counts


def _gallery(args: argparse.Namespace, model: FileModel) -> Any:
    from contextlib import nullcontext

    if args.report is None:
        return nullcontext()
    from beholder.cli.gallery import Gallery

    return Gallery(args.report, model.card, overwrite=args.force)


def _inputs(args: argparse.Namespace, limits: Limits) -> Iterator[Input]:
    from beholder.image import expand

    for source in args.sources:
        yield from expand(source, limits, every=args.every, note=printing.warn)


def _limits(args: argparse.Namespace) -> Limits:
    from beholder.image import Limits

    given = {
        "max_pixels": args.max_pixels,
        "max_bytes": args.max_bytes,
        "max_frames": args.max_frames,
        "timeout_seconds": args.timeout,
    }
    for option, value in given.items():
        if value is not None and value <= 0:
            raise UsageError(f"--{option.removesuffix('_seconds').replace('_', '-')}: must be above 0, found {value}")
    return Limits(**{name: value for name, value in given.items() if value is not None})


def _check(args: argparse.Namespace) -> None:
    if args.every < 1:
        raise UsageError(f"--every: must be at least 1, found {args.every}")
    if args.sources.count("-") > 1:
        raise UsageError("standard input (-) can be read once only")
    if "-" in args.sources and sys.stdin.isatty():
        raise UsageError("standard input (-) is a terminal; pipe an image into it: beholder predict - < cat.jpg")
