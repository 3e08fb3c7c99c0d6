"""What a model's numbers allow to be said: accepted labels, prediction sets, unknown. For one image or for many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from beholder.errors import UsageError
from beholder.model.card import ModelCard

Booleans = NDArray[np.bool_]
Tensors = Mapping[str, NDArray[Any]]

UNTUNED_THRESHOLD: Final = 0.5
"""Where a card has no thresholds: the score from which a label of several is accepted."""


def accepted_labels(card: ModelCard, probabilities: NDArray[Any], threshold: float | None = None) -> Booleans:
    """Which labels are accepted, `(…, K)`, of a model that may give several.

    Args:
        card: its thresholds are used where there are any.
        probabilities: `(…, K)`.
        threshold: replaces the card's thresholds.
    """
    if threshold is not None:
        return probabilities >= np.float32(threshold)
    thresholds = UNTUNED_THRESHOLD if card.thresholds is None else np.array(card.thresholds, np.float32)
    accepted: Booleans = probabilities >= thresholds
    return accepted


def set_members(
    card: ModelCard, probabilities: NDArray[Any], coverage: float | None, *, by_class: bool = False
) -> Booleans:
    """Which labels are in the prediction set, `(…, K)`; the most probable one always is.

    Args:
        card: must have prediction sets.
        probabilities: `(…, K)`.
        coverage: the probability with which the set must hold the truth; one that the card states, None for its first.
        by_class: whether that must hold for each class by itself, rather than for all images together.

    Raises:
        UsageError: the card does not state this.
    """
    thresholds = set_thresholds(card, coverage, by_class=by_class)
    members: Booleans = probabilities >= thresholds
    np.put_along_axis(members, probabilities.argmax(axis=-1)[..., None], True, axis=-1)
    return members


def set_thresholds(card: ModelCard, coverage: float | None, *, by_class: bool = False) -> NDArray[np.float64]:
    """The probability from which a label is in the prediction set: one for all labels `()`, or one for each `(K,)`.

    The arguments and errors are those of `set_members`.
    """
    sets = card.prediction_sets
    if sets is None:
        raise UsageError(f"coverage: {card.name} states no prediction sets; train it on more images, of one label each")
    wanted = sets.coverages[0] if coverage is None else coverage
    if wanted not in sets.coverages:
        stated = " or ".join(f"{value:g}" for value in sets.coverages)
        raise UsageError(f"coverage: must be one that {card.name} states, {stated}; found {coverage}")
    row = sets.coverages.index(wanted)
    if not by_class:
        return np.array(sets.thresholds[row])
    if sets.class_thresholds is None:
        raise UsageError(f"by_class: {card.name} had too few images of a class to state a coverage for each by itself")
    return np.array(sets.class_thresholds[row])


def is_unknown(card: ModelCard, tensors: Tensors) -> Booleans | None:
    """Whether images are unknown, `(…,)`; None where the model cannot tell.

    Args:
        card: its unknown rule is used.
        tensors: `familiarity` `(…,)` and `logits` `(…, K)`.
    """
    rule = card.unknown
    if rule is None:
        return None
    unknown: Booleans = np.asarray(tensors["familiarity"] < rule.familiarity_from)
    if rule.evidence_from is not None:
        unknown |= tensors["logits"].max(axis=-1) < rule.evidence_from
    return unknown
