"""Masks: which pixels belong to something, as the run lengths of COCO.

The pixels are read column by column; the counts are the lengths of the runs of pixels outside and inside in turn, the
first one outside (0 when the first pixel is inside). A count from the fourth on is written as its difference from the
count two before, in groups of five bits, lowest first, each as the character `48 + bits + 32 * (more follow)`; the last
group's bit 16 is the sign. Source: `rleEncode`, `rleToString` and `rleFrString` in `maskApi.c` of the COCO API (Dollár
and Lin, 2015).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from beholder.errors import UsageError
from beholder.result import fields

_LONGEST = 7
"""Characters a count may take: 32 bits and the sign, in fives."""


@final
@dataclass(frozen=True, slots=True)
class Mask:
    """Which pixels of an image belong to something. Equal masks have equal pixels.

    Args:
        size_hw: height and width, pixels; fewer than 2**32 pixels in all.
        counts: the run lengths in COCO's compressed form. A string that says the same in other words is taken and
            rewritten as COCO's own encoder would have.

    Raises:
        UsageError: the string is damaged, or its runs do not fill the size.
    """

    size_hw: tuple[int, int]
    counts: str

    def __post_init__(self) -> None:
        """Check, and bring to the one canonical form."""
        size = fields.size_hw(self.size_hw, "mask size")
        runs = _decode(fields.text(self.counts, "mask counts"))
        fields.settle(self, size_hw=size, counts=_encode(_canonical(runs, size)))

    @classmethod
    def from_array(cls, pixels: NDArray[np.bool_]) -> Mask:
        """The mask of a bool `(h, w)` array, true inside.

        Raises:
            UsageError: another dtype or shape.
        """
        given = np.asarray(pixels)
        if given.dtype != np.bool_ or given.ndim != 2:
            raise UsageError(f"a mask must be made of bool (h, w), found {given.dtype} {given.shape}")
        starts, ends, inside = _runs(given)
        return cls(fields.size_hw(given.shape, "mask size"), _from_runs(starts[inside], ends[inside], given.size))

    @classmethod
    def from_coco(cls, encoded: Mapping[str, Any]) -> Mask:
        """The mask that COCO writes as `{"size": [h, w], "counts": …}`.

        Args:
            encoded: with counts as compressed string or bytes, or as a list of run lengths.

        Raises:
            UsageError: a part is missing, damaged, or does not fit the size.
        """
        size, counts = fields.size_hw(fields.item(encoded, "size"), "mask size"), fields.item(encoded, "counts")
        if isinstance(counts, (str, bytes)):
            return cls(size, counts if isinstance(counts, str) else counts.decode("latin-1"))
        runs = fields.array(counts, np.int64, (None,), "mask counts")
        return cls(size, _encode(_canonical(runs, size)))

    def to_array(self) -> NDArray[np.bool_]:
        """A new bool `(h, w)` array, true inside."""
        height, width = self.size_hw
        runs = _decode(self.counts)
        columns = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height)
        return np.ascontiguousarray(columns.T)

    def to_coco(self) -> dict[str, Any]:
        """`{"size": [h, w], "counts": "<compressed string>"}`, as COCO's own encoder writes it."""
        return {"size": list(self.size_hw), "counts": self.counts}

    @property
    def area(self) -> int:
        """How many pixels are inside."""
        return int(_decode(self.counts)[1::2].sum())

    @property
    def box_xyxy(self) -> tuple[int, int, int, int]:
        """The smallest box around the pixels inside; all 0 when there are none."""
        bounds = np.cumsum(_decode(self.counts))
        starts, lasts = bounds[0::2][: len(bounds) // 2], bounds[1::2] - 1
        if len(lasts) == 0:
            return 0, 0, 0, 0
        height = self.size_hw[0]
        left, right = int(starts[0]) // height, int(lasts[-1]) // height + 1
        if (starts // height != lasts // height).any():  # a run into the next column touches bottom and top
            return left, 0, right, height
        return left, int((starts % height).min()), right, int((lasts % height).max()) + 1


def masks_by_class(class_map: NDArray[Any]) -> dict[int, Mask]:
    """The mask of each class in a map of one class per pixel.

    Args:
        class_map: integers `(h, w)`.

    Returns:
        Class to mask, lowest class first, only for classes that have pixels.
    """
    starts, ends, values = _runs(class_map)
    size = fields.size_hw(class_map.shape, "mask size")
    runs = {int(value): values == value for value in np.unique(values)}
    return {value: Mask(size, _from_runs(starts[own], ends[own], class_map.size)) for value, own in runs.items()}


def _runs(pixels: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Any]]:
    """Starts, ends and values of the runs of equal pixels, read column by column."""
    if pixels.size == 0:
        raise UsageError(f"a mask must have at least one pixel, found the shape {pixels.shape}")
    column_major = pixels.ravel(order="F")
    changes = np.flatnonzero(column_major[1:] != column_major[:-1]) + 1
    starts = np.concatenate(([0], changes))
    return starts, np.concatenate((changes, [pixels.size])), column_major[starts]


def _from_runs(starts: NDArray[np.int64], ends: NDArray[np.int64], total: int) -> str:
    """The compressed counts of runs inside that do not touch each other."""
    return _encode(_counts(starts, ends, total))


def _counts(starts: NDArray[np.int64], ends: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    inner = np.stack((starts, ends), axis=1).ravel()
    counts = np.diff(np.concatenate(([0], inner, [total])))
    return counts[:-1] if counts[-1] == 0 else counts


def _canonical(runs: NDArray[np.int64], size_hw: tuple[int, int]) -> NDArray[np.int64]:
    """The same runs without empty ones, except the first, which may be."""
    total = size_hw[0] * size_hw[1]
    if runs.size == 0 or runs.min() < 0 or runs.max() > total or runs.sum() != total:
        raise UsageError(f"the runs of a mask must fill its {size_hw[0]} x {size_hw[1]} pixels; the mask is damaged")
    bounds = np.cumsum(np.concatenate((runs, np.zeros(runs.size % 2, np.int64))))
    starts, ends = bounds[0::2], bounds[1::2]
    starts, ends = starts[starts < ends], ends[starts < ends]
    apart = starts[1:] > ends[:-1]
    starts = starts[np.concatenate(([True], apart))] if starts.size else starts
    ends = ends[np.concatenate((apart, [True]))] if ends.size else ends
    return _counts(starts, ends, total)


def _encode(counts: NDArray[np.int64]) -> str:
    """COCO's compressed string of run lengths."""
    values = counts.copy()
    values[3:] -= counts[1:-2]
    lengths = np.ones(len(values), np.int64)
    for groups in range(1, _LONGEST):
        half = 1 << (5 * groups - 1)
        lengths += (values < -half) | (values >= half)
    place = np.arange(lengths.max())
    bits = values[:, None] >> (5 * place) & 31
    characters = bits + 32 * (place < lengths[:, None] - 1) + 48
    return str(characters[place < lengths[:, None]].astype(np.uint8).tobytes(), "ascii")


def _decode(text: str) -> NDArray[np.int64]:
    """Run lengths of COCO's compressed string."""
    codes = np.frombuffer(text.encode("ascii", "backslashreplace"), np.uint8).astype(np.int64) - 48
    if not text.isascii() or codes.size == 0 or codes.min() < 0 or codes.max() > 63 or codes[-1] & 32:
        raise UsageError("mask counts must be a whole string in COCO's compressed form; the mask is damaged")
    lasts = np.flatnonzero(codes & 32 == 0)
    firsts = np.concatenate(([0], lasts[:-1] + 1))
    lengths = lasts - firsts + 1
    if lengths.max() > _LONGEST:
        raise UsageError(f"a count of a mask must take at most {_LONGEST} characters; the mask is damaged")
    place = np.arange(codes.size) - np.repeat(firsts, lengths)
    values = np.add.reduceat((codes & 31) << (5 * place), firsts)
    values -= np.where(codes[lasts] & 16, np.int64(1) << (5 * lengths), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values
