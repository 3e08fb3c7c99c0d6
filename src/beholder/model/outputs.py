"""Whether a graph gave what its card promises: the contract of outputs, checked on every batch.

What a runtime returns is not trusted, as decoding indexes with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from beholder.errors import InvalidModel
from beholder.model.card import ModelCard, Task
from beholder.model.runtime import Tensors

_FORMS: Final[Mapping[Task, Mapping[str, tuple[str, ...]]]] = {
    "classify": {"probabilities": ("K",), "logits": ("K",), "familiarity": ()},
    "detect": {"boxes": ("M", "4"), "scores": ("M",), "classes": ("M",), "masks": ("M", "h", "w")},
    "segment": {"probabilities": ("K", "h", "w")},
    "caption": {"tokens": ("T",)},
    "embed": {},
}
"""The shape of each output after the batch dimension: K labels, M candidates, T tokens, a grid of h by w cells."""

_EMBEDDING: Final = ("D",)
_MAY_BE_EMPTY: Final = ("M", "T")
_SHARES: Final = ("probabilities", "scores", "masks")
_TOLERANCE: Final = 1e-3
"""How far a share may lie outside 0 to 1, as arithmetic in half precision makes it."""


def check_outputs(tensors: Tensors, count: int, card: ModelCard) -> None:
    """Refuse outputs that break the contract.

    Args:
        tensors: what a runtime gave for a batch.
        count: how many images the batch holds.
        card: what the graph promises.

    Raises:
        InvalidModel: another shape or type, values that are not numbers, shares outside 0 to 1, or classes or tokens
            that the card does not know.
    """
    sizes: dict[str, int] = {"K": len(card.labels), "4": 4}
    if card.embedding is not None:
        sizes["D"] = card.embedding.dim
    for name, values in tensors.items():
        form = _EMBEDDING if name == "embedding" else _FORMS[card.task].get(name)
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
            raise InvalidModel(f"output {name} must be a tensor of numbers, found {_described(values)}")
        if form is None:  # beyond the contract; only that it has a row for each image is known
            form = tuple(f"{name} {axis}" for axis in range(1, values.ndim))
        expected = [count, *(sizes.get(letter, letter) for letter in form)]
        if not _fits(values.shape, expected):
            shape = ", ".join(map(str, expected))
            raise InvalidModel(f"output {name} must have the shape [{shape}], found {list(values.shape)}")
        sizes.update(zip(form, values.shape[1:], strict=True))
        _check_values(name, values, card)


def _fits(shape: tuple[int, ...], expected: list[int | str]) -> bool:
    """Whether a shape is the expected one, where a letter stands for a size that is open."""
    if len(shape) != len(expected):
        return False
    pairs = list(zip(shape, expected, strict=True))
    return all(
        size == wanted or (isinstance(wanted, str) and (size or wanted in _MAY_BE_EMPTY)) for size, wanted in pairs
    )


def _check_values(name: str, values: NDArray[Any], card: ModelCard) -> None:
    if not values.size:
        return
    low, high = values.min(), values.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InvalidModel(f"output {name} holds values that are not numbers (NaN or infinity)")
    if name in _SHARES and not -_TOLERANCE <= low <= high <= 1 + _TOLERANCE:
        raise InvalidModel(f"output {name} must lie between 0 and 1, found {low:g} to {high:g}")
    if name == "classes" and not -1 <= low <= high < len(card.labels):
        raise InvalidModel(f"output classes must lie between -1 and {len(card.labels) - 1}, found {low:g} to {high:g}")
    words = len(card.vocabulary or ())
    if name == "tokens" and (values.dtype.kind == "f" or not 0 <= low <= high < words):
        raise InvalidModel(f"output tokens must be integers between 0 and {words - 1}, found {low:g} to {high:g}")


def _described(values: Any) -> str:
    return f"{values.dtype}" if isinstance(values, np.ndarray) else type(values).__name__
