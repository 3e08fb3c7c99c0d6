"""From a dataset to what a model is fitted on: readable images with targets, a test part and folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from beholder.data import (
    ContentCache,
    Dataset,
    Facts,
    Fingerprints,
    Sample,
    group,
    look_at,
    require_trainable,
    take_test,
)
from beholder.data.writing import Progress
from beholder.errors import ImageError, InvalidClasses
from beholder.training.features import Backbone, Features, Vector
from beholder.training.layers import LAST
from beholder.training.parting import folds_of, groups_to_part
from beholder.training.recipe import Recipe

UNBALANCED_FROM: Final = 3.0
"""With `balance = "auto"`: classes are weighted where the commonest is over so many times as large as the rarest."""

TEST_MINIMUM: Final = 20
"""Different things of which each class must keep images in the test part for there to be one."""


@dataclass(frozen=True, slots=True)
class Material:
    """What a model is fitted on.

    Attributes:
        dataset: labelled, readable samples with digests; strangers apart. Its notes say which classes were dealt out
            to folds by finer groups than these.
        layers: for each layer of the backbone, float32 `(n, d)`, in the order of the samples; none without a backbone.
        targets: bool `(n, k)`, which class applies to which image.
        groups: `(n,)`, equal for images that show the same.
        tested: bool `(n,)`, the test part; none where classes are too small and no split was given.
        folds: `(n,)`, the fold of each image that is fitted on; -1 for one that is never left out or is tested.
        strangers: for each layer of the backbone, float32 `(m, d)`, of images of nothing known.
        facts: of every image, by content digest.
        failures: why an image cannot be read, by its name.
        given_split: whether the test part is the owner's.
    """

    dataset: Dataset
    layers: Mapping[str, Vector]
    targets: NDArray[np.bool_]
    groups: NDArray[np.intp]
    tested: NDArray[np.bool_]
    folds: NDArray[np.int64]
    strangers: Mapping[str, Vector]
    facts: Mapping[str, Facts]
    failures: Mapping[str, ImageError]
    given_split: bool

    @property
    def fitted(self) -> NDArray[np.bool_]:
        """Bool `(n,)`: what the model is fitted on, all but the test part."""
        return ~self.tested

    @property
    def never_left_out(self) -> NDArray[np.bool_]:
        """Bool `(n,)`: what is fitted on and in no fold, so that no cross-validated number speaks of it."""
        return self.fitted & (self.folds < 0)

    def distinct(self, rows: NDArray[Any]) -> int:
        """How many of some images are neither copies of others nor, by their hash, nearly so.

        Groups are too coarse to count by: of a set in which all look alike they join what is different.

        Args:
            rows: numbers of the images, or bool `(n,)`.
        """
        digests = [self.dataset.samples[row].digest or "" for row in np.arange(len(self.groups))[rows]]
        return len({self.facts[digest].hash or digest for digest in digests})

    def without(self, failures: Mapping[int, ImageError]) -> Material:
        """The material less some images, by their rows, for which it is then known why they cannot be read."""
        kept = np.ones(len(self.groups), np.bool_)
        kept[list(failures)] = False
        samples = self.dataset.samples
        remaining = [sample for sample, stays in zip(samples, kept, strict=True) if stays]
        return replace(
            self,
            dataset=replace(self.dataset, samples=tuple(remaining)),
            layers={layer: values[kept] for layer, values in self.layers.items()},
            targets=self.targets[kept],
            groups=self.groups[kept],
            tested=self.tested[kept],
            folds=self.folds[kept],
            failures={**self.failures, **{samples[row].name: error for row, error in failures.items()}},
        )

    @property
    def embeddings(self) -> Vector:
        """The backbone's embedding, float32 `(n, d)`."""
        return self.layers[LAST]


def gather(
    dataset: Dataset,
    backbone: Backbone | None,
    recipe: Recipe,
    contents: ContentCache,
    progress: Progress | None = None,
) -> Material:
    """See every image once, and decide what is fitted on and what is tested on.

    Args:
        dataset: its samples have digests.
        backbone: sees the images; None where only their facts are wanted, and their hashes say which show the same.
        recipe: says how much to test on, and how many folds.
        contents: keeps what was seen.
        progress: told how many images are done.

    Raises:
        InvalidClasses: no image is labelled, or readable images are left of one class only.
    """
    require_trainable(dataset)
    everything = dataset.everything()
    if backbone is None:
        seen = _looked_at(everything, contents, progress)
    else:
        seen = backbone.see(everything, contents, progress=progress)
    failures = {sample.name: seen.failures[key] for sample, key in _keyed(everything) if key in seen.failures}
    known = seen.facts if backbone is None else seen.vectors
    readable = dataset.labelled().regathered(sample for sample, key in _keyed(_labelled(dataset)) if key in known)
    _require_readable(readable, failures)
    return _divided(readable, seen, backbone, recipe, failures)


def _divided(
    readable: Dataset, seen: Features, backbone: Backbone | None, recipe: Recipe, failures: Mapping[str, ImageError]
) -> Material:
    """Readable images with what was seen of them, divided."""
    samples = readable.samples
    layers = _layers(samples, seen, backbone)
    groups = groups_of(samples, seen.facts, layers.get(LAST))
    tested, given = _tested(samples, groups, recipe)
    parted, notes = groups_to_part(
        samples, groups, ~tested, lambda rows: groups_of([samples[row] for row in rows], seen.facts, None)
    )
    return Material(
        dataset=readable.with_notes(*notes),
        layers=layers,
        targets=_targets(samples, readable.classes),
        groups=groups,
        tested=tested,
        folds=folds_of(samples, parted, tested, recipe.parts(bool(tested.any())), recipe.seed),
        strangers=_layers(readable.strangers, seen, backbone),
        facts=seen.facts,
        failures=failures,
        given_split=given,
    )


def _targets(samples: Sequence[Sample], classes: Sequence[str]) -> NDArray[np.bool_]:
    column = {name: index for index, name in enumerate(classes)}
    targets = np.zeros((len(samples), len(column)), np.bool_)
    for row, sample in enumerate(samples):
        targets[row, [column[label] for label in sample.labels]] = True
    return targets


def _require_readable(readable: Dataset, failures: Mapping[str, ImageError]) -> None:
    negatives = any(sample.negative for sample in readable.samples)
    if len(readable.classes) + negatives >= 2:
        return
    found = f"only images of {readable.classes[0]!r}" if readable.classes else "none"
    why = next((f"; {error}" for error in failures.values()), "")
    raise InvalidClasses(f"{readable.source}: images of at least two classes must be readable, found {found}{why}")


def _labelled(dataset: Dataset) -> Sequence[Sample]:
    return dataset.labelled().everything()


def _keyed(samples: Sequence[Sample]) -> list[tuple[Sample, str]]:
    return [(sample, sample.digest or "") for sample in samples]


def _looked_at(samples: Sequence[Sample], contents: ContentCache, progress: Progress | None) -> Features:
    """The facts of images, without features."""
    looked = look_at(samples, contents, progress=progress)
    failures = {key: looked.failures[sample.name] for sample, key in _keyed(samples) if sample.name in looked.failures}
    return Features({}, looked.facts, failures)


def _layers(samples: Sequence[Sample], seen: Features, backbone: Backbone | None) -> dict[str, Vector]:
    if backbone is None:
        return {}
    stacked = np.empty((len(samples), sum(layer.width for layer in backbone.layers)), np.float32)
    for row, sample in enumerate(samples):
        stacked[row] = seen.vectors[sample.digest or ""]
    return backbone.split(stacked)


def groups_of(samples: Sequence[Sample], facts: Mapping[str, Facts], embeddings: Vector | None) -> NDArray[np.intp]:
    """Find which images show the same, by content, perceptual hash and embedding; see `beholder.data.group`.

    Args:
        samples: with digests, all readable.
        facts: of each of them, by content digest.
        embeddings: float32 `(n, d)`, in the order of the samples; None where only files and hashes are compared.

    Returns:
        The number of each image's group, `(n,)`.
    """
    if embeddings is None:
        return group(_fingerprints(samples, facts))
    units = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    return group(_fingerprints(samples, facts, units))


def _fingerprints(samples: Sequence[Sample], facts: Mapping[str, Facts], units: Vector | None = None) -> Fingerprints:
    known = [facts[sample.digest or ""] for sample in samples]
    digests = [sample.digest or "" for sample in samples]
    return Fingerprints(digests, [fact.hash for fact in known], [fact.hash_mirrored for fact in known], units)


def _tested(samples: Sequence[Sample], groups: NDArray[np.intp], recipe: Recipe) -> tuple[NDArray[np.bool_], bool]:
    """The test part: the owner's, or one that keeps groups together; and whether it is the owner's."""
    given = np.array([sample.split == "test" for sample in samples])
    if given.any() and not given.all():
        return given, True
    tested = np.zeros(len(samples), np.bool_)
    if recipe.test_share > 0:
        labels = [sample.labels for sample in samples]
        chosen = take_test(labels, groups, share=recipe.test_share, seed=recipe.seed, minimum_per_class=TEST_MINIMUM)
        if chosen is not None:
            tested[chosen] = True
    return tested, False


def image_weights(targets: NDArray[np.bool_], balance: str) -> NDArray[np.float64]:
    """How much each image counts, `(n,)`: as much as the others, or so that each class does.

    Args:
        targets: `(n, k)`, which class applies to which image; a class that no image has, as in a fold, is left aside.
        balance: as in a recipe.
    """
    counts = targets.sum(axis=0)
    there = counts[counts > 0]
    unbalanced = len(there) > 0 and there.max() > UNBALANCED_FROM * there.min()
    if balance == "none" or (balance == "auto" and not unbalanced):
        return np.ones(len(targets))
    shares = (targets / np.maximum(counts, 1)).sum(axis=1) / np.maximum(targets.sum(axis=1), 1)
    shares[shares == 0] = 1 / len(targets)
    weights: NDArray[np.float64] = shares / shares.mean()
    return weights
