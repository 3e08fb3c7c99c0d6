"""Five tiny model files, one per task, whose answers can be computed by hand.

All of them look for red, green and blue. `classify` and `embed` give the mean color of the input, `detect` the box
around the pixels of each color, `segment` the nearest of the three in cells of 4 by 4 pixels, `caption` names the
strongest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from beholder.model import EmbeddingSpace, Geometry, ModelCard
from beholder.model.file import with_card

LABELS = ("red", "green", "blue")
COLORS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "gray": (40, 40, 40), "black": (0, 0, 0)}
VOCABULARY = ("", "mostly ", "red", "green", "blue", " colors")
TASKS = ("classify", "detect", "segment", "caption", "embed")

SHARPNESS = 8.0
"""Logits are the mean color, 0 to 1, times this."""

SCORES = (0.9, 0.6, 0.3)
"""Of a red, a green and a blue box; the red one comes a second time, with half the score."""

CANDIDATES = 5
STRIDE = 4
SQUASH = Geometry("squash", (32, 48), resample="bilinear")

_OPSET, _IR_VERSION = 17, 8


def model_bytes(task: str, geometry: Geometry = SQUASH, *, sigmoid: bool = False, **card: Any) -> bytes:
    """A whole model file. `card` replaces fields of its card; `sigmoid` makes the labels independent."""
    graph = build_graph(task, geometry.size_hw, sigmoid=sigmoid)
    return with_card(graph.SerializeToString(), make_card(task, geometry, **card))


def make_card(task: str, geometry: Geometry = SQUASH, **changes: Any) -> ModelCard:
    """The card of one of the five."""
    fields: dict[str, Any] = {"name": f"tiny-{task}", "task": task, "geometry": geometry}
    if task in ("classify", "detect", "segment"):
        fields["labels"] = LABELS
    if task == "caption":
        fields["vocabulary"] = VOCABULARY
    if task in ("classify", "embed"):
        fields["embedding"] = EmbeddingSpace("mean-color", 3, normalized=False, metric="euclidean")
    return ModelCard(**{**fields, **changes})


def build_graph(task: str, size_hw: tuple[int, int], *, sigmoid: bool = False) -> ModelProto:
    """The graph of one of the five."""
    if task == "classify":
        return _classify(size_hw, sigmoid)
    return {"detect": _detect, "segment": _segment, "caption": _caption, "embed": _embed}[task](size_hw)


def photo(size_hw: tuple[int, int], background: str = "gray", **boxes_xyxy: tuple[int, int, int, int]) -> np.ndarray:
    """A picture with rectangles: `photo((90, 120), red=(10, 20, 50, 60))`."""
    pixels = np.full((*size_hw, 3), COLORS[background], np.uint8)
    for color, (left, top, right, bottom) in boxes_xyxy.items():
        pixels[top:bottom, left:right] = COLORS[color]
    return pixels


def softmax(logits: Any) -> np.ndarray:
    """What the graphs do."""
    powers = np.exp(np.asarray(logits, np.float64))
    return powers / powers.sum(axis=-1, keepdims=True)


def make_model(
    nodes: list[NodeProto], size_hw: tuple[int, int], outputs: dict[str, tuple], **values: Any
) -> ModelProto:
    """A checked ONNX model with the one input `image`.

    Args:
        nodes: what it computes; `image_planes` float32 `(N, 3, h, w)` from 0 to 1 is there to begin with, and
            `image_levels` from 0 to 255, whose sums are exact.
        size_hw: of its input.
        outputs: name to `(element type, shape)`, without the batch dimension.
        values: initializers by name.
    """
    planes = [
        helper.make_node("Cast", ["image"], ["image_float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["image_float"], ["image_levels"], perm=[0, 3, 1, 2]),
        helper.make_node("Div", ["image_levels", "white"], ["image_planes"]),
    ]
    values = {"white": np.float32(255), **values}
    model = helper.make_model(
        helper.make_graph(
            [*planes, *nodes],
            "tiny",
            [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", *size_hw, 3])],
            [helper.make_tensor_value_info(name, kind, ["N", *shape]) for name, (kind, shape) in outputs.items()],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )
    checker.check_model(model)
    return model


def _mean_color(output: str) -> list[NodeProto]:
    """The mean of each channel, 0 to 1, to the bit the same however many images there are."""
    return [
        helper.make_node("ReduceMean", ["image_levels"], ["mean_level"], axes=[2, 3], keepdims=0),
        helper.make_node("Div", ["mean_level", "white"], [output]),
    ]


def _classify(size_hw: tuple[int, int], sigmoid: bool) -> ModelProto:
    nodes = [
        *_mean_color("embedding"),
        helper.make_node("Sub", ["embedding", "middle"], ["centered"]),
        helper.make_node("Mul", ["centered", "sharpness"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["probabilities"])
        if sigmoid
        else helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("ReduceMax", ["embedding"], ["familiarity"], axes=[1], keepdims=0),
    ]
    outputs = dict.fromkeys(("probabilities", "logits", "embedding"), (TensorProto.FLOAT, (3,)))
    outputs["familiarity"] = (TensorProto.FLOAT, ())
    middle = np.float32(0.5 if sigmoid else 0)
    return make_model(nodes, size_hw, outputs, middle=middle, sharpness=np.float32(SHARPNESS))


def _embed(size_hw: tuple[int, int]) -> ModelProto:
    return make_model(_mean_color("embedding"), size_hw, {"embedding": (TensorProto.FLOAT, (3,))})


def _segment(size_hw: tuple[int, int]) -> ModelProto:
    side = {"kernel_shape": [STRIDE, STRIDE], "strides": [STRIDE, STRIDE]}
    nodes = [
        helper.make_node("AveragePool", ["image_planes"], ["cells"], **side),
        helper.make_node("Mul", ["cells", "sharpness"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    outputs = {"probabilities": (TensorProto.FLOAT, (3, size_hw[0] // STRIDE, size_hw[1] // STRIDE))}
    return make_model(nodes, size_hw, outputs, sharpness=np.float32(SHARPNESS))


def _caption(size_hw: tuple[int, int]) -> ModelProto:
    nodes = [
        *_mean_color("mean"),
        helper.make_node("ArgMax", ["mean"], ["strongest"], axis=1, keepdims=1),
        helper.make_node("Mul", ["strongest", "second"], ["placed"]),
        helper.make_node("Add", ["placed", "sentence"], ["tokens"]),
    ]
    second, sentence = np.array([0, 1, 0, 0, 0]), np.array([1, 2, 5, 0, 5])
    return make_model(nodes, size_hw, {"tokens": (TensorProto.INT64, (5,))}, second=second, sentence=sentence)


def _detect(size_hw: tuple[int, int]) -> ModelProto:
    """The box around the pixels that are of one color: positions counted from both ends, the largest taken."""
    height, width = size_hw
    node = helper.make_node
    nodes = [
        node("ReduceSum", ["image_planes", "channel_axis"], ["brightness"], keepdims=1),
        node("Mul", ["image_planes", "two"], ["doubled"]),
        node("Sub", ["doubled", "brightness"], ["purity"]),
        node("Greater", ["purity", "half"], ["is_pure"]),
        node("Cast", ["is_pure"], ["pure"], to=TensorProto.FLOAT),
        node("ReduceMax", ["pure"], ["columns"], axes=[2], keepdims=0),
        node("ReduceMax", ["pure"], ["rows"], axes=[3], keepdims=0),
        node("ReduceMax", ["rows"], ["present"], axes=[2], keepdims=0),
    ]
    for edge, line, counts in (("x2", "columns", "x_up"), ("y2", "rows", "y_up")):
        nodes.append(node("Mul", [line, counts], [f"{edge}_all"]))
        nodes.append(node("ReduceMax", [f"{edge}_all"], [edge], axes=[2], keepdims=1))
    for edge, line, counts, side in (("x1", "columns", "x_down", "width"), ("y1", "rows", "y_down", "height")):
        nodes.append(node("Mul", [line, counts], [f"{edge}_all"]))
        nodes.append(node("ReduceMax", [f"{edge}_all"], [f"{edge}_back"], axes=[2], keepdims=1))
        nodes.append(node("Sub", [side, f"{edge}_back"], [edge]))
    nodes += [
        node("Concat", ["x1", "y1", "x2", "y2"], ["color_boxes"], axis=2),
        node("Gather", ["color_boxes", "order"], ["some_boxes"], axis=1),
        node("Pad", ["some_boxes", "one_row"], ["boxes"]),
        node("Gather", ["present", "order"], ["some_present"], axis=1),
        node("Mul", ["some_present", "score_of"], ["some_scores"]),
        node("Pad", ["some_scores", "one_value"], ["scores"]),
        node("Mul", ["some_present", "class_after"], ["some_classes"]),
        node("Pad", ["some_classes", "one_value"], ["classes_after"]),
        node("Sub", ["classes_after", "one"], ["classes_float"]),
        node("Cast", ["classes_float"], ["classes"], to=TensorProto.INT64),
        node("Gather", ["pure", "order"], ["some_masks"], axis=1),
        node("Pad", ["some_masks", "one_plane"], ["masks"]),
    ]
    outputs = {
        "boxes": (TensorProto.FLOAT, (CANDIDATES, 4)),
        "scores": (TensorProto.FLOAT, (CANDIDATES,)),
        "classes": (TensorProto.INT64, (CANDIDATES,)),
        "masks": (TensorProto.FLOAT, (CANDIDATES, height, width)),
    }
    up = {"x": np.arange(1, width + 1, dtype=np.float32), "y": np.arange(1, height + 1, dtype=np.float32)}
    return make_model(
        nodes,
        size_hw,
        outputs,
        channel_axis=np.array([1]),
        two=np.float32(2),
        half=np.float32(0.5),
        one=np.float32(1),
        x_up=up["x"],
        y_up=up["y"],
        x_down=up["x"][::-1].copy(),
        y_down=up["y"][::-1].copy(),
        width=np.float32(width),
        height=np.float32(height),
        order=np.array([0, 1, 2, 0]),
        score_of=np.array([*SCORES, SCORES[0] / 2], np.float32),
        class_after=np.array([1, 2, 3, 1], np.float32),
        one_row=np.array([0, 0, 0, 0, 1, 0]),
        one_value=np.array([0, 0, 0, 1]),
        one_plane=np.array([0, 0, 0, 0, 0, 1, 0, 0]),
    )
