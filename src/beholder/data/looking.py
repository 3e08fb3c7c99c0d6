"""The facts of every image of a dataset, each decoded once and never again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from beholder.data.contents import ContentCache
from beholder.data.facts import FACTS_KIND, TINY_KIND, Facts, facts_of, needed_scale, tiny_of
from beholder.data.sample import Sample
from beholder.data.writing import Progress
from beholder.errors import DataError, ImageError, UnreadableImage
from beholder.image import Reader
from beholder.image.sources import single

_TOGETHER: Final = 128
"""Images whose facts are kept together: what a killed process loses at most."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was learned of images.

    Attributes:
        facts: by content digest.
        failures: why an image cannot be read, by its name.
    """

    facts: dict[str, Facts]
    failures: dict[str, ImageError]


def look_at(
    samples: Sequence[Sample],
    contents: ContentCache,
    *,
    reader: Reader | None = None,
    progress: Progress | None = None,
) -> Looked:
    """Learn the facts of images; those that the cache knows are not opened.

    Args:
        samples: with their digests.
        contents: where facts, and images of 32 x 32 pixels for `mean_image`, are kept.
        reader: decodes them; None for one with the usual limits.
        progress: told how many of the images that had to be opened are done.

    Raises:
        DataError: a sample has no digest.
        OutputFailed: the cache cannot be written.
    """
    by_digest: dict[str, Sample] = {}
    for sample in samples:
        if sample.digest is None:
            raise DataError(f"{sample.name}: its digest must be known before its facts can be kept")
        by_digest.setdefault(sample.digest, sample)
    known = {digest: Facts.from_bytes(data) for digest, data in contents.get(FACTS_KIND, by_digest).items()}
    unknown = [sample for digest, sample in by_digest.items() if digest not in known]
    failed: dict[str, ImageError] = {}
    if reader is not None:
        _look(unknown, contents, reader, progress, known, failed)
    else:
        with Reader() as own:
            _look(unknown, contents, own, progress, known, failed)
    failures = {sample.name: failed[sample.digest] for sample in samples if sample.digest in failed}
    return Looked(known, failures)


def _look(
    samples: Sequence[Sample],
    contents: ContentCache,
    reader: Reader,
    progress: Progress | None,
    known: dict[str, Facts],
    failed: dict[str, ImageError],
) -> None:
    """Open images in threads and keep what is learned, some at a time."""
    done = 0
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as threads:
        for together in _some_at_a_time(samples):
            results = list(threads.map(lambda sample: _look_at_one(sample, reader), together))
            learned = []
            for sample, result in zip(together, results, strict=True):
                digest = sample.digest or ""
                if isinstance(result, ImageError):
                    failed[digest] = result
                else:
                    learned.append((digest, *result))
                    known[digest] = result[0]
            contents.put(TINY_KIND, ((digest, tiny) for digest, _, tiny in learned))
            contents.put(FACTS_KIND, ((digest, facts.to_bytes()) for digest, facts, _ in learned))
            done += len(together)
            if progress is not None:
                progress(done, len(samples))


def _look_at_one(sample: Sample, reader: Reader) -> tuple[Facts, bytes] | ImageError:
    try:
        raw = single(sample.path, reader.limits).load()
        image = reader.read(raw, str(sample.path), needed_scale)
        if image.metadata.digest != sample.digest:
            return UnreadableImage(str(sample.path), "was changed while it was read; run this again")
        return facts_of(image), tiny_of(image).tobytes()
    except ImageError as error:
        return error


def _some_at_a_time(samples: Sequence[Sample]) -> Iterator[Sequence[Sample]]:
    for start in range(0, len(samples), _TOGETHER):
        yield samples[start : start + _TOGETHER]
