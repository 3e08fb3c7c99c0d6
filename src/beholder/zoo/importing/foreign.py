"""An ONNX graph from elsewhere: what it takes, what it gives, and how it ends.

Nothing is changed here. The bytes are inspected before `onnx` sees them; what can only be known by running is left to
`beholder.zoo.importing.trial`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from beholder.errors import InvalidModel, UsageError
from beholder.model.file import CARD_KEY
from beholder.model.inspection import inspect
from beholder.records import nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

Layout = Literal["nchw", "nhwc"]
Ending = Literal["softmax", "sigmoid"]

MAX_FILE_BYTES: Final = 2**31 - 1
"""The most that one ONNX file without external data can hold: a limit of protobuf."""

FLOAT, UINT8, FLOAT16, DOUBLE = 1, 2, 10, 11
"""Element types, numbered as in `onnx.TensorProto`."""

_INPUT_TYPES: Final = {FLOAT: "float", UINT8: "uint8", FLOAT16: "float16", DOUBLE: "double"}
_STOCK_DOMAINS: Final = ("", "ai.onnx")
_ENDINGS: Final[dict[str, Ending]] = {"Softmax": "softmax", "Sigmoid": "sigmoid"}
_KEEPS_VALUES: Final = frozenset({"Identity", "Cast", "Flatten", "Reshape", "Squeeze", "Dropout"})
_KEEPS_ROWS: Final = _KEEPS_VALUES | {"Add", "Sub", "Mul", "Div"}
_CLASSIFIERS: Final = frozenset({"Gemm", "MatMul"})


class ForeignInput(NamedTuple):
    """The image input of a graph.

    Attributes:
        name: of the tensor.
        type: the element type, one of the numbers above.
        shape: the four declared sizes; None where one is open.
    """

    name: str
    type: int
    shape: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Foreign:
    """An ONNX file from elsewhere, inspected and parsed.

    Attributes:
        path: where it was read from.
        data: its bytes.
        model: the same, parsed; not to be changed.
        input: its one input.
        outputs: the names of its outputs.
        opset: the version of the stock operators it uses.
    """

    path: str
    data: bytes
    model: ModelProto
    input: ForeignInput
    outputs: tuple[str, ...]
    opset: int

    @property
    def batch(self) -> int | None:
        """How many images the graph says it takes at a time; None for any number."""
        return self.input.shape[0]

    @property
    def takes_numbers(self) -> bool:
        """Whether it wants pixels as numbers of some scale, rather than as they are."""
        return self.input.type != UINT8

    def layout(self, wanted: Layout | Literal["auto"] = "auto") -> Layout:
        """Where the channels are: the wanted one, or the one that the declared sizes show.

        Raises:
            InvalidModel: the graph does not take images of three channels.
            UsageError: its sizes do not tell.
        """
        _, first, _, last = self.input.shape
        if wanted != "auto":
            channels = first if wanted == "nchw" else last
            if channels not in (None, 3):
                raise UsageError(f"layout: {wanted} needs 3 channels, where the input is {_shown(self.input.shape)}")
            return wanted
        if first == 3 and last == 3:
            raise UsageError(f"layout: nchw and nhwc both fit the input {_shown(self.input.shape)}; name one")
        if 3 in (first, last):
            return "nchw" if first == 3 else "nhwc"
        if first is None and last is None:
            return "nchw"  # an exporter that leaves every size open is torch's, which puts channels first
        raise InvalidModel(f"must take images of 3 channels; its input {self.input.name} is {_shown(self.input.shape)}")

    def size_hw(self, layout: Layout) -> tuple[int | None, int | None]:
        """Height and width that the graph declares; None where one is open."""
        _, first, second, last = self.input.shape
        return (second, last) if layout == "nchw" else (first, second)


def read_foreign(path: str | os.PathLike[str]) -> Foreign:
    """Read an ONNX file from elsewhere.

    Raises:
        InvalidModel: damaged, hostile, a model file already, or a graph that takes something else than one image.
    """
    name = os.fspath(path)
    try:
        if Path(path).stat().st_size > MAX_FILE_BYTES:
            raise InvalidModel(f"{name}: must be under 2 GiB, as every ONNX file that keeps its weights inside")
        data = Path(path).read_bytes()
    except OSError as error:
        raise InvalidModel(f"{name}: cannot be read: {error.strerror or error}") from None
    try:
        return _parsed(name, data)
    except (InvalidModel, UsageError) as error:
        raise type(error)(f"{name}: {error}") from None


def _parsed(path: str, data: bytes) -> Foreign:
    import onnx

    inspect(data, foreign_imports=True)
    try:
        model = onnx.load_model_from_string(data)
        _check(model)
    except Exception as error:  # those of protobuf and of the checker have no class in common
        raise InvalidModel(f"not a valid ONNX graph: {one_line(error)}") from None
    if any(entry.key == CARD_KEY for entry in model.metadata_props):
        raise InvalidModel("is a model file already; use it as it is")
    versions = [entry.version for entry in model.opset_import if entry.domain in _STOCK_DOMAINS]
    if not versions:
        raise InvalidModel("does not say which version of the ONNX operators it uses; export it again")
    outputs = tuple(output.name for output in model.graph.output)
    return Foreign(path, data, model, _image_input(model.graph), outputs, max(versions))


def _check(model: ModelProto) -> None:
    """Let `onnx` check the graph, but not what it declares of its outputs: many leave that out, none is relied on."""
    import onnx

    outputs = list(model.graph.output)
    del model.graph.output[:]
    onnx.checker.check_model(model)
    model.graph.output.extend(outputs)


def _image_input(graph: GraphProto) -> ForeignInput:
    """The one input that is not a weight; old files list their weights as inputs too."""
    weights = {tensor.name for tensor in graph.initializer} | {t.values.name for t in graph.sparse_initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise InvalidModel(f"must have one input, an image; found {names}")
    (value,) = inputs
    kind = value.type.tensor_type.elem_type
    shape = _declared_shape(value)
    if shape is None or len(shape) != 4 or kind not in _INPUT_TYPES:
        raise InvalidModel(
            f"must take a batch of images, float, float16, double or uint8, with 4 dimensions; "
            f"its input {value.name} has element type {_type_name(kind)} and shape {_shown(shape)}"
        )
    return ForeignInput(value.name, kind, shape)


def _declared_shape(value: ValueInfoProto) -> tuple[int | None, ...] | None:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return tuple(dim.dim_value if dim.dim_value > 0 else None for dim in tensor.shape.dim)


def _type_name(kind: int) -> str:
    from onnx import TensorProto

    return TensorProto.DataType.Name(kind).lower() if kind in TensorProto.DataType.values() else str(kind)


def _shown(shape: tuple[int | None, ...] | None) -> str:
    return "none" if shape is None else f"[{', '.join('?' if size is None else str(size) for size in shape)}]"


def one_line(error: Exception) -> str:
    """What a library says went wrong, as one line of bounded length."""
    return " ".join(str(error).split())[:300] or type(error).__name__


class Wiring:
    """Which node makes which tensor of a graph, and which tensors do not depend on the image."""

    def __init__(self, graph: GraphProto) -> None:
        self._makers: dict[str, NodeProto] = {name: node for node in graph.node for name in node.output if name}
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        self._fixed = set(self._weights)
        self._fixed |= {tensor.values.name for tensor in graph.sparse_initializer}
        self.names = self._fixed | {value.name for value in graph.input} | set(self._makers)
        for node in graph.node:  # in the order of computation, as the checker has made sure
            if all(name in self._fixed or not name for name in node.input) and next(subgraphs(node), None) is None:
                self._fixed |= set(node.output)

    def ending(self, output: str) -> tuple[Ending | None, str]:
        """The activation that an output comes from, and what goes into it; None and the output where there is none."""
        name = self._behind(output, _KEEPS_VALUES)
        node = self._makers.get(name)
        if node is not None and not node.domain and node.op_type in _ENDINGS:
            return _ENDINGS[node.op_type], node.input[0]
        return None, output

    def classifier_input(self, logits: str) -> str | None:
        """What the last linear layer is given; None where the graph does not end in one."""
        node = self._makers.get(self._behind(logits, _KEEPS_ROWS))
        if node is None or node.op_type not in _CLASSIFIERS or node.domain:
            return None
        return node.input[0] if self._varying(node) == [node.input[0]] else None

    def depends_on_image(self, name: str) -> bool:
        """Whether a tensor differs from image to image."""
        return name not in self._fixed

    def constant(self, name: str) -> NDArray[Any] | None:
        """The values of a weight, or of a constant in a node; None for anything that is computed."""
        from onnx import numpy_helper

        if name in self._weights:
            return numpy_helper.to_array(self._weights[name])
        node = self._makers.get(name)
        if node is None or node.op_type != "Constant" or not all(part.HasField("t") for part in node.attribute):
            return None
        return next((numpy_helper.to_array(part.t) for part in node.attribute), None)

    def _behind(self, name: str, passing: Iterable[str]) -> str:
        """Walk back over nodes of some kinds, as long as one of their inputs depends on the image."""
        seen: set[str] = set()
        while (node := self._makers.get(name)) is not None and node.op_type in passing and name not in seen:
            varying = self._varying(node)
            if len(varying) != 1 or node.output[0] != name:
                break
            seen.add(name)
            name = varying[0]
        return name

    def _varying(self, node: NodeProto) -> list[str]:
        return [name for name in node.input if name and name not in self._fixed]


def choose_output(foreign: Foreign, wanted: str | None, usual: Iterable[str]) -> str:
    """The output to build on: the wanted one, the only one, or the first that has a usual name.

    Raises:
        UsageError: the graph has no such output, or several that could be meant.
    """
    if wanted is not None:
        if wanted not in foreign.outputs:
            raise UsageError(f"output: {wanted!r} is not given by the graph; {nearest(wanted, foreign.outputs)}")
        return wanted
    if len(foreign.outputs) == 1:
        return foreign.outputs[0]
    for name in usual:
        if name in foreign.outputs:
            return name
    raise UsageError(f"output: the graph gives {', '.join(foreign.outputs)}; name the one to use")


def subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    """The graphs inside a node: the branches of `If`, the bodies of `Loop` and `Scan`."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs
