"""Values on a grid over the input, read at pixels of the image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from beholder.model.geometry import Placement


def grid_positions(
    rows: NDArray[Any], columns: NDArray[Any], placement: Placement, grid_hw: Any, input_hw: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where the centers of pixels of the original image lie on a grid over the input, in cells of that grid."""
    (offset_x, offset_y), (scale_x, scale_y) = placement.offset_xy, placement.scale_xy
    y = (rows + 0.5 - offset_y) / scale_y * (grid_hw[0] / input_hw[0]) - 0.5
    x = (columns + 0.5 - offset_x) / scale_x * (grid_hw[1] / input_hw[1]) - 0.5
    return y, x


def sample(plane: NDArray[np.float32], y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float32]:
    """Bilinear values at all pairs of `y` and `x`, float32 `(len(y), len(x))`; beyond the border the border's value."""
    rows = _blend(plane.astype(np.float32), y)
    return _blend(rows.T, x).T


def _blend(plane: NDArray[np.float32], positions: NDArray[np.float64]) -> NDArray[np.float32]:
    clipped = np.clip(positions, 0, len(plane) - 1)
    lower = np.floor(clipped).astype(int)
    upper = np.minimum(lower + 1, len(plane) - 1)
    weight = (clipped - lower).astype(np.float32)[:, None]
    blended: NDArray[np.float32] = plane[lower] * (1 - weight) + plane[upper] * weight
    return blended
