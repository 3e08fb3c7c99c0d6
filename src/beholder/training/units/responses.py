"""What the units of every stage answer to images: numbers for many, maps for a few."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from beholder.data import Facts, Sample, facts_of
from beholder.data.facts import needed_scale as scale_for_facts
from beholder.data.writing import Progress
from beholder.errors import ImageError, InvalidModel, WrongTask
from beholder.image import Image, Input, Limits, Reader
from beholder.image.sources import single
from beholder.model import OnnxRuntime
from beholder.model.file import read_model
from beholder.model.pipeline import run_batches
from beholder.training.units.stages import Stage, find_stages, tap_stages

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Tensors = dict[str, NDArray[Any]]

Out = TypeVar("Out")

Look = Callable[[Image, Pixels, Tensors], Out]
"""From an image, its input and what the stages give for it to what is kept of that; called in several threads."""


@dataclass(frozen=True, slots=True, eq=False)
class Responses:
    """The units of one stage over n images.

    Attributes:
        pooled: `(n, units)`, the mean over the places of the map.
        mean: `(n, units)`, the same of what is above zero: how strongly a unit answers.
        peak: `(n, units)`, the greatest value.
        map_hw: height and width of the map; None for a stage that has none.
    """

    pooled: Floats
    mean: Floats
    peak: Floats
    map_hw: tuple[int, int] | None

    @property
    def units(self) -> int:
        """How many there are."""
        return int(self.mean.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What became of the images that were to be looked at.

    Attributes:
        samples: those that could be read, n.
        facts: of each of them.
        stages: the responses of each stage to them.
        failures: why the others could not be read, by name.
    """

    samples: tuple[Sample, ...]
    facts: tuple[Facts, ...]
    stages: tuple[Responses, ...]
    failures: dict[str, ImageError]


class Observer:
    """A model file whose stages can be looked at.

    Args:
        path: the model file.
        device: as for `beholder.load`.

    Raises:
        WrongTask: it does not classify.
        InvalidModel: it cannot be used, or has no convolutional stages.
    """

    def __init__(self, path: Any, device: str = "auto") -> None:
        import onnx

        self.data, self.card = read_model(path)
        if self.card.task != "classify":
            raise WrongTask(
                f"{self.card.name}: must classify for its feature maps to be shown, and it can {self.card.task}"
            )
        model = onnx.load_from_string(self.data)
        self.stages: tuple[Stage, ...] = tuple(find_stages(model, self.card.name))
        tap_stages(model, self.stages)
        self.runtime = OnnxRuntime(model.SerializeToString(), device)
        self.limits = Limits()

    def input_of(self, source: Any) -> Pixels:
        """What the network gets of one image, uint8 `(height, width, 3)`.

        Raises:
            ImageError: it cannot be read.
        """
        with Reader(self.limits) as reader:
            found = single(source, self.limits)
            return self.card.geometry.apply(reader.read(found.load(), found.name, self.needed_scale))[0]

    def needed_scale(self, size_hw: tuple[int, int]) -> float:
        """The smallest scale at which an image of this size may be decoded."""
        return max(self.card.geometry.needed_scale(size_hw), scale_for_facts(size_hw))

    def maps(self, pixels: Pixels) -> Tensors:
        """Everything that the stages give for one input, without the dimension of images; see `tap_stages`."""
        return {name: values[0] for name, values in self.runtime.run(pixels[None], self.runtime.outputs).items()}

    def each(self, samples: Sequence[Sample], look: Look[Out]) -> Iterator[Out | ImageError]:
        """Look at many images, each by itself, in their order; an error stands for one that cannot be read."""
        with Reader(self.limits) as reader:
            inputs = (Input(sample.name, single(sample.path, self.limits).load) for sample in samples)
            process = _Process(self, reader, look)
            yield from run_batches(inputs, process, self.runtime.batch_size, self.runtime.threads)

    def see(self, samples: Sequence[Sample], progress: Progress | None = None) -> Seen:
        """The responses to images; memory holds the maps of a few of them at a time."""
        kept: list[tuple[Sample, _Row]] = []
        failures: dict[str, ImageError] = {}
        for done, (sample, answer) in enumerate(zip(samples, self.each(samples, self._row), strict=True), 1):
            if isinstance(answer, ImageError):
                failures[sample.name] = answer
            else:
                kept.append((sample, answer))
            if progress is not None:
                progress(done, len(samples))
        rows = [row for _, row in kept]
        if not all(np.isfinite(values).all() for row in rows for values in row.values):
            raise InvalidModel(f"{self.card.name}: its stages must give numbers, found infinite ones or none")
        stages = [
            Responses(*_columns(rows, number), map_hw) for number, map_hw in enumerate(rows[0].maps_hw if rows else ())
        ]
        samples = [replace(sample, digest=row.digest) for sample, row in kept]
        return Seen(tuple(samples), tuple(row.facts for row in rows), tuple(stages), failures)

    def _row(self, image: Image, _: Pixels, tensors: Tensors) -> _Row:
        numbers = range(len(self.stages))
        values = [tensors[f"{number}/{kind}"] for number in numbers for kind in ("pooled", "mean", "peak")]
        shapes = [tensors[f"{number}/map"].shape[1:] for number in numbers]
        maps_hw = tuple((shape[0], shape[1]) if shape else None for shape in shapes)
        return _Row(image.metadata.digest or "", facts_of(image), tuple(values), maps_hw)


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    """One image's part of the responses."""

    digest: str
    facts: Facts
    values: tuple[Floats, ...]
    maps_hw: tuple[tuple[int, int] | None, ...]


def _columns(rows: Sequence[_Row], number: int) -> tuple[Floats, Floats, Floats]:
    """What a stage gives for all images: pooled, mean and peak."""
    pooled, mean, peak = (np.stack([row.values[3 * number + part] for row in rows]) for part in range(3))
    return pooled, mean, peak


@dataclass(frozen=True, slots=True)
class _Process(Generic[Out]):
    """A batch of images through decoding, geometry, network and a look at what comes out."""

    observer: Observer
    reader: Reader
    look: Look[Out]

    def __call__(self, batch: list[Input]) -> list[Out | ImageError]:
        observer, geometry = self.observer, self.observer.card.geometry
        read: list[Image | ImageError] = []
        for found in batch:
            try:
                read.append(self.reader.read(found.load(), found.name, observer.needed_scale))
            except ImageError as error:
                read.append(error)
        pixels = [geometry.apply(image)[0] for image in read if isinstance(image, Image)]
        if not pixels:
            return [image for image in read if isinstance(image, ImageError)]
        tensors = observer.runtime.run(np.stack(pixels), observer.runtime.outputs)
        own = iter(range(len(pixels)))
        answers: list[Out | ImageError] = []
        for image in read:
            if isinstance(image, ImageError):
                answers.append(image)
                continue
            number = next(own)
            answers.append(self.look(image, pixels[number], {name: found[number] for name, found in tensors.items()}))
        return answers
