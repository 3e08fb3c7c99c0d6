"""From probabilities to a classification."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from beholder.model.card import ModelCard
from beholder.model.confidence import accepted_labels, is_unknown, set_members
from beholder.model.decoding.form import Options, Place, Row
from beholder.result import Classification, Group, Label

TELLING_FROM: Final = 0.01
"""Probability from which a label counts for its group. Of the built-in labels two in five are animals: the sum of their
small chances would make an animal of any image that the model has no idea of."""


def decode(row: Row, place: Place, card: ModelCard, options: Options) -> Classification:
    """`probabilities [K]`; `familiarity` and `logits [K]` where the card has an unknown rule."""
    probabilities = np.clip(row["probabilities"], 0, 1)
    order = np.argsort(-probabilities, kind="stable")  # of equals the first, whatever the number that is asked for
    best = order[: options.top or len(order)]
    labels = tuple(Label(int(index), card.labels[index], _rounded(probabilities[index])) for index in best)
    accepted, prediction_set = None, None
    if card.multi_label:
        chosen = accepted_labels(card, probabilities, options.threshold)
        accepted = tuple(card.labels[index] for index in order if chosen[index])
    if card.prediction_sets is not None:
        members = set_members(card, probabilities, options.coverage, by_class=options.by_class)
        prediction_set = tuple(card.labels[index] for index in order if members[index])
    unknown = is_unknown(card, row)
    sure, group = _fall_back(probabilities, labels[0], card, options)
    return Classification(
        labels=labels,
        accepted=accepted,
        prediction_set=prediction_set,
        unknown=None if unknown is None else bool(unknown),
        group=group,
        sure=sure,
        **place.common,
    )


def _fall_back(
    probabilities: NDArray[np.float32], best: Label, card: ModelCard, options: Options
) -> tuple[bool | None, Group | None]:
    """Whether the answer is sure, and where the best label is not: the narrowest group that is."""
    if card.sure_from is None or card.label_groups is None:
        return None, None
    sure_from = card.sure_from if options.threshold is None else options.threshold
    if best.confidence >= sure_from:
        return True, None
    telling = np.where(probabilities >= TELLING_FROM, probabilities, 0)
    totals = {group: float(telling[members].sum()) for group, members in _members(card.label_groups).items()}
    sure = [group for group, total in totals.items() if total >= sure_from]
    if not sure:
        return False, None
    path = max(sure, key=lambda group: (group.count("/"), totals[group]))
    return True, Group(path.split("/")[-1], min(1.0, _rounded(totals[path])))


@lru_cache(maxsize=16)
def _members(label_groups: tuple[str, ...]) -> Mapping[str, NDArray[np.int64]]:
    """For each group, broad ones first: the indices of its labels. A path such as `animal/cat` is in both groups."""
    members: dict[str, list[int]] = {}
    for index, path in enumerate(label_groups):
        names = path.split("/")
        for depth in range(len(names)):
            members.setdefault("/".join(names[: depth + 1]), []).append(index)
    return {group: np.array(members[group]) for group in sorted(members, key=lambda group: group.count("/"))}


def _rounded(value: float) -> float:
    """Six decimals are more than a confidence means, and survive JSON unchanged."""
    return round(float(value), 6)
