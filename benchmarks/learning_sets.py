"""Real sets of labelled images for the benchmarks of training, what a backbone sees of them, and draws from them.

A set keeps the test part that its owner gave it; what is learned from is drawn from everything else (train and
validation). Which images a draw has is decided by its number alone.
"""

from __future__ import annotations

import argparse
import csv
import os
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beholder.data import ContentCache, Dataset, Sample, read_idx, with_digests
from beholder.data.formats.idx import names_known_by, write_png
from beholder.evaluation import Evaluation, Predictions, Strangers, evaluate_predictions
from beholder.model import ModelCard
from beholder.model.confidence import is_unknown, set_members
from beholder.training import Backbone, Learned, Recipe, learn
from beholder.training.exporting import Head
from beholder.training.heads import card_of_head
from beholder.zoo import find
from photographs import images_folder, work_folder

Layers = dict[str, NDArray[np.float32]]

FASHION_IMAGES = 1000
"""How many of Fashion-MNIST's 60,000 training images are learned from: as many as a person would label."""

FASHION_FOLDER = "/usr/share/datasets/fashion-mnist"
"""Where Debian's package `dataset-fashion-mnist` puts it."""

MINIMUM_OF_LABEL = 10
"""Images that a label of `coco_small` must have to be learned."""


@dataclass(frozen=True)
class LearningSet:
    """A set of labelled images.

    Attributes:
        name: of the set.
        dataset: its samples, in the splits of its owner; with digests.
        layers: what the backbone sees of each sample, for each layer float32 `(n, d)`.
    """

    name: str
    dataset: Dataset
    layers: Layers

    @property
    def tested(self) -> NDArray[np.bool_]:
        """Which samples are its owner's test part."""
        return np.array([sample.split == "test" for sample in self.dataset.samples])

    @property
    def labels(self) -> NDArray[np.str_]:
        """The label of each sample, where it has one."""
        return np.array([sample.labels[0] for sample in self.dataset.samples])

    @property
    def pool(self) -> NDArray[np.intp]:
        """The rows that are learned from: everything outside the test part."""
        return np.flatnonzero(~self.tested)

    def of(self, rows: NDArray[Any], layers: Mapping[str, NDArray[np.float32]] | None = None) -> Layers:
        """The layers of some of its samples."""
        return {name: values[rows] for name, values in (layers or self.layers).items()}

    def part(self, rows: Iterable[int]) -> Dataset:
        """A dataset of some of its samples, all to be learned from."""
        return self.dataset.with_samples(replace(self.dataset.samples[int(row)], split="train") for row in rows)

    def draw(self, per_class: int, number: int) -> NDArray[np.intp]:
        """Rows of so many samples of each class outside the test part; a smaller class gives all that it has."""
        random, labels = np.random.default_rng([per_class, number]), self.labels
        chosen = [random.permutation(self.pool[labels[self.pool] == name])[:per_class] for name in self.dataset.classes]
        return np.sort(np.concatenate(chosen))


class Workshop:
    """Where sets are read, looked at and learned from.

    Args:
        args: the options of `workshop_arguments`.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.images, self.work = images_folder(args.images), work_folder(args.work)
        os.environ.setdefault("BEHOLDER_CACHE", str(self.work / "cache"))
        os.environ.setdefault("BEHOLDER_DATA", str(self.work / "data"))
        self.fashion = args.fashion
        self.backbone = Backbone(find("efficientnet-lite0"))
        self.contents = ContentCache()

    def read(self, name: str) -> LearningSet:
        """A set by its name, looked at."""
        return self.looked_at(name, SETS[name](self))

    def looked_at(self, name: str, samples: Sequence[Sample]) -> LearningSet:
        """Samples with what the backbone sees of them; what was seen before is not looked at again."""
        dataset = Dataset.of(samples, root=self.work, source=self.work / name, format="list", view=name)
        dataset = with_digests(dataset, self.contents)
        seen = self.backbone.see(dataset.samples, self.contents)
        readable = dataset.regathered(sample for sample in dataset.samples if sample.digest in seen.vectors)
        vectors = np.stack([seen.vectors[sample.digest or ""] for sample in readable.samples])
        return LearningSet(name, readable, self.backbone.split(vectors))

    def learn(self, dataset: Dataset, *settings: str) -> tuple[Learned, Head]:
        """A head learned from the whole of a dataset, as `beholder train` does where no image is kept for a test."""
        return learn(dataset, self.backbone, Recipe().with_settings(["test_share=0", *settings]), self.contents)

    def card(self, learned: Learned, head: Head) -> ModelCard:
        """The card that the model file of a head gets: with its rules of confidence."""
        return card_of_head(learned, head, self.backbone, Recipe(), "benchmark")

    def unzipped(self, name: str) -> Path:
        """The folder into which a set's images are unpacked, once."""
        folder = self.work / name
        if not folder.exists():
            with zipfile.ZipFile(self.images / name / "images.zip") as archive:
                archive.extractall(folder)
        return folder


def workshop_arguments(parser: argparse.ArgumentParser, sets: Sequence[str] = ()) -> None:
    """The options of every script that learns; `sets` are those it measures on unless it is told others."""
    if sets:
        parser.add_argument("--sets", nargs="+", choices=LABELLED_SETS, default=list(sets), help="what to measure on")
    parser.add_argument("--fashion", default=FASHION_FOLDER, help="folder of Fashion-MNIST's IDX files (see README.md)")


def evaluated(
    card: ModelCard, answers: Mapping[str, NDArray[Any]], truth: NDArray[np.int64], strangers: Sequence[Strangers] = ()
) -> Evaluation:
    """What `beholder evaluate` measures on answers of which the truth is known, one label each."""
    probabilities = np.round(answers["probabilities"], 6)
    sets: dict[Any, NDArray[np.bool_]] = {}
    if card.prediction_sets is not None:
        sets = {percent: set_members(card, probabilities, percent / 100) for percent in (90, 95)}
    said = Predictions(
        classes=card.labels,
        sources=tuple(map(str, range(len(truth)))),
        probabilities=probabilities,
        truth=truth,
        unanswered=is_unknown(card, answers),
        sets=sets,
        strangers=tuple(strangers),
    )
    return evaluate_predictions(said, model=card.name, dataset="sha256:benchmark")


def numbered(labels: Iterable[str], classes: Sequence[str]) -> NDArray[np.int64]:
    """The number of each label."""
    column = {name: index for index, name in enumerate(classes)}
    return np.array([column[label] for label in labels], np.int64)


def _clothing(shop: Workshop) -> list[Sample]:
    folder = shop.unzipped("clothing10") / "images"
    found = sorted(folder.glob("*/*/*.jpg"))
    return [_sample(path, folder, (path.parent.name,), path.parent.parent.name) for path in found]


def _grocery(column: str) -> Callable[[Workshop], list[Sample]]:
    def read(shop: Workshop) -> list[Sample]:
        folder = shop.unzipped("grocery_packages")
        with open(shop.images / "grocery_packages" / "labels.csv", encoding="utf-8", newline="") as stream:
            rows = sorted(csv.DictReader(stream), key=lambda row: row["file"])
        return [_sample(folder / row["file"], folder, (row[column],), row["split"]) for row in rows]

    return read


def _fashion(shop: Workshop) -> list[Sample]:
    """The test images, and training images drawn at random."""
    folder = fashion_images(shop.fashion, shop.work / f"fashion-{FASHION_IMAGES}", FASHION_IMAGES)
    found = sorted(folder.glob("*/*/*.png"))
    return [_sample(path, folder, (path.parent.name,), path.parent.parent.name) for path in found]


def fashion_images(source: str | Path, folder: Path, train: int | None = None) -> Path:
    """Fashion-MNIST as PNG files, `train/Coat/01234.png` and `test/…`, made once; returns the folder.

    Args:
        source: folder of its IDX files.
        folder: to be made.
        train: how many training images, drawn at random by seed 0; all when left out.
    """
    if folder.exists():
        return folder
    being_made = folder.with_suffix(".part")
    for split, prefix in (("train", "train"), ("test", "t10k")):
        images = read_idx(Path(source) / f"{prefix}-images-idx3-ubyte.gz")
        labels = read_idx(Path(source) / f"{prefix}-labels-idx1-ubyte.gz")
        names = names_known_by(labels) or tuple(map(str, range(10)))
        drawn = np.arange(len(labels))
        if split == "train" and train is not None:
            drawn = np.sort(np.random.default_rng(0).permutation(drawn)[:train])
        for row in drawn.tolist():
            write_png(images[row], being_made / split / names[int(labels[row])] / f"{row:05d}.png")
    being_made.rename(folder)
    return folder


def _coco(shop: Workshop) -> list[Sample]:
    """Photographs with the labels that enough of them have; one that shows none of these is negative."""
    folder = shop.images / "coco_small"
    with open(folder / "multi_label.csv", encoding="utf-8", newline="") as stream:
        rows = [(row["file"], row["labels"].split("|")) for row in csv.DictReader(stream)]
    names, counts = np.unique([label for _, labels in rows for label in labels], return_counts=True)
    common = set(names[counts >= MINIMUM_OF_LABEL].tolist())
    samples = []
    for file, labels in rows:
        kept = tuple(sorted(common.intersection(labels)))
        samples.append(replace(_sample(folder / file, folder, kept, None), negative=not kept))
    return samples


def _photographs_of(name: str, pattern: str) -> Callable[[Workshop], list[Sample]]:
    """Images of another kind, as strangers; their label is the set's name."""

    def read(shop: Workshop) -> list[Sample]:
        folder = shop.images / name
        found = [path for path in sorted(folder.glob(pattern)) if path.suffix.lower() in (".jpg", ".jpeg", ".png")]
        return [_sample(path, folder, (name,), None) for path in found]

    return read


def _sample(path: Path, root: Path, labels: tuple[str, ...], split: str | None) -> Sample:
    given: Any = {"val": "validation"}.get(split, split) if split else None
    return Sample(path, path.relative_to(root).as_posix(), labels, given)


SETS: dict[str, Callable[[Workshop], list[Sample]]] = {
    "clothing10": _clothing,
    "grocery fine": _grocery("fine"),
    "grocery coarse": _grocery("coarse"),
    "fashion": _fashion,
    "coco": _coco,
}
LABELLED_SETS = ("clothing10", "grocery fine", "grocery coarse", "fashion")

STRANGERS: dict[str, Callable[[Workshop], list[Sample]]] = {
    "coco_small": _photographs_of("coco_small", "images/*"),
    "bccd_bloodcells": _photographs_of("bccd_bloodcells", "images/*"),
    "artworks_pd": _photographs_of("artworks_pd", "images/*"),
    "camvid": _photographs_of("camvid", "*/images/*"),
}
