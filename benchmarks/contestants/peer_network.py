"""Beholder's networks as timm makes them; also under names of timm's own registry, for its training script."""

from __future__ import annotations

from typing import Any

import timm
import torch
from timm.models import register_model
from torch import nn

SMALL = 64
"""Up to so many pixels Beholder's ResNets have no pool behind the first convolution."""

NAMES = {"efficientnet-lite0": "tf_efficientnet_lite0", "resnet18": "resnet18", "resnet50": "resnet50"}
STAGES = (64, 128, 256, 512)


def network(architecture: str, width: float, size: int, channels: int, classes: int) -> nn.Module:
    """The network of a lesson, with random weights."""
    options: dict[str, Any] = {"num_classes": classes, "in_chans": channels}
    if width != 1:
        options["channels"] = tuple(max(8, round(count * width / 8) * 8) for count in STAGES)
    made = timm.create_model(NAMES[architecture], **options)
    if architecture.startswith("resnet") and size <= SMALL:
        made.maxpool = nn.Identity()
    if architecture == "efficientnet-lite0":
        made.drop_rate = 0.2  # the dropout of the paper, which timm leaves to its training script
    return made


def register(told: dict[str, Any]) -> str:
    """Let timm know the network of a lesson by a name; returns the name."""

    def beholder_lesson(pretrained: bool = False, **_: Any) -> torch.nn.Module:
        return network(told["architecture"], told["width"], told["size"], told["channels"], told["classes"])

    beholder_lesson.__module__ = __name__
    register_model(beholder_lesson)
    return "beholder_lesson"
