"""A model file on a dataset: from images whose truth is known to an evaluation."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Final, get_args

from beholder.data import Dataset, Sample, Split
from beholder.data.listing import counted, some
from beholder.errors import EmptySource, SourceNotFound, UsageError
from beholder.evaluation.asking import Answers, ask, ask_samples, input_of, opened
from beholder.evaluation.assembling import predictions_of
from beholder.evaluation.choosing import Chosen, Known, choose
from beholder.evaluation.evaluating import evaluate_predictions
from beholder.evaluation.evaluation import Evaluation
from beholder.evaluation.material import Place, Report, read_material
from beholder.evaluation.parts import StrangerKind
from beholder.evaluation.predictions import Predictions
from beholder.evaluation.strangeness import strangers_of
from beholder.image import Input, Limits, expand
from beholder.model import FileModel, ModelCard

Strange = Place | Mapping[StrangerKind, Place | Sequence[Place]]
"""Images of nothing known: where they are, or where those of each kind are."""

_NOTHING_THERE: Final = (SourceNotFound.kind, EmptySource.kind)


def evaluate(
    model: FileModel | Place,
    data: Place | Dataset,
    *,
    split: Split | None = None,
    unknown: Strange | None = None,
    report: Report | None = None,
    seed: int = 0,
) -> Evaluation:
    """Measure a model on images whose truth is known and that it was not fitted on.

    Args:
        model: a model that classifies, or its file.
        data: a dataset, or where it is: a folder with a folder for each class, a CSV or COCO file.
        split: measure only this part of the data.
        unknown: where images are that belong to none of the classes: a folder, a pattern, an archive. They are of the
            kind `given`, unless kinds are named, as in `{"far": "paintings/", "near": "moths/"}`.
        report: told what is going on.
        seed: of resamples and simulations; the same seed gives the same evaluation.

    Raises:
        WrongTask: the model does not classify.
        InvalidModel: it is damaged, hostile, or not what its card says.
        DataError: the data cannot be read, or no image of it can be measured: the model knows none of its classes, or
            was fitted on all of it.
        UsageError: the data has no such split, or there are no images at `unknown`.
    """
    tell: Report = report or (lambda *_: None)
    places = _places(unknown)
    with opened(model) as running:
        known = Known.of(running.card)
        material = read_material(data, tell)
        chosen = choose(material.dataset, known, split)
        strange = _ask_strangers(running, chosen, places, tell)  # first: a wrong place is told before the long work
        answers = ask_samples(running, chosen.samples, tell)
    said = _said(running.card, chosen, answers, strange)
    tell("measuring", 0, 1)
    failures = [failure for asked in (answers, *strange.values()) for failure in asked.failures]
    unread, unread_notes = material.left_out(failures, split)
    evaluation = evaluate_predictions(
        said,
        model=running.card.name if isinstance(model, FileModel) else Path(model).name,
        dataset=material.version,
        fitted_known=not known.unmarked,
        unknown_budget=None if running.card.unknown is None else running.card.unknown.budget,
        left_out=(*chosen.left_out, *unread),
        notes=(*material.dataset.notes, *chosen.notes, *_strange_notes(chosen), *unread_notes),
        seed=seed,
    )
    tell("measuring", 1, 1)
    return evaluation


def _said(card: ModelCard, chosen: Chosen, answers: Answers, strange: Mapping[StrangerKind, Answers]) -> Predictions:
    """What the model said, beside the truth."""
    return predictions_of(
        card,
        [chosen.samples[place] for place in answers.places],
        answers.tensors,
        chosen.truth(len(card.labels))[answers.places],
        [
            strangers_of(card, kind, answers.tensors, asked.tensors, asked.names)
            for kind, asked in strange.items()
            if asked.names
        ],
    )


def _places(unknown: Strange | None) -> dict[StrangerKind, list[str]]:
    """Where strangers of each kind are."""
    if unknown is None:
        return {}
    by_kind: Mapping[StrangerKind, Place | Sequence[Place]]
    by_kind = unknown if isinstance(unknown, Mapping) else {"given": unknown}
    strange = [kind for kind in by_kind if kind not in get_args(StrangerKind)]
    if strange:
        raise UsageError(f"unknown: kinds are {', '.join(get_args(StrangerKind))}, found {strange[0]!r}")
    return {
        kind: [os.fsdecode(place) for place in ([found] if isinstance(found, str | os.PathLike) else found)]
        for kind, found in by_kind.items()
    }


def _ask_strangers(
    model: FileModel, chosen: Chosen, places: Mapping[StrangerKind, Sequence[str]], tell: Report
) -> dict[StrangerKind, Answers]:
    """What the model says of strangers: those in the data, and those from elsewhere."""
    samples: dict[StrangerKind, Sequence[Sample]] = {"far": (), "near": chosen.near, "given": chosen.given}
    asked: dict[StrangerKind, Answers] = {}
    for kind, own in samples.items():
        elsewhere = places.get(kind, ())
        if not own and not elsewhere:
            continue
        images: Iterable[Input] = chain(map(input_of, own), _expanded(elsewhere))
        answers = ask(model, images, lambda done: tell("strangers", done, 0))
        for failure in answers.failures:
            if failure.kind in _NOTHING_THERE and failure.source in elsewhere:
                raise UsageError(f"unknown: {failure}")
        asked[kind] = answers
    return asked


def _expanded(places: Sequence[str]) -> Iterator[Input]:
    for place in places:
        yield from expand(place, Limits())


def _strange_notes(chosen: Chosen) -> list[str]:
    """Which classes of the data the model does not know, and what became of their images."""
    if not chosen.strange:
        return []
    which = f"The model does not know {counted(len(chosen.strange), 'class', 'classes')} of the data"
    names = some(chosen.strange, 8)
    became = f"; {counted(len(chosen.near), 'image')} of nothing else taken as near strangers" if chosen.near else ""
    return [f"{which}: {names}{became}."]
