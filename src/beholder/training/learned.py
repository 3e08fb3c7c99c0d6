"""What is known of a model by the images that it answered without having seen them, whatever it was trained by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from beholder.training.confidence import Confidence
from beholder.training.material import Material

Report = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""

Say = Callable[[str], None]
"""Told in words what a person should know at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """A model that was fitted, without its file.

    Attributes:
        material: what it was fitted on, and what was kept from it.
        confidence: from its scores to probabilities.
        scores: float32 `(n, k)`, of every image by a model that has not seen it: out of fold where it is fitted on, by
            the model itself in the test part; NaN where there is none.
        familiarity: float64 `(n,)`, likewise, to prototypes made without the image.
        version: of the dataset.
        seconds: how long each part took.
    """

    material: Material
    confidence: Confidence
    scores: NDArray[np.float32]
    familiarity: NDArray[np.float64]
    version: str
    seconds: dict[str, float]

    @property
    def calibrating(self) -> NDArray[np.bool_]:
        """Bool `(n,)`: images that are not tested on and have out-of-fold scores; all about confidence is from them."""
        return self.material.fitted & ~np.isnan(self.scores[:, 0])

    def unseen_probabilities(self) -> NDArray[np.float64]:
        """Of every image by a model that has not seen it, `(n, k)`; NaN where there is none."""
        known = ~np.isnan(self.scores[:, 0])
        probabilities = np.full(self.scores.shape, np.nan)
        probabilities[known] = self.confidence.probabilities(self.scores[known])
        return probabilities
