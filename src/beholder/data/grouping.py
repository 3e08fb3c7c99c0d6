"""Groups of images that show the same, so that none of a group is learned from while another is tested on.

Images of the same content, or with the same perceptual hash, are always together. Beyond that, images are joined whose
hashes differ in few bits, straight or mirrored, and, where embeddings are given, whose cosine is high: a hash alone
misses crops. Joining goes from the nearest pair to the farthest, and two groups are joined only if every image of one
is still near to every image of the other (complete linkage, at twice the distance): a chain of small steps would
otherwise put half of a uniform dataset in one group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from beholder.data.facts import hash_bits
from beholder.data.near import near_hashes, near_vectors
from beholder.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HASH_DISTANCE: Final = 6
"""The most bits of 64 in which the hashes of two pictures of the same differ."""

COSINE: Final = 0.90
"""The least cosine between embeddings of two pictures of the same, as measured with the built-in network: 4 of 5
photographs that were cropped to 80% of their area are above it, and 6 of 2.5 million pairs of different ones."""

_REACH: Final = 2
"""How many times farther two images of a group may be from each other than two that are joined."""


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """What tells whether images show the same; one of each for an image.

    Attributes:
        digests: content digests.
        hashes: perceptual hashes as `Facts.hash`; None where there is none.
        mirrored: the same of the mirrored images.
        vectors: float32 `(n, d)` of length 1, or None; a row of zeros where there is none.
    """

    digests: Sequence[str]
    hashes: Sequence[str | None]
    mirrored: Sequence[str | None]
    vectors: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        sizes = {len(self.digests), len(self.hashes), len(self.mirrored)}
        if self.vectors is not None:
            sizes.add(len(self.vectors))
        if len(sizes) > 1:
            raise UsageError(f"fingerprints: must be one of each kind for an image, found {sorted(sizes)}")


def group(
    fingerprints: Fingerprints, *, hash_distance: int = HASH_DISTANCE, cosine: float = COSINE
) -> NDArray[np.intp]:
    """Find which images show the same.

    Args:
        fingerprints: of the images.
        hash_distance: the most bits in which the hashes of two that are joined differ.
        cosine: the least cosine between the embeddings of two that are joined.

    Returns:
        The number of each image's group, `(n,)`; groups are numbered from 0 in the order of their first images.
    """
    import numpy as np

    firsts: dict[str, int] = {}  # by equal hash, so that ten thousand frames of one scene are a few hundred images
    keys = [found or digest for found, digest in zip(fingerprints.hashes, fingerprints.digests, strict=True)]
    originals = np.array([firsts.setdefault(key, number) for number, key in enumerate(keys)], np.intp)
    distinct, places = np.unique(originals, return_inverse=True)
    nearness = _Nearness(fingerprints, distinct, hash_distance, cosine)
    group_of = _joined(nearness, len(distinct))
    return _numbered([group_of[place] for place in places.tolist()])


def _joined(nearness: _Nearness, count: int) -> list[int]:
    """Join groups from the nearest pair to the farthest; groups that were once kept apart stay so as they grow."""
    group_of = list(range(count))
    members = {number: [number] for number in range(count)}
    apart: dict[int, set[int]] = {number: set() for number in range(count)}
    for first, second in nearness.pairs():
        left, right = group_of[first], group_of[second]
        if left == right or right in apart[left]:
            continue
        if not nearness.all_near(members[left], members[right]):
            apart[left].add(right)
            apart[right].add(left)
            continue
        for number in members[right]:
            group_of[number] = left
        members[left] += members.pop(right)
        for other in apart.pop(right):
            apart[other].discard(right)
            apart[other].add(left)
            apart[left].add(other)
    return group_of


def _numbered(groups: Sequence[int]) -> NDArray[np.intp]:
    import numpy as np

    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(group, len(numbers)) for group in groups], np.intp)


class _Nearness:
    """How near distinct images are to each other, in units of the distance at which two are joined."""

    def __init__(
        self, fingerprints: Fingerprints, distinct: NDArray[np.intp], hash_distance: int, cosine: float
    ) -> None:
        import numpy as np

        hashes = [fingerprints.hashes[number] for number in distinct]
        mirrored = [fingerprints.mirrored[number] or fingerprints.hashes[number] for number in distinct]
        self._hashed = np.array([value is not None for value in hashes], bool)
        self._hashes = hash_bits([value or "0" for value in hashes])
        self._mirrored = hash_bits([value or "0" for value in mirrored])
        self._vectors = fingerprints.vectors[distinct] if fingerprints.vectors is not None else None
        self._hash_distance = hash_distance
        self._cosine = cosine

    def pairs(self) -> list[tuple[int, int]]:
        """Pairs that may be joined, nearest first."""
        import numpy as np

        numbers = np.flatnonzero(self._hashed)
        straight, mirrored = self._hashes[numbers], self._mirrored[numbers]
        found: list[tuple[Any, Any, Any]] = []
        for others in (None, mirrored):
            first, second, bits = near_hashes(straight, others, distance=self._hash_distance)
            two = first != second  # an image is often near to its own mirror image
            low, high = np.minimum(first, second)[two], np.maximum(first, second)[two]
            found.append((numbers[low], numbers[high], bits[two] / max(self._hash_distance, 1)))
        if self._vectors is not None:
            first, second, cosines = near_vectors(self._vectors, similarity=self._cosine)
            found.append((first, second, (1 - cosines) / max(1 - self._cosine, 1e-6)))
        firsts, seconds, distances = (np.concatenate(part) for part in zip(*found, strict=True))
        order = np.lexsort((seconds, firsts, distances))
        return list(zip(firsts[order].tolist(), seconds[order].tolist(), strict=True))

    def all_near(self, left: list[int], right: list[int]) -> bool:
        """Whether every image of one group is within reach of every image of the other."""
        import numpy as np

        hashes, others = self._hashes[left][:, None], self._hashes[right][None, :]
        bits = np.bitwise_count(hashes ^ others)
        bits = np.minimum(bits, np.bitwise_count(self._mirrored[left][:, None] ^ others))
        near = (bits <= _REACH * self._hash_distance) & self._hashed[left][:, None] & self._hashed[right][None, :]
        if self._vectors is not None:
            near |= self._vectors[left] @ self._vectors[right].T >= 1 - _REACH * (1 - self._cosine)
        return bool(near.all())
