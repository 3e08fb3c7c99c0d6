"""Every architecture of the dictionary on the same images, beside what was usual before networks; one table.

10,000 training images of Fashion-MNIST, drawn alike of each class by seed 0, and its 10,000 test images. Each network
is trained from random weights for the same minutes by the usual recipe; a tenth of the images is held out for
confidence. Where the full width would hardly see the images once in that time, `WIDTHS` has a narrower one. Then every
classical feature with every classifier (`beholder baselines`), fitted on all 10,000; and last, one model file after
another in turns, how fast ONNX Runtime runs what was exported.

What is done is kept as a line of JSON in the work folder: the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import beholder
from beholder.data import ContentCache, Dataset
from beholder.errors import BeholderError
from beholder.image import Limits, expand
from beholder.records import to_json
from beholder.training import Recipe
from beholder.training.networks.architectures import ARCHITECTURES, Spec
from figures import Row, arguments, parse, report_table
from training_sets import Kept, fashion, percent, prepare, tell, train, training_arguments

WIDTHS = {
    "alexnet": 0.5,
    "vgg11": 0.5,
    "vgg11-bn": 0.5,
    "vgg13": 0.25,
    "vgg13-bn": 0.25,
    "vgg16": 0.25,
    "vgg16-bn": 0.25,
    "vgg19": 0.25,
    "vgg19-bn": 0.25,
    "resnet18": 0.5,
    "resnet34": 0.5,
    "resnet50": 0.5,
    "resnet101": 0.25,
    "resnet152": 0.25,
    "capsnet": 0.5,
    "mobilenet-v4-medium": 0.5,
    "nasnet-mobile": 0.5,
    "nasnet-large": 0.25,
    "efficientnet-b1": 0.5,
    "efficientnet-b2": 0.5,
    "efficientnet-b3": 0.5,
    "efficientnet-b4": 0.25,
    "efficientnet-lite2": 0.5,
    "efficientnet-lite3": 0.5,
    "efficientnet-lite4": 0.25,
    "vit-tiny": 0.5,
    "vit-small": 0.25,
    "vit-base": 0.25,
    "convnext-nano": 0.5,
    "convnext-tiny": 0.25,
}
"""Widths other than 1. GoogLeNet and Inception have one width only."""

MINUTES = 3.0
BATCH = 32
TIMED_IMAGES = 256
TIMED_SECONDS = 0.5


def main() -> int:
    parser = arguments(__doc__, peers=False)
    training_arguments(parser, train=10_000)
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="these architectures, with a width where one is tried"
    )
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of fitting, for each network")
    parser.add_argument("--epochs", type=int, help="how often each image is seen at most; as usual when left out")
    parser.add_argument("--features", nargs="*", metavar="NAME", help="of the baselines; all when left out")
    parser.add_argument("--classifiers", nargs="+", metavar="NAME", help="of the baselines; all when left out")
    parser.add_argument("--rounds", type=int, default=3, help="of the timing of the files")
    args = parse(parser)
    work = prepare(args)
    names = _named(parser, args.only)
    dataset = fashion(work, args)
    kept = Kept(work / "architectures" / f"{args.train}-{args.test}-{args.minutes:g}-{args.epochs}.jsonl")
    done: dict[str, dict[str, Any]] = {}
    failures: dict[str, str] = {}
    for text in names:
        tell(f"{text}: {len(done)} of {len(names)} are done")
        try:
            done[text] = kept.get(f"network {text}", _training(dataset, text, work, args))
        except BeholderError as error:  # the others are worth having; the same command tries it again
            failures[text] = str(error)
    rates = _rates({key: Path(entry["model"]) for key, entry in done.items()}, dataset, args)
    rows = [_row(done[key], rates[key]) for key in done]
    rows += list(_baselines(dataset, kept, args))
    if not rows:
        raise SystemExit("\n".join(failures.values()))
    rows.sort(key=lambda row: -row.details["top1"]["value"])
    notes = [
        f"{args.minutes:g} minutes of fitting each at most, from random weights, by the usual recipe; "
        f"{len(dataset.samples) - _tested(dataset):,} images learned from, {_tested(dataset):,} tested; 95% intervals",
        "seconds: of fitting; of a classical classifier also of answering, once the images were described",
        "multiply-adds: of convolutions and matrix products, for one image; file: the exported model",
        "images/s: of training, and of the exported file in ONNX Runtime on ready tensors, one at a time and in "
        f"batches of {BATCH}, medians of {args.rounds} rounds in turns",
        "networks hold out a tenth of the images that they learn from; classical classifiers are fitted on all of them",
        *(f"**failed**: {name}: {reason}" for name, reason in failures.items()),
    ]
    return report_table(args, "Architectures and baselines", notes, rows) or bool(failures)


def _named(parser: argparse.ArgumentParser, only: list[str] | None) -> list[str]:
    """What is tried, as `name@width`; the width is that of the table unless another is asked for."""
    wanted = []
    for text in only if only is not None else ARCHITECTURES:
        name, _, width = text.partition("@")
        if name not in ARCHITECTURES:
            parser.error(f"--only: must be names of the dictionary, found {name}")
        wanted.append(f"{name}@{float(width) if width else WIDTHS.get(name, 1.0):g}")
    return wanted


def _training(dataset: Dataset, text: str, work: Path, args: argparse.Namespace) -> Callable[[], Mapping[str, Any]]:
    """What trains one architecture."""

    def make() -> Mapping[str, Any]:
        from beholder.training.networks.counting import count

        name, _, width = text.partition("@")
        settings = [f"architecture={name}", f"width={width}", "weights=none", f"minutes={args.minutes:g}"]
        settings += ["cross_validate=no"] + ([f"epochs={args.epochs}"] if args.epochs else [])
        trained = train(dataset, work / "architectures" / f"{text}.onnx", Recipe().with_settings(settings))
        facts = trained.facts
        spec = Spec(len(dataset.classes), facts["size"], float(width), facts["channels"])
        counts = count(name, spec)
        return {**trained.to_dict(), "name": name, "width": float(width), "multiply_adds": counts.multiply_adds}

    return make


def _row(entry: Mapping[str, Any], rates: Mapping[int, float]) -> Row:
    facts, width = entry["facts"], entry["width"]
    cells = {
        "network or feature": entry["name"] if width == 1 else f"{entry['name']} (width {width:g})",
        "top-1 (95% interval)": percent(entry["top1"]),
        "parameters": _short(facts["parameters"]),
        "multiply-adds": _short(entry["multiply_adds"]),
        "file": f"{entry['bytes'] / 1e6:.1f} MB",
        "seconds": f"{entry['fit_seconds']:,.1f}",
        "training images/s": f"{facts['images_per_second']:,.0f}",
        "epochs seen": f"{entry['epochs']:.1f}",
        "images/s, one at a time": f"{rates[1]:,.0f}",
        f"images/s, batches of {BATCH}": f"{rates[BATCH]:,.0f}",
    }
    return Row(cells, {"top1": entry["top1"], "entry": dict(entry), "rates": {str(k): v for k, v in rates.items()}})


def _baselines(dataset: Dataset, kept: Kept, args: argparse.Namespace) -> Iterator[Row]:
    """A row for each classical feature with each classifier, and one for the head that `train` makes."""
    from beholder.training.classical import baselines
    from beholder.training.classical.features import usual_features

    def tried(feature: str) -> Mapping[str, Any]:
        with ContentCache() as contents:
            found = baselines(dataset, Recipe(), contents, [feature], args.classifiers, lambda *_: None)
        return {"rows": [to_json(row) for row in found.rows], "head": to_json(found.head)}

    chosen = args.features if args.features is not None else [] if args.only is not None else usual_features()
    head: Mapping[str, Any] | None = None
    for feature in chosen:
        tell(f"baselines on {feature}")
        entry = kept.get(f"feature {feature} {' '.join(args.classifiers or ())}".rstrip(), lambda f=feature: tried(f))
        yield from map(_classical, entry["rows"])
        head = entry["head"]
    if head is not None:
        yield _classical(head)


def _classical(row: Mapping[str, Any]) -> Row:
    cells = {
        "network or feature": f"{row['feature']}, {row['classifier']}",
        "top-1 (95% interval)": percent(row["top1"]),
        **dict.fromkeys(("parameters", "multiply-adds", "file"), ""),
        "seconds": f"{row['seconds']:,.1f}",
        **dict.fromkeys(("training images/s", "epochs seen"), ""),
        **dict.fromkeys(("images/s, one at a time", f"images/s, batches of {BATCH}"), ""),
    }
    return Row(cells, {"top1": row["top1"], "baseline": dict(row)})


def _rates(models: Mapping[str, Path], dataset: Dataset, args: argparse.Namespace) -> dict[str, dict[int, float]]:
    """Images a second of each file in ONNX Runtime, by batch; all files in turns, each loaded anew."""
    samples = [sample for sample in dataset.samples if sample.split == "test"][:TIMED_IMAGES]
    taken: dict[str, dict[int, list[float]]] = {key: {1: [], BATCH: []} for key in models}
    for number in range(args.rounds):
        tell(f"timing the files, round {number + 1} of {args.rounds}")
        for key in models if number % 2 == 0 else reversed(models):
            session, inputs = _session(models[key], [sample.path for sample in samples], args.cores)
            for batch, rates in taken[key].items():
                rates.append(_rate(session, inputs, batch))
    return {key: {batch: statistics.median(rates) for batch, rates in own.items()} for key, own in taken.items()}


def _session(path: Path, images: list[Path], threads: int) -> tuple[Any, NDArray[np.uint8]]:
    """A file as ONNX Runtime runs it, and what it is given: the images as its geometry has them."""
    import onnxruntime

    with beholder.load(path) as model:
        arrays = [model.prepare(found).pixels for found in expand(list(map(str, images)), Limits())]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"]), np.stack(arrays)


def _rate(session: Any, inputs: NDArray[np.uint8], batch: int) -> float:
    parts = [inputs[start : start + batch] for start in range(0, len(inputs) - batch + 1, batch)]
    session.run(["probabilities"], {"image": parts[0]})
    count, started = 0, time.perf_counter()
    while (seconds := time.perf_counter() - started) < TIMED_SECONDS or not count:
        session.run(["probabilities"], {"image": parts[count % len(parts)]})
        count += 1
    return count * batch / seconds


def _tested(dataset: Dataset) -> int:
    return sum(sample.split == "test" for sample in dataset.samples)


def _short(count: float) -> str:
    return f"{count / 1e6:,.1f} M" if count >= 99_500 else f"{count / 1e3:,.0f} k"


if __name__ == "__main__":
    sys.exit(main())
