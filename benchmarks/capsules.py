"""A capsule network beside convolutional networks of as many parameters: also on garments that are turned and moved.

All learn from the same training images of Fashion-MNIST for the same minutes, once as they are and once varied as usual
(`augment`), and are tested on its 10,000 test images as they are, turned by 10 to 45 degrees one way or the other, and
moved by 2 to 6 pixels in one of eight directions; what comes in is black. Which way is drawn for each image by seed 0.
The others are of the dictionary too, at the width at which they have nearly as many parameters.

What is done is kept as a line of JSON in the work folder: the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

import beholder
from beholder.data import Dataset
from beholder.evaluation import proportion
from beholder.training import Recipe
from beholder.training.networks.architectures import Spec
from figures import Row, arguments, parse, report_table
from training_sets import Kept, fashion, made_by, prepare, tell, train, training_arguments

CAPSULES = "capsnet"
ANGLES = (10, 20, 30, 45)
STEPS = (2, 4, 6)
DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
AUGMENTATIONS = {"none": "augment=none", "usual": "augment=auto"}
WIDEST = 4.0

Images = NDArray[np.uint8]


def main() -> int:
    parser = arguments(__doc__, peers=False)
    training_arguments(parser, train=10_000)
    parser.add_argument("--width", type=float, default=0.25, help="of the capsule network")
    parser.add_argument("--against", nargs="+", default=["vgg11-bn", "resnet18"], help="the convolutional networks")
    parser.add_argument("--minutes", type=float, default=5.0, help="of fitting, for each")
    parser.add_argument("--epochs", type=int, default=100, help="how often each image is seen at most")
    args = parse(parser)
    work = prepare(args)
    dataset = fashion(work, args)
    tests = _tests(dataset)
    folder = work / "capsules" / f"{args.train}-{args.test}-{args.minutes:g}-{args.epochs}-{made_by(args, __file__)}"
    kept = Kept(folder.with_name(f"{folder.name}.jsonl"))
    spec = Spec(len(dataset.classes), 28, channels=1)
    parameters = _parameters(CAPSULES, args.width, spec)
    widths = {CAPSULES: args.width} | {name: _width(name, parameters, spec) for name in args.against}
    rows = []
    for augmentation in AUGMENTATIONS:
        for name, width in widths.items():
            entry = kept.get(
                f"{name} {width:.4f} {augmentation}",
                lambda n=name, w=width, a=augmentation: _tried(dataset, tests, n, w, a, folder, args),
            )
            rows.append(_row(entry, widths[name], augmentation))
    notes = [
        f"{args.minutes:g} minutes of fitting each at most, from random weights; "
        f"{_count(dataset, 'train'):,} images learned from, {_count(dataset, 'test'):,} tested; 95% intervals",
        "augmentation: none, or " + ", ".join(rows[-1].details["entry"]["facts"]["augment"]),
    ]
    return report_table(args, "Capsules", notes, rows)


def _tried(
    dataset: Dataset,
    tests: Mapping[str, tuple[list[Images], list[str]]],
    name: str,
    width: float,
    augmentation: str,
    folder: Path,
    args: argparse.Namespace,
) -> Mapping[str, Any]:
    """One network, trained and asked."""
    tell(f"{name}, width {width:.3g}, augmentation {augmentation}")
    settings = [f"architecture={name}", f"width={width}", "weights=none", AUGMENTATIONS[augmentation]]
    settings += [f"minutes={args.minutes:g}", f"epochs={args.epochs}", "cross_validate=no"]
    out = folder / f"{name}-{augmentation}-{folder.name}.onnx"  # a training is gone on with by the name of its file
    trained = train(dataset, out, Recipe().with_settings(settings))
    right: dict[str, int] = {}
    with beholder.load(trained.model) as model:
        for test, (images, labels) in tests.items():
            said = [result.labels[0].name for result in model.predict_many(images, top=1)]
            right[test] = sum(own == label for own, label in zip(said, labels, strict=True))
    return {**trained.to_dict(), "name": name, "right": right, "tested": _count(dataset, "test")}


def _row(entry: Mapping[str, Any], width: float, augmentation: str) -> Row:
    facts = entry["facts"]
    cells = {
        "network": f"{entry['name']} (width {width:.3g})",
        "augmentation": augmentation,
        "parameters": f"{facts['parameters'] / 1e6:.2f} M",
        "epochs": f"{entry['epochs']:.1f}",
    }
    for test, right in entry["right"].items():
        found = proportion(right, entry["tested"])
        cells[test] = f"{found.value:.1%} ({found.low:.1%}–{found.high:.1%})"
    return Row(cells, {"entry": dict(entry)})


def _tests(dataset: Dataset) -> dict[str, tuple[list[Images], list[str]]]:
    """The test images as they are, turned and moved, with their labels."""
    samples = [sample for sample in dataset.samples if sample.split == "test"]
    labels = [sample.labels[0] for sample in samples]
    grey = [np.asarray(PIL.Image.open(sample.path).convert("L")) for sample in samples]
    random = np.random.default_rng(0)
    signs, ways = random.choice((-1, 1), len(grey)), random.integers(0, len(DIRECTIONS), len(grey))
    tests = {"as they are": grey}
    for angle in ANGLES:
        tests[f"turned {angle}°"] = [_turned(image, angle * int(sign)) for image, sign in zip(grey, signs, strict=True)]
    for step in STEPS:
        tests[f"moved {step} pixels"] = [
            _moved(image, *(step * part for part in DIRECTIONS[way])) for image, way in zip(grey, ways, strict=True)
        ]
    return {name: ([np.stack([image] * 3, axis=-1) for image in images], labels) for name, images in tests.items()}


def _turned(image: Images, degrees: int) -> Images:
    return np.asarray(PIL.Image.fromarray(image).rotate(degrees, PIL.Image.Resampling.BILINEAR))


def _moved(image: Images, down: int, right: int) -> Images:
    moved = np.zeros_like(image)
    height, width = image.shape
    place = slice(max(0, down), height + min(0, down)), slice(max(0, right), width + min(0, right))
    source = slice(max(0, -down), height + min(0, -down)), slice(max(0, -right), width + min(0, -right))
    moved[place] = image[source]
    return moved


def _width(name: str, parameters: int, spec: Spec) -> float:
    """The width at which a network has as nearly so many parameters as its steps of channels allow."""
    low, high = 0.02, WIDEST
    for _ in range(14):
        middle = (low + high) / 2
        low, high = (middle, high) if _parameters(name, middle, spec) < parameters else (low, middle)
    found = round(min((low, high), key=lambda width: abs(_parameters(name, width, spec) - parameters)), 4)
    tell(f"{name}: width {found:g} has {_parameters(name, found, spec):,} parameters, {CAPSULES} {parameters:,}")
    return found


def _parameters(name: str, width: float, spec: Spec) -> int:
    from beholder.training.networks.counting import count

    return count(name, replace(spec, width=width)).parameters


def _count(dataset: Dataset, split: str) -> int:
    return sum(sample.split == split for sample in dataset.samples)


if __name__ == "__main__":
    sys.exit(main())
