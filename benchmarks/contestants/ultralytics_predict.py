"""Ultralytics' classify predict, with a network of its own that has not been trained. Arguments: FOLDER NETWORK.onnx BATCH.

Speed does not depend on what a network has learned. The weights come from one seed, and the network is also exported to
NETWORK.onnx, if that is not there, so that Beholder can run the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
from turns import Answer, take_turns
from ultralytics import YOLO

NETWORK = "yolo26n-cls.yaml"
SIZE = 224


def load(folder: str) -> Callable[[], Iterable[Answer]]:
    batch = int(sys.argv[3])
    network = untrained()

    def work() -> Iterator[Answer]:
        for result in network.predict(folder, imgsz=SIZE, batch=batch, device="cpu", stream=True, verbose=False):
            yield os.path.basename(result.path), result.probs.top5

    return work


def untrained() -> YOLO:
    torch.manual_seed(0)
    return YOLO(NETWORK)


def export(path: Path) -> None:
    """Write the network as an ONNX file, as Ultralytics does for its users."""
    made = untrained().export(format="onnx", imgsz=SIZE, dynamic=True, device="cpu")
    os.replace(made, path)


if __name__ == "__main__":
    take_turns(load)
