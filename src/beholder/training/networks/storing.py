"""Decoded images in files of the cache: room for them, and filling it so that nothing counts that is not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np

from beholder.data.writing import Progress
from beholder.errors import ImageError, OutputFailed
from beholder.model.runtime import available_cores
from beholder.training.networks.decoding import DecodedPixels

STATE: Final = "state.u1"
INPUTS: Final = "inputs.u1"
WHOLES: Final = "wholes.u1"

DONE: Final = 1
_FAILED: Final = 2

_MOST_BYTES: Final = 64 * 2**30
"""A set that would take more is decoded each time."""

_KEPT_BYTES: Final = 32 * 2**30
"""What all sets together may take in the cache; those used longest ago go first."""

_SPARE: Final = 0.8
"""Share of the free space that may be taken."""

_TOGETHER: Final = 256
"""Images that count as done together: so many are decoded again at most."""


def reason_not_to_store(folder: Path, needed: Mapping[str, int]) -> str:
    """Why a set is not stored, for a person; nothing where there is room for it.

    Args:
        folder: where it would be.
        needed: bytes of each of its files.
    """
    total, free = sum(needed.values()), _free_bytes(folder)
    if total > _MOST_BYTES:
        return f"decoded they would take {total / 1e9:,.1f} GB, and at most {_MOST_BYTES / 1e9:,.1f} are stored"
    if total - _size_of(folder) > _SPARE * free:
        return f"decoded they would take {total / 1e9:,.1f} GB, and {free / 1e9:,.1f} are free in {folder.parent}"
    return ""


def make_room(folder: Path, needed: Mapping[str, int]) -> None:
    """Take the space for a set, and away the sets that were used longest ago where all would take too much.

    Raises:
        OutputFailed: the disk is full, or cannot be written.
    """
    others = [path for path in folder.parent.glob("*") if path.is_dir() and path != folder]
    others.sort(key=lambda path: path.stat().st_mtime)
    total = sum(needed.values()) + sum(_size_of(path) for path in others)
    for path in others:
        if total <= _KEPT_BYTES:
            break
        total -= _size_of(path)
        shutil.rmtree(path, ignore_errors=True)
    _allocate(folder, needed)


def fill(
    folder: Path,
    source: DecodedPixels,
    side_hw: tuple[int, int],
    sizes_hw: Sequence[tuple[int, int]] | None,
    progress: Progress | None,
) -> None:
    """Decode what is not there yet.

    An image counts as done when it is on the disk: were it marked before, it would be black after a power cut.

    Args:
        folder: with room made.
        source: the images.
        side_hw: of the inputs.
        sizes_hw: of the wholes; None where they are the inputs.
        progress: told how many of the images that had to be decoded are done.
    """
    state = np.memmap(folder / STATE, np.uint8, "r+")
    rows = np.flatnonzero(state != DONE)
    if not len(rows):
        return
    inputs = np.memmap(folder / INPUTS, np.uint8, "r+")
    wholes = None if sizes_hw is None else np.memmap(folder / WHOLES, np.uint8, "r+")
    ends = None if sizes_hw is None else np.cumsum([height * width * 3 for height, width in sizes_hw])
    by_row = inputs.reshape(-1, *side_hw, 3)

    def put(row: int) -> int:
        try:
            seen, whole = source.both(row)
        except ImageError:
            return _FAILED
        by_row[row] = seen
        if wholes is not None and ends is not None:
            wholes[ends[row] - whole.size : ends[row]] = whole.ravel()
        return DONE

    with source, ThreadPoolExecutor(available_cores()) as threads:
        for start in range(0, len(rows), _TOGETHER):
            part = rows[start : start + _TOGETHER]
            found = list(threads.map(put, part.tolist()))
            for written in (inputs, wholes):
                if written is not None:
                    written.flush()
            state[part] = found
            state.flush()
            if progress is not None:
                progress(start + len(part), len(rows))


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


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.u1"))


def _free_bytes(folder: Path) -> int:
    """Where the folder is, or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
