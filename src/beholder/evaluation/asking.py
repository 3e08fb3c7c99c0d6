"""What a model says of many images, as arrays: as much of it as an evaluation needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from beholder.data import Sample
from beholder.data.listing import counted
from beholder.errors import DataError, UnreadableImage, UsageError
from beholder.evaluation.material import Place, Report
from beholder.image import Input, Limits
from beholder.image.sources import single
from beholder.model import FileModel, load_file
from beholder.result import ImageFailure

_MEASURED: Final = ("probabilities", "logits", "familiarity")


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a model said of the images that could be read.

    Attributes:
        names: of these images.
        places: int `(n,)`, which of all images they are, counted from 0.
        tensors: `probabilities` `(n, K)` and, where the model gives them, `familiarity` `(n,)` and `logits`, of which
            the largest is kept alone, `(n, 1)`: nothing else of them is looked at.
        failures: of the other images.
    """

    names: tuple[str, ...]
    places: NDArray[np.intp]
    tensors: Mapping[str, NDArray[Any]]
    failures: tuple[ImageFailure, ...]


def ask(model: FileModel, images: Iterable[Input], tell: Callable[[int], None]) -> Answers:
    """Ask a model of images, as a stream.

    Args:
        model: classifies.
        images: taken one at a time.
        tell: told how many are done.
    """
    outputs = [name for name in _MEASURED if name in model.runtime.outputs]
    names: list[str] = []
    places: list[int] = []
    failures: list[ImageFailure] = []
    columns: dict[str, list[Any]] = {name: [] for name in outputs}

    def named() -> Iterator[Input]:
        for image in images:
            names.append(image.name)
            yield image

    for place, answer in enumerate(model.outputs_many(named(), outputs)):
        if isinstance(answer, ImageFailure):
            failures.append(answer)
        else:
            places.append(place)
            for name in outputs:
                columns[name].append(answer[name].max(keepdims=True) if name == "logits" else answer[name])
        tell(place + 1)
    tensors = {name: np.array(rows).reshape(len(places), *_row_shape(name, model)) for name, rows in columns.items()}
    return Answers(tuple(names[place] for place in places), np.array(places, np.intp), tensors, tuple(failures))


def ask_samples(model: FileModel, samples: Sequence[Sample], tell: Report) -> Answers:
    """Ask a model of samples.

    Raises:
        DataError: none of them can be read.
    """
    answers = ask(model, map(input_of, samples), lambda done: tell("answering", done, len(samples)))
    if not answers.names and answers.failures:
        raise DataError(f"none of {counted(len(samples), 'image')} could be read; {answers.failures[0]}")
    return answers


@contextmanager
def opened(model: FileModel | Place) -> Iterator[FileModel]:
    """A model that is loaded already, or one that is loaded from its file and closed again."""
    if isinstance(model, FileModel):
        yield model
        return
    with load_file(model) as loaded:
        yield loaded


def input_of(sample: Sample) -> Input:
    """A sample as what a model is asked of: one image, under the sample's name, whatever its file is called."""

    def load() -> Any:
        try:
            return single(sample.path, Limits()).load()
        except UsageError:
            raise UnreadableImage(sample.name, "its name is not that of an image") from None

    return Input(sample.name, load)


def _row_shape(name: str, model: FileModel) -> tuple[int, ...]:
    return {"probabilities": (len(model.card.labels),), "logits": (1,)}.get(name, ())
