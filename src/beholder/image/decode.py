"""From encoded bytes to upright RGB, at the cheapest scale that is asked for.

The header is checked before any pixel is allocated. Everything here runs in one process and trusts the decoder to end;
`reader` decides which images are decoded in a worker that can be killed instead.
"""

from __future__ import annotations

import importlib
import math
import re
import struct
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from io import BytesIO
from typing import Final, NamedTuple

import PIL.Image

from beholder.errors import ImageError, ImageTimeout, ImageTooLarge, UnreadableImage, UnsupportedImage
from beholder.image.color import to_rgb
from beholder.image.formats import (
    BOUNDED_FORMATS,
    MODEL_FILE,
    REFUSED_FORMATS,
    heif_plugin,
    is_heif,
    likely_plugin,
    reason_of,
    webp_size,
    why_unreadable,
)
from beholder.image.limits import Limits, raise_it
from beholder.image.metadata import Metadata, metadata_reader, orientation_of
from beholder.image.quiet import quiet_pillow

NeededScale = Callable[[tuple[int, int]], float]
"""From the upright `(height, width)` of an image to the smallest scale, 0 to 1, at which it may be decoded."""

MAX_JPEG_SCANS: Final = 100
"""A progressive JPEG with more scans than this is made to cost time (libjpeg-turbo, "Two issues with the JPEG
standard", 2013); common ones have about ten."""

_TURNS: Final = {
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_270,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_90,
}
_TURNS_ITSELF: Final = ("TIFF",)
"""Formats that Pillow has turned upright by the time they are decoded; their `size` is the upright one."""


class Decoded(NamedTuple):
    """Pixels and the size they stand for.

    Attributes:
        pil: mode RGB, upright; smaller than `size_hw` when decoded at a reduced scale.
        size_hw: height and width of the whole image, upright.
        metadata: tells what the file says, without its size and digest, which the bytes alone tell; of the formats
            that are decoded in this process the tags are taken apart only when it is called.
    """

    pil: PIL.Image.Image
    size_hw: tuple[int, int]
    metadata: Callable[[], Metadata]


class _TimeUp(Exception):
    pass


class _TimedBytes(BytesIO):
    """Encoded bytes that refuse to be read on after a moment; decoders that read piece by piece end there."""

    def __init__(self, data: bytes, deadline: float) -> None:
        super().__init__(data)
        self._deadline = deadline

    def read(self, size: int | None = -1, /) -> bytes:
        if time.monotonic() > self._deadline:
            raise _TimeUp
        return super().read(size)


def open_image(data: bytes, source: str, limits: Limits) -> PIL.Image.Image:
    """Open an encoded image: its header is read and checked, its pixels are not decoded.

    Raises:
        UnreadableImage: no known format, or a damaged header.
        UnsupportedImage: a format that is refused, or that needs a plug-in.
        ImageTooLarge: more bytes or pixels than allowed.
        ImageTimeout: reading the header took longer than allowed.
    """
    check_bytes(len(data), source, limits)
    if canvas := webp_size(data[:30]):
        check_pixels(*canvas, source, limits)  # Pillow allocates the canvas of a WebP while it opens it
    stream = _TimedBytes(data, time.monotonic() + limits.timeout_seconds)
    try:
        with quiet_pillow:
            image = _identify(stream, source)
    except ImageError:
        raise
    except _TimeUp:
        raise _too_slow(source, limits) from None
    except PIL.Image.DecompressionBombError as error:
        raise _bomb(error, source, limits) from None
    except Exception as error:  # Pillow's readers raise nearly anything on damaged headers
        raise UnreadableImage(source, f"not a readable image: {_in_words(error)}") from None
    if image is None:
        raise _unidentified(data, source)
    check_pixels(*image.size, source, limits)
    return image


def check_bytes(size: int, source: str, limits: Limits) -> None:
    """Refuse an encoded image by its size.

    Raises:
        ImageTooLarge: more bytes than allowed.
    """
    if size > limits.max_bytes:
        most = f"at most {limits.max_bytes:,} are allowed; {raise_it('max_bytes')}"
        raise ImageTooLarge(source, f"{size:,} bytes; {most}")


def check_pixels(width: int, height: int, source: str, limits: Limits) -> None:
    """Refuse an image by the size that its header claims.

    Raises:
        ImageTooLarge: more pixels than allowed.
    """
    if width * height > limits.max_pixels:
        most = f"at most {limits.max_pixels:,} are allowed; {raise_it('max_pixels')}"
        raise ImageTooLarge(source, f"{width:,} x {height:,} pixels; {most}")


def decode(data: bytes, source: str, limits: Limits, needed_scale: NeededScale | None) -> Decoded:
    """Decode an image to upright RGB.

    Args:
        data: the encoded image.
        source: its name, for errors.
        limits: what it may cost.
        needed_scale: allows a JPEG to be decoded at 1/2, 1/4 or 1/8 of its size; None for every pixel.

    Raises:
        ImageError: it cannot be decoded within the limits; the text says why.
    """
    return decode_opened(open_image(data, source, limits), source, limits, needed_scale)


def decode_opened(image: PIL.Image.Image, source: str, limits: Limits, needed_scale: NeededScale | None) -> Decoded:
    """Decode an image that `open_image` has opened; see `decode`."""
    width, height = image.size
    try:
        with quiet_pillow:
            return _decode(image, needed_scale)
    except _TimeUp:
        raise _too_slow(source, limits) from None
    except PIL.Image.DecompressionBombError as error:
        raise _bomb(error, source, limits) from None
    except MemoryError:
        reason = f"decoding its {width:,} x {height:,} pixels needs too much memory"
        raise ImageTooLarge(source, f"{reason}; a worker may use {limits.worker_memory_bytes:,} bytes") from None
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged data
        raise UnreadableImage(source, _damage(image, error)) from None


def _decode(image: PIL.Image.Image, needed_scale: NeededScale | None) -> Decoded:
    mode, (width, height) = image.mode, image.size
    turned = orientation_of(image) if image.format in _TURNS_ITSELF else 1
    reduced = needed_scale is not None and image.format in ("JPEG", "MPO") and _reduce(image, needed_scale)
    image.load()  # before `orientation_of`, which loads some formats and would hide what is damaged
    orientation = orientation_of(image)
    pixels = to_rgb(image)
    if orientation in _TURNS:
        pixels = pixels.transpose(_TURNS[orientation])
    if not reduced:  # the header of some formats, such as ICO, is wrong about the size
        width, height = image.size
    size_hw = (width, height) if orientation >= 5 else (height, width)
    stored_hw = (width, height) if turned >= 5 else (height, width)
    metadata = metadata_reader(image, mode, stored_hw, max(orientation, turned))
    if image.format not in BOUNDED_FORMATS:  # their tags may be read from the file itself, which is let go of here
        metadata = partial(replace, metadata())
    return Decoded(pixels, size_hw, metadata)


def _reduce(image: PIL.Image.Image, needed_scale: NeededScale) -> bool:
    """Tell the decoder of a JPEG to give the smallest of 1, 1/2, 1/4 and 1/8 that is large enough."""
    width, height = image.size
    scale = needed_scale(upright_hw(image))
    if not 0 < scale < 1:
        return False
    image.draft(None, (math.ceil(width * scale), math.ceil(height * scale)))
    return image.size != (width, height)


def upright_hw(image: PIL.Image.Image) -> tuple[int, int]:
    """The size of an opened JPEG once it is turned upright, by its header alone."""
    width, height = image.size
    with quiet_pillow:
        return (width, height) if orientation_of(image) >= 5 else (height, width)


def many_scans(data: bytes) -> bool:
    """Whether a JPEG holds so many scans that decoding it may take very long.

    In the baseline and extended sequential kinds (ITU-T T.81, table B.1) a scan takes as many bytes as it takes work.
    """
    return _frame_kind(data) not in (0xC0, 0xC1) and data.count(b"\xff\xda") > MAX_JPEG_SCANS


def _frame_kind(data: bytes) -> int | None:
    """The marker of a JPEG's frame, found by walking its segments; None where they are damaged."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # tables and an extension, no frames
            return marker
        at += 1 if marker == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _identify(stream: BytesIO, source: str) -> PIL.Image.Image | None:
    """As `PIL.Image.open`, but without its own limit on pixels, and never opening a format that is refused.

    Loading all of Pillow's plug-ins takes long, and the first bytes nearly always name the one that is needed. While
    another thread is loading them for the first time, no format is missed.
    """
    head = stream.read(32)
    tried: set[str] = set()
    steps = (partial(_load_likely_plugin, head), PIL.Image.preinit, PIL.Image.init, partial(_load_heif_plugin, head))
    for load_plugins in steps:
        load_plugins()
        for name in [name for name in PIL.Image.ID if name in PIL.Image.OPEN and name not in tried]:
            tried.add(name)
            factory, accepts = PIL.Image.OPEN[name]
            try:
                accepted = accepts is None or accepts(head[:16])
                if not accepted or isinstance(accepted, str):  # text says what Pillow was built without
                    continue
                if name in REFUSED_FORMATS:
                    raise UnsupportedImage(source, f"{name} files are not read; export it as PNG or JPEG")
                stream.seek(0)
                return factory(stream, "")
            except (SyntaxError, IndexError, TypeError, struct.error):
                continue  # Pillow's way to say that it is another format
    return None


def _load_likely_plugin(head: bytes) -> None:
    name = likely_plugin(head)
    if name is not None:
        importlib.import_module(f"PIL.{name}ImagePlugin")  # waits where another thread is importing it


def _load_heif_plugin(head: bytes) -> None:
    plugin = heif_plugin() if is_heif(head) else None
    if plugin is not None:
        __import__(plugin).register_heif_opener()


def _unidentified(data: bytes, source: str) -> ImageError:
    reason = why_unreadable(data[:1024])
    if reason.startswith("HEIC"):
        return UnsupportedImage(source, reason)
    return UnreadableImage(source, reason if reason == MODEL_FILE else f"not a readable image: {reason}")


def _in_words(error: Exception) -> str:
    """Why a header could not be read; where Pillow speaks to its own developers, in our words."""
    reason = reason_of(error)
    if "MAX_TEXT_" in reason:
        return "its text would take more memory than allowed"
    if reason == "could not create decoder object":
        reason = "the WEBP data is damaged or cut short"
    return f"{reason}; copy the file again"


def _bomb(error: Exception, source: str, limits: Limits) -> ImageTooLarge:
    """Pillow's own refusal, of an image or of one inside it, in our words."""
    claimed = re.search(r"\d+", str(error))
    found = f"{int(claimed[0]):,}" if claimed else "too many"
    most = min(limits.max_pixels, 2 * (PIL.Image.MAX_IMAGE_PIXELS or limits.max_pixels))
    hint = raise_it("max_pixels") if most == limits.max_pixels else "raise PIL.Image.MAX_IMAGE_PIXELS"
    return ImageTooLarge(source, f"{found} pixels; at most {most:,} are allowed; {hint}")


def _too_slow(source: str, limits: Limits) -> ImageTimeout:
    return ImageTimeout(source, f"not decoded within {limits.timeout_seconds:g} seconds; {raise_it('timeout_seconds')}")


def _damage(image: PIL.Image.Image, error: Exception) -> str:
    """What is wrong with an image whose header was good."""
    name = image.format or "image"
    if "truncated" not in str(error).lower():
        return f"not a readable image: the {name} data is damaged ({reason_of(error)}); copy the file again"
    rows = _rows_decoded(image)
    if not rows or rows >= image.height:
        return f"not a readable image: the {name} data ends too early; copy the file again"
    return f"not a readable image: {name} ends after {rows:,} of its {image.height:,} rows; copy the file again"


def _rows_decoded(image: PIL.Image.Image) -> int:
    """How many rows were filled before the data ended: those below the last one are still all zero."""
    try:
        box = image.im.getbbox()
    except Exception:  # nothing was allocated; how Pillow says so differs between its decoders
        return 0
    return box[3] if box else 0
