"""The whole set: one light, one background, and shortcuts by which a class is known without a look at the thing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from beholder.auditing.evidence import Evidence
from beholder.auditing.finding import Finding

NEARLY_ALL: Final = 0.95
SAME_LIGHT: Final = 0.06
"""How far from the median the mean brightness of images in the same light is at most."""

PLAIN: Final = 0.8
"""The least share of the outermost pixels that have one color, where the background is plain."""

SAME_COLOR: Final = 0.1
ENOUGH: Final = 40
ENOUGH_OF_EACH: Final = 10

HALF_WAY: Final = 0.5
"""A shortcut leads at least so far from guessing to certainty."""

DEVIATIONS: Final = 4.0
_FOLDS: Final = 5


def one_light(evidence: Evidence) -> Iterator[Finding]:
    """Nearly all images equally bright."""
    values = np.array([fact.brightness for fact in evidence.facts])
    if len(values) < ENOUGH:
        return
    middle = float(np.median(values))
    share = float((np.abs(values - middle) <= SAME_LIGHT).mean())
    if share >= NEARLY_ALL:
        reason = f"{share:.0%} of the images have nearly the same mean brightness, {middle:.0%}."
        proposal = "In another light a model may fail: test it there before it is relied on, or add such images."
        yield Finding("one_light", "notice", str(evidence.dataset.source), None, reason, proposal, score=share)


def one_background(evidence: Evidence) -> Iterator[Finding]:
    """Nearly all images on the same plain background."""
    if len(evidence.facts) < ENOUGH:
        return
    plain = np.array([fact.border_uniformity >= PLAIN for fact in evidence.facts])
    middle = np.nanmedian(evidence.borders, axis=0)
    same = np.abs(evidence.borders - middle).max(axis=1) <= SAME_COLOR
    share = float((plain & same).mean())
    if share >= NEARLY_ALL:
        red, green, blue = (round(float(value) * 255) for value in middle)
        reason = f"{share:.0%} of the images have the same plain background, about #{red:02x}{green:02x}{blue:02x}."
        proposal = "On another background a model may fail: test it there before it is relied on, or add such images."
        yield Finding("one_background", "notice", str(evidence.dataset.source), None, reason, proposal, score=share)


def shortcuts(evidence: Evidence) -> Iterator[Finding]:
    """Something beside the thing itself that tells its class: size, file format, light, or background.

    Each is used alone to guess the class of images left out in turn, every class counting alike. It is a shortcut where
    that is right far more often than by chance, and over half of the way to always.
    """
    rows = [row for row, sample in enumerate(evidence.samples) if len(sample.labels) == 1]
    labels = [evidence.samples[row].labels[0] for row in rows]
    counts = Counter(labels)
    usable = [row for row, label in zip(rows, labels, strict=True) if counts[label] >= ENOUGH_OF_EACH]
    names = sorted({evidence.samples[row].labels[0] for row in usable})
    if evidence.dataset.multi_label or len(names) < 2 or len(usable) < ENOUGH:
        return
    truth = np.array([names.index(evidence.samples[row].labels[0]) for row in usable], np.intp)
    for what, guessed, typical in _guesses(evidence, usable, truth):
        recalls = [float((guessed[truth == index] == index).mean()) for index in range(len(names))]
        right, chance = float(np.mean(recalls)), 1 / len(names)
        deviation = np.sqrt(chance * (1 - chance) / min(Counter(truth.tolist()).values()) / len(names))
        if right > chance + DEVIATIONS * deviation and right - chance > HALF_WAY * (1 - chance):
            yield Finding(
                "shortcut",
                "warning",
                str(evidence.dataset.source),
                None,
                f"The {what} alone tells the class of {right:.0%} of the images, where chance would of {chance:.0%}"
                f"{_examples(typical, truth, names)}.",
                f"A model may learn the {what} in place of the thing: add images of each class that differ in it, and "
                "test on such images.",
                score=(right - chance) / (1 - chance),
            )


Guess = tuple[str, NDArray[np.intp], list[str] | None]


def _guesses(evidence: Evidence, rows: Sequence[int], truth: NDArray[np.intp]) -> Iterator[Guess]:
    """What is looked at, the class it says for each image left out, and what it is in words."""
    facts = [evidence.facts[row] for row in rows]
    sizes = [f"{fact.size_hw[1]} x {fact.size_hw[0]}" for fact in facts]
    yield "size of the image", _by_value(sizes, truth), sizes
    kinds = [f"{fact.format or 'unknown'} {fact.mode}" for fact in facts]
    yield "file format", _by_value(kinds, truth), kinds
    light = np.array([[fact.brightness, fact.contrast] for fact in facts])
    yield "brightness", _by_place(light, truth), None
    borders = np.nan_to_num(evidence.borders[list(rows)].astype(np.float64))
    plain = np.array([fact.border_uniformity for fact in facts])
    yield "background", _by_place(np.column_stack([borders, plain]), truth), None


def _by_value(values: Sequence[Hashable], truth: NDArray[np.intp]) -> NDArray[np.intp]:
    """The class that the others of the same value have, relative to how many each class has.

    Values that only one image has count as the same: where all cats have one size, any other size means dog.
    """
    times = Counter(values)
    values = [value if times[value] > 1 else None for value in values]
    sizes = np.bincount(truth).astype(np.float64)
    tables: dict[Hashable, NDArray[np.float64]] = defaultdict(lambda: np.zeros(len(sizes)))
    for value, own in zip(values, truth.tolist(), strict=True):
        tables[value][own] += 1
    guessed = np.empty(len(truth), np.intp)
    for row, (value, own) in enumerate(zip(values, truth.tolist(), strict=True)):
        others, left = tables[value].copy(), sizes.copy()
        others[own] -= 1
        left[own] -= 1
        guessed[row] = int((others / np.maximum(left, 1)).argmax()) if others.any() else -1
    return guessed


def _by_place(values: NDArray[np.float64], truth: NDArray[np.intp]) -> NDArray[np.intp]:
    """The class of the nearest mean, by linear discriminant analysis fitted on the other folds."""
    guessed = np.empty(len(truth), np.intp)
    parts = np.random.default_rng(0).permutation(len(truth)) % _FOLDS
    count = int(truth.max()) + 1
    for part in range(_FOLDS):
        inside = parts != part
        means = np.stack(
            [values[inside & (truth == k)].mean(axis=0) if (inside & (truth == k)).any() else values.mean(axis=0) + 1e6
             for k in range(count)]
        )  # fmt: skip
        rest = values[inside] - means[truth[inside]]
        covariance = rest.T @ rest / len(rest) + 1e-4 * np.eye(values.shape[1])
        inverse = np.linalg.inv(covariance)
        away = values[~inside][:, None, :] - means[None, :, :]
        guessed[~inside] = np.einsum("nkd,de,nke->nk", away, inverse, away).argmin(axis=1)
    return guessed


def _examples(typical: list[str] | None, truth: NDArray[np.intp], names: Sequence[str]) -> str:
    """`: 98% of cat are 640 x 480`, for the class that it tells best."""
    if typical is None:
        return ""
    best = (0.0, "", "")
    for index, name in enumerate(names):
        own = Counter(value for value, k in zip(typical, truth, strict=True) if k == index)
        ((value, count),) = own.most_common(1)
        best = max(best, (count / own.total(), name, value))
    return f": {best[0]:.0%} of {best[1]} are {best[2]}"
