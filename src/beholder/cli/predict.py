"""`beholder predict`: say what is in images."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final

from beholder.cli import nearby, printing
from beholder.cli.parsing import seconds, share, whole
from beholder.errors import EmptySource, SourceNotFound, UsageError

if TYPE_CHECKING:
    from beholder.cli.gallery import Gallery
    from beholder.image import Input, Isolation, Limits
    from beholder.model import FileModel, ModelCard
    from beholder.result import ImageFailure, Result

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
    parser.add_argument("--top", type=whole(0), default=5, metavar="K", help="how many labels to give; 0 for all (5)")
    parser.add_argument("--threshold", type=share, metavar="X", help="replace the model's thresholds, 0 to 1")
    parser.add_argument(
        "--coverage", type=share, metavar="X", help="how surely prediction sets hold the truth, as the card states it"
    )
    parser.add_argument(
        "--by-class", action="store_true", help="prediction sets that hold the truth so often for each class by itself"
    )
    output = parser.add_argument_group("output")
    form = output.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object a line")
    form.add_argument("--csv", action="store_true", help="comma-separated values")
    output.add_argument("--report", metavar="DIR", help="also write a gallery page into a new folder")
    output.add_argument("--force", action="store_true", help="replace an earlier report")
    speed = parser.add_argument_group("speed")
    speed.add_argument("--batch", type=whole(1), metavar="N", help="images computed together")
    speed.add_argument("--device", default="auto", help="auto, cpu, cuda, … (see: beholder doctor)")
    speed.add_argument("--exact", action="store_true", help="decode large JPEGs whole instead of at a reduced scale")
    safety = parser.add_argument_group("reading")
    safety.add_argument("--every", type=whole(1), default=1, metavar="N", help="of a video, one frame in N (1)")
    safety.add_argument("--isolate", action="store_true", help="decode every image in a process that can be killed")
    safety.add_argument("--max-pixels", type=whole(1), metavar="N", help="largest image, width times height")
    safety.add_argument("--max-bytes", type=whole(1), metavar="N", help="largest encoded image")
    safety.add_argument("--max-frames", type=whole(1), metavar="N", help="most frames of one video")
    safety.add_argument("--timeout", type=seconds, metavar="SECONDS", help="longest time to decode one image")


def run(args: argparse.Namespace) -> int:
    """Answer every image; see the module."""
    # The threads that numpy's linear algebra would start are not used here, and starting them takes a fifth of the time
    # to the first answer.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from beholder.cli.answers import closing
    from beholder.zoo import DEFAULT_MODEL, load

    check_sources(args.sources, "predict")
    limits = _limits(args)
    name = args.model or DEFAULT_MODEL
    if args.model is None and (hint := nearby.hint(os.curdir, DEFAULT_MODEL)):
        printing.warn(hint)
    model = load(name, device=args.device, limits=limits, isolation=_isolation(args), exact=args.exact)
    coverage = _coverage(args.coverage, model.card)
    started = time.perf_counter()
    counts = _answer(args, model, limits, coverage)
    if not (args.json or args.csv):
        closing(model.card, counts.done, counts.failed, time.perf_counter() - started, args.model is None)
    if counts.interrupted:
        printing.warn(f"beholder: interrupted; {args.report} shows what was answered until then")
        return 130
    if counts.done == 0 and counts.nothing_there == counts.failed:
        return 2
    return 1 if counts.failed else 0


class _Counts:
    def __init__(self) -> None:
        self.done = 0
        self.failed = 0
        self.nothing_there = 0
        self.interrupted = False

    def add(self, answer: Result | ImageFailure) -> None:
        """Count an answer."""
        kind = getattr(answer, "kind", None)  # of a failure
        self.done += kind is None
        self.failed += kind is not None
        self.nothing_there += kind in _NOTHING_THERE


def _coverage(wanted: float | None, card: ModelCard) -> float | None:
    """The stated coverage of the prediction sets that are given; nothing where the card has none."""
    return wanted if wanted is not None or card.prediction_sets is None else card.prediction_sets.coverages[0]


def _answer(args: argparse.Namespace, model: FileModel, limits: Limits, coverage: float | None) -> _Counts:
    """Answer, print and count; an interrupted report keeps what is done."""
    from beholder.cli.answers import printer
    from beholder.result import ImageFailure

    counts = _Counts()
    inputs = _inputs(args, limits)
    answers = model.predict_many(
        inputs,
        top=args.top,
        threshold=args.threshold,
        coverage=args.coverage,
        by_class=args.by_class,
        batch_size=args.batch,
    )
    show = printer("json" if args.json else "csv" if args.csv else "table", coverage)
    with printing.progress() as advance, _gallery(args, model, limits) as gallery:
        try:
            for answer in answers:
                advance()
                show(answer)
                if isinstance(answer, ImageFailure):
                    printing.warn(str(answer))
                counts.add(answer)
                if gallery is not None:
                    gallery.add(answer)
        except KeyboardInterrupt:
            if gallery is None:
                raise
            counts.interrupted = True
    return counts


def _gallery(args: argparse.Namespace, model: FileModel, limits: Limits) -> AbstractContextManager[Gallery | None]:
    if args.report is None:
        return nullcontext()
    from beholder.cli.gallery import Gallery

    return Gallery(args.report, model.card, overwrite=args.force, limits=limits, isolation=_isolation(args))


def _isolation(args: argparse.Namespace) -> Isolation:
    return "always" if args.isolate else "auto"


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
    return Limits(**{name: value for name, value in given.items() if value is not None})


def check_sources(sources: list[str], verb: str) -> None:
    """Refuse what is no image before anything is loaded.

    Args:
        sources: as they were given.
        verb: of the command, for the hint.

    Raises:
        UsageError: a model, or standard input twice or from a terminal.
    """
    if sources.count("-") > 1:
        raise UsageError("standard input (-) can be read once only")
    if "-" in sources and sys.stdin.isatty():
        raise UsageError(f"standard input (-) is a terminal; pipe an image into it: beholder {verb} - < cat.jpg")
    for source in sources:
        if _is_model(source):
            raise UsageError(
                f"{source}: is a model where images are expected; "
                f"pass it with --model: beholder {verb} IMAGES --model {source}"
            )


def _is_model(source: str) -> bool:
    """Whether a source is a model file, or a name of the zoo and nothing else."""
    from beholder.zoo.names import BUILTIN, pulled_path

    if os.path.exists(source):
        return source.lower().endswith(".onnx") and os.path.isfile(source)
    return source in BUILTIN or pulled_path(source).is_file()
