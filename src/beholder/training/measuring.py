"""What a trained head is worth: measured on its test part, or on images left out in turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

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

NEVER_LEFT_OUT: Final = "never left out of the fit, for no other picture shows a class of theirs"
"""Why an image is not in cross-validated numbers."""

_MOSTLY_DIFFERENT: Final = 0.9


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
    return evaluate_predictions(
        said,
        model=card.name,
        dataset=learned.version,
        kind="test" if tested else "cross-validated",
        copies_apart=_copies_apart(material),
        unknown_budget=None if card.unknown is None else card.unknown.budget,
        left_out=_left_out(material, tested),
        notes=(*material.dataset.notes, *_alike_notes(material, rows)),
        seed=seed,
    )


def _copies_apart(material: Material) -> bool:
    """Whether nothing that is tested shows the same as an image that is fitted on; an owner's split may mix them."""
    return not np.isin(material.groups[material.tested], material.groups[material.fitted]).any()


def _left_out(material: Material, tested: bool) -> list[LeftOut]:
    """Images that are not in the numbers, and why."""
    never = 0 if tested else int(material.never_left_out.sum())
    counts = {UNREADABLE: len(material.failures), NEVER_LEFT_OUT: never}
    return [LeftOut(reason, count) for reason, count in counts.items() if count]


def _alike_notes(material: Material, rows: NDArray[np.intp]) -> list[str]:
    """That many of the measured images show the same thing: then they tell less than so many independent ones."""
    different = material.distinct(rows)
    if not len(rows) or different >= _MOSTLY_DIFFERENT * len(rows):
        return []
    things = "1 different thing" if different == 1 else f"{different:,} different things"
    return [f"The {len(rows):,} images measured show {things}: the intervals are narrower than they should be."]


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
