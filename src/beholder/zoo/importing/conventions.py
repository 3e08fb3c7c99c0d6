"""What a graph from elsewhere expects of its pixels, and how its answer is meant."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from beholder.errors import UsageError
from beholder.zoo.importing.foreign import UINT8, Layout

Activation = Literal["auto", "softmax", "sigmoid", "none"]


@dataclass(frozen=True, slots=True)
class Conventions:
    """How a graph from elsewhere expects its pixels, and how its answer is meant.

    Each channel of each pixel (0 to 255) becomes `(value * scale - mean) / std`. The field's usual numbers for mean and
    std are those for values between 0 and 1, which the usual scale of 1/255 makes; with a scale of 1 they are in units
    of 0 to 255. A graph that takes uint8 pixels does its own arithmetic: there all three are left out.

    Attributes:
        scale: what pixels are multiplied by; 1/255 when None.
        mean: what is then subtracted, by channel in the order of the graph; 0 when None.
        std: what it is then divided by, likewise; 1 when None.
        order: whether the graph wants red or blue first.
        layout: where its channels are; `auto` looks at the declared sizes of its input.
        activation: what makes probabilities of its output: `auto` finds out; `none` when it gives them.
        output: the name of the output to build on; not needed where it has one, or one with a usual name.
        embedding: the name of the tensor that is the embedding; `auto` for what the last linear layer is given, where
            the graph ends in one; None for no embedding.
    """

    scale: float | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    order: Literal["rgb", "bgr"] = "rgb"
    layout: Layout | Literal["auto"] = "auto"
    activation: Activation = "auto"
    output: str | None = None
    embedding: str | None = "auto"

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            values = getattr(self, name)
            if values is not None and (len(values) != 3 or not all(map(math.isfinite, values))):
                raise UsageError(f"{name}: must be three numbers, one for each channel, found {values}")
        if self.scale is not None and (not math.isfinite(self.scale) or self.scale == 0):
            raise UsageError(f"scale: must be a number other than 0, found {self.scale}")
        if self.std is not None and 0 in self.std:
            raise UsageError(f"std: must not be 0, found {self.std}")

    def arithmetic(self, input_type: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What pixels are multiplied by and what is added then.

        Args:
            input_type: the element type of the graph's input.

        Returns:
            Two float64 `(3,)`, by channel in the order of the graph.

        Raises:
            UsageError: the graph takes pixels as they are, where numbers for them are given.
        """
        if input_type == UINT8:
            if (self.scale, self.mean, self.std) != (None, None, None):
                raise UsageError("the graph takes pixels as they are (uint8): scale, mean and std do not apply")
            return np.ones(3), np.zeros(3)
        scale = 1 / 255 if self.scale is None else self.scale
        std = np.array(self.std or (1.0, 1.0, 1.0))
        return scale / std, -np.array(self.mean or (0.0, 0.0, 0.0)) / std
