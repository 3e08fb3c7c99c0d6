"""Arrays of whole numbers in MATLAB files, as far as public sets keep their labels in them.

Format: MathWorks, "MAT-File Format", level 5, sections "Data Element Format" and "Numeric Array".
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from beholder.errors import InvalidAnnotations

_HEADER_BYTES: Final = 128
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS: Final = {1: "b", 2: "B", 3: "h", 4: "H", 5: "i", 6: "I", 9: "d"}
_MAX_BYTES: Final = 2**24


def read_matlab(path: Path) -> dict[str, tuple[int, ...]]:
    """Read the arrays of whole numbers in a MATLAB file, flattened, by name.

    Raises:
        InvalidAnnotations: it is no such file, damaged, or holds something else.
    """
    data = path.read_bytes()
    try:
        if data[126:128] != b"IM" or len(data) > _MAX_BYTES:
            raise ValueError("not a MATLAB file of level 5 of this byte order")
        return dict(_arrays(data[_HEADER_BYTES:]))
    except (ValueError, struct.error, zlib.error, KeyError, StopIteration, UnicodeDecodeError) as error:
        raise InvalidAnnotations(f"{path}: not a readable MATLAB file: {error}") from None


def _arrays(data: bytes) -> Iterator[tuple[str, tuple[int, ...]]]:
    for kind, content in _elements(data):
        if kind == _COMPRESSED:
            inflater = zlib.decompressobj()
            yield from _arrays(inflater.decompress(content, _MAX_BYTES))
        elif kind == _MATRIX:
            parts = [*_elements(content)]  # flags, dimensions, name, numbers
            (_, _), (_, _), (_, name), (number_kind, numbers) = parts[:4]
            format = _NUMBERS[number_kind]
            values = struct.unpack(f"<{len(numbers) // struct.calcsize(format)}{format}", numbers)
            yield name.decode("ascii"), tuple(int(value) for value in values)


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements of a file or of an array: each one's type and content."""
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if kind >> 16:  # a small one, packed into the tag
            yield kind & 0xFFFF, data[at + 4 : at + 4 + (kind >> 16)]
            at += 8
            continue
        if at + 8 + size > len(data):
            raise ValueError("it ends too early")
        yield kind, data[at + 8 : at + 8 + size]
        at += 8 + size + (-size % 8 if kind != _COMPRESSED else 0)
    if at < len(data):
        raise ValueError("it ends too early")
