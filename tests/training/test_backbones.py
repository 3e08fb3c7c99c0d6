"""Any model file with an embedding is a backbone, also one that was trained here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

import beholder
from beholder.errors import InvalidModel
from beholder.model import graph_digest
from beholder.training import Backbone, Recipe, run_training
from beholder.zoo import find
from pictures import SHAPES, make_folder


def test_a_trained_model_is_a_backbone_as_the_one_it_was_made_of(textures: Path, tmp_path: Path) -> None:
    first = run_training(textures, tmp_path / "first.onnx")
    second = run_training(textures, tmp_path / "second.onnx", recipe=Recipe(backbone=str(first.model)))
    third = run_training(textures, tmp_path / "third.onnx", recipe=Recipe(backbone=str(second.model)))
    image = textures / "dots" / "0.png"
    ours, theirs = (beholder.load(path).predict(image) for path in (third.model, first.model))
    assert ours.label == theirs.label == "dots"
    np.testing.assert_allclose(
        beholder.load(third.model).embed(image).vector,
        beholder.load(find("efficientnet-lite0")).embed(image).vector,
        atol=1e-4,
    )
    assert (
        graph_digest(first.model) == graph_digest(second.model) == graph_digest(third.model)
    )  # nothing is carried along


def test_names_in_the_graph_stay_unique(textures: Path, tmp_path: Path) -> None:
    first = run_training(textures, tmp_path / "first.onnx")
    second = run_training(textures, tmp_path / "second.onnx", recipe=Recipe(backbone=str(first.model)))
    graph = onnx.load(second.model).graph
    made = [name for node in graph.node for name in node.output]
    names = [node.name for node in graph.node if node.name]
    assert len(set(made)) == len(made)
    assert len(set(names)) == len(names)
    assert [output.name for output in graph.output] == ["probabilities", "logits", "embedding", "familiarity"]


def test_a_model_without_an_embedding_is_refused(tmp_path: Path) -> None:
    import graphs

    path = tmp_path / "plain.onnx"
    path.write_bytes(graphs.model_bytes("segment"))
    with pytest.raises(InvalidModel, match="no embedding"):
        Backbone(path)


def test_one_folder_can_be_learned_with_any_backbone(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "set", dict.fromkeys(SHAPES, 6), seed=8)
    run = run_training(folder, tmp_path / "model.onnx", recipe=Recipe(layers="last"))
    facts = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))
    assert facts["layers"] == ["embedding"]
