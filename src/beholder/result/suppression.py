"""Suppression: of several boxes around the same thing, keep the best."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from beholder.result import fields
from beholder.result.boxes import overlaps

_BLOCK = 64


def suppress(
    boxes_xyxy: ArrayLike,
    scores: ArrayLike,
    classes: ArrayLike,
    *,
    iou_threshold: float,
    class_agnostic: bool = False,
    limit: int | None = None,
) -> NDArray[np.int64]:
    """Greedy non-maximum suppression.

    The best box is kept, those that overlap it by more than the threshold are dropped, and so on with the rest. Of
    equal scores the earlier box is the better one. Source: Girshick et al., "Rich feature hierarchies for accurate
    object detection and semantic segmentation", CVPR 2014, section 2.2.

    Args:
        boxes_xyxy: float32 `(n, 4)`, any frame.
        scores: float32 `(n,)`, higher is better.
        classes: int64 `(n,)`.
        iou_threshold: from 0 to 1. A box is dropped when its IoU with a kept one is above this; boxes without area
            overlap nothing.
        class_agnostic: whether a box also suppresses those of other classes.
        limit: how many to keep at most.

    Returns:
        Int64 `(k,)`: indices of the boxes kept, best first.

    Raises:
        UsageError: shapes that do not belong together, or a threshold or limit out of range.
    """
    boxes = fields.array(boxes_xyxy, np.float32, (None, 4), "boxes_xyxy")
    ranked = fields.array(scores, np.float32, (len(boxes),), "scores")
    kinds = fields.array(classes, np.int64, (len(boxes),), "classes")
    threshold = fields.fraction(iou_threshold, "iou_threshold")
    most = len(boxes) if limit is None else fields.whole(limit, "limit")
    order = np.argsort(-ranked, kind="stable")
    if class_agnostic:
        return _keep(boxes, order, threshold, most)
    kept = [_keep(boxes, order[kinds[order] == kind], threshold, most) for kind in np.unique(kinds)]
    merged = np.sort(np.concatenate([np.empty(0, np.int64), *kept]))
    return merged[np.argsort(-ranked[merged], kind="stable")][:most]


def _keep(boxes: NDArray[np.float32], order: NDArray[np.int64], threshold: float, most: int) -> NDArray[np.int64]:
    """Indices kept of `order`, which is best first: a block at a time, as most of the cost is that of calling numpy."""
    kept = [np.empty(0, np.int64)]
    room = most
    while len(order) and room > 0:
        block, order = order[:_BLOCK], order[_BLOCK:]
        apart = overlaps(boxes[block], boxes[block]) <= threshold
        alive = np.ones(len(block), bool)
        for place in range(len(block)):
            if alive[place]:
                alive[place + 1 :] &= apart[place, place + 1 :]
        block = block[alive][:room]
        kept.append(block)
        room -= len(block)
        order = order[(overlaps(boxes[block], boxes[order]) <= threshold).all(axis=0)]
    return np.concatenate(kept)
