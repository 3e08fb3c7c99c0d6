"""Drawing what is somewhere in an image: boxes, masks, keypoints, and one class per pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from beholder.result.drawing import text_size, tint, to_image, to_pixels, write
from beholder.result.fields import Pixels
from beholder.result.lettering import Lettering
from beholder.result.mask import Mask
from beholder.result.palette import BLACK, WHITE, Color, mix, text_color

if TYPE_CHECKING:
    from PIL.Image import Image

_MASK_STRENGTH = 0.45
_CLASS_STRENGTH = 0.55
_MANY = 12
"""Things in an image above which tags get smaller."""

_STRIP_ROWS = 256
"""Rows tinted at a time, so that a large image needs little more memory."""

_Rectangle = tuple[int, int, int, int]


@final
@dataclass(frozen=True, slots=True)
class Outline:
    """Something to draw around.

    Args:
        box_xyxy: pixels of the image.
        tag: what is written beside it.
        color: of all of it.
        mask: of the image's size.
        keypoints: float32 `(k, 3)`: x, y, visibility; drawn where visibility is above 0.
    """

    box_xyxy: tuple[float, float, float, float]
    tag: str
    color: Color
    mask: Mask | None = None
    keypoints: NDArray[np.float32] | None = None


def draw_outlines(pixels: Pixels, outlines: Sequence[Outline]) -> Pixels:
    """Boxes with tags, masks and keypoints.

    Args:
        pixels: RGB uint8 `(h, w, 3)`.
        outlines: most important first: it is drawn over the others, and its tag gets the best place. A tag without a
            free place is left out.

    Returns:
        A drawn copy.
    """
    drawn = np.array(pixels)
    size = max(8, round((0.75 if len(outlines) <= _MANY else 0.6) * text_size(pixels.shape[:2])))
    line = max(1, round(size / 7))
    for outline in reversed(outlines):
        if outline.mask is not None:
            _tint_mask(drawn, outline.mask, outline.color, line)
    image = to_image(drawn)
    boxes = [_inside(outline.box_xyxy, image) for outline in outlines]
    for outline, box in zip(reversed(outlines), reversed(boxes), strict=True):
        _draw_box(image, box, outline.color, line)
        _draw_keypoints(image, outline, 2 * line)
    tags = _place_tags(outlines, boxes, size, image)
    for outline, tag in zip(outlines, tags, strict=True):
        if tag is not None:
            lettering = Lettering.of(outline.tag, size)
            tint(image, tag, outline.color, 0.92)
            write(image, tag, outline.tag, lettering, text_color(outline.color), inset=_tag_inset(size))
    return to_pixels(image)


def draw_classes(pixels: Pixels, class_map: NDArray[Any], colors: Mapping[int, Color]) -> Pixels:
    """One class per pixel as colors over the image, with a line between classes.

    Args:
        pixels: RGB uint8 `(h, w, 3)`.
        class_map: integers `(h, w)`.
        colors: of the classes to color; pixels of others are left as they are.

    Returns:
        A drawn copy.
    """
    drawn = np.array(pixels)
    table = np.zeros((65536, 3), np.float32)
    strength = np.zeros((65536, 1), np.float32)
    for index, color in colors.items():
        table[index], strength[index] = color, _CLASS_STRENGTH
    line = max(1, round(text_size(pixels.shape[:2]) / 12))
    between = np.zeros(class_map.shape, bool)
    between[:, line:] |= class_map[:, line:] != class_map[:, :-line]
    between[line:] |= class_map[line:] != class_map[:-line]
    for start in range(0, len(drawn), _STRIP_ROWS):
        rows = slice(start, start + _STRIP_ROWS)
        here = strength[class_map[rows]]
        mixed = drawn[rows] * (1 - here) + table[class_map[rows]] * here
        drawn[rows] = np.where(between[rows, :, None] & (here > 0), mixed * 0.45 + 140, mixed).round()
    return drawn


def _tint_mask(drawn: Pixels, mask: Mask, color: Color, line: int) -> None:
    """Color the inside of a mask, and its border more strongly."""
    left, top, right, bottom = mask.box_xyxy
    if right == left:
        return
    inside = mask.to_array()[top:bottom, left:right]
    core = _eroded(np.pad(inside, line), 2 * line + 1)
    for start in range(0, len(inside), _STRIP_ROWS):
        rows = slice(start, start + _STRIP_ROWS)
        strength = np.where(core[rows], _MASK_STRENGTH, np.where(inside[rows], 0.95, 0)).astype(np.float32)[..., None]
        region = drawn[top:bottom, left:right][rows]
        region[...] = (region * (1 - strength) + np.array(color, np.float32) * strength).round()


def _eroded(inside: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """Where all of a square lies inside: `side - 1` rows and columns smaller; down, then across, doubling the reach."""
    for _ in range(2):
        reach = 1
        while reach < side:
            step = min(reach, side - reach)
            inside = inside[:-step] & inside[step:]
            reach += step
        inside = inside.T
    return inside


def _inside(box_xyxy: tuple[float, float, float, float], image: Image) -> _Rectangle:
    """A box as first and last pixel columns and rows inside the image."""
    left, right = (round(min(max(x, 0), image.width)) for x in box_xyxy[0::2])
    top, bottom = (round(min(max(y, 0), image.height)) for y in box_xyxy[1::2])
    left, top = min(left, image.width - 1), min(top, image.height - 1)
    return left, top, max(right - 1, left), max(bottom - 1, top)


def _draw_box(image: Image, box: _Rectangle, color: Color, line: int) -> None:
    """A frame with a thin darker one inside, so that it stands out from any ground."""
    from PIL import ImageDraw

    draw = ImageDraw.Draw(image)
    left, top, right, bottom = box
    if min(right - left, bottom - top) > 6 * line:
        hair = max(1, line // 3)
        inner = (left + line, top + line, right - line, bottom - line)
        draw.rectangle(inner, outline=mix(color, BLACK, 0.65), width=hair)
    draw.rectangle(box, outline=color, width=line)


def _draw_keypoints(image: Image, outline: Outline, radius: int) -> None:
    from PIL import ImageDraw

    draw = ImageDraw.Draw(image)
    for x, y, visibility in [] if outline.keypoints is None else outline.keypoints.tolist():
        if visibility > 0 and 0 <= x <= image.width and 0 <= y <= image.height:
            draw.circle((x, y), radius, fill=outline.color, outline=WHITE, width=max(1, radius // 3))


def _tag_inset(size: int) -> int:
    return 1 if size <= 8 else round(0.35 * size)


def _place_tags(
    outlines: Sequence[Outline], boxes: Sequence[_Rectangle], size: int, image: Image
) -> list[_Rectangle | None]:
    """A rectangle for each tag in the image, not on another tag; none where there is no such place."""
    height, placed = round(1.35 * size), list[_Rectangle | None]()
    for outline, box in zip(outlines, boxes, strict=True):
        width = round(Lettering.of(outline.tag, size).width(outline.tag)) + 2 * _tag_inset(size) + 1
        places = _places(box, min(image.width, width), min(image.height, height), image)
        taken = [other for other in placed if other is not None]
        placed.append(next((place for place in places if not any(_touch(place, other) for other in taken)), None))
    return placed


def _places(box: _Rectangle, width: int, height: int, image: Image) -> list[_Rectangle]:
    """Where a tag may be, best first: on the corners of its box, outside and inside."""
    left, top, right, bottom = box
    rows = [y for y in (top - height, top, bottom + 1 - height, bottom + 1) if 0 <= y <= image.height - height]
    columns = [max(0, min(x, image.width - width)) for x in (left, right + 1 - width)]
    return [(x, y, x + width, y + height) for y in rows or [image.height - height] for x in columns]


def _touch(one: _Rectangle, other: _Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
