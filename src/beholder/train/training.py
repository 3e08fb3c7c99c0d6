"""From examples to a model: one function from a recipe and a dataset to a run."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from beholder import __version__
from beholder.data import ContentCache, Dataset, save_version, with_digests
from beholder.errors import InvalidModel
from beholder.evaluation import Evaluation
from beholder.model import Calibration, EmbeddingSpace, ModelCard
from beholder.model.card import PredictionSets, UnknownRule
from beholder.model.file import embedding_space, with_card
from beholder.model.loading import load_bytes
from beholder.train.confidence import (
    MINIMUM_FOR_CLASS_SETS,
    find_prototypes,
    fit_slopes,
    fit_temperature,
    log_losses,
    set_threshold,
    tune_thresholds,
    unknown_thresholds,
)
from beholder.train.exporting import Confidence, Head, export_head, familiarity_of
from beholder.train.features import Backbone
from beholder.train.head import Fit, fit_head
from beholder.train.material import Material, gather
from beholder.train.measuring import measure, measures_of
from beholder.train.recipe import Recipe

COVERAGES: Final = (0.9, 0.95)
UNBALANCED_FROM: Final = 3.0
"""With `balance = "auto"`: classes are weighted where the commonest is over so many times as large as the rarest."""

AGREEING_IMAGES: Final = 32
TOLERANCE: Final = 1e-4
"""How far probabilities, logits and familiarity of the exported file may be from those that were fitted."""

Report = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What training gives.

    Attributes:
        model: the bytes of the model file.
        card: its card.
        evaluation: what was measured on images that the head has not seen.
        material: what it was made of.
        head: what was put on the backbone.
        seconds: how long each part took.
    """

    model: bytes
    card: ModelCard
    evaluation: Evaluation
    material: Material
    head: Head
    seconds: dict[str, float]


def train_head(
    dataset: Dataset,
    backbone: Backbone,
    recipe: Recipe,
    contents: ContentCache,
    name: str,
    report: Report | None = None,
) -> Trained:
    """Train a linear head on a backbone, and measure it.

    Args:
        dataset: what to learn from.
        backbone: whose features are used.
        recipe: how.
        contents: keeps what was seen of images, so that none is decoded twice.
        name: of the model.
        report: told what is going on.

    Raises:
        InvalidClasses: there is nothing to tell apart.
        InvalidModel: the exported file does not give the answers that were fitted.
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
    left_out_familiarity = _left_out_familiarity(material, recipe)
    card = _card(material, backbone, recipe, head, left_out_familiarity, version, name)
    fitted = time.perf_counter()
    tell("exporting", 0, 1)
    graph = export_head(backbone.data, head)
    _refuse_disagreement(graph, card, material, head)
    exported = time.perf_counter()
    evaluation = measure(material, card, head, left_out_familiarity, version, recipe.seed)
    card = replace(card, evaluation=measures_of(evaluation))
    seconds = {"look": looked - started, "fit": fitted - looked, "export": exported - fitted}
    seconds["evaluate"] = time.perf_counter() - exported
    tell("done", 1, 1)
    return Trained(with_card(graph, card), card, evaluation, material, head, seconds)


def _fit(material: Material, backbone: Backbone, recipe: Recipe) -> Fit:
    rows = material.fitted
    targets = material.targets[rows]
    names = tuple(layer.output for layer in backbone.layers)
    choices = {"last": (names[-1:],), "last-two": (names[-2:],), "all": (names,)}
    candidates = choices.get(recipe.layers, (names[-1:], names[-2:], names))
    return fit_head(
        {layer: values[rows] for layer, values in material.layers.items()},
        targets.astype(np.float64),
        _image_weights(targets, recipe),
        material.folds[rows],
        tuple(dict.fromkeys(candidates)),
        _loss(targets, material.dataset.multi_label),
        recipe.seed,
    )


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


def _card(
    material: Material,
    backbone: Backbone,
    recipe: Recipe,
    head: Head,
    left_out_familiarity: NDArray[np.float64],
    version: str,
    name: str,
) -> ModelCard:
    dataset, fit, confidence = material.dataset, head.fit, head.confidence
    space = backbone.card.embedding
    origin = backbone.card.provenance
    fitted_on = [sample.digest or "" for sample, used in zip(dataset.samples, material.fitted, strict=True) if used]
    notes = [f"A linear head on {backbone.card.name}, which looks at {len(fit.layers)} of its layers."]
    if origin.data_source:
        notes.append(f"The backbone was trained on: {origin.data_source}.")
    return ModelCard(
        name=name,
        task="classify",
        description=f"Tells apart: {', '.join(dataset.classes[:8])}{', …' if len(dataset.classes) > 8 else ''}.",
        geometry=backbone.card.geometry,
        labels=dataset.classes,
        multi_label=dataset.multi_label,
        thresholds=_thresholds(material, fit, confidence, recipe),
        calibration=_calibration(fit, confidence),
        unknown=_unknown_rule(fit, left_out_familiarity, recipe),
        prediction_sets=_prediction_sets(material, fit, confidence),
        embedding=EmbeddingSpace(
            space.space if space else embedding_space(backbone.graph_digest, backbone.card.geometry),
            material.embeddings.shape[1],
            bool(space and space.normalized),
            space.metric if space else "cosine",
        ),
        provenance=replace(
            origin,
            data_source=f"{len(fitted_on):,} images of {dataset.source.name}",
            data_license=None,
            data_digest=version,
            recipe=recipe.to_toml(),
            parent=backbone.graph_digest,
            versions={"beholder": __version__, "numpy": np.__version__},
            fitted_on=tuple(sorted(hashed(digest) for digest in fitted_on)),
            notes=tuple(notes),
        ),
    )


def hashed(digest: str) -> str:
    """How a card names an image it was fitted on: nobody can tell which image it is who does not have it."""
    return hashlib.sha256(digest.encode()).hexdigest()[:16]


def _calibration(fit: Fit, confidence: Confidence) -> Calibration | None:
    count = int(fit.calibrating.sum())
    if not count:
        return None
    if confidence.multi_label:
        return Calibration("sigmoid", None, count)
    return Calibration("temperature", float(1 / confidence.gain[0]), count)


def _thresholds(material: Material, fit: Fit, confidence: Confidence, recipe: Recipe) -> tuple[float, ...] | None:
    rows = fit.calibrating
    if not material.dataset.multi_label or not rows.any():
        return None
    probabilities = confidence.probabilities(fit.out_of_fold[rows]).astype(np.float64)
    truth = material.targets[material.fitted][rows]
    tuned = tune_thresholds(probabilities, truth, recipe.threshold_aim, recipe.threshold_value)
    return tuple(round(float(value), 6) for value in tuned)


def _prediction_sets(material: Material, fit: Fit, confidence: Confidence) -> PredictionSets | None:
    rows = fit.calibrating
    if material.dataset.multi_label or rows.sum() < 1 / (1 - COVERAGES[0]):
        return None
    probabilities = confidence.probabilities(fit.out_of_fold[rows]).astype(np.float64)
    truth = material.targets[material.fitted][rows].argmax(axis=1)
    of_truth = probabilities[np.arange(len(truth)), truth]
    counts = np.bincount(truth, minlength=probabilities.shape[1])
    by_class = None
    if counts.min() >= MINIMUM_FOR_CLASS_SETS:
        classes = range(len(counts))
        by_class = tuple(tuple(set_threshold(of_truth[truth == k], c) for k in classes) for c in COVERAGES)
    return PredictionSets(COVERAGES, tuple(set_threshold(of_truth, c) for c in COVERAGES), by_class, len(truth))


def _unknown_rule(fit: Fit, left_out_familiarity: NDArray[np.float64], recipe: Recipe) -> UnknownRule | None:
    """From images left out in turn: their scores, and their familiarity to prototypes made without them."""
    rows = fit.calibrating
    count = int(rows.sum())
    if recipe.unknown_budget <= 0 or count * recipe.unknown_budget < 1:
        return None
    familiarity = left_out_familiarity[rows]
    evidence = fit.out_of_fold[rows].max(axis=1).astype(np.float64)
    least_familiar, least_evidence = unknown_thresholds(familiarity, evidence, recipe.unknown_budget)
    return UnknownRule(least_familiar, least_evidence, recipe.unknown_budget, count)


def _left_out_familiarity(material: Material, recipe: Recipe) -> NDArray[np.float64]:
    """Of each fitted image, to prototypes made without its fold; NaN where it is never left out."""
    embeddings, folds = material.embeddings[material.fitted], material.folds[material.fitted]
    familiarity = np.full(len(embeddings), np.nan)
    for fold in np.unique(folds[folds >= 0]):
        prototypes = find_prototypes(embeddings[folds != fold], recipe.prototypes, recipe.seed)
        familiarity[folds == fold] = familiarity_of(embeddings[folds == fold], prototypes)
    return familiarity


def _refuse_disagreement(graph: bytes, card: ModelCard, material: Material, head: Head) -> None:
    """The file must answer as the head that was fitted does, through decoding, geometry and network."""
    order = np.random.default_rng(0).permutation(len(material.dataset.samples))[:AGREEING_IMAGES]
    chosen = [material.dataset.samples[row] for row in order]
    model = load_bytes(with_card(graph, card))
    expected = head.answer({layer: values[order] for layer, values in material.layers.items()})
    answers = model.outputs_many([str(sample.path) for sample in chosen], tuple(expected))
    for row, (sample, answer) in enumerate(zip(chosen, answers, strict=True)):
        if not isinstance(answer, dict):
            continue  # the file has gone since it was seen; what was seen of it is kept
        difference = max(float(np.abs(answer[name] - values[row]).max()) for name, values in expected.items())
        if difference > TOLERANCE:
            raise InvalidModel(
                f"the exported file must answer as the trained head does; on {sample.name} they differ by "
                f"{difference:.2g}"
            )
