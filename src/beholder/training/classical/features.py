"""Features that nobody trained: from an image to what is kept of it, and from that to a vector."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from beholder.data import Sample
from beholder.data.facts import needed_scale as scale_for_facts
from beholder.data.writing import Progress
from beholder.errors import ImageError, UnreadableImage
from beholder.image import Image, Input, Reader
from beholder.image.sources import single
from beholder.model import Geometry, OnnxRuntime
from beholder.model.file import read_model
from beholder.model.pipeline import run_batches
from beholder.model.runtime import available_cores
from beholder.training.classical.packages import has_surf
from beholder.training.classical.words import Words
from beholder.training.layers import LAST
from beholder.zoo import find

Looked = NDArray[Any]
"""What is kept of one image: a vector, or the descriptors of its key points."""

_PIXELS: Final = Geometry("squash", (16, 16), draft=2.0)
_BATCH: Final = 4


class Feature(Protocol):
    """A way to describe images by numbers; `look` may be called from several threads at a time."""

    def needed_scale(self, size_hw: tuple[int, int]) -> float:
        """The smallest scale at which an image of this size may be decoded."""
        ...

    def look(self, image: Image) -> Looked:
        """What is kept of an image."""
        ...

    def vectors(self, looks: Sequence[Looked], fitted: NDArray[np.bool_], seed: int) -> NDArray[np.float32]:
        """Vectors `(n, d)` of images by what was kept of them.

        Args:
            looks: of every image.
            fitted: bool `(n,)`; whatever is learned is learned of these images only.
            seed: of what is drawn at random.
        """
        ...


class GraphFeature:
    """What a model of the zoo embeds, such as `hog`."""

    def __init__(self, name: str) -> None:
        data, card = read_model(find(name))
        self._geometry = card.geometry
        self._runtime = OnnxRuntime(data, "cpu")

    def needed_scale(self, size_hw: tuple[int, int]) -> float:
        """See `Feature`."""
        return self._geometry.needed_scale(size_hw)

    def look(self, image: Image) -> Looked:
        """Its embedding, float32 `(d,)`."""
        pixels = self._geometry.apply(image)[0]
        return np.asarray(self._runtime.run(pixels[None], [LAST])[LAST][0])

    def vectors(self, looks: Sequence[Looked], fitted: NDArray[np.bool_], seed: int) -> NDArray[np.float32]:
        """The embeddings as they are."""
        return np.stack(looks)


class PixelFeature:
    """The pixels of a tiny copy: what can be had without any feature at all."""

    def needed_scale(self, size_hw: tuple[int, int]) -> float:
        """See `Feature`."""
        return _PIXELS.needed_scale(size_hw)

    def look(self, image: Image) -> Looked:
        """Its pixels, uint8 `(768,)`."""
        return _PIXELS.apply(image)[0].reshape(-1)

    def vectors(self, looks: Sequence[Looked], fitted: NDArray[np.bool_], seed: int) -> NDArray[np.float32]:
        """The pixels, 0 to 1."""
        return np.stack(looks).astype(np.float32) / np.float32(255)


FEATURES: Final[Mapping[str, Callable[[int], Feature]]] = {
    "hog": lambda count: GraphFeature("hog"),
    "edges": lambda count: GraphFeature("edges"),
    "corners": lambda count: GraphFeature("corners"),
    "sift": partial(Words, "sift"),
    "surf": partial(Words, "surf"),
    "pixels": lambda count: PixelFeature(),
}
"""What makes a feature, by its name, for so many images."""


def usual_features() -> tuple[str, ...]:
    """All features, without SURF where OpenCV has none."""
    return tuple(name for name in FEATURES if name != "surf" or has_surf())


def look_at(samples: Sequence[Sample], features: Mapping[str, Feature], progress: Progress) -> dict[str, list[Looked]]:
    """Decode each image, at a larger scale once more where a feature needs it, and keep what each feature makes of it.

    So a feature comes out the same whichever others are asked for, and as `beholder.training.features` sees it.

    Raises:
        ImageError: an image has gone or was changed since its digest was taken.
    """
    kept: dict[str, list[Looked]] = {name: [] for name in features}
    with Reader() as reader:
        inputs = (Input(sample.name, single(sample.path, reader.limits).load) for sample in samples)
        answers = run_batches(inputs, _Look(reader, features), _BATCH, available_cores())
        for done, (sample, answer) in enumerate(zip(samples, answers, strict=True), start=1):
            if isinstance(answer, ImageError):
                raise answer
            digest, looks = answer
            if digest != sample.digest:
                raise UnreadableImage(str(sample.path), "was changed while it was read; run this again")
            for name, looked in looks.items():
                kept[name].append(looked)
            progress(done, len(samples))
    return kept


@dataclass(frozen=True, slots=True)
class _Look:
    """One batch of images through decoding and all features."""

    reader: Reader
    features: Mapping[str, Feature]

    def __call__(self, batch: list[Input]) -> list[tuple[str, dict[str, Looked]] | ImageError]:
        return list(self._answers(batch))

    def _answers(self, batch: list[Input]) -> Iterator[tuple[str, dict[str, Looked]] | ImageError]:
        for found in batch:
            try:
                image = self.reader.read(found.load(), found.name, scale_for_facts)
                looks = {name: self._look(image, feature) for name, feature in self.features.items()}
            except ImageError as error:
                yield error
            else:
                yield image.metadata.digest or "", looks

    def _look(self, image: Image, feature: Feature) -> Looked:
        """What a feature keeps of an image, which is decoded anew where it is too small: few JPEGs are so long."""
        scale = feature.needed_scale(image.size_hw)
        is_whole = (image.pil.height, image.pil.width) == image.size_hw
        if not is_whole and image.encoded is not None and scale > scale_for_facts(image.size_hw):
            image = self.reader.read(image.encoded, image.source, lambda _: scale)
        return feature.look(image)
