"""What is wrong with a recipe of a network, found out before any image is looked at."""

from __future__ import annotations

import torch

from beholder.errors import UsageError
from beholder.training.networks.architectures import Spec, find_architecture
from beholder.training.networks.augmenting import Augmentation
from beholder.training.networks.cleaning import cleaner_of
from beholder.training.networks.network import Network, build
from beholder.training.networks.optimizing import freeze
from beholder.training.networks.rates import side_at
from beholder.training.networks.weights import WEIGHTS, channels_of
from beholder.training.recipe import Recipe


def require_possible(recipe: Recipe) -> None:
    """Refuse what can be refused without images; what depends on them is refused when they have been looked at.

    Args:
        recipe: of method `network`.

    Raises:
        UsageError: there is no such architecture, not of that size or width, or without so many stages or such weights;
            a word is not known, or its strength cannot be; the file of weights is not there.
        Offline: the weights are not here, and cannot be fetched.
        HubError: fetching them failed.
    """
    architecture = find_architecture(recipe.architecture)
    Augmentation([word for word in recipe.augment if word != "auto"], architecture.size)
    for word in recipe.clean:
        cleaner_of(word)
    if recipe.weights not in WEIGHTS:
        channels_of(recipe.weights)
    spec = Spec(classes=2, size=architecture.size if recipe.size == "auto" else recipe.size, width=recipe.width)
    pretrained = recipe.weights == "pretrained"
    with torch.device("cpu" if pretrained else "meta"):  # on meta nothing is computed
        network = build(recipe.architecture, spec, pretrained=pretrained)
    freeze(network, recipe.frozen)
    if recipe.progressive:
        _require_any_size(network.to("meta"), spec)


def _require_any_size(network: Network, spec: Spec) -> None:
    side = side_at(0, 1, spec.size, 1.0)
    try:
        network(torch.empty((2, spec.channels, side, side), device="meta"))
    except (RuntimeError, AssertionError, ValueError):  # as each library says that it cannot
        raise UsageError(f"progressive: this network takes images of {spec.size} pixels only; leave it out") from None
