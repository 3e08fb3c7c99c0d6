"""From a model's tensors to what it says: the answers that are measured are those that `predict` gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from beholder.data import Sample
from beholder.evaluation.predictions import Predictions, Strangers
from beholder.evaluation.resampling import Booleans
from beholder.evaluation.strangeness import Tensors, shown_probabilities
from beholder.model import ModelCard
from beholder.model.confidence import accepted_labels, is_unknown, set_members

Sets = Mapping[Literal[90, 95], Booleans]


def predictions_of(
    card: ModelCard,
    samples: Sequence[Sample],
    tensors: Tensors,
    truth: Booleans,
    strangers: Sequence[Strangers] = (),
) -> Predictions:
    """What a model says of images by the rules of its card, beside the truth.

    Args:
        card: of the model.
        samples: the n images; what their metadata says becomes the columns.
        tensors: `probabilities` `(n, K)` and, where the card has a rule for *unknown*, `familiarity` `(n,)` and
            `logits` `(n, K)`, of which the largest is enough.
        truth: bool `(n, K)`, which labels apply; exactly one to each image unless the model may give several.
        strangers: see `strangers_of`.
    """
    probabilities = np.clip(tensors["probabilities"], 0, 1)  # as decoding does
    return Predictions(
        classes=card.labels,
        sources=tuple(sample.name for sample in samples),
        probabilities=shown_probabilities(probabilities),
        truth=truth if card.multi_label else truth.argmax(axis=1).astype(np.int64),
        accepted=accepted_labels(card, probabilities) if card.multi_label else None,
        unanswered=is_unknown(card, tensors),
        sets=_sets(card, probabilities, by_class=False),
        class_sets=_sets(card, probabilities, by_class=True),
        columns=_columns(samples),
        strangers=tuple(strangers),
    )


def _sets(card: ModelCard, probabilities: NDArray[Any], *, by_class: bool) -> Sets:
    """The prediction sets that the card states, of the coverages that are measured."""
    stated = card.prediction_sets
    if stated is None or not len(probabilities) or (by_class and stated.class_thresholds is None):
        return {}
    sets: dict[Literal[90, 95], Booleans] = {}
    for coverage in stated.coverages:
        percent = round(coverage * 100, 9)
        if percent == 90:
            sets[90] = set_members(card, probabilities, coverage, by_class=by_class)
        elif percent == 95:
            sets[95] = set_members(card, probabilities, coverage, by_class=by_class)
    return sets


def _columns(samples: Sequence[Sample]) -> dict[str, list[str | None]]:
    names = dict.fromkeys(name for sample in samples for name in sample.metadata)
    return {name: [sample.metadata.get(name) for sample in samples] for name in names}
