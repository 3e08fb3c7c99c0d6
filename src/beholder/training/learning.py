"""From a dataset to a head: features, folds, the fit, and what its scores mean. Nothing is exported here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from beholder.data import ContentCache, Dataset
from beholder.training.completing import familiarity_of
from beholder.training.confidence import find_prototypes, fit_confidence, fit_slopes, fit_temperature, log_losses
from beholder.training.exporting import Head
from beholder.training.features import Backbone
from beholder.training.grouping import gathered
from beholder.training.head import Fit, fit_head
from beholder.training.learned import Learned, Report
from beholder.training.material import Material, image_weights
from beholder.training.recipe import Recipe
from beholder.training.ridge import View

DECAYS: Final = (0.5, 0.85)
"""How much less a layer weighs than the next, in the views that look at all of them but not alike."""

FAINTEST: Final = 1e-3
"""A layer that would weigh less is not looked at."""


def learn(
    dataset: Dataset,
    backbone: Backbone,
    recipe: Recipe,
    contents: ContentCache,
    report: Report | None = None,
    *,
    keep_version: bool = True,
) -> tuple[Learned, Head]:
    """Fit a linear head on a backbone, with out-of-fold outputs for everything that must be honest.

    Args:
        dataset: what to learn from.
        backbone: whose features are used.
        recipe: how.
        contents: keeps what was seen of images, so that none is decoded twice.
        report: told what is going on.
        keep_version: whether the manifest of the dataset is kept; not of a part that is drawn for a while.

    Returns:
        What is known of the head by images that it has not seen, and the head.

    Raises:
        InvalidClasses: there is nothing to tell apart.
    """
    started = time.perf_counter()
    tell: Report = report or (lambda *_: None)
    version, material = gathered(dataset, recipe, contents, tell, backbone=backbone, keep_version=keep_version)
    looked = time.perf_counter()
    tell("fitting", 0, 1)
    fit = _fit(material, backbone, recipe)
    confidence = fit_confidence(
        fit.out_of_fold[fit.calibrating].astype(np.float64),
        material.targets[material.fitted][fit.calibrating],
        material.dataset.multi_label,
    )
    head = Head(fit, confidence, find_prototypes(material.embeddings[material.fitted], recipe.prototypes, recipe.seed))
    scores, familiarity = _unseen(material, head, recipe)
    seconds = {"look": looked - started, "fit": time.perf_counter() - looked}
    return Learned(material, confidence, scores, familiarity, version, seconds), head


def _fit(material: Material, backbone: Backbone, recipe: Recipe) -> Fit:
    rows = material.fitted
    targets = material.targets[rows]
    names = [layer.output for layer in backbone.layers]
    return fit_head(
        {layer: values[rows] for layer, values in material.layers.items()},
        targets.astype(np.float64),
        image_weights(targets, recipe.balance),
        material.folds[rows],
        _views(names, recipe.layers),
        _loss(targets, material.dataset.multi_label),
        recipe.seed,
    )


def _views(layers: Sequence[str], wanted: str) -> list[View]:
    """How a head may look at layers: all that are to be compared, or the one that is asked for."""
    last, last_two, alike = (dict.fromkeys(part, 1.0) for part in (layers[-1:], layers[-2:], layers))
    if wanted != "auto":
        return [{"last": last, "last-two": last_two, "all": alike}[wanted]]
    fading = [
        {name: decay**back for back, name in enumerate(reversed(layers)) if decay**back >= FAINTEST} for decay in DECAYS
    ]
    views = (last, last_two, *fading, alike)
    return [view for number, view in enumerate(views) if view not in views[:number]]


def _loss(
    targets: NDArray[np.bool_], multi_label: bool
) -> Callable[[NDArray[np.float64], NDArray[np.int64]], NDArray[np.float64]]:
    """The log loss of each image after calibration: what layers and penalties are chosen by."""

    def of_classes(scores: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        truth = targets[rows].argmax(axis=1)
        return log_losses(scores, truth, fit_temperature(scores, truth))

    def of_labels(scores: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        truth = targets[rows]
        slopes, shifts = fit_slopes(scores, truth)
        values = scores * slopes + shifts
        losses: NDArray[np.float64] = (np.logaddexp(0, values) - truth * values).mean(axis=1)
        return losses

    return of_labels if multi_label else of_classes


def _unseen(material: Material, head: Head, recipe: Recipe) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Scores and familiarity of every image by a head that has not seen it; NaN where there is none."""
    fitted, tested = material.fitted, material.tested
    scores = np.full(material.targets.shape, np.nan, np.float32)
    familiarity = np.full(len(scores), np.nan)
    scores[fitted] = head.fit.out_of_fold
    familiarity[fitted] = _left_out_familiarity(material.embeddings[fitted], material.folds[fitted], recipe)
    if tested.any():
        answers = head.answer({layer: values[tested] for layer, values in material.layers.items()})
        scores[tested], familiarity[tested] = answers["logits"], answers["familiarity"]
    return scores, familiarity


def _left_out_familiarity(
    embeddings: NDArray[np.float32], folds: NDArray[np.int64], recipe: Recipe
) -> NDArray[np.float64]:
    """Of each fitted image, to prototypes made without its fold; NaN where it is never left out."""
    familiarity = np.full(len(embeddings), np.nan)
    for fold in np.unique(folds[folds >= 0]):
        prototypes = find_prototypes(embeddings[folds != fold], recipe.prototypes, recipe.seed)
        familiarity[folds == fold] = familiarity_of(embeddings[folds == fold], prototypes)
    return familiarity
