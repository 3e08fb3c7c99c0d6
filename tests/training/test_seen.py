"""Images that a start was fitted on already are not taken for new ones without a word."""

from __future__ import annotations

from pathlib import Path

from beholder.model.file import read_card
from beholder.training import Recipe, run_training
from pictures import SHAPES, make_folder


def test_a_head_on_a_model_that_knows_the_images(tmp_path: Path) -> None:
    old = make_folder(tmp_path / "old", dict.fromkeys(SHAPES, 8), seed=1)
    first = run_training(old, tmp_path / "first.onnx", recipe=Recipe(test_share=0.0))
    assert not [note for note in first.evaluation.notes if "was made with" in note]
    chosen = Recipe(backbone=str(first.model), test_share=0.0)
    after = run_training(old, tmp_path / "after.onnx", recipe=chosen)
    said = "first was made with 24 of the 24 images that are measured on: expect less on new ones"
    assert said in after.evaluation.notes and said in after.report.read_text(encoding="utf-8")
    new = make_folder(tmp_path / "new", dict.fromkeys(SHAPES, 8), seed=2)
    other = run_training(new, tmp_path / "other.onnx", recipe=chosen)
    assert not [note for note in other.evaluation.notes if "was made with" in note]
    both = (read_card(model).provenance.fitted_on or () for model in (first.model, other.model))
    known, all_known = (set(marks) for marks in both)
    assert known < all_known and len(all_known) == 48
