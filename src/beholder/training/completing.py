"""From a graph that gives logits and an embedding to one of the model contract: calibrated, and with familiarity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from beholder.training.confidence import Confidence
from beholder.training.layers import LAST, keep_outputs

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

AXES_AS_INPUT: Final = 18
"""The opset from which on `ReduceMax` is told its axes by a tensor."""

_TINY: Final = 1e-12


def complete_graph(model: ModelProto, confidence: Confidence, prototypes: NDArray[np.float32]) -> bytes:
    """Put calibration and familiarity on a graph.

    Args:
        model: gives the tensors `logits` `(N, k)` and `embedding` `(N, d)`; it is changed.
        confidence: from logits to probabilities.
        prototypes: float32 `(p, d)`, of length 1: what familiarity is measured to.

    Returns:
        The bytes of an ONNX file without a card: `image` in; `probabilities`, `logits`, `embedding`, `familiarity` out.
    """
    import onnx
    from onnx import TensorProto, helper

    graph = model.graph
    scaled = add_node(graph, "Mul", ["logits", add_constant(graph, "head_gain", confidence.gain)], "head_scaled")
    shifted = add_node(graph, "Add", [scaled, add_constant(graph, "head_shift", confidence.shift)], "head_shifted")
    if confidence.multi_label:
        add_node(graph, "Sigmoid", [shifted], "probabilities")
    else:
        add_node(graph, "Softmax", [shifted], "probabilities", axis=1)
    _add_familiarity(model, prototypes)
    width = len(confidence.gain)
    outputs = {"probabilities": width, "logits": width, LAST: prototypes.shape[1]}
    graph.ClearField("output")
    graph.output.extend(helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", k]) for n, k in outputs.items())
    graph.output.append(helper.make_tensor_value_info("familiarity", TensorProto.FLOAT, ["N"]))
    keep_outputs(model, [*outputs, "familiarity"])
    model.ClearField("metadata_props")
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def familiarity_of(embeddings: NDArray[np.float32], prototypes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine similarity `(n,)` of each embedding to its nearest prototype, as the graph computes it."""
    lengths = np.sqrt((embeddings**2).sum(axis=1, keepdims=True))
    nearest: NDArray[np.float32] = ((embeddings / np.maximum(lengths, _TINY)) @ prototypes.T).max(axis=1)
    return nearest


def add_node(graph: GraphProto, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
    """Add a node that is named as its one output; the name is given back."""
    from onnx import helper

    graph.node.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
    return output


def add_constant(graph: GraphProto, name: str, values: NDArray[Any]) -> str:
    """Add values to a graph; their name is given back."""
    from onnx import numpy_helper

    graph.initializer.append(numpy_helper.from_array(values, name))
    return name


def _add_familiarity(model: ModelProto, prototypes: NDArray[np.float32]) -> None:
    graph = model.graph
    squares = add_node(graph, "Mul", [LAST, LAST], "familiarity_squares")
    axis = add_constant(graph, "familiarity_axis", np.array([1], np.int64))
    length = add_node(graph, "ReduceSum", [squares, axis], "familiarity_square", keepdims=1)
    root = add_node(graph, "Sqrt", [length], "familiarity_length")
    floor = add_node(
        graph,
        "Max",
        [root, add_constant(graph, "familiarity_floor", np.array([_TINY], np.float32))],
        "familiarity_safe",
    )
    unit = add_node(graph, "Div", [LAST, floor], "familiarity_unit")
    points = add_constant(graph, "familiarity_prototypes", np.ascontiguousarray(prototypes.T))
    similar = add_node(graph, "MatMul", [unit, points], "familiarity_all")
    if _opset(model) < AXES_AS_INPUT:
        add_node(graph, "ReduceMax", [similar], "familiarity", axes=[1], keepdims=0)
    else:
        add_node(graph, "ReduceMax", [similar, axis], "familiarity", keepdims=0)


def _opset(model: ModelProto) -> int:
    return max(int(opset.version) for opset in model.opset_import if opset.domain in ("", "ai.onnx"))
