"""A look into a network: what each stage makes of an image, and what its units answer to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from beholder.data import ContentCache, Dataset, Fingerprints, Sample, folds, group, groups_per_class, read
from beholder.errors import DataError, ImageError, ImpossibleSplit
from beholder.evaluation.intervals import NOT_MEASURED, Estimate
from beholder.evaluation.material import Report
from beholder.image import Image
from beholder.training.units.drawing import Floats, Pixels, exciting_part
from beholder.training.units.parts import Excited, StageStudy, Study, Unit
from beholder.training.units.probing import probe
from beholder.training.units.responses import Observer, Responses, Seen, Tensors
from beholder.training.units.sampling import Drawn, draw, numbers_of
from beholder.training.units.selectivity import Selectivity, most_telling, selectivity_of, sparseness_of
from beholder.training.units.stages import Stage
from beholder.zoo import find

EXCITING: Final = 9
"""Images shown for each unit."""

MAPS_FOR_EACH: Final = 3
"""So many maps of the image on its way are shown for each unit of a stage that is."""

_TOO_FEW: Final = "Which class a unit answers to is left out: of one there are no two images that can be read."

_FOLDS: Final = 5


def study(
    model: str | os.PathLike[str],
    data: Dataset | str | os.PathLike[str],
    *,
    image: str | os.PathLike[str] | None = None,
    units: int = 4,
    seed: int = 0,
    device: str = "auto",
    report: Report | None = None,
) -> Study:
    """Look into a network.

    Args:
        model: a model file that classifies, or a name of the zoo.
        data: images, with one label each or without.
        image: the one that is shown on its way; one of the data when left out.
        units: how many of each stage are shown, and of the image's maps three times as many.
        seed: of the choice of images.
        device: as for `beholder.load`.
        report: told what is going on.

    Raises:
        ModelError: it does not classify, or has no convolutional stages.
        DataError: there is no image that can be read.
        ImageError: the one image cannot be read.
    """
    tell: Report = report or (lambda *_: None)
    observer = Observer(find(model), device)
    given = None if image is None else (Path(image), observer.input_of(image))  # refused before the long work
    tell("reading", 0, 1)
    with ContentCache() as contents:
        dataset = data if isinstance(data, Dataset) else read(data, contents=contents)
        drawn = draw(dataset, observer.card, contents, seed)
    seen = observer.see(drawn.samples, lambda done, total: tell("looking", done, total))
    if not seen.samples:
        raise DataError(f"{dataset.source}: must hold an image that can be read, found none of {len(drawn.samples):,}")
    path, pixels = given or (seen.samples[0].path, observer.input_of(seen.samples[0].path))
    maps = observer.maps(pixels)
    tell("measuring", 0, 1)
    labelled = _Labelled.of(seen, drawn, seed)
    measured = [_Measured.of(responses, labelled, seed, units) for responses in seen.stages]
    excited = _excited(observer, measured, seen, tell)
    return Study(
        model=observer.card.name,
        source=str(dataset.source),
        images=len(seen.samples),
        classes=labelled.names if labelled else (),
        stages=tuple(
            found.studied(stage, n, excited, _active(found.responses, maps, n, MAPS_FOR_EACH * units))
            for n, (stage, found) in enumerate(zip(observer.stages, measured, strict=True))
        ),
        image_name=path.name if given else seen.samples[0].name,
        image_path=path,
        input=pixels,
        notes=(*drawn.notes, *([_TOO_FEW] if drawn.classes and not labelled else [])),
        failures=seen.failures,
    )


_Place = tuple[int, int]
"""A stage and a unit of it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Labelled:
    """What is known of the images' classes.

    Attributes:
        names: of the classes.
        classes: of each image, `(n,)`.
        folds: of each image, `(n,)`; None where a class cannot be parted.
    """

    names: tuple[str, ...]
    classes: NDArray[np.intp]
    folds: NDArray[np.intp] | None

    @classmethod
    def of(cls, seen: Seen, drawn: Drawn, seed: int) -> _Labelled | None:
        """None where there are no labels, or a class has no two images that can be read."""
        if not drawn.classes:
            return None
        classes = numbers_of(seen.samples, drawn.classes)
        if np.bincount(classes, minlength=len(drawn.classes)).min() < 2:
            return None
        return cls(drawn.classes, classes, _folds(seen, seed))


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    """The numbers of a stage, before its pictures are made."""

    responses: Responses
    labelled: _Labelled | None
    selectivity: Selectivity | None
    scores: NDArray[np.float64]
    probe: Estimate
    chosen: tuple[int, ...]

    @classmethod
    def of(cls, responses: Responses, labelled: _Labelled | None, seed: int, units: int) -> _Measured:
        mean, peak = responses.mean, responses.peak
        if labelled is None:
            sparse = sparseness_of(mean)
            chosen = most_telling(sparse, None, mean, peak, units)
            return cls(responses, None, None, sparse, NOT_MEASURED, tuple(chosen))
        classes, folds_of, count = labelled.classes, labelled.folds, len(labelled.names)
        found = selectivity_of(mean, classes, count)
        top1 = NOT_MEASURED if folds_of is None else probe(responses.pooled, classes, folds_of, count, seed)
        chosen = most_telling(found.index, found.preferred, mean, peak, units)
        return cls(responses, labelled, found, found.index, top1, tuple(chosen))

    def rows(self, unit: int) -> list[int]:
        """The images that excite a unit most: by its peak and, where that is cut off as in ReLU6, by its mean."""
        order = np.lexsort((-self.responses.mean[:, unit], -self.responses.peak[:, unit]))
        return [int(row) for row in order[:EXCITING]]

    def studied(
        self,
        stage: Stage,
        number: int,
        excited: dict[_Place, tuple[Excited, ...]],
        active: tuple[tuple[int, Floats], ...],
    ) -> StageStudy:
        """Everything of it."""
        known = self.scores[~np.isnan(self.scores)]
        measured = self.selectivity is not None and len(known) > 0
        low, high = np.quantile(known, (0.25, 0.75)) if measured else (0.0, 0.0)
        return StageStudy(
            stage=stage,
            units=self.responses.units,
            map_hw=self.responses.map_hw,
            selectivity=float(known.mean()) if measured else None,
            middle_half=(float(low), float(high)) if measured else None,
            silent=int(np.isnan(self.scores).sum()),
            probe=self.probe,
            telling=tuple(self._unit(unit, excited[number, unit]) for unit in self.chosen),
            active=active,
        )

    def _unit(self, unit: int, excited_by: tuple[Excited, ...]) -> Unit:
        found, labelled = self.selectivity, self.labelled
        if found is None or labelled is None:
            return Unit(unit, None, float(self.scores[unit]), (), excited_by)
        strengths = found.by_class[:, unit]
        shares = tuple(float(value) for value in strengths / max(float(strengths.max()), 1e-12))
        return Unit(unit, labelled.names[found.preferred[unit]], float(found.index[unit]), shares, excited_by)


def _folds(seen: Seen, seed: int) -> NDArray[np.intp] | None:
    """The fold of each image, those that show the same together; None where a class cannot be parted."""
    labels = [sample.labels for sample in seen.samples]
    vectors = seen.stages[-1].pooled
    units = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    for compared in (units, None):
        groups = group(
            Fingerprints(
                [sample.digest or "" for sample in seen.samples],
                [fact.hash for fact in seen.facts],
                [fact.hash_mirrored for fact in seen.facts],
                compared,
            )
        )
        least = min(groups_per_class(labels, groups).values())
        try:
            return folds(labels, groups, min(_FOLDS, max(2, least)), seed=seed)
        except ImpossibleSplit:
            continue
    return None


def _active(responses: Responses, maps: Tensors, number: int, count: int) -> tuple[tuple[int, Floats], ...]:
    """The units that an image excites most, in deviations beyond what is usual, and their maps."""
    if responses.map_hw is None:
        return ()
    usual, deviation = responses.mean.mean(axis=0), responses.mean.std(axis=0)
    beyond = (maps[f"{number}/mean"] - usual) / (deviation + 1e-3 * float(deviation.mean()) + 1e-12)
    order = np.argsort(-beyond, kind="stable")[:count]
    return tuple((int(unit), np.asarray(maps[f"{number}/map"][unit], np.float32)) for unit in order)


def _excited(
    observer: Observer, measured: Sequence[_Measured], seen: Seen, tell: Report
) -> dict[_Place, tuple[Excited, ...]]:
    """The pictures of what excites the chosen units; the images that are needed are opened once more."""
    wanted: dict[int, list[_Place]] = {}
    rows: dict[_Place, list[int]] = {}
    for number, found in enumerate(measured):
        for unit in found.chosen:
            rows[number, unit] = found.rows(unit)
            for row in rows[number, unit]:
                wanted.setdefault(row, []).append((number, unit))
    by_name = {seen.samples[row].name: places for row, places in wanted.items()}

    def look(image: Image, pixels: Pixels, tensors: Tensors) -> dict[_Place, Pixels]:
        return {place: _part(observer, pixels, tensors, place) for place in by_name[image.source]}

    opened = [seen.samples[row] for row in wanted]
    parts: dict[int, dict[_Place, Pixels]] = {}
    for done, (row, answer) in enumerate(zip(wanted, observer.each(opened, look), strict=True), 1):
        if not isinstance(answer, ImageError):  # it has gone since
            parts[row] = answer
        tell("drawing", done, len(opened))
    return {
        place: tuple(_of(seen.samples[row], parts[row][place]) for row in found if row in parts)
        for place, found in rows.items()
    }


def _part(observer: Observer, pixels: Pixels, tensors: Tensors, place: _Place) -> Pixels:
    number, unit = place
    stage = observer.stages[number]
    values = tensors[f"{number}/map"][unit] if stage.is_map else np.ones((1, 1), np.float32)
    return exciting_part(pixels, values, stage.sight)


def _of(sample: Sample, pixels: Pixels) -> Excited:
    return Excited(sample.name, sample.labels[0] if len(sample.labels) == 1 else None, pixels)
