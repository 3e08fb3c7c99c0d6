"""Drawing results onto images.

Everything is sized relative to the image, and nothing changes the pixels that are given.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from beholder.result import fields
from beholder.result.fields import Pixels
from beholder.result.lettering import Lettering
from beholder.result.palette import PANEL, WHITE, Color

if TYPE_CHECKING:
    from PIL.Image import Image

_SMALLEST_TEXT = 8
_PANEL_STRENGTH = 0.72


@final
@dataclass(frozen=True, slots=True)
class Bar:
    """One line of a chart.

    Args:
        text: what it stands for.
        fraction: 0 to 1.
        color: of the bar.
        key: a square of this color stands before it, when it explains a color of the drawing.
    """

    text: str
    fraction: float
    color: Color
    key: Color | None = None


def text_size(size_hw: tuple[int, int]) -> int:
    """Size of text that suits an image, pixels: readable when the image is shown as a whole."""
    height, width = size_hw
    return max(_SMALLEST_TEXT, round(min(math.sqrt(height * width) / 28, height / 5, width / 9)))


def draw_bars(pixels: Pixels, bars: Sequence[Bar], heading: str = "", heading_color: Color = WHITE) -> Pixels:
    """A panel at the lower left with a heading and a bar for each line, as many as fit in half of the height.

    Args:
        pixels: RGB uint8 `(h, w, 3)`.
        bars: from top to bottom.
        heading: a line above the bars.
        heading_color: its color.

    Returns:
        A drawn copy.
    """
    image = to_image(pixels)
    size = text_size(pixels.shape[:2])
    row, gap, narrow = round(1.5 * size), max(1, size // 5), image.width < 14 * size
    padding, margin = (max(1, size // 5), 0) if narrow else (size // 2, round(0.6 * size))
    rows = max(1, int((image.height / 2 - 2 * padding + gap) // (row + gap)))
    bars = bars[: max(0, rows - bool(heading))]
    width = image.width if narrow else min(image.width - 2 * margin, 19 * size)
    height = 2 * padding + (row + gap) * (len(bars) + bool(heading)) - gap
    left, top = margin, image.height - margin - height
    tint(image, (left, top, left + width, top + height), PANEL, _PANEL_STRENGTH, radius=margin * 2 // 3)
    left, top, right = left + padding, top + padding, left + width - padding
    if heading:
        write(
            image,
            (left, top, right, top + row),
            heading,
            Lettering.of(heading, size),
            heading_color,
            inset=0 if narrow else size // 2,
        )
        top += row + gap
    for bar in bars:
        _draw_bar(image, (left, top, right, top + row), bar, size)
        top += row + gap
    return to_pixels(image)


def _draw_bar(image: Image, box: tuple[int, int, int, int], bar: Bar, size: int) -> None:
    """One bar with its text on it, and its share of 1 at the right where there is room."""
    left, top, right, bottom = box
    radius, inset = (0, 1) if size == _SMALLEST_TEXT else (size // 4, size // 2)
    if bar.key is not None:
        tint(image, (left, top, left + bottom - top, bottom), bar.key, 1, radius=radius)
        left += bottom - top + max(1, size // 5)
    box = (left, top, right, bottom)
    tint(image, box, WHITE, 0.13, radius=radius)
    tint(image, box, bar.color, 0.95, radius=radius, filled=bar.fraction)
    if right - left >= 7 * size:
        share, numbers = fields.percent(bar.fraction), Lettering(size)
        write(image, box, share, numbers, WHITE, inset=inset, at_right=True)
        right -= round(numbers.width(share)) + inset
    write(image, (left, top, right, bottom), bar.text, Lettering.of(bar.text, size), WHITE, inset=inset)


def draw_strip(pixels: Pixels, text: str) -> Pixels:
    """Text on a strip along the lower edge, in as many lines as it needs and half of the height has room for.

    Args:
        pixels: RGB uint8 `(h, w, 3)`.
        text: wrapped between words.

    Returns:
        A drawn copy; an unchanged one when there is no text.
    """
    image = to_image(pixels)
    size = text_size(pixels.shape[:2])
    padding, row = max(1, size // 2), round(1.35 * size)
    room = image.width - 2 * padding
    lettering = Lettering.of(text, size)
    lines = lettering.wrap(text, room, max(1, (image.height // 2 - padding) // row))
    if lines:
        top = image.height - len(lines) * row - padding
        tint(image, (0, top, image.width, image.height), PANEL, _PANEL_STRENGTH)
        for number, line in enumerate(lines):
            line_top = top + padding // 2 + number * row
            write(image, (padding, line_top, image.width - padding, line_top + row), line, lettering, WHITE)
    return to_pixels(image)


def tint(
    image: Image, box: tuple[int, int, int, int], color: Color, strength: float, *, radius: int = 0, filled: float = 1
) -> None:
    """Lay a color over a rectangle with round corners.

    Args:
        image: is changed.
        box: left, top, right and bottom; what lies outside the image is left out.
        color: of the rectangle.
        strength: 0 to 1; 1 hides what is below.
        radius: of the corners, pixels.
        filled: how much of the width is filled, from the left, 0 to 1.
    """
    from PIL import Image as images
    from PIL import ImageDraw

    width, height = box[2] - box[0], box[3] - box[1]
    if width < 1 or height < 1:
        return
    shape, finer = images.new("L", (width, height), round(255 * strength)), 4 if radius < 40 else 1
    if radius:
        fine = images.new("L", (width * finer, height * finer), 0)
        ImageDraw.Draw(fine).rounded_rectangle(
            (0, 0, fine.width - 1, fine.height - 1), radius * finer, fill=round(255 * strength)
        )
        shape = fine.resize(shape.size, images.Resampling.BOX)
    if filled < 1:
        shape.paste(0, (round(width * filled), 0, width, height))
    image.paste(color, box, shape)


def write(
    image: Image,
    box: tuple[int, int, int, int],
    text: str,
    lettering: Lettering,
    color: Color,
    *,
    inset: int = 0,
    at_right: bool = False,
) -> None:
    """Write one line in the middle of a box's height, shortened to its width.

    Args:
        image: is changed.
        box: left, top, right and bottom.
        text: one line.
        lettering: font and size of the text.
        color: of the text.
        inset: pixels kept free at the left and right.
        at_right: whether the text ends at the right instead of beginning at the left.
    """
    from PIL import ImageDraw

    left, top, right, bottom = box
    line = lettering.fit(text, right - left - 2 * inset)
    start = (right - inset if at_right else left + inset, (top + bottom) / 2)
    ImageDraw.Draw(image).text(start, line, color, lettering.font, anchor="rm" if at_right else "lm")


def to_image(pixels: Pixels) -> Image:
    """A Pillow image with its own copy of the pixels: `fromarray` copies RGB."""
    from PIL import Image as images

    return images.fromarray(np.ascontiguousarray(pixels))


def to_pixels(image: Image) -> Pixels:
    """RGB uint8 `(h, w, 3)` of a Pillow image."""
    return np.array(image)


def encode(pixels: Pixels, file_format: str, *, longer_side: int | None = None) -> bytes:
    """A drawing as the bytes of an image file.

    Args:
        pixels: RGB uint8 `(h, w, 3)`.
        file_format: Pillow's name of the format.
        longer_side: the most that height and width may be; a larger drawing is made smaller.

    Raises:
        OSError, ValueError: the format cannot hold an image of this size.
    """
    image = to_image(pixels)
    if longer_side is not None:
        image.thumbnail((longer_side, longer_side))
    stream = io.BytesIO()
    image.save(stream, file_format, **({"quality": 92} if file_format in ("JPEG", "WEBP") else {}))
    return stream.getvalue()
