"""How specific units are: to one class where images are labelled, to few images where they are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST_IMAGES: Final = 9
"""Images that a unit must answer to, to be shown."""

_FAINT: Final = 0.5
"""A unit is not shown that answers to the images it likes best with less than this share of what is usual in its stage:
what is nearly silent seems specific by chance."""


@dataclass(frozen=True, slots=True, eq=False)
class Selectivity:
    """How much each unit prefers one class.

    Attributes:
        index: float64 `(units,)`, from 0, no class preferred, to 1, silent for every other; may be below 0 by chance;
            NaN for a unit that never answers.
        preferred: `(units,)`, the class that each answers to most.
        by_class: `(classes, units)`, how strongly it answers to each class in the mean.
    """

    index: Floats
    preferred: NDArray[np.intp]
    by_class: Floats


def selectivity_of(mean: NDArray[np.float32], classes: NDArray[np.intp], count: int) -> Selectivity:
    """The class selectivity index of units, `(a - b) / (a + b)`.

    `a` is how strongly a unit answers to images of its preferred class in the mean, `b` the same over all other
    classes. The class is chosen on one half of the images and the index taken on the other, both ways: chosen on the
    same images, noise would look like a preference where there are few.

    Args:
        mean: `(n, units)`, 0 or greater.
        classes: of each image, `(n,)`, each with two images at least.
        count: how many classes there are, at least two.

    Source: A. S. Morcos et al., "On the importance of single directions for generalization", ICLR 2018, section 2.2.
    """
    values = mean.astype(np.float64)
    half = np.zeros(len(classes), np.intp)
    for number in range(count):
        rows = np.flatnonzero(classes == number)
        half[rows] = np.arange(len(rows)) % 2
    halves = [_by_class(values[half == side], classes[half == side], count) for side in (0, 1)]
    sides = [_of_preferred(halves[side].argmax(axis=0), halves[1 - side]) for side in (0, 1)]
    best, others = np.mean(sides, axis=0)
    whole = best + others
    index: Floats = np.divide(best - others, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    by_class = _by_class(values, classes, count)
    return Selectivity(index, by_class.argmax(axis=0), by_class)


def _by_class(values: Floats, classes: NDArray[np.intp], count: int) -> Floats:
    return np.stack([values[classes == number].mean(axis=0) for number in range(count)])


def _of_preferred(preferred: NDArray[np.intp], by_class: Floats) -> tuple[Floats, Floats]:
    """How strongly units answer to the classes chosen for them, and in the mean to all others."""
    best = by_class[preferred, np.arange(by_class.shape[1])]
    return best, (by_class.sum(axis=0) - best) / (len(by_class) - 1)


def sparseness_of(mean: NDArray[np.float32]) -> Floats:
    """How few images units answer to, float64 `(units,)`: 0 alike to all, 1 to a single one; NaN for silent ones.

    Args:
        mean: `(n, units)`, 0 or greater.

    Source: W. E. Vinje and J. L. Gallant, "Sparse coding and decorrelation in primary visual cortex during natural
    vision", Science 287, 2000.
    """
    values = mean.astype(np.float64)
    squares = (values**2).mean(axis=0)
    alike = np.divide(values.mean(axis=0) ** 2, squares, out=np.full(values.shape[1], np.nan), where=squares > 0)
    sparse: Floats = (1 - alike) / (1 - 1 / max(2, len(values)))
    return sparse


def most_telling(
    scores: Floats, preferred: NDArray[np.intp] | None, mean: NDArray[np.float32], peak: NDArray[np.float32], count: int
) -> list[int]:
    """The units to show: the most specific ones, of different classes as long as there are any.

    Args:
        scores: `(units,)`, how specific each is.
        preferred: `(units,)`, their classes; None where there are none.
        mean: `(n, units)`, how strongly they answer; a unit that hardly does to any image tells nothing.
        peak: `(n, units)`.
        count: how many.
    """
    strength = np.sort(mean, axis=0)[-LEAST_IMAGES:].mean(axis=0)
    answers = (peak > 0).sum(axis=0) >= min(LEAST_IMAGES, len(peak))
    shown = answers & (strength >= _FAINT * np.median(strength)) & ~np.isnan(scores)
    order = [int(unit) for unit in np.argsort(-np.nan_to_num(scores, nan=-2.0), kind="stable") if shown[unit]]
    if preferred is None:
        return order[:count]
    rounds: dict[int, int] = {}
    ranked = []
    for place, unit in enumerate(order):
        own = int(preferred[unit])
        rounds[own] = rounds.get(own, -1) + 1
        ranked.append((rounds[own], place, unit))
    chosen = sorted(ranked)[:count]
    return [unit for _, place, unit in sorted(chosen, key=lambda found: found[1])]
