"""What lies in a folder, in natural order, without what systems and tools leave there.

The same files are taken for images here as where a folder is predicted: those with an image's name, and those that
begin as an image does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from beholder.errors import DataError
from beholder.image.formats import (
    IGNORED_FILES,
    IGNORED_FOLDERS,
    MAGIC_BYTES,
    looks_like_image,
    suffix_names_image,
)
from beholder.image.input import LeftOut


def natural(name: str) -> list[tuple[int, int, str]]:
    """The key that sorts `frame2` before `frame10`."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


@dataclass(frozen=True, slots=True)
class Level:
    """What lies directly in a folder; names in natural order.

    Attributes:
        folders: names of its folders, links to folders among them.
        files: names of its files, images or not.
    """

    folders: tuple[str, ...]
    files: tuple[str, ...]


def look(folder: Path) -> Level:
    """List a folder; hidden entries and those that systems and tools add are passed over.

    Raises:
        DataError: it cannot be listed.
    """
    folders: list[str] = []
    files: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    if entry.name not in IGNORED_FOLDERS:
                        folders.append(entry.name)
                elif entry.name not in IGNORED_FILES:
                    files.append(entry.name)
    except OSError as error:
        raise DataError(f"{folder}: its files cannot be listed: {error.strerror or error}") from None
    return Level(tuple(sorted(folders, key=natural)), tuple(sorted(files, key=natural)))


def image_files(folder: Path, names: Iterable[str], left_out: LeftOut | None = None) -> Iterator[str]:
    """Of the files in a folder, those that are images.

    Args:
        folder: where they are.
        names: names of files.
        left_out: counts the others.
    """
    for name in names:
        if is_image_file(folder / name):
            yield name
        elif left_out is not None:
            left_out.add(name)


def images_below(folder: Path, left_out: LeftOut | None = None) -> Iterator[str]:
    """Images in a folder and its subfolders: their paths below it, with `/`. Links to subfolders are not followed.

    Raises:
        DataError: a folder cannot be listed.
    """
    level = look(folder)
    yield from image_files(folder, level.files, left_out)
    for name in level.folders:
        if not os.path.islink(folder / name):  # it may lead back up
            for inner in images_below(folder / name, left_out):
                yield f"{name}/{inner}"


def holds_images(folder: Path) -> bool:
    """Whether there is an image in a folder or below."""
    return next(images_below(folder), None) is not None


def is_image_file(path: Path) -> bool:
    """Whether a file is taken for an image, whatever comes of reading it."""
    if suffix_names_image(path.name):
        return True
    try:
        if not path.is_file():  # opening a pipe would wait for ever
            return False
        with open(path, "rb") as stream:
            return looks_like_image(stream.read(MAGIC_BYTES))
    except OSError:
        return False


def some(names: Iterable[str], shown: int = 3) -> str:
    """The first few of many names, for a line: `a, b, c and 17 more`."""
    listed = list(names)
    more = f" and {len(listed) - shown:,} more" if len(listed) > shown else ""
    return ", ".join(listed[:shown]) + more


def counted(count: int, what: str, plural: str | None = None) -> str:
    """`1 image`, `1,515 images`."""
    return f"{count:,} {what if count == 1 else plural or what + 's'}"
