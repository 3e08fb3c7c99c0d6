"""Every architecture of the dictionary on the same images, beside what was usual before networks; one table.

10,000 training images of Fashion-MNIST, drawn alike of each class by seed 0, and its 10,000 test images. Each network
is trained from random weights for the same minutes at most; a tenth of the images is held out for confidence. All are
trained by `FOR_ALL`, which did best for a ResNet on these images; those with batch normalization by SGD at its learning
rate, all others by AdamW at Beholder's usual rates. A network is as wide as 40 million multiply-adds for an image
allow: in full width, half, a quarter or an eighth. Then every classical feature with every classifier (`beholder
baselines`), fitted on all 10,000 and tested on the same 10,000; and last, one model file after another in turns, how
fast ONNX Runtime runs what was exported.

What is done is kept as a line of JSON in the work folder: the same command goes on where it was stopped. With other
source of Beholder or of this script, or other cores, all begins anew.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import zlib
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
from beholder.training.networks.architectures import ARCHITECTURES, Spec, find_architecture
from figures import Row, arguments, parse, report_table
from training_sets import Kept, fashion, made_by, percent, prepare, tell, train, training_arguments

MOST_MULTIPLY_ADDS = 40_000_000
"""For one image: what two cores can train on the images some times over in three minutes."""

WIDTHS = (1.0, 0.5, 0.25, 0.125)
"""A network has the first of these at which it stays below that; the last where none does. Some have one width only."""

FOR_ALL = ("batch=128", "schedule=one-cycle", "label_smoothing=0.1", "augment=[flip]")
WITH_BATCH_NORM = ("optimizer=sgd", "learning_rate=0.5")
WITHOUT_BATCH_NORM = ("optimizer=adamw",)
"""At Beholder's usual rates: 0.002 with layer normalization, 0.0005 without any."""

MINUTES = 3.0
BATCH = 32
SIDE = 28
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
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a key of the recipe of all")
    parser.add_argument("--features", nargs="*", metavar="NAME", help="of the baselines; all when left out")
    parser.add_argument("--classifiers", nargs="+", metavar="NAME", help="of the baselines; all when left out")
    parser.add_argument("--rounds", type=int, default=3, help="of the timing of the files")
    args = parse(parser)
    work = prepare(args)
    _require_known(parser, args)
    names = _named(parser, args.only)
    dataset = fashion(work, args)
    folder = work / "architectures" / _key(args)
    kept = Kept(folder.with_name(f"{folder.name}.jsonl"))
    done: dict[str, dict[str, Any]] = {}
    failures: dict[str, str] = {}
    for text in names:
        tell(f"{text}: {len(done)} of {len(names)} are done")
        try:
            done[text] = kept.get(f"network {text}", _training(dataset, text, folder, args))
        except BeholderError as error:  # the others are worth having; the same command tries it again
            failures[text] = str(error)
    rates = _rates({key: Path(entry["model"]) for key, entry in done.items()}, dataset, args)
    rows = [_row(done[key], rates[key]) for key in done]
    rows += list(_baselines(dataset, kept, args))
    if not rows:
        raise SystemExit("\n".join(failures.values()))
    rows.sort(key=lambda row: -row.details["top1"]["value"])
    notes = [
        f"{args.minutes:g} minutes of fitting each at most, from random weights; "
        f"{len(dataset.samples) - _tested(dataset):,} images learned from, {_tested(dataset):,} tested; 95% intervals",
        f"all networks: {', '.join((*FOR_ALL, *args.set))}; with batch normalization {', '.join(WITH_BATCH_NORM)}; "
        f"without {', '.join(WITHOUT_BATCH_NORM)} at 0.002, or 0.0005 where nothing is normalized",
        f"width: the first of {', '.join(f'{width:g}' for width in WIDTHS)} with at most "
        f"{MOST_MULTIPLY_ADDS / 1e6:.0f} M multiply-adds for an image, where a network has widths",
        "seconds: of fitting; of a classical classifier also of answering, once the images were described",
        "multiply-adds: of convolutions and matrix products, for one image; file: the exported model",
        "images/s: of training, and of the exported file in ONNX Runtime on ready tensors, one at a time and in "
        f"batches of {BATCH}, medians of {args.rounds} rounds in turns",
        "networks hold out a tenth of the images that they learn from; classical classifiers are fitted on all of "
        "them, and tested on the same images",
        *(f"**failed**: {name}: {reason}" for name, reason in failures.items()),
    ]
    return report_table(args, "Architectures and baselines", notes, rows) or bool(failures)


def _require_known(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuse what cannot be tried, before hours are spent on what comes before it."""
    from beholder.training.classical import CLASSIFIERS, FEATURES

    for option, asked, known in (("features", args.features, FEATURES), ("classifiers", args.classifiers, CLASSIFIERS)):
        for name in asked or ():
            if name not in known:
                parser.error(f"--{option}: must be of {', '.join(known)}, found {name}")
    Recipe().with_settings(args.set)


def _named(parser: argparse.ArgumentParser, only: list[str] | None) -> list[str]:
    """What is tried, as `name@width`; the width is chosen by multiply-adds unless one is asked for."""
    wanted = []
    for text in only if only is not None else ARCHITECTURES:
        name, _, width = text.partition("@")
        if name not in ARCHITECTURES:
            parser.error(f"--only: must be names of the dictionary, found {name}")
        wanted.append(f"{name}@{float(width) if width else _width(name):g}")
    return wanted


def _width(name: str) -> float:
    from beholder.training.networks.counting import count

    if not find_architecture(name).widths:
        return 1.0
    for width in WIDTHS:
        if count(name, _spec(name, width)).multiply_adds <= MOST_MULTIPLY_ADDS:
            return width
    return WIDTHS[-1]


def _spec(name: str, width: float) -> Spec:
    """What a network is made for here: grey images of 28 pixels, or as many as it needs."""
    return Spec(classes=10, size=max(find_architecture(name).smallest, SIDE), width=width, channels=1)


def _settings(name: str, width: float) -> tuple[str, ...]:
    """By what one network is trained."""
    import torch

    from beholder.training.networks.network import build

    with torch.device("meta"):
        network = build(name, _spec(name, width))
    normed = any(isinstance(module, torch.nn.modules.batchnorm._BatchNorm) for module in network.modules())
    return (*FOR_ALL, *(WITH_BATCH_NORM if normed else WITHOUT_BATCH_NORM))


def _key(args: argparse.Namespace) -> str:
    """For the names of what is kept: by what it was made."""
    key = f"{args.train}-{args.test}-{args.minutes:g}-{args.epochs}-{made_by(args, __file__)}"
    return f"{key}-{zlib.crc32(' '.join(args.set).encode()):08x}" if args.set else key


def _training(dataset: Dataset, text: str, folder: Path, args: argparse.Namespace) -> Callable[[], Mapping[str, Any]]:
    """What trains one architecture."""

    def make() -> Mapping[str, Any]:
        from beholder.training.networks.counting import count

        name, _, width = text.partition("@")
        settings = [f"architecture={name}", f"width={width}", "weights=none", f"minutes={args.minutes:g}"]
        settings += ["cross_validate=no"] + ([f"epochs={args.epochs}"] if args.epochs else [])
        settings += [*_settings(name, float(width)), *args.set]
        out = folder / f"{text}-{folder.name}.onnx"  # a training is gone on with by the name of its file
        trained = train(dataset, out, Recipe().with_settings(settings))
        facts = trained.facts
        counts = count(name, Spec(len(dataset.classes), facts["size"], float(width), facts["channels"]))
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
