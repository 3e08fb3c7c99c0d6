"""The model file: an ONNX graph with a model card under one metadata key.

The card is read and rewritten by skipping over the graph, without ONNX Runtime and without loading weights. Before a
file is run it is inspected: whatever in it points outside the file, or claims an absurd size, is refused.

Field numbers are those of `onnx.proto3`, ONNX 1.20.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from beholder.errors import InvalidModel
from beholder.files import digest, write_atomic
from beholder.model import wire
from beholder.model.card import ModelCard
from beholder.model.geometry import Geometry

CARD_KEY: Final = "beholder"
"""The metadata key of the card."""

MAX_METADATA_BYTES: Final = 16 * 2**20
MAX_DEPTH: Final = 16
MAX_DIMENSION: Final = 2**31 - 1
MAX_TENSOR_VALUES: Final = 2**31

_STOCK_DOMAINS: Final = ("", "ai.onnx", "ai.onnx.ml")
_IR_VERSION, _GRAPH, _OPSET_IMPORT, _METADATA, _FUNCTIONS = 1, 7, 8, 14, 25
_TENSOR_RAW_DATA, _TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION = 9, 13, 14


def read_card(path: str | os.PathLike[str]) -> ModelCard:
    """Read what a model file says about itself; the weights are skipped, not read.

    Raises:
        InvalidModel: not a model file, damaged, or without a card.
        InvalidCard: the card breaks its schema.
    """
    with _mapped(path) as buffer, _named(path):
        return card_of(buffer)


def card_of(buffer: wire.Buffer) -> ModelCard:
    """The card in the bytes of a model file; see `read_card`."""
    found = [text for _, key, text in _metadata(buffer) if key == CARD_KEY]
    if not found:
        raise InvalidModel("an ONNX file without a model card; make a model file of it with: beholder import FILE")
    if len(found) > 1:
        raise InvalidModel(f"must hold one model card, found {len(found)}")
    return ModelCard.from_json(found[0])


def with_card(buffer: bytes, card: ModelCard) -> bytes:
    """The bytes of a model file with its card replaced, or added; the graph stays as it is to the byte."""
    return b"".join([*_without_card(buffer), _card_field(card)])


def write_card(path: str | os.PathLike[str], card: ModelCard, out: str | os.PathLike[str] | None = None) -> None:
    """Replace the card of a model file, in place (`out` left out) or in a copy.

    Raises:
        InvalidModel: `path` is not an ONNX file.
        OutputExists: `out` exists.
    """
    with write_atomic(out or path, overwrite=out is None) as stream, _mapped(path) as buffer, _named(path):
        inspect(buffer)
        for part in _without_card(buffer):
            stream.write(part)
        stream.write(_card_field(card))


def graph_digest(path: str | os.PathLike[str]) -> str:
    """The digest of everything in a model file but its metadata: equal graphs and weights, whatever the card says."""
    with _mapped(path) as buffer, _named(path):
        return graph_digest_of(buffer)


def graph_digest_of(buffer: wire.Buffer) -> str:
    """The graph digest of the bytes of a model file; see `graph_digest`."""
    hasher = hashlib.sha256()
    view = memoryview(buffer)  # type: ignore[arg-type]
    try:
        for field in wire.fields(buffer, 0, len(buffer)):
            if field.number in (_IR_VERSION, _GRAPH, _OPSET_IMPORT, _FUNCTIONS):
                hasher.update(view[field.begin : field.end])
    finally:
        view.release()
    return f"sha256:{hasher.hexdigest()}"


def embedding_space(graph: str, geometry: Geometry) -> str:
    """Name the space of a model's embeddings: the digest of its graph's digest and of what decides the pixels."""
    decisive = {key: value for key, value in asdict(geometry).items() if key != "draft"}
    return digest(json.dumps([graph, decisive]).encode())


def read_model(path: str | os.PathLike[str]) -> tuple[bytes, ModelCard]:
    """Read and inspect a model file that is to be run: its bytes, which trust nothing outside them, and its card.

    Raises:
        InvalidModel: damaged, hostile, or without a card.
    """
    with _named(path):
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise InvalidModel(f"cannot be read: {error.strerror or error}") from None
        inspect(data)
        return data, card_of(data)


def inspect(buffer: wire.Buffer) -> None:
    """Refuse an ONNX file that reaches outside itself or claims absurd sizes.

    Refused are tensors whose data lie in other files (by any path: ONNX Runtime follows links), operators that are not
    stock, dimensions and metadata beyond any use, and nesting beyond any use.

    Raises:
        InvalidModel: with the reason.
    """
    if not len(buffer):
        raise InvalidModel("is empty")
    graphs = 0
    for field in wire.fields(buffer, 0, len(buffer)):
        if field.number == _GRAPH:
            graphs += 1
            _inspect_graph(buffer, field, depth=0)
        elif field.number == _FUNCTIONS:
            for node in _children(buffer, field, 7):
                _inspect_node(buffer, node, depth=0)
        elif field.number == _OPSET_IMPORT:
            _inspect_domain(buffer, field)
        elif field.number == _METADATA and field.end - field.start > MAX_METADATA_BYTES:
            raise InvalidModel(f"its metadata must be under {MAX_METADATA_BYTES:,} bytes")
    if graphs != 1:
        raise InvalidModel(f"not an ONNX file: must hold one graph, found {graphs}")


def _inspect_graph(buffer: wire.Buffer, graph: wire.Field, depth: int) -> None:
    """GraphProto: node 1, initializer 5, input 11, output 12, value_info 13, sparse_initializer 15."""
    if depth > MAX_DEPTH:
        raise InvalidModel(f"its graphs are nested deeper than {MAX_DEPTH}")
    for field in _bytes_fields(buffer, graph):
        if field.number == 1:
            _inspect_node(buffer, field, depth)
        elif field.number == 5:
            _inspect_tensor(buffer, field)
        elif field.number == 15:
            _inspect_sparse_tensor(buffer, field)
        elif field.number in (11, 12):
            _inspect_value_info(buffer, field)


def _inspect_node(buffer: wire.Buffer, node: wire.Field, depth: int) -> None:
    """NodeProto: op_type 4, attribute 5, domain 7. AttributeProto: t 5, g 6, tensors 10, graphs 11, sparse 22, 23."""
    for field in _bytes_fields(buffer, node):
        if field.number == 7:
            _refuse_custom_domain(buffer, field)
        elif field.number == 5:
            for value in _bytes_fields(buffer, field):
                if value.number in (5, 10):
                    _inspect_tensor(buffer, value)
                elif value.number in (6, 11):
                    _inspect_graph(buffer, value, depth + 1)
                elif value.number in (22, 23):
                    _inspect_sparse_tensor(buffer, value)


def _inspect_sparse_tensor(buffer: wire.Buffer, sparse: wire.Field) -> None:
    """SparseTensorProto: values 1, indices 2, dims 3."""
    for field in _bytes_fields(buffer, sparse):
        if field.number in (1, 2):
            _inspect_tensor(buffer, field)


def _inspect_tensor(buffer: wire.Buffer, tensor: wire.Field) -> None:
    """TensorProto: dims 1, name 8, raw_data 9, external_data 13, data_location 14."""
    dimensions: list[int] = []
    for field in wire.fields(buffer, tensor.start, tensor.end):
        if field.number == _TENSOR_EXTERNAL_DATA or (field.number == _TENSOR_DATA_LOCATION and field.value):
            raise InvalidModel("keeps weights in other files; a model is one file: save it with its weights inside")
        if field.number == 1:
            packed = field.wire_type == wire.BYTES
            dimensions += _packed(buffer, field) if packed else [field.value]
    if any(size > MAX_DIMENSION for size in dimensions) or math.prod(dimensions) > MAX_TENSOR_VALUES:
        raise InvalidModel(f"a tensor claims the absurd shape {dimensions[:8]}")


def _inspect_value_info(buffer: wire.Buffer, value: wire.Field) -> None:
    """ValueInfoProto.type 2 > TypeProto.tensor_type 1 > shape 2 > dim 1 > dim_value 1."""
    sizes = [1]
    for type_ in _children(buffer, value, 2):
        for tensor in _children(buffer, type_, 1):
            for shape in _children(buffer, tensor, 2):
                for dimension in _children(buffer, shape, 1):
                    inner = wire.fields(buffer, dimension.start, dimension.end)
                    sizes += [field.value for field in inner if field.number == 1]
    if math.prod(max(size, 1) for size in sizes) > MAX_TENSOR_VALUES:
        raise InvalidModel(f"an input or output claims the absurd shape {sizes[1:9]}")


def _inspect_domain(buffer: wire.Buffer, opset: wire.Field) -> None:
    for field in _children(buffer, opset, 1):
        _refuse_custom_domain(buffer, field)


def _refuse_custom_domain(buffer: wire.Buffer, field: wire.Field) -> None:
    domain = bytes(buffer[field.start : field.end][:200]).decode("utf-8", "replace")
    if domain not in _STOCK_DOMAINS:
        raise InvalidModel(f"uses operators of {domain!r}; a model file must use stock ONNX operators only")


def _packed(buffer: wire.Buffer, field: wire.Field) -> Iterator[int]:
    position = field.start
    while position < field.end:
        value, position = wire.varint(buffer, position, field.end)
        yield value


def _bytes_fields(buffer: wire.Buffer, parent: wire.Field) -> Iterator[wire.Field]:
    return (f for f in wire.fields(buffer, parent.start, parent.end) if f.wire_type == wire.BYTES)


def _children(buffer: wire.Buffer, parent: wire.Field, number: int) -> Iterator[wire.Field]:
    return (field for field in _bytes_fields(buffer, parent) if field.number == number)


def _metadata(buffer: wire.Buffer) -> Iterator[tuple[wire.Field, str, bytes]]:
    """Each metadata entry (StringStringEntryProto: key 1, value 2) with its place."""
    for field in wire.fields(buffer, 0, len(buffer)):
        if field.number != _METADATA or field.wire_type != wire.BYTES:
            continue
        if field.end - field.start > MAX_METADATA_BYTES:
            raise InvalidModel(f"its metadata must be under {MAX_METADATA_BYTES:,} bytes")
        key, text = b"", b""
        for part in _bytes_fields(buffer, field):
            if part.number == 1:
                key = bytes(buffer[part.start : part.end])
            elif part.number == 2:
                text = bytes(buffer[part.start : part.end])
        yield field, key.decode("utf-8", "replace"), text


def _without_card(buffer: wire.Buffer) -> Iterator[bytes]:
    """The parts of a model file around its card, which together are the file without one."""
    position = 0
    for field, key, _ in _metadata(buffer):
        if key == CARD_KEY:
            yield from _blocks(buffer, position, field.begin)
            position = field.end
    yield from _blocks(buffer, position, len(buffer))


def _blocks(buffer: wire.Buffer, start: int, end: int, size: int = 2**20) -> Iterator[bytes]:
    for position in range(start, end, size):
        yield bytes(buffer[position : min(position + size, end)])


def _card_field(card: ModelCard) -> bytes:
    entry = wire.encode_bytes(1, CARD_KEY.encode()) + wire.encode_bytes(2, card.to_json().encode())
    return wire.encode_bytes(_METADATA, entry)


@contextmanager
def _mapped(path: str | os.PathLike[str]) -> Iterator[mmap.mmap]:
    """A file mapped into memory, so that skipping over its weights reads nothing of them."""
    try:
        with open(path, "rb") as stream:
            if not os.fstat(stream.fileno()).st_size:
                raise InvalidModel(f"{os.fspath(path)}: is empty")
            buffer = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise InvalidModel(f"{os.fspath(path)}: cannot be read: {error.strerror or error}") from None
    with buffer:
        yield buffer


@contextmanager
def _named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Put the file's name before the reason."""
    try:
        yield
    except InvalidModel as error:
        raise type(error)(f"{os.fspath(path)}: {error}") from None
