"""What a backbone sees of images: its layers, averaged, once for each image and kept by its content."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from beholder.data import FACTS_KIND, ContentCache, Facts, Sample, facts_of
from beholder.data.facts import TINY_KIND, tiny_of
from beholder.data.facts import needed_scale as scale_for_facts
from beholder.data.writing import Progress
from beholder.errors import ImageError, UnreadableImage
from beholder.files import digest
from beholder.image import Input, Limits, Reader
from beholder.image.sources import single
from beholder.model import ModelCard, OnnxRuntime
from beholder.model.file import graph_digest_of, read_model
from beholder.model.pipeline import run_batches
from beholder.training.layers import LAST, Layer, keep_outputs, tap_layers

_TOGETHER: Final = 128
"""Images whose features are kept together: what a killed process loses at most."""

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Features:
    """What a backbone sees of images.

    Attributes:
        vectors: by content digest, float32 `(d,)`: all layers side by side.
        facts: by content digest.
        failures: why an image cannot be read, by content digest.
    """

    vectors: Mapping[str, Vector]
    facts: Mapping[str, Facts]
    failures: Mapping[str, ImageError]


class Backbone:
    """A model file as a source of features.

    Args:
        path: the model file; its card must describe an embedding.
        device: as for `beholder.load`.

    Raises:
        InvalidModel: the file cannot be used, or gives no embedding.
    """

    def __init__(self, path: str | os.PathLike[str], device: str = "auto") -> None:
        import onnx

        self.data, self.card = read_model(path)
        self.graph_digest = graph_digest_of(self.data)
        model = onnx.load_from_string(self.data)
        self.layers: tuple[Layer, ...] = tuple(tap_layers(model, _embedding_width(self.card)))
        keep_outputs(model, [layer.output for layer in self.layers])
        self.runtime = OnnxRuntime(model.SerializeToString(), device)
        self.kind = _kind(self)

    def split(self, vectors: Vector) -> dict[str, Vector]:
        """Vectors `(n, d)` of all layers as one `(n, width)` for each."""
        ends = np.cumsum([layer.width for layer in self.layers])
        parts = np.split(vectors, ends[:-1], axis=1)
        return {layer.output: part for layer, part in zip(self.layers, parts, strict=True)}

    def see(
        self,
        samples: Sequence[Sample],
        contents: ContentCache,
        *,
        limits: Limits | None = None,
        progress: Progress | None = None,
    ) -> Features:
        """The features and facts of images; an image whose both are known is not opened.

        Args:
            samples: with their digests.
            contents: where features and facts are kept, a batch at a time: a killed run goes on where it was.
            limits: what an image may cost.
            progress: told how many of the images that had to be opened are done.
        """
        by_digest = {sample.digest: sample for sample in reversed(samples) if sample.digest is not None}
        unknown = {*contents.missing(self.kind, by_digest), *contents.missing(FACTS_KIND, by_digest)}
        opened = [sample for digest, sample in by_digest.items() if digest in unknown]
        opened.sort(key=lambda sample: sample.name)
        failures: dict[str, ImageError] = {}
        with Reader(limits) as reader:
            answers = zip(opened, self._look(opened, reader), strict=True)
            done = 0
            while batch := list(islice(answers, _TOGETHER)):
                failures |= self._keep(batch, contents)
                done += len(batch)
                if progress is not None:
                    progress(done, len(opened))
        vectors = {key: np.frombuffer(value, "<f4") for key, value in contents.get(self.kind, by_digest).items()}
        facts = {key: Facts.from_bytes(value) for key, value in contents.get(FACTS_KIND, by_digest).items()}
        return Features(vectors, facts, failures)

    def _look(self, samples: Sequence[Sample], reader: Reader) -> Iterator[_Seen | ImageError]:
        inputs = (Input(sample.name, single(sample.path, reader.limits).load) for sample in samples)
        return run_batches(inputs, _Look(self, reader), self.runtime.batch_size, self.runtime.threads)

    def _keep(self, batch: list[tuple[Sample, _Seen | ImageError]], contents: ContentCache) -> dict[str, ImageError]:
        failures: dict[str, ImageError] = {}
        good: list[tuple[str, _Seen]] = []
        for sample, seen in batch:
            key = sample.digest or ""
            if isinstance(seen, ImageError):
                failures[key] = seen
            elif seen.digest != key:
                failures[key] = UnreadableImage(str(sample.path), "was changed while it was read; run this again")
            else:
                good.append((key, seen))
        contents.put(TINY_KIND, ((key, seen.tiny) for key, seen in good))
        contents.put(FACTS_KIND, ((key, seen.facts.to_bytes()) for key, seen in good))
        contents.put(self.kind, ((key, seen.vector.astype("<f4").tobytes()) for key, seen in good))
        return failures


@dataclass(frozen=True, slots=True)
class _Seen:
    digest: str
    vector: Vector
    facts: Facts
    tiny: bytes


@dataclass(frozen=True, slots=True)
class _Look:
    """One batch of images through decoding, facts and network."""

    backbone: Backbone
    reader: Reader

    def __call__(self, batch: list[Input]) -> list[_Seen | ImageError]:
        geometry = self.backbone.card.geometry
        results: list[_Seen | ImageError | None] = []
        pixels, looked = [], []
        for found in batch:
            try:
                image = self.reader.read(found.load(), found.name, self._needed_scale)
            except ImageError as error:
                results.append(error)
                continue
            pixels.append(geometry.apply(image)[0])
            looked.append((image.metadata.digest or "", facts_of(image), tiny_of(image).tobytes()))
            results.append(None)
        vectors = self._vectors(pixels)
        pairs = zip(vectors, looked, strict=True)
        seen = iter([_Seen(key, vector, facts, tiny) for vector, (key, facts, tiny) in pairs])
        return [next(seen) if result is None else result for result in results]

    def _vectors(self, pixels: list[NDArray[np.uint8]]) -> list[Vector]:
        if not pixels:
            return []
        names = [layer.output for layer in self.backbone.layers]
        tensors = self.backbone.runtime.run(np.stack(pixels), names)
        return list(np.concatenate([tensors[name] for name in names], axis=1).astype(np.float32))

    def _needed_scale(self, size_hw: tuple[int, int]) -> float:
        return max(self.backbone.card.geometry.needed_scale(size_hw), scale_for_facts(size_hw))


def _embedding_width(card: ModelCard) -> int:
    from beholder.errors import InvalidModel

    if card.embedding is None:
        raise InvalidModel(
            f"{card.name} gives no embedding, so no head can be trained on it; import it with --embedding"
        )
    return card.embedding.dim


def _kind(backbone: Backbone) -> str:
    """Under what name features are kept: another for another graph, geometry or choice of layers."""
    taps = [(layer.tensor, layer.width) for layer in backbone.layers]
    geometry = backbone.card.geometry
    return "features/" + digest(json.dumps([backbone.graph_digest, repr(geometry), taps, LAST]).encode())[7:39]
