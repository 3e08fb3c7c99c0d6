"""Every feature with every classifier, on the images that a head is fitted and tested on."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from beholder.data import ContentCache, Dataset
from beholder.errors import InvalidClasses, UsageError
from beholder.evaluation import Estimate, proportion
from beholder.evaluation.intervals import estimate, mean_interval, wilson
from beholder.records import nearest, to_json
from beholder.training.classical.classifiers import CLASSIFIERS, SVM_IMAGES, classifier
from beholder.training.classical.features import FEATURES, Feature, Looked, look_at, usual_features
from beholder.training.classical.packages import require_packages
from beholder.training.exporting import Head
from beholder.training.features import Backbone
from beholder.training.learned import Learned, Report
from beholder.training.learning import learn
from beholder.training.material import Material
from beholder.training.recipe import Recipe
from beholder.zoo import find

HEAD: Final = "head"
"""The name of what `beholder train` puts on a backbone, where it stands beside the classifiers."""

_Integers = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Baseline:
    """One feature with one classifier.

    Attributes:
        feature: its name; of the head, the name of the backbone.
        classifier: its name.
        dim: how many values describe an image.
        fitted: how many images the classifier was fitted on; cross-validated, the most of all folds.
        top1: the share of images that it answers right, none of which it was fitted on.
        balanced_accuracy: the mean of these shares of all classes.
        seconds: what learning and answering took, once the images were looked at.
    """

    feature: str
    classifier: str
    dim: int
    fitted: int
    top1: Estimate
    balanced_accuracy: Estimate
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The baseline as JSON values."""
        return {
            "feature": self.feature,
            "classifier": self.classifier,
            "dim": self.dim,
            "fitted": self.fitted,
            "metrics": {"top1": to_json(self.top1), "balanced_accuracy": to_json(self.balanced_accuracy)},
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class Baselines:
    """What a network's head has beside it.

    Attributes:
        rows: each feature with each classifier, in the order they were asked for.
        head: the same of the head that `beholder train` makes.
        kind: whether all of it was measured on a test part, or on images that were left out in turn.
        learned: the head, and the images.
    """

    rows: tuple[Baseline, ...]
    head: Baseline
    kind: Literal["test", "cross-validated"]
    learned: Learned

    @property
    def best(self) -> Baseline:
        """The one that is right most often, the first of equals."""
        return max(self.rows, key=lambda row: row.top1.value or 0.0)


def baselines(
    dataset: Dataset,
    recipe: Recipe,
    contents: ContentCache,
    features: Sequence[str] | None = None,
    classifiers: Sequence[str] | None = None,
    report: Report | None = None,
) -> Baselines:
    """Fit and test every feature with every classifier on the images that `beholder train` fits and tests on.

    Args:
        dataset: what to learn from, one label for an image.
        recipe: says how images are split, what is drawn, and on which backbone the head is put.
        contents: keeps what the backbone saw of images.
        features: of `FEATURES`; all that can be had when left out.
        classifiers: of `CLASSIFIERS`; all when left out.
        report: told what is going on.

    Raises:
        UsageError: a name is not known, the recipe is not of a head, or images have several labels.
        MissingPackage: scikit-learn or what a feature needs is not installed.
        InvalidClasses: there is nothing to tell apart, or nothing can be left out to be measured on.
        ImageError: an image was changed meanwhile.
    """
    names = _known(features, FEATURES, "features") or usual_features()
    kinds = _known(classifiers, CLASSIFIERS, "classifiers") or tuple(CLASSIFIERS)
    require_packages(names)
    _require_fitting(dataset, recipe)
    tell: Report = report or (lambda *_: None)
    learned, head = learn(dataset, Backbone(find(recipe.backbone)), recipe, contents, tell)
    parts = _Parts.of(learned.material)
    looks = _looks(names, learned.material, tell)
    rows = tuple(_rows(looks, kinds, parts, recipe.seed, tell))
    return Baselines(rows, _head(learned, head, recipe, parts), parts.kind, learned)


def _require_fitting(dataset: Dataset, recipe: Recipe) -> None:
    if recipe.method != "head":
        raise UsageError(
            f"method: must be 'head', beside which baselines stand, found {recipe.method!r}; leave out keys of networks"
        )
    if dataset.multi_label:
        raise UsageError(
            f"{dataset.source}: baselines tell one label for an image, and here an image can have several or none"
        )


def _looks(names: Sequence[str], material: Material, tell: Report) -> dict[str, tuple[Feature, list[Looked]]]:
    """Each feature, and what it keeps of every image."""
    samples = material.dataset.samples
    made = {name: FEATURES[name](len(samples)) for name in names}
    looks = look_at(samples, made, lambda done, total: tell("describing", done, total))
    return {name: (feature, looks[name]) for name, feature in made.items()}


@dataclass(frozen=True, slots=True)
class _Parts:
    """What is fitted on and asked, turn by turn.

    Attributes:
        truth: `(n,)`, the class of each image.
        turns: bool `(n,)` and `(n,)`: what is fitted on, and what is asked then; each image is asked once at most.
        kind: as in `Baselines`.
    """

    truth: _Integers
    turns: tuple[tuple[NDArray[np.bool_], NDArray[np.bool_]], ...]
    kind: Literal["test", "cross-validated"]

    @classmethod
    def of(cls, material: Material) -> _Parts:
        """The test part as one turn, or a turn for each fold."""
        truth = material.targets.argmax(axis=1)
        if material.tested.any():
            return cls(truth, ((material.fitted, material.tested),), "test")
        used = np.unique(material.folds[material.folds >= 0])
        if not len(used):
            source = material.dataset.source
            raise InvalidClasses(f"{source}: no class has pictures of two different things, so none can be left out")
        turns = tuple((material.fitted & (material.folds != fold), material.folds == fold) for fold in used)
        return cls(truth, turns, "cross-validated")

    @property
    def asked(self) -> NDArray[np.bool_]:
        """Bool `(n,)`: what is asked in any turn."""
        return np.asarray(np.any([asked for _, asked in self.turns], axis=0))

    def measured(self, said: _Integers) -> tuple[Estimate, Estimate]:
        """Top-1 and balanced accuracy of answers `(n,)`, of which those count that are asked for."""
        truth, right = self.truth[self.asked], (said == self.truth)[self.asked]
        counts = [(int(right[truth == one].sum()), int((truth == one).sum())) for one in np.unique(truth)]
        recalls = [found / count for found, count in counts]
        spread = mean_interval(recalls, [wilson(found, count) for found, count in counts])
        return proportion(int(right.sum()), len(right)), estimate(float(np.mean(recalls)), spread, len(right))


def _rows(
    looks: Mapping[str, tuple[Feature, list[Looked]]], kinds: Sequence[str], parts: _Parts, seed: int, tell: Report
) -> Iterator[Baseline]:
    """Each feature with each classifier; what a feature learns counts to the time of each."""
    pairs = len(looks) * len(kinds)
    for number, (name, (feature, looked)) in enumerate(looks.items()):
        started = time.perf_counter()
        with _quiet():
            described = [feature.vectors(looked, fitted, seed) for fitted, _ in parts.turns]
        words_seconds = time.perf_counter() - started
        for place, kind in enumerate(kinds):
            tell("comparing", number * len(kinds) + place, pairs)
            yield _tried(name, kind, described, parts, seed, words_seconds)


def _tried(
    feature: str,
    kind: str,
    described: Sequence[NDArray[np.float32]],
    parts: _Parts,
    seed: int,
    seconds_before: float,
) -> Baseline:
    started = time.perf_counter()
    said = np.full(len(parts.truth), -1, np.intp)
    most = 0
    for vectors, (fitted, asked) in zip(described, parts.turns, strict=True):
        rows = _drawn(np.flatnonzero(fitted), kind, seed)
        most = max(most, len(rows))
        with _quiet():
            fit = classifier(kind, len(rows), vectors.shape[1], seed).fit(vectors[rows], parts.truth[rows])
            said[asked] = fit.predict(vectors[asked])
    seconds = seconds_before + time.perf_counter() - started
    return Baseline(feature, kind, max(v.shape[1] for v in described), most, *parts.measured(said), seconds)


def _drawn(rows: _Integers, kind: str, seed: int) -> _Integers:
    """What a classifier is fitted on: all, or as many as it can bear."""
    if kind != "svm" or len(rows) <= SVM_IMAGES:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, SVM_IMAGES, replace=False))


def _head(learned: Learned, head: Head, recipe: Recipe, parts: _Parts) -> Baseline:
    """What the head says of the same images."""
    said = learned.unseen_probabilities()
    dim = sum(learned.material.layers[layer].shape[1] for layer in head.fit.layers)
    answers = np.where(np.isnan(said[:, 0]), -1, np.nan_to_num(said).argmax(axis=1))
    fitted = max(int(fitted.sum()) for fitted, _ in parts.turns)
    return Baseline(recipe.backbone, HEAD, dim, fitted, *parts.measured(answers), learned.seconds["fit"])


def _known(asked: Sequence[str] | None, known: Mapping[str, object], what: str) -> tuple[str, ...]:
    """The names that are asked for, each once; none where none is."""
    for name in asked or ():
        if name not in known:
            raise UsageError(f"{what}: {name!r} is none of {', '.join(known)}; {nearest(name, list(known))}")
    return tuple(dict.fromkeys(asked or ()))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what scikit-learn warns of: that a fit was stopped early, or that a value never changes."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield
