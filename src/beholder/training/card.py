"""What the model file of a training says about itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from beholder import __version__
from beholder.model import Calibration, EmbeddingSpace, ModelCard
from beholder.model.card import PredictionSets, Provenance, UnknownRule, fitting_mark
from beholder.model.geometry import Geometry
from beholder.training.confidence import MINIMUM_FOR_CLASS_SETS, set_threshold, tune_thresholds, unknown_thresholds
from beholder.training.learned import Learned
from beholder.training.recipe import Recipe

COVERAGES: Final = (0.9, 0.95)


def card_of(
    learned: Learned,
    recipe: Recipe,
    name: str,
    *,
    geometry: Geometry,
    embedding: EmbeddingSpace,
    origin: Provenance,
) -> ModelCard:
    """What the model file says about itself, but for what was measured.

    Args:
        learned: what is known of the model.
        recipe: how it was made.
        name: of the model.
        geometry: how an image becomes its input.
        embedding: the space of its embedding.
        origin: where its weights came from, what they were fitted on, the notes for its user, and the versions of
            what made it; what is known of its own data is put in.
    """
    material = learned.material
    dataset = material.dataset
    fitted_on = [sample.digest or "" for sample, used in zip(dataset.samples, material.fitted, strict=True) if used]
    marks = {*(fitting_mark(digest) for digest in fitted_on), *(origin.fitted_on or ())}
    return ModelCard(
        name=name,
        task="classify",
        description=f"Tells apart: {', '.join(dataset.classes[:8])}{', …' if len(dataset.classes) > 8 else ''}.",
        geometry=geometry,
        labels=dataset.classes,
        multi_label=dataset.multi_label,
        thresholds=_thresholds(learned, recipe),
        calibration=_calibration(learned),
        unknown=_unknown_rule(learned, recipe),
        prediction_sets=_prediction_sets(learned),
        embedding=embedding,
        provenance=replace(
            origin,
            data_source=f"{len(fitted_on):,} images of {dataset.source.name}",
            data_license=None,
            data_digest=learned.version,
            recipe=recipe.to_toml(),
            versions={"beholder": __version__, "numpy": np.__version__, **(origin.versions or {})},
            fitted_on=tuple(sorted(marks)),
        ),
    )


def _calibration(learned: Learned) -> Calibration | None:
    count = int(learned.calibrating.sum())
    if not count:
        return None
    if learned.confidence.multi_label:
        return Calibration("sigmoid", None, count)
    return Calibration("temperature", float(1 / learned.confidence.gain[0]), count)


def _thresholds(learned: Learned, recipe: Recipe) -> tuple[float, ...] | None:
    rows = learned.calibrating
    if not learned.confidence.multi_label or not rows.any():
        return None
    probabilities = learned.confidence.probabilities(learned.scores[rows]).astype(np.float64)
    truth = learned.material.targets[rows]
    tuned = tune_thresholds(probabilities, truth, recipe.threshold_aim, recipe.threshold_value)
    return tuple(round(float(value), 6) for value in tuned)


def _prediction_sets(learned: Learned) -> PredictionSets | None:
    rows = learned.calibrating
    if learned.confidence.multi_label or rows.sum() < 1 / (1 - COVERAGES[0]):
        return None
    probabilities = learned.confidence.probabilities(learned.scores[rows]).astype(np.float64)
    truth = learned.material.targets[rows].argmax(axis=1)
    of_truth = probabilities[np.arange(len(truth)), truth]
    counts = np.bincount(truth, minlength=probabilities.shape[1])
    by_class = None
    if counts.min() >= MINIMUM_FOR_CLASS_SETS:
        classes = range(len(counts))
        by_class = tuple(tuple(set_threshold(of_truth[truth == k], c) for k in classes) for c in COVERAGES)
    return PredictionSets(COVERAGES, tuple(set_threshold(of_truth, c) for c in COVERAGES), by_class, len(truth))


def _unknown_rule(learned: Learned, recipe: Recipe) -> UnknownRule | None:
    """From images left out in turn: their scores, and their familiarity to prototypes made without them.

    Where several labels may hold, none may hold either: then little evidence for any is no sign of a stranger.
    """
    rows = learned.calibrating
    count = int(rows.sum())
    if recipe.unknown_budget <= 0 or count * recipe.unknown_budget < 1:
        return None
    familiarity = learned.familiarity[rows]
    if learned.confidence.multi_label:
        least = float(np.sort(familiarity)[int(np.floor(recipe.unknown_budget * count))])
        return UnknownRule(least, None, recipe.unknown_budget, count)
    evidence = learned.scores[rows].max(axis=1).astype(np.float64)
    return UnknownRule(*unknown_thresholds(familiarity, evidence, recipe.unknown_budget), recipe.unknown_budget, count)
