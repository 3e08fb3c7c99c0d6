"""Which networks are fitted: one, looked at on what is held out; or one for each fold, and then the one to keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Self

import numpy as np
import torch
from numpy.typing import NDArray

from beholder.errors import ImageError, UnreadableImage
from beholder.training.completing import familiarity_of
from beholder.training.confidence import OF_LOGITS, find_prototypes, fit_confidence
from beholder.training.learned import Learned
from beholder.training.material import Material, image_weights
from beholder.training.networks.answering import answers
from beholder.training.networks.keeping import Keeper
from beholder.training.networks.lesson import Fitted, Lesson
from beholder.training.networks.loading import Feed
from beholder.training.networks.pixels import GONE, SelectedPixels
from beholder.training.networks.preparing import Work, augmentation_of, recognizer_of, start_network
from beholder.training.networks.processes import fit

_FOR_PROTOTYPES: Final = 5_000
"""So many images are enough to find points that stand for them."""


@dataclass(frozen=True, slots=True)
class Done:
    """What there is when networks are fitted.

    Attributes:
        work: with the images that could be read to the end.
        learned: what is known of the network by images that it has not seen.
        fitted: the network that is kept.
        prototypes: float32 `(p, d)`, of length 1, that stand for the images that it was fitted on.
    """

    work: Work
    learned: Learned
    fitted: Fitted
    prototypes: NDArray[np.float32]


@dataclass(slots=True)
class _Heard:
    """What networks have said of images that they have not seen.

    Attributes:
        scores: float32 `(n, k)`, NaN where there is nothing.
        familiarity: float64 `(n,)`, likewise.
        epochs: the best epoch of each network.
        failures: why images could not be read, by row.
    """

    scores: NDArray[np.float32]
    familiarity: NDArray[np.float64]
    epochs: list[int]
    failures: dict[int, str]

    @classmethod
    def nothing(cls, material: Material) -> Self:
        """Before the first network."""
        return cls(np.full(material.targets.shape, np.nan, np.float32), np.full(len(material.groups), np.nan), [], {})

    def hear(self, held: NDArray[np.intp], kept: Mapping[str, NDArray[Any]]) -> None:
        """Take in what a network said of what was held out."""
        self.scores[held], self.familiarity[held] = kept["logits"], kept["familiarity"]
        self.epochs.append(int(kept["epoch"]))


def fit_all(work: Work) -> Done:
    """Networks for what is held out, and the one that is kept.

    Where each fold is left out in turn, the network that is kept has nothing to be looked at on: it is trained for as
    many epochs as were best for the others, by the median, where there was patience for a best one.
    """
    material = work.material
    heard = _Heard.nothing(material)
    turns = np.unique(material.folds[material.folds >= 0])
    if _is_crossed(work):
        work = _with_minutes(work, len(turns) + 1)
        _take_turns(work, heard)
        turns = turns[:0]
        work = _with_epochs(work, heard.epochs)
    held = np.flatnonzero(material.folds == turns[0]) if len(turns) else np.empty(0, np.intp)
    rows = np.setdiff1d(np.flatnonzero(material.fitted), held)
    fitted = _fit(work, "final", "training", rows, held)
    heard.failures.update(fitted.progress.failures)
    prototypes = _prototypes(work, fitted, rows)
    for asked in (held, np.flatnonzero(material.tested)):
        if len(asked):
            heard.hear(asked, _said(work, fitted, prototypes, asked))
    work, learned = _without_failures(work, heard, rows)
    return Done(work, learned, fitted, prototypes)


def learn_only(work: Work) -> Learned:
    """What `fit_all` learns of images that networks have not seen; without the one to keep, where it adds nothing."""
    if work.material.tested.any() or not _is_crossed(work):
        return fit_all(work).learned
    heard = _Heard.nothing(work.material)
    _take_turns(_with_minutes(work, int(work.material.folds.max()) + 1), heard)
    return _without_failures(work, heard, np.flatnonzero(work.material.fitted))[1]


def _is_crossed(work: Work) -> bool:
    return work.plan.recipe.cross_validates(bool(work.material.tested.any()))


def _with_minutes(work: Work, networks: int) -> Work:
    """The minutes of a recipe are those of all networks together."""
    recipe = replace(work.plan.recipe, minutes=work.plan.recipe.minutes / networks)
    return replace(work, plan=replace(work.plan, recipe=recipe))


def _with_epochs(work: Work, epochs: list[int]) -> Work:
    """As many epochs as were best for other networks, where there was patience for it."""
    if not work.plan.recipe.patience or not epochs:
        return work
    return replace(work, plan=replace(work.plan, epochs=max(1, round(float(np.median(epochs))))))


def _take_turns(work: Work, heard: _Heard) -> None:
    turns = np.unique(work.material.folds[work.material.folds >= 0])
    for turn in turns:
        _take_turn(work, heard, int(turn), len(turns))


def _take_turn(work: Work, heard: _Heard, turn: int, turns: int) -> None:
    """A network for one fold, unless it was there before."""
    material, place = work.material, f"fold-{turn}"
    held = np.flatnonzero(material.folds == turn)
    kept = work.keeper.get(place)
    if kept is None:
        rows = np.flatnonzero(material.fitted & (material.folds != turn))
        fitted = _fit(work, place, f"training, fold {turn + 1} of {turns}", rows, held)
        heard.failures.update(fitted.progress.failures)
        kept = _said(work, fitted, _prototypes(work, fitted, rows), held)
        work.keeper.put(place, kept)
        work.keeper.drop(place)
    heard.hear(held, kept)


def _fit(work: Work, place: str, words: str, rows: NDArray[np.intp], held: NDArray[np.intp]) -> Fitted:
    """One network, fitted on some images and looked at on others."""
    plan, material = work.plan, work.material
    network = start_network(plan)
    seed = plan.recipe.seed
    targets = material.targets
    weights = np.ones(len(targets))
    weights[rows] = image_weights(targets[rows], plan.recipe.balance)
    lesson = Lesson(
        feed=Feed(work.pixels, rows, augmentation_of(plan), batch=min(plan.batch, len(rows)), seed=seed),
        pixels=work.pixels,
        targets=torch.from_numpy(targets.astype(np.float32)),
        weights=torch.from_numpy(weights.astype(np.float32)),
        held_out=held,
        multi_label=material.dataset.multi_label,
    )
    recognizer = recognizer_of(plan, network)
    keeper = Keeper(work.keeper.folder / place)
    return fit(recognizer, plan, lesson, keeper, partial(work.tell, words))


def _said(
    work: Work, fitted: Fitted, prototypes: NDArray[np.float32], rows: NDArray[np.intp]
) -> dict[str, NDArray[Any]]:
    """What a network says of images that it has not seen, and how familiar they are to it."""
    said = answers(fitted.recognizer, work.pixels, rows, _together(work, fitted))
    familiarity = familiarity_of(said.embeddings, prototypes).astype(np.float64)
    return {"logits": said.logits, "familiarity": familiarity, "epoch": np.array(fitted.progress.best[1])}


def _together(work: Work, fitted: Fitted) -> int:
    """Images that fit into memory at once, at least."""
    return max(1, work.plan.batch // fitted.progress.parts)


def _prototypes(work: Work, fitted: Fitted, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """Points that stand for the images that a network was fitted on, or for many of them, in its embedding."""
    recipe = work.plan.recipe
    drawn = np.sort(np.random.default_rng(recipe.seed).permutation(rows)[:_FOR_PROTOTYPES])
    embeddings = answers(fitted.recognizer, work.pixels, drawn, _together(work, fitted)).embeddings
    readable = embeddings[~np.isnan(embeddings[:, 0])]
    return find_prototypes(readable, min(recipe.prototypes, len(readable)), recipe.seed)


def _without_failures(work: Work, heard: _Heard, rows: NDArray[np.intp]) -> tuple[Work, Learned]:
    """What is known then, without the images that were there at the start and could not be read to the end.

    Args:
        work: with all images.
        heard: of those that were asked about.
        rows: of those that were fitted on, which need not have been asked about.
    """
    material, samples = work.material, work.material.dataset.samples
    asked = material.tested | (material.folds >= 0)
    silent = np.flatnonzero(asked & np.isnan(heard.scores[:, 0]) & ~np.isin(np.arange(len(samples)), rows))
    reasons = {int(row): GONE for row in silent} | heard.failures
    if reasons:
        failures: dict[int, ImageError] = {
            row: UnreadableImage(samples[row].name, reason) for row, reason in reasons.items()
        }
        stay = np.array([row for row in range(len(samples)) if row not in failures], np.intp)
        work = replace(work, material=material.without(failures), pixels=SelectedPixels(work.pixels, stay.tolist()))
        heard = replace(heard, scores=heard.scores[stay], familiarity=heard.familiarity[stay])
    calibrating = work.material.fitted & ~np.isnan(heard.scores[:, 0])
    confidence = fit_confidence(
        heard.scores[calibrating].astype(np.float64),
        work.material.targets[calibrating],
        work.material.dataset.multi_label,
        OF_LOGITS,
    )
    learned = Learned(work.material, confidence, heard.scores, heard.familiarity, work.version, {})
    return work, learned
