"""How large a network is and what it computes: parameters, multiply-adds, bytes. Nothing is allocated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch.utils.flop_counter import FlopCounterMode

from beholder.training.networks.architectures import Architecture, Spec, find_architecture
from beholder.training.networks.network import Network, build

_BYTES: Final = 4
_LARGE: Final = 64
"""Networks for larger inputs than this were made for the 1,000 classes of ImageNet, the others for 10."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted.

    Attributes:
        parameters: trained numbers.
        multiply_adds: of the convolutions and matrix products for one image; what is done elementwise is left out.
    """

    parameters: int
    multiply_adds: int

    @property
    def byte_size(self) -> int:
        """Bytes of the parameters in 32-bit floating point."""
        return _BYTES * self.parameters


def own_spec(architecture: Architecture) -> Spec:
    """What an architecture was made for: its own size, and 1,000 classes, or 10 up to 64 pixels."""
    return Spec(classes=1000 if architecture.size > _LARGE else 10, size=architecture.size)


def count(name: str, spec: Spec | None = None) -> Counts:
    """Count a network without making its weights.

    Args:
        name: of the architecture.
        spec: what it is for; `own_spec` when left out.

    Raises:
        UsageError: there is no such architecture, or it cannot be made so.
    """
    spec = own_spec(find_architecture(name)) if spec is None else spec
    with torch.device("meta"):
        return count_network(build(name, spec), spec)


def count_network(network: Network, spec: Spec) -> Counts:
    """Count a network as it is; its weights may be on any device."""
    place = next(network.parameters()).device
    images = torch.zeros(1, spec.channels, spec.size, spec.size, device=place)
    mode = FlopCounterMode(display=False)
    was_training = network.training
    with torch.no_grad(), mode:
        network.eval()(images)
    network.train(was_training)
    return Counts(sum(parameter.numel() for parameter in network.parameters()), mode.get_total_flops() // 2)
