"""The model file: an ONNX graph with a model card under one metadata key.

The card is read and rewritten by skipping over the graph, without ONNX Runtime and without loading weights. Before a
file is run it is inspected; see `inspection`.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import BinaryIO, Final

from beholder.errors import InvalidCard, InvalidModel
from beholder.files import digest, write_atomic
from beholder.model import wire
from beholder.model.card import ModelCard
from beholder.model.geometry import Geometry
from beholder.model.inspection import FUNCTIONS, GRAPH, MAX_METADATA_BYTES, METADATA, OPSET_IMPORT, explained, inspect

CARD_KEY: Final = "beholder"
"""The metadata key of the card."""

MAX_FILE_BYTES: Final = 2**31 - 1
"""What protobuf can hold in one file."""

_IR_VERSION = 1


def read_card(path: str | os.PathLike[str]) -> ModelCard:
    """Read what a model file says about itself; the weights are skipped, not read.

    Raises:
        InvalidModel: not a model file, damaged, or without a card.
        InvalidCard: the card breaks its schema.
    """
    with _opened(path) as buffer, _named(path):
        return card_of(buffer)


def card_of(buffer: wire.Buffer) -> ModelCard:
    """The card in the bytes of a model file; see `read_card`."""
    with explained(buffer):
        found = [text for _, key, text in _metadata(buffer) if key == CARD_KEY]
        if not found:
            raise InvalidModel("has no model card; make a model file of an ONNX file with: beholder import FILE")
        if len(found) > 1:
            raise InvalidModel(f"must hold one model card, found {len(found)}")
    return ModelCard.from_json(found[0])


def with_card(buffer: bytes, card: ModelCard) -> bytes:
    """The bytes of a model file with its card replaced, or added; the graph stays as it is to the byte."""
    return b"".join([*_without_card(buffer), _card_field(card)])


def write_card(path: str | os.PathLike[str], card: ModelCard, out: str | os.PathLike[str] | None = None) -> None:
    """Replace the card of a model file, in place (`out` left out) or in a copy.

    Raises:
        InvalidModel: `path` is not an ONNX file, or one that is refused.
        InvalidCard: the card is too long.
        OutputExists: `out` exists.
        OutputFailed: it cannot be written.
    """
    field = _card_field(card)
    with write_atomic(out or path, overwrite=out is None) as stream, _opened(path) as buffer, _named(path):
        inspect(buffer)
        for part in _without_card(buffer):
            stream.write(part)
        stream.write(field)


def graph_digest(path: str | os.PathLike[str]) -> str:
    """The digest of everything in a model file but its metadata: equal graphs and weights, whatever the card says."""
    with _opened(path) as buffer, _named(path):
        return graph_digest_of(buffer)


def graph_digest_of(buffer: wire.Buffer) -> str:
    """The graph digest of the bytes of a model file; see `graph_digest`."""
    import hashlib

    hasher = hashlib.sha256()
    graphs = 0
    with explained(buffer):
        for field in wire.fields(buffer, 0, len(buffer)):
            graphs += field.number == GRAPH
            if field.number in (_IR_VERSION, GRAPH, OPSET_IMPORT, FUNCTIONS):
                for block in _blocks(buffer, field.begin, field.end):
                    hasher.update(block)
        if graphs != 1:
            raise InvalidModel(f"not an ONNX file: must hold one graph, found {graphs}")
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
    with _opened(path) as buffer, _named(path):
        data = buffer[0:]
        inspect(data)
        return data, card_of(data)


def _metadata(buffer: wire.Buffer) -> Iterator[tuple[wire.Field, str, bytes]]:
    """Each metadata entry (StringStringEntryProto: key 1, value 2) with its place."""
    for field in wire.fields(buffer, 0, len(buffer)):
        if field.number != METADATA or field.wire_type != wire.BYTES:
            continue
        if field.end - field.start > MAX_METADATA_BYTES:
            raise InvalidModel(f"its metadata must be under {MAX_METADATA_BYTES:,} bytes")
        key, text = b"", b""
        for part in wire.fields(buffer, field.start, field.end):
            if part.number == 1 and part.wire_type == wire.BYTES:
                key = bytes(buffer[part.start : part.end])
            elif part.number == 2 and part.wire_type == wire.BYTES:
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
    if len(entry) > MAX_METADATA_BYTES:
        raise InvalidCard(f"model card: must be under {MAX_METADATA_BYTES:,} bytes, found {len(entry):,}")
    return wire.encode_bytes(METADATA, entry)


class _OpenFile:
    """A file that is read piece by piece, so that skipping over its weights reads nothing of them.

    It is not mapped into memory: when a mapped file is cut short by another process, the one that looks at it dies.
    """

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, key: slice, /) -> bytes:
        start, stop, _ = key.indices(self._size)
        wanted = max(0, stop - start)
        try:
            self._stream.seek(start)
            piece = self._stream.read(wanted)
        except OSError as error:
            raise InvalidModel(f"cannot be read: {error.strerror or error}") from None
        if len(piece) != wanted:
            raise InvalidModel("was changed while it was read; try again")
        return piece


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[_OpenFile]:
    """A regular file, open for reading.

    Raises:
        InvalidModel: there is none, it cannot be read, or its size cannot be that of a model.
    """
    name = os.fspath(path)
    try:
        found = os.stat(path)
        if stat.S_ISDIR(found.st_mode):
            raise InvalidModel(f"{name}: is a folder where a model file is expected")
        if not stat.S_ISREG(found.st_mode):
            raise InvalidModel(f"{name}: is not a regular file")
        if not 0 < found.st_size <= MAX_FILE_BYTES:
            raise InvalidModel(f"{name}: is empty" if not found.st_size else f"{name}: must be under 2 GiB, as ONNX is")
        stream = open(path, "rb")  # noqa: SIM115 — closed below, where errors of the caller are not taken for its own
    except (OSError, ValueError) as error:
        raise InvalidModel(f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    with stream:
        yield _OpenFile(stream, found.st_size)


@contextmanager
def _named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Put the file's name before the reason."""
    try:
        yield
    except InvalidModel as error:
        raise type(error)(f"{os.fspath(path)}: {error}") from None
