"""Boxes: rectangles in the pixels of an image.

A box is `(x1, y1, x2, y2)`: x to the right, y down, the origin at the upper left corner of the upper left pixel, so
that a box around the whole image is `(0, 0, width, height)` and its area is `width * height`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from beholder.result import fields


def clip_boxes(boxes_xyxy: ArrayLike, size_hw: tuple[int, int]) -> NDArray[np.float32]:
    """Clip boxes to an image.

    Args:
        boxes_xyxy: float32 `(n, 4)`, pixels of the image.
        size_hw: height and width of the image, pixels.

    Returns:
        A float32 `(n, 4)` copy with x in `[0, width]` and y in `[0, height]`; a box outside the image has no area left.

    Raises:
        UsageError: another shape, or values that are not finite.
    """
    height, width = fields.size_hw(size_hw)
    limits = np.array([width, height, width, height], np.float32)
    return np.clip(_boxes(boxes_xyxy), np.float32(0), limits)


def box_areas(boxes_xyxy: ArrayLike) -> NDArray[np.float32]:
    """Areas of boxes.

    Args:
        boxes_xyxy: float32 `(n, 4)`, any frame.

    Returns:
        Float32 `(n,)`, in the square of the frame's unit; 0 where a box has its corners the wrong way round.

    Raises:
        UsageError: another shape, or values that are not finite.
    """
    return _areas(_boxes(boxes_xyxy).astype(np.float64)).astype(np.float32)


def box_iou(first_xyxy: ArrayLike, second_xyxy: ArrayLike) -> NDArray[np.float32]:
    """Intersection over union of each box of one set with each of another (Jaccard, 1901).

    Args:
        first_xyxy: float32 `(n, 4)`.
        second_xyxy: float32 `(m, 4)`, in the same frame.

    Returns:
        Float32 `(n, m)` in `[0, 1]`; 0 where neither box has an area. Computed in float64.

    Raises:
        UsageError: another shape, or values that are not finite.
    """
    return overlaps(_boxes(first_xyxy), _boxes(second_xyxy)).astype(np.float32)


def xyxy_to_xywh(boxes_xyxy: ArrayLike) -> NDArray[np.float32]:
    """Corners to upper left corner and size, the form of COCO.

    Args:
        boxes_xyxy: float32 `(n, 4)`, any frame.

    Returns:
        Float32 `(n, 4)` of `(x1, y1, width, height)` in the same frame.

    Raises:
        UsageError: another shape, or values that are not finite.
    """
    boxes = np.array(_boxes(boxes_xyxy))
    boxes[:, 2:] -= boxes[:, :2]
    return boxes


def xywh_to_xyxy(boxes_xywh: ArrayLike) -> NDArray[np.float32]:
    """Upper left corner and size, the form of COCO, to corners.

    Args:
        boxes_xywh: float32 `(n, 4)` of `(x1, y1, width, height)`, any frame.

    Returns:
        Float32 `(n, 4)` of `(x1, y1, x2, y2)` in the same frame.

    Raises:
        UsageError: another shape, or values that are not finite.
    """
    boxes = np.array(_boxes(boxes_xywh))
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def overlaps(first_xyxy: NDArray[np.float32], second_xyxy: NDArray[np.float32]) -> NDArray[np.float64]:
    """Intersection over union without checks: float32 `(n, 4)` and `(m, 4)` to float64 `(n, m)`."""
    first, second = first_xyxy.astype(np.float64), second_xyxy.astype(np.float64)
    sides = [
        np.minimum(first[:, None, end], second[None, :, end])
        - np.maximum(first[:, None, start], second[None, :, start])
        for start, end in ((0, 2), (1, 3))
    ]
    shared = np.maximum(sides[0], 0) * np.maximum(sides[1], 0)
    union = _areas(first)[:, None] + _areas(second)[None, :] - shared
    iou: NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return iou


def _boxes(boxes: ArrayLike) -> NDArray[np.float32]:
    return fields.array(boxes, np.float32, (None, 4), "boxes")


def _areas(boxes_xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
    sides = np.clip(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0, None)
    return sides[:, 0] * sides[:, 1]
