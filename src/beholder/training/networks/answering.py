"""What a network says of images as its model file will see them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from beholder.errors import ImageError
from beholder.training.networks.cleaning import Intake
from beholder.training.networks.network import Network
from beholder.training.networks.pixels import Pixels

_TOGETHER: Final = 64


class Recognizer(nn.Module):
    """A network with its intake: what is trained, and what is exported.

    Args:
        intake: cleans and normalizes.
        network: recognizes.
        mirrored: whether what it says is the mean of what the network says of an image and of its mirror image.
    """

    def __init__(self, intake: Intake, network: Network, mirrored: bool = False) -> None:
        super().__init__()
        self.intake = intake
        self.network = network
        self.mirrored = mirrored

    def with_network(self, network: Network) -> Recognizer:
        """The same with other weights."""
        return Recognizer(self.intake, network, self.mirrored)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits `(N, K)` and embedding `(N, D)`, float32, of images uint8 `(N, H, W, 3)`."""
        seen = self.intake(images.permute(0, 3, 1, 2).float())
        logits, embedding = self.network(seen)
        if self.mirrored:
            others = self.network(seen.flip(3))
            logits, embedding = (logits + others[0]) / 2, (embedding + others[1]) / 2
        return logits.float(), embedding.float()


class Said(NamedTuple):
    """What a network says of images.

    Attributes:
        logits: float32 `(n, k)`; NaN of an image that cannot be read.
        embeddings: float32 `(n, d)`, likewise.
    """

    logits: NDArray[np.float32]
    embeddings: NDArray[np.float32]


def answers(recognizer: Recognizer, pixels: Pixels, rows: NDArray[Any], together: int = _TOGETHER) -> Said:
    """What a network says of some images, in evaluation mode and single precision.

    Args:
        recognizer: on any device.
        pixels: of all images.
        rows: which of them, `(n,)`; at least one.
        together: images that are asked about at once; no more than 64 are.

    Raises:
        ImageError: not one of them can be read.
    """
    device = next(recognizer.parameters()).device
    said: list[tuple[list[int], tuple[Tensor, Tensor]]] = []
    error: ImageError | None = None
    with _evaluating(recognizer), torch.inference_mode():
        for start in range(0, len(rows), min(together, _TOGETHER)):
            inputs: dict[int, NDArray[np.uint8]] = {}
            for place in range(start, min(start + min(together, _TOGETHER), len(rows))):
                try:
                    inputs[place] = pixels.input(int(rows[place]))
                except ImageError as failure:
                    error = failure
            if inputs:
                found = recognizer(torch.from_numpy(np.stack(list(inputs.values()))).to(device))
                said.append((list(inputs), tuple(part.cpu() for part in found)))
    if not said:
        raise error or ValueError("no rows")
    logits, embeddings = (np.full((len(rows), part.shape[1]), np.nan, np.float32) for part in said[0][1])
    for places, (some_logits, some_embeddings) in said:
        logits[places], embeddings[places] = some_logits.numpy(), some_embeddings.numpy()
    return Said(logits, embeddings)


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
