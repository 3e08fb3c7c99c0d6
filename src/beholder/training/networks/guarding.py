"""What can go wrong in a step of training, and what is done about it: losses that diverge, memory that is too small."""

from __future__ import annotations

import math
from typing import Final

import torch

from beholder.errors import TrainingFailed
from beholder.training.networks.lesson import Progress

MOST_SLOWED: Final = 3
"""How often the learning rate is halved where the loss is no number, before training is given up."""

_DIVERGED: Final = 5.0
"""A loss so many times as large as that of the first steps, in the mean of as many, is as good as no number."""

_FIRST: Final = 20


class Diverged(Exception):
    """The loss is no number, or has grown beyond bounds; the text says which."""


def require_number(loss: float) -> None:
    """Raise `Diverged` where a loss is no number."""
    if not math.isfinite(loss):
        raise Diverged("was no number")


def watch(progress: Progress, loss: float, classes: int) -> None:
    """Take in the loss of a step, and raise `Diverged` where losses have grown far beyond the first ones.

    What guessing costs is no divergence, however small the first ones were: they are, where training starts from
    weights that know the images.
    """
    require_number(loss)
    progress.recent = [*progress.recent[-_FIRST + 1 :], loss]
    if len(progress.recent) < _FIRST:
        return
    mean = sum(progress.recent) / _FIRST
    if not progress.first_loss:
        progress.first_loss = mean
    if mean > max(_DIVERGED * progress.first_loss, math.log(max(2, classes))):
        raise Diverged(f"was over {_DIVERGED:g} times that of the first steps")


def more_parts(error: BaseException, parts: int, images: int, processes: int) -> int:
    """Into how many parts a batch is to be cut after an error that says there is no memory; any other is raised.

    Args:
        error: of a step.
        parts: that the batch was cut into.
        images: in the batch.
        processes: that train together.

    Raises:
        TrainingFailed: no number of parts would help.
    """
    text = str(error).casefold()
    if "more than 1 value per channel" in text:
        asked = "choose a larger size" if parts > 1 else "choose a larger batch or size"
        raise TrainingFailed(f"batch normalization needs more than one image of this size at a time; {asked}") from None
    if not isinstance(error, torch.OutOfMemoryError | MemoryError) and "allocate memory" not in text:
        raise error
    if processes > 1:  # the others wait for gradients that would not come
        raise TrainingFailed("too little memory for the part of a batch of one device; choose a smaller batch")
    if parts >= images:
        raise TrainingFailed(
            "too little memory even for one image at a time; choose a smaller size or width, or another architecture"
        ) from None
    return 2 * parts
