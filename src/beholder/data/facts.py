"""What is worth knowing of an image beside what it shows: computed once, from its pixels, and kept by its content.

Everything is measured on a thumbnail of at most 256 pixels a side, so that numbers of images of any size can be
compared, and strong blur is seen but not slight. A small image is not enlarged.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import PIL.Image

from beholder.image import Image
from beholder.records import to_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FACTS_VERSION: Final = 1
FACTS_KIND: Final = f"facts/{FACTS_VERSION}"
"""The kind under which a `ContentCache` holds facts."""

TINY_KIND: Final = "tiny/1"
"""The kind under which it holds the image squashed to `TINY_SIDE` pixels a side, uint8 RGB."""

TINY_SIDE: Final = 32
THUMBNAIL_SIDE: Final = 256
_HASH_SIDE: Final = 32
_HASH_FLAT: Final = 2.0
"""Gray levels of deviation, of 255, below which an image has no shape that a hash could tell."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is worth knowing of an image.

    Attributes:
        size_hw: height and width, upright, pixels.
        format: as Pillow names it.
        mode: color mode as stored; its letters are the channels.
        byte_size: size of the file.
        brightness: mean luma (Rec. 601), 0 to 1.
        contrast: standard deviation of luma, 0 to 0.5.
        sharpness: variance of the Laplacian of luma in gray levels of 255 (Pech-Pacheco et al., "Diatom autofocusing in
            brightfield microscopy", ICPR 2000); low where nothing is in focus.
        entropy: Shannon entropy of the luma histogram, 0 to 8 bits.
        commonest_color: share of the pixels that have the commonest color, at 5 bits a channel.
        border_uniformity: share of the outermost pixels near to their median color: 1 for a plain background.
        mean_rgb: mean of each channel, 0 to 1.
        deviation_rgb: standard deviation of each channel, 0 to 0.5.
        hash: perceptual hash, 16 hexadecimal digits; None where the image is too flat to have one.
        hash_mirrored: the hash of the image mirrored left to right.
    """

    size_hw: tuple[int, int]
    format: str | None
    mode: str
    byte_size: int | None
    brightness: float
    contrast: float
    sharpness: float
    entropy: float
    commonest_color: float
    border_uniformity: float
    mean_rgb: tuple[float, float, float]
    deviation_rgb: tuple[float, float, float]
    hash: str | None
    hash_mirrored: str | None

    @property
    def aspect_ratio(self) -> float:
        """Width over height."""
        return self.size_hw[1] / self.size_hw[0]

    def to_bytes(self) -> bytes:
        """As a `ContentCache` keeps it."""
        return json.dumps(to_json(self)).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Facts:
        """The opposite of `to_bytes`; the cache holds what this version wrote, so that nothing is checked again."""
        values = json.loads(data)
        for name in ("size_hw", "mean_rgb", "deviation_rgb"):
            values[name] = tuple(values[name])
        return cls(**values)


def needed_scale(size_hw: tuple[int, int]) -> float:
    """The smallest scale at which an image may be decoded for its facts; for `beholder.image.Reader.read`."""
    return min(1.0, 2 * THUMBNAIL_SIDE / max(size_hw))


def facts_of(image: Image) -> Facts:
    """Compute the facts of a decoded image.

    Args:
        image: decoded at `needed_scale` or more.
    """
    import numpy as np

    thumbnail = _thumbnail(image.pil)
    gray = thumbnail.convert("L")
    luma = np.array(gray.histogram(), np.float64)
    channels = np.array(thumbnail.histogram(), np.float64).reshape(3, 256)
    hashed, mirrored = hashes_of(gray)
    metadata = image.metadata
    return Facts(
        size_hw=image.size_hw,
        format=metadata.format,
        mode=metadata.mode,
        byte_size=metadata.byte_size,
        brightness=_mean(luma),
        contrast=_deviation(luma),
        sharpness=_sharpness(np.asarray(gray)),
        entropy=_entropy(luma),
        commonest_color=_commonest_color(thumbnail),
        border_uniformity=_border_uniformity(np.asarray(thumbnail)),
        mean_rgb=(_mean(channels[0]), _mean(channels[1]), _mean(channels[2])),
        deviation_rgb=(_deviation(channels[0]), _deviation(channels[1]), _deviation(channels[2])),
        hash=hashed,
        hash_mirrored=mirrored,
    )


def tiny_of(image: Image) -> NDArray[np.uint8]:
    """The image squashed to `(TINY_SIDE, TINY_SIDE, 3)`, uint8 RGB, for mean images."""
    import numpy as np

    return np.asarray(image.pil.resize((TINY_SIDE, TINY_SIDE), PIL.Image.Resampling.BOX, reducing_gap=2.0))


def hashes_of(gray: PIL.Image.Image) -> tuple[str | None, str | None]:
    """The perceptual hash of an image and that of its mirror image; None for both where it is flat.

    32 x 32 pixels, their cosine transform, and for each of the 8 x 8 lowest frequencies but the constant ones whether
    it is above the median (the hash by cosine transform of Zauner, "Implementation and Benchmarking of Perceptual
    Image Hash Functions", 2010). Mirroring an image only changes the sign of its odd horizontal frequencies.

    Args:
        gray: of mode L.
    """
    import numpy as np

    small = np.asarray(gray.resize((_HASH_SIDE, _HASH_SIDE), PIL.Image.Resampling.BOX), dtype=np.float32)
    if small.std() < _HASH_FLAT:
        return None, None
    rows = _cosines()
    low = rows @ small @ rows.T
    signs = np.where(np.arange(1, 9) % 2, -1, 1).astype(np.float32)
    return _bits(low), _bits(low * signs)


def hash_bits(hashes: list[str]) -> NDArray[np.uint64]:
    """Hashes as numbers of 64 bits, `(n,)`."""
    import numpy as np

    return np.array([int(digits, 16) for digits in hashes], dtype=np.uint64)


def _bits(low: NDArray[Any]) -> str:
    import numpy as np

    middle = np.sort(low, axis=None)[31:33].mean()  # the median of 64, without numpy's ceremony
    return np.packbits(low > middle).tobytes().hex()


@lru_cache(maxsize=1)
def _cosines() -> NDArray[np.float32]:
    """Rows 1 to 8 of the type II discrete cosine transform of `_HASH_SIDE` values."""
    import numpy as np

    frequencies, places = np.arange(1, 9)[:, None], np.arange(_HASH_SIDE)[None, :]
    return np.cos(np.pi * frequencies * (2 * places + 1) / (2 * _HASH_SIDE)).astype(np.float32)


def _thumbnail(image: PIL.Image.Image) -> PIL.Image.Image:
    scale = THUMBNAIL_SIDE / max(image.size)
    if scale >= 1:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, PIL.Image.Resampling.BOX, reducing_gap=2.0)


def _mean(histogram: NDArray[np.float64]) -> float:
    """The mean of 256 levels, 0 to 1."""
    import numpy as np

    return _rounded(histogram @ np.arange(256) / histogram.sum() / 255)


def _deviation(histogram: NDArray[np.float64]) -> float:
    """The standard deviation of 256 levels, 0 to 0.5."""
    import numpy as np

    levels = np.arange(256) - histogram @ np.arange(256) / histogram.sum()
    return _rounded(np.sqrt(histogram @ levels**2 / histogram.sum()) / 255)


def _entropy(histogram: NDArray[np.float64]) -> float:
    import numpy as np

    shares = histogram[histogram > 0] / histogram.sum()
    return _rounded(-(shares @ np.log2(shares)))


def _sharpness(gray: NDArray[np.uint8]) -> float:
    """The variance of the discrete Laplacian by four neighbors, inside the border; 0 where there is no inside."""
    import numpy as np

    if min(gray.shape) < 3:
        return 0.0
    luma = gray.astype(np.int16)
    laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * luma[1:-1, 1:-1]
    values = laplacian.astype(np.float32).ravel()
    return _rounded(float(values @ values) / values.size - float(values.mean()) ** 2)


def _commonest_color(image: PIL.Image.Image) -> float:
    """The share of the commonest color, at 5 bits a channel, among 64 x 64 of the pixels."""
    import numpy as np

    rgb = np.asarray(image.resize((64, 64), PIL.Image.Resampling.NEAREST)).astype(np.uint16) >> 3
    colors = (rgb[..., 0] << 10) | (rgb[..., 1] << 5) | rgb[..., 2]
    return _rounded(np.bincount(colors.ravel()).max() / colors.size)


def _border_uniformity(rgb: NDArray[np.uint8], nearness: int = 16) -> float:
    """The share of the outermost pixels whose channels all are within `nearness` of their median."""
    import numpy as np

    border = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]]).astype(np.int16)
    return _rounded((np.abs(border - np.median(border, axis=0)) <= nearness).all(axis=1).mean())


def _rounded(value: Any) -> float:
    return round(float(value), 5) + 0.0  # no minus zero
