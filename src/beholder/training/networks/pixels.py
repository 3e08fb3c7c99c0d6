"""Images as arrays, decoded and resized once: kept in files that are mapped into memory, or decoded each time."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from beholder.data import Facts, Sample
from beholder.data.writing import Progress
from beholder.errors import ImageError, UnreadableImage
from beholder.files import cache_dir, digest
from beholder.model.geometry import Geometry
from beholder.training.networks.decoding import DecodedPixels, whole_size
from beholder.training.networks.storing import DONE, INPUTS, STATE, WHOLES, fill, make_room, reason_not_to_store
from beholder.training.networks.varying import Array

_VERSION: Final = 1
GONE: Final = "could not be decoded, though it was before; see whether it is still there, and run this again"


class Pixels(Protocol):
    """The images of a dataset, by their rows."""

    def input(self, row: int) -> Array:
        """As the model file sees it, uint8 `(S, S, 3)`; raises `ImageError` where it cannot be read."""

    def whole(self, row: int) -> Array:
        """What training varies, uint8 `(h, w, 3)`: all of it at the size of the input's resize; raises likewise."""


class StoredPixels:
    """Images from files that are mapped into memory.

    Args:
        folder: as `storing.fill` fills it.
        side: of the input.
        sizes_hw: of the wholes, in the order of the rows; None where they are the inputs.
        names: of the images.
    """

    def __init__(
        self, folder: Path, side: tuple[int, int], sizes_hw: Sequence[tuple[int, int]] | None, names: Sequence[str]
    ) -> None:
        self._folder = folder
        self._input_shape = (*side, 3)
        self._sizes = None if sizes_hw is None else np.array(sizes_hw, np.int64)
        self._names = tuple(names)
        self._open()

    def _open(self) -> None:
        self._state = self._mapped(STATE)
        self._inputs: Array = self._mapped(INPUTS).reshape(-1, *self._input_shape)
        if self._sizes is not None:
            self._wholes = self._mapped(WHOLES)
            self._ends = np.cumsum(self._sizes.prod(axis=1) * 3)

    def _mapped(self, name: str) -> Array:
        mapped: Array = np.memmap(self._folder / name, np.uint8, "r").view(np.ndarray)  # which is indexed sooner
        return mapped

    def input(self, row: int) -> Array:
        """As `Pixels.input`."""
        self._require(row)
        image: Array = self._inputs[row]
        return image

    def whole(self, row: int) -> Array:
        """As `Pixels.whole`."""
        if self._sizes is None:
            return self.input(row)
        self._require(row)
        height, width = self._sizes[row]
        end = int(self._ends[row])
        whole: Array = self._wholes[end - height * width * 3 : end].reshape(height, width, 3)
        return whole

    def failures(self) -> dict[int, ImageError]:
        """Why images could not be decoded when they were stored, by row."""
        failed = np.flatnonzero(self._state != DONE)
        return {int(row): UnreadableImage(self._names[row], GONE) for row in failed}

    def _require(self, row: int) -> None:
        if self._state[row] != DONE:
            raise UnreadableImage(self._names[row], GONE)

    def __getstate__(self) -> dict[str, Any]:
        mapped = ("_state", "_inputs", "_wholes", "_ends")
        return {key: value for key, value in self.__dict__.items() if key not in mapped}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()


class SelectedPixels:
    """Some of the images of a dataset, by numbers of their own.

    Args:
        pixels: of all images.
        rows: the row of each there.
    """

    def __init__(self, pixels: Pixels, rows: Sequence[int]) -> None:
        self._pixels = pixels
        self._rows = tuple(rows)

    def input(self, row: int) -> Array:
        """As `Pixels.input`."""
        return self._pixels.input(self._rows[row])

    def whole(self, row: int) -> Array:
        """As `Pixels.whole`."""
        return self._pixels.whole(self._rows[row])


def pixels_of(
    samples: Sequence[Sample],
    facts: Mapping[str, Facts],
    geometry: Geometry,
    progress: Progress | None = None,
) -> Pixels:
    """The images of a dataset as arrays: stored where there is room for them, and decoded each time where there is not.

    Of what is decoded each time, `DecodedPixels.reason` says why.

    An interrupted storing goes on where it was. Equal images in equal geometry are stored once, whatever is trained.

    Args:
        samples: with digests.
        facts: of each of them.
        geometry: as the model file has it.
        progress: told how many of the images that had to be decoded are done.

    Raises:
        OutputFailed: the cache cannot be written.
    """
    sizes = None
    if geometry.resize is not None:
        sizes = [whole_size(facts[sample.digest or ""].size_hw, geometry) for sample in samples]
    needed = {STATE: len(samples), INPUTS: len(samples) * math.prod(geometry.size_hw) * 3}
    if sizes is not None:
        needed[WHOLES] = sum(height * width * 3 for height, width in sizes)
    keys = [sample.digest for sample in samples]
    folder = cache_dir() / "pixels" / digest(json.dumps([_VERSION, repr(geometry), keys]).encode())[7:39]
    if reason := reason_not_to_store(folder, needed):
        return DecodedPixels(samples, geometry, reason)
    make_room(folder, needed)
    fill(folder, DecodedPixels(samples, geometry), geometry.size_hw, sizes, progress)
    return StoredPixels(folder, geometry.size_hw, sizes, [sample.name for sample in samples])
