"""From probabilities over the input to a class for each pixel of the image."""

from __future__ import annotations

import numpy as np

from beholder.model.card import ModelCard
from beholder.model.decoding.form import Options, Place, Row
from beholder.model.decoding.grid import grid_positions, sample
from beholder.result import Segmentation


def decode(row: Row, place: Place, card: ModelCard, options: Options) -> Segmentation:
    """`probabilities [K, h, w]` over the input; pixels of the image that the input does not show belong to no class."""
    probabilities = row["probabilities"]
    height, width = place.size_hw
    grid_hw = probabilities.shape[1:]
    y, x = grid_positions(np.arange(height), np.arange(width), place.placement, grid_hw, card.geometry.size_hw)
    kind = np.uint8 if len(card.labels) < 255 else np.uint16
    best = np.full((height, width), -np.inf, np.float32)
    class_map = np.zeros((height, width), kind)
    for index, plane in enumerate(probabilities):
        values = sample(plane, y, x)
        better = values > best
        best[better] = values[better]
        class_map[better] = index
    outside = np.iinfo(kind).max
    class_map[(y < -0.5) | (y > grid_hw[0] - 0.5), :] = outside
    class_map[:, (x < -0.5) | (x > grid_hw[1] - 0.5)] = outside
    return Segmentation(class_map=class_map, names=card.labels, ignore_index=int(outside), **place.common)
