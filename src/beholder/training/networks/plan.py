"""A recipe with everything decided that it leaves open: by the images, the architecture and the machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeVar

import numpy as np
import torch
from torch import nn

from beholder.errors import UsageError
from beholder.model.geometry import Geometry, Resample
from beholder.records import to_json
from beholder.training.material import Material
from beholder.training.networks.architectures import Architecture, Spec, find_architecture
from beholder.training.networks.assembling import SMALL
from beholder.training.networks.augmenting import default_words
from beholder.training.networks.network import Network, build
from beholder.training.networks.weights import WEIGHTS, channels_of
from beholder.training.recipe import Recipe

CROP: Final = 256 / 224
"""The shorter side before the crop, as a share of the input: usual since AlexNet."""

_GREY_MODES: Final = frozenset({"1", "L", "LA", "La", "I", "I;16", "F"})
_NORMS: Final = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """How one network is trained; nothing is left open.

    Attributes:
        spec: what the network is made for.
        pretrained: whether it starts from published weights.
        weights_file: of an earlier run, which it starts from; None for none.
        geometry: how an image becomes its input.
        clean: what is done to every input, in this order.
        augment: the words by which images are varied.
        epochs: how often every image is seen.
        batch: images for each step.
        learning_rate: the highest of the schedule.
        weight_decay: of weight matrices and filters; not of biases and norms.
        stage_decay: learning rate of each stage as a share of that of the next.
        optimizer: `adamw`, or `sgd` with Nesterov's momentum.
        precision: as Lightning Fabric names it.
        compiled: whether the network is compiled.
        recipe: what else it says goes as it is there.
    """

    spec: Spec
    pretrained: bool
    weights_file: str | None
    geometry: Geometry
    clean: tuple[str, ...]
    augment: tuple[str, ...]
    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    stage_decay: float
    optimizer: Literal["adamw", "sgd"]
    precision: Literal["32-true", "bf16-mixed"]
    compiled: bool
    recipe: Recipe

    @property
    def architecture(self) -> Architecture:
        """Which network it is."""
        return find_architecture(self.recipe.architecture)

    def facts(self) -> dict[str, Any]:
        """What was decided, as JSON values, for the run to keep."""
        names = ("epochs", "batch", "learning_rate", "weight_decay", "stage_decay", "optimizer", "precision")
        return {
            "architecture": self.recipe.architecture,
            "pretrained": self.pretrained,
            "size": self.spec.size,
            "width": self.spec.width,
            "channels": self.spec.channels,
            "clean": list(self.clean),
            "augment": list(self.augment),
            **{name: to_json(getattr(self, name)) for name in names},
        }


class _Start(NamedTuple):
    """What the weights of a network are before it is trained.

    Attributes:
        pretrained: whether they are published ones.
        file: of an earlier run; None for none.
        channels: of the images that they are for.
    """

    pretrained: bool
    file: str | None
    channels: int

    @property
    def random(self) -> bool:
        """Whether there are none yet."""
        return not self.pretrained and self.file is None


class Descent(NamedTuple):
    """By what a network is optimized; see `Plan`."""

    optimizer: Literal["adamw", "sgd"]
    learning_rate: float
    weight_decay: float


def plan_for(recipe: Recipe, material: Material, device: torch.device) -> Plan:
    """Decide what a recipe leaves open.

    Args:
        recipe: of method `network`.
        material: what is fitted on.
        device: what trains.

    Raises:
        UsageError: a batch has fewer images than there are devices, or the network cannot be made so.
    """
    side = round(float(np.median(_sides(material))))
    architecture, small = find_architecture(recipe.architecture), side <= SMALL
    size = _decided(recipe.size, max(architecture.smallest, side) if small else architecture.size)
    start, images = _start(recipe, architecture, material, size), int(material.fitted.sum())
    dropout = None if recipe.dropout == "auto" else recipe.dropout
    spec = Spec(len(material.dataset.classes), size, recipe.width, start.channels, dropout)
    with torch.device("meta"):  # where nothing is computed: to see what it is made of
        network = build(recipe.architecture, spec)
    batch = min(_decided(recipe.batch, _batch(images, size)), max(2, images))
    if recipe.devices > batch:
        raise UsageError(
            f"devices: each needs an image of every batch, and a batch has {batch}; found {recipe.devices}"
        )
    descent = descent_for(recipe, network, batch, start.random)
    as_grey = start.channels == 1 and "grey" not in recipe.clean
    return Plan(
        spec=spec,
        pretrained=start.pretrained,
        weights_file=start.file,
        geometry=_geometry(recipe, size, small, network.interpolation),
        clean=(*recipe.clean, "grey") if as_grey else recipe.clean,
        augment=_words(recipe, material, small, not start.random, size),
        epochs=_decided(recipe.epochs, int(np.clip(600_000 // max(1, images), 15, 100)) if start.random else 12),
        batch=batch,
        learning_rate=descent.learning_rate,
        weight_decay=descent.weight_decay,
        stage_decay=_decided(recipe.stage_decay, 1.0 if start.random else 0.8),
        optimizer=descent.optimizer,
        precision=_precision(recipe, network, device),
        compiled=recipe.compile == "yes" or (recipe.compile == "auto" and device.type == "cuda" and images > 20_000),
        recipe=recipe,
    )


def _start(recipe: Recipe, architecture: Architecture, material: Material, size: int) -> _Start:
    if recipe.weights not in WEIGHTS:
        return _Start(False, recipe.weights, channels_of(recipe.weights))
    published = architecture.weights is not None and recipe.width == 1 and size > SMALL
    if recipe.weights == "pretrained" or (recipe.weights == "auto" and published):
        return _Start(True, None, 3)
    return _Start(False, None, 1 if _all_grey(material) or "grey" in recipe.clean else 3)


def descent_for(recipe: Recipe, network: Network, batch: int, random: bool) -> Descent:
    """By what a network is optimized.

    Args:
        recipe: says so, or leaves it open.
        network: which it is; its weights do not matter.
        batch: images for each step.
        random: whether it starts from random weights.
    """
    normed = any(isinstance(module, _NORMS) for module in network.modules())
    optimizer = "adamw" if recipe.optimizer == "auto" else recipe.optimizer
    if optimizer == "adamw":
        rate, decay = (1e-3 if not random else 2e-3 if normed else 5e-4), 0.05
    else:
        rate, decay = (0.02 if not random else 0.2 if normed else 0.01) * (batch / 128) ** 0.5, 5e-4
    return Descent(optimizer, _decided(recipe.learning_rate, rate), _decided(recipe.weight_decay, decay))


def averaging(recipe: Recipe, steps: int) -> float:
    """The share of itself that the moving average of the weights keeps at each step: it reaches over 3% of them."""
    return _decided(recipe.ema, 1 - 1 / max(5.0, 0.03 * steps))


def _decided(value: T | Literal["auto"], otherwise: T) -> T:
    return otherwise if isinstance(value, str) else value


def _sides(material: Material) -> np.ndarray[Any, np.dtype[np.int64]]:
    facts = [material.facts[sample.digest or ""] for sample in material.dataset.samples]
    return np.array([min(fact.size_hw) for fact in facts], np.int64)


def _all_grey(material: Material) -> bool:
    return all(material.facts[sample.digest or ""].mode in _GREY_MODES for sample in material.dataset.samples)


def _geometry(recipe: Recipe, size: int, small: bool, resample: Resample) -> Geometry:
    method = recipe.geometry if recipe.geometry != "auto" else "squash" if small else "crop"
    draft = None if small else 2.0
    if method == "crop":
        return Geometry("resize_crop", (size, size), resize=round(size * CROP), resample=resample, draft=draft)
    if method == "letterbox":
        return Geometry("letterbox", (size, size), resample=resample, fill=(114, 114, 114), draft=draft)
    return Geometry("squash", (size, size), resample=resample, draft=draft)


def _words(recipe: Recipe, material: Material, small: bool, started: bool, size: int) -> tuple[str, ...]:
    words: list[str] = []
    for word in recipe.augment:
        words += default_words(material.dataset.classes, small, started, size) if word == "auto" else (word,)
    return tuple(words)


def _batch(images: int, size: int) -> int:
    """A power of two, so that a small set has at least some 20 steps in an epoch."""
    most = 128 if size <= SMALL else 32
    return int(np.clip(2 ** int(np.log2(max(1, images / 20))), 8, most))


def _precision(recipe: Recipe, network: Network, device: torch.device) -> Literal["32-true", "bf16-mixed"]:
    """Where nothing is asked for: bf16 on a GPU that has it, and on a CPU that is fast at it.

    With instructions for it, a CPU takes half the time for dense layers, and more for depthwise ones.
    """
    if recipe.precision != "auto":
        return "bf16-mixed" if recipe.precision == "bf16" else "32-true"
    if device.type == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    depthwise = any(isinstance(module, nn.Conv2d) and module.groups > 1 for module in network.modules())
    return "bf16-mixed" if device.type == "cpu" and fast and not depthwise else "32-true"
