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
    images, as the model's rule for *unknown* has it.

    Args:
        card: of the model.
        kind: how strange they are.
        known: `probabilities` `(n, K)` and, where the model gives them, `logits` and `familiarity` `(n,)`.
        strangers: the same of m strangers.
        sources: the names of the strangers.
    """
    of_known, of_strangers = _scores(kind, known, known), _scores(kind, known, strangers)
    return Strangers(
        kind=kind,
        scores=of_strangers,
        known_scores=of_known,
        unanswered=is_unknown(card, strangers),
        sources=sources,
        probabilities=np.round(strangers["probabilities"], 6),
    )


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
