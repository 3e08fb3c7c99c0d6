"""Where the images are that a file of annotations names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Final

from beholder.data.formats.format import Options
from beholder.data.listing import counted, look, some
from beholder.errors import DataError, InvalidAnnotations, UsageError

_TRIED: Final = 50
"""How many of the names are looked for before a folder is given up."""


@dataclass
class Locator:
    """Finds the files that annotations name, and remembers what is missing.

    Attributes:
        annotations: the file that names them.
        folder: what names are relative to.
        missing: names that no file has.
    """

    annotations: Path
    folder: Path
    missing: dict[str, None] = field(default_factory=dict)
    found: int = 0

    @classmethod
    def of(cls, annotations: Path, names: Sequence[str], options: Options) -> Locator:
        """Find the folder that names are relative to: where the annotations are, beside them, or one level up.

        Args:
            annotations: the file that names them.
            names: the first names in it.
            options: may name the folder.
        """
        if options.images is not None:
            if not options.images.is_dir():
                raise UsageError(f"--images must name a folder, found {options.images}")
            return cls(annotations, options.images)
        here = annotations.parent
        for folder in _places(here):
            if any(is_there(folder, name) for name in names[:_TRIED]):
                return cls(annotations, folder)
        return cls(annotations, here)

    def path_of(self, name: str) -> Path | None:
        """The file of a name; None, and noted as missing, where there is none."""
        path = Path(os.path.normpath(self.folder / as_path(name)))
        if os.path.isfile(path):
            self.found += 1
            return path
        self.missing.setdefault(name)
        return None

    def notes(self) -> list[str]:
        """What to say about where the files are, and which are missing.

        Raises:
            InvalidAnnotations: all of them are.
        """
        elsewhere = [] if self.folder == self.annotations.parent else [f"images are in {self.folder}"]
        if not self.missing:
            return elsewhere
        names = some(self.missing)
        if not self.found:
            raise InvalidAnnotations(
                f"{self.annotations}: none of the {len(self.missing):,} images that it names is in {self.folder}: "
                f"{names}; name their folder with --images"
            )
        total = self.found + len(self.missing)
        where = self.annotations.name
        return [*elsewhere, f"{len(self.missing):,} of {counted(total, 'image')} in {where} missing: {names}"]


def is_there(folder: Path, name: str) -> bool:
    """Whether there is a file of that name in a folder."""
    return os.path.isfile(folder / as_path(name))


def as_path(name: str) -> str:
    """A path as annotations write it, perhaps on Windows, as a path of this system."""
    if "\\" in name and "/" not in name and os.sep == "/":
        return PureWindowsPath(name).as_posix()
    return name


def name_below(root: Path, path: Path) -> str:
    """What to call a file: its path below the root, with `/`; its whole path where it lies elsewhere."""
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return path.as_posix()


def _places(here: Path) -> list[Path]:
    """Folders that names may be relative to, nearest first."""
    places: list[Path] = []
    for folder in (here, here.parent):
        places.append(folder)
        try:
            places += [folder / name for name in look(folder).folders]
        except DataError:  # a folder that may be passed through but not listed
            continue
    return places
