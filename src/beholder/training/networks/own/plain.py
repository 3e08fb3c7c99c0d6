"""AlexNet and VGG: convolutions and pools in one line, then two large hidden layers.

Layers have torchvision's names, so that its weights fit. Up to 64 pixels the hidden layers have 512 units instead of
4,096, and the map is not pooled to a fixed grid before them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from torch import Tensor, nn

from beholder.training.networks import published
from beholder.training.networks.architectures import Spec
from beholder.training.networks.assembling import SMALL, assemble, scaled
from beholder.training.networks.network import Network, Stages

_VGG: Final = {
    "vgg11": ((64,), (128,), (256, 256), (512, 512), (512, 512)),
    "vgg13": ((64, 64), (128, 128), (256, 256), (512, 512), (512, 512)),
    "vgg16": ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3),
    "vgg19": ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4),
}
_HIDDEN: Final = 4096
_HIDDEN_SMALL: Final = 512


class Plain(nn.Module):
    """Features, their mean over the cells of a grid, and the hidden layers: `(N, C, S, S)` to `(N, D)`."""

    def __init__(self, features: nn.Sequential, grid: int, classifier: nn.Sequential) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d(grid)
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        """Embedding of normalized images."""
        embedding: Tensor = self.classifier(self.avgpool(self.features(images)).flatten(1))
        return embedding


def alexnet(spec: Spec, pretrained: bool) -> Network:
    """AlexNet in one column, as in arXiv 1404.5997: without the two halves and the response normalization of 2012.

    Small inputs: the first convolution has stride 2 instead of 4, and the second pool goes.
    """
    small = spec.size <= SMALL
    first, second, third, fourth, fifth = scaled((64, 192, 384, 256, 256), spec.width)
    features = nn.Sequential(
        nn.Conv2d(spec.channels, first, 11, 2 if small else 4, padding=5 if small else 2),
        *(nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(first, second, 5, padding=2), nn.ReLU(), nn.Identity() if small else nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(second, third, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(third, fourth, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(fourth, fifth, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2)),
    )
    grid = (((spec.size - 1) // 2 + 1 - 3) // 2 + 1 - 3) // 2 + 1 if small else 6
    hidden = _hidden(spec)
    dropout = 0.5 if spec.dropout is None else spec.dropout
    classifier = nn.Sequential(
        *(nn.Dropout(dropout), nn.Linear(fifth * grid * grid, hidden), nn.ReLU()),
        *(nn.Dropout(dropout), nn.Linear(hidden, hidden), nn.ReLU()),
    )
    names = ("features.0", "features.3", "features.6", "features.8", "features.10", "classifier.1", "classifier.4")
    network = assemble(Plain(features, grid, classifier), hidden, spec, stages=tuple((name,) for name in names))
    for layer in network.modules():
        _start(layer)
    if pretrained:
        published.fill(network, "alexnet", last="classifier.6")
    return network


def vgg(spec: Spec, pretrained: bool, name: str, with_norm: bool) -> Network:
    """VGG. Small inputs: the last two of the five pools go."""
    small = spec.size <= SMALL
    features, stages = _vgg_features(spec, name, with_norm)
    grid = spec.size // 8 if small else 7
    hidden = _hidden(spec)
    dropout = 0.5 if spec.dropout is None else spec.dropout
    classifier = nn.Sequential(
        *(nn.Linear(scaled((512,), spec.width)[0] * grid * grid, hidden), nn.ReLU(), nn.Dropout(dropout)),
        *(nn.Linear(hidden, hidden), nn.ReLU()),
    )
    body = Plain(features, grid, classifier)
    network = assemble(body, hidden, spec, stages=(*stages, ("classifier.0",), ("classifier.3",)), dropout=0.5)
    for layer in network.modules():
        _start(layer)
    if pretrained:
        published.fill(network, f"{name}_bn" if with_norm else name, last="classifier.6")
    return network


def _vgg_features(spec: Spec, name: str, with_norm: bool) -> tuple[nn.Sequential, Stages]:
    layers: list[nn.Module] = []
    stages = []
    before = spec.channels
    for index, block in enumerate(cast(Sequence[Sequence[int]], _VGG[name])):
        begin = len(layers)
        for after in scaled(block, spec.width):
            norm: tuple[Any, ...] = (nn.BatchNorm2d(after),) if with_norm else ()
            layers += [nn.Conv2d(before, after, 3, padding=1), *norm, nn.ReLU()]
            before = after
        stages.append(tuple(f"features.{place}" for place in range(begin, len(layers))))
        layers.append(nn.Identity() if spec.size <= SMALL and index >= 3 else nn.MaxPool2d(2))
    return nn.Sequential(*layers), tuple(stages)


def _hidden(spec: Spec) -> int:
    return scaled((_HIDDEN_SMALL if spec.size <= SMALL else _HIDDEN,), spec.width)[0]


def _start(layer: nn.Module) -> None:
    """He's start, without which the deep plain networks do not begin to learn."""
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(layer, nn.Linear):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # 0.01 is for 25,088 inputs
    if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
        nn.init.zeros_(layer.bias)
