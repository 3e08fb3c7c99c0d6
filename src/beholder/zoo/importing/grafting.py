"""Stock nodes before and after a graph from elsewhere, so that it obeys the contract of the model file.

Before it: pixels (uint8, RGB, channels last) become the numbers and the layout it was trained on. After it: its answer
becomes `probabilities`, `logits` and `embedding`. What none of them needs is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from beholder.errors import InvalidModel
from beholder.zoo.importing.foreign import Wiring, one_line, subgraphs
from beholder.zoo.importing.nodes import Builder, Plan

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

OPSET: Final = 17
IR_VERSION: Final = 8

_STOCK_DOMAINS: Final = ("", "ai.onnx", "ai.onnx.ml")
_CONTRACT_NAMES: Final = ("image", "probabilities", "logits", "embedding")


def graft(original: ModelProto, plan: Plan) -> ModelProto:
    """Make a graph that obeys the contract.

    Args:
        original: the graph from elsewhere; it stays as it is.
        plan: what to put before and after it.

    Returns:
        An ONNX model, opset 17 or newer: `image` uint8 `(N, height, width, 3)` in; the outputs of the plan, float32
        `(N, size)`, out.

    Raises:
        InvalidModel: it cannot be brought to opset 17.
    """
    import onnx
    from onnx import TensorProto, helper

    model = onnx.ModelProto()
    model.CopyFrom(original)
    model = _modern(model)
    graph = model.graph
    rename = _free_names(graph)
    builder = Builder(_free_prefix(graph))
    if plan.input.shape[0] is not None:
        _open_batch(graph, plan.input.shape[0], builder)
    before = builder.pixels(plan, rename.get(plan.input.name, plan.input.name))
    outputs = builder.outputs(plan, rename)
    _strip(graph, plan.input.name)
    _rename(graph, rename)
    graph.initializer.extend(builder.initializers)
    _replace_nodes(graph, [*before, *map(_copy, graph.node), *outputs], _sizes(plan))
    height, width = plan.size_hw
    graph.input.append(helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", height, width, 3]))
    for name, size in _sizes(plan).items():
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", size]))
    return model


def _sizes(plan: Plan) -> dict[str, int]:
    sizes = {name: tap.size for name, tap in plan.taps.items()}
    if plan.derived is not None:
        sizes[plan.derived[0]] = sizes[plan.derived[2]]
    return {name: sizes[name] for name in _CONTRACT_NAMES if name in sizes}


def only_stock(model: ModelProto) -> bool:
    """Whether a graph names no operator set but the stock ones."""
    return all(entry.domain in _STOCK_DOMAINS for entry in model.opset_import)


def _modern(model: ModelProto) -> ModelProto:
    """The graph at opset 17 or newer, without operator sets that it names and does not use."""
    from onnx import version_converter

    foreign = [entry for entry in model.opset_import if entry.domain not in _STOCK_DOMAINS]
    for entry in foreign:
        model.opset_import.remove(entry)
    for entry in model.opset_import:
        if entry.domain == "ai.onnx":  # the other name of the same operators
            entry.domain = ""
    version = next(entry.version for entry in model.opset_import if entry.domain == "")
    if version < OPSET:
        try:
            model = version_converter.convert_version(model, OPSET)
        except Exception as error:  # the converter raises whatever its C++ does
            raise InvalidModel(
                f"uses opset {version}, which cannot be brought to {OPSET}; export it again with {OPSET} or newer "
                f"({one_line(error)})"
            ) from None
    model.ir_version = max(model.ir_version, IR_VERSION)
    return model


def _open_batch(graph: GraphProto, batch: int, builder: Builder) -> None:
    """Let reshapes that name the number of images take it from what they are given (0 says that).

    Whether the first dimension truly was the number of images shows when the graph is run.
    """
    wiring = Wiring(graph)
    for node in graph.node:
        if node.op_type != "Reshape" or not wiring.depends_on_image(node.input[0]):
            continue
        shape = wiring.constant(node.input[1])
        if shape is None or shape.ndim != 1 or not shape.size or shape[0] != batch:
            continue
        if not node.attribute or shape.all():
            del node.attribute[:]  # "allowzero", with which 0 would mean a size of 0
            node.input[1] = builder.constant(np.array([0, *shape[1:]], np.int64))


def _strip(graph: GraphProto, image: str) -> None:
    """Remove what the graph declares of its tensors: their first dimension is to become open."""
    names = {value.name for value in graph.input}
    if image not in names:
        raise InvalidModel(f"its input {image} is lost in the conversion to opset {OPSET}; export it again")
    del graph.input[:]
    del graph.output[:]
    del graph.value_info[:]


def _replace_nodes(graph: GraphProto, nodes: list[NodeProto], outputs: Iterable[str]) -> None:
    """Put nodes into the graph, without those and the weights that no output needs."""
    needed = set(outputs)
    kept: list[NodeProto] = []
    for node in reversed(nodes):
        if needed.isdisjoint(node.output):
            continue
        kept.append(node)
        needed.update(_read_by(node))
    del graph.node[:]
    graph.node.extend(reversed(kept))
    for position in reversed(range(len(graph.initializer))):  # in place: weights are large
        if graph.initializer[position].name not in needed:
            del graph.initializer[position]
    for position in reversed(range(len(graph.sparse_initializer))):
        if graph.sparse_initializer[position].values.name not in needed:
            del graph.sparse_initializer[position]


def _copy(node: NodeProto) -> NodeProto:
    copied = type(node)()
    copied.CopyFrom(node)
    return copied


def _read_by(node: NodeProto) -> Iterator[str]:
    """The tensors that a node reads, those that the graphs inside it may take from around them included."""
    yield from node.input
    for graph in subgraphs(node):
        yield from (value.name for value in graph.output)
        for inner in graph.node:
            yield from _read_by(inner)


def _free_names(graph: GraphProto) -> dict[str, str]:
    """New names for tensors of the original whose names the contract needs."""
    taken = set(_names(graph))
    rename: dict[str, str] = {}
    for name in _CONTRACT_NAMES:
        if name in taken:
            rename[name] = _unused(f"original_{name}", taken)
    return rename


def _free_prefix(graph: GraphProto) -> str:
    taken = set(_names(graph))
    prefix = "beholder"
    while any(name.startswith(prefix) for name in taken):
        prefix += "_"
    return prefix


def _unused(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _names(graph: GraphProto) -> Iterator[str]:
    """Every tensor name in a graph and in those inside it."""
    yield from (value.name for value in (*graph.input, *graph.output))
    yield from (tensor.name for tensor in graph.initializer)
    yield from (tensor.values.name for tensor in graph.sparse_initializer)
    for node in graph.node:
        yield from node.input
        yield from node.output
        for inner in subgraphs(node):
            yield from _names(inner)


def _rename(graph: GraphProto, names: Mapping[str, str]) -> None:
    """Rename tensors in a graph and in those inside it, everywhere alike."""
    if not names:
        return
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        value.name = names.get(value.name, value.name)
    for sparse in graph.sparse_initializer:
        sparse.values.name = names.get(sparse.values.name, sparse.values.name)
    for annotation in graph.quantization_annotation:
        annotation.tensor_name = names.get(annotation.tensor_name, annotation.tensor_name)
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        for inner in subgraphs(node):
            _rename(inner, names)
