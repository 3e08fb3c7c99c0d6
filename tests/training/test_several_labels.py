"""A set whose images may have several labels: what its model file may promise."""

from __future__ import annotations

import pytest

from beholder.model import ModelCard, read_card
from beholder.training import run_training
from pictures import SHAPES, make_folder

EACH = 8


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    """Of a model that tells what a texture is, and whether its number is even."""
    folder = make_folder(tmp_path_factory.mktemp("several"), dict.fromkeys(SHAPES, EACH))
    rows = [f"{kind}/{n}.png,{kind}{'|even' if n % 2 == 0 else ''}" for kind in SHAPES for n in range(EACH)]
    (folder / "labels.csv").write_text("\n".join(["path,labels", *rows]))
    return read_card(run_training(folder / "labels.csv", folder / "several.onnx").model)


def test_an_image_without_any_label_is_no_stranger_for_that(card: ModelCard) -> None:
    assert card.multi_label
    assert card.unknown is not None
    assert card.unknown.evidence_from is None
    assert 0 < card.unknown.familiarity_from < 1
    assert card.unknown.count == len(SHAPES) * EACH


def test_no_prediction_sets_are_promised(card: ModelCard) -> None:
    assert card.prediction_sets is None
