"""From a place that a person names to a dataset: what it is, in which format, and whether it can be used."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

from beholder.data.contents import ContentCache
from beholder.data.correcting import corrected
from beholder.data.formats import FORMATS, Claim, Format, Options, Writing
from beholder.data.listing import counted, is_image_file, look, natural, some
from beholder.data.sample import NONE, UNKNOWN, Dataset, Sample
from beholder.data.writing import Progress
from beholder.errors import (
    AmbiguousDataset,
    DatasetNotFound,
    InvalidAnnotations,
    InvalidClasses,
    NotADataset,
    UsageError,
)
from beholder.image.formats import ARCHIVE_SUFFIXES, VIDEO_SUFFIXES
from beholder.records import nearest

SimilarLabels = Literal["refuse", "merge", "keep"]
"""What to do with labels that differ only by case or spaces."""

_MODEL_SUFFIXES: Final = (".onnx", ".pt", ".pth", ".safetensors", ".h5", ".keras", ".tflite", ".ckpt", ".pkl", ".pb")


def read(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    pattern: str | None = None,
    label: str | None = None,
    images: str | os.PathLike[str] | None = None,
    similar_labels: SimilarLabels = "refuse",
    corrections: bool = True,
    contents: ContentCache | None = None,
) -> Dataset:
    """Read a dataset; no image is opened.

    Args:
        path: a folder, or a file of annotations.
        format: a name in `FORMATS`; None to find out.
        pattern: labels are what this regular expression finds in the names of files; its group `label` is needed.
        label: the column or columns of a table that hold the labels, separated by commas.
        images: the folder that paths in annotations are relative to.
        similar_labels: what to do with labels that differ only by case or spaces.
        corrections: whether what was corrected before is applied.
        contents: the cache that knows the digests of files; None for the person's own. Used only for corrections.

    Returns:
        The dataset; its `notes` say what was taken for what.

    Raises:
        DatasetNotFound: there is nothing at the path.
        NotADataset: there is something else, such as a model, an image or an archive.
        AmbiguousDataset: it can be read in two ways.
        InvalidAnnotations: annotations are damaged or contradict themselves; the text names the line.
        InvalidClasses: a class has no images, or two have nearly the same name.
        UsageError: an option is wrong.
    """
    place = Path(path)
    options = Options(pattern, label, Path(images) if images is not None else None)
    form, found, aside = _chosen(place, _format_named(format, options), options)
    dataset = form.read(found, options).with_notes(*aside)
    if corrections:
        dataset = corrected(dataset, contents)
    return _checked(dataset, similar_labels)


def write(
    dataset: Dataset,
    out: str | os.PathLike[str],
    *,
    format: str = "folder",
    link: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> None:
    """Write a dataset in another format, whole or not at all.

    Args:
        dataset: what to write.
        out: where to write it.
        format: `folder`, `csv` or `coco`; only the first holds the images, the others name them.
        link: for a folder, make hard links instead of copies where possible.
        overwrite: for a file, replace an existing one; an existing folder is never replaced.
        progress: told how many images are written.

    Raises:
        OutputExists: there is something at `out` that may not be replaced.
        OutputFailed: it cannot be written.
        UsageError: the format cannot hold the dataset.
    """
    form = _format_named(format, Options())
    if form is None or form.write is None:
        known = [name for name, form in FORMATS.items() if form.write is not None]
        raise UsageError(f"format {format}: cannot be written; {nearest(format, known)}")
    form.write(dataset, Path(out), Writing(link, progress, overwrite))


def require_trainable(dataset: Dataset) -> None:
    """Refuse what no classifier can learn from.

    Raises:
        InvalidClasses: nothing is labelled, or there is one class only.
    """
    if not dataset.classes:
        raise InvalidClasses(
            f"{dataset.source}: images must have labels, found none; put them into a folder for each class"
        )
    negatives = any(sample.negative for sample in dataset.samples)
    if len(dataset.classes) == 1 and not negatives:
        raise InvalidClasses(
            f"{dataset.source}: must have at least two classes, found only {dataset.classes[0]!r}; add images that "
            "show something else as another class"
        )


def _format_named(name: str | None, options: Options) -> Format | None:
    """The format that a person chose, by its name or by an option that only one has."""
    implied = "pattern" if options.pattern is not None else "csv" if options.label is not None else None
    if name is None:
        return FORMATS[implied] if implied else None
    if name not in FORMATS:
        raise UsageError(f"--format: no format {name!r}; {nearest(name, list(FORMATS))}")
    if implied and implied != name:
        raise UsageError(f"--{'pattern' if implied == 'pattern' else 'label'} needs --format {implied}, found {name}")
    return FORMATS[name]


def _chosen(place: Path, form: Format | None, options: Options) -> tuple[Format, Path, list[str]]:
    """The format to read with, the file or folder to read, and what else there is that was left aside."""
    if not place.exists():
        raise DatasetNotFound(f"{place}: no such file or folder")
    if place.is_file():
        _refuse_other_files(place)
    forms = [form] if form is not None else list(FORMATS.values())
    claims = [(candidate, claim) for candidate in forms for claim in candidate.detect(place, options)]
    best = [(candidate, claim) for candidate, claim in claims if claim.certain] or claims
    if len(best) > 1:
        raise _ambiguous(place, best)
    if best:
        ((found, chosen),) = best
        return found, chosen.path, [f"{claim.what} left aside" for _, claim in claims if claim is not chosen]
    if form is not None:
        return form, place, []
    raise _nothing(place)


def _nothing(place: Path) -> NotADataset:
    if place.is_file():
        return NotADataset(f"{place}: not a dataset of a known format: {_formats()}")
    archives = [name for name in look(place).files if name.lower().endswith(ARCHIVE_SUFFIXES)]
    if archives:
        return NotADataset(f"{place}: holds no images, but {some(archives)}; unpack it, and name its folder")
    return NotADataset(f"{place}: holds no images and no annotations; make a folder for each class, with images in it")


def _ambiguous(place: Path, claims: Sequence[tuple[Format, Claim]]) -> AmbiguousDataset:
    found = " and ".join(claim.what for _, claim in claims[:4])
    names = sorted({form.name for form, _ in claims})
    files = [claim.path for _, claim in claims if claim.path.is_file()]
    ways = [f"--format {name}" for name in names if sum(form.name == name for form, _ in claims) == 1]
    ways += [f"name {file}" for file in files[:2]]
    return AmbiguousDataset(f"{place}: must be read in one way, found {found}; choose: {', or '.join(ways)}")


def _refuse_other_files(file: Path) -> None:
    suffix = file.suffix.lower()
    if suffix in _MODEL_SUFFIXES:
        raise NotADataset(f"{file}: a model where a dataset is expected; name a folder of images")
    if file.name.lower().endswith(ARCHIVE_SUFFIXES):
        raise NotADataset(f"{file}: an archive is not read in place; unpack it, and name the folder")
    if suffix in VIDEO_SUFFIXES:
        raise NotADataset(f"{file}: a video where a dataset is expected; save its frames into a folder for each class")
    if is_image_file(file):
        raise NotADataset(f"{file}: a single image where a dataset is expected; name a folder of images")


def _formats() -> str:
    return ", ".join(f"{form.says} ({name})" for name, form in FORMATS.items())


def _checked(dataset: Dataset, similar: SimilarLabels) -> Dataset:
    """Refuse or merge labels that only look different."""
    for alone in (UNKNOWN, NONE):
        if alone in dataset.classes:
            name = next(sample.name for sample in dataset.samples if alone in sample.labels)
            raise InvalidAnnotations(
                f"{dataset.source}: {alone} must stand alone, found it with other labels on {name}"
            )
    if similar == "keep":
        return dataset
    counts = dataset.counts()
    spellings: dict[str, list[str]] = {}
    for name in dataset.classes:
        spellings.setdefault(_folded(name), []).append(name)
    alike = [sorted(names, key=lambda name: -counts[name]) for names in spellings.values() if len(names) > 1]
    if not alike:
        return dataset
    if similar == "refuse":
        found = ", ".join(f"{name!r} ({counted(counts[name], 'image')})" for name in alike[0])
        more = f" and {len(alike) - 1} more such classes" if len(alike) > 1 else ""
        raise InvalidClasses(
            f"{dataset.source}: classes must differ by more than case or spaces, found {found}{more}; rename one, or "
            "pass --similar-labels merge"
        )
    return _merged(dataset, alike)


def _merged(dataset: Dataset, alike: Sequence[Sequence[str]]) -> Dataset:
    """Give every spelling of a label the commonest one."""
    into = {name: names[0] for names in alike for name in names}
    samples = [_renamed(sample, into) for sample in dataset.everything()]
    merged = some(" and ".join(map(repr, names[1:])) + f" into {names[0]!r}" for names in alike)
    return dataset.regathered(samples, [f"classes that differ by case or spaces merged: {merged}"])


def _renamed(sample: Sample, into: dict[str, str]) -> Sample:
    if not any(label in into for label in sample.labels):
        return sample
    labels = {into.get(label, label) for label in sample.labels}
    return replace(sample, labels=tuple(sorted(labels, key=natural)))


def _folded(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())
