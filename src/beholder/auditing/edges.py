"""The edges of an image: brightness between two blurs."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]


def edges_of(gray: Plane, fine_sigma: float, broad_sigma: float) -> Plane:
    """What is between a fine and a broad blur."""
    return blurred(gray, fine_sigma) - blurred(gray, broad_sigma)


def blurred(plane: Plane, sigma: float) -> Plane:
    """Gaussian blur of a plane, mirrored at its borders.

    By shifted sums: a product of matrices would wake the threads of the linear algebra library for each small plane, in
    every thread, which costs three times as much.
    """
    weights = _weights(sigma)
    reach = len(weights) // 2
    padded = np.pad(plane, reach, mode="symmetric")
    rows = np.zeros((plane.shape[0], padded.shape[1]), np.float32)
    for shift, weight in enumerate(weights):
        rows += weight * padded[shift : shift + plane.shape[0]]
    found = np.zeros(plane.shape, np.float32)
    for shift, weight in enumerate(weights):
        found += weight * rows[:, shift : shift + plane.shape[1]]
    return found


@lru_cache(maxsize=8)
def _weights(sigma: float) -> tuple[np.float32, ...]:
    """The Gaussian at whole pixels, of sum 1."""
    reach = int(3 * sigma) + 1
    values = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return tuple(np.float32(value) for value in values / values.sum())
