"""Groups of images that show the same, so that none of a group is learned from while another is tested on.

Images of the same content, or with the same perceptual hash, are always together. Beyond that, images are joined whose
hashes differ in few bits, straight or mirrored, and, where embeddings are given, whose cosine is high: a hash alone
misses crops. Joining goes from the nearest pair to the farthest, and two groups are joined only if every image of one
is still near to every image of the other (complete linkage, at twice the distance): a chain of small steps would
otherwise put half of a uniform dataset in one group.

Where thousands of images are near to each other, as the frames of a film are, this is approximate, so that time grows
with the square of their number at most and memory with their number: each image is paired with its 10 nearest ones
only, and of a group of more than 8 images 8 evenly spread ones stand for it. What is joined from such pairs is paired
again, group with group. Where no image has more than 10 near ones and no group more than 8 images, it is exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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

_NEAREST: Final = 10
"""With how many of its nearest ones an image is paired, by each kind of nearness."""

_SHOWN: Final = 8
"""How many images stand for a group."""

_ROUNDS: Final = 4
"""How often at most groups are paired again whose images have more near ones than they were paired with."""


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
    """Join all that are near, and then, where images have more near ones than were looked at, the groups of those."""
    import numpy as np

    joining = _Joining(nearness, count)
    met = np.zeros(count, np.intp)
    joining.join(nearness.pairs(np.arange(count), _NEAREST, met))
    crowded = np.flatnonzero(met >= _NEAREST)
    for _ in range(_ROUNDS):
        shown = joining.shown(crowded.tolist())
        # Those of an image's own group are among its nearest, and are of no use here.
        if not shown or not joining.join(nearness.pairs(np.array(shown), _NEAREST + _SHOWN)):
            break
    return joining.group_of


def _spread(members: list[int]) -> list[int]:
    """A few of many, evenly spread."""
    if len(members) <= _SHOWN:
        return members
    return [members[number * (len(members) - 1) // (_SHOWN - 1)] for number in range(_SHOWN)]


class _Joining:
    """Groups that are joined as pairs come; two that were once kept apart stay so as they grow.

    Attributes:
        group_of: the number of each image's group.
    """

    def __init__(self, nearness: _Nearness, count: int) -> None:
        self.group_of = list(range(count))
        self._nearness = nearness
        self._members = {number: [number] for number in range(count)}
        self._apart: dict[int, set[int]] = {number: set() for number in range(count)}

    def join(self, pairs: Iterator[tuple[int, int]]) -> bool:
        """Join the groups of pairs, which come nearest first; whether any was joined."""
        joined = False
        for first, second in pairs:
            left, right = self.group_of[first], self.group_of[second]
            if left == right or right in self._apart[left]:
                continue
            if self._nearness.all_near(_spread(self._members[left]), _spread(self._members[right])):
                self._unite(left, right)
                joined = True
            else:
                self._apart[left].add(right)
                self._apart[right].add(left)
        return joined

    def _unite(self, left: int, right: int) -> None:
        if len(self._members[left]) < len(self._members[right]):
            left, right = right, left
        for number in self._members[right]:
            self.group_of[number] = left
        self._members[left] += self._members.pop(right)
        for other in self._apart.pop(right):
            self._apart[other].discard(right)
            self._apart[other].add(left)
            self._apart[left].add(other)

    def shown(self, numbers: list[int]) -> list[int]:
        """A few of these images for each group in which they are; none where they are in one."""
        parts: dict[int, list[int]] = {}
        for number in numbers:
            parts.setdefault(self.group_of[number], []).append(number)
        if len(parts) < 2:
            return []
        return sorted(number for part in parts.values() for number in _spread(part))


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
        vectors = fingerprints.vectors
        self._vectors = vectors if vectors is None or len(distinct) == len(vectors) else vectors[distinct]
        self._hash_distance = hash_distance
        self._cosine = cosine

    def pairs(
        self, among: NDArray[np.intp], nearest: int, met: NDArray[np.intp] | None = None
    ) -> Iterator[tuple[int, int]]:
        """Pairs that may be joined, nearest first.

        Args:
            among: numbers of images, in order; only these are paired.
            nearest: with how many of its nearest ones an image is paired, by each kind of nearness.
            met: given for each image in how many pairs it is, by the kind by which it is in most.
        """
        import numpy as np

        found = self._by_hash(among[self._hashed[among]], nearest)
        if self._vectors is not None:
            vectors = self._vectors if len(among) == len(self._vectors) else self._vectors[among]
            first, second, cosines = near_vectors(vectors, similarity=self._cosine, nearest=nearest)
            found.append((among[first], among[second], (1 - cosines) / max(1 - self._cosine, 1e-6)))
        if met is not None:
            for firsts, seconds, _ in found:
                np.maximum(met, np.bincount(np.concatenate([firsts, seconds]), minlength=len(met)), out=met)
        firsts, seconds, distances = (np.concatenate(part) for part in zip(*found, strict=True))
        order = np.lexsort((seconds, firsts, distances))
        return zip(firsts[order].tolist(), seconds[order].tolist(), strict=True)

    def _by_hash(self, numbers: NDArray[np.intp], nearest: int) -> list[tuple[Any, Any, Any]]:
        """Pairs by straight and by mirrored hashes, with their distances."""
        import numpy as np

        straight, mirrored = self._hashes[numbers], self._mirrored[numbers]
        found: list[tuple[Any, Any, Any]] = []
        for others in (None, mirrored):
            # One more of those: an image is often near to its own mirror image.
            most = nearest if others is None else nearest + 1
            first, second, bits = near_hashes(straight, others, distance=self._hash_distance, nearest=most)
            two = first != second
            low, high = np.minimum(first, second)[two], np.maximum(first, second)[two]
            found.append((numbers[low], numbers[high], bits[two] / max(self._hash_distance, 1)))
        return found

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
