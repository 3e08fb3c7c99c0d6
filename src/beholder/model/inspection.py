"""Look at an ONNX file before it is run: nothing in it is trusted.

Whatever points outside the file, is not stock, or claims an absurd size is refused with a reason, and a file that is
something else is called by its name. The bytes are walked, never decoded, so a hostile file costs no memory.

Field numbers are those of `onnx.proto3`, ONNX 1.20.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Final

from beholder.errors import InvalidCard, InvalidModel
from beholder.image.formats import looks_like_image
from beholder.model import wire

GRAPH, OPSET_IMPORT, METADATA, TRAINING, FUNCTIONS = 7, 8, 14, 20, 25
"""The fields of ModelProto that matter here."""

MAX_METADATA_BYTES: Final = 16 * 2**20
MAX_DEPTH: Final = 16
MAX_RANK: Final = 32
MAX_DIMENSION: Final = 2**31 - 1
MAX_TENSOR_VALUES: Final = 2**31
MAX_FIELDS: Final = 1_000_000
"""Fields in one file, counted as they are walked; large networks have some 100,000."""

_STOCK_DOMAINS: Final = ("", "ai.onnx", "ai.onnx.ml")
_VALUES_PER_BYTE: Final = 8
"""The most values that a byte of a tensor may stand for; the narrowest ONNX types have four."""

_KINDS: Final = (
    (0, b"\xff\xd8\xff", "an image (JPEG)"),
    (0, b"\x89PNG", "an image (PNG)"),
    (0, b"GIF8", "an image (GIF)"),
    (8, b"WEBP", "an image (WebP)"),
    (0, b"PK\x03\x04", "a zip archive, perhaps a PyTorch checkpoint"),
    (0, b"\x1f\x8b", "a compressed archive"),
    (0, b"\x80\x02", "a Python pickle, perhaps a PyTorch checkpoint"),
    (0, b"\x80\x04", "a Python pickle"),
    (0, b"\x80\x05", "a Python pickle"),
    (0, b"\x89HDF", "an HDF5 file, perhaps a Keras model"),
    (4, b"TFL3", "a TensorFlow Lite model"),
    (4, b"ORTM", "a model in ONNX Runtime's own format"),
    (0, b"GGUF", "a GGUF model"),
    (8, b'{"', "perhaps weights in safetensors"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a program"),
    (0, b"version https://git-lfs", "a Git LFS pointer; fetch the file itself with: git lfs pull"),
)


def inspect(buffer: wire.Buffer, *, foreign_imports: bool = False) -> None:
    """Refuse an ONNX file that reaches outside itself or claims absurd sizes.

    Refused are tensors whose data lie in other files (by any path: ONNX Runtime follows links), tensors that claim
    more than they hold, operators that are not stock, and dimensions, metadata, nesting and numbers of parts beyond
    any use.

    Args:
        buffer: the bytes of the file.
        foreign_imports: whether it may name operator sets that are not stock as long as no node uses one, as exporters
            leave them behind.

    Raises:
        InvalidModel: with the reason.
    """
    if not len(buffer):
        raise InvalidModel("is empty")
    with explained(buffer):
        _Inspection(buffer).model(foreign_imports)


@contextmanager
def explained(buffer: wire.Buffer) -> Iterator[None]:
    """Say what a file is instead, when it turns out not to be an ONNX file."""
    try:
        yield
    except InvalidCard:
        raise
    except InvalidModel as error:
        kind = _kind_of(bytes(buffer[:64]))
        if kind is None:
            raise
        advice = "pass it as a source" if kind.startswith("an image") else "a model file is ONNX, with a model card"
        raise InvalidModel(f"is {kind}, not a model file; {advice}" if ";" not in kind else f"is {kind}") from error


def _kind_of(head: bytes) -> str | None:
    """What a file that is no ONNX file seems to be, by its first bytes; None when that cannot be told."""
    for offset, magic, kind in _KINDS:
        if head.startswith(magic, offset):
            return kind
    if looks_like_image(head):
        return "an image"
    printable = head.translate(None, b"\t\r\n")
    return "text" if printable.isascii() and printable.decode("ascii").isprintable() and printable else None


class _Inspection:
    """One walk over a file, which may cost so much and no more."""

    def __init__(self, buffer: wire.Buffer) -> None:
        self._buffer = buffer
        self._left = MAX_FIELDS

    def model(self, foreign_imports: bool) -> None:
        """ModelProto."""
        graphs = 0
        for field in self._parts(0, len(self._buffer)):
            if field.number == GRAPH:
                graphs += 1
                self._graph(field, depth=0)
            elif field.number == TRAINING:
                raise InvalidModel("holds a training program; a model file must hold one graph only: export it again")
            elif field.number == FUNCTIONS:
                self._function(field)
            elif field.number == OPSET_IMPORT and not foreign_imports:
                self._opset(field)
            elif field.number == METADATA and field.end - field.start > MAX_METADATA_BYTES:
                raise InvalidModel(f"its metadata must be under {MAX_METADATA_BYTES:,} bytes")
        if graphs != 1:
            raise InvalidModel(f"not an ONNX file: must hold one graph, found {graphs}")

    def _graph(self, graph: wire.Field, depth: int) -> None:
        """GraphProto: node 1, initializer 5, input 11, output 12, value_info 13, sparse_initializer 15."""
        if depth > MAX_DEPTH:
            raise InvalidModel(f"its graphs are nested deeper than {MAX_DEPTH}")
        for field in self._parts(graph.start, graph.end):
            if field.number == 1:
                self._node(field, depth)
            elif field.number == 5:
                self._tensor(field)
            elif field.number == 15:
                self._sparse_tensor(field)
            elif field.number in (11, 12, 13):
                self._value_info(field)

    def _function(self, function: wire.Field) -> None:
        """FunctionProto: node 7, opset_import 9, attribute_proto 11."""
        for field in self._parts(function.start, function.end):
            if field.number == 7:
                self._node(field, depth=0)
            elif field.number == 9:
                self._opset(field)
            elif field.number == 11:
                self._attribute(field, depth=0)

    def _node(self, node: wire.Field, depth: int) -> None:
        """NodeProto: attribute 5, domain 7."""
        for field in self._parts(node.start, node.end):
            if field.number == 5:
                self._attribute(field, depth)
            elif field.number == 7:
                self._domain(field)

    def _attribute(self, attribute: wire.Field, depth: int) -> None:
        """AttributeProto: t 5, g 6, tensors 10, graphs 11, sparse_tensor 22, sparse_tensors 23."""
        for field in self._parts(attribute.start, attribute.end):
            if field.number in (5, 10):
                self._tensor(field)
            elif field.number in (6, 11):
                self._graph(field, depth + 1)
            elif field.number in (22, 23):
                self._sparse_tensor(field)

    def _sparse_tensor(self, sparse: wire.Field) -> None:
        """SparseTensorProto: values 1, indices 2, dims 3. ONNX Runtime makes it dense, so its shape counts too."""
        _check_shape(self._dimensions(sparse, 3), "a sparse tensor")
        for field in self._parts(sparse.start, sparse.end):
            if field.number in (1, 2):
                self._tensor(field)

    def _tensor(self, tensor: wire.Field) -> None:
        """TensorProto: dims 1, external_data 13, data_location 14."""
        for field in self._fields(tensor.start, tensor.end):
            if field.number == 13 or (field.number == 14 and field.value):
                raise InvalidModel("keeps weights in other files; a model is one file: save it with its weights inside")
        dimensions = self._dimensions(tensor, 1)
        _check_shape(dimensions, "a tensor")
        held = tensor.end - tensor.start
        if math.prod(dimensions) > _VALUES_PER_BYTE * held:
            raise InvalidModel(f"a tensor claims the shape {dimensions}, and holds {held:,} bytes")

    def _value_info(self, value: wire.Field) -> None:
        """ValueInfoProto.type 2 > TypeProto.tensor_type 1 > shape 2 > dim 1 > dim_value 1."""
        sizes: list[int] = []
        for type_ in self._children(value, 2):
            for tensor in self._children(type_, 1):
                for shape in self._children(tensor, 2):
                    for dimension in islice(self._children(shape, 1), MAX_RANK + 1):
                        inner = self._fields(dimension.start, dimension.end)
                        sizes += [field.value for field in inner if field.number == 1]
        _check_shape(sizes, "an input, output or value")

    def _opset(self, opset: wire.Field) -> None:
        """OperatorSetIdProto: domain 1."""
        for field in self._children(opset, 1):
            self._domain(field)

    def _domain(self, field: wire.Field) -> None:
        domain = bytes(self._buffer[field.start : min(field.end, field.start + 200)]).decode("utf-8", "replace")
        if domain not in _STOCK_DOMAINS:
            raise InvalidModel(f"uses operators of {domain!r}; a model file must use stock ONNX operators only")

    def _dimensions(self, parent: wire.Field, number: int) -> list[int]:
        """A shape, packed or not; one longer than any of use is cut there."""
        sizes: list[int] = []
        for field in self._fields(parent.start, parent.end):
            if field.number != number or len(sizes) > MAX_RANK:
                continue
            packed = field.wire_type == wire.BYTES
            sizes += islice(self._packed(field), MAX_RANK + 1) if packed else [field.value]
        return sizes

    def _packed(self, field: wire.Field) -> Iterator[int]:
        position = field.start
        while position < field.end:
            value, position = wire.varint(self._buffer, position, field.end)
            yield value

    def _children(self, parent: wire.Field, number: int) -> Iterator[wire.Field]:
        return (field for field in self._parts(parent.start, parent.end) if field.number == number)

    def _parts(self, start: int, end: int) -> Iterator[wire.Field]:
        """The fields of a message that hold messages or text; protobuf ignores known fields of another form too."""
        return (field for field in self._fields(start, end) if field.wire_type == wire.BYTES)

    def _fields(self, start: int, end: int) -> Iterator[wire.Field]:
        for field in wire.fields(self._buffer, start, end):
            self._left -= 1
            if self._left < 0:
                raise InvalidModel(f"must have at most {MAX_FIELDS:,} parts")
            yield field


def _check_shape(sizes: list[int], what: str) -> None:
    """Refuse a shape beyond any use; a dimension of 0 hides nothing, as the others still count."""
    absurd = len(sizes) > MAX_RANK or any(size > MAX_DIMENSION for size in sizes)
    if absurd or math.prod(max(size, 1) for size in sizes) > MAX_TENSOR_VALUES:
        raise InvalidModel(f"{what} claims the absurd shape {sizes[:8]}")
