"""A folder with a subfolder per class, perhaps inside folders for the splits.

    photos/cat/1.jpg            photos/train/cat/1.jpg
    photos/dog/2.jpg            photos/test/dog/2.jpg
    photos/_unknown/3.jpg       photos/test/_unknown/3.jpg

A folder that only wraps another is passed over. Subfolders of a class belong to it. Images outside the class folders
are unlabelled.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from beholder.data.formats.format import Claim, Format, Options, Writing
from beholder.data.listing import counted, holds_images, image_files, images_below, look, some
from beholder.data.sample import SPLIT_NAMES, SPLITS, UNKNOWN, Dataset, Sample, Split
from beholder.data.writing import write_folder
from beholder.errors import AmbiguousDataset, InvalidClasses, NotADataset
from beholder.image.input import LeftOut

_MAX_WRAPPERS: Final = 8


@dataclass
class _Found:
    """What was found while the folders were read.

    Attributes:
        samples: with the class folder as their label.
        images_of: how many images each class has.
        outside: how many images lie in no class folder.
        left_out: files that are no images.
    """

    samples: list[Sample] = field(default_factory=list)
    images_of: dict[str, int] = field(default_factory=dict)
    outside: int = 0
    left_out: LeftOut = field(default_factory=LeftOut)


def _detect(path: Path, _: Options) -> list[Claim]:
    if not path.is_dir():
        return []
    root = _unwrapped(path)
    if _split_folders(root):
        return [Claim(path, f"class folders inside split folders in {root}", certain=True)]
    level = look(root)
    classes = [name for name in level.folders if name != UNKNOWN and holds_images(root / name)]
    if classes:
        return [Claim(path, f"class folders {some(classes)}", certain=len(classes) > 1)]
    if next(image_files(root, level.files), None) is not None or holds_images(root):
        return [Claim(path, "images without labels", certain=False)]
    return []


def _read(path: Path, _: Options) -> Dataset:
    root = _unwrapped(path)
    splits = _split_folders(root)
    found = _Found()
    for folder, split in splits.items() if splits else [("", None)]:
        _read_part(root, folder, split, found)
    if not found.samples:
        raise NotADataset(f"{path}: holds no images{found.left_out.found_only()}; make a folder for each class")
    empty = [name for name, count in found.images_of.items() if not count and name != UNKNOWN]
    if empty:
        places = some(str(root / name) if not splits else name for name in empty)
        raise InvalidClasses(
            f"{places}: a class must have images, found none; add some, or move the folder to another place"
        )
    notes = list(_notes(path, root, splits, found))
    found.left_out.tell(notes.append, str(root))
    return Dataset.of(found.samples, root=root, source=root, format="folder", notes=notes)


def _read_part(root: Path, folder: str, split: Split | None, found: _Found) -> None:
    """Read the root, or one of its split folders."""
    level = look(root / folder)
    prefix = f"{folder}/" if folder else ""
    for name in image_files(root / folder, level.files, found.left_out):
        found.outside += 1
        found.samples.append(_sample(root, f"{prefix}{name}", (), split))
    for label in level.folders:
        shown = printable(label)
        count = 0
        for inner in images_below(root / folder / label, found.left_out):
            found.samples.append(_sample(root, f"{prefix}{label}/{inner}", (shown,), split))
            count += 1
        found.images_of[shown] = found.images_of.get(shown, 0) + count


def _sample(root: Path, name: str, labels: tuple[str, ...], split: Split | None) -> Sample:
    return Sample(root / name, printable(name), labels, split)


def printable(name: str) -> str:
    """A name as text, where the system's own encoding of it is damaged."""
    return name if name.isascii() else os.fsencode(name).decode("utf-8", "backslashreplace")


def _unwrapped(path: Path) -> Path:
    """The folder that holds the classes or splits: a lone folder that holds such folders only wraps them."""
    for _ in range(_MAX_WRAPPERS):
        level = look(path)
        if len(level.folders) != 1 or level.folders[0].lower() in (*SPLIT_NAMES, UNKNOWN):
            break
        inner = path / level.folders[0]
        if next(image_files(path, level.files), None) is not None:
            break
        if not any(holds_images(inner / name) for name in look(inner).folders):
            break
        path = inner
    return path


def _split_folders(root: Path) -> dict[str, Split]:
    """The split folders: there are some when every folder with images is named like one.

    Raises:
        AmbiguousDataset: folders named so hold classes, and other folders with images stand beside them.
    """
    folders = [name for name in look(root).folders if name != UNKNOWN and holds_images(root / name)]
    named = [name for name in folders if name.lower() in SPLIT_NAMES]
    others = [name for name in folders if name not in named]
    if not others:
        splits = {name: SPLIT_NAMES[name.lower()] for name in named}
        return dict(sorted(splits.items(), key=lambda item: SPLITS.index(item[1])))
    for name in named:
        inner = [folder for folder in look(root / name).folders if holds_images(root / name / folder)]
        if len(inner) > 1:
            raise AmbiguousDataset(
                f"{root}: {name} must be a split or a class, found the class folders {some(inner)} in it, but also "
                f"{some(others)} beside it; rename {name}, or move {some(others)} to another place"
            )
    return {}


def _notes(path: Path, root: Path, splits: Mapping[str, Split], found: _Found) -> Iterator[str]:
    if root != path:
        yield f"{root.relative_to(path)} only wraps what is in it, and is not a class"
    classes = sum(name != UNKNOWN for name in found.images_of)
    where = f", split by the folders {', '.join(splits)}" if splits else ""
    if classes:
        yield f"read as a folder per class: {counted(classes, 'class', 'classes')}{where}"
    else:
        yield f"read as images without labels: there are no class folders{where}"
    if strangers := found.images_of.get(UNKNOWN, 0):
        yield f"{counted(strangers, 'image')} in {UNKNOWN} taken as strangers, not as a class"
    if found.outside and classes:
        first = next(sample.name for sample in found.samples if not sample.labels)
        yield f"{counted(found.outside, 'image')} outside the class folders left unlabelled, such as {first}"


def _write(dataset: Dataset, out: Path, how: Writing) -> None:
    write_folder(dataset, out, link=how.link, progress=how.progress)


FORMAT: Final = Format("folder", "a folder with a subfolder per class", _detect, _read, _write)
