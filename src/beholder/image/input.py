"""One image that is yet to be read."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

from beholder.errors import ImageError, ImageTooLarge, UnreadableImage, UsageError
from beholder.image.formats import UNREADABLE_SUFFIXES
from beholder.image.limits import Limits, raise_it

Raw = Any
"""What an image can be read from: encoded `bytes`, an array, or a PIL image."""

Note = Callable[[str], None]
"""Called with a line for a person, such as how many files that are no images were left out."""

_CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Input:
    """One image that is yet to be read.

    Attributes:
        name: what results and errors call it; a member of an archive is `a.zip!/b.jpg`.
        load: gives the encoded bytes, the array or the PIL image, each time it is called; raises `ImageError`.
        frame: number of the frame in its video, from 0.
        time_seconds: when the frame is shown, from the start of the video.
        live: whether more may come later, so that nothing should wait for a full batch.
    """

    name: str
    load: Callable[[], Raw]
    frame: int | None = None
    time_seconds: float | None = None
    live: bool = False


def loaded(name: str, raw: Raw) -> Input:
    """An input whose content is in memory already."""
    return Input(name, lambda: raw)


def failing(error: ImageError, frame: int | None = None) -> Input:
    """An input that raises when it is loaded, so that the others are answered."""

    def load() -> Raw:
        raise error

    return Input(error.source, load, frame)


def refuse_by_name(name: str) -> None:
    """Refuse what no decoder here reads, such as a camera's raw file, of which only the thumbnail would be seen.

    Raises:
        UnreadableImage: its name says so.
    """
    why = UNREADABLE_SUFFIXES.get(os.path.splitext(name)[1].lower())
    if why is not None:
        raise UnreadableImage(name, f"not a readable image: {why}")


def read_stream(stream: IO[bytes], name: str, limits: Limits) -> bytes:
    """Read a stream to its end, never holding more than is allowed.

    Raises:
        ImageTooLarge: it gives more bytes than allowed.
        UsageError: it gives text.
    """
    chunks: list[bytes] = []
    size = 0
    while chunk := stream.read(_CHUNK_BYTES):
        if not isinstance(chunk, bytes):
            raise UsageError(f"{name}: the file object gives {type(chunk).__name__}; open it in binary mode ('rb')")
        size += len(chunk)
        if size > limits.max_bytes:
            raise ImageTooLarge(name, f"more than the {limits.max_bytes:,} bytes allowed; {raise_it('max_bytes')}")
        chunks.append(chunk)
    return b"".join(chunks)


class LeftOut:
    """Files that are no images, counted by their suffixes, so that none is left out in silence."""

    def __init__(self) -> None:
        self._suffixes: dict[str, int] = {}

    def add(self, name: str) -> None:
        """Count a file."""
        suffix = os.path.splitext(name)[1].lower() or "no suffix"
        self._suffixes[suffix] = self._suffixes.get(suffix, 0) + 1

    def tell(self, note: Note, where: str) -> None:
        """Say what was left out, if anything was."""
        count = sum(self._suffixes.values())
        if count:
            what = "file that is not an image" if count == 1 else "files that are not images"
            note(f"{where}: left out {count:,} {what}: {self._commonest()}")

    def found_only(self) -> str:
        """The end of a sentence that says that there are no images."""
        return f"; found only {self._commonest()}" if self._suffixes else ""

    def _commonest(self) -> str:
        ranked = sorted(self._suffixes.items(), key=lambda item: (-item[1], item[0]))
        more = ", …" if len(ranked) > 4 else ""
        return ", ".join(f"{count:,} {suffix}" for suffix, count in ranked[:4]) + more
