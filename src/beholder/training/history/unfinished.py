"""Trainings that were interrupted: what they keep, so that the same training goes on where it was."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from beholder.errors import UsageError
from beholder.files import data_dir

RESTING_SECONDS: Final = 3600.0
"""A training that is still running writes oftener than that; one that was written to since may be running."""

_LAST_DAY: Final = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
"""A file system can hold later times, and nothing else can."""


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

    @classmethod
    def of(cls, folder: Path) -> Self:
        """What is in a folder; a file that goes meanwhile counts for nothing."""
        size, touched = 0, 0.0
        for place, _, names in os.walk(folder):
            for path in (place, *(os.path.join(place, name) for name in names)):
                try:
                    facts = os.stat(path, follow_symlinks=False)
                except OSError:
                    continue  # it has just ended, or replaced a file
                size += 0 if path == place else facts.st_size
                touched = max(touched, facts.st_mtime)
        return cls(folder, size, datetime.fromtimestamp(min(touched, _LAST_DAY), UTC))

    @property
    def may_be_running(self) -> bool:
        """Whether it wrote something lately."""
        return time.time() - self.touched.timestamp() < RESTING_SECONDS


def list_unfinished() -> tuple[Unfinished, ...]:
    """The trainings that are not done, the one that wrote last first."""
    root = data_dir() / "unfinished"
    try:
        folders = [root / name for name in os.listdir(root) if not name.startswith(".") and os.path.isdir(root / name)]
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise UsageError(f"{root}: cannot be read: {error.strerror or error}") from None
    return tuple(sorted(map(Unfinished.of, folders), key=lambda one: one.touched, reverse=True))
