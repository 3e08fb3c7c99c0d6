"""From what a model said of images whose truth is known to an evaluation. Pure: nothing is read and no model runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from beholder.evaluation.collecting import collect_next
from beholder.evaluation.evaluation import Evaluation, EvaluationKind
from beholder.evaluation.intervals import Estimate, rounded
from beholder.evaluation.measuring_confidence import (
    measure_answers,
    measure_calibration,
    measure_class_sets,
    measure_risk,
    measure_sets,
    measure_strangers,
)
from beholder.evaluation.measuring_labels import measure_classes, measure_confusion, measure_labels, part_measure
from beholder.evaluation.parts import AnsweredStranger, LeftOut, Mistake, Unanswered
from beholder.evaluation.predictions import Predictions, Strangers
from beholder.evaluation.slices import MOST_VALUES, slice_by


def evaluate_predictions(
    said: Predictions,
    *,
    model: str,
    dataset: str,
    kind: EvaluationKind = "test",
    fitted_known: bool = True,
    copies_apart: bool = False,
    unknown_budget: float | None = None,
    left_out: Sequence[LeftOut] = (),
    notes: Sequence[str] = (),
    seed: int = 0,
) -> Evaluation:
    """Measure everything that can be measured on predictions.

    Args:
        said: what the model said, and the truth.
        model: its name.
        dataset: digest of the dataset.
        kind: `test` where the images were set apart from training; `cross-validated` where each was answered by a model
            fitted without it; `held-out` where one part was kept for all about confidence.
        fitted_known: whether it is known which images the model was fitted on, so that none of these is among them.
        copies_apart: whether nothing that was measured shows the same as an image that the model was fitted on.
        unknown_budget: the share of known images that the model's rule for *unknown* may leave unanswered.
        left_out: images that were not measured, and why.
        notes: what else a reader should know.
        seed: of resamples and simulations; the same seed gives the same evaluation.
    """
    labels = measure_labels(said, seed=seed)
    calibrated = measure_calibration(said, seed=seed)
    area, risk_points = measure_risk(said, seed=seed)
    sets, set_sizes = measure_sets(said, seed=seed)
    unknown, strangers = measure_strangers(said)
    measured = {**labels, "ece": calibrated.error, **({} if said.multi_label else {"aurc": area})}
    per_class, confusion = measure_classes(said), measure_confusion(said)
    metric, measure = part_measure(said, seed=seed)
    slices, unsliced = slice_by(said.columns, measure, metric, labels[metric])
    return Evaluation(
        model=model,
        dataset=dataset,
        kind=kind,
        fitted_known=fitted_known,
        copies_apart=copies_apart,
        unknown_budget=unknown_budget,
        multi_label=said.multi_label,
        classes=said.classes,
        count=said.count,
        metrics={**measured, **sets, **measure_class_sets(said, seed=seed), **measure_answers(said), **unknown},
        per_class=per_class,
        confusion=confusion,
        ece_if_calibrated=calibrated.if_perfect,
        reliability=calibrated.bins,
        risk_coverage=risk_points,
        set_sizes=set_sizes,
        strangers=strangers,
        slices=slices,
        mistakes=_mistakes(said),
        unanswered=_unanswered(said),
        answered_strangers=_answered_strangers(said),
        collect_next=collect_next(per_class, confusion, _overall_recall(labels)),
        left_out=tuple(left_out),
        notes=(*notes, *(_unsliced_note(column) for column in unsliced)),
    )


def _overall_recall(labels: dict[str, Estimate]) -> Estimate:
    return labels.get("micro_recall") or labels["top1"]


def _mistakes(said: Predictions) -> tuple[Mistake, ...]:
    """Every wrong answer, the most confident first."""
    found = _wrong_labels(said) if said.multi_label else _wrong_classes(said)
    return tuple(sorted(found, key=lambda mistake: -mistake.confidence))


def _wrong_classes(said: Predictions) -> Iterator[Mistake]:
    truth, predicted, confidence = said.class_truth, said.predicted, said.confidence
    for index in np.flatnonzero(truth != predicted):
        names = said.classes[truth[index]], said.classes[predicted[index]]
        yield Mistake(said.sources[index], *names, rounded(confidence[index]))


def _wrong_labels(said: Predictions) -> Iterator[Mistake]:
    truth, accepted = said.label_truth, said.label_accepted
    for index, k in np.argwhere(truth != accepted):
        probability, name = float(said.probabilities[index, k]), said.classes[k]
        if truth[index, k]:
            yield Mistake(said.sources[index], name, None, rounded(1 - probability))
        else:
            yield Mistake(said.sources[index], None, name, rounded(probability))


def _unanswered(said: Predictions) -> tuple[Unanswered, ...]:
    """Images of known classes that were answered *unknown*, the most confident first."""
    if said.unanswered is None:
        return ()
    nearest, confidence = said.predicted, said.confidence
    found = [
        Unanswered(
            said.sources[index], _truth_of(said, int(index)), said.classes[nearest[index]], rounded(confidence[index])
        )
        for index in np.flatnonzero(said.unanswered)
    ]
    return tuple(sorted(found, key=lambda image: -image.confidence))


def _truth_of(said: Predictions, index: int) -> str:
    if not said.multi_label:
        return said.classes[int(said.class_truth[index])]
    return ", ".join(said.classes[k] for k in np.flatnonzero(said.truth[index]))


def _answered_strangers(said: Predictions) -> tuple[AnsweredStranger, ...]:
    """Strangers that were taken for a known class, the most confident first."""
    found = [image for strangers in said.strangers for image in _answered(said.classes, strangers)]
    return tuple(sorted(found, key=lambda image: -image.confidence))


def _answered(classes: tuple[str, ...], strangers: Strangers) -> Iterator[AnsweredStranger]:
    if strangers.sources is None or strangers.probabilities is None or strangers.unanswered is None:
        return
    for index in np.flatnonzero(~strangers.unanswered).tolist():
        row = strangers.probabilities[index]
        best = int(row.argmax())
        yield AnsweredStranger(strangers.sources[index], strangers.kind, classes[best], rounded(row[best]))


def _unsliced_note(column: str) -> str:
    return f"The column {column} was not looked at by value: it has only one, or more than {MOST_VALUES}."
