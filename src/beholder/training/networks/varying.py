"""What varies nearly every image of a training: moved, mirrored, cropped, erased. It is drawn from torch's generator.

torchvision has these too; for small images its transforms take some times as long as what they do, and on a laptop
that is time taken from the network.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

GREY: Final = 114
"""What fills the corners of a turned image, and what erasing leaves."""

_CROPPED: Final = (3 / 4, 4 / 3)
_ERASED_SHARE: Final = (0.02, 0.25)
_ERASED: Final = (0.3, 1 / 0.3)

Array = NDArray[np.uint8]


def centered(image: Array, side: int) -> Array:
    """The middle of an image, uint8 `(side, side, 3)` of `(h, w, 3)`, which is nowhere shorter."""
    top, left = ((length - side) // 2 for length in image.shape[:2])
    return image[top : top + side, left : left + side]


def shifted(image: Array, share: float, side: int) -> Array:
    """As `centered`, from anywhere in the image, and up to a share of the side beyond it, where it is black."""
    margin = max(1, round(share * side)) if share else 0
    moved = np.zeros((side, side, 3), np.uint8)
    drawn = zip(_drawn(2), image.shape[:2], strict=True)
    top, left = (int(at * (length + 2 * margin - side + 1)) - margin for at, length in drawn)
    seen = image[max(0, top) : top + side, max(0, left) : left + side]
    y, x = max(0, -top), max(0, -left)
    moved[y : y + seen.shape[0], x : x + seen.shape[1]] = seen
    return moved


def cropped(image: Array, least: float, side: int) -> Array:
    """A part of at least this share of the area, at most a third longer one way than the other, brought to the side.

    Source: Szegedy et al., "Going Deeper with Convolutions", CVPR 2015, section 6. A part that would be longer than
    the image ends there.
    """
    share, shape, down, across = _drawn(4)
    height, width = _part(image.shape[:2], least + (1 - least) * share, shape, _CROPPED)
    top, left = int(down * (image.shape[0] - height + 1)), int(across * (image.shape[1] - width + 1))
    part = torch.from_numpy(image[top : top + height, left : left + width].copy()).permute(2, 0, 1)[None]
    resized = functional.interpolate(part, size=(side, side), mode="bilinear", antialias=True)
    return resized[0].permute(1, 2, 0).numpy()


def mirrored(image: Array, axis: int) -> Array:
    """Half of the images mirrored along an axis."""
    return np.flip(image, axis) if _drawn(1)[0] < 0.5 else image


def erased(image: Array, chance: float) -> Array:
    """A patch painted over, of this share of the images (Zhong et al., "Random Erasing", AAAI 2020)."""
    chosen, share, shape, down, across = _drawn(5)
    if chosen >= chance:
        return image
    first, last = _ERASED_SHARE
    height, width = _part(image.shape[:2], first + (last - first) * share, shape, _ERASED)
    top, left = int(down * (image.shape[0] - height + 1)), int(across * (image.shape[1] - width + 1))
    image = image.copy()
    image[top : top + height, left : left + width] = GREY
    return image


def _part(size_hw: tuple[int, ...], share: float, shape: float, bounds: tuple[float, float]) -> tuple[int, int]:
    """Height and width of a share of an area; `shape` goes, from 0 to 1, from the narrowest to the widest."""
    narrowest, widest = (math.log(bound) for bound in bounds)
    area, ratio = share * size_hw[0] * size_hw[1], math.exp(narrowest + (widest - narrowest) * shape)
    lengths = (math.sqrt(area / ratio), math.sqrt(area * ratio))
    height, width = (min(most, max(1, round(length))) for length, most in zip(lengths, size_hw[:2], strict=True))
    return height, width


def _drawn(count: int) -> list[float]:
    """Numbers from 0 to less than 1."""
    drawn: list[float] = torch.rand(count).tolist()
    return drawn
