"""The labels in a COCO file: which categories each image has.

Format: https://cocodataset.org/#format-data. Boxes and masks are passed over. An image without annotations shows none
of the categories where images may have several, and is unlabelled where each has one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from beholder.data.formats.format import Claim, Format, Options, Writing
from beholder.data.formats.locating import Locator, name_below
from beholder.data.formats.writing_table import free_names, written_path
from beholder.data.listing import counted, look, natural, some
from beholder.data.sample import SPLIT_NAMES, Dataset, Sample, Split
from beholder.errors import DatasetNotFound, InvalidAnnotations, UsageError
from beholder.files import write_atomic

_HEAD_BYTES: Final = 2**16
_IMAGES: Final = re.compile(rb'"images"\s*:\s*\[')
_NOT_METADATA: Final = ("id", "file_name", "split")
_FOLDERS: Final = ("", "annotations")
"""Where such files lie in a folder."""


def _detect(path: Path, _: Options) -> list[Claim]:
    if path.is_file():
        return [Claim(path, path.name, certain=True)] if path.suffix.lower() == ".json" else []
    found = []
    for folder in _FOLDERS:
        if (path / folder).is_dir():
            names = look(path / folder).files
            found += [path / folder / name for name in names if name.lower().endswith(".json")]
    return [Claim(file, str(file.relative_to(path)), certain=True) for file in found if _lists_images(file)]


def _lists_images(file: Path) -> bool:
    """Whether a JSON file begins as COCO files do, of which some are too large to be read for that."""
    try:
        with open(file, "rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError:
        return False
    return _IMAGES.search(head) is not None or b'"category_id"' in head


def _read(path: Path, options: Options) -> Dataset:
    content = _loaded(path)
    categories = _categories(_part(content, "categories", path), path)
    images = _images(_part(content, "images", path), path)
    annotations = _part(content, "annotations", path)
    found = _labels(annotations, categories, images, path)
    several = any(len(labels) > 1 for labels in found.values())
    locator = Locator.of(path, [image["file_name"] for image in images.values()], options)
    samples = [
        sample
        for number, image in images.items()
        if (sample := _sample(image, tuple(sorted(found[number], key=natural)), several, locator)) is not None
    ]
    if not images:
        raise InvalidAnnotations(f"{path}: must list images, found none")
    notes = list(_notes(samples, annotations, set(categories.values()), several))
    return Dataset.of(
        samples,
        root=locator.folder,
        source=path,
        format="coco",
        multi_label=several,
        notes=[*notes, *locator.notes()],
        missing=tuple(locator.missing),
    )


def _sample(image: Mapping[str, Any], labels: tuple[str, ...], several: bool, locator: Locator) -> Sample | None:
    path = locator.path_of(image["file_name"])
    if path is None:
        return None
    said = {key: value for key, value in image.items() if key not in _NOT_METADATA}
    metadata = {key: str(value) for key, value in said.items() if isinstance(value, str | int | float)}
    negative = several and not labels
    return Sample(path, name_below(locator.folder, path), labels, _split(image, locator), metadata, negative)


def _split(image: Mapping[str, Any], locator: Locator) -> Split | None:
    value = image.get("split")
    if value is None or value == "":
        return None
    if not isinstance(value, str) or value.lower() not in SPLIT_NAMES:
        raise InvalidAnnotations(
            f"{locator.annotations}: images: {image['file_name']}: a split must be train, validation or test, "
            f"found {value!r}"
        )
    return SPLIT_NAMES[value.lower()]


def _loaded(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise DatasetNotFound(f"{path}: a COCO file must be a file, found a folder; name the file in it")
    try:
        with open(path, encoding="utf-8-sig") as stream:
            content = json.load(stream)
    except json.JSONDecodeError as error:
        raise InvalidAnnotations(f"{path}, line {error.lineno}, column {error.colno}: not JSON: {error.msg}") from None
    except (UnicodeDecodeError, RecursionError):
        raise InvalidAnnotations(f"{path}: not JSON, or damaged") from None
    except OSError as error:
        raise InvalidAnnotations(f"{path}: cannot be read: {error.strerror or error}") from None
    if not isinstance(content, dict):
        raise InvalidAnnotations(f"{path}: must be a JSON object with images, annotations and categories")
    return content


def _part(content: Mapping[str, Any], key: str, path: Path) -> list[dict[str, Any]]:
    part = content.get(key)
    if not isinstance(part, list) or not all(isinstance(item, dict) for item in part):
        found = "none" if part is None else "something else"
        raise InvalidAnnotations(f"{path}: must have a list of {key} as COCO files with labels do, found {found}")
    return part


def _categories(items: list[dict[str, Any]], path: Path) -> dict[int, str]:
    categories: dict[int, str] = {}
    for number, item in enumerate(items):
        place = f"{path}: categories[{number}]"
        name = _field(item, "name", str, place)
        if name in categories.values():
            raise InvalidAnnotations(f"{place}.name: categories must have different names, found {name!r} twice")
        categories[_new_id(item, categories, place)] = name
    return categories


def _images(items: list[dict[str, Any]], path: Path) -> dict[int, dict[str, Any]]:
    images: dict[int, dict[str, Any]] = {}
    names: set[str] = set()
    for number, item in enumerate(items):
        place = f"{path}: images[{number}]"
        name = _field(item, "file_name", str, place)
        if name in names:
            raise InvalidAnnotations(f"{place}.file_name: images must have different names, found {name!r} twice")
        names.add(name)
        images[_new_id(item, images, place)] = item
    return images


def _labels(
    annotations: list[dict[str, Any]], categories: Mapping[int, str], images: Mapping[int, Any], path: Path
) -> dict[int, set[str]]:
    """The names of the categories that each image has."""
    found: dict[int, set[str]] = {number: set() for number in images}
    for number, item in enumerate(annotations):
        place = f"{path}: annotations[{number}]"
        image, category = _field(item, "image_id", int, place), _field(item, "category_id", int, place)
        if image not in found:
            raise InvalidAnnotations(f"{place}.image_id: must be the id of an image, found {image}")
        if category not in categories:
            raise InvalidAnnotations(f"{place}.category_id: must be the id of a category, found {category}")
        found[image].add(categories[category])
    return found


def _new_id(item: Mapping[str, Any], known: Mapping[int, Any], place: str) -> int:
    number: int = _field(item, "id", int, place)
    if number in known:
        raise InvalidAnnotations(f"{place}.id: ids must be different, found {number} twice")
    return number


def _field(item: Mapping[str, Any], key: str, kind: type, place: str) -> Any:
    value = item.get(key)
    if type(value) is not kind or value == "":
        what = "an integer" if kind is int else "text"
        raise InvalidAnnotations(f"{place}.{key}: must be {what}, found {str(value)[:40]!r}")
    return value


def _notes(samples: list[Sample], annotations: list[dict[str, Any]], names: set[str], several: bool) -> Iterator[str]:
    how = "several labels per image" if several else "one label per image"
    yield f"read as COCO: {counted(len(annotations), 'annotation')} taken as labels, {how}"
    if any("bbox" in item or "segmentation" in item for item in annotations):
        yield "boxes and masks passed over: only the labels of images were read"
    unused = sorted(names.difference(*(sample.labels for sample in samples)), key=natural)
    if unused:
        yield f"{len(unused):,} of {counted(len(names), 'category', 'categories')} on no image left out: {some(unused)}"
    without = sum(not sample.labels for sample in samples)
    if without:
        what = "known to show none of the categories" if several else "unlabelled"
        yield f"{counted(without, 'image')} without annotations taken as {what}"


def _write(dataset: Dataset, out: Path, how: Writing) -> None:
    """Write images, categories and one annotation for each label; without boxes, which nobody has measured."""
    samples = dataset.everything()
    _check_unlabelled(dataset)
    several = any(len(sample.labels) > 1 for sample in samples)
    said = [sample.labels if several else sample.said for sample in samples]  # `_none` where nothing else would tell
    names = sorted({label for labels in said for label in labels}, key=natural)
    numbers = {name: number for number, name in enumerate(names, start=1)}
    metadata = sorted({key for sample in samples for key in sample.metadata})
    keys = dict(zip(metadata, free_names(metadata, _NOT_METADATA), strict=True))
    images = []
    annotations: list[dict[str, int]] = []
    for number, (sample, labels) in enumerate(zip(samples, said, strict=True), start=1):
        entry: dict[str, Any] = {keys[key]: value for key, value in sample.metadata.items()}
        entry.update(id=number, file_name=written_path(sample, out))
        images.append({**entry, "split": sample.split} if sample.split else entry)
        annotations += [{"image_id": number, "category_id": numbers[label]} for label in labels]
    content = {
        "images": images,
        "annotations": [{"id": number, **entry} for number, entry in enumerate(annotations, start=1)],
        "categories": [{"id": number, "name": name} for name, number in numbers.items()],
    }
    with write_atomic(out, overwrite=how.overwrite) as stream:
        stream.write(json.dumps(content, ensure_ascii=True).encode())


def _check_unlabelled(dataset: Dataset) -> None:
    unlabelled = [sample.name for sample in dataset.samples if not sample.labelled]
    if dataset.multi_label and unlabelled:
        raise UsageError(
            f"COCO means by an image without annotations that no class applies, found {len(unlabelled):,} unlabelled, "
            f"such as {unlabelled[0]}; label them, or write csv"
        )


FORMAT: Final = Format("coco", "COCO JSON, of which the labels are read", _detect, _read, _write)
