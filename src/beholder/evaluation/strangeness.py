"""How strange images are: the scores by which strangers are told from the images a model knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beholder.evaluation.parts import StrangerKind
from beholder.evaluation.predictions import Strangers
from beholder.model import ModelCard
from beholder.model.confidence import is_unknown

Tensors = Mapping[str, NDArray[Any]]


def strangers_of(
    card: ModelCard, kind: StrangerKind, known: Tensors, strangers: Tensors, sources: Sequence[str]
) -> Strangers:
    """What a model said of strangers, beside what it said of images it knows.

    Far strangers are told by familiarity and near ones by the largest logit. Of strangers that somebody gave it is not
    known which they are: an image is as strange as it is by the stranger of the two, each by its rank among the known
    images, as the model's rule for *unknown* has it. Where an image may have no label, it is told by familiarity alone.

    Args:
        card: of the model.
        kind: how strange they are.
        known: `probabilities` `(n, K)` and, where the model gives them, `familiarity` `(n,)` and `logits` `(n, K)`, of
            which the largest is enough.
        strangers: the same of m strangers.
        sources: the names of the strangers.
    """
    kind_told = "far" if card.multi_label else kind
    of_known, of_strangers = _scores(kind_told, known, known), _scores(kind_told, known, strangers)
    return Strangers(
        kind=kind,
        scores=of_strangers,
        known_scores=of_known,
        unanswered=is_unknown(card, strangers),
        sources=sources,
        probabilities=shown_probabilities(np.clip(strangers["probabilities"], 0, 1)),
    )


def shown_probabilities(probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """Probabilities as answers have them: six decimals, the very numbers that their JSON has."""
    exact: NDArray[np.float64] = probabilities.astype(np.float64)
    return exact.round(6)


def _scores(kind: StrangerKind, known: Tensors, images: Tensors) -> NDArray[np.float64]:
    """The higher, the more like the known images, float64 `(m,)`."""
    evidence = _evidence(images)
    if kind == "near" or "familiarity" not in known:
        return evidence
    familiarity = images["familiarity"].astype(np.float64)
    if kind == "far":
        return familiarity
    by_familiarity = _ranks(known["familiarity"].astype(np.float64), familiarity)
    return np.minimum(by_familiarity, _ranks(_evidence(known), evidence))


def _evidence(tensors: Tensors) -> NDArray[np.float64]:
    values = tensors["logits"] if "logits" in tensors else tensors["probabilities"]
    largest: NDArray[np.float64] = values.max(axis=1).astype(np.float64)
    return largest


def _ranks(known: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of the known values that a value is above, half of those that are equal counted."""
    ordered = np.sort(known)
    below = np.searchsorted(ordered, values, side="left") + np.searchsorted(ordered, values, side="right")
    shares: NDArray[np.float64] = below / (2 * max(1, len(known)))
    return shares
