"""Tiny model files that tell red, green and blue apart, and folders of plain images for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
from onnx import TensorProto, helper, numpy_helper

from beholder.files import file_digest
from beholder.model import Geometry, ModelCard, Provenance
from beholder.model.card import PredictionSets, UnknownRule, fitting_mark
from beholder.model.file import with_card

COLORS = {"red": (220, 40, 40), "green": (40, 220, 40), "blue": (40, 40, 220), "gray": (128, 128, 128)}


def color_model(path: Path, labels: Sequence[str] = ("red", "green", "blue"), gain: float = 0.05, **changed) -> Path:
    """A model whose logits are the means of the channels: labels beyond the third never win."""
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 8, 8, 3])
    weights = np.zeros((3, len(labels)), np.float32)
    weights[np.arange(min(3, len(labels))), np.arange(min(3, len(labels)))] = gain
    sigmoid = bool(changed.get("multi_label"))
    constants = {"weights": weights, "shift": np.full(len(labels), -8 if sigmoid else 0, np.float32)}
    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["means"], axes=[1, 2], keepdims=0),
        helper.make_node("Gemm", ["means", "weights", "shift"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["probabilities"])
        if sigmoid
        else helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("ReduceMax", ["logits"], ["familiarity"], axes=[1], keepdims=0),
    ]
    wide = ["N", len(labels)]
    outputs = [
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, wide),
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, wide),
        helper.make_tensor_value_info("familiarity", TensorProto.FLOAT, ["N"]),
    ]
    initializers = [numpy_helper.from_array(values, name) for name, values in constants.items()]
    graph = helper.make_graph(nodes, "colors", [image], outputs, initializers)
    data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    card = ModelCard(
        name=path.stem, task="classify", geometry=Geometry("squash", (8, 8)), labels=tuple(labels), **changed
    )
    path.write_bytes(with_card(data, card))
    return path


def cautious(**changed) -> dict:
    """What a card says that has a rule for unknown, and prediction sets."""
    return {
        "unknown": UnknownRule(8.0, 8.0, 0.02, 100),
        "prediction_sets": PredictionSets((0.9, 0.95), (0.3, 0.2), None, 100),
        **changed,
    }


def fitted_on(*files: Path) -> Provenance:
    return replace(Provenance(), fitted_on=tuple(fitting_mark(file_digest(file)) for file in files))


def paint(path: Path, color: str, seed: int = 0) -> Path:
    """A noisy image of one color."""
    noise = np.random.default_rng((seed, *map(ord, path.name))).integers(-30, 30, (12, 12, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray((np.array(COLORS[color]) + noise).clip(0, 255).astype(np.uint8)).save(path)
    return path


def paint_folder(folder: Path, painted: Mapping[str, Sequence[str]]) -> Path:
    """For each name of a class, images of these colors."""
    for name, colors in painted.items():
        for number, color in enumerate(colors):
            paint(folder / name / f"{number}.png", color, seed=len(name))
    return folder
