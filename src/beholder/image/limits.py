"""What an image may cost."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from beholder.errors import UsageError


@dataclass(frozen=True)
class Limits:
    """What an image may cost before it is refused; each can be set, to more than 0.

    Attributes:
        max_bytes: size of the encoded image, bytes.
        max_pixels: width times height that the header claims, checked before any pixel is allocated.
        max_frames: frames read from one video or camera.
        max_members: entries of one archive.
        timeout_seconds: time to decode one image.
        worker_memory_bytes: memory of one decoding worker, beyond what it needs to start.
    """

    max_bytes: int = 512 * 2**20
    max_pixels: int = 128_000_000
    max_frames: int = 1_000_000
    max_members: int = 1_000_000
    timeout_seconds: float = 30.0
    worker_memory_bytes: int = 2 * 2**30

    def __post_init__(self) -> None:
        for limit in fields(self):
            value = getattr(self, limit.name)
            if not 0 < value < float("inf"):
                raise UsageError(f"{limit.name}: must be more than 0, found {value}")


_OPTIONS: Final = {
    "max_bytes": "--max-bytes",
    "max_pixels": "--max-pixels",
    "max_frames": "--max-frames",
    "timeout_seconds": "--timeout",
}


def raise_it(limit: str) -> str:
    """The end of an error about a limit: how to have more, in Python and, where there is an option, at the prompt."""
    option = _OPTIONS.get(limit)
    return f"raise the limit {limit}" + (f" ({option})" if option else "")
