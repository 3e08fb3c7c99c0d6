"""By what strangers are told from the images that a model knows."""

from __future__ import annotations

import numpy as np
import pytest

import graphs
from beholder.evaluation import strangers_of

KNOWN = {
    "probabilities": np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1]], np.float32),
    "logits": np.array([[6.0, 1.0, 0.0], [2.0, 5.0, 1.0]], np.float32),
    "familiarity": np.array([0.8, 0.6], np.float32),
}
STRANGERS = {
    "probabilities": np.array([[0.4, 0.4, 0.2], [0.8, 0.1, 0.1]], np.float32),
    "logits": np.array([[1.0, 1.5, 0.5], [5.5, 0.0, 0.0]], np.float32),
    "familiarity": np.array([0.75, 0.1], np.float32),
}
EVIDENCE, FAMILIARITY = [1.5, 5.5], [0.75, 0.1]


@pytest.mark.parametrize(
    ("multi_label", "kind", "scores", "known_scores"),
    [
        (False, "near", EVIDENCE, [6.0, 5.0]),
        (False, "far", FAMILIARITY, [0.8, 0.6]),
        (False, "given", [0.0, 0.0], [0.75, 0.25]),  # the lower of the two ranks
        (True, "near", FAMILIARITY, [0.8, 0.6]),
        (True, "far", FAMILIARITY, [0.8, 0.6]),
        (True, "given", FAMILIARITY, [0.8, 0.6]),
    ],
)
def test_where_an_image_may_have_no_label_only_familiarity_tells(multi_label, kind, scores, known_scores) -> None:
    card = graphs.make_card("classify", multi_label=multi_label)
    said = strangers_of(card, kind, KNOWN, STRANGERS, ["a.png", "b.png"])
    assert said.kind == kind
    assert np.asarray(said.scores) == pytest.approx(scores)
    assert np.asarray(said.known_scores) == pytest.approx(known_scores)
