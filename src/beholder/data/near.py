"""Pairs of images that are nearly the same, found without comparing every image with every other one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BLOCK: Final = 2**20
"""Pairs that are compared at once."""

_BLOCK_ROWS: Final = 1024


def near_hashes(
    hashes: NDArray[np.uint64], others: NDArray[np.uint64] | None = None, *, distance: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint8]]:
    """Pairs of hashes that differ in few bits.

    Two hashes that differ in at most `distance` bits agree in one at least of `distance + 1` pieces, so that only
    hashes that share a piece are compared (Norouzi, Punjani, Fleet, "Fast Search in Hamming Space with Multi-Index
    Hashing", CVPR 2012, section 2).

    Args:
        hashes: `(n,)`.
        others: `(m,)`, to be compared with the hashes; None to compare those with each other.
        distance: the most bits in which they differ, 0 to 15.

    Returns:
        Numbers of the first and of the second of each pair, `(p,)`, and in how many bits they differ; each pair once,
        ordered by its numbers. Without `others` the first is smaller than the second.
    """
    import numpy as np

    right = hashes if others is None else others
    found: list[NDArray[np.int64]] = []
    edges = np.linspace(0, 64, distance + 2).round().astype(int)
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        mask = np.uint64((1 << (end - start)) - 1)
        pieces, other_pieces = (hashes >> np.uint64(start)) & mask, (right >> np.uint64(start)) & mask
        for first, second in _equal_pairs(pieces, other_pieces, once=others is None):
            near = np.bitwise_count(hashes[first] ^ right[second]) <= distance
            found.append(first[near].astype(np.int64) * len(right) + second[near])
    keys = np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)
    first, second = np.divmod(keys, max(len(right), 1))
    return first, second, np.bitwise_count(hashes[first] ^ right[second]).astype(np.uint8)


def near_vectors(
    vectors: NDArray[np.float32], *, similarity: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Pairs of vectors that point in nearly the same direction.

    Args:
        vectors: float32 `(n, d)`, of length 1 or 0.
        similarity: the least cosine.

    Returns:
        Numbers of the first and of the second of each pair, `(p,)`, the first smaller, and their cosine.
    """
    import numpy as np

    found: list[tuple[Any, Any, Any]] = []
    for start in range(0, len(vectors), _BLOCK_ROWS):
        rows = vectors[start : start + _BLOCK_ROWS]
        for at in range(start, len(vectors), _BLOCK_ROWS):
            cosines = rows @ vectors[at : at + _BLOCK_ROWS].T
            first, second = np.nonzero(cosines >= similarity)
            ahead = start + first < at + second
            first, second = first[ahead], second[ahead]
            found.append((start + first, at + second, cosines[first, second]))
    if not found:
        return np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.float32)
    first, second, cosines = (np.concatenate(part) for part in zip(*found, strict=True))
    return first, second, cosines


def _equal_pairs(
    left: NDArray[np.uint64], right: NDArray[np.uint64], *, once: bool
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Numbers of all pairs of equal values, some at a time; `once` where both sides are the same, the first smaller."""
    import numpy as np

    order = np.argsort(right, kind="stable")
    ranked = right[order]
    starts = np.searchsorted(ranked, left, side="left")
    counts = np.searchsorted(ranked, left, side="right") - starts
    ends = np.cumsum(counts)
    begin = 0
    while begin < len(left):
        before = int(ends[begin - 1]) if begin else 0
        stop = max(begin + 1, int(np.searchsorted(ends, before + _BLOCK, side="right")))
        rows = np.arange(begin, stop)
        repeats = counts[begin:stop]
        first = np.repeat(rows, repeats)
        within = np.arange(int(repeats.sum())) - np.repeat(np.cumsum(repeats) - repeats, repeats)
        second = order[np.repeat(starts[begin:stop], repeats) + within]
        if once:
            ahead = first < second
            first, second = first[ahead], second[ahead]
        yield first, second
        begin = stop
