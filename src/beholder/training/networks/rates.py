"""What changes while a network is trained: the learning rate, as a share of the highest, and the size of images."""

from __future__ import annotations

import math
from typing import Final, Literal

_LAST: Final = 0.01
_ONE_CYCLE_FIRST: Final = 1 / 25
_ONE_CYCLE_LAST: Final = 1e-4
_ONE_CYCLE_RISE: Final = 0.3

STEP: Final = 4
"""By so many pixels the side of images grows at a time."""


def rate_at(step: int, steps: int, schedule: Literal["cosine", "one-cycle", "constant"], warmup: float) -> float:
    """The learning rate of a step, as a share of the highest.

    Args:
        step: from 0.
        steps: of the whole training.
        schedule: `cosine` falls from the highest to a hundredth of it (Loshchilov and Hutter, "SGDR", ICLR 2017);
            `one-cycle` rises for three tenths and falls further (Smith and Topin, "Super-convergence", 2018);
            `constant` stays.
        warmup: share of the steps in which it rises from near 0; `one-cycle` has its own rise.
    """
    if schedule == "one-cycle":
        rise = max(1, round(_ONE_CYCLE_RISE * steps))
        if step < rise:
            return _between(_ONE_CYCLE_FIRST, 1.0, step / rise)
        return _between(1.0, _ONE_CYCLE_LAST, (step - rise) / max(1, steps - rise))
    rise = round(warmup * steps)
    if step < rise:
        return (step + 1) / (rise + 1)
    if schedule == "constant":
        return 1.0
    return _between(1.0, _LAST, (step - rise) / max(1, steps - rise))


def side_at(step: int, steps: int, size: int, progressive: float) -> int:
    """The side that images have in a step, pixels: it grows from half of the size to all of it, by `STEP` at a time.

    Args:
        step: from 0.
        steps: of the whole training.
        size: of the input.
        progressive: share of the steps in which it grows; 0 for the size always.

    Source: Tan and Le, "EfficientNetV2: Smaller Models and Faster Training", ICML 2021, section 4; after Howard's
    entry in DAWNBench, 2018.
    """
    grown = step / (progressive * steps) if progressive else 1.0
    return size if grown >= 1 else min(size, round(size * (1 + grown) / (2 * STEP)) * STEP)


def _between(first: float, last: float, done: float) -> float:
    """From one value to another along half a cosine."""
    return last + (first - last) * (1 + math.cos(math.pi * min(1.0, done))) / 2
