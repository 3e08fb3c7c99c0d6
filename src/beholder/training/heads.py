"""From a head to a model file: its card, its export, the proof that it answers alike, and its measures."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

import numpy as np

from beholder.data import ContentCache, Dataset
from beholder.model import EmbeddingSpace, ModelCard
from beholder.model.file import embedding_space, with_card
from beholder.training.card import card_of
from beholder.training.exporting import ExportedHead, Head, export_head
from beholder.training.features import Backbone
from beholder.training.learned import Learned, Report
from beholder.training.learning import learn
from beholder.training.measuring import measure, measures_of
from beholder.training.recipe import Recipe
from beholder.training.seen import with_note_of_seen
from beholder.training.trained import Trained, refuse_difference, refuse_other_answers

AGREEING_IMAGES: Final = 32
TOLERANCE: Final = 1e-4
"""How far what the exported file says may be from what was fitted."""


def train_head(
    backbone: Backbone,
    dataset: Dataset,
    recipe: Recipe,
    contents: ContentCache,
    name: str,
    report: Report | None = None,
) -> Trained:
    """Train a linear head on a backbone, export it, and measure the exported file.

    Args:
        backbone: whose features are used.
        dataset: what to learn from.
        recipe: how.
        contents: keeps what was seen of images, so that none is decoded twice.
        name: of the model.
        report: told what is going on.

    Raises:
        InvalidClasses: there is nothing to tell apart.
        InvalidModel: the exported file does not give the answers that were fitted.
    """
    tell: Report = report or (lambda *_: None)
    learned, head = learn(dataset, backbone, recipe, contents, tell)
    marks = backbone.card.provenance.fitted_on or ()
    learned = with_note_of_seen(learned, marks, backbone.card.name)
    fitted = time.perf_counter()
    card = card_of_head(learned, head, backbone, recipe, name)
    tell("exporting", 0, 1)
    graph = export_head(backbone.data, head)
    exported = ExportedHead(graph, head)
    _refuse_disagreement(graph, card, learned, head, exported)
    written = time.perf_counter()
    material = learned.material
    tested = exported.answer({layer: values[material.tested] for layer, values in material.layers.items()})
    strangers = exported.answer(material.strangers) if material.dataset.strangers else None
    evaluation = measure(learned, card, tested, strangers, recipe.seed)
    card = replace(card, evaluation=measures_of(evaluation))
    seconds = {**learned.seconds, "export": written - fitted, "evaluate": time.perf_counter() - written}
    facts = {
        "layers": list(head.fit.layers),
        "shares_of_views": [round(share, 4) for share in head.fit.shares],
        "penalties": [round(penalty, 6) for penalty in head.fit.penalties],
    }
    tell("done", 1, 1)
    return Trained(with_card(graph, card), card, evaluation, learned, seconds, facts)


def card_of_head(learned: Learned, head: Head, backbone: Backbone, recipe: Recipe, name: str) -> ModelCard:
    """What the model file of a head says about itself, but for what was measured.

    Args:
        learned: what is known of the head.
        head: which it is.
        backbone: what it was put on.
        recipe: how it was made.
        name: of the model.
    """
    space = backbone.card.embedding
    origin = backbone.card.provenance
    notes = [f"A linear head on {backbone.card.name}, which looks at {len(head.fit.layers)} of its layers."]
    if origin.data_source:
        notes.append(f"The backbone was trained on: {origin.data_source}.")
    embedding = EmbeddingSpace(
        space.space if space else embedding_space(backbone.graph_digest, backbone.card.geometry),
        head.prototypes.shape[1],
        bool(space and space.normalized),
        space.metric if space else "cosine",
    )
    made_of = replace(origin, parent=backbone.graph_digest, notes=tuple(notes), versions=None)
    return card_of(learned, recipe, name, geometry=backbone.card.geometry, embedding=embedding, origin=made_of)


def _refuse_disagreement(graph: bytes, card: ModelCard, learned: Learned, head: Head, exported: ExportedHead) -> None:
    """The file must answer as the head that was fitted does, through decoding, geometry and network."""
    material = learned.material
    order = np.random.default_rng(0).permutation(len(material.dataset.samples))[:AGREEING_IMAGES]
    chosen = [material.dataset.samples[row] for row in order]
    layers = {layer: values[order] for layer, values in material.layers.items()}
    expected = head.answer(layers)
    refuse_difference(expected, exported.answer(layers), chosen, TOLERANCE)
    refuse_other_answers(with_card(graph, card), expected, chosen, TOLERANCE)
