"""HOG with a linear model, trained, exported and used as any other model file."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

import beholder
from beholder.training import Backbone, Recipe, run_training
from beholder.zoo import find
from pictures import SHAPES, make_folder


def test_hog_with_a_linear_model_is_a_model_file(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "set", dict.fromkeys(SHAPES, 12), seed=3)
    unseen = make_folder(tmp_path / "unseen", dict.fromkeys(SHAPES, 5), seed=4)
    run = run_training(folder, tmp_path / "hog.onnx", recipe=Recipe(backbone="hog"))
    with beholder.load(run.model) as model:
        said = {path: model.predict(path).label for path in unseen.glob("*/*.png")}
    right = sum(path.parent.name == label for path, label in said.items())
    assert right >= 13, f"{right} of {len(said)}"
    graph = onnx.load(run.model).graph
    assert [node.op_type for node in graph.node].count("Gemm") == 1  # the linear model
    assert not any(node.op_type == "Conv" for node in graph.node)
    assert run.model.stat().st_size < 1_000_000


@pytest.mark.parametrize("name", ["hog", "edges", "corners"])
def test_they_have_no_layers_of_a_network(name: str) -> None:
    assert [layer.output for layer in Backbone(find(name)).layers] == ["embedding"]
