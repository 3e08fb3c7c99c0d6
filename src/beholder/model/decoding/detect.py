"""From boxes in pixels of the input to detections in pixels of the image."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from beholder.errors import InvalidModel
from beholder.model.card import ModelCard
from beholder.model.decoding.form import Options, Place, Row
from beholder.model.decoding.grid import grid_positions, sample
from beholder.result import Detections, Mask, clip_boxes, suppress

UNTUNED_THRESHOLD: Final = 0.25
"""Where a card has no thresholds: the score from which a box is shown."""

MASK_THRESHOLD: Final = 0.5

_FAR: Final = 1e6
"""Pixels of the input beyond which it does not matter where a box ends, and where arithmetic is still exact."""


def decode(row: Row, place: Place, card: ModelCard, options: Options) -> Detections:
    """`boxes [M, 4]` xyxy in pixels of the input, `scores [M]`, `classes [M]` (-1 pads), `masks [M, h, w]` optional.

    The best comes first; what lies beside the image, in the fill of a letterbox, is left out.
    """
    thresholds = np.append(_thresholds(card, options, UNTUNED_THRESHOLD), np.float32(np.inf))
    classes = row["classes"].astype(np.int64)
    scores = row["scores"].astype(np.float32)
    kept = np.flatnonzero(scores >= thresholds[classes])  # class -1 meets the infinite threshold at the end
    candidates = np.clip(row["boxes"].astype(np.float32), -_FAR, _FAR)
    if (candidates[kept, 2:] < candidates[kept, :2]).any():
        raise InvalidModel("output boxes must be x1, y1, x2, y2 with x1 <= x2 and y1 <= y2; found them the other way")
    boxes = clip_boxes(place.placement.to_original(candidates), place.size_hw)
    kept = kept[(boxes[kept, 2:] > boxes[kept, :2]).all(axis=1)]  # not those that lie beside the image
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    if card.overlap is not None:
        kept = kept[suppress(candidates[kept], scores[kept], classes[kept], iou_threshold=card.overlap)]
    boxes = boxes[kept]
    masks = None
    if "masks" in row and len(kept):
        pairs = zip(row["masks"][kept], boxes, strict=True)
        masks = tuple(_instance_mask(mask, box, place, card.geometry.size_hw) for mask, box in pairs)
    return Detections(
        boxes_xyxy=boxes,
        scores=np.clip(scores[kept], 0, 1),
        classes=classes[kept],
        names=card.labels,
        masks=masks,
        **place.common,
    )


def _instance_mask(
    mask: NDArray[np.float32], box: NDArray[np.float32], place: Place, input_hw: tuple[int, int]
) -> Mask:
    """A mask in the frame of the input, as pixels of the original image inside its box."""
    left, top = np.floor(box[:2]).astype(int)
    right, bottom = np.ceil(box[2:]).astype(int)
    pixels = np.zeros(place.size_hw, np.bool_)
    rows, columns = np.arange(top, bottom), np.arange(left, right)
    y, x = grid_positions(rows, columns, place.placement, mask.shape, input_hw)
    pixels[top:bottom, left:right] = sample(mask, y, x) >= MASK_THRESHOLD
    return Mask.from_array(pixels)


def _thresholds(card: ModelCard, options: Options, untuned: float) -> NDArray[np.float32]:
    """One for each label, in the precision of the scores: a score of 0.7 reaches a threshold of 0.7."""
    if card.thresholds is not None and options.threshold is None:
        return np.array(card.thresholds, np.float32)
    return np.full(len(card.labels), untuned if options.threshold is None else options.threshold, np.float32)
