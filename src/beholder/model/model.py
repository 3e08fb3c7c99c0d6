"""The seam of everything that recognizes: images in, results out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from beholder.errors import ImageError, InvalidModel, UsageError, WrongTask, one_line
from beholder.image import Input, Isolation, Limits, Reader, expand
from beholder.image.sources import single
from beholder.model.card import ModelCard
from beholder.model.confidence import set_thresholds
from beholder.model.decoding import (
    Options,
    Place,
    Row,
    decoder_of,
    needed_outputs,
    used_outputs,
)
from beholder.model.geometry import Placement
from beholder.model.outputs import check_outputs
from beholder.model.pipeline import run_batches
from beholder.model.runtime import Runtime, Tensors
from beholder.result import Embedding, ImageFailure, Result

Answer = Result | ImageFailure


class Model(ABC):
    """Images in, results out; the same whether the file runs here or behind a server."""

    @property
    @abstractmethod
    def card(self) -> ModelCard:
        """What the model says about itself."""

    @abstractmethod
    def answer_many(self, sources: Any, options: Options, *, embed: bool, batch_size: int | None) -> Iterator[Answer]:
        """Answer every image of the sources, in order; a bad one with an `ImageFailure`."""

    @abstractmethod
    def answer_one(self, source: Any, options: Options, *, embed: bool) -> Result:
        """Answer the one image of a source, or raise why it cannot be."""

    @final
    def predict(
        self,
        source: Any,
        *,
        top: int = 5,
        threshold: float | None = None,
        coverage: float | None = None,
        by_class: bool = False,
    ) -> Any:
        """Say what is in one image.

        Args:
            source: a path, encoded bytes, a binary file object, a PIL image, or an array `(h, w)`, `(h, w, 3)` RGB or
                `(h, w, 4)` RGBA.
            top: how many labels to give, best first; 0 for all.
            threshold: replaces the thresholds of the card, between 0 and 1.
            coverage: the probability with which a prediction set holds the truth; one that the card states, its first
                when left out.
            by_class: whether it must hold the truth so often for each class by itself, which takes larger sets.

        Returns:
            The result type of the model's task: `Classification`, `Detections`, `Segmentation`, `Caption` or
            `Embedding`, in pixels of the original image.

        Raises:
            ImageError: the image cannot be read.
            UsageError: the source holds several images, or an option is out of range.
        """
        return self.answer_one(source, _options(self.card, top, threshold, coverage, by_class), embed=False)

    @final
    def predict_many(
        self,
        sources: Any,
        *,
        top: int = 5,
        threshold: float | None = None,
        coverage: float | None = None,
        by_class: bool = False,
        batch_size: int | None = None,
    ) -> Iterator[Any]:
        """Say what is in many images, as a stream in their order; memory does not grow with their number.

        Args:
            sources: what `predict` takes, a folder, a glob pattern, a zip or tar archive, a video, a camera
                (`camera:0`), or an iterable of these.
            top: as for `predict`.
            threshold: as for `predict`.
            coverage: as for `predict`.
            by_class: as for `predict`.
            batch_size: images computed together; the device's best when left out.

        Yields:
            A result for each image, or an `ImageFailure` that says why there is none.
        """
        options = _options(self.card, top, threshold, coverage, by_class)
        return self.answer_many(sources, options, embed=False, batch_size=batch_size)

    @final
    def embed(self, source: Any) -> Embedding:
        """The embedding of one image; takes what `predict` takes.

        Raises:
            WrongTask: the model gives no embedding.
            ImageError: the image cannot be read.
        """
        result = self.answer_one(source, Options(), embed=True)
        if not isinstance(result, Embedding):
            raise WrongTask(f"{self.card.name} gave {result.task} where an embedding was asked for")
        return result

    @final
    def embed_many(self, sources: Any, *, batch_size: int | None = None) -> Iterator[Any]:
        """The embeddings of many images, as a stream in their order; takes what `predict_many` takes.

        Yields:
            An `Embedding` for each image, or an `ImageFailure`.

        Raises:
            WrongTask: the model gives no embedding.
        """
        return self.answer_many(sources, Options(), embed=True, batch_size=batch_size)


@final
class FileModel(Model):
    """A model that runs here, from one file.

    Args:
        card: what the file says about itself.
        runtime: runs its graph.
        limits: what an image may cost.
        isolation: which images are decoded in a worker that can be killed.
        exact: whether JPEGs are always decoded whole, even where the card allows a reduced scale.

    Raises:
        InvalidModel: the graph does not give what the card promises.
    """

    def __init__(
        self,
        card: ModelCard,
        runtime: Runtime,
        *,
        limits: Limits | None = None,
        isolation: Isolation = "auto",
        exact: bool = False,
    ) -> None:
        missing = [name for name in needed_outputs(card) if name not in runtime.outputs]
        if missing:
            found = one_line(", ".join(runtime.outputs)[:300]) or "nothing"
            raise InvalidModel(f"a model that can {card.task} must give {', '.join(missing)}; it gives {found}")
        self._card = card
        self._runtime = runtime
        self._reader = Reader(limits, isolation)
        self._geometry = replace(card.geometry, draft=None) if exact else card.geometry

    @property
    def card(self) -> ModelCard:
        """What the model says about itself."""
        return self._card

    @property
    def runtime(self) -> Runtime:
        """What runs the graph."""
        return self._runtime

    def close(self) -> None:
        """End the processes that decode images apart, where any were started; the model can be used again."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{self._card.name}: {self._card.task}, {len(self._card.labels):,} labels, {self._runtime.device}>"

    def answer_one(self, source: Any, options: Options, *, embed: bool) -> Result:
        """Answer the one image of a source, or raise why it cannot be."""
        job = self._job(options, embed)
        result: Result = job.compute([self.prepare(single(source, self._reader.limits))])[0]
        return result

    def answer_many(
        self, sources: Any, options: Options, *, embed: bool, batch_size: int | None = None
    ) -> Iterator[Answer]:
        """Answer every image of the sources, in order; a bad one with an `ImageFailure`."""
        if batch_size is not None and not (isinstance(batch_size, int) and batch_size >= 1):
            raise UsageError(f"batch_size: must be an integer from 1 up, found {batch_size!r}")
        job = self._job(options, embed)
        inputs = expand(sources, self._reader.limits)
        return run_batches(inputs, job.answer, batch_size or self._runtime.batch_size, self._runtime.threads)

    def _job(self, options: Options, embed: bool) -> _Job:
        if embed:
            if self._card.embedding is None:
                raise WrongTask(f"{self._card.name} gives no embedding; use a model whose card has one")
            return _Job(self, decoder_of("embed"), ("embedding",), options)
        wanted = used_outputs(self._card, self._runtime.outputs)
        return _Job(self, decoder_of(self._card.task), wanted, options)

    def outputs_many(self, sources: Any, names: Sequence[str]) -> Iterator[Row | ImageFailure]:
        """The graph's own outputs for every image of the sources, in order: what evaluation measures.

        Args:
            sources: as for `predict_many`.
            names: of outputs that the graph gives.

        Yields:
            The outputs of each image, without the batch dimension, or an `ImageFailure`.
        """
        job: Any = _Job(self, lambda row, *_: row, tuple(names), Options())
        inputs = expand(sources, self._reader.limits)
        return run_batches(inputs, job.answer, self._runtime.batch_size, self._runtime.threads)

    def prepare(self, found: Input) -> Prepared:
        """Read an image and make the model's input of it.

        Raises:
            ImageError: it cannot be read.
        """
        image = self._reader.read(found.load(), found.name, self._needed_scale)
        pixels, placement = self._geometry.apply(image)
        return Prepared(found, pixels, image.size_hw, placement)

    def pixels_of(self, found: Input) -> NDArray[np.uint8]:
        """Every pixel of an image, read again when its result is to be drawn: results keep no pixels."""
        return self._reader.read(found.load(), found.name).pixels

    @property
    def _needed_scale(self) -> Callable[[tuple[int, int]], float] | None:
        return None if self._geometry.draft is None else self._geometry.needed_scale


@dataclass(frozen=True, slots=True)
class Prepared:
    """An image as the model's input.

    Attributes:
        found: where it came from.
        pixels: uint8 `(height, width, 3)` of the input.
        size_hw: height and width of the original image.
        placement: where the input lies in it.
    """

    found: Input
    pixels: NDArray[np.uint8]
    size_hw: tuple[int, int]
    placement: Placement


@dataclass(frozen=True, slots=True)
class _Job:
    """One call of predict or embed: from inputs to answers, a batch at a time, in any thread."""

    model: FileModel
    decoder: Callable[[Row, Place, ModelCard, Options], Any]
    outputs: tuple[str, ...]
    options: Options

    def read(self, found: Input) -> Prepared | ImageFailure:
        try:
            return self.model.prepare(found)
        except ImageError as error:
            return ImageFailure.from_error(error, frame=found.frame)

    def answer(self, batch: list[Input]) -> list[Answer]:
        """Answer a batch: its good images are computed together, its bad ones answered with why."""
        read = [self.read(found) for found in batch]
        results = iter(self.compute([item for item in read if isinstance(item, Prepared)]))
        return [item if isinstance(item, ImageFailure) else next(results) for item in read]

    def compute(self, prepared: Sequence[Prepared]) -> list[Any]:
        if not prepared:
            return []
        tensors = self.model.runtime.run(np.stack([item.pixels for item in prepared]), self.outputs)
        check_outputs(tensors, len(prepared), self.model.card)
        return [self._decode(tensors, index, item) for index, item in enumerate(prepared)]

    def _decode(self, tensors: Tensors, index: int, item: Prepared) -> Any:
        found = item.found
        common = {
            "source": found.name,
            "size_hw": item.size_hw,
            "model": self.model.card.name,
            "frame": found.frame,
            "time_seconds": found.time_seconds,
            "_pixels": partial(self.model.pixels_of, found),
        }
        row = {name: values[index] for name, values in tensors.items()}
        return self.decoder(row, Place(common, item.size_hw, item.placement), self.model.card, self.options)


def _options(card: ModelCard, top: int, threshold: float | None, coverage: float | None, by_class: bool) -> Options:
    if not isinstance(top, int) or top < 0:
        raise UsageError(f"top: must be 0 (all) or a higher integer, found {top!r}")
    if threshold is not None and not (isinstance(threshold, int | float) and 0 <= threshold <= 1):
        raise UsageError(f"threshold: must lie between 0 and 1, found {threshold!r}")
    if coverage is not None or by_class:
        set_thresholds(card, coverage, by_class=by_class)  # refuses what the card does not state
    return Options(top, threshold, coverage, by_class)
