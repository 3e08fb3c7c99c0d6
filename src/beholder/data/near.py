"""Pairs of images that are nearly the same, found without comparing every image with every other one by one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BLOCK: Final = 2**20
"""Pairs that are compared at once."""

_BLOCK_ROWS: Final = 1024

_WAITING: Final = 2**18
"""Pairs after which those that are not among the nearest are dropped."""

_MANY: Final = 4
"""How many times the pairs that can be of use a block must have for them to be chosen before they wait."""

_CROWDED: Final = 10
"""A hash is compared with all others where it shares a piece with more than one in so many of them: that is faster."""


def near_hashes(
    hashes: NDArray[np.uint64],
    others: NDArray[np.uint64] | None = None,
    *,
    distance: int,
    nearest: int | None = None,
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint8]]:
    """Pairs of hashes that differ in few bits.

    Two hashes that differ in at most `distance` bits agree in one at least of `distance + 1` pieces, so that only
    hashes that share a piece are compared (Norouzi, Punjani, Fleet, "Fast Search in Hamming Space with Multi-Index
    Hashing", CVPR 2012, section 2).

    Args:
        hashes: `(n,)`.
        others: `(m,)`, to be compared with the hashes; None to compare those with each other.
        distance: the most bits in which they differ, 0 to 15.
        nearest: how many pairs there are at most with each hash for its nearest ones, of equally near ones the first;
            None for all pairs, of which there may be `n * m`.

    Returns:
        Numbers of the first and of the second of each pair, `(p,)`, and in how many bits they differ; each pair once,
        ordered by its numbers. Without `others` the first is smaller than the second.
    """
    import numpy as np

    if nearest is not None:
        return _nearest_hashes(hashes, others, distance, nearest)
    right = hashes if others is None else others
    found: list[NDArray[np.int64]] = []
    for pieces, other_pieces in _pieces(hashes, right, distance):
        for first, second in _equal_pairs(pieces, other_pieces, once=others is None):
            near = np.bitwise_count(hashes[first] ^ right[second]) <= distance
            found.append(first[near].astype(np.int64) * len(right) + second[near])
    keys = np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)
    first, second = np.divmod(keys, max(len(right), 1))
    return first, second, np.bitwise_count(hashes[first] ^ right[second]).astype(np.uint8)


def near_vectors(
    vectors: NDArray[np.float32], *, similarity: float, nearest: int | None = None
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Pairs of vectors that point in nearly the same direction.

    Args:
        vectors: float32 `(n, d)`, of length 1 or 0.
        similarity: the least cosine.
        nearest: how many pairs there are at most with each vector for its nearest ones; None for all pairs, of which
            there may be `n * (n - 1) / 2`.

    Returns:
        Numbers of the first and of the second of each pair, `(p,)`, the first smaller, and their cosine; ordered by
        its numbers where only the nearest are asked for.
    """
    import numpy as np

    if nearest is not None:
        return _nearest_vectors(vectors, similarity, nearest)
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


def _nearest_hashes(
    hashes: NDArray[np.uint64], others: NDArray[np.uint64] | None, distance: int, nearest: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint8]]:
    """`near_hashes` of the nearest only; a hash that shares pieces with many others is compared with all of them."""
    import numpy as np

    right = hashes if others is None else others
    kept = _Nearest(len(hashes), nearest, distance)
    shared = np.zeros(len(hashes), np.int64)
    for pieces, other_pieces in _pieces(hashes, right, distance):
        ranked = np.sort(other_pieces)
        shared += np.searchsorted(ranked, pieces, side="right") - np.searchsorted(ranked, pieces, side="left")
    crowded = shared > max(len(right) // _CROWDED, nearest)
    alone, many = np.flatnonzero(~crowded), np.flatnonzero(crowded)
    for number, (pieces, other_pieces) in enumerate(_pieces(hashes[alone], right, distance)):
        for first, second in _equal_pairs(pieces, other_pieces, once=False):
            rows = alone[first]
            differing = hashes[rows] ^ right[second]
            bits = np.bitwise_count(differing)
            new = (bits <= distance) & ~_agreed_before(differing, distance, number)
            if others is None:
                new &= rows != second
            kept.add(rows[new], second[new], bits[new])
    for start in range(0, len(many), _BLOCK_ROWS):
        rows = many[start : start + _BLOCK_ROWS]
        for at in range(0, len(right), _BLOCK_ROWS):
            columns = np.arange(at, min(at + _BLOCK_ROWS, len(right)))
            bits = np.bitwise_count(hashes[rows][:, None] ^ right[columns][None, :])
            kept.add_block(bits, rows, columns, once=others is None)
    first, second, bits = kept.pairs(len(right), once=others is None)
    return first, second, bits.astype(np.uint8)


def _nearest_vectors(
    vectors: NDArray[np.float32], similarity: float, nearest: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """`near_vectors` of the nearest only."""
    import numpy as np

    kept = _Nearest(len(vectors), nearest, -similarity)
    for start in range(0, len(vectors), _BLOCK_ROWS):
        rows = np.arange(start, min(start + _BLOCK_ROWS, len(vectors)))
        for at in range(start, len(vectors), _BLOCK_ROWS):
            columns = np.arange(at, min(at + _BLOCK_ROWS, len(vectors)))
            distances = -(vectors[rows[0] : rows[-1] + 1] @ vectors[columns[0] : columns[-1] + 1].T)
            kept.add_block(distances, rows, columns, once=True)
            if at != start:
                kept.add_block(distances.T, columns, rows, once=True)
    first, second, distances = kept.pairs(len(vectors), once=True)
    return first, second, -distances.astype(np.float32)


class _Nearest:
    """The few nearest columns of each row, as they are found; a row's columns come in order."""

    def __init__(self, rows: int, nearest: int, most: float) -> None:
        import numpy as np

        self._nearest = nearest
        self._most = np.full(rows, most, np.float32)  # the greatest distance that is still of use to a row
        self._found: list[tuple[Any, Any, Any]] = []
        self._waiting = 0

    def add(self, rows: NDArray[np.intp], columns: NDArray[np.intp], distances: NDArray[Any]) -> None:
        """Take more pairs, none of which was added before."""
        self._found.append((rows, columns, distances))
        self._waiting += len(rows)
        if self._waiting > _WAITING:
            self._found = [self._kept()]
            self._waiting = 0

    def add_block(
        self, distances: NDArray[Any], rows: NDArray[np.intp], columns: NDArray[np.intp], *, once: bool
    ) -> None:
        """Take what is of use of a block, `(rows, columns)`; `once`: nothing is paired with itself."""
        import numpy as np

        near = distances <= self._most[rows][:, None]
        if once and rows[0] <= columns[-1] and columns[0] <= rows[-1]:
            near &= rows[:, None] != columns[None, :]
        count = int(np.count_nonzero(near))
        if count > _MANY * len(rows) * self._nearest:
            first, second = self._nearest_of(distances, near)
        elif count:
            first, second = np.nonzero(near)
        else:
            return
        self.add(rows[first], columns[second], distances[first, second])

    def _nearest_of(self, distances: NDArray[Any], near: NDArray[np.bool_]) -> tuple[Any, Any]:
        import numpy as np

        width = distances.shape[1]
        none = np.iinfo(np.int64).max
        # The column rides on the distance, so that equal ones keep their order and one partition does for both.
        keys = (distances.astype(np.float32) * np.float32(2**24)).astype(np.int64) * width + np.arange(width)
        keys[~near] = none
        if width > self._nearest:
            keys = np.partition(keys, self._nearest - 1, axis=1)[:, : self._nearest]
        first, place = np.nonzero(keys < none)
        return first, keys[first, place] % width

    def _kept(self) -> tuple[Any, Any, Any]:
        import numpy as np

        if not self._found:
            return np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.float32)
        rows, columns, distances = (np.concatenate(part) for part in zip(*self._found, strict=True))
        order = np.lexsort((columns, distances, rows))
        ranked = rows[order]
        ranks = np.arange(len(order)) - np.searchsorted(ranked, ranked)
        last = order[ranks == self._nearest - 1]
        # A column that comes later must be nearer than the last that is kept.
        self._most[rows[last]] = np.nextafter(distances[last].astype(np.float32), np.float32(-np.inf))
        order = order[ranks < self._nearest]
        return rows[order], columns[order], distances[order]

    def pairs(self, width: int, *, once: bool) -> tuple[Any, Any, Any]:
        """Rows, columns and distances, ordered by the first two; `once`: both are of one kind, the first smaller."""
        import numpy as np

        rows, columns, distances = self._kept()
        if once:
            rows, columns = np.minimum(rows, columns), np.maximum(rows, columns)
        keys, firsts = np.unique(rows.astype(np.int64) * width + columns, return_index=True)
        first, second = np.divmod(keys, max(width, 1))
        return first, second, distances[firsts]


def _edges(distance: int) -> list[tuple[int, int]]:
    """First and last bit of each of the pieces in one of which hashes that differ in so few bits agree."""
    import numpy as np

    edges = np.linspace(0, 64, distance + 2).round().astype(int).tolist()
    return list(pairwise(edges))


def _pieces(
    hashes: NDArray[np.uint64], others: NDArray[np.uint64], distance: int
) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.uint64]]]:
    import numpy as np

    for start, end in _edges(distance):
        shift, mask = np.uint64(start), np.uint64((1 << (end - start)) - 1)
        yield (hashes >> shift) & mask, (others >> shift) & mask


def _agreed_before(differing: NDArray[np.uint64], distance: int, number: int) -> NDArray[np.bool_]:
    """Whether hashes that differ so agree in a piece before this one, and so were found there."""
    import numpy as np

    agreed = np.zeros(len(differing), bool)
    for start, end in _edges(distance)[:number]:
        agreed |= (differing >> np.uint64(start)) & np.uint64((1 << (end - start)) - 1) == 0
    return agreed


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
