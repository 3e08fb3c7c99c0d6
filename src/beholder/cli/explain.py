"""`beholder explain`: show where in an image an answer comes from."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from beholder.cli import printing
from beholder.errors import EmptySource, ImageError, OutputExists, SourceNotFound, UsageError

if TYPE_CHECKING:
    from beholder.evaluation.explaining import Explanation
    from beholder.image import Input
    from beholder.model import FileModel

_PICTURES: Final = (".png", ".jpg", ".jpeg")
_LONGEST_NAME: Final = 80
_HARDLY: Final = 0.05
"""Confidence that the marked part must take with it, to carry the answer."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `explain`."""
    parser.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="image, folder, 'pattern*.jpg', zip or tar archive, video, or -"
    )
    parser.add_argument("--model", default=None, metavar="FILE|NAME", help="model file or name (see: beholder zoo)")
    parser.add_argument("--label", metavar="NAME", help="what to explain; the best label of each image when left out")
    parser.add_argument(
        "--out", metavar="FILE|DIR", help="picture to make of one image (.png or .jpg), or folder for those of many"
    )
    parser.add_argument("--force", action="store_true", help="replace existing pictures")
    parser.add_argument("--json", action="store_true", help="one JSON object a line; pictures with --out only")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, … (see: beholder doctor)")


def run(args: argparse.Namespace) -> int:
    """Explain every image; see the module."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads would only stand in the way of the model's
    from beholder.cli.predict import check_sources
    from beholder.evaluation.explaining import index_of
    from beholder.zoo import DEFAULT_MODEL, load

    check_sources(args.sources, "explain")
    pictures = _Pictures(args.out, wanted=args.out is not None or not args.json, overwrite=args.force)
    model = load(args.model or DEFAULT_MODEL, device=args.device)
    if args.label is not None:
        index_of(model, args.label)  # refused before any image is read
    return _explain_all(args, model, pictures)


def _explain_all(args: argparse.Namespace, model: FileModel, pictures: _Pictures) -> int:
    from beholder.evaluation.explaining import explain
    from beholder.result import ImageFailure

    done, failed, nothing_there = 0, 0, 0
    with printing.progress() as advance:
        for found in pictures.checked(_inputs(args.sources)):
            try:
                explanation = explain(model, found, label=args.label)
            except ImageError as error:
                failed += 1
                nothing_there += isinstance(error, SourceNotFound | EmptySource)
                failure = ImageFailure.from_error(error, frame=found.frame)
                if args.json:
                    printing.say(printing.as_json(failure.to_dict()))
                printing.warn(str(failure))
                continue
            advance()
            done += 1
            path = pictures.save(explanation)
            if args.json:
                printing.say(printing.as_json({**explanation.to_dict(), "picture": path}))
            else:
                printing.say(f"{explanation}{_verdict(explanation)}; {path}")
    if done == 0 and nothing_there == failed:
        return 2
    return 1 if failed else 0


def _verdict(explanation: Explanation) -> str:
    """What it means where hiding the marked part takes hardly anything."""
    hardly = explanation.marked.any() and explanation.drop < _HARDLY <= explanation.confidence
    return ": no single part of the image carries the answer" if hardly else ""


def _inputs(sources: list[str]) -> Iterator[Input]:
    from beholder.image import Limits, expand

    for source in sources:
        yield from expand(source, Limits(), note=printing.warn)


class _Pictures:
    """Where the pictures go, and what they are called.

    Args:
        out: a picture, or a folder; the current folder when left out.
        wanted: whether there are any.
        overwrite: whether existing ones may be replaced.

    Raises:
        OutputExists: the one picture exists already.
    """

    def __init__(self, out: str | None, *, wanted: bool, overwrite: bool) -> None:
        self._is_wanted, self._overwrite = wanted, overwrite
        self._one = out if out is not None and out.lower().endswith(_PICTURES) and not os.path.isdir(out) else None
        self._folder = Path(out) if out is not None and self._one is None else Path()
        self._taken: set[str] = set()
        if self._one is not None and os.path.lexists(self._one) and not overwrite:
            raise OutputExists(f"{self._one}: exists already; choose another name or pass --force")

    def checked(self, inputs: Iterator[Input]) -> Iterator[Input]:
        """The same inputs; a second one is refused where one picture is named, before the first is explained."""
        if self._one is None:
            yield from inputs
            return
        first = next(inputs, None)
        if next(inputs, None) is not None:
            raise UsageError(f"--out {self._one} names one picture, and there are several images; name a folder")
        if first is not None:
            yield first

    def save(self, explanation: Explanation) -> str | None:
        """Make the picture of one image; returns its path, or None where none is wanted."""
        if not self._is_wanted:
            return None
        path = self._one or str(self._folder / self._free_name(explanation))
        explanation.save(path, overwrite=self._overwrite)
        return path

    def _free_name(self, explanation: Explanation) -> str:
        """Images of the same name in several folders must not replace each other."""
        moment = "" if explanation.frame is None else f"-{explanation.frame}"
        plain = f"{_plain(Path(explanation.source).stem)}{moment}-{_plain(explanation.label)}"
        name, number = f"{plain}.png", 1
        while name.lower() in self._taken:
            number += 1
            name = f"{plain}-{number}.png"
        self._taken.add(name.lower())
        return name


def _plain(text: str) -> str:
    """Text as a part of a file's name on any system."""
    return re.sub(r"[^\w.+-]+", "-", text).strip("-.")[:_LONGEST_NAME] or "image"
