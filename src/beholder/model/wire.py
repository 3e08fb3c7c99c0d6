"""Walk over a protobuf message without decoding it.

Enough of the wire format (protobuf.dev/programming-guides/encoding) to find a field, to skip one of hundreds of
megabytes at once, and to refuse what is damaged. Nothing is copied: a field is a range of the buffer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

from beholder.errors import InvalidModel

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

MAX_FIELDS: Final = 500_000
"""Fields of one message; a list of numbers is one field."""


class Buffer(Protocol):
    """Bytes that can be indexed and sliced: `bytes`, `memoryview` or `mmap`."""

    def __len__(self) -> int: ...
    def __getitem__(self, key: slice, /) -> bytes: ...


class Field(NamedTuple):
    """One field of a message.

    Attributes:
        number: the field's number in its message.
        wire_type: `VARINT`, `FIXED64`, `BYTES` or `FIXED32`.
        begin: where the field begins, its tag included.
        start: where its payload begins.
        end: where its payload ends.
        value: the number of a varint; 0 for others.
    """

    number: int
    wire_type: int
    begin: int
    start: int
    end: int
    value: int


def fields(buffer: Buffer, start: int, end: int) -> Iterator[Field]:
    """The fields of the message in `buffer[start:end]`, in order.

    Raises:
        InvalidModel: the message is cut short, damaged or of absurdly many fields.
    """
    position = start
    count = 0
    while position < end:
        begin = position
        tag, position = varint(buffer, position, end)
        if tag >> 32:  # other readers drop these bits, and would see a field that is hidden here
            raise InvalidModel(f"damaged: no field has the tag at byte {begin:,}")
        count += 1
        if count > MAX_FIELDS:
            raise InvalidModel(f"must have at most {MAX_FIELDS:,} fields in one message")
        number, wire_type = tag >> 3, tag & 7
        value = 0
        if wire_type == VARINT:
            payload = position
            value, position = varint(buffer, position, end)
        elif wire_type == BYTES:
            length, payload = varint(buffer, position, end)
            position = payload + length
        elif wire_type in (FIXED64, FIXED32):
            payload = position
            position += 8 if wire_type == FIXED64 else 4
        else:
            raise InvalidModel(f"damaged: wire type {wire_type} at byte {begin:,}")
        if number == 0 or position > end:
            raise InvalidModel(f"damaged or cut short: the field at byte {begin:,} ends after the file does")
        yield Field(number, wire_type, begin, payload, position, value)


def encode_bytes(number: int, payload: bytes) -> bytes:
    """A length-delimited field."""
    return encode_varint(number << 3 | BYTES) + encode_varint(len(payload)) + payload


def varint(buffer: Buffer, position: int, end: int) -> tuple[int, int]:
    """Read the number at `position`: its value, and where the next byte after it is."""
    raw = buffer[position : min(position + 10, end)]
    value = 0
    for index, byte in enumerate(raw):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position + index + 1
    raise InvalidModel(f"damaged or cut short: no number at byte {position:,}")


def encode_varint(value: int) -> bytes:
    """A number from 0 up."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
