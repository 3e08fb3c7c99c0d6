"""The networks of before 2012: the multilayer perceptron and LeNet-5."""

from __future__ import annotations

from typing import Final

from torch import Tensor, nn

from beholder.training.networks.architectures import Spec
from beholder.training.networks.assembling import assemble, scaled
from beholder.training.networks.network import Network

_HIDDEN: Final = (512, 512, 256)


class Perceptron(nn.Module):
    """Hidden layers, each normalized and rectified: `(N, C, S, S)` to `(N, D)`."""

    def __init__(self, inputs: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        sizes = (inputs, *hidden)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(size, after, bias=False), nn.BatchNorm1d(after), nn.ReLU())
            for size, after in zip(sizes, hidden, strict=False)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits' input of normalized images."""
        features = images.flatten(1)
        for layer in self.layers:
            features = layer(features)
        return features


class LeNet(nn.Module):
    """LeNet-5: two convolutions and two hidden layers, with tanh and mean pooling as published.

    The connection table of the second convolution is left out: every map sees every map. The gains of the pooling
    are left out too, since the convolution after it has its own. 28 pixels are padded to 32, as the paper does.
    """

    def __init__(self, size: int, channels: int, width: float) -> None:
        super().__init__()
        maps, more, hidden, features = scaled((6, 16, 120, 84), width, divisor=1)
        margin = 2 if size <= 28 else 0
        side = ((size + 2 * margin - 4) // 2 - 4) // 2
        self.conv1 = nn.Sequential(nn.Conv2d(channels, maps, 5, padding=margin), nn.Tanh(), nn.AvgPool2d(2))
        self.conv2 = nn.Sequential(nn.Conv2d(maps, more, 5), nn.Tanh(), nn.AvgPool2d(2))
        self.full1 = nn.Sequential(nn.Flatten(), nn.Linear(more * side * side, hidden), nn.Tanh())
        self.full2 = nn.Sequential(nn.Linear(hidden, features), nn.Tanh())

    def forward(self, images: Tensor) -> Tensor:
        """Embedding of normalized images."""
        embedding: Tensor = self.full2(self.full1(self.conv2(self.conv1(images))))
        return embedding


def mlp(spec: Spec, pretrained: bool) -> Network:
    """Three hidden layers of 512, 512 and 256; batch normalization instead of a careful start."""
    hidden = scaled(_HIDDEN, spec.width)
    body = Perceptron(spec.channels * spec.size**2, hidden)
    stages = tuple((f"layers.{index}",) for index in range(len(hidden)))
    return assemble(body, hidden[-1], spec, stages=stages, dropout=0.2)


def lenet5(spec: Spec, pretrained: bool) -> Network:
    """LeNet-5, with a linear last layer instead of radial basis functions."""
    body = LeNet(spec.size, spec.channels, spec.width)
    stages = (("conv1",), ("conv2",), ("full1",), ("full2",))
    return assemble(body, scaled((84,), spec.width, divisor=1)[0], spec, stages=stages)
