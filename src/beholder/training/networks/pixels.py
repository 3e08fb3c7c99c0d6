"""Images as arrays, decoded and resized once: kept in files that are mapped into memory, or decoded each time."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, Self

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from beholder.data import Facts, Sample
from beholder.data.writing import Progress
from beholder.errors import ImageError, OutputFailed, UnreadableImage
from beholder.files import cache_dir, digest
from beholder.image import Image, Reader
from beholder.image.sources import single
from beholder.model.geometry import Geometry

_VERSION: Final = 1
_LONGEST: Final = 2.0
"""What is kept of an image is at most so many times as long as it is wide, or the reverse: its middle."""

_MOST_BYTES: Final = 64 * 2**30
"""A set that would take more is decoded each time."""

_KEPT_BYTES: Final = 32 * 2**30
"""What all sets together may take in the cache; those used longest ago go first."""

_SPARE: Final = 0.8
"""Share of the free space that may be taken."""

_DONE, _FAILED = 1, 2
GONE: Final = "could not be decoded, though it was before; see whether it is still there, and run this again"
_TOGETHER: Final = 256

Array = NDArray[np.uint8]


class Pixels(Protocol):
    """The images of a dataset, by their rows."""

    def input(self, row: int) -> Array:
        """As the model file sees it, uint8 `(S, S, 3)`; raises `ImageError` where it cannot be read."""

    def whole(self, row: int) -> Array:
        """What training varies, uint8 `(h, w, 3)`: all of it at the size of the input's resize; raises likewise."""


@dataclass(frozen=True, slots=True)
class View:
    """How images are brought to size for training.

    Attributes:
        geometry: how the model file does it.
    """

    geometry: Geometry

    def whole_size(self, size_hw: tuple[int, int]) -> tuple[int, int]:
        """Height and width of what training varies, of an image of a size."""
        if self.geometry.resize is None:
            return self.geometry.size_hw
        side, scale = self.geometry.resize, self.geometry.resize / min(size_hw)
        most = round(_LONGEST * side)
        height, width = (min(most, max(side, round(length * scale))) for length in size_hw)
        return height, width

    def whole(self, image: Image) -> Array:
        """What training varies of an image: all of it, or the middle of a very long one."""
        if self.geometry.resize is None:
            return self.geometry.apply(image)[0]
        size_hw = self.whole_size(image.size_hw)
        scale = min(image.pil.size) / self.geometry.resize
        height, width = min(image.pil.height, size_hw[0] * scale), min(image.pil.width, size_hw[1] * scale)
        left, top = (image.pil.width - width) / 2, (image.pil.height - height) / 2
        resampling = PIL.Image.Resampling[self.geometry.resample.upper()]
        box = (left, top, left + width, top + height)
        return np.asarray(image.pil.resize((size_hw[1], size_hw[0]), resampling, box=box))

    def needed_scale(self, size_hw: tuple[int, int]) -> float:
        """The smallest scale at which an image may be decoded."""
        return self.geometry.needed_scale(size_hw)


class DecodedPixels:
    """Images that are decoded each time: for sets that no disk holds decoded.

    Args:
        samples: in the order of the rows.
        geometry: as the model file has it.
    """

    def __init__(self, samples: Sequence[Sample], geometry: Geometry) -> None:
        self._samples = tuple(samples)
        self._view = View(geometry)
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
        return self._view.geometry.apply(self._read(row))[0]

    def whole(self, row: int) -> Array:
        """As `Pixels.whole`."""
        return self._view.whole(self._read(row))

    def both(self, row: int) -> tuple[Array, Array]:
        """Input and whole, decoded once."""
        image = self._read(row)
        return self._view.geometry.apply(image)[0], self._view.whole(image)

    def _read(self, row: int) -> Image:
        if self._reader is None or self._owner != os.getpid():  # a reader's workers belong to one process
            self._reader, self._owner = Reader(), os.getpid()
        sample = self._samples[row]
        image = self._reader.read(single(sample.path, self._reader.limits).load(), sample.name, self._view.needed_scale)
        if sample.digest is not None and image.metadata.digest != sample.digest:
            raise UnreadableImage(str(sample.path), "was changed since it was first read; run this again")
        return image

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_reader": None}


class StoredPixels:
    """Images from files that are mapped into memory.

    Args:
        folder: as `store_pixels` fills it.
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
        self._state = np.memmap(self._folder / "state.u1", np.uint8, "r")
        self._inputs = np.memmap(self._folder / "inputs.u1", np.uint8, "r").reshape(-1, *self._input_shape)
        if self._sizes is not None:
            self._wholes = np.memmap(self._folder / "wholes.u1", np.uint8, "r")
            self._ends = np.cumsum(self._sizes.prod(axis=1) * 3)

    def input(self, row: int) -> Array:
        """As `Pixels.input`."""
        self._require(row)
        return np.asarray(self._inputs[row])

    def whole(self, row: int) -> Array:
        """As `Pixels.whole`."""
        if self._sizes is None:
            return self.input(row)
        self._require(row)
        height, width = self._sizes[row]
        end = int(self._ends[row])
        return np.asarray(self._wholes[end - height * width * 3 : end]).reshape(height, width, 3)

    def failures(self) -> dict[int, ImageError]:
        """Why images could not be decoded when they were stored, by row."""
        failed = np.flatnonzero(self._state != _DONE)
        return {int(row): UnreadableImage(self._names[row], GONE) for row in failed}

    def _require(self, row: int) -> None:
        if self._state[row] != _DONE:
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

    An interrupted storing goes on where it was. Equal images in equal geometry are stored once, whatever is trained.

    Args:
        samples: with digests.
        facts: of each of them.
        geometry: as the model file has it.
        progress: told how many of the images that had to be decoded are done.

    Raises:
        OutputFailed: the cache cannot be written.
    """
    view = View(geometry)
    sizes = None if geometry.resize is None else [view.whole_size(facts[s.digest or ""].size_hw) for s in samples]
    side = geometry.size_hw
    needed = {"state.u1": len(samples), "inputs.u1": len(samples) * side[0] * side[1] * 3}
    if sizes is not None:
        needed["wholes.u1"] = sum(height * width * 3 for height, width in sizes)
    keys = [sample.digest for sample in samples]
    folder = cache_dir() / "pixels" / digest(json.dumps([_VERSION, repr(geometry), keys]).encode())[7:39]
    missing = sum(needed.values()) - _size_of(folder)
    if sum(needed.values()) > _MOST_BYTES or missing > _SPARE * _free_bytes(folder):
        return DecodedPixels(samples, geometry)
    _make_room(folder, sum(needed.values()))
    _allocate(folder, needed)
    _fill(folder, samples, geometry, sizes, progress)
    return StoredPixels(folder, side, sizes, [sample.name for sample in samples])


def _fill(
    folder: Path,
    samples: Sequence[Sample],
    geometry: Geometry,
    sizes: Sequence[tuple[int, int]] | None,
    progress: Progress | None,
) -> None:
    """Decode what is not there yet; an image counts as done when it has been written."""
    state = np.memmap(folder / "state.u1", np.uint8, "r+")
    rows = np.flatnonzero(state != _DONE).tolist()
    if not rows:
        return
    inputs = np.memmap(folder / "inputs.u1", np.uint8, "r+").reshape(-1, *geometry.size_hw, 3)
    wholes = None if sizes is None else np.memmap(folder / "wholes.u1", np.uint8, "r+")
    ends = None if sizes is None else np.cumsum([height * width * 3 for height, width in sizes])
    source = DecodedPixels(samples, geometry)

    def put(row: int) -> None:
        try:
            seen, whole = source.both(row)
        except ImageError:
            state[row] = _FAILED
            return
        inputs[row] = seen
        if wholes is not None and ends is not None:
            wholes[ends[row] - whole.size : ends[row]] = whole.ravel()
        state[row] = _DONE

    done = 0
    with source, ThreadPoolExecutor(os.cpu_count()) as threads:
        for part in _parts(rows):
            list(threads.map(put, part))
            done += len(part)
            if progress is not None:
                progress(done, len(rows))
    for written in (inputs, wholes, state):
        if isinstance(written, np.memmap):
            written.flush()


def _parts(rows: Sequence[int]) -> Iterator[Sequence[int]]:
    return (rows[start : start + _TOGETHER] for start in range(0, len(rows), _TOGETHER))


def _allocate(folder: Path, needed: Mapping[str, int]) -> None:
    """Take the space at once, so that a full disk is found before anything is mapped to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, size in needed.items():
            with open(folder / name, "ab") as stream:
                if stream.tell() < size:
                    _reserve(stream.fileno(), size)
        os.utime(folder)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise OutputFailed(
            f"{folder}: cannot be written: {error.strerror or error}; decoded images take "
            f"{sum(needed.values()) / 1e9:.1f} GB there; free some space, or set BEHOLDER_CACHE to another disk"
        ) from error


def _reserve(descriptor: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.truncate(descriptor, size)


def _make_room(folder: Path, size: int) -> None:
    """Take away the sets that were used longest ago, where all together would be too large."""
    others = [path for path in folder.parent.glob("*") if path.is_dir() and path != folder]
    others.sort(key=lambda path: path.stat().st_mtime)
    total = size + sum(_size_of(path) for path in others)
    for path in others:
        if total <= _KEPT_BYTES:
            break
        total -= _size_of(path)
        shutil.rmtree(path, ignore_errors=True)


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.u1"))


def _free_bytes(folder: Path) -> int:
    """Where the folder is, or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
