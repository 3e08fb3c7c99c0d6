"""The files of a run folder, read without trusting them: what is no file, too large or too deep is refused."""

from __future__ import annotations

import json
import os
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from beholder.errors import UsageError

MOST_BYTES: Final = 20_000_000
"""No run writes a file of text as large as that: whatever it is, it is not read into memory."""

LARGEST: Final = 1e30
"""No run counts or measures so much; a number of thousands of digits cannot even be printed."""

_DEEPEST: Final = 50
"""How deep lists and objects lie in each other at most: what is nested deeper cannot be walked through."""


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """The content of a file.

    Args:
        path: what may be anything, such as a link to a device.
        most: bytes that it may have.

    Raises:
        UsageError: it is not there, not a regular file, too large, or cannot be read.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe is waited for without end, and a device never ends
            raise UsageError(f"{path}: cannot be read: it is not a regular file")
        with open(path, "rb") as stream:
            data = stream.read(most + 1)
    except FileNotFoundError:
        raise UsageError(f"{path.parent}: is no run folder, or damaged: it has no {path.name}") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > most:
        raise UsageError(f"{path}: is too large to be of a run")
    return data


def read_json(path: Path) -> Any:
    """The values of a JSON file.

    Raises:
        UsageError: see `read_bytes`; or it is not JSON, nested too deeply, or holds a number that is too large.
    """
    return _read(path, json.loads, "JSON")


def read_toml(path: Path) -> dict[str, Any]:
    """The keys and values of a TOML file.

    Raises:
        UsageError: see `read_bytes`; or it is not TOML, nested too deeply, or holds a number that is too large.
    """
    values: dict[str, Any] = _read(path, tomllib.loads, "TOML")
    return values


def _read(path: Path, parse: Callable[[str], Any], form: str) -> Any:
    text = _text(path)
    try:
        values = parse(text)
    except (json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: is damaged: it is not {form}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: is damaged: {_why(error)}") from None
    _require_bounded(values, path)
    return values


def _text(path: Path) -> str:
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{path}: cannot be read: it is not text") from None


def _why(error: ValueError | RecursionError) -> str:
    """What Python refuses to read of well-formed text: a depth, or a number of thousands of digits."""
    return _TOO_DEEP if isinstance(error, RecursionError) else _TOO_LARGE


_TOO_DEEP: Final = f"it is nested more than {_DEEPEST} deep"
_TOO_LARGE: Final = f"a number in it is not below {LARGEST:g}"


def _require_bounded(value: Any, path: Path, depth: int = 0) -> None:
    """Refuse depths and whole numbers that no run has; floats need no bound, for they can always be shown."""
    if depth > _DEEPEST:
        raise UsageError(f"{path}: is damaged: {_TOO_DEEP}")
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            _require_bounded(item, path, depth + 1)
    elif isinstance(value, int) and not -LARGEST < value < LARGEST:
        raise UsageError(f"{path}: is damaged: {_TOO_LARGE}")
