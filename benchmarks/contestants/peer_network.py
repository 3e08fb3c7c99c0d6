"""Beholder's networks as timm makes them; also under names of timm's own registry, for its training script."""

from __future__ import annotations

from typing import Any

import timm
import torch
from timm.models import register_model
from torch import nn

SMALL = 64
"""Up to so many pixels Beholder's ResNets have no pool behind the first convolution."""

TINY = 32
"""Up to so many they begin with a 3x3 convolution without a stride, as wide as what follows it."""

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
    if architecture.startswith("resnet") and size <= TINY:
        _begin_small(made, channels, options.get("channels", STAGES)[0])
    if architecture == "efficientnet-lite0":
        made.drop_rate = 0.2  # the dropout of the paper, which timm leaves to its training script
    return made


def _begin_small(made: Any, channels: int, first: int) -> None:
    """Another first convolution, and a first block that takes what it gives."""
    block, given = made.layer1[0], made.layer1[-1].conv1.in_channels
    kernel = block.conv1.kernel_size[0]
    made.conv1, made.bn1 = nn.Conv2d(channels, first, 3, padding=1, bias=False), nn.BatchNorm2d(first)
    block.conv1 = nn.Conv2d(first, block.conv1.out_channels, kernel, padding=kernel // 2, bias=False)
    joined = nn.Sequential(nn.Conv2d(first, given, 1, bias=False), nn.BatchNorm2d(given))
    block.downsample = None if first == given else joined


def register(told: dict[str, Any]) -> str:
    """Let timm know the network of a lesson by a name; returns the name."""

    def beholder_lesson(pretrained: bool = False, **_: Any) -> torch.nn.Module:
        return network(told["architecture"], told["width"], told["size"], told["channels"], told["classes"])

    beholder_lesson.__module__ = __name__
    register_model(beholder_lesson)
    return "beholder_lesson"
