"""Several recipes on a part of the images: which does best, and whether that can be told."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Literal

from beholder.data import ContentCache, Dataset
from beholder.errors import ImpossibleSplit, UsageError
from beholder.evaluation import Comparison, Estimate, compare_predictions
from beholder.evaluation.measuring_labels import measure_labels
from beholder.evaluation.predictions import Predictions
from beholder.records import RecordError, to_json
from beholder.training.features import Backbone
from beholder.training.learned import Learned, Report, Say
from beholder.training.learning import learn
from beholder.training.outcomes import Outcome, Outcomes
from beholder.training.part import FOLDS, PART, draw_part
from beholder.training.recipe import Recipe
from beholder.zoo import find

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
        metric: which measure it is.
        tested: whether a training of any of them has a test part; else what the best is measured on has chosen it.
        outcomes: what is kept of them, so that a comparison that was interrupted goes on; whoever has trained the best
            on all images, and written it, removes it.
    """

    candidates: tuple[Candidate, ...]
    fitted: int
    held_out: int
    metric: Literal["top1", "map"]
    tested: bool
    outcomes: Outcomes

    @property
    def best(self) -> Candidate:
        """The one with the best measure."""
        return self.candidates[0]

    def to_dict(self) -> dict[str, Any]:
        """The ranking as JSON values."""
        return {
            "fitted": self.fitted,
            "held_out": self.held_out,
            "metric": self.metric,
            "candidates": [_told(one) for one in self.candidates],
        }


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
        UsageError: a name is no architecture, there are fewer than two, or the recipe has keys of a head and none is
            compared.
        MissingPackage: one is a network, and what networks need is not installed.
    """
    if len(set(names)) < 2:
        raise UsageError(f"--compare: must name at least two, with commas between, found {', '.join(names) or 'none'}")
    own = [] if "head" in names else [key for key in _OF_HEAD if getattr(recipe, key) != getattr(Recipe(), key)]
    if own:
        raise UsageError(f"--compare: {own[0]} is a key of a head, and none is compared; add head, or leave it out")
    return {name: _recipe_of(name, recipe) for name in names}


def _recipe_of(name: str, recipe: Recipe) -> Recipe:
    shared = {key: value for key, value in to_json(recipe).items() if key in _SHARED}
    if name == "head":
        return recipe if recipe.method == "head" else Recipe(**shared)
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


_KEYS: Final = {known.name: known.metadata["of"] for known in fields(Recipe) if known.name != "method"}
_SHARED: Final = frozenset(name for name, of in _KEYS.items() if of is None)
_OF_HEAD: Final = tuple(name for name, of in _KEYS.items() if of == "head")


def rank_recipes(
    dataset: Dataset,
    recipes: Mapping[str, Recipe],
    contents: ContentCache,
    *,
    part: float = PART,
    report: Report | None = None,
    say: Say | None = None,
) -> Ranking:
    """Train by each recipe on the same part of the images, and measure all on the same others.

    Nothing of a test part is touched, neither the owner's nor any that `run_training` takes by one of the recipes. What
    each came to is kept, and is not made again when the same part is compared on once more; see `Ranking.outcomes`.

    Args:
        dataset: of which a part is drawn.
        recipes: by name, as `recipes_of` makes them; their seed and test share are the same.
        contents: keeps what was seen of images.
        part: share of the images, and of the minutes that a recipe allows.
        report: told what is going on.
        say: told in words what a person should know at once.

    Raises:
        UsageError: one of the recipes is impossible, which is found out before anything is looked at.
        DataError: there is nothing to tell apart, or too little to hold any out.
    """
    tell: Report = report or (lambda *_: None)
    hear: Say = say or (lambda _: None)
    _require_possible(recipes.values())
    drawn = draw_part(dataset, list(recipes.values()), contents, part, tell)
    outcomes = Outcomes(drawn.dataset)
    tell = outcomes.while_told(tell)
    answered: dict[str, Outcome] = {}
    for number, (name, recipe) in enumerate(recipes.items(), 1):
        own = _for_part(recipe, part)
        outcome = outcomes.get(own)
        if outcome is None:
            outcome = _outcome(drawn.dataset, own, contents, f"{name}, {number} of {len(recipes)}: ", tell, hear)
            outcomes.put(own, outcome)
        else:
            hear(f"{name}: what it came to on the same images was kept, so that it is not trained again")
        answered[name] = outcome
    return _ranked(recipes, answered, drawn.tested, outcomes)


def _require_possible(recipes: Iterable[Recipe]) -> None:
    """Refuse now what else would be refused when the others have been trained."""
    for recipe in recipes:
        if recipe.method == "head":
            find(recipe.backbone)
            continue
        from beholder.training.networks.checking import require_possible

        require_possible(recipe)


def _for_part(recipe: Recipe, part: float) -> Recipe:
    """The recipe with which a part is learned: one part held out, nothing tested, and all epochs or its minutes.

    Patience would choose the epoch on the images that recipes are compared on, which flatters networks.
    """
    if recipe.method == "head":
        return replace(recipe, test_share=0.0, folds=FOLDS)
    return replace(
        recipe,
        test_share=0.0,
        cross_validate="no",
        validation_share=1 / FOLDS,
        patience=0,
        minutes=recipe.minutes * part,
    )


def _outcome(dataset: Dataset, recipe: Recipe, contents: ContentCache, words: str, tell: Report, say: Say) -> Outcome:
    started = time.perf_counter()
    learned = _learned(
        dataset,
        recipe,
        contents,
        lambda step, done, total: tell(words + step, done, total),
        lambda text: say(words + text),
    )
    return Outcome.of(learned, time.perf_counter() - started)


def _learned(dataset: Dataset, recipe: Recipe, contents: ContentCache, report: Report, say: Say) -> Learned:
    if recipe.method == "head":
        return learn(dataset, Backbone(find(recipe.backbone)), recipe, contents, report, keep_version=False)[0]
    from beholder.training.networks.training import learn_network

    return learn_network(dataset, recipe, contents, "compared", report, say)


def _ranked(
    recipes: Mapping[str, Recipe], answered: Mapping[str, Outcome], tested: bool, outcomes: Outcomes
) -> Ranking:
    """Everything measured on the images that all have answered without having seen them."""
    common = sorted(set.intersection(*(set(outcome.names) for outcome in answered.values())))
    if not common:
        raise ImpossibleSplit("no image could be held out for all that are compared: add images, or compare none")
    said = {name: outcome.predictions(common) for name, outcome in answered.items()}
    alone = {name: _measured(one) for name, one in said.items()}
    order = sorted(recipes, key=lambda name: -(alone[name].value or 0.0))
    best = order[0]
    candidates = []
    for name in order:
        beside = None
        if name != best:
            beside = compare_predictions(said[best], said[name], models=(best, name), dataset="")
        candidates.append(Candidate(name, recipes[name], alone[name], answered[name].seconds, beside))
    return Ranking(
        candidates=tuple(candidates),
        fitted=min(outcome.images for outcome in answered.values()) - len(common),
        held_out=len(common),
        metric=_metric(said[best]),
        tested=tested,
        outcomes=outcomes,
    )


def _metric(said: Predictions) -> Literal["top1", "map"]:
    return "map" if said.multi_label else "top1"


def _measured(said: Predictions) -> Estimate:
    return measure_labels(said, seed=0)[_metric(said)]
