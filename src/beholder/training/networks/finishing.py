"""From a fitted network to its file: export, the proof that it answers alike, the card, the measures."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from beholder.errors import ImageError
from beholder.model import EmbeddingSpace, ModelCard
from beholder.model.card import Provenance
from beholder.model.file import embedding_space, graph_digest_of, read_card, with_card
from beholder.training.card import card_of
from beholder.training.completing import familiarity_of
from beholder.training.learned import Learned
from beholder.training.measuring import measure, measures_of
from beholder.training.networks.answering import answers
from beholder.training.networks.devices import accelerator
from beholder.training.networks.exporting import ExportedNetwork, export_network
from beholder.training.networks.lesson import Fitted
from beholder.training.networks.pixels import pixels_of
from beholder.training.networks.plan import Plan
from beholder.training.networks.preparing import SHEET, Work
from beholder.training.networks.turns import Done
from beholder.training.networks.weights import marks_of, weights_bytes
from beholder.training.seen import with_note_of_seen
from beholder.training.trained import Answers, Trained, refuse_difference, refuse_other_answers
from beholder.zoo import DEFAULT_MODEL, find

AGREEING_IMAGES: Final = 500
TOLERANCE: Final = 1e-3
"""How far what the exported file says may be from what the network says, beside the largest value."""

THROUGH_THE_FILE: Final = 32
"""Images that are also asked for through the whole file: decoding, geometry and graph."""


def finish(done: Done, name: str) -> Trained:
    """The file of a network, compared with it, and measured.

    Raises:
        InvalidModel: the network cannot be exported, or the file does not answer as it does.
    """
    work, learned, fitted = done.work, done.learned, done.fitted
    plan = work.plan
    if plan.weights_file is not None:
        learned = with_note_of_seen(learned, marks_of(plan.weights_file), Path(plan.weights_file).name)
    material = learned.material
    started = time.perf_counter()
    work.tell("exporting", 0, 1)
    graph = export_network(fitted.recognizer, plan.geometry.size_hw, learned.confidence, done.prototypes)
    exported = ExportedNetwork(graph)
    card = _card(work, learned, graph, done.prototypes.shape[1], name)
    agreement = _refuse_disagreement(done, exported, graph, card)
    written = time.perf_counter()
    tested = exported.answer(work.pixels, np.flatnonzero(material.tested))
    evaluation = measure(learned, card, tested, _strangers(work, exported), plan.recipe.seed)
    card = replace(card, evaluation=measures_of(evaluation))
    seconds = {**learned.seconds, "export": written - started, "evaluate": time.perf_counter() - written}
    return Trained(
        model=with_card(graph, card),
        card=card,
        evaluation=evaluation,
        learned=learned,
        seconds=seconds,
        facts={
            **plan.facts(),
            **_facts(plan, fitted, int(material.fitted.sum())),
            **agreement,
            "notes": [*work.notes, *fitted.progress.notes],
        },
        curve=fitted.progress.curve,
        files={
            SHEET: work.sheet,
            "weights.safetensors": weights_bytes(
                fitted.recognizer.network, plan.spec.channels, card.provenance.fitted_on or ()
            ),
        },
    )


def _facts(plan: Plan, fitted: Fitted, fitted_on: int) -> dict[str, Any]:
    progress = fitted.progress
    seconds = max(progress.seconds, 1e-9)
    return {
        "steps": progress.steps,
        "trained_seconds": round(progress.seconds, 1),
        "images_per_second": round(progress.steps * min(plan.batch, fitted_on) / seconds, 1),
        "waited_share": round(progress.waited / seconds, 4),
        "parts": progress.parts,
        "parameters": sum(weight.numel() for weight in fitted.recognizer.network.parameters()),
        "device": accelerator(),
        "threads": torch.get_num_threads(),
    }


def _card(work: Work, learned: Learned, graph: bytes, width: int, name: str) -> ModelCard:
    plan, recipe = work.plan, work.plan.recipe
    origin = Provenance()
    how = "trained from random weights"
    if plan.pretrained:
        how = f"fine-tuned from weights that {plan.architecture.weights} publishes"
        origin = Provenance(
            weights_source=f"pretrained weights of {recipe.architecture} in {plan.architecture.weights}"
        )
        if plan.architecture.weights == "embedded":
            how = f"fine-tuned from the weights of {recipe.architecture} that come with Beholder"
            origin = read_card(find(DEFAULT_MODEL)).provenance
    elif plan.weights_file is not None:
        how = "fine-tuned from weights of an earlier run"
        origin = replace(origin, fitted_on=tuple(marks_of(plan.weights_file)))
    notes = [f"A whole network, {recipe.architecture}, {how}."]
    if origin.data_source:
        notes.append(f"Those weights were trained on: {origin.data_source}.")
    versions = {"torch": str(torch.__version__)}
    return card_of(
        learned,
        recipe,
        name,
        geometry=plan.geometry,
        embedding=EmbeddingSpace(embedding_space(graph_digest_of(graph), plan.geometry), width, False, "cosine"),
        origin=replace(origin, parent=None, notes=tuple(notes), versions=versions),
    )


def _strangers(work: Work, exported: ExportedNetwork) -> Answers | None:
    """What the file says of the images of nothing known that the owner gave."""
    strangers = work.material.dataset.strangers
    if not strangers:
        return None
    pixels = pixels_of(strangers, work.material.facts, work.plan.geometry)
    try:
        return exported.answer(pixels, range(len(strangers)))
    except ImageError as error:  # gone since it was looked at: no reason to lose what was trained
        work.notes.append(f"nothing was measured on images of nothing known: {error}")
        work.say(work.notes[-1])
        return None


def _refuse_disagreement(done: Done, exported: ExportedNetwork, graph: bytes, card: ModelCard) -> dict[str, Any]:
    """The file must answer as the network does: on arrays, and for some images from their files.

    Held-out images first: on those that it was fitted on, a network is too sure to differ.
    """
    work, learned = done.work, done.learned
    unseen = ~np.isnan(learned.scores[:, 0])
    order = np.random.default_rng(0).permutation(len(unseen))
    order = order[np.argsort(~unseen[order], kind="stable")][:AGREEING_IMAGES]
    samples = [work.material.dataset.samples[row] for row in order]
    said = answers(done.fitted.recognizer, work.pixels, order)
    expected = {"logits": said.logits, "embedding": said.embeddings}
    expected["probabilities"] = learned.confidence.probabilities(said.logits)
    expected["familiarity"] = familiarity_of(said.embeddings, done.prototypes)
    found = exported.answer(work.pixels, order)
    refuse_difference(expected, found, samples, TOLERANCE)
    same = int((found["logits"].argmax(axis=1) == said.logits.argmax(axis=1)).sum())
    some = {name: values[:THROUGH_THE_FILE] for name, values in found.items()}
    refuse_other_answers(with_card(graph, card), some, samples[:THROUGH_THE_FILE], TOLERANCE)
    return {"agreeing": same, "compared": len(order)}
