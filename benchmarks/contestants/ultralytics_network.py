"""The network that Ultralytics and Beholder both run: speed does not depend on what it has learned."""

from __future__ import annotations

import torch
from ultralytics import YOLO

SIZE = 224

_NETWORK = "yolo26n-cls.yaml"


def untrained() -> YOLO:
    """Ultralytics' smallest classifier of its present generation, 1,000 classes, its weights drawn from one seed."""
    torch.manual_seed(0)
    return YOLO(_NETWORK)
