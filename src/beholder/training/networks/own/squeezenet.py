"""SqueezeNet: fire modules of torchvision, in any width."""

from __future__ import annotations

from typing import Final

from torch import nn

from beholder.training.networks import published
from beholder.training.networks.architectures import Spec
from beholder.training.networks.assembling import SMALL, assemble, drop_strides, scaled
from beholder.training.networks.network import Network

_FIRE: Final = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
"""Of each fire module: the channels of its squeezing, and of either half of its expanding."""
_STEM: Final = {"1_0": (96, 7), "1_1": (64, 3)}
"""Channels and kernel of the first convolution."""
_POOL_BEFORE: Final = {"1_0": (0, 3, 7), "1_1": (0, 2, 4)}
"""The fire modules that a pool precedes."""


def squeezenet(spec: Spec, pretrained: bool, version: str) -> Network:
    """SqueezeNet. Small inputs: the first pool goes.

    The last 1x1 convolution is applied to the mean of the map, without the ReLU of the paper, and is always new: so
    the logits can be negative, and the embedding has 512 numbers.
    """
    from torchvision.models.squeezenet import Fire

    channels, kernel = _STEM[version]
    (before,) = scaled((channels,), spec.width)
    layers: list[nn.Module] = [nn.Conv2d(spec.channels, before, kernel, 2), nn.ReLU()]
    starts = [0]
    for index, published_widths in enumerate(_FIRE):
        if index in _POOL_BEFORE[version]:
            starts.append(len(layers))
            layers.append(nn.MaxPool2d(3, 2, ceil_mode=True))
        squeezed, expanded = scaled(published_widths, spec.width)
        layers.append(Fire(before, squeezed, expanded, expanded))
        before = 2 * expanded
    groups = zip(starts, [*starts[1:], len(layers)], strict=True)
    stages = tuple(tuple(f"features.{place}" for place in range(begin, end)) for begin, end in groups)
    body = nn.Sequential()
    body.features = nn.Sequential(*layers)
    body.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    if spec.size <= SMALL:
        drop_strides(body, ("features.2",))
    for layer in body.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_uniform_(layer.weight)
            nn.init.zeros_(layer.get_parameter("bias"))
    network = assemble(body, before, spec, stages=stages, dropout=0.5)
    if pretrained:
        published.fill(network, f"squeezenet{version}", last=None)
    return network
