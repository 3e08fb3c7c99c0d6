"""Whether two images show the same picture, by laying one over the other.

Both are reduced to edges: brightness between two blurs, which recompressing and resizing leave as they are, and which
a common background or a common outline does not fill. One image is then looked for in the other as it is, mirrored,
and as a window of it: by correlation for every place at once at a few sizes, then by small steps around the best. What
is compared in the end is how far the edges of both agree, in the whole and in the worst quarter of the parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import PIL.Image
import PIL.ImageOps
from numpy.typing import NDArray

from beholder.auditing.edges import Plane, edges_of

SIDE: Final = 128
"""The longer side of the pictures that are laid over each other."""

_GRID: Final = 64
"""Points along the longer side at which two aligned pictures are compared."""

_SCALES: Final = (1.0, 0.97, 0.94, 0.91, 0.88, 0.85, 0.82, 0.79, 0.76, 0.73, 0.7)
"""Sizes of a window, relative to the largest of its shape."""

_FEW_SCALES: Final = (1.0, 0.94, 0.88, 0.82, 0.76, 0.7)
_TRIED: Final = 3
"""How many of the best places are looked at closely."""

_PARTS: Final = 4
_SIGMAS: Final = (1.0, 4.0)
_TINY_SIGMAS: Final = (0.6, 1.5)
"""The two blurs, in pixels: broad enough to catch what lies a little beside, or sharp where pixels are few."""

_EVEN: Final = 4.0
"""Levels of 255 by which coarse colors differ from their mean at most where there is no picture in them."""

_FAINT: Final = 1e-3
"""Energy below which there are no edges to compare."""


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """The edges of an image at a small size, prepared to be looked for in others.

    Attributes:
        edges: float32 `(h, w)`.
        spectrum: complex64, its Fourier transform.
        energy: complex64, that of its squares.
    """

    edges: Plane
    spectrum: NDArray[Any]
    energy: NDArray[Any]

    @classmethod
    def of(cls, color: PIL.Image.Image, side: int) -> Sketch:
        """Prepare an image so that its longer side has so many pixels."""
        return cls.of_edges(edges_of(_gray(color, (color.height, color.width), side), *_SIGMAS))

    @classmethod
    def of_squashed(cls, pixels: NDArray[np.uint8], size_hw: tuple[int, int]) -> Sketch:
        """Prepare an image that was squashed to `(n, n, 3)`, and has another shape."""
        return cls.of_edges(edges_of(_gray(PIL.Image.fromarray(pixels), size_hw, len(pixels)), *_TINY_SIGMAS))

    @classmethod
    def of_edges(cls, edges: Plane) -> Sketch:
        """From edges that are known."""
        edges = np.ascontiguousarray(edges)
        return cls(edges, np.fft.rfft2(edges), np.fft.rfft2(edges * edges))

    def mirrored(self) -> Sketch:
        """Left to right."""
        return Sketch.of_edges(self.edges[:, ::-1])


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An image prepared to be laid over others exactly.

    Attributes:
        color: RGB, `SIDE` pixels along the longer side.
        edges: float32 `(h, w)`, as large.
        sketch: half as large.
    """

    color: PIL.Image.Image
    edges: Plane
    sketch: Sketch

    @classmethod
    def of(cls, image: PIL.Image.Image) -> Picture:
        """Prepare an image of mode RGB, of any size."""
        scale = SIDE / max(image.size)
        size = (max(8, round(image.width * scale)), max(8, round(image.height * scale)))
        color = image.resize(size, PIL.Image.Resampling.BILINEAR, reducing_gap=3.0)
        edges = edges_of(np.asarray(color.convert("L"), np.float32), *_SIGMAS)
        return cls(color, edges, Sketch.of(color, SIDE // 2))

    def mirrored(self) -> Picture:
        """Left to right."""
        return Picture(PIL.ImageOps.mirror(self.color), self.edges[:, ::-1], self.sketch.mirrored())


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two pictures agree where one lies over the other.

    Attributes:
        whole: correlation of their edges, -1 to 1.
        parts: the same in the worst quarter of the parts that have edges.
        tones: correlation of their colors at 8 x 8 points: texture alone is not the picture.
        color: mean difference of these colors, 0 to 1.
        mirrored: whether one was mirrored.
        window: how much of the longer side of one the other shows; 1 for all of it.
    """

    whole: float
    parts: float
    tones: float
    color: float
    mirrored: bool
    window: float


def agreement(first: Picture, second: Picture) -> Agreement:
    """Lay two pictures over each other in the best way."""
    flipped, turned = first.mirrored(), second.mirrored()
    ways = ((first, second, False), (first, turned, True), (second, first, False), (second, flipped, True))
    starts = [
        (score, outer, inner, mirrored, box)
        for outer, inner, mirrored in ways
        for score, box in _windows(outer.sketch, inner.sketch, _SCALES)
    ]
    starts.sort(key=lambda start: -start[0])
    tried = (_refined(outer, inner, box, mirrored) for _, outer, inner, mirrored, box in starts[:_TRIED])
    return max(tried, key=lambda found: found.whole)


def resemblance(first: Sketch, second: Sketch) -> float:
    """How far two sketches agree in the best of all ways, -1 to 1: much quicker, and much less sure."""
    found = [score for score, _ in _windows(first, second, _FEW_SCALES)]
    found += [score for score, _ in _windows(first, second.mirrored(), _FEW_SCALES)]
    found += [score for score, _ in _windows(second, first, _FEW_SCALES[1:])]
    found += [score for score, _ in _windows(second, first.mirrored(), _FEW_SCALES[1:])]
    return max(found)


Box = tuple[float, float, float, float]


def _windows(outer: Sketch, inner: Sketch, scales: Sequence[float]) -> list[tuple[float, Box]]:
    """The best place of a sketch in another at any size: left, top, width and height as shares of the other.

    Where their shapes differ, the whole of one squashed onto the whole of the other is a second answer.
    """
    height, width = outer.edges.shape
    largest = min(width / inner.edges.shape[1], height / inner.edges.shape[0])
    source = PIL.Image.fromarray(inner.edges)
    wanted = {
        (max(4, round(inner.edges.shape[0] * largest * scale)), max(4, round(inner.edges.shape[1] * largest * scale)))
        for scale in scales
    }
    sizes = sorted({(min(height, h), min(width, w)) for h, w in wanted}, reverse=True)
    templates = np.zeros((len(sizes), height, width), np.float32)
    for template, (h, w) in zip(templates, sizes, strict=True):
        template[:h, :w] = np.asarray(source.resize((w, h), PIL.Image.Resampling.BILINEAR))
    frames = [_frame(height, width, h, w) for h, w in sizes]
    products = np.fft.irfft2(outer.spectrum * np.fft.rfft2(templates).conj(), (height, width))
    local = np.fft.irfft2(outer.energy * np.stack([box for box, _ in frames]), (height, width))
    own = (templates**2).sum(axis=(1, 2))[:, None, None]
    scores = products / np.sqrt(np.maximum(local, _FAINT) * np.maximum(own, _FAINT))
    scores = np.where(np.stack([valid for _, valid in frames]), scores, -1.0)
    best, y, x = np.unravel_index(int(scores.argmax()), scores.shape)
    h, w = sizes[best]
    found = [(float(scores[best, y, x]), (float(x) / width, float(y) / height, w / width, h / height))]
    if (height, width) not in sizes:
        whole = np.asarray(source.resize((width, height), PIL.Image.Resampling.BILINEAR))
        found.append((_correlation(outer.edges, whole), (0.0, 0.0, 1.0, 1.0)))
    return found


@lru_cache(maxsize=4096)
def _frame(height: int, width: int, h: int, w: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The spectrum of a window, conjugate, and where its corner can lie so that it stays inside."""
    box = np.zeros((height, width), np.float32)
    box[:h, :w] = 1
    valid = np.zeros((height, width), np.bool_)
    valid[: height - h + 1, : width - w + 1] = True
    return np.fft.rfft2(box).conj(), valid


def _refined(outer: Picture, inner: Picture, box: Box, mirrored: bool) -> Agreement:
    """Move and resize a window by smaller and smaller steps as long as that helps."""
    height, width = inner.edges.shape
    shrink = _GRID / max(height, width)
    grid = (max(8, round(width * shrink)), max(8, round(height * shrink)))
    target = np.asarray(PIL.Image.fromarray(inner.edges).resize(grid, PIL.Image.Resampling.BOX))
    edges = PIL.Image.fromarray(np.ascontiguousarray(outer.edges))

    def seen(box: Box) -> Plane:
        return np.asarray(edges.resize(grid, PIL.Image.Resampling.BOX, _pixels(box, edges.size)))

    value, step = _correlation(seen(box), target), 0.02
    while step > 0.002:
        better = max(((_correlation(seen(near), target), near) for near in _near(box, step)), default=(value, box))
        if better[0] > value + 1e-4:
            value, box = better
        else:
            step /= 2
    there = np.asarray(outer.color.resize((8, 8), PIL.Image.Resampling.BOX, _pixels(box, outer.color.size)), np.float32)
    here = np.asarray(inner.color.resize((8, 8), PIL.Image.Resampling.BOX), np.float32)
    return Agreement(
        whole=value,
        parts=_in_parts(seen(box), target),
        tones=_in_tones(there, here),
        color=float(np.abs(there - here).mean()) / 255,
        mirrored=mirrored,
        window=min(1.0, max(box[2], box[3])),
    )


def _in_tones(first: Plane, second: Plane) -> float:
    """The correlation of coarse colors `(8, 8, 3)`; 1 where both are as good as even."""
    first, second = first - first.mean(axis=(0, 1)), second - second.mean(axis=(0, 1))
    if max(float(np.abs(first).mean()), float(np.abs(second).mean())) < _EVEN:
        return 1.0
    return _correlation(first, second)


def _near(box: Box, step: float) -> Iterator[Box]:
    """Windows a step away that lie within the picture."""
    x, y, w, h = box
    for dx, dy, grow in ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)):
        wider, higher = w * (1 + grow * step), h * (1 + grow * step)
        if wider <= 1.0001 and higher <= 1.0001:
            left = min(max(0.0, x + dx * step - (wider - w) / 2), 1 - min(wider, 1))
            top = min(max(0.0, y + dy * step - (higher - h) / 2), 1 - min(higher, 1))
            yield left, top, min(wider, 1.0), min(higher, 1.0)


def _pixels(box: Box, size: tuple[int, int]) -> tuple[float, float, float, float]:
    x, y, w, h = box
    return x * size[0], y * size[1], min((x + w) * size[0], size[0]), min((y + h) * size[1], size[1])


def _correlation(first: Plane, second: Plane) -> float:
    norm = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / norm if norm > 1e-3 else 0.0


def _in_parts(first: Plane, second: Plane) -> float:
    """The correlation in the worst quarter of the parts that have a fair share of the edges."""
    found, weights = [], []
    rows = np.array_split(np.arange(first.shape[0]), _PARTS)
    columns = np.array_split(np.arange(first.shape[1]), _PARTS)
    for row in rows:
        for column in columns:
            a, b = first[np.ix_(row, column)], second[np.ix_(row, column)]
            found.append(_correlation(a, b))
            weights.append(float((a**2).sum() + (b**2).sum()))
    strong = np.array(weights) >= 0.2 * np.mean(weights)
    return float(np.quantile(np.array(found)[strong], 0.25)) if strong.any() else 0.0


def _gray(color: PIL.Image.Image, size_hw: tuple[int, int], side: int) -> Plane:
    """Luma of an image, in the shape it has, so many pixels along the longer side."""
    height, width = size_hw
    scale = side / max(height, width)
    size = (max(4, round(width * scale)), max(4, round(height * scale)))
    return np.asarray(color.convert("L").resize(size, PIL.Image.Resampling.BOX), np.float32)
