"""Runs side by side: what differs in how they were made, and whether their numbers may be compared at all."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from beholder.data import load_version
from beholder.data.sample import UNKNOWN
from beholder.errors import DataError
from beholder.evaluation import Evaluation
from beholder.model.card import fitting_mark
from beholder.training.history.record import RunRecord, usual_recipe

_DRAWN_BY: Final = ("seed", "folds", "validation_share", "cross_validate", "test_share")
"""Keys of the recipe that decide which images are held out."""

_MEASURED: Final = ("agreeing", "compared", "images_per_second", "waited_share", "notes")
"""Facts that differ from run to run, whatever is changed; and those that are told elsewhere."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A key whose values differ.

    Attributes:
        key: its name.
        values: one for each run, in their order; `None` where a run does not have it.
    """

    key: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Footing:
    """Whether the numbers of runs were measured on the same ground.

    Attributes:
        kind: `same images`; `other images` of the same data; `other data`; `unknown`.
        reason: what was found, in a sentence.
        unseen: of the images of their data, how many none of them was fitted on; `None` where that is not known.
    """

    kind: Literal["same images", "other images", "other data", "unknown"]
    reason: str
    unseen: int | None = None

    @property
    def comparable(self) -> bool:
        """Whether the numbers may stand side by side."""
        return self.kind == "same images"


def differences(runs: Sequence[RunRecord]) -> tuple[Difference, ...]:
    """The keys of the recipes that differ; where a recipe lacks a key, it counts as the usual value.

    So an older recipe does not differ by keys that came later, nor a head by keys of networks that nobody changed.
    """
    usual = {**usual_recipe("network"), **usual_recipe("head")}
    return _differing([run.recipe for run in runs], lambda key: usual.get(key))


def other_differences(runs: Sequence[RunRecord]) -> tuple[Difference, ...]:
    """What differs beside the recipe: the data, what was decided in training, the machine, the versions."""
    left_open = dict.fromkeys(key for run in runs for key, value in run.recipe.items() if value in ("auto", ["auto"]))
    facts: list[dict[str, Any]] = []
    for run in runs:
        decided = {key: value for key, value in run.facts.items() if key not in _MEASURED and key not in run.recipe}
        about = {"data version": run.dataset, "data": run.source, "images": run.images, "classes": run.classes}
        where = {"machine": run.machine, "python": run.python, **run.versions}
        facts.append({**about, **decided, **_decided(run, left_open), **where})
    if len({run.method for run in runs}) > 1:  # the rest would be a list of what a head has not
        facts = [{key: one[key] for key in one if all(key in other for other in facts)} for one in facts]
    return _differing(facts, lambda _: None)


def _decided(run: RunRecord, left_open: Collection[str]) -> dict[str, Any]:
    """What came to hold for the keys that a recipe left open."""
    return {f"{key} (in effect)": run.facts[key] for key in left_open if key in run.facts}


def _differing(runs: Sequence[Mapping[str, Any]], usual: Callable[[str], Any]) -> tuple[Difference, ...]:
    keys = dict.fromkeys(key for values in runs for key in values)
    found = []
    for key in keys:
        meant = [values.get(key, usual(key)) for values in runs]
        if any(value != meant[0] for value in meant):
            found.append(Difference(key, tuple(values.get(key) for values in runs)))
    return tuple(found)


def footing(runs: Sequence[RunRecord]) -> Footing:
    """Whether the numbers of runs may stand side by side: they may if they are of the same images."""
    versions = {run.dataset for run in runs}
    if None in versions:
        return Footing("unknown", "a run does not say which data it was measured on")
    if len(versions) > 1:
        return Footing("other data", "they were measured on different versions of the data")
    fitted = [run.fitted_on() for run in runs]
    measured = [run.evaluation() for run in runs]
    unseen = _unseen(runs, fitted, measured)
    kinds = {one.kind if one is not None else None for one in measured}
    if None in kinds or None in fitted:
        return Footing(
            "unknown", "it is not known on which images each was measured: a report or a model is gone", unseen
        )
    if len(kinds) > 1:
        return Footing("other images", "one was measured on a test part, another by leaving images out in turn", unseen)
    counts = [one.count for one in measured if one is not None]
    other = len(set(counts)) > 1 or len(set(fitted)) > 1
    if other or (kinds == {"held-out"} and _parts_differ(runs, counts)):
        return Footing("other images", "they were measured on different images of the same data", unseen)
    return Footing("same images", "they were measured on the same images of the same data", unseen)


def _parts_differ(runs: Sequence[RunRecord], counts: Sequence[int]) -> bool:
    """Whether runs that held out a part may have held out different ones."""
    whole = all(count == run.images for run, count in zip(runs, counts, strict=True))
    return not whole and bool({one.key for one in differences(runs)}.intersection(_DRAWN_BY))


def _unseen(
    runs: Sequence[RunRecord], fitted: Sequence[frozenset[str] | None], measured: Sequence[Evaluation | None]
) -> int | None:
    """How many images of their one version of the data none was fitted on.

    Images are counted by the manifest of the version, for marks do not tell how many: equal files have one.
    """
    known = [marks for marks in fitted if marks is not None]
    first = runs[0]
    if len(known) < len(runs) or first.images is None or first.dataset is None:
        return None
    try:
        entries = load_version(first.dataset).entries
    except DataError:  # it was trained elsewhere; without a test part all images are fitted on in the end
        return 0 if any(one is not None and one.kind != "test" for one in measured) else None
    marks: frozenset[str] = frozenset().union(*known)
    labelled = [entry for entry in entries if entry.labels and UNKNOWN not in entry.labels]
    return max(0, first.images - sum(fitting_mark(entry.digest) in marks for entry in labelled))


def paired_test(first: RunRecord, second: RunRecord) -> str | None:
    """The command that says which of two models is better; `None` where a model file is gone.

    Where it would have no images left, or the data are not where they were, `DATA` stands for others.
    """
    if first.model is None or second.model is None:
        return None
    there = first.source is not None and os.path.exists(first.source)
    usable = there and first.dataset == second.dataset and footing((first, second)).unseen != 0
    data = shlex.quote(str(first.source)) if usable else "DATA"
    return f"beholder compare {shlex.join([str(first.model), str(second.model)])} {data}"
