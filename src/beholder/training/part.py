"""The part of the images that recipes are compared on: none that a training by any of them would test on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from beholder.data import ContentCache, Dataset, with_digests
from beholder.training.features import Backbone
from beholder.training.grouping import grouping_model
from beholder.training.learned import Report
from beholder.training.material import Material, gather
from beholder.training.recipe import Recipe

PART: Final = 0.25
"""Share of the images that recipes are compared on."""

LEAST_IMAGES: Final = 200
"""So many are taken, as long as there are so many, however small the share."""

FOLDS: Final = 4
"""Parts of the part, one of which is held out."""


@dataclass(frozen=True, slots=True)
class Part:
    """What recipes are compared on.

    Attributes:
        dataset: the images, with digests; none has a split.
        tested: whether a training by each of the recipes has a test part, which is not among them.
    """

    dataset: Dataset
    tested: bool


def draw_part(dataset: Dataset, recipes: Sequence[Recipe], contents: ContentCache, share: float, tell: Report) -> Part:
    """Draw images of every class, the same share of each.

    Which images show the same depends on what they are seen by, and so does the test part: what a training by any of
    the recipes tests on is left alone.

    Args:
        dataset: of which a part is drawn.
        recipes: one at least; their seed and test share are the same.
        contents: keeps what was seen of images.
        share: of the images that nothing is tested on.
        tell: told what is going on.

    Raises:
        InvalidClasses: there is nothing to tell apart.
    """
    known = with_digests(dataset, contents, lambda done, total: tell("reading", done, total))
    by_model = {grouping_model(recipe, len(known.samples)): recipe for recipe in recipes}
    materials = []
    for model, recipe in by_model.items():
        backbone = None if model is None else Backbone(model)
        looked = gather(known, backbone, recipe, contents, lambda done, total: tell("looking", done, total))
        materials.append(replace(looked, layers={}, strangers={}))  # features take much memory
    free = set.intersection(*map(_not_tested, materials))
    return Part(_drawn(materials[0], free, share, recipes[0].seed), all(one.tested.any() for one in materials))


def _not_tested(material: Material) -> set[str]:
    return {material.dataset.samples[row].name for row in np.flatnonzero(material.fitted)}


def _drawn(material: Material, free: set[str], share: float, seed: int) -> Dataset:
    """Some of the free images, of every class the same share; no fewer than there must be."""
    samples = material.dataset.samples
    rows = np.array([row for row, sample in enumerate(samples) if sample.name in free], np.intp)
    share = min(1.0, max(share, LEAST_IMAGES / max(1, len(rows))))
    order = np.random.default_rng(seed).permutation(rows)
    first_label = material.targets.argmax(axis=1)
    chosen: list[int] = []
    for label in np.unique(first_label[rows]):
        own = order[first_label[order] == label]
        chosen += own[: max(2 * FOLDS, round(share * len(own)))].tolist()
    return material.dataset.regathered(replace(samples[row], split=None) for row in sorted(chosen))
