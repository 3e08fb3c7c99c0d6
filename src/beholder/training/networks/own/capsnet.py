"""The capsule network with dynamic routing.

Source: Sabour, Frosst, Hinton: Dynamic routing between capsules, NeurIPS 2017. Its reconstruction of the image from
the capsules, a regularizer, is left out.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from beholder.errors import UsageError
from beholder.training.networks.architectures import Spec
from beholder.training.networks.assembling import assemble, scaled
from beholder.training.networks.network import Network

_PRIMARY_DIMENSIONS: Final = 8
_CLASS_DIMENSIONS: Final = 16
_KERNEL: Final = 9
_TINY: Final = 1e-12
"""Added to a squared length before its root is taken, whose slope at 0 is infinite."""


def squash(capsules: Tensor) -> Tensor:
    """Shrink vectors `(…, D)` to lengths below 1 along their direction: `|s|² / (1 + |s|²) · s / |s|`."""
    squared = capsules.square().sum(-1, keepdim=True)
    return capsules * (squared / (1 + squared) / (squared + _TINY).sqrt())


class Routing(nn.Module):
    """Capsules of one layer to those of the next, by agreement.

    Args:
        inputs: capsules that come in, I, each of 8 dimensions.
        outputs: capsules that go out, K, each of 16 dimensions.
        iterations: how often the coupling is found anew.
    """

    def __init__(self, inputs: int, outputs: int, iterations: int = 3) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs, _PRIMARY_DIMENSIONS, _CLASS_DIMENSIONS))
        self.iterations = iterations
        nn.init.normal_(self.weight, 0, 0.1)

    def forward(self, capsules: Tensor) -> Tensor:
        """Capsules `(N, I, 8)` to `(N, K, 16)`, each shorter than 1."""
        votes = torch.einsum("nie,iked->nikd", capsules, self.weight)
        return squash((self.coupling(votes) * votes).sum(1))

    def coupling(self, votes: Tensor) -> Tensor:
        """How much of each capsule goes to each class, `(N, I, K, 1)`, which sums to 1 over the classes.

        Args:
            votes: what each capsule says of each class, `(N, I, K, 16)`. No gradient goes through the agreement.
        """
        votes = votes.detach()
        agreement = torch.zeros_like(votes[..., :1])
        for _ in range(self.iterations - 1):
            answer = squash((agreement.softmax(2) * votes).sum(1, keepdim=True))
            agreement = agreement + (votes * answer).sum(-1, keepdim=True)
        return agreement.softmax(2)


class CapsuleBody(nn.Module):
    """Two convolutions, the second read as capsules, and the routing: `(N, C, S, S)` to `(N, K * 16)`."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        maps, kinds = scaled((256, 32), spec.width)
        stride = max(1, -(-(spec.size - _KERNEL + 1) // 32))  # larger inputs would make too many capsules
        side = ((spec.size - _KERNEL) // stride + 1 - _KERNEL) // 2 + 1
        self.conv = nn.Conv2d(spec.channels, maps, _KERNEL, stride)
        self.primary = nn.Conv2d(maps, kinds * _PRIMARY_DIMENSIONS, _KERNEL, 2)
        self.routing = Routing(kinds * side * side, spec.classes)

    def forward(self, images: Tensor) -> Tensor:
        """The capsules of all classes in a row."""
        maps: Tensor = self.primary(self.conv(images).relu())
        kinds = torch.unflatten(maps, 1, (-1, _PRIMARY_DIMENSIONS))
        capsules = squash(kinds.movedim(2, -1).flatten(1, 3))
        embedding: Tensor = self.routing(capsules).flatten(1)
        return embedding


class Lengths(nn.Module):
    """The lengths of the classes' capsules, in [0, 1): `(N, K * 16)` to `(N, K)`."""

    def forward(self, embedding: Tensor) -> Tensor:
        """Each length says how sure the network is that its class is there."""
        capsules = torch.unflatten(embedding, 1, (-1, _CLASS_DIMENSIONS))
        return (capsules.square().sum(-1) + _TINY).sqrt()


def capsnet(spec: Spec, pretrained: bool) -> Network:
    """The capsule network for 28 pixels; from 41 on, the first convolution has a stride.

    Raises:
        UsageError: dropout is asked for; the network has no place for it.
    """
    if spec.dropout is not None:
        raise UsageError("capsnet: it has no dropout; leave dropout out")
    network = assemble(CapsuleBody(spec), 1, spec, stages=(("conv",), ("primary",), ("routing",)))
    network.head = Lengths()
    return network
