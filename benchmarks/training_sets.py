"""Fashion-MNIST as a folder and parts of it, a training told in numbers, and what is kept of one between calls."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import beholder
from beholder.data import Dataset, Sample
from beholder.evaluation import Estimate
from beholder.files import write_atomic
from beholder.training import Recipe, run_training
from learning_sets import FASHION_FOLDER, fashion_images
from photographs import work_folder

RECIPES = Path(__file__).resolve().parent / "recipes"
ROOMS = ("training", "model")
"""Whose source decides what a training makes, beside that of the script."""


@dataclass(frozen=True)
class Trained:
    """One training that is done.

    Attributes:
        top1: on the test images, by the exported file.
        model: the file.
        facts: what the run keeps of how it was made: steps, batch, images a second, parameters and more.
        seconds: by the clock, of everything in this call: reading, fitting, export and test.
    """

    top1: Estimate
    model: Path
    facts: Mapping[str, Any]
    seconds: float

    @property
    def fit_seconds(self) -> float:
        """What fitting took, with looking at what is held out, and with what calls took that were stopped."""
        return float(self.facts["trained_seconds"])

    @property
    def epochs(self) -> float:
        """How often each image that it was fitted on was seen."""
        return float(self.facts["steps"] * self.facts["batch"] / self.facts["fitted"])

    def to_dict(self) -> dict[str, Any]:
        """For machines."""
        top1 = {"value": self.top1.value, "low": self.top1.low, "high": self.top1.high, "count": self.top1.count}
        told = {"top1": top1, "model": str(self.model), "bytes": self.model.stat().st_size, "facts": dict(self.facts)}
        return {**told, "epochs": self.epochs, "fit_seconds": self.fit_seconds, "seconds": self.seconds}


class Kept:
    """Entries that are done, a JSON line for each: a call that was stopped goes on after the last of them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.entries: dict[str, dict[str, Any]] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:  # the call was stopped while it wrote this line
                continue
            self.entries[entry["key"]] = entry

    def add(self, key: str, entry: Mapping[str, Any]) -> None:
        """Keep an entry."""
        self.entries[key] = {"key": key, **entry}
        lines = (json.dumps(one, ensure_ascii=False) for one in self.entries.values())
        with write_atomic(self._path, overwrite=True) as stream:
            stream.write("".join(f"{line}\n" for line in lines).encode())

    def get(self, key: str, make: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """An entry; made and kept where there is none yet."""
        if key not in self.entries:
            self.add(key, make())
        return self.entries[key]


def training_arguments(parser: argparse.ArgumentParser, *, train: int | None = None, recipe: str = "") -> None:
    """The options of scripts that train networks on Fashion-MNIST.

    Args:
        parser: of the script.
        train: training images unless it is told otherwise; None for all.
        recipe: a recipe in `recipes/`, where the script trains by one.
    """
    parser.add_argument("--fashion", default=FASHION_FOLDER, help="folder of Fashion-MNIST's IDX files (see README.md)")
    parser.add_argument("--train", type=int, default=train, help="images learned from, as many of each class; else all")
    parser.add_argument("--test", type=int, help="images tested on, as many of each class; else all")
    if recipe:
        recipe_arguments(parser, recipe)


def recipe_arguments(parser: argparse.ArgumentParser, recipe: str) -> None:
    """The options of scripts that train by a recipe in a file."""
    parser.add_argument("--recipe", type=Path, default=RECIPES / recipe, help="by what to train; recipes/" + recipe)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a key of the recipe instead")


def recipe_of(args: argparse.Namespace) -> Recipe:
    """The recipe that a script trains by."""
    return Recipe.from_toml(args.recipe.read_text(encoding="utf-8"), str(args.recipe)).with_settings(args.set)


def prepare(args: argparse.Namespace) -> Path:
    """The folder of working sets; what Beholder keeps goes there too, unless the environment says otherwise."""
    work = work_folder(args.work)
    os.environ.setdefault("BEHOLDER_CACHE", str(work / "cache"))
    os.environ.setdefault("BEHOLDER_DATA", str(work / "data"))
    return work


def made_by(args: argparse.Namespace, script: str) -> str:
    """For the names of what is kept between calls: how many cores, and a digest of the source that makes it.

    What was made by other source, or with other cores, has another name, and is made anew.

    Args:
        args: the options.
        script: the file of the benchmark.
    """
    return f"{args.cores}-{_source_digest(Path(script))}"


@cache  # of what is running, whatever becomes of the files meanwhile
def _source_digest(script: Path) -> str:
    package, source = Path(str(beholder.__file__)).parent, hashlib.sha256()
    rooms = [path for room in ROOMS for path in sorted((package / room).rglob("*.py"))]
    for path in (script, *rooms):
        content = path.read_bytes()
        source.update(f"{path.name} {len(content)} ".encode() + content)
    return source.hexdigest()[:12]


def fashion_folder(work: Path, source: str | Path) -> Path:
    """All 70,000 images as PNG files, `train/Coat/01234.png` and `test/…`, made once."""
    return fashion_images(source, work / "fashion-mnist")


def fashion(work: Path, args: argparse.Namespace) -> Dataset:
    """Fashion-MNIST with its owner's split; of each part as many of every class as the options say, drawn by seed 0."""
    folder = fashion_folder(work, args.fashion)
    samples = [*_drawn(folder, "train", args.train), *_drawn(folder, "test", args.test)]
    return Dataset.of(samples, root=folder, source=folder, format="folder")


def _drawn(folder: Path, split: Any, count: int | None) -> Iterator[Sample]:
    labels = sorted(path.name for path in (folder / split).iterdir())
    for label in labels:
        paths = sorted((folder / split / label).iterdir())
        chosen = np.arange(len(paths))
        if count is not None:
            chosen = np.sort(np.random.default_rng(0).permutation(chosen)[: count // len(labels)])
        for row in chosen.tolist():
            yield Sample(paths[row], paths[row].relative_to(folder).as_posix(), (label,), split)


def train(dataset: Dataset, out: Path, recipe: Recipe) -> Trained:
    """Train a network as `beholder train` does; one that was stopped goes on if `out` has the same name."""
    started = time.perf_counter()
    out.parent.mkdir(parents=True, exist_ok=True)
    run = run_training(dataset, out, recipe=recipe, overwrite=True, report=_Bar(out.stem), say=tell)
    facts = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))
    facts["fitted"] = fitted_images(run.learned, recipe)
    return Trained(run.evaluation.metrics["top1"], out, facts, time.perf_counter() - started)


def fitted_images(learned: Any, recipe: Recipe) -> int:
    """How many images the network that is kept was fitted on: without the part that was held out for confidence."""
    fitted = int(learned.material.fitted.sum())
    crossed = recipe.cross_validates(bool(learned.material.tested.any()))
    return fitted if crossed else fitted - int(learned.calibrating.sum())


def percent(top1: Mapping[str, Any]) -> str:
    """A share with its interval, as of `Trained.to_dict`."""
    return f"{top1['value']:.1%} ({top1['low']:.1%}–{top1['high']:.1%})"


def tell(text: str) -> None:
    """Say something on standard error."""
    print(text, file=sys.stderr, flush=True)


class _Bar:
    """A line for each tenth of each step."""

    def __init__(self, name: str) -> None:
        self._name, self._shown = name, ("", -1)

    def __call__(self, step: str, done: int, total: int) -> None:
        tenth = 10 * done // max(1, total)
        if (step, tenth) != self._shown:
            self._shown = step, tenth
            tell(f"{self._name}: {step} {done:,} of {total:,}")
