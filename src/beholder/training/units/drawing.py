"""Small pictures of what a network sees: maps in color, and the parts of images that excite a unit."""

from __future__ import annotations

from io import BytesIO
from typing import Final

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from beholder.training.units.sight import Sight

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

MAP_SIDE: Final = 112
TILE_SIDE: Final = 88

_ANCHORS: Final = ((35, 15, 66), (58, 54, 130), (42, 104, 146), (36, 150, 140), (94, 192, 104), (250, 228, 84))
"""From silent to loudest, evenly spaced: lightness rises steadily, so that it reads the same without color."""

_MIDDLE: Final = 6
"""A unit sees the middle of its area far better than the rest (W. Luo et al., NeurIPS 2016): so many steps of its map
are shown at most."""

_WHOLE: Final = 0.75
"""From this share of the input's side on the whole image is shown, lit where the unit answers."""

_DARK: Final = 0.62
"""How bright stays what a unit does not answer to; its colors go."""

_SHARP: Final = 24
"""Areas of fewer pixels a side are shown pixel by pixel."""


def palette() -> NDArray[np.uint8]:
    """The 256 colors of a map, uint8 `(256, 3)`."""
    places = np.linspace(0, 1, len(_ANCHORS))
    channels = [np.interp(np.linspace(0, 1, 256), places, channel) for channel in np.array(_ANCHORS).T]
    return np.asarray(np.rint(np.stack(channels, axis=-1)), np.uint8)


def map_png(values: Floats) -> bytes:
    """A map as a small picture, PNG; what is 0 or less is silent, the greatest value the loudest.

    Args:
        values: `(height, width)`. Places stay visible as squares where there are few of them.
    """
    image = PIL.Image.fromarray(np.asarray(np.rint(255 * _loudness(values)), np.uint8))
    height, width = values.shape
    scale = MAP_SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = PIL.Image.Resampling.NEAREST if scale > 1.5 else PIL.Image.Resampling.BOX
    image = image.resize(size, how)
    image.putpalette(palette().tobytes())
    stream = BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def jpeg(pixels: Pixels, quality: int = 80) -> bytes:
    """A picture as JPEG."""
    stream = BytesIO()
    PIL.Image.fromarray(pixels).save(stream, "JPEG", quality=quality, optimize=True)
    return stream.getvalue()


def shown_hw(sight: Sight | None, input_hw: tuple[int, int]) -> tuple[int, int] | None:
    """Height and width of the part of an input that is shown of what excites a unit; None for all of it."""
    if sight is None:
        return None
    sides = [min(size, _MIDDLE * step) for size, step in zip(sight.size_yx, sight.step_yx, strict=True)]
    if any(side >= _WHOLE * whole for side, whole in zip(sides, input_hw, strict=True)):
        return None
    return max(1, round(sides[0])), max(1, round(sides[1]))


def exciting_part(pixels: Pixels, values: Floats, sight: Sight | None) -> Pixels:
    """The part of an input that excites a unit most, as a square picture.

    Where a unit sees little, that is what it sees at its peak, or the middle of it. Where it sees most of the image, it
    is the whole image, gray where the unit answers with less than about half of its peak (as in D. Bau et al., "Network
    dissection", CVPR 2017).

    Args:
        pixels: the input, uint8 `(height, width, 3)`.
        values: the unit's map, `(h, w)`.
        sight: what its places see; None where that is everything.
    """
    height, width = pixels.shape[:2]
    size_hw = shown_hw(sight, (height, width))
    if sight is None or size_hw is None:
        return _squared(_lit(pixels, values))
    peak_y, peak_x = np.unravel_index(int(values.argmax()), values.shape)
    left, top, right, bottom = sight.area((int(peak_y), int(peak_x)))
    rows = _within((top + bottom) / 2, size_hw[0], height)
    return _squared(pixels[rows, _within((left + right) / 2, size_hw[1], width)])


def _within(middle: float, length: int, whole: int) -> slice:
    """A stretch of pixels, moved into the image where it reaches into the padding."""
    first = min(max(0, round(middle - length / 2)), whole - length)
    return slice(first, first + length)


def _squared(pixels: Pixels) -> Pixels:
    """Of one size; the middle of what is not square."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    image = PIL.Image.fromarray(np.ascontiguousarray(pixels[top : top + side, left : left + side]))
    how = PIL.Image.Resampling.NEAREST if side < _SHARP else PIL.Image.Resampling.BICUBIC
    return np.asarray(image.resize((TILE_SIDE, TILE_SIDE), how))


def _lit(pixels: Pixels, values: Floats) -> Pixels:
    """An input, dark where a unit does not answer."""
    height, width = pixels.shape[:2]
    loud = PIL.Image.fromarray(_loudness(values)).resize((width, height), PIL.Image.Resampling.BICUBIC)
    rising = np.clip((np.asarray(loud) - 0.3) / 0.35, 0, 1)[..., None]
    light = rising * rising * (3 - 2 * rising)
    gray = _DARK * (pixels @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]
    return np.asarray(np.rint(gray + (pixels - gray) * light), np.uint8)


def _loudness(values: Floats) -> Floats:
    """From 0, silent, to 1, the loudest."""
    heard = np.maximum(values, 0).astype(np.float32)
    loudest = float(heard.max())
    return heard / np.float32(loudest) if loudest > 0 else heard
