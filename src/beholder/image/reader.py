"""One way in for an image from anywhere."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import PIL.Image

from beholder.errors import UnreadableImage, UsageError
from beholder.image.color import to_rgb, to_uint8
from beholder.image.decode import Decoded, NeededScale, check_pixels, decode_opened, many_scans, open_image
from beholder.image.formats import BOUNDED_FORMATS, MAGIC_BYTES, begins_bounded
from beholder.image.input import Raw
from beholder.image.limits import Limits
from beholder.image.metadata import Metadata
from beholder.image.sources import single

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from beholder.image.worker import DecodingPool

Isolation = Literal["auto", "always", "never"]
"""Which images are decoded in a worker process that can be killed: those whose decoder is not bounded by the header
(`auto`), every one (`always`, for untrusted sources), or none."""


@dataclass(frozen=True, eq=False)
class Image:
    """A decoded image: RGB, 8 bits, upright.

    Attributes:
        pil: the pixels as a PIL image of mode RGB; smaller than `size_hw` when decoded at a reduced scale.
        size_hw: height and width of the whole image, pixels.
        source: where it comes from.
        encoded: the bytes it was decoded from; None for arrays and frames.
    """

    pil: PIL.Image.Image
    size_hw: tuple[int, int]
    source: str
    encoded: bytes | None = field(default=None, repr=False)
    _metadata: Callable[[], Metadata] | None = field(default=None, repr=False)

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """The pixels, uint8 `(height, width, 3)`, read-only."""
        import numpy as np

        return np.asarray(self.pil)

    @cached_property
    def metadata(self) -> Metadata:
        """What the file says beside its pixels; its tags come from where the pixels were decoded."""
        told = self._metadata
        said = Metadata(format=None, mode="RGB", stored_size_hw=self.size_hw) if told is None else told()
        if self.encoded is None:
            return said
        from beholder.files import digest

        return replace(said, byte_size=len(self.encoded), digest=digest(self.encoded))


class Reader:
    """Decodes images, and owns the workers that decode the dangerous ones.

    Args:
        limits: what an image may cost.
        isolation: which images are decoded in a worker.
    """

    def __init__(self, limits: Limits | None = None, isolation: Isolation = "auto") -> None:
        self.limits = limits or Limits()
        self.isolation = isolation
        self._pool: DecodingPool | None = None
        self._lock = threading.Lock()

    def read(self, raw: Raw, source: str, needed_scale: NeededScale | None = None) -> Image:
        """Decode one image.

        Args:
            raw: encoded bytes; a PIL image; or an array of shape `(h, w)`, `(h, w, 1)`, `(h, w, 3)` RGB or
                `(h, w, 4)` RGBA, of booleans, integers or floats.
            source: its name, for errors.
            needed_scale: allows a JPEG to be decoded at a reduced scale.

        Raises:
            ImageError: it cannot be decoded within the limits; the text says why.
        """
        if isinstance(raw, bytes | bytearray | memoryview):
            data = bytes(raw)
            decoded = self._decode(data, source, needed_scale)
            return Image(decoded.pil, decoded.size_hw, source, data, decoded.metadata)
        if isinstance(raw, PIL.Image.Image):
            decoded = _from_pil(raw, source, self.limits)
            return Image(decoded.pil, decoded.size_hw, source, None, decoded.metadata)
        pil = _from_array(raw, source)
        return Image(pil, (pil.height, pil.width), source)

    def close(self) -> None:
        """End the workers; the reader can be used again."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _decode(self, data: bytes, source: str, needed_scale: NeededScale | None) -> Decoded:
        may_open = begins_bounded(data[:MAGIC_BYTES]) or not data
        if self.isolation == "never" or (self.isolation == "auto" and may_open):
            image = open_image(data, source, self.limits)
            if self.isolation == "never" or _is_bounded(image, data):
                return decode_opened(image, source, self.limits, needed_scale)
        return self._workers().decode(data, source, self.limits, needed_scale)

    def _workers(self) -> DecodingPool:
        from beholder.image.worker import DecodingPool

        with self._lock:
            if self._pool is None:
                self._pool = DecodingPool()
            return self._pool


def _is_bounded(image: PIL.Image.Image, data: bytes) -> bool:
    return image.format in BOUNDED_FORMATS and not (image.format in ("JPEG", "MPO") and many_scans(data))


def _from_pil(image: PIL.Image.Image, source: str, limits: Limits) -> Decoded:
    if 0 in image.size:
        raise UnreadableImage(source, f"the PIL image is empty: {image.width} x {image.height} pixels")
    check_pixels(*image.size, source, limits)
    decoded = decode_opened(image, source, limits, None)
    decoded = decoded._replace(metadata=partial(replace, decoded.metadata()))
    if decoded.pil is image:  # the caller may go on to change it
        return decoded._replace(pil=image.copy())
    return decoded


def _from_array(values: Any, source: str) -> PIL.Image.Image:
    import numpy as np

    if not isinstance(values, np.ndarray):
        raise UsageError(
            f"{source}: an image must be a path, bytes, a file object, an array or a PIL image, "
            f"found {type(values).__name__}"
        )
    if values.dtype.kind not in "buif":
        raise UsageError(f"{source}: an array must hold numbers, found dtype {values.dtype}")
    channels = values.shape[2] if values.ndim == 3 else 1
    if values.ndim not in (2, 3) or channels not in (1, 3, 4) or 0 in values.shape:
        raise UsageError(
            f"{source}: an array must have shape (height, width) or (height, width, 1, 3 or 4), found {values.shape}"
        )
    full_scale = 65535.0 if values.dtype.kind == "u" and values.dtype.itemsize == 2 else None
    pixels = np.ascontiguousarray(to_uint8(values, full_scale))
    return to_rgb(PIL.Image.fromarray(pixels.reshape(values.shape[:2]) if channels == 1 else pixels))


def read(
    source: str | os.PathLike[str] | Raw,
    *,
    limits: Limits | None = None,
    isolation: Isolation = "auto",
    needed_scale: NeededScale | None = None,
) -> Image:
    """Read one image from anywhere.

    Args:
        source: a path, encoded bytes, a binary file object, an array or a PIL image; `-` is standard input.
        limits: what it may cost.
        isolation: whether it is decoded in a worker that can be killed.
        needed_scale: allows a JPEG to be decoded at a reduced scale.

    Returns:
        The image, RGB uint8 `(height, width, 3)`, upright; a file, its bytes and its array have the same pixels.

    Raises:
        ImageError: it cannot be read; the text says why.
        UsageError: the source is a folder or holds several images, or no image at all.
    """
    limits = limits or Limits()
    found = single(source, limits)
    with Reader(limits, isolation) as reader:
        return reader.read(found.load(), found.name, needed_scale)
