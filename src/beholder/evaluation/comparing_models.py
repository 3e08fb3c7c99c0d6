"""Two model files on a dataset: from images whose truth is known to a comparison."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from beholder.data import Dataset, Split
from beholder.data.listing import counted, some
from beholder.evaluation.asking import Answers, ask_samples, opened
from beholder.evaluation.assembling import predictions_of
from beholder.evaluation.choosing import FITTED, Chosen, Known, choose
from beholder.evaluation.comparing import ComparedMetric, Comparison, compare_predictions
from beholder.evaluation.matching import match_classes
from beholder.evaluation.material import Place, Report, read_material
from beholder.evaluation.parts import LeftOut
from beholder.evaluation.predictions import Predictions
from beholder.model import FileModel, ModelCard

_NOT_BOTH: Final = "they are of classes that not both models know"
_EITHER_FITTED: Final = "one of the models was fitted on them"


def compare(
    first: FileModel | Place,
    second: FileModel | Place,
    data: Place | Dataset,
    *,
    split: Split | None = None,
    metric: ComparedMetric | None = None,
    report: Report | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare two models on images whose truth is known and that neither was fitted on, of classes that both know.

    Args:
        first: such as the model in use.
        second: such as the one to replace it; the verdict is about this one.
        data: as for `evaluate`.
        split: compare only on this part of the data.
        metric: by default top-1 where an image has one label, and mAP where it may have several.
        report: told what is going on.
        seed: of the resamples.

    Raises:
        WrongTask: a model does not classify.
        InvalidModel: one is damaged, hostile, or not what its card says.
        DataError: the data cannot be read, or there are no images to compare on.
        UsageError: one gives one label per image and the other several, or the metric is not one for them.
    """
    tell: Report = report or (lambda *_: None)
    with opened(first) as one, opened(second) as other:
        known = Known.of(one.card).shared(Known.of(other.card))
        material = read_material(data, tell)
        chosen = choose(material.dataset, known, split)
        of_first, of_second = ask_samples(one, chosen.samples, tell), ask_samples(other, chosen.samples, tell)
    tell("measuring", 0, 1)
    places = np.intersect1d(of_first.places, of_second.places)
    failures = {failure.source: failure for failure in (*of_first.failures, *of_second.failures)}
    unread, unread_notes = material.left_out(list(failures.values()), split)
    comparison = compare_predictions(
        _said(one.card, of_first, chosen, known, places),
        _said(other.card, of_second, chosen, known, places),
        models=_names((first, one), (second, other)),
        dataset=material.version,
        metric=metric,
        seed=seed,
    )
    tell("measuring", 1, 1)
    strange = [LeftOut(_NOT_BOTH, len(chosen.near))] if chosen.near else []
    return replace(
        comparison,
        left_out=(*map(_reworded, chosen.left_out), *strange, *unread),
        notes=(*material.dataset.notes, *chosen.notes, *_class_notes(known, one.card, other.card), *unread_notes),
    )


def _said(card: ModelCard, answers: Answers, chosen: Chosen, known: Known, places: NDArray[np.intp]) -> Predictions:
    """What a model said of the images that both could read; classes that both know have the same names."""
    rows = np.searchsorted(answers.places, places)
    column = match_classes(known.labels, card.labels).columns
    columns = [column[label] for label in known.labels]
    shared_truth = chosen.truth(len(known.labels))[places]
    truth = np.zeros((len(places), len(card.labels)), np.bool_)
    truth[:, columns] = shared_truth
    tensors = {name: values[rows] for name, values in answers.tensors.items()}
    said = predictions_of(card, [chosen.samples[place] for place in places], tensors, truth)
    if card.multi_label:  # the other labels say nothing about which of the two is better
        return replace(
            said,
            classes=known.labels,
            probabilities=said.probabilities[:, columns],
            truth=shared_truth,
            accepted=said.label_accepted[:, columns],
        )
    names = {index: label for label, index in column.items()}
    return replace(said, classes=tuple(names.get(index, label) for index, label in enumerate(card.labels)))


def _names(*models: tuple[FileModel | Place, FileModel]) -> tuple[str, str]:
    """By what the two are told apart: their names, or the paths of their files where these are equal."""
    (first, one), (second, other) = models
    if one.card.name != other.card.name or isinstance(first, FileModel) or isinstance(second, FileModel):
        return one.card.name, other.card.name
    return os.fspath(first), os.fspath(second)


def _reworded(left_out: LeftOut) -> LeftOut:
    return replace(left_out, reason=_EITHER_FITTED) if left_out.reason == FITTED else left_out


def _class_notes(known: Known, *cards: ModelCard) -> list[str]:
    """What one model alone knows."""
    notes = []
    for card in cards:
        shared = match_classes(known.labels, card.labels).columns.values()
        alone = [label for index, label in enumerate(card.labels) if index not in shared]
        if alone:
            notes.append(f"Only {card.name} knows {counted(len(alone), 'class', 'classes')}: {some(alone, 8)}.")
    return notes
