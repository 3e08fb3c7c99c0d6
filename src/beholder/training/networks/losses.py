"""What training makes small: for each image, how far a network's logits are from what is true of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.transforms import v2

Loss = Callable[[Tensor, Tensor], Tensor]
"""From logits and targets, float32 `(B, K)` in 0 to 1, to a loss for each image, `(B,)`."""

_PRESENT: Final = 0.9
_ABSENT: Final = 0.1
_SHARE_OF_ABSENT: Final = 0.5


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Of softmax: one class holds."""
    return functional.cross_entropy(logits, targets, reduction="none")


def binary_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Of a sigmoid for each class, summed: any number of classes may hold."""
    return functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(dim=1)


def margin(lengths: Tensor, targets: Tensor) -> Tensor:
    """Of the lengths of capsules (Sabour, Frosst and Hinton, "Dynamic Routing Between Capsules", 2017, equation 4)."""
    present = targets * (_PRESENT - lengths).clamp_min(0).square()
    absent = (1 - targets) * (lengths - _ABSENT).clamp_min(0).square()
    return (present + _SHARE_OF_ABSENT * absent).sum(dim=1)


_LOSSES: Final[Mapping[str, Loss]] = MappingProxyType({"cross_entropy": cross_entropy, "margin": margin})


def loss_of(kind: Literal["cross_entropy", "margin"], multi_label: bool) -> Loss:
    """The loss of an architecture; a sigmoid for each class where several may hold."""
    return binary_cross_entropy if multi_label and kind == "cross_entropy" else _LOSSES[kind]


def smoothed(targets: Tensor, smoothing: float, multi_label: bool) -> Tensor:
    """Targets of which a share is spread over all classes (Szegedy et al., "Rethinking the Inception Architecture")."""
    even = 0.5 if multi_label else 1 / targets.shape[1]
    return targets * (1 - smoothing) + smoothing * even


def mixing(mixup: float, cutmix: float) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """What mixes the images of a batch, and their targets, in pairs: one of both ways, drawn for each batch.

    Args:
        mixup: alpha of mixup (Zhang et al., ICLR 2018); 0 for none.
        cutmix: alpha of CutMix (Yun et al., ICCV 2019); 0 for none.
    """
    ways = [way(alpha=alpha) for way, alpha in ((v2.MixUp, mixup), (v2.CutMix, cutmix)) if alpha > 0]

    def mix(images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        if not ways:
            return images, targets
        way = ways[int(torch.randint(len(ways), ()))]
        mixed: tuple[Tensor, Tensor] = way(images, targets)
        return mixed

    return mix
