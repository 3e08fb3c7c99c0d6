"""From any color mode to the RGB that a person would see.

Integers of more than 8 bits keep their range: full scale becomes 255. Floats in 0 to 1 become 0 to 255, floats in 0 to
255 stay, any other range is stretched. Transparency is seen on white, as on a page. Colors of another space are turned
into sRGB by the embedded ICC profile.
"""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import PIL.Image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.ImageCms import ImageCmsTransform

MAX_PROFILE_BYTES: Final = 4 * 2**20

_WITH_ALPHA: Final = ("RGBA", "LA", "PA", "RGBa", "La")
_WIDE: Final = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_PROFILE_MODES: Final = ("RGB", "RGBA", "L", "LA", "CMYK", "LAB")
_BITS_PER_SAMPLE, _PHOTOMETRIC = 258, 262  # TIFF 6.0, section 8


def to_rgb(image: PIL.Image.Image) -> PIL.Image.Image:
    """The image as mode RGB, 8 bits, as a person would see it.

    Args:
        image: of any mode; decoded where needed.
    """
    profile = image.info.get("icc_profile")
    if image.mode == "RGB" and not profile and "transparency" not in image.info:
        return image
    if image.mode in _WIDE:
        image = _to_gray(image)
    elif image.mode in ("P", "PA") or "transparency" in image.info:
        image = _with_high_bytes(image).convert(_palette_free_mode(image))
    if isinstance(profile, bytes) and profile:
        image = _to_srgb(image, profile)
    if image.mode in _WITH_ALPHA:
        return _on_white(image)
    if image.mode == "LAB":
        return _lab_to_rgb(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def to_uint8(values: NDArray[Any], full_scale: float | None) -> NDArray[np.uint8]:
    """Bring numbers of any type and range to 0 to 255.

    Args:
        values: numbers or booleans of any shape, at least one. Not-a-number is seen as black.
        full_scale: what stands for white; None to decide by the values (the module's docstring says how).
    """
    import numpy as np

    if values.dtype == np.uint8:
        return values
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    is_float = values.dtype.kind == "f"
    small = values.dtype.itemsize <= (4 if is_float else 2)  # float32 holds no more than 24 bits
    numbers: NDArray[Any] = np.asarray(values, dtype=np.float32 if small else np.float64)
    finite = np.isfinite(numbers) if is_float else None
    known = numbers if finite is None or finite.all() else numbers[finite]
    low, high = (0.0, full_scale) if full_scale is not None else _range(known, is_float)
    if known is not numbers:
        numbers = np.nan_to_num(numbers, nan=low, posinf=high, neginf=low)
    if high - low > float(np.finfo(numbers.dtype).max):
        numbers, low, high = numbers / 4, low / 4, high / 4
    scaled = np.rint(np.subtract(numbers, low) * (255.0 / max(high - low, 1e-30)))
    return np.asarray(scaled.clip(0, 255), np.uint8)


def _range(known: NDArray[Any], is_float: bool) -> tuple[float, float]:
    """What stands for black and for white, where nothing but the values themselves can tell."""
    if not known.size:
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    if low >= 0 and high <= 1 and is_float:
        return 0.0, 1.0
    if low >= 0 and high <= 255:
        return 0.0, 255.0
    return low, high


def _to_gray(image: PIL.Image.Image) -> PIL.Image.Image:
    """An image of more than 8 bits as mode L; a color that is declared transparent becomes white."""
    import numpy as np

    values = np.asarray(image)
    gray = to_uint8(values, _full_scale(image))
    if _tiff_tag(image, _PHOTOMETRIC) == 0:  # white is zero; Pillow has turned only images of up to 8 bits
        gray = 255 - gray
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        gray = np.where(values == transparent, np.uint8(255), gray)
    return PIL.Image.fromarray(gray)


def _palette_free_mode(image: PIL.Image.Image) -> str:
    if image.mode in ("1", "L"):
        return "LA"
    return "RGB" if image.mode == "P" and "transparency" not in image.info else "RGBA"


def _with_high_bytes(image: PIL.Image.Image) -> PIL.Image.Image:
    """Of a color PNG of 16 bits Pillow keeps the high bytes, but names the transparent color by all 16."""
    transparent = image.info["transparency"] if image.mode == "RGB" else None
    if isinstance(transparent, tuple) and max(transparent) > 255:
        image = image.copy()
        image.info["transparency"] = tuple(value >> 8 for value in transparent)
    return image


def _full_scale(image: PIL.Image.Image) -> float | None:
    """What stands for white in an integer image: its declared bits, or 16; None for floats and 32-bit integers."""
    if image.mode == "F":
        return None
    if image.mode == "I":
        # Pillow's PPM decoder has scaled to 16 bits already; other 32-bit integers declare no white.
        return 65535.0 if image.format == "PPM" else None
    declared = _tiff_tag(image, _BITS_PER_SAMPLE)
    bits = declared[0] if isinstance(declared, tuple) and declared else 16
    return float(2**bits - 1) if isinstance(bits, int) and 8 < bits <= 16 else 65535.0


def _tiff_tag(image: PIL.Image.Image, number: int) -> Any:
    tags = getattr(image, "tag_v2", None)
    return tags.get(number) if tags else None


def _on_white(image: PIL.Image.Image) -> PIL.Image.Image:
    if image.mode == "La":
        image = image.convert("LA")
    rgba = image.convert("RGBA")
    page = PIL.Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    return PIL.Image.alpha_composite(page, rgba).convert("RGB")


def _to_srgb(image: PIL.Image.Image, profile: bytes) -> PIL.Image.Image:
    """Apply the embedded profile; one that is damaged, or made for another mode, is left aside as viewers do."""
    if len(profile) > MAX_PROFILE_BYTES:
        return image
    alpha = image.getchannel("A") if image.mode in ("RGBA", "LA") else None
    colors = image if alpha is None else image.convert(image.mode[:-1])
    if colors.mode not in _PROFILE_MODES:
        return image
    try:
        transform = _transform(profile, colors.mode)
        if transform is None:
            return image
        seen = transform.apply(colors)
    except Exception:  # a damaged profile makes Pillow and its color engine raise nearly anything
        return image
    if alpha is not None:
        seen.putalpha(alpha)
    return seen


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCmsTransform | None:
    """From the profile to sRGB; None where that changes next to nothing, as with the many profiles that are sRGB."""
    from PIL import ImageChops, ImageCms

    source = ImageCms.ImageCmsProfile(BytesIO(profile))
    screen = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    transform = ImageCms.ImageCmsTransform(source, screen, mode, "RGB")
    if mode == "RGB":
        levels = bytes(range(0, 256, 15))
        colors = bytes(level for r in levels for g in levels for b in levels for level in (r, g, b))
        probe = PIL.Image.frombytes("RGB", (len(levels), len(levels) ** 2), colors)
        difference = ImageChops.difference(probe, transform.apply(probe))
        if max(difference.tobytes()) <= 2:
            return None
    return transform


def _lab_to_rgb(image: PIL.Image.Image) -> PIL.Image.Image:
    from PIL import ImageCms

    lab, screen = (ImageCms.ImageCmsProfile(ImageCms.createProfile(space)) for space in ("LAB", "sRGB"))
    return ImageCms.ImageCmsTransform(lab, screen, "LAB", "RGB").apply(image)
