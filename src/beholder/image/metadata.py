"""What an image file says beside its pixels: when, where and by which camera, read forgivingly.

Tags are those of EXIF 2.32 (CIPA DC-008). A tag that is damaged or makes no sense is left out, never guessed.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

import PIL.Image

from beholder.image.quiet import quiet_pillow

_MAKE, _MODEL, _ORIENTATION, _CHANGED, _EXIF, _GPS = 271, 272, 274, 306, 0x8769, 0x8825
_TAKEN: Final = 36867
_one_at_a_time: Final = threading.Lock()
_LATITUDE_REF, _LATITUDE, _LONGITUDE_REF, _LONGITUDE, _ALTITUDE_REF, _ALTITUDE = 1, 2, 3, 4, 5, 6


@dataclass(frozen=True)
class Location:
    """Where a photograph was taken.

    Attributes:
        latitude: degrees, north positive.
        longitude: degrees, east positive.
        altitude_meters: above sea level; None when not recorded.
    """

    latitude: float
    longitude: float
    altitude_meters: float | None = None


@dataclass(frozen=True)
class Metadata:
    """What an image file says beside its pixels; None is what it does not say.

    Attributes:
        format: as Pillow names it, such as `JPEG`; None for arrays and frames.
        mode: color mode as stored, such as `RGB`, `CMYK` or `I;16`.
        stored_size_hw: height and width as stored, before it is turned upright; pixels.
        orientation: EXIF orientation, 1 to 8.
        taken_at: when the photograph was taken, by the camera's clock, without a time zone.
        location: where it was taken.
        camera_make: maker of the camera.
        camera_model: name of the camera.
        byte_size: size of the encoded image, bytes; None for arrays, frames and PIL images.
        digest: content digest of the encoded image, `sha256:…`.
    """

    format: str | None
    mode: str
    stored_size_hw: tuple[int, int]
    orientation: int = 1
    taken_at: datetime | None = None
    location: Location | None = None
    camera_make: str | None = None
    camera_model: str | None = None
    byte_size: int | None = None
    digest: str | None = None


def orientation_of(image: PIL.Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 when there is none or it makes no sense."""
    value = _tags(image).get(_ORIENTATION)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def metadata_reader(
    image: PIL.Image.Image, mode: str, stored_size_hw: tuple[int, int], orientation: int
) -> Callable[[], Metadata]:
    """What tells the metadata of a decoded image; of its bytes, size and digest are left open.

    It keeps the tags, and for the formats that keep them apart from the pixels neither these nor the file.

    Args:
        image: decoded; some formats keep their EXIF behind the pixels.
        mode: color mode as stored, before decoding.
        stored_size_hw: height and width as stored.
        orientation: as stored, before decoding turned the image upright.
    """
    tags = _tags(image)
    if not tags:
        return partial(Metadata, image.format, mode, stored_size_hw, orientation)
    return partial(_read, tags, image.format, mode, stored_size_hw, orientation)


def _read(tags: Any, format: str | None, mode: str, stored_size_hw: tuple[int, int], orientation: int) -> Metadata:
    with _one_at_a_time, quiet_pillow:  # tags are read by seeking in them and moving them about
        details, gps = _directory(tags, _EXIF), _directory(tags, _GPS)
        return Metadata(
            format=format,
            mode=mode,
            stored_size_hw=stored_size_hw,
            orientation=orientation,
            taken_at=_time(details.get(_TAKEN)) or _time(tags.get(_CHANGED)),
            location=_location(gps),
            camera_make=_text(tags.get(_MAKE)),
            camera_model=_text(tags.get(_MODEL)),
        )


def _tags(image: PIL.Image.Image) -> Any:
    try:
        return image.getexif()
    except Exception:  # damaged EXIF makes Pillow raise nearly anything; it is as if there were none
        return {}


def _directory(tags: Any, number: int) -> Mapping[int, Any]:
    try:
        directory = tags.get_ifd(number) if tags else {}
    except Exception:  # as above
        return {}
    return directory if isinstance(directory, Mapping) else {}


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return None
    text = "".join(character for character in value if character.isprintable()).strip()
    return text[:200] or None


def _time(value: Any) -> datetime | None:
    text = _text(value)
    if text is None:
        return None
    try:
        return datetime.strptime(text[:19], "%Y:%m:%d %H:%M:%S")  # EXIF has no zone
    except ValueError:
        return None


def _location(gps: Mapping[int, Any]) -> Location | None:
    latitude = _degrees(gps.get(_LATITUDE), gps.get(_LATITUDE_REF), "NS", 90)
    longitude = _degrees(gps.get(_LONGITUDE), gps.get(_LONGITUDE_REF), "EW", 180)
    if latitude is None or longitude is None:
        return None
    altitude = _number(gps.get(_ALTITUDE))
    below = gps.get(_ALTITUDE_REF) in (1, b"\x01")
    return Location(latitude, longitude, -altitude if altitude is not None and below else altitude)


def _degrees(value: Any, reference: Any, signs: str, most: int) -> float | None:
    """Degrees, minutes and seconds to degrees; `signs` are the letters of the positive and the negative half."""
    side = (_text(reference) or "?")[0].upper()
    if side not in signs or not isinstance(value, tuple) or len(value) != 3:
        return None
    parts = [_number(part) for part in value]
    if any(part is None or part < 0 for part in parts):
        return None
    degrees = sum((part or 0.0) / 60.0**power for power, part in enumerate(parts))
    if degrees > most:
        return None
    return round(-degrees if side == signs[1] else degrees, 7)


def _number(value: Any) -> float | None:
    try:
        number: float = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if math.isfinite(number) else None
