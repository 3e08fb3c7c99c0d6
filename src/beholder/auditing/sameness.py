"""Which images of a dataset show the same picture: copies, resized, recompressed, cropped or mirrored.

Neither perceptual hashes nor embeddings decide: in a set of packshots or portraits many different images are near in
both. They only name candidates, the few nearest of each image. A candidate is looked at twice: by its pixels as the
cache has them, 32 a side, and, where these could be the same, by laying the two images over each other.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from beholder.auditing.aligning import SIDE, Agreement, Picture, Sketch, agreement, resemblance
from beholder.data import ContentCache, Facts, Sample
from beholder.data.facts import TINY_KIND, TINY_SIDE, hash_bits
from beholder.data.writing import Progress
from beholder.errors import ImageError
from beholder.files import digest
from beholder.image import Reader
from beholder.image.sources import single

NEAREST: Final = 3
"""How many of the images nearest to each, by hash and by embedding, are looked at."""

HASH_BITS: Final = 8
COSINE: Final = 0.8
"""What is farther apart in both is never looked at."""

RESEMBLANCE: Final = 0.6
"""The least agreement of two images at 32 pixels a side for which they are opened."""

WHOLE: Final = 0.85
PARTS: Final = 0.75
TONES: Final = 0.85
COLOR: Final = 0.12
"""The least agreement of edges, in the whole and in the parts, and of coarse colors, and the greatest difference of
color, of two that show the same picture (docs/audit.md has the figures)."""

_KIND: Final = "same-picture/2"
_ROWS: Final = 512
"""Images that are compared with all others at once."""

_TOGETHER: Final = 256


Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Copy:
    """Two different files that show the same picture.

    Attributes:
        first: the number of one.
        second: the number of the other, greater.
        likeness: how far they agree, at most 1.
        mirrored: whether one is the mirror image of the other.
        window: how much of the side of one the other shows, 1 for all of it.
    """

    first: int
    second: int
    likeness: float
    mirrored: bool = False
    window: float = 1.0

    @property
    def how(self) -> str:
        """In what they differ, for a person."""
        changed = ["mirrored"] if self.mirrored else []
        changed += [f"cropped to {self.window:.0%} of its side"] if self.window < 0.97 else []
        return f"the same picture, {' and '.join(changed)}" if changed else "the same picture, saved again"


def near_copies(
    samples: Sequence[Sample],
    facts: Mapping[str, Facts],
    vectors: NDArray[np.float32] | None,
    contents: ContentCache,
    *,
    look_closely: bool = True,
    progress: Progress | None = None,
) -> list[Copy]:
    """Images of different files that show the same picture; of equal files only the first is looked at.

    Args:
        samples: readable, with digests.
        facts: what is known of them, by digest.
        vectors: float32 `(n, d)`, of length 1; None to go by hashes alone, which miss crops.
        contents: has their pixels at 32 a side, and keeps what was found.
        look_closely: whether images may be opened; else only what was found before is told.
        progress: told how many pairs have been looked at.
    """
    firsts: dict[str, int] = {}
    for number, sample in enumerate(samples):
        firsts.setdefault(sample.digest or "", number)
    rows = np.array(sorted(firsts.values()), np.intp)
    distinct = [samples[row] for row in rows]
    pairs = _candidates([facts[sample.digest or ""] for sample in distinct], None if vectors is None else vectors[rows])
    keys = [_key(distinct[first], distinct[second]) for first, second in pairs]
    known = contents.get(_KIND, keys)
    unknown = [pair for pair, key in zip(pairs, keys, strict=True) if key not in known]
    if unknown and look_closely:
        families = _Families(pair for pair, key in zip(pairs, keys, strict=True) if _shows_same(known.get(key)))
        known |= _looked_at(unknown, distinct, facts, contents, families, progress)
    found = []
    for (first, second), key in zip(pairs, keys, strict=True):
        if _shows_same(known.get(key)):
            whole, *_, mirrored, window = np.frombuffer(known[key], "<f4").tolist()
            found.append(Copy(int(rows[first]), int(rows[second]), whole, bool(mirrored), window))
    return found


def _shows_same(packed: bytes | None) -> bool:
    """Whether what was found of a pair says that it shows the same picture."""
    if packed is None:
        return False
    whole, parts, tones, color, _, _ = np.frombuffer(packed, "<f4").tolist()
    return bool(whole >= WHOLE and parts >= PARTS and tones >= TONES and color <= COLOR)


class _Families:
    """Images joined by what was found: of two in one family it is known that they show the same picture.

    Args:
        pairs: that show the same.
    """

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        self._above: dict[int, int] = {}
        for pair in pairs:
            self.join(pair)

    def join(self, pair: Pair) -> None:
        """Make one family of two."""
        self._above[self._head(pair[0])] = self._head(pair[1])

    def hold(self, pair: Pair) -> bool:
        """Whether both images are of one family."""
        return self._head(pair[0]) == self._head(pair[1])

    def _head(self, number: int) -> int:
        while (above := self._above.get(number, number)) != number:
            self._above[number] = number = self._above.get(above, above)
        return number


def _packed(found: Agreement) -> bytes:
    return np.array([found.whole, found.parts, found.tones, found.color, found.mirrored, found.window], "<f4").tobytes()


_DIFFERENT: Final = _packed(Agreement(0, 0, 0, 1, False, 1))


def _candidates(facts: Sequence[Facts], vectors: NDArray[np.float32] | None) -> list[Pair]:
    """Pairs among the nearest of one of the two, by hash or by embedding; the first is smaller."""
    found = _near_by_hash(facts)
    if vectors is not None:
        found.append(_near_by_vector(vectors))
    firsts, seconds = (np.concatenate(part) for part in zip(*found, strict=True))
    low, high = np.minimum(firsts, seconds), np.maximum(firsts, seconds)
    keys = np.unique(low.astype(np.int64) * len(facts) + high)
    return [divmod(key, len(facts)) for key in keys.tolist()]


Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]


def _near_by_hash(facts: Sequence[Facts]) -> list[Pairs]:
    """Of images with equal hashes each is paired with the next few, and the first stands for them where hashes differ.

    Ten thousand frames of one scene would otherwise make fifty million pairs.
    """
    numbers = np.array([number for number, fact in enumerate(facts) if fact.hash is not None], np.intp)
    hashes = hash_bits([facts[number].hash or "" for number in numbers])
    order = np.argsort(hashes, kind="stable")
    found: list[Pairs] = []
    for step in range(1, NEAREST + 1):
        left, right = order[:-step], order[step:]
        equal = hashes[left] == hashes[right]
        found.append((numbers[left[equal]], numbers[right[equal]]))
    distinct, places = np.unique(hashes, return_index=True)
    mirrored = hash_bits([facts[number].hash_mirrored or "" for number in numbers[places]])
    for start in range(0, len(distinct), _ROWS):
        block = slice(start, start + _ROWS)
        bits = np.bitwise_count(distinct[block, None] ^ distinct)
        np.minimum(bits, np.bitwise_count(mirrored[block, None] ^ distinct), out=bits)
        own = np.arange(len(bits))
        bits[own, start + own] = 64
        first, second = np.nonzero(bits <= HASH_BITS)
        kept = _nearest_of_each(first, bits[first, second])
        found.append((numbers[places[start + first[kept]]], numbers[places[second[kept]]]))
    return found


def _nearest_of_each(numbers: NDArray[np.intp], distances: NDArray[Any]) -> NDArray[np.intp]:
    """The places of the few smallest distances of each number."""
    order = np.lexsort((distances, numbers))
    ranked = numbers[order]
    starts = np.searchsorted(ranked, ranked, side="left")
    return order[np.arange(len(ranked)) - starts < NEAREST]


def _near_by_vector(vectors: NDArray[np.float32]) -> Pairs:
    count = min(NEAREST, len(vectors) - 1)
    firsts: list[NDArray[np.intp]] = [np.empty(0, np.intp)]
    seconds: list[NDArray[np.intp]] = [np.empty(0, np.intp)]
    for start in range(0, len(vectors) if count > 0 else 0, _ROWS):
        cosines = vectors[start : start + _ROWS] @ vectors.T
        own = np.arange(len(cosines))
        cosines[own, start + own] = -1
        nearest = np.argpartition(cosines, -count, axis=1)[:, -count:]
        rows, places = np.nonzero(np.take_along_axis(cosines, nearest, axis=1) >= COSINE)
        firsts.append(start + rows)
        seconds.append(nearest[rows, places])
    return np.concatenate(firsts), np.concatenate(seconds)


def _key(first: Sample, second: Sample) -> str:
    """What a pair is kept under."""
    return digest(" ".join(sorted((first.digest or "", second.digest or ""))).encode())


def _looked_at(
    pairs: Sequence[Pair],
    samples: Sequence[Sample],
    facts: Mapping[str, Facts],
    contents: ContentCache,
    families: _Families,
    progress: Progress | None,
) -> dict[str, bytes]:
    """Look at pairs, and keep what is found; those with an image that cannot be opened are not kept.

    A pair within a family is passed over: that one looks like the other follows, and a burst has many pairs.
    """
    found: dict[str, bytes] = {}
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as threads, Reader() as reader:
        for start in range(0, len(pairs), _TOGETHER):
            part = pairs[start : start + _TOGETHER]
            together = [pair for pair in part if not families.hold(pair)]
            alike = _alike(together, samples, facts, contents, threads)
            opened = sorted({number for pair in alike for number in pair})
            seen = dict(zip(opened, threads.map(partial(_open, reader), [samples[n] for n in opened]), strict=True))
            closely = sorted(pair for pair in alike if seen[pair[0]] and seen[pair[1]])
            agreed = dict(zip(closely, threads.map(partial(_compare, seen), closely), strict=True))
            new = {
                _key(samples[pair[0]], samples[pair[1]]): _packed(agreed[pair]) if pair in agreed else _DIFFERENT
                for pair in together
                if pair in agreed or pair not in alike
            }
            contents.put(_KIND, new.items())
            found |= new
            for pair, agreement_of_pair in agreed.items():
                if _shows_same(_packed(agreement_of_pair)):
                    families.join(pair)
            if progress is not None:
                progress(start + len(part), len(pairs))
    return found


def _alike(
    pairs: Sequence[Pair],
    samples: Sequence[Sample],
    facts: Mapping[str, Facts],
    contents: ContentCache,
    threads: ThreadPoolExecutor,
) -> set[Pair]:
    """The pairs that could be the same, by their pixels at 32 a side."""
    numbers = sorted({number for pair in pairs for number in pair})
    tiny = contents.get(TINY_KIND, [samples[number].digest or "" for number in numbers])
    sketches = {}
    for number in numbers:
        key = samples[number].digest or ""
        if key in tiny:
            pixels = np.frombuffer(tiny[key], np.uint8).reshape(TINY_SIDE, TINY_SIDE, 3)
            sketches[number] = Sketch.of_squashed(pixels, facts[key].size_hw)
    known = [pair for pair in pairs if pair[0] in sketches and pair[1] in sketches]
    values = threads.map(lambda pair: resemblance(sketches[pair[0]], sketches[pair[1]]), known)
    unlike = {pair for pair, value in zip(known, values, strict=True) if value < RESEMBLANCE}
    return set(pairs) - unlike


def _compare(seen: Mapping[int, Picture | None], pair: Pair) -> Agreement:
    first, second = seen[pair[0]], seen[pair[1]]
    return agreement(first, second) if first and second else Agreement(0, 0, 0, 1, False, 1)


def _open(reader: Reader, sample: Sample) -> Picture | None:
    try:
        image = reader.read(
            single(sample.path, reader.limits).load(), str(sample.path), lambda size_hw: min(1, 2 * SIDE / max(size_hw))
        )
    except ImageError:
        return None
    return Picture.of(image.pil)
