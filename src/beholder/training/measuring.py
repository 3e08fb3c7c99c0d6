"""What a trained head is worth: measured on its test part, or on images left out in turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beholder import __version__
from beholder.evaluation import (
    UNREADABLE,
    Evaluation,
    LeftOut,
    Strangers,
    evaluate_predictions,
    predictions_of,
    strangers_of,
)
from beholder.model import Measure, ModelCard
from beholder.training.exporting import ExportedHead
from beholder.training.learning import Learned
from beholder.training.material import Material


def measure(learned: Learned, card: ModelCard, exported: ExportedHead, seed: int) -> Evaluation:
    """Measure a head on the test part, or where there is none on the images that were left out in turn.

    Args:
        learned: the head, what it was fitted on, and what was kept from it.
        card: the rules it answers by.
        exported: the head as the file has it.
        seed: of resamples.
    """
    material, head = learned.material, learned.head
    tested = bool(material.tested.any())
    if tested:
        rows = np.flatnonzero(material.tested)
        answers: dict[str, NDArray[Any]] = {**exported.answer({k: v[rows] for k, v in material.layers.items()})}
    else:
        inside = head.fit.calibrating
        rows = np.flatnonzero(material.fitted)[inside]
        scores = head.fit.out_of_fold[inside]
        answers = {"logits": scores, "probabilities": head.confidence.probabilities(scores)}
        answers["familiarity"] = learned.left_out_familiarity[inside]
    samples = [material.dataset.samples[row] for row in rows]
    said = predictions_of(card, samples, answers, material.targets[rows], _strangers(material, card, exported, answers))
    left_out = [LeftOut(UNREADABLE, len(material.failures))] if material.failures else []
    return evaluate_predictions(
        said,
        model=card.name,
        dataset=learned.version,
        kind="test" if tested else "cross-validated",
        left_out=left_out,
        notes=material.dataset.notes,
        seed=seed,
    )


def _strangers(
    material: Material, card: ModelCard, exported: ExportedHead, known: Mapping[str, NDArray[Any]]
) -> tuple[Strangers, ...]:
    """The images of nothing known that the owner gave."""
    strangers = material.dataset.strangers
    if not strangers:
        return ()
    answers = exported.answer(material.strangers)
    return (strangers_of(card, "given", known, answers, [stranger.name for stranger in strangers]),)


def measures_of(evaluation: Evaluation) -> tuple[Measure, ...]:
    """The numbers of an evaluation as a card holds them."""
    kind = "its test images" if evaluation.kind == "test" else "images left out in turn (cross-validated)"
    return tuple(
        Measure(
            metric=name,
            value=estimate.value,
            origin="measured",
            by=f"Beholder {__version__}",
            dataset=f"{kind} of {evaluation.dataset}",
            low=estimate.low,
            high=estimate.high,
            count=estimate.count,
        )
        for name, estimate in evaluation.metrics.items()
        if estimate.value is not None
    )
