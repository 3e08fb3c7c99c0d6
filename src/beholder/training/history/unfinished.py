"""Trainings that were interrupted: what they keep, so that the same training goes on where it was."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from beholder.errors import UsageError
from beholder.files import data_dir

RESTING_SECONDS: Final = 3600.0
"""A training that is still running writes oftener than that; one that was written to since may be running."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """One training that is not done.

    Attributes:
        folder: what it keeps.
        byte_size: of all its files.
        touched: when it last wrote something; UTC.
    """

    folder: Path
    byte_size: int
    touched: datetime

    @property
    def may_be_running(self) -> bool:
        """Whether it wrote something lately."""
        return time.time() - self.touched.timestamp() < RESTING_SECONDS


def list_unfinished() -> tuple[Unfinished, ...]:
    """The trainings that are not done, the one that wrote last first."""
    root = data_dir() / "unfinished"
    try:
        folders = [Path(one.path) for one in os.scandir(root) if one.is_dir() and not one.name.startswith(".")]
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise UsageError(f"{root}: cannot be read: {error.strerror or error}") from None
    return tuple(sorted(map(_looked_at, folders), key=lambda one: one.touched, reverse=True))


def _looked_at(folder: Path) -> Unfinished:
    size, touched = 0, 0.0
    for place, _, names in os.walk(folder):
        for path in (place, *(os.path.join(place, name) for name in names)):
            try:
                facts = os.stat(path, follow_symlinks=False)
            except OSError:
                continue  # it has just ended, or replaced a file
            size += 0 if path == place else facts.st_size
            touched = max(touched, facts.st_mtime)
    return Unfinished(folder, size, datetime.fromtimestamp(touched, UTC))
