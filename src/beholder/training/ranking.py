"""Several recipes on a part of the images: which does best, and whether that can be told."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from beholder.data import ContentCache, Dataset, Sample, with_digests
from beholder.errors import ImpossibleSplit, UsageError
from beholder.evaluation import Comparison, Estimate, compare_predictions
from beholder.evaluation.measuring_labels import measure_labels
from beholder.evaluation.predictions import Predictions
from beholder.records import RecordError, to_json
from beholder.training.features import Backbone
from beholder.training.learned import Learned, Report
from beholder.training.learning import learn
from beholder.training.material import Material, gather
from beholder.training.recipe import Recipe
from beholder.zoo import DEFAULT_MODEL, find

PART: Final = 0.25
"""Share of the images that recipes are compared on."""

LEAST_IMAGES: Final = 200
"""So many are taken, as long as there are so many, however small the share."""

_FOLDS: Final = 4
_AT: Final = "@"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One recipe that was tried.

    Attributes:
        name: as it was asked for.
        recipe: for all images, not for the part.
        measured: top-1, or the mean average precision where an image may have several labels, on images held out.
        seconds: that it took.
        beside_best: how it compares with the best on the same images; None for the best.
    """

    name: str
    recipe: Recipe
    measured: Estimate
    seconds: float
    beside_best: Comparison | None


@dataclass(frozen=True, slots=True)
class Ranking:
    """What was tried, the best first.

    Attributes:
        candidates: at least one.
        fitted: images that each was fitted on.
        held_out: images that all were measured on, which none was fitted on.
    """

    candidates: tuple[Candidate, ...]
    fitted: int
    held_out: int

    @property
    def best(self) -> Candidate:
        """The one with the best measure."""
        return self.candidates[0]

    def to_dict(self) -> dict[str, Any]:
        """The ranking as JSON values."""
        return {"fitted": self.fitted, "held_out": self.held_out, "candidates": [_told(one) for one in self.candidates]}


def _told(candidate: Candidate) -> dict[str, Any]:
    beside = candidate.beside_best
    return {
        "name": candidate.name,
        "measured": to_json(candidate.measured),
        "seconds": round(candidate.seconds, 1),
        "beside_best": None
        if beside is None
        else {"difference": to_json(beside.difference), "verdict": beside.verdict},
    }


def recipes_of(names: Sequence[str], recipe: Recipe) -> dict[str, Recipe]:
    """A recipe for each name: `head`, an architecture, or `architecture@width`.

    Args:
        names: what is compared.
        recipe: what they have in common.

    Raises:
        UsageError: a name is no architecture, or there are fewer than two.
        MissingPackage: one is a network, and what networks need is not installed.
    """
    if len(set(names)) < 2:
        raise UsageError(f"--compare: must name at least two, with commas between, found {', '.join(names) or 'none'}")
    return {name: _recipe_of(name, recipe) for name in names}


def _recipe_of(name: str, recipe: Recipe) -> Recipe:
    shared = {key: value for key, value in to_json(recipe).items() if key in _SHARED}
    if name == "head":
        return Recipe(**shared)
    from beholder.training.networks import require_packages
    from beholder.training.networks.architectures import find_architecture

    require_packages()
    architecture, _, width = name.partition(_AT)
    find_architecture(architecture)
    own = recipe if recipe.method == "network" else Recipe(method="network", **shared)
    try:
        return replace(own, architecture=architecture, width=float(width) if width else own.width)
    except (ValueError, RecordError) as error:
        raise UsageError(f"--compare: {name}: {error}") from None


_SHARED: Final = frozenset(
    ("balance", "folds", "test_share", "unknown_budget", "threshold_aim", "threshold_value", "prototypes", "seed")
)


def rank_recipes(
    dataset: Dataset,
    recipes: Mapping[str, Recipe],
    contents: ContentCache,
    *,
    part: float = PART,
    report: Report | None = None,
) -> Ranking:
    """Train by each recipe on the same part of the images, and measure all on the same others.

    Nothing of the test part is touched, neither the owner's nor the one that `run_training` takes.

    Args:
        dataset: of which a part is drawn.
        recipes: by name, as `recipes_of` makes them; their seed and test share are the same.
        contents: keeps what was seen of images.
        part: share of the images.
        report: told what is going on.

    Raises:
        DataError: there is nothing to tell apart, or too little to hold any out.
    """
    tell: Report = report or (lambda *_: None)
    first = next(iter(recipes.values()))
    known = with_digests(dataset, contents, lambda done, total: tell("reading", done, total))
    backbone = Backbone(find(DEFAULT_MODEL))
    material = gather(known, backbone, first, contents, lambda done, total: tell("looking", done, total))
    drawn = _part_of(material, part, first.seed)
    answered: dict[str, tuple[Learned, float]] = {}
    for number, (name, recipe) in enumerate(recipes.items(), 1):
        words = f"{name}, {number} of {len(recipes)}: "
        started = time.perf_counter()
        learned = _learned(
            drawn, _for_part(recipe), contents, lambda step, *rest, words=words: tell(words + step, *rest)
        )
        answered[name] = (learned, time.perf_counter() - started)
    return _ranked(recipes, answered)


def _part_of(material: Material, part: float, seed: int) -> Dataset:
    """Images that are not tested on, of every class the same share; no fewer than there must be."""
    rows = np.flatnonzero(material.fitted)
    share = min(1.0, max(part, LEAST_IMAGES / len(rows)))
    order = np.random.default_rng(seed).permutation(rows)
    first_label = material.targets.argmax(axis=1)
    chosen: list[int] = []
    for label in np.unique(first_label[rows]):
        own = order[first_label[order] == label]
        chosen += own[: max(2 * _FOLDS, round(share * len(own)))].tolist()
    samples = [material.dataset.samples[row] for row in sorted(chosen)]
    return material.dataset.regathered(replace(sample, split=None) for sample in samples)


def _for_part(recipe: Recipe) -> Recipe:
    """The recipe with which a part is learned: one part held out, nothing tested."""
    if recipe.method == "head":
        return replace(recipe, test_share=0.0, folds=_FOLDS)
    return replace(recipe, test_share=0.0, cross_validate="no", validation_share=1 / _FOLDS)


def _learned(dataset: Dataset, recipe: Recipe, contents: ContentCache, report: Report) -> Learned:
    if recipe.method == "head":
        return learn(dataset, Backbone(find(recipe.backbone)), recipe, contents, report)[0]
    from beholder.training.networks.training import learn_network

    return learn_network(dataset, recipe, contents, "compared", report)


def _ranked(recipes: Mapping[str, Recipe], answered: Mapping[str, tuple[Learned, float]]) -> Ranking:
    """Everything measured on the images that all have answered without having seen them."""
    names = [{sample.name for sample in _unseen(learned)} for learned, _ in answered.values()]
    common = sorted(set.intersection(*names))
    if not common:
        raise ImpossibleSplit("no image could be held out for all that are compared: add images, or compare none")
    said = {name: _predictions(learned, common) for name, (learned, _) in answered.items()}
    fitted = min(int(learned.material.fitted.sum()) for learned, _ in answered.values()) - len(common)
    alone = {name: _measured(one) for name, one in said.items()}
    order = sorted(recipes, key=lambda name: -(alone[name].value or 0.0))
    best = order[0]
    candidates = []
    for name in order:
        beside = None
        if name != best:
            beside = compare_predictions(said[best], said[name], models=(best, name), dataset="")
        candidates.append(Candidate(name, recipes[name], alone[name], answered[name][1], beside))
    return Ranking(tuple(candidates), fitted, len(common))


def _measured(said: Predictions) -> Estimate:
    return measure_labels(said, seed=0)["map" if said.multi_label else "top1"]


def _unseen(learned: Learned) -> list[Sample]:
    samples = learned.material.dataset.samples
    return [samples[row] for row in np.flatnonzero(learned.calibrating)]


def _predictions(learned: Learned, names: Sequence[str]) -> Predictions:
    material = learned.material
    place = {sample.name: row for row, sample in enumerate(material.dataset.samples)}
    rows = np.array([place[name] for name in names])
    probabilities = learned.unseen_probabilities()[rows]
    targets: NDArray[np.bool_] = material.targets[rows]
    several = material.dataset.multi_label
    return Predictions(
        classes=material.dataset.classes,
        sources=tuple(names),
        probabilities=probabilities,
        truth=targets if several else targets.argmax(axis=1).astype(np.int64),
        accepted=probabilities >= 0.5 if several else None,
    )
