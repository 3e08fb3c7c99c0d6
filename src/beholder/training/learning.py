"""From a dataset to a head: features, folds, the fit, and what its scores mean. Nothing is exported here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from beholder.data import ContentCache, Dataset, save_version, with_digests
from beholder.training.confidence import find_prototypes, fit_slopes, fit_temperature, log_losses
from beholder.training.exporting import Confidence, Head, familiarity_of
from beholder.training.features import Backbone
from beholder.training.head import Fit, fit_head
from beholder.training.material import Material, gather
from beholder.training.recipe import Recipe
from beholder.training.ridge import View

UNBALANCED_FROM: Final = 3.0
"""With `balance = "auto"`: classes are weighted where the commonest is over so many times as large as the rarest."""

DECAYS: Final = (0.5, 0.85)
"""How much less a layer weighs than the next, in the views that look at all of them but not alike."""

FAINTEST: Final = 1e-3
"""A layer that would weigh less is not looked at."""

Report = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """A head that was fitted, and everything that is known of it without exporting it.

    Attributes:
        material: what it was fitted on, and what was kept from it.
        head: what was put on the backbone.
        left_out_familiarity: float64 `(f,)`, of each of the fitted images, to prototypes made without it; NaN where it
            is never left out.
        version: of the dataset.
        seconds: how long each part took.
    """

    material: Material
    head: Head
    left_out_familiarity: NDArray[np.float64]
    version: str
    seconds: dict[str, float]

    def unseen_probabilities(self) -> NDArray[np.float64]:
        """Of every image by a head that has not seen it, `(n, k)`: out of fold, or in the test part; NaN elsewhere."""
        material, fit = self.material, self.head.fit
        scores = np.full(material.targets.shape, np.nan, np.float32)
        scores[material.fitted] = fit.out_of_fold
        if material.tested.any():
            scores[material.tested] = fit.scores({k: v[material.tested] for k, v in material.layers.items()})
        known = ~np.isnan(scores[:, 0])
        probabilities = np.full(scores.shape, np.nan)
        probabilities[known] = self.head.confidence.probabilities(scores[known])
        return probabilities


def learn(
    dataset: Dataset, backbone: Backbone, recipe: Recipe, contents: ContentCache, report: Report | None = None
) -> Learned:
    """Fit a linear head on a backbone, with out-of-fold outputs for everything that must be honest.

    Args:
        dataset: what to learn from.
        backbone: whose features are used.
        recipe: how.
        contents: keeps what was seen of images, so that none is decoded twice.
        report: told what is going on.

    Raises:
        InvalidClasses: there is nothing to tell apart.
    """
    started = time.perf_counter()
    tell: Report = report or (lambda *_: None)
    known = with_digests(dataset, contents, lambda done, total: tell("reading", done, total))
    version = save_version(known)
    material = gather(known, backbone, recipe, contents, lambda done, total: tell("looking", done, total))
    looked = time.perf_counter()
    tell("fitting", 0, 1)
    fit = _fit(material, backbone, recipe)
    prototypes = find_prototypes(material.embeddings[material.fitted], recipe.prototypes, recipe.seed)
    head = Head(fit, _confidence(material, fit), prototypes)
    familiarity = _left_out_familiarity(material, recipe)
    seconds = {"look": looked - started, "fit": time.perf_counter() - looked}
    return Learned(material, head, familiarity, version, seconds)


def _fit(material: Material, backbone: Backbone, recipe: Recipe) -> Fit:
    rows = material.fitted
    targets = material.targets[rows]
    names = [layer.output for layer in backbone.layers]
    return fit_head(
        {layer: values[rows] for layer, values in material.layers.items()},
        targets.astype(np.float64),
        _image_weights(targets, recipe),
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


def _image_weights(targets: NDArray[np.bool_], recipe: Recipe) -> NDArray[np.float64]:
    """How much each image counts: as much as the others, or so that each class does."""
    counts = targets.sum(axis=0)
    unbalanced = counts.max() > UNBALANCED_FROM * max(1, counts.min())
    if recipe.balance == "none" or (recipe.balance == "auto" and not unbalanced):
        return np.ones(len(targets))
    shares = (targets / np.maximum(counts, 1)).sum(axis=1) / np.maximum(targets.sum(axis=1), 1)
    shares[shares == 0] = 1 / len(targets)
    weights: NDArray[np.float64] = shares / shares.mean()
    return weights


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


def _confidence(material: Material, fit: Fit) -> Confidence:
    rows = fit.calibrating
    truth = material.targets[material.fitted][rows]
    scores = fit.out_of_fold[rows].astype(np.float64)
    width = material.targets.shape[1]
    if material.dataset.multi_label:
        slopes, shifts = fit_slopes(scores, truth) if len(scores) else (np.full(width, 4.0), np.full(width, -2.0))
        return Confidence(slopes.astype(np.float32), shifts.astype(np.float32), True)
    gain = 1 / fit_temperature(scores, truth.argmax(axis=1)) if len(scores) else 4.0
    return Confidence(np.full(width, gain, np.float32), np.zeros(width, np.float32), False)


def _left_out_familiarity(material: Material, recipe: Recipe) -> NDArray[np.float64]:
    """Of each fitted image, to prototypes made without its fold; NaN where it is never left out."""
    embeddings, folds = material.embeddings[material.fitted], material.folds[material.fitted]
    familiarity = np.full(len(embeddings), np.nan)
    for fold in np.unique(folds[folds >= 0]):
        prototypes = find_prototypes(embeddings[folds != fold], recipe.prototypes, recipe.seed)
        familiarity[folds == fold] = familiarity_of(embeddings[folds == fold], prototypes)
    return familiarity
