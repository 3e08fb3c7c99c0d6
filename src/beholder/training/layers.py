"""The layers of a backbone that a head can look at, as extra outputs of its graph.

A network's early layers answer to textures and colors, its late ones to the things it was trained on. A head that may
look at several of them, each averaged over the image, does better where the user's images differ from those of the
training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from beholder.errors import InvalidModel

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

LAST: Final = "embedding"
"""The name of the layer that the backbone itself calls its embedding."""

MAX_LAYERS: Final = 24

_JOINING: Final = ("Add", "Concat")
_POOLING: Final = ("MaxPool", "AveragePool", "GlobalAveragePool")


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that can be pooled.

    Attributes:
        output: the name of the graph's output that gives it, float32 `(N, width)`.
        tensor: the tensor inside the graph that it averages; None for the embedding.
        width: how many values it has.
    """

    output: str
    tensor: str | None
    width: int


def tap_layers(model: ModelProto, embedding_width: int) -> list[Layer]:
    """Reduce a graph to what makes its embedding, and add an output for each layer worth looking at.

    The embedding comes last.

    Layers are the tensors `(N, channels, height, width)` where blocks of a network end: what several nodes read, what
    joins branches, what is pooled, and convolutions that feed convolutions without an activation between.

    Raises:
        InvalidModel: the graph has no embedding.
    """
    from onnx import TensorProto, helper

    graph = model.graph
    if LAST not in [output.name for output in graph.output]:
        raise InvalidModel("a backbone must give an embedding; import it with --embedding")
    keep_outputs(model, [LAST])  # what answered for the backbone itself, such as an earlier head, goes
    layers: list[Layer] = []
    for tensor, width in _thinned(_block_ends(model)):
        output = f"layer_{len(layers)}"
        graph.node.append(helper.make_node("GlobalAveragePool", [tensor], [f"{output}_pooled"], name=f"{output}_pool"))
        graph.node.append(helper.make_node("Flatten", [f"{output}_pooled"], [output], name=output))
        graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", width]))
        layers.append(Layer(output, tensor, width))
    return [*layers, Layer(LAST, None, embedding_width)]


def keep_outputs(model: ModelProto, wanted: Sequence[str], given: Sequence[str] = ()) -> None:
    """Take everything out of a graph that the wanted outputs do not need, when some tensors in it are given."""
    graph = model.graph
    needed = set(wanted)
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output).difference(given):
            needed.update(node.input)
            kept.append(node)
    outputs = [output for output in graph.output if output.name in wanted]
    initializers = [tensor for tensor in graph.initializer if tensor.name in needed]
    for field, values in (("node", kept[::-1]), ("output", outputs), ("initializer", initializers)):
        graph.ClearField(field)
        getattr(graph, field).extend(values)
    graph.ClearField("value_info")


def _block_ends(model: ModelProto) -> list[tuple[str, int]]:
    """Tensors where blocks end, with their channels, in the order of the graph; not the one that is pooled last."""
    from onnx import shape_inference

    inferred = shape_inference.infer_shapes(model).graph
    channels = {}
    for value in inferred.value_info:
        dimensions = [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        if len(dimensions) == 4 and dimensions[1] > 0 and dimensions[2] != 1 and value.type.tensor_type.elem_type == 1:
            channels[value.name] = dimensions[1]
    readers: dict[str, list[str]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node.op_type)
    ends = []
    for node in model.graph.node:
        for name in node.output:
            read_by = readers.get(name, [])
            is_end = len(read_by) > 1 or node.op_type in _JOINING or any(reader in _POOLING for reader in read_by)
            is_end |= node.op_type == "Conv" and "Conv" in read_by
            if name in channels and is_end and not _is_last(model.graph, name):
                ends.append((name, channels[name]))
    return ends


def _is_last(graph: GraphProto, tensor: str) -> bool:
    """Whether a tensor is what the embedding averages, which is a layer already."""
    return any(node.op_type == "GlobalAveragePool" and tensor in node.input for node in graph.node)


def _thinned(ends: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """At most `MAX_LAYERS`, evenly, the last one always."""
    if len(ends) <= MAX_LAYERS:
        return ends
    step = (len(ends) - 1) / (MAX_LAYERS - 1)
    return [ends[round(index * step)] for index in range(MAX_LAYERS)]
