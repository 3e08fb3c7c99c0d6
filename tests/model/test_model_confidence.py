"""What a model's numbers allow to be said, by the rules of its card."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import graphs
from beholder.errors import UsageError
from beholder.model import load_bytes
from beholder.model.card import PredictionSets, UnknownRule
from beholder.model.confidence import accepted_labels, is_unknown, set_members

CARD = graphs.make_card(
    "classify", prediction_sets=PredictionSets((0.95, 0.9), (0.1, 0.3), ((0.6, 0.4, 0.1), (0.9, 0.2, 0.3)), 100)
)
PROBABILITIES = np.array([[0.5, 0.35, 0.15], [0.05, 0.25, 0.7]], np.float32)


@pytest.mark.parametrize(
    ("coverage", "by_class", "members"),
    [
        (0.95, False, [[1, 1, 1], [0, 1, 1]]),
        (None, False, [[1, 1, 1], [0, 1, 1]]),  # the first that the card states
        (0.9, False, [[1, 1, 0], [0, 0, 1]]),
        (0.95, True, [[1, 0, 1], [0, 0, 1]]),  # the most probable label always is in the set
        (0.9, True, [[1, 1, 0], [0, 1, 1]]),
    ],
)
def test_a_set_holds_what_is_as_probable_as_its_threshold(coverage, by_class, members) -> None:
    assert set_members(CARD, PROBABILITIES, coverage, by_class=by_class).astype(int).tolist() == members


def test_a_set_of_one_image_is_that_of_many() -> None:
    assert set_members(CARD, PROBABILITIES[0], 0.9).tolist() == set_members(CARD, PROBABILITIES, 0.9)[0].tolist()


def test_a_coverage_that_nobody_stated_is_refused() -> None:
    with pytest.raises(UsageError, match=r"must be one that tiny-classify states, 0\.95 or 0\.9; found 0\.8"):
        set_members(CARD, PROBABILITIES, 0.8)
    with pytest.raises(UsageError, match="states no prediction sets"):
        set_members(graphs.make_card("classify"), PROBABILITIES, None)


def test_a_coverage_without_prediction_sets_is_refused_before_anything_is_read() -> None:
    model = load_bytes(graphs.model_bytes("classify"))
    with pytest.raises(UsageError, match="states no prediction sets"):
        model.predict("there-is-no-such-file.jpg", coverage=0.9)
    with pytest.raises(UsageError, match="states no prediction sets"):
        model.predict_many("there-is-no-such-file.jpg", by_class=True)


def test_either_sign_makes_a_stranger() -> None:
    card = dataclasses.replace(CARD, unknown=UnknownRule(0.5, 1.0, 0.05, 100))
    tensors = {
        "familiarity": np.array([0.5, 0.4, 0.9]),
        "logits": np.array([[0.0, 1.0], [5.0, 0.0], [0.9, 0.2]]),
    }
    unknown = is_unknown(card, tensors)
    assert unknown is not None
    assert unknown.tolist() == [False, True, True]
    assert is_unknown(CARD, tensors) is None


def test_labels_are_accepted_from_their_threshold_on() -> None:
    tuned = graphs.make_card("classify", multi_label=True, thresholds=(0.5, 0.4, 0.1))
    assert accepted_labels(tuned, PROBABILITIES).astype(int).tolist() == [[1, 0, 1], [0, 0, 1]]
    assert accepted_labels(tuned, PROBABILITIES, 0.3).astype(int).tolist() == [[1, 1, 0], [0, 0, 1]]
    untuned = graphs.make_card("classify", multi_label=True)
    assert accepted_labels(untuned, PROBABILITIES).astype(int).tolist() == [[1, 0, 0], [0, 0, 1]]
