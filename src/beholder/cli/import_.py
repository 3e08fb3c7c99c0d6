"""`beholder import`: make a model file of an ONNX file from elsewhere."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from beholder.cli import printing
from beholder.cli.pull import made, summary
from beholder.errors import UsageError

if TYPE_CHECKING:
    from beholder.model import Geometry
    from beholder.zoo.importing.conventions import Conventions
    from beholder.zoo.importing.foreign import Foreign

_USUAL_MARGIN: Final = 256 / 224
"""How much longer than the input the shorter side is made before the center is kept, as is usual for ImageNet."""

_GRAY: Final = (114, 114, 114)
"""The usual color around a letterboxed image."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `import`."""
    parser.add_argument("file", metavar="FILE", help="ONNX file with its weights inside")
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="model file to make (./NAME.onnx, with - for what is unusual in a file's name; "
        "./NAME.beholder.onnx where that is FILE itself)",
    )
    parser.add_argument("--name", help="a short name for the card (that of FILE, without its suffix)")
    parser.add_argument("--task", choices=("classify", "embed"), default="classify", help="what it does (classify)")
    parser.add_argument("--labels", metavar="FILE", help="text file, a class name on each line, in their order")
    parser.add_argument("--force", action="store_true", help="replace an existing model file")
    parser.add_argument("--json", action="store_true", help="one JSON object: path, digests and the whole card")
    image = parser.add_argument_group("how an image becomes the input")
    image.add_argument("--size", metavar="N|HxW", help="height and width of the input (those of the graph)")
    image.add_argument("--method", choices=("resize_crop", "squash", "letterbox"), default="resize_crop")
    image.add_argument("--resize", type=int, metavar="N", help="resize_crop: the shorter side before the crop (N*8/7)")
    filters = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
    image.add_argument("--resample", choices=filters, default="bicubic", help="filter, antialiased (bicubic)")
    numbers = parser.add_argument_group(
        "what becomes of its numbers", "each channel, 0 to 255, becomes (value * scale - mean) / std"
    )
    numbers.add_argument("--scale", metavar="X|X/Y", help="1/255 makes 0 to 1 (1/255)")
    numbers.add_argument("--mean", metavar="A,B,C", help="ImageNet's is 0.485,0.456,0.406 (0,0,0)")
    numbers.add_argument("--std", metavar="A,B,C", help="ImageNet's is 0.229,0.224,0.225 (1,1,1)")
    numbers.add_argument("--bgr", action="store_true", help="it wants blue first")
    numbers.add_argument("--layout", choices=("auto", "nchw", "nhwc"), default="auto", help="where its channels are")
    answer = parser.add_argument_group("how its answer is read")
    answer.add_argument("--activation", choices=("auto", "softmax", "sigmoid", "none"), default="auto")
    answer.add_argument("--multi-label", action="store_true", help="several labels may hold of one image")
    answer.add_argument("--output", metavar="NAME", help="which of its outputs, where it has several")
    answer.add_argument("--embedding", default="auto", metavar="NAME|none", help="which tensor is the embedding")


def run(args: argparse.Namespace) -> int:
    """Make a model file; see the module."""
    from beholder.zoo.importing import import_model
    from beholder.zoo.importing.foreign import read_foreign
    from beholder.zoo.importing.labels import read_labels

    source = Path(args.file)
    name = args.name or source.stem
    conventions = _conventions(args)
    if args.task == "classify" and args.labels is None:
        raise UsageError("--labels: must name a text file with a class name on each line, in the order of the outputs")
    labels = None if args.labels is None else read_labels(args.labels)
    foreign = read_foreign(source)
    out = Path(args.out) if args.out else _free_out(source, name)
    card = import_model(
        foreign,
        out,
        name=name,
        geometry=_geometry(args, foreign, conventions),
        conventions=conventions,
        task=args.task,
        labels=labels,
        multi_label=args.multi_label or None,
        overwrite=args.force,
    )
    if foreign.takes_numbers and args.mean is None and args.std is None:
        scale = args.scale or "1/255"
        printing.warn(f"its pixels are multiplied by {scale} only; pass --mean and --std if it was trained with others")
    if args.json:
        printing.say(printing.as_json(made(out)))
        return 0
    printing.say(f"{name}: imported, {summary(out, card)}")
    printing.say(f"next: beholder predict photo.jpg --model {out}")
    return 0


def _free_out(source: Path, name: str) -> Path:
    """A file in the current folder that is named after the model and is not the source itself."""
    stem = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "model"
    out = Path(f"{stem}.onnx")
    return Path(f"{stem}.beholder.onnx") if out.exists() and source.exists() and out.samefile(source) else out


def _geometry(args: argparse.Namespace, foreign: Foreign, conventions: Conventions) -> Geometry:
    from beholder.model import Geometry
    from beholder.records import RecordError

    size_hw = _declared_size(foreign, conventions) if args.size is None else _size(args.size)
    resize = fill = None
    if args.method == "resize_crop":
        resize = round(max(size_hw) * _USUAL_MARGIN) if args.resize is None else args.resize
    elif args.resize is not None:
        raise UsageError(f"--resize: is for --method resize_crop, where {args.method} is asked for")
    if args.method == "letterbox":
        fill = _GRAY
    try:
        return Geometry(args.method, size_hw, resize=resize, resample=args.resample, fill=fill)
    except RecordError as error:
        raise UsageError("--" + str(error).replace("size_hw", "size")) from None


def _declared_size(foreign: Foreign, conventions: Conventions) -> tuple[int, int]:
    height, width = foreign.size_hw(foreign.layout(conventions.layout))
    if height is None or width is None:
        raise UsageError(f"--size: must be given, as {foreign.path} takes images of any size; such as --size 224")
    return height, width


def _conventions(args: argparse.Namespace) -> Conventions:
    from beholder.zoo.importing.conventions import Conventions

    return Conventions(
        scale=None if args.scale is None else _fraction(args.scale),
        mean=None if args.mean is None else _triple("mean", args.mean),
        std=None if args.std is None else _triple("std", args.std),
        order="bgr" if args.bgr else "rgb",
        layout=args.layout,
        activation=args.activation,
        output=args.output,
        embedding=None if args.embedding == "none" else args.embedding,
    )


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,5})(?:[xX×](\d{1,5}))?", text.strip(), re.ASCII)
    if found is None:
        raise UsageError(f"--size: must be a number, or height x width as in 224x320, found {text!r}")
    return int(found[1]), int(found[2] or found[1])


def _fraction(text: str) -> float:
    above, _, below = text.partition("/")
    try:
        return float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"--scale: must be a number or a fraction as in 1/255, found {text!r}") from None


def _triple(option: str, text: str) -> tuple[float, float, float]:
    parts = text.split(",")
    try:
        values = [float(part) for part in (parts * 3 if len(parts) == 1 else parts)]
        red, green, blue = values
    except ValueError:
        raise UsageError(f"--{option}: must be a number, or three with commas between, found {text!r}") from None
    return red, green, blue
