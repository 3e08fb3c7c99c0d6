"""What a straight line can tell from a stage: a linear probe of its pooled values.

Source: G. Alain and Y. Bengio, "Understanding intermediate layers using linear classifier probes", ICLR workshop 2017.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from beholder.evaluation.intervals import NOT_MEASURED, Estimate, proportion
from beholder.training.head import fit_head

_LAYER: Final = "stage"


def probe(
    pooled: NDArray[np.float32], classes: NDArray[np.intp], folds: NDArray[np.intp], count: int, seed: int
) -> Estimate:
    """Top-1 of a ridge head on one stage, each image told by a head that was fitted without its fold.

    Args:
        pooled: `(n, units)`.
        classes: of each image, `(n,)`.
        folds: of each image, `(n,)`.
        count: how many classes there are.
        seed: see `fit_head`.
    """
    targets = np.eye(count)[classes]
    sizes = np.bincount(classes, minlength=count)
    weights = len(classes) / (count * sizes[classes])

    def loss(scores: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        squares: NDArray[np.float64] = ((scores - targets[rows]) ** 2).sum(axis=1)
        return squares

    fit = fit_head({_LAYER: pooled}, targets, weights, folds.astype(np.int64), [{_LAYER: 1.0}], loss, seed)
    rows = fit.calibrating
    if not rows.any():
        return NOT_MEASURED
    right = fit.out_of_fold[rows].argmax(axis=1) == classes[rows]
    return proportion(int(right.sum()), int(rows.sum()))
