"""What is done to every image inside the model file, in training as in use: clean-up, and normalization."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from beholder.errors import UsageError
from beholder.records import nearest

LUMA: Final = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in the luma of Rec. 601, which is also how Pillow converts to grey."""

MIDDLE: Final = 128.0
SPREAD: Final = 64.0
"""The mean and the standard deviation of luma, in 0 to 255, that `brightness` and `contrast` bring an image to."""

_MEDIAN_OF_9: Final = (
    *((1, 2), (4, 5), (7, 8), (0, 1), (3, 4), (6, 7), (1, 2), (4, 5), (7, 8), (0, 3)),
    *((5, 8), (4, 7), (3, 6), (1, 4), (2, 5), (4, 7), (4, 2), (6, 4), (4, 2)),
)
"""Exchanges after which the fifth of nine values is their median (Devillard, "Fast median search", 1998)."""


class Intake(nn.Module):
    """The first part of a network: cleans an image up, and normalizes it. It has no weights.

    Args:
        clean: words of `CLEANERS`.
        channels: 3, or 1 for the luma alone.
        mean: subtracted from each channel, in 0 to 255.
        std: divides each channel then.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, clean: Sequence[str], channels: int, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.cleaners = [cleaner_of(word) for word in clean]
        self.channels = channels
        self.register_buffer("mean", torch.tensor(mean[:channels]).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std[:channels]).view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """From float32 `(N, 3, H, W)` in 0 to 255 to float32 `(N, C, H, W)`, normalized."""
        for cleaner in self.cleaners:
            images = cleaner(images)
        if self.channels == 1:
            images = _luma(images)
        return (images - self.mean) / self.std


def cleaner_of(word: str) -> Callable[[Tensor], Tensor]:
    """What a word does to float32 images `(N, 3, H, W)` in 0 to 255.

    Raises:
        UsageError: there is no such word.
    """
    if word not in CLEANERS:
        raise UsageError(f"clean: {word!r} is not known; {nearest(word, list(CLEANERS))}")
    return CLEANERS[word]


def denoise(images: Tensor) -> Tensor:
    """The median of each pixel and its eight neighbors, in each channel."""
    height, width = images.shape[-2:]
    padded = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    values = [padded[..., y : y + height, x : x + width] for y in range(3) for x in range(3)]
    for low, high in _MEDIAN_OF_9:
        one, other = values[low], values[high]
        values[low], values[high] = torch.minimum(one, other), torch.maximum(one, other)
    return values[4]


def brightness(images: Tensor) -> Tensor:
    """Bring the mean luma of each image to the middle, at most doubling or halving it."""
    mean = _luma(images).mean(dim=(2, 3), keepdim=True)
    return (images * (MIDDLE / mean.clamp_min(1.0)).clamp(0.5, 2.0)).clamp(0, 255)


def contrast(images: Tensor) -> Tensor:
    """Bring the standard deviation of luma of each image to the usual one, at most by a factor of 4."""
    luma = _luma(images)
    mean = luma.mean(dim=(2, 3), keepdim=True)
    deviation = (luma - mean).square().mean(dim=(2, 3), keepdim=True).sqrt()
    gain = (SPREAD / deviation.clamp_min(1.0)).clamp(0.5, 4.0)
    return ((images - mean) * gain + mean).clamp(0, 255)


def equalize(images: Tensor) -> Tensor:
    """Give every level of each channel the same share of the pixels: histogram equalization."""
    flat = images.flatten(2)
    levels = flat.round().clamp(0, 255).to(torch.int64)
    counts = torch.zeros_like(flat[..., :1]).expand(-1, -1, 256).scatter_add(2, levels, torch.ones_like(flat))
    shares = counts.cumsum(dim=2) / flat.shape[2]
    return (255 * shares.gather(2, levels)).view_as(images)


def grey(images: Tensor) -> Tensor:
    """Give each channel the luma."""
    return _luma(images).expand(-1, 3, -1, -1)


def _luma(images: Tensor) -> Tensor:
    red, green, blue = images[:, 0:1], images[:, 1:2], images[:, 2:3]
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue


CLEANERS: Final[Mapping[str, Callable[[Tensor], Tensor]]] = MappingProxyType(
    {"denoise": denoise, "brightness": brightness, "contrast": contrast, "equalize": equalize, "grey": grey}
)
"""What can be done to every image, by the words of a recipe."""
