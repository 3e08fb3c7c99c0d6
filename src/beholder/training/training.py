"""From a head to a model file: its card, its export, the proof that it answers alike, and its measures."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from beholder import __version__
from beholder.data import ContentCache, Dataset, Sample
from beholder.errors import InvalidModel
from beholder.evaluation import Evaluation
from beholder.model import Calibration, EmbeddingSpace, ModelCard
from beholder.model.card import PredictionSets, UnknownRule, fitting_mark
from beholder.model.file import embedding_space, with_card
from beholder.model.loading import load_bytes
from beholder.training.confidence import MINIMUM_FOR_CLASS_SETS, set_threshold, tune_thresholds, unknown_thresholds
from beholder.training.exporting import Confidence, ExportedHead, export_head
from beholder.training.features import Backbone
from beholder.training.head import Fit
from beholder.training.learning import Learned, Report, learn
from beholder.training.material import Material
from beholder.training.measuring import measure, measures_of
from beholder.training.recipe import Recipe

COVERAGES: Final = (0.9, 0.95)
AGREEING_IMAGES: Final = 32
TOLERANCE: Final = 1e-4
"""How far probabilities, logits and familiarity of the exported file may be from those that were fitted."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What training gives.

    Attributes:
        model: the bytes of the model file.
        card: its card.
        evaluation: what was measured on images that the head has not seen.
        learned: the head it was made of.
        seconds: how long each part took.
    """

    model: bytes
    card: ModelCard
    evaluation: Evaluation
    learned: Learned
    seconds: dict[str, float]


def train_head(
    dataset: Dataset,
    backbone: Backbone,
    recipe: Recipe,
    contents: ContentCache,
    name: str,
    report: Report | None = None,
) -> Trained:
    """Train a linear head on a backbone, export it, and measure the exported file.

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
    tell: Report = report or (lambda *_: None)
    learned = learn(dataset, backbone, recipe, contents, tell)
    fitted = time.perf_counter()
    card = card_of(learned, backbone, recipe, name)
    tell("exporting", 0, 1)
    graph = export_head(backbone.data, learned.head)
    exported = ExportedHead(graph, learned.head)
    _refuse_disagreement(graph, card, learned, exported)
    written = time.perf_counter()
    evaluation = measure(learned, card, exported, recipe.seed)
    card = replace(card, evaluation=measures_of(evaluation))
    seconds = {**learned.seconds, "export": written - fitted, "evaluate": time.perf_counter() - written}
    tell("done", 1, 1)
    return Trained(with_card(graph, card), card, evaluation, learned, seconds)


def card_of(learned: Learned, backbone: Backbone, recipe: Recipe, name: str) -> ModelCard:
    """What the model file of a head says about itself, but for what was measured.

    Args:
        learned: the head.
        backbone: what it was put on.
        recipe: how it was made.
        name: of the model.
    """
    material, fit, confidence = learned.material, learned.head.fit, learned.head.confidence
    dataset = material.dataset
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
        unknown=_unknown_rule(learned, recipe),
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
            data_digest=learned.version,
            recipe=recipe.to_toml(),
            parent=backbone.graph_digest,
            versions={"beholder": __version__, "numpy": np.__version__},
            fitted_on=tuple(sorted(fitting_mark(digest) for digest in fitted_on)),
            notes=tuple(notes),
        ),
    )


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


def _unknown_rule(learned: Learned, recipe: Recipe) -> UnknownRule | None:
    """From images left out in turn: their scores, and their familiarity to prototypes made without them.

    Where several labels may hold, none may hold either: then little evidence for any is no sign of a stranger.
    """
    fit = learned.head.fit
    rows = fit.calibrating
    count = int(rows.sum())
    if recipe.unknown_budget <= 0 or count * recipe.unknown_budget < 1:
        return None
    familiarity = learned.left_out_familiarity[rows]
    if learned.material.dataset.multi_label:
        least = float(np.sort(familiarity)[int(np.floor(recipe.unknown_budget * count))])
        return UnknownRule(least, None, recipe.unknown_budget, count)
    evidence = fit.out_of_fold[rows].max(axis=1).astype(np.float64)
    return UnknownRule(*unknown_thresholds(familiarity, evidence, recipe.unknown_budget), recipe.unknown_budget, count)


def _refuse_disagreement(graph: bytes, card: ModelCard, learned: Learned, exported: ExportedHead) -> None:
    """The file must answer as the head that was fitted does, through decoding, geometry and network."""
    material = learned.material
    order = np.random.default_rng(0).permutation(len(material.dataset.samples))[:AGREEING_IMAGES]
    chosen = [material.dataset.samples[row] for row in order]
    layers = {layer: values[order] for layer, values in material.layers.items()}
    expected = learned.head.answer(layers)
    _refuse_difference(expected, exported.answer(layers), chosen)
    model = load_bytes(with_card(graph, card))
    answers = list(model.outputs_many([str(sample.path) for sample in chosen], tuple(expected)))
    there = [row for row, answer in enumerate(answers) if isinstance(answer, dict)]  # the others have gone since
    rows = [answer for answer in answers if isinstance(answer, dict)]
    found = {name: np.stack([row[name] for row in rows]) for name in expected} if rows else {}
    _refuse_difference({n: v[there] for n, v in expected.items()}, found, [chosen[row] for row in there])


def _refuse_difference(
    expected: Mapping[str, NDArray[Any]], found: Mapping[str, NDArray[Any]], samples: Sequence[Sample]
) -> None:
    for name, values in found.items():
        differences = np.abs(values - expected[name]).reshape(len(samples), -1).max(axis=1)
        worst = int(differences.argmax())
        if differences[worst] > TOLERANCE:
            raise InvalidModel(
                f"the exported file must answer as the trained head does; on {samples[worst].name} they differ by "
                f"{differences[worst]:.2g} ({name})"
            )
