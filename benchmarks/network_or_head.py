"""A fine-tuned network beside the head that `beholder train` makes by default, on the garments of `clothing10`.

First cross-validated over all images: five folds by content, in which images that show the same stay together; the
network is fine-tuned on four of them and the head fitted on the same four, and both are asked about the fifth. Their
answers to every image are compared in pairs. Then on the owner's split: learned from train and validation, the exported
file tested on the test part. Each of these networks has the minutes of the recipe.

Everything is resumed by the same command: a fold that is done is not trained again, one that was stopped goes on from
its last checkpoint. With other source of Beholder or of this script, or other cores, all begins anew.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beholder.data import ContentCache, Dataset
from beholder.evaluation import Comparison, Predictions, compare_predictions
from beholder.files import write_atomic
from beholder.training import Learned, Recipe
from figures import Figure, arguments, parse, report
from learning_sets import SETS, Workshop, workshop_arguments
from training_sets import Kept, made_by, percent, recipe_arguments, recipe_of, tell, train

SET = "clothing10"
MOST_SECONDS = 1200.0
LEAST = 0.898
SIGNIFICANT = 0.05
PARTS = ("folds", "split")


def main() -> int:
    parser = arguments(__doc__, peers=False)
    workshop_arguments(parser)
    recipe_arguments(parser, "clothing.toml")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="what to measure")
    parser.add_argument("--per-class", type=int, help="images of each class and split; all when left out")
    args = parse(parser)
    shop, recipe = Workshop(args), recipe_of(args)
    dataset = _dataset(shop, args.per_class)
    work = shop.work / "network-or-head"
    work.mkdir(exist_ok=True)
    figures: list[Figure] = []
    if "folds" in args.parts:
        figures += _cross_validated(shop, dataset, recipe, work, args)
    if "split" in args.parts:
        figures += _on_its_split(dataset, recipe, work, args)
    notes = [
        f"recipe of the network: {args.recipe.name} {' '.join(args.set)}".rstrip(),
        f"minutes of fitting: at most {recipe.minutes:g} for each of the {recipe.folds} folds, and for its own split",
        "the head: `beholder train` as it comes, on the same folds; p: exact McNemar test, two-sided",
        "seconds of a fold: of fitting and looking at the fold, what a stopped call spent included",
    ]
    return report(args, "A fine-tuned network beside the head", notes, figures)


def _dataset(shop: Workshop, per_class: int | None) -> Dataset:
    """The set with its owner's split, or a part of it."""
    samples = SETS[SET](shop)
    if per_class is not None:
        counts: dict[Any, int] = {}
        chosen = []
        for sample in samples:
            key = sample.labels[0], sample.split
            counts[key] = counts.get(key, 0) + 1
            if counts[key] <= per_class:
                chosen.append(sample)
        samples = chosen
    folder = shop.work / SET / "images"
    return Dataset.of(samples, root=folder, source=folder, format="folder")


def _cross_validated(
    shop: Workshop, dataset: Dataset, recipe: Recipe, work: Path, args: argparse.Namespace
) -> Iterator[Figure]:
    whole = dataset.with_samples(replace(sample, split=None) for sample in dataset.samples)
    minutes = recipe.minutes * recipe.folds  # a recipe's minutes are those of all folds together
    settings = ["test_share=0", "cross_validate=yes", f"minutes={minutes:g}"]
    head, _ = shop.learn(whole, f"folds={recipe.folds}", f"seed={recipe.seed}")
    network, seconds = _network(whole, recipe.with_settings(settings), shop.contents, work, args)
    comparison = _compared(head, network)
    ahead = comparison.difference
    shown = f"{ahead.value:+.1%} ({ahead.low:+.1%} to {ahead.high:+.1%})"
    shown += f"; {comparison.only_second_right} right by the network alone, {comparison.only_first_right} by the head"
    shown += f" alone, p = {comparison.p:.2g}: {comparison.verdict}"
    for name, found in (("head", comparison.first), ("fine-tuned network", comparison.second)):
        told = {"value": found.value, "low": found.low, "high": found.high}
        title = f"{SET}, cross-validated, {found.count:,} images: {name}"
        yield Figure(title, found.value or 0.0, percent(told))
    title = f"**{SET}, cross-validated: network less head**"
    real = (ahead.value or 0.0) > 0 and comparison.p < SIGNIFICANT
    bound = f"above 0, p under {SIGNIFICANT:g}"
    yield Figure(title, ahead.value or 0.0, shown, bound, real, comparison.to_dict())
    folds = [taken for step, taken in seconds.items() if "fold" in step]
    most = max(folds, default=0.0)
    shown = f"{most:,.0f} s at most; {', '.join(f'{taken:,.0f}' for taken in folds)}"
    holds = most <= MOST_SECONDS and len(folds) == recipe.folds
    yield Figure("**seconds for a fold**", most, shown, f"at most {MOST_SECONDS:,.0f}", holds, dict(seconds))


def _network(
    whole: Dataset, recipe: Recipe, contents: ContentCache, work: Path, args: argparse.Namespace
) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, float]]:
    """What networks say of the images that they have not seen, by image name; and how long each fold took."""
    from beholder.training.networks.training import learn_network

    recipe_digest = f"{zlib.crc32(recipe.to_toml().encode()):08x}"
    key = f"{args.per_class}-{recipe.folds}-{recipe_digest}-{made_by(args, __file__)}"
    answers, watch = work / f"answers-{key}.npz", Stopwatch(work / f"seconds-{key}.json")
    if not answers.exists():
        name = f"{SET}-{made_by(args, __file__)}"  # a training is gone on with by its name
        learned = learn_network(whole, recipe, contents, name, watch)
        watch.stop()
        names = [sample.name for sample in learned.material.dataset.samples]
        with write_atomic(answers, overwrite=True) as stream:
            np.savez(
                stream,
                names=np.array(names),
                classes=np.array(learned.material.dataset.classes),
                folds=learned.material.folds,
                probabilities=learned.unseen_probabilities(),
            )
    with np.load(answers) as found:
        return dict(found), watch.seconds


def _compared(head: Learned, network: Mapping[str, NDArray[Any]]) -> Comparison:
    """Both on the images that both were asked about, of which each was left out of the fit by both in the same fold."""
    material = head.material
    names = np.array([sample.name for sample in material.dataset.samples])
    if not np.array_equal(names, network["names"]) or not np.array_equal(material.folds, network["folds"]):
        raise SystemExit("head and network must have been asked about the same images in the same folds")
    own, others = head.unseen_probabilities(), network["probabilities"]
    asked = ~np.isnan(own[:, 0]) & ~np.isnan(others[:, 0])
    truth = material.targets.argmax(axis=1)[asked]
    both = [
        Predictions(
            classes=material.dataset.classes,
            sources=tuple(names[asked].tolist()),
            probabilities=np.round(probabilities[asked], 6),
            truth=truth,
        )
        for probabilities in (own, others)
    ]
    return compare_predictions(both[0], both[1], models=("head", "network"), dataset=head.version)


def _on_its_split(dataset: Dataset, recipe: Recipe, work: Path, args: argparse.Namespace) -> Iterator[Figure]:
    joined = dataset.with_samples(
        replace(sample, split="test" if sample.split == "test" else "train") for sample in dataset.samples
    )
    made = made_by(args, __file__)
    kept, out = Kept(work / f"split-{made}.jsonl"), work / f"clothing-{made}.onnx"
    settings = recipe.with_settings(["cross_validate=no"])
    found = kept.get(f"{args.per_class} {settings.to_toml()}", lambda: train(joined, out, settings).to_dict())
    top1 = found["top1"]
    shown = f"{percent(top1)}; {found['epochs']:.1f} epochs in {found['fit_seconds']:,.0f} s"
    title = f"**{SET}, its own {top1['count']:,} test images: fine-tuned network**"
    yield Figure(title, top1["value"], shown, f"above {LEAST:.1%}", top1["value"] > LEAST, found)


class Stopwatch:
    """Told of steps as a training goes on; keeps what each took, over calls that were stopped.

    Args:
        path: where it is kept.
    """

    PAUSE = 10.0

    def __init__(self, path: Path) -> None:
        self._path = path
        self.seconds: dict[str, float] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        self._step, self._at, self._kept = "", time.perf_counter(), time.perf_counter()

    def __call__(self, step: str, done: int, total: int) -> None:
        """Told what is being done, as `beholder.training.Report`."""
        now = time.perf_counter()
        if self._step:
            self.seconds[self._step] = self.seconds.get(self._step, 0.0) + now - self._at
        if step != self._step or now - self._kept > self.PAUSE:
            self._keep(now)
        if step != self._step or done == total:
            tell(f"{step}: {done:,} of {total:,}")
        self._step, self._at = step, now

    def stop(self) -> None:
        """Nothing more is done."""
        self(self._step, 1, 1)
        self._keep(time.perf_counter())

    def _keep(self, now: float) -> None:
        self._kept = now
        with write_atomic(self._path, overwrite=True) as stream:
            stream.write(json.dumps(self.seconds).encode())


if __name__ == "__main__":
    sys.exit(main())
