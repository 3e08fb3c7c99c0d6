"""The form that every decoder has, and what it is told beside the tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from beholder.model.card import ModelCard
from beholder.model.geometry import Placement
from beholder.result import Result


@dataclass(frozen=True)
class Options:
    """What a caller asks of an answer.

    Attributes:
        top: how many labels to give, best first; 0 for all.
        threshold: replaces every threshold of the card.
        coverage: the probability with which a prediction set holds the truth; None for the first that the card states.
        by_class: whether that must hold for each class by itself.
    """

    top: int = 5
    threshold: float | None = None
    coverage: float | None = None
    by_class: bool = False


@dataclass(frozen=True)
class Place:
    """What is known of an image beside its tensors.

    Attributes:
        common: the fields that every result has: source, size, model, frame, time.
        size_hw: height and width of the original image, pixels.
        placement: where the input lies in it.
    """

    common: Mapping[str, Any]
    size_hw: tuple[int, int]
    placement: Placement


Row = Mapping[str, NDArray[Any]]
"""The outputs of one image, without the batch dimension."""

Decoder = Callable[[Row, Place, ModelCard, Options], Result]
