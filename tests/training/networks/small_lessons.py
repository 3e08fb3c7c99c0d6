"""Lessons of a few tiny images in memory, that a network is fitted on in a second."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from beholder.errors import UnreadableImage
from beholder.model.geometry import Geometry
from beholder.training import Recipe
from beholder.training.networks.answering import Recognizer
from beholder.training.networks.architectures import Spec
from beholder.training.networks.augmenting import Augmentation
from beholder.training.networks.cleaning import Intake
from beholder.training.networks.fitting import Fitting
from beholder.training.networks.keeping import Keeper
from beholder.training.networks.lesson import Fitted, Lesson
from beholder.training.networks.loading import Feed
from beholder.training.networks.network import build
from beholder.training.networks.plan import Plan, descent_for

CLASSES = 3


class ArrayPixels:
    """Images in memory; some cannot be read."""

    def __init__(self, images: NDArray[np.uint8], broken: Sequence[int] = ()) -> None:
        self.images, self.broken = images, frozenset(broken)

    def input(self, row: int) -> NDArray[np.uint8]:
        if row in self.broken:
            raise UnreadableImage(f"{row}.png", "is gone")
        return self.images[row]

    whole = input


def colored(count: int, side: int) -> ArrayPixels:
    """Noise of which a channel, another for each class, is brighter."""
    random = np.random.default_rng(0)
    images = random.integers(0, 180, (count, side, side, 3))
    for row in range(count):
        images[row, :, :, row % CLASSES] += 40
    return ArrayPixels(images.astype(np.uint8))


def plan_of(architecture: str = "lenet5", size: int = 16, **keys: Any) -> Plan:
    """A plan; keys that it shares with the recipe are in both."""
    given = {"architecture": architecture, "size": size, "augment": ("shift", "flip"), "epochs": 3, "batch": 8, **keys}
    given.setdefault("precision", "fp32")
    recipe = Recipe(method="network", **given)
    spec = Spec(CLASSES, size, width=recipe.width, dropout=None if recipe.dropout == "auto" else recipe.dropout)
    with torch.device("meta"):
        descent = descent_for(recipe, build(architecture, spec), int(recipe.batch), random=True)
    return Plan(
        spec=spec,
        pretrained=False,
        weights_file=None,
        geometry=Geometry("squash", (size, size), resample="bilinear"),
        clean=recipe.clean,
        augment=recipe.augment,
        epochs=int(recipe.epochs),
        batch=int(recipe.batch),
        learning_rate=descent.learning_rate,
        weight_decay=descent.weight_decay,
        stage_decay=1.0 if recipe.stage_decay == "auto" else recipe.stage_decay,
        optimizer=descent.optimizer,
        precision="bf16-mixed" if recipe.precision == "bf16" else "32-true",
        compiled=False,
        recipe=recipe,
    )


def fitting_of(
    folder: Path,
    plan: Plan,
    tell: Callable[[int, int], None] = lambda *_: None,
    count: int = 36,
    targets: NDArray[Any] | None = None,
    weights: NDArray[Any] | None = None,
) -> Fitting:
    """A training of small images; the last quarter of them is held out."""
    pixels = colored(count, plan.spec.size)
    torch.manual_seed(plan.recipe.seed)
    network = build(plan.recipe.architecture, plan.spec)
    chosen = np.eye(CLASSES, dtype=np.float32)[np.arange(count) % CLASSES] if targets is None else targets
    rows = np.arange(count * 3 // 4)
    lesson = Lesson(
        feed=Feed(
            pixels, rows, Augmentation(plan.augment, plan.spec.size), batch=plan.batch, seed=plan.recipe.seed, workers=1
        ),
        pixels=pixels,
        targets=torch.from_numpy(chosen.astype(np.float32)),
        weights=torch.ones(count) if weights is None else torch.from_numpy(weights.astype(np.float32)),
        held_out=np.arange(count * 3 // 4, count),
        multi_label=targets is not None,
    )
    recognizer = Recognizer(Intake(plan.clean, plan.spec.channels, network.mean, network.std), network)
    return Fitting(recognizer, plan, lesson, Keeper(folder), tell)


def weights_of(fitted: Fitted) -> dict[str, torch.Tensor]:
    """All that was learned, statistics of norms among it."""
    return fitted.recognizer.network.state_dict()


def same_weights(fitted: Fitted, other: Fitted) -> bool:
    """Bit for bit."""
    ours, theirs = weights_of(fitted), weights_of(other)
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
