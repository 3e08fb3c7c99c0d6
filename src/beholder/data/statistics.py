"""What people ask of a dataset: how many of what, how large, what shape, what colors.

Nothing is decoded here: everything comes from facts that are known (`looking.look_at`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from beholder.data.contents import ContentCache
from beholder.data.facts import TINY_KIND, TINY_SIDE, Facts
from beholder.data.sample import Dataset
from beholder.records import to_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHAPES: Final = ("tall", "portrait", "square", "landscape", "wide")
_SHAPE_LIMITS: Final = (0.5, 0.9, 1.1, 2.0)
"""Where one shape ends and the next begins, in width over height."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How some numbers are spread; half of them lie between `quarter` and `three_quarters`."""

    least: float
    quarter: float
    median: float
    three_quarters: float
    most: float


@dataclass(frozen=True, slots=True)
class Statistics:
    """What is in a dataset.

    Attributes:
        samples: how many images, without strangers.
        labelled: how many of them have labels.
        strangers: how many images show nothing known.
        looked_at: of how many images the numbers below are; the others cannot be read.
        classes: images of each class.
        splits: images in each split; those in none are under `none`.
        heights: of the images, pixels.
        widths: of the images, pixels.
        aspect_ratios: width over height. shapes: images by shape: `tall` below 1:2, `portrait` below 9:10, `square`,
            `landscape` above 11:10, `wide` above 2:1.
        commonest_sizes: the ten commonest as `width x height`, and how many images have them.
        formats: images of each file format.
        modes: images of each color mode, whose letters are the channels.
        bytes: size of the files together, where they are known.
        mean_rgb: mean of each channel over all images, each counted alike, 0 to 1; None without images.
        deviation_rgb: standard deviation of each channel over all pixels, each image counted alike, 0 to 0.5.
    """

    samples: int
    labelled: int
    strangers: int
    looked_at: int
    classes: Mapping[str, int]
    splits: Mapping[str, int]
    heights: Spread | None
    widths: Spread | None
    aspect_ratios: Spread | None
    shapes: Mapping[str, int]
    commonest_sizes: Mapping[str, int]
    formats: Mapping[str, int]
    modes: Mapping[str, int]
    bytes: int
    mean_rgb: tuple[float, float, float] | None
    deviation_rgb: tuple[float, float, float] | None

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        found: dict[str, Any] = to_json(self)
        return found


def statistics_of(dataset: Dataset, facts: Mapping[str, Facts]) -> Statistics:
    """Describe a dataset.

    Args:
        dataset: with digests.
        facts: what is known of its images, by digest; images without are not counted where sizes and colors are.
    """
    known = [found for sample in dataset.samples if (found := facts.get(sample.digest or "")) is not None]
    sizes = Counter(f"{found.size_hw[1]} x {found.size_hw[0]}" for found in known)
    shapes = Counter(_shape(found.aspect_ratio) for found in known)
    mean, deviation = _colors(known)
    return Statistics(
        samples=len(dataset.samples),
        labelled=sum(sample.labelled for sample in dataset.samples),
        strangers=len(dataset.strangers),
        looked_at=len(known),
        classes=dataset.counts(),
        splits=_ranked(sample.split or "none" for sample in dataset.samples),
        heights=_spread([found.size_hw[0] for found in known]),
        widths=_spread([found.size_hw[1] for found in known]),
        aspect_ratios=_spread([found.aspect_ratio for found in known]),
        shapes={name: shapes[name] for name in SHAPES},
        commonest_sizes=dict(sizes.most_common(10)),
        formats=_ranked(found.format or "none" for found in known),
        modes=_ranked(found.mode for found in known),
        bytes=sum(found.byte_size or 0 for found in known),
        mean_rgb=mean,
        deviation_rgb=deviation,
    )


def mean_image(dataset: Dataset, contents: ContentCache) -> NDArray[np.uint8] | None:
    """The mean of all images, each squashed to 32 x 32 pixels.

    Args:
        dataset: with digests.
        contents: the cache in which `look_at` has kept the squashed images.

    Returns:
        uint8 `(32, 32, 3)` RGB, or None where no image is known.
    """
    import numpy as np

    total = np.zeros(TINY_SIDE * TINY_SIDE * 3, np.int64)
    count = 0
    digests = [sample.digest for sample in dataset.samples if sample.digest is not None]
    for start in range(0, len(digests), 1000):
        part = digests[start : start + 1000]
        tiny = contents.get(TINY_KIND, part)
        for digest in part:
            if digest in tiny:
                total += np.frombuffer(tiny[digest], np.uint8)
                count += 1
    if not count:
        return None
    return np.rint(total / count).astype(np.uint8).reshape(TINY_SIDE, TINY_SIDE, 3)


def _colors(known: Sequence[Facts]) -> tuple[tuple[float, float, float] | None, tuple[float, float, float] | None]:
    """Mean and deviation of each channel over all images, from those of each."""
    import numpy as np

    if not known:
        return None, None
    means = np.array([found.mean_rgb for found in known])
    deviations = np.array([found.deviation_rgb for found in known])
    mean = means.mean(axis=0)
    square = (deviations**2 + means**2).mean(axis=0)
    return _three(mean), _three(np.sqrt(np.maximum(square - mean**2, 0)))


def _three(values: NDArray[np.float64]) -> tuple[float, float, float]:
    red, green, blue = (round(float(value), 5) for value in values)
    return red, green, blue


def _spread(values: Sequence[float]) -> Spread | None:
    import numpy as np

    if not values:
        return None
    return Spread(*(round(float(value), 4) for value in np.quantile(values, [0, 0.25, 0.5, 0.75, 1])))


def _shape(aspect_ratio: float) -> str:
    return SHAPES[sum(aspect_ratio >= limit for limit in _SHAPE_LIMITS)]


def _ranked(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names).most_common())
