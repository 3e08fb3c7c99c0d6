"""What each of several recipes came to on a part of the images: kept until the best is trained on all."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from beholder import __version__
from beholder.data import Dataset, Manifest
from beholder.evaluation.predictions import Predictions
from beholder.files import data_dir, digest, file_digest, write_atomic
from beholder.training.learned import Learned, Report
from beholder.training.recipe import Recipe
from beholder.zoo import find

_MARKED_EVERY: Final = 600.0
"""Seconds between two marks that a comparison goes on; a folder that rests for an hour may be removed."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a recipe came to.

    Attributes:
        classes: what was told apart.
        multi_label: whether several may apply to one image.
        names: of the images that were held out, or left out in turn.
        probabilities: float64 `(n, k)`, of these images by models that had not seen them.
        truth: bool `(n, k)`, which class applies to which.
        images: how many were fitted on or left out.
        seconds: that it took.
    """

    classes: tuple[str, ...]
    multi_label: bool
    names: tuple[str, ...]
    probabilities: NDArray[np.float64]
    truth: NDArray[np.bool_]
    images: int
    seconds: float

    @classmethod
    def of(cls, learned: Learned, seconds: float) -> Self:
        """What was learned, as far as recipes are compared by it."""
        material, rows = learned.material, np.flatnonzero(learned.calibrating)
        return cls(
            classes=material.dataset.classes,
            multi_label=material.dataset.multi_label,
            names=tuple(material.dataset.samples[row].name for row in rows),
            probabilities=learned.unseen_probabilities()[rows],
            truth=material.targets[rows],
            images=int(material.fitted.sum()),
            seconds=seconds,
        )

    def predictions(self, names: Sequence[str]) -> Predictions:
        """What was said of some of the images."""
        place = {name: row for row, name in enumerate(self.names)}
        rows = np.array([place[name] for name in names])
        probabilities, truth = self.probabilities[rows], self.truth[rows]
        return Predictions(
            classes=self.classes,
            sources=tuple(names),
            probabilities=probabilities,
            truth=truth if self.multi_label else truth.argmax(axis=1).astype(np.int64),
            accepted=probabilities >= 0.5 if self.multi_label else None,
        )


class Outcomes:
    """The outcomes of recipes on one part, in a folder among those of unfinished trainings.

    Args:
        part: the images that recipes are compared on, with digests.
    """

    def __init__(self, part: Dataset) -> None:
        told_by = json.dumps(["compared", Manifest.of(part).version, __version__])
        self.folder = data_dir() / "unfinished" / digest(told_by.encode())[7:39]
        self._marked = time.monotonic()

    def get(self, recipe: Recipe) -> Outcome | None:
        """What a recipe came to before; None where it was not tried, or what was kept is damaged."""
        try:
            with open(self._path(recipe), "rb") as stream, np.load(stream, allow_pickle=False) as kept:
                told = json.loads(kept["told"].tobytes())
                probabilities, truth = kept["probabilities"], kept["truth"]
        except Exception:  # a damaged file raises whatever its bytes lead to; the recipe is tried anew
            return None
        return _outcome(told, probabilities, truth)

    def put(self, recipe: Recipe, outcome: Outcome) -> None:
        """Keep what a recipe came to.

        Raises:
            OutputFailed: it cannot be written.
        """
        told = {
            "classes": outcome.classes,
            "multi_label": outcome.multi_label,
            "names": outcome.names,
            "images": outcome.images,
            "seconds": outcome.seconds,
        }
        as_bytes = np.frombuffer(json.dumps(told).encode(), np.uint8)
        with write_atomic(self._path(recipe), overwrite=True) as stream:
            np.savez(
                stream, allow_pickle=False, told=as_bytes, probabilities=outcome.probabilities, truth=outcome.truth
            )

    def while_told(self, report: Report) -> Report:
        """A report that also marks the folder as in use: what rests for long may be taken for left behind."""

        def told(step: str, done: int, total: int) -> None:
            if time.monotonic() - self._marked >= _MARKED_EVERY:
                self._marked = time.monotonic()
                with suppress(OSError):  # nothing was kept yet
                    os.utime(self.folder)
            report(step, done, total)

        return told

    def remove(self) -> None:
        """Forget everything: the best has been trained on all images."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, recipe: Recipe) -> Path:
        return self.folder / f"{digest(json.dumps([recipe.to_toml(), *_makers(recipe)]).encode())[7:39]}.npz"


def _makers(recipe: Recipe) -> list[str]:
    """What else decides what a recipe comes to: the model file it starts from, and what trains it."""
    if recipe.method == "head":
        return [file_digest(find(recipe.backbone))]
    start = file_digest(recipe.weights) if os.path.isfile(recipe.weights) else ""
    return [start, *(metadata.version(name) for name in ("torch", "torchvision", "timm"))]


def _outcome(told: Any, probabilities: NDArray[Any], truth: NDArray[Any]) -> Outcome | None:
    """What was kept, if it is whole."""
    try:
        outcome = Outcome(
            tuple(told["classes"]),
            bool(told["multi_label"]),
            tuple(told["names"]),
            probabilities,
            truth,
            int(told["images"]),
            float(told["seconds"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
    shape = (len(outcome.names), len(outcome.classes))
    forms = [(values.shape, values.dtype.kind) for values in (probabilities, truth)]
    return outcome if forms == [(shape, "f"), (shape, "b")] else None
