"""Images brought to size for training, decoded each time they are seen."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final, Self

import numpy as np
import PIL.Image

from beholder.data import Sample
from beholder.errors import UnreadableImage
from beholder.image import Image, Reader
from beholder.image.sources import single
from beholder.model.geometry import Geometry
from beholder.training.networks.varying import Array

_LONGEST: Final = 2.0
"""What is kept of an image is at most so many times as long as it is wide, or the reverse: its middle."""


class DecodedPixels:
    """Images that are decoded each time: for sets that no disk holds decoded.

    Args:
        samples: in the order of the rows.
        geometry: as the model file has it.
        reason: why they are not stored, for a person; nothing where they are.

    Attributes:
        reason: as given.
    """

    def __init__(self, samples: Sequence[Sample], geometry: Geometry, reason: str = "") -> None:
        self._samples = tuple(samples)
        self._geometry = geometry
        self.reason = reason
        self._reader: Reader | None = None
        self._owner = 0

    def __enter__(self) -> Self:
        self._reader, self._owner = Reader(), os.getpid()
        return self

    def __exit__(self, *_: object) -> None:
        if self._reader is not None:
            self._reader.close()

    def input(self, row: int) -> Array:
        """As `Pixels.input`."""
        return self._geometry.apply(self._read(row))[0]

    def whole(self, row: int) -> Array:
        """As `Pixels.whole`."""
        return whole_of(self._read(row), self._geometry)

    def both(self, row: int) -> tuple[Array, Array]:
        """Input and whole, decoded once."""
        image = self._read(row)
        return self._geometry.apply(image)[0], whole_of(image, self._geometry)

    def _read(self, row: int) -> Image:
        if self._reader is None or self._owner != os.getpid():  # a reader's workers belong to one process
            self._reader, self._owner = Reader(), os.getpid()
        sample, scale = self._samples[row], self._geometry.needed_scale
        image = self._reader.read(single(sample.path, self._reader.limits).load(), sample.name, scale)
        if sample.digest is not None and image.metadata.digest != sample.digest:
            raise UnreadableImage(str(sample.path), "was changed since it was first read; run this again")
        return image

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_reader": None}


def whole_size(size_hw: tuple[int, int], geometry: Geometry) -> tuple[int, int]:
    """Height and width of what training varies, of an image of a size."""
    if geometry.resize is None:
        return geometry.size_hw
    side, scale = geometry.resize, geometry.resize / min(size_hw)
    most = round(_LONGEST * side)
    height, width = (min(most, max(side, round(length * scale))) for length in size_hw)
    return height, width


def whole_of(image: Image, geometry: Geometry) -> Array:
    """What training varies of an image: all of it, or the middle of a very long one."""
    if geometry.resize is None:
        return geometry.apply(image)[0]
    size_hw = whole_size(image.size_hw, geometry)
    scale = min(image.pil.size) / geometry.resize
    height, width = min(image.pil.height, size_hw[0] * scale), min(image.pil.width, size_hw[1] * scale)
    left, top = (image.pil.width - width) / 2, (image.pil.height - height) / 2
    resampling = PIL.Image.Resampling[geometry.resample.upper()]
    box = (left, top, left + width, top + height)
    return np.asarray(image.pil.resize((size_hw[1], size_hw[0]), resampling, box=box))
