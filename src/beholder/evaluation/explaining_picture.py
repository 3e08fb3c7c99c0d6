"""An explanation as a picture: what matters is lit, what does not lies in the dark, what is not seen is gray."""

from __future__ import annotations

from typing import Final

import numpy as np
import PIL.Image
import PIL.ImageFilter
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

_ANCHORS: Final = ((22, 12, 58), (96, 24, 112), (188, 52, 88), (242, 122, 34), (255, 228, 128))
"""From cold to hot, evenly spaced: lightness rises steadily, so that it reads the same without color."""

_DARK: Final = 0.36
"""How bright what does not matter stays."""

_TINT: Final = 0.62
"""How strongly the color of heat covers the image, at most."""

_UNSEEN: Final = 0.22
"""How bright what the model does not see stays."""

_LEAST_SIDE: Final = 600
_MOST_SIDE: Final = 1000
"""Pixels of the longer side of each of two pictures side by side."""

_MARGIN_SHARE: Final = 0.02


def overlay(
    pixels: Pixels, heat: Floats, box_xyxy: tuple[float, float, float, float], marked: NDArray[np.bool_]
) -> Pixels:
    """Lay heat over an image.

    Args:
        pixels: RGB uint8 `(height, width, 3)`.
        heat: `(h, w)`, cells that cover the box; the greatest is the hottest, 0 and below is cold.
        box_xyxy: the part of the image that the cells cover, pixels.
        marked: `(h, w)`, the cells that get an outline.

    Returns:
        RGB uint8 of the same size.
    """
    height, width = pixels.shape[:2]
    left, top, right, bottom = _whole(box_xyxy, width, height)
    size = right - left, bottom - top
    gray = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    drawn = np.repeat((_UNSEEN * gray)[..., None], 3, axis=2)
    strength = _strength(heat, size)[..., None]
    shown = pixels[top:bottom, left:right].astype(np.float32)
    cold = _DARK * (0.5 * shown + 0.5 * gray[top:bottom, left:right, None])
    lit = cold + (shown - cold) * strength * (2 - strength)
    tint = _TINT * strength
    drawn[top:bottom, left:right] = lit * (1 - tint) + _colors(strength[..., 0]) * tint
    line = _outline(marked, size, max(1, round(max(height, width) / 320)))[..., None]
    drawn[top:bottom, left:right] += (255 - drawn[top:bottom, left:right]) * line
    return np.clip(np.rint(drawn), 0, 255).astype(np.uint8)


def side_by_side(
    pixels: Pixels, heat: Floats, box_xyxy: tuple[float, float, float, float], marked: NDArray[np.bool_]
) -> Pixels:
    """An image, and beside it on white the same with heat over it; large ones made smaller, small ones larger."""
    height, width = pixels.shape[:2]
    longer = max(height, width)
    scale = min(max(longer, _LEAST_SIDE), _MOST_SIDE) / longer
    size = max(1, round(width * scale)), max(1, round(height * scale))
    image = PIL.Image.fromarray(pixels)
    panel = image if size == image.size else image.resize(size, PIL.Image.Resampling.LANCZOS)
    x, y = size[0] / width, size[1] / height
    box = box_xyxy[0] * x, box_xyxy[1] * y, box_xyxy[2] * x, box_xyxy[3] * y
    drawn = PIL.Image.fromarray(overlay(np.asarray(panel), heat, box, marked))
    margin = round(_MARGIN_SHARE * max(size))
    both = PIL.Image.new("RGB", (2 * size[0] + margin, size[1]), "white")
    both.paste(panel, (0, 0))
    both.paste(drawn, (size[0] + margin, 0))
    return np.asarray(both)


def _whole(box_xyxy: tuple[float, float, float, float], width: int, height: int) -> tuple[int, int, int, int]:
    left, top = min(round(box_xyxy[0]), width - 1), min(round(box_xyxy[1]), height - 1)
    return left, top, max(round(box_xyxy[2]), left + 1), max(round(box_xyxy[3]), top + 1)


def _strength(heat: Floats, size: tuple[int, int]) -> Floats:
    """From 0 where hiding takes nothing from the label to 1 where it takes most."""
    warm = np.asarray(np.maximum(heat, 0), np.float32)
    hottest = float(warm.max())
    return _enlarged(np.asarray(warm / hottest, np.float32) if hottest > 0 else warm, size)


def _enlarged(cells: Floats, size: tuple[int, int]) -> Floats:
    image = PIL.Image.fromarray(np.ascontiguousarray(cells))
    return np.asarray(np.clip(np.asarray(image.resize(size, PIL.Image.Resampling.BICUBIC)), 0, 1), np.float32)


def _outline(marked: NDArray[np.bool_], size: tuple[int, int], thickness: int) -> Floats:
    """A smooth line, 0 to 1, inside the edge of the marked cells."""
    smooth = PIL.Image.fromarray(marked).convert("L").filter(PIL.ImageFilter.GaussianBlur(0.8))
    inside = PIL.Image.fromarray(_enlarged(np.asarray(smooth, np.float32) / np.float32(255), size) >= 0.5).convert("L")
    core = inside.filter(PIL.ImageFilter.MinFilter(2 * thickness + 1))
    edge = (np.asarray(inside) > 0) & (np.asarray(core) == 0)
    soft = PIL.Image.fromarray(edge).convert("L").filter(PIL.ImageFilter.GaussianBlur(thickness / 4))
    return np.asarray(soft, np.float32) / np.float32(255)


def _colors(strength: Floats) -> Floats:
    """RGB 0 to 255, `(…, 3)`, of values 0 to 1."""
    places = np.linspace(0, 1, len(_ANCHORS))
    channels = [np.interp(strength, places, channel) for channel in np.array(_ANCHORS).T]
    return np.asarray(np.stack(channels, axis=-1), np.float32)
