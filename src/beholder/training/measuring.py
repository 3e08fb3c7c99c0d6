"""What a trained model is worth: measured on its test part, or on images left out in turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from beholder import __version__
from beholder.evaluation import (
    UNREADABLE,
    Evaluation,
    EvaluationKind,
    LeftOut,
    Strangers,
    evaluate_predictions,
    predictions_of,
    strangers_of,
)
from beholder.model import Measure, ModelCard
from beholder.training.learned import Learned
from beholder.training.material import Material
from beholder.training.recipe import Recipe
from beholder.training.trained import Answers

NEVER_LEFT_OUT: Final = "never left out of the fit, for no other picture shows a class of theirs"
"""Why an image is not in cross-validated numbers."""

FITTED_ON: Final = "fitted on, and not among those held out"
"""Why an image is not in numbers that one part was held out for."""

CHOSEN_HERE: Final = "The number of epochs was chosen on the same images (patience): on new ones expect a little less."
"""What numbers are worth whose images also said when to stop."""

_MEASURED_ON: Final[Mapping[EvaluationKind, str]] = {
    "test": "its test images",
    "cross-validated": "images left out in turn (cross-validated)",
    "held-out": "images held out",
}

_MOSTLY_DIFFERENT: Final = 0.9


def measure(learned: Learned, card: ModelCard, tested: Answers, strangers: Answers | None, seed: int) -> Evaluation:
    """Measure a model on the test part, or where there is none on the images that were left out in turn.

    Args:
        learned: what is known of the model, what it was fitted on, and what was kept from it.
        card: the rules it answers by.
        tested: what its file says of the test part.
        strangers: what its file says of the images of nothing known that the owner gave; None where there are none.
        seed: of resamples.
    """
    material = learned.material
    has_test = bool(material.tested.any())
    rows, answers = np.flatnonzero(material.tested), tested
    if not has_test:
        rows = np.flatnonzero(learned.calibrating)
        scores = learned.scores[rows]
        answers = {"logits": scores, "probabilities": learned.confidence.probabilities(scores)}
        answers["familiarity"] = learned.familiarity[rows]
    samples = [material.dataset.samples[row] for row in rows]
    beside = _strangers(material, card, strangers, answers)
    said = predictions_of(card, samples, answers, material.targets[rows], beside)
    return evaluate_predictions(
        said,
        model=card.name,
        dataset=learned.version,
        kind=_kind(learned),
        copies_apart=_copies_apart(material),
        unknown_budget=None if card.unknown is None else card.unknown.budget,
        left_out=_left_out(learned, has_test),
        notes=(*material.dataset.notes, *_alike_notes(material, rows), *_choice_notes(card, _kind(learned))),
        seed=seed,
    )


def _kind(learned: Learned) -> EvaluationKind:
    if learned.material.tested.any():
        return "test"
    return "held-out" if _only_fitted(learned).any() else "cross-validated"


def _only_fitted(learned: Learned) -> NDArray[np.bool_]:
    """Images in folds whose turn to be left out never came: where one fold was held out, those of the others."""
    return (learned.material.folds >= 0) & ~learned.calibrating


def _copies_apart(material: Material) -> bool:
    """Whether nothing that is tested shows the same as an image that is fitted on; an owner's split may mix them."""
    return not np.isin(material.groups[material.tested], material.groups[material.fitted]).any()


def _left_out(learned: Learned, has_test: bool) -> list[LeftOut]:
    """Images that are not in the numbers, and why."""
    material = learned.material
    counts = {UNREADABLE: len(material.failures)}
    if not has_test:
        counts[NEVER_LEFT_OUT] = int(material.never_left_out.sum())
        counts[FITTED_ON] = int(_only_fitted(learned).sum())
    return [LeftOut(reason, count) for reason, count in counts.items() if count]


def _alike_notes(material: Material, rows: NDArray[np.intp]) -> list[str]:
    """That many of the measured images show the same thing: then they tell less than so many independent ones."""
    different = material.distinct(rows)
    if not len(rows) or different >= _MOSTLY_DIFFERENT * len(rows):
        return []
    things = "1 different thing" if different == 1 else f"{different:,} different things"
    return [f"The {len(rows):,} images measured show {things}: the intervals are narrower than they should be."]


def _choice_notes(card: ModelCard, kind: EvaluationKind) -> list[str]:
    """That the epoch was chosen that did best on what is measured on; a test part has no say in that."""
    page = card.provenance.recipe
    if kind == "test" or page is None or not Recipe.from_toml(page).patience:
        return []
    return [CHOSEN_HERE]


def _strangers(material: Material, card: ModelCard, strangers: Answers | None, known: Answers) -> tuple[Strangers, ...]:
    """The images of nothing known that the owner gave."""
    if strangers is None:
        return ()
    names = [stranger.name for stranger in material.dataset.strangers]
    return (strangers_of(card, "given", known, strangers, names),)


def measures_of(evaluation: Evaluation) -> tuple[Measure, ...]:
    """The numbers of an evaluation as a card holds them."""
    kind = _MEASURED_ON[evaluation.kind]
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
