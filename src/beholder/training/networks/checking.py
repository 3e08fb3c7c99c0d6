"""What is wrong with a recipe of a network, found out before any image is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch

from beholder.errors import UsageError, one_line
from beholder.training.networks.architectures import Spec, find_architecture
from beholder.training.networks.augmenting import Augmentation
from beholder.training.networks.cleaning import cleaner_of
from beholder.training.networks.devices import require_devices
from beholder.training.networks.network import Network, build
from beholder.training.networks.optimizing import freeze
from beholder.training.networks.rates import STEP, side_at
from beholder.training.networks.weights import WEIGHTS, channels_of
from beholder.training.recipe import Recipe


def require_possible(recipe: Recipe) -> None:
    """Refuse what can be refused without images; what depends on them is refused when they have been looked at.

    Args:
        recipe: of method `network`.

    Raises:
        UsageError: there is no such architecture, not of that size or width, or without so many stages or such weights;
            a word is not known, or its strength cannot be; the file of weights is not there; or there are fewer
            devices.
        Offline: the weights are not here, and cannot be fetched.
        HubError: fetching them failed.
    """
    architecture = find_architecture(recipe.architecture)
    Augmentation([word for word in recipe.augment if word != "auto"], architecture.size)
    for word in recipe.clean:
        cleaner_of(word)
    if recipe.weights not in WEIGHTS:
        channels_of(recipe.weights)
    require_devices(recipe.devices)
    spec = Spec(classes=2, size=architecture.size if recipe.size == "auto" else recipe.size, width=recipe.width)
    pretrained = recipe.weights == "pretrained"
    impossible = f"{recipe.architecture}: cannot be made for images of {spec.size} pixels; choose another size"
    with torch.device("cpu" if pretrained else "meta"), _refusing(impossible):  # on meta nothing is computed
        network = build(recipe.architecture, spec, pretrained=pretrained)
    freeze(network, recipe.frozen)
    network.to("meta")
    with _refusing(impossible):
        _look(network, spec.channels, spec.size)
    if recipe.progressive:
        smallest = side_at(0, 1, spec.size, 1.0)
        with _refusing(f"progressive: this network takes images of {spec.size} pixels only; leave it out"):
            for side in (smallest, smallest + STEP):  # only multiples of some number would do: one of the two is none
                _look(network, spec.channels, min(side, spec.size))


def _look(network: Network, channels: int, side: int) -> None:
    """Show a network that is on meta two images of a side."""
    with suppress(NotImplementedError):  # an operator that has no meta kernel: nothing is known then
        network(torch.empty((2, channels, side, side), device="meta"))


@contextmanager
def _refusing(why: str) -> Iterator[None]:
    """Say in one line what a library says in its own way."""
    try:
        yield
    except (
        RuntimeError,
        AssertionError,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
        ZeroDivisionError,
    ) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UsageError(one_line(f"{why} ({reason[:200]})")) from error
