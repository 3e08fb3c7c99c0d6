"""What a network says of images as its model file will see them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from beholder.errors import ImageError
from beholder.training.networks.cleaning import Intake
from beholder.training.networks.network import Network
from beholder.training.networks.pixels import Pixels

_TOGETHER = 64


class Recognizer(nn.Module):
    """A network with its intake: what is trained, and what is exported.

    Args:
        intake: cleans and normalizes.
        network: recognizes.
    """

    def __init__(self, intake: Intake, network: Network) -> None:
        super().__init__()
        self.intake = intake
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits `(N, K)` and embedding `(N, D)`, float32, of images uint8 `(N, H, W, 3)`."""
        logits, embedding = self.network(self.intake(images.permute(0, 3, 1, 2).float()))
        return logits.float(), embedding.float()


class Said(NamedTuple):
    """What a network says of images.

    Attributes:
        logits: float32 `(n, k)`; NaN of an image that cannot be read.
        embeddings: float32 `(n, d)`, likewise.
    """

    logits: NDArray[np.float32]
    embeddings: NDArray[np.float32]


def answers(recognizer: Recognizer, pixels: Pixels, rows: NDArray[Any]) -> Said:
    """What a network says of some images, in evaluation mode and single precision.

    Args:
        recognizer: on any device.
        pixels: of all images.
        rows: which of them, `(n,)`; at least one.
    """
    device = next(recognizer.parameters()).device
    logits: list[NDArray[np.float32]] = []
    embeddings: list[NDArray[np.float32]] = []
    with _evaluating(recognizer), torch.inference_mode():
        for start in range(0, len(rows), _TOGETHER):
            inputs, missing = _inputs(pixels, rows[start : start + _TOGETHER])
            found = recognizer(torch.from_numpy(inputs).to(device))
            for part, all_parts in zip(found, (logits, embeddings), strict=True):
                values = part.cpu().numpy()
                values[missing] = np.nan
                all_parts.append(values)
    return Said(np.concatenate(logits), np.concatenate(embeddings))


def _inputs(pixels: Pixels, rows: NDArray[Any]) -> tuple[NDArray[np.uint8], list[int]]:
    """The inputs of images, and the places of those that cannot be read, which are black."""
    found: list[NDArray[np.uint8] | None] = []
    for row in rows:
        try:
            found.append(pixels.input(int(row)))
        except ImageError:
            found.append(None)
    shapes = [image.shape for image in found if image is not None]
    if not shapes:
        raise next(_errors(pixels, rows))
    black = np.zeros(shapes[0], np.uint8)
    missing = [place for place, image in enumerate(found) if image is None]
    return np.stack([black if image is None else image for image in found]), missing


def _errors(pixels: Pixels, rows: NDArray[Any]) -> Iterator[ImageError]:
    for row in rows:
        try:
            pixels.input(int(row))
        except ImageError as error:
            yield error


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    was = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(was)
