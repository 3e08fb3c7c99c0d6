"""The audit: from a dataset to what is wrong with it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from beholder.auditing.detecting.every import DETECTORS
from beholder.auditing.evidence import Evidence, Judgement, border_colors
from beholder.auditing.finding import Audit, Finding, in_words, ordered
from beholder.auditing.sameness import near_copies
from beholder.data import ContentCache, Dataset, Facts, Manifest, Sample, look_at, read, with_digests
from beholder.errors import ImageError, InvalidClasses
from beholder.training import Backbone, Learned, Recipe, Report, learn
from beholder.zoo import find

BACKBONE: Final = "efficientnet-lite0"

_DEEPER: Final = frozenset({"near_duplicate", "shortcut", "one_background", "one_light"})
"""Kinds that `quick_findings` does not look for: they would need images or their pixels."""

Vector = NDArray[np.float32]


def audit(
    data: str | os.PathLike[str] | Dataset,
    *,
    backbone: str = BACKBONE,
    recipe: Recipe | None = None,
    quick: bool = False,
    contents: ContentCache | None = None,
    report: Report | None = None,
) -> Audit:
    """Find what is wrong with a dataset, and what to do about it; nothing is changed.

    Args:
        data: a dataset, or where it is.
        backbone: model file, or name in the zoo, by which images are compared and labels are judged.
        recipe: how the head is fitted that judges the labels; the usual way when left out.
        quick: leave the backbone out: then cropped copies and wrong labels are not looked for.
        contents: the cache that knows what was seen before; None for the person's own.
        report: told what is going on.

    Raises:
        DataError: the data cannot be read.
        ModelError: the backbone cannot be used.
    """
    if contents is None:
        with ContentCache() as own:
            return audit(data, backbone=backbone, recipe=recipe, quick=quick, contents=own, report=report)
    tell: Report = report or (lambda *_: None)
    dataset = data if isinstance(data, Dataset) else read(data, contents=contents)
    known = with_digests(dataset, contents, lambda done, total: tell("reading", done, total))
    notes = list(dataset.notes)
    judgement = Judgement()
    if quick:
        seen, judgement = _looked_at(known, contents, tell), Judgement()
        notes.append("a quick look: cropped copies, wrong labels and classes that look alike were not looked for")
    else:
        network = Backbone(find(backbone))
        seen = _seen(known, network, contents, tell)
        judgement, more = _judged(known, network, recipe or Recipe(backbone=backbone), contents, tell)
        notes += more
    tell("judging", 0, 1)
    evidence = _evidence(dataset, known, seen, judgement, contents, tell)
    tell("done", 1, 1)
    return Audit(
        name=dataset.root.resolve().name,
        source=str(dataset.source),
        version=Manifest.of(known).version,
        images=len(dataset.samples) + len(dataset.strangers),
        classes=dataset.classes,
        findings=ordered(found for detector in DETECTORS.values() for found in detector(evidence)),
        notes=tuple(notes),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What was seen of images, by content digest."""

    facts: Mapping[str, Facts]
    vectors: Mapping[str, Vector] | None
    failures: Mapping[str, ImageError]


def _looked_at(known: Dataset, contents: ContentCache, tell: Report) -> _Seen:
    looked = look_at(known.everything(), contents, progress=lambda done, total: tell("looking", done, total))
    failures = {
        sample.digest or "": looked.failures[sample.name]
        for sample in known.everything()
        if sample.name in looked.failures
    }
    return _Seen(looked.facts, None, failures)


def _seen(known: Dataset, network: Backbone, contents: ContentCache, tell: Report) -> _Seen:
    seen = network.see(known.everything(), contents, progress=lambda done, total: tell("looking", done, total))
    start = sum(layer.width for layer in network.layers[:-1])  # the embedding is the last of the layers
    vectors = {digest: vector[start:] for digest, vector in seen.vectors.items()}
    return _Seen(seen.facts, vectors, seen.failures)


def _judged(
    known: Dataset, network: Backbone, recipe: Recipe, contents: ContentCache, tell: Report
) -> tuple[Judgement, list[str]]:
    """What a head says of the labels; nothing, and why, where none can be fitted."""
    try:
        return Judgement.of(learn(known, network, recipe, contents, tell)[0]), []
    except InvalidClasses as error:
        return Judgement(), [f"labels were not checked: {error}"]


def _evidence(
    dataset: Dataset, known: Dataset, seen: _Seen, judgement: Judgement, contents: ContentCache, tell: Report
) -> Evidence:
    """Everything that detectors judge by."""
    everything = known.everything()
    samples = tuple(sample for sample in everything if (sample.digest or "") in seen.facts)
    failures = tuple(
        (sample, seen.failures[sample.digest or ""].reason)
        for sample in everything
        if (sample.digest or "") in seen.failures
    )
    copies = near_copies(
        samples,
        seen.facts,
        _unit_vectors(samples, seen.vectors),
        contents,
        progress=lambda done, total: tell("comparing", done, total),
    )
    opened = {sample.name for sample in everything}
    unopened = [
        (sample.name, *_why_unopened(sample.path)) for sample in dataset.everything() if sample.name not in opened
    ]
    unnamed = ("the annotations name it, but there is no such file", "Put the file in its place.")
    unopened += [(name, *unnamed) for name in dataset.missing]
    return Evidence(
        dataset=dataset,
        samples=samples,
        facts=tuple(seen.facts[sample.digest or ""] for sample in samples),
        borders=border_colors(samples, contents),
        copies=tuple(copies),
        failures=failures,
        unopened=tuple(unopened),
        judgement=judgement,
    )


def _why_unopened(path: Path) -> tuple[str, str]:
    """Why a file cannot be opened, and what to do."""
    if os.path.exists(path):
        return "it cannot be opened; is it yours to read?", "Make it readable, or take it away."
    if os.path.islink(path):
        return "it is a link to a file that is not there", "Put that file in its place, or take the link away."
    return "it is not there any more", "Put the file in its place."


def _unit_vectors(samples: Sequence[Sample], vectors: Mapping[str, Vector] | None) -> Vector | None:
    """Embeddings of length 1, `(n, d)`; a row of zeros where there is none."""
    if not vectors:
        return None
    stacked = np.zeros((len(samples), len(next(iter(vectors.values())))), np.float32)
    for row, sample in enumerate(samples):
        if sample.digest and sample.digest in vectors:
            stacked[row] = vectors[sample.digest]
    stacked /= np.maximum(np.linalg.norm(stacked, axis=1, keepdims=True), 1e-12)
    return stacked


def quick_findings(learned: Learned) -> tuple[Finding, ...]:
    """What an audit finds that costs nothing after training: nothing is opened, and no pixel is looked at.

    Copies are found where files are equal; an audit also finds those that were saved again, cropped or mirrored.
    """
    material = learned.material
    samples, root = material.dataset.everything(), material.dataset.root
    evidence = Evidence(
        material.dataset,
        samples,
        tuple(material.facts[sample.digest or ""] for sample in samples),
        np.full((len(samples), 3), np.nan, np.float32),
        failures=tuple((Sample(root / name, name), error.reason) for name, error in material.failures.items()),
        judgement=Judgement.of(learned),
    )
    detectors = [detector for kind, detector in DETECTORS.items() if kind not in _DEEPER]
    return ordered(found for detector in detectors for found in detector(evidence))


def in_one_line(findings: Sequence[Finding], place: str) -> str | None:
    """What was found in a line, with what to do about it; None where nothing was.

    Args:
        findings: of an audit, or `quick_findings`.
        place: the dataset, as it was named on the command line.
    """
    if not findings:
        return None
    return f"audit: {in_words(findings)}; see them: beholder audit {shlex.quote(place)}"
