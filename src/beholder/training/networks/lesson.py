"""What a training is of: what a network is fitted on, how far it is, and what comes out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from numpy.typing import NDArray
from torch import Tensor

from beholder.training.networks.answering import Recognizer
from beholder.training.networks.loading import Feed
from beholder.training.networks.pixels import Pixels

Tell = Callable[[int, int], None]
"""Told how many steps are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a network is fitted on, and what it is looked at on.

    Attributes:
        feed: the batches.
        pixels: of all images.
        targets: float32 `(n, k)`, of every image.
        weights: float32 `(n,)`, how much each image counts.
        held_out: rows that it is looked at on after each epoch; there may be none.
        multi_label: whether several classes may hold of an image.
    """

    feed: Feed
    pixels: Pixels
    targets: Tensor
    weights: Tensor
    held_out: NDArray[Any]
    multi_label: bool


@dataclass(slots=True)
class Progress:
    """How far a training is: with the tensors, all that it needs to go on.

    Attributes:
        step: that comes next.
        steps: of the whole training; fewer than its epochs have where its minutes are limited, 0 while undecided.
        slowed: how often the learning rate was halved.
        parts: that each batch is cut into.
        seconds: that it took so far.
        waited: of these, that it waited for batches.
        curve: a row for each epoch.
        losses: of the steps of this epoch.
        recent: losses of the last steps, as many as `first_loss` is the mean of.
        first_loss: the mean of the first steps; 0 while there are fewer.
        best: of what is held out, and the epoch it was in.
        notes: what a person should know.
        failures: why images could not be read, by row.
    """

    step: int = 0
    steps: int = 0
    slowed: int = 0
    parts: int = 1
    seconds: float = 0.0
    waited: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    recent: list[float] = field(default_factory=list)
    first_loss: float = 0.0
    best: tuple[float, int] = (-math.inf, -1)
    notes: list[str] = field(default_factory=list)
    failures: dict[int, str] = field(default_factory=dict)


class Fitted(NamedTuple):
    """A network that was fitted.

    Attributes:
        recognizer: with the weights that are kept, in evaluation mode.
        progress: how it went.
    """

    recognizer: Recognizer
    progress: Progress
