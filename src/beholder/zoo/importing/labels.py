"""Class names from outside: a text file, or what a hub says."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import Final

from beholder.errors import UsageError
from beholder.model.card import MAX_LABELS

MAX_FILE_BYTES: Final = 16 * 2**20
MAX_LENGTH: Final = 500

_STEERING: Final = ("Cc", "Cs", "Zl", "Zp")
"""Unicode categories of control characters, lone surrogates and line separators."""


def read_labels(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Read class names from a text file, UTF-8, one a line.

    Raises:
        UsageError: the file cannot be read, or a line is blank, repeated, or not plain text.
    """
    name = os.fspath(path)
    try:
        if Path(path).stat().st_size > MAX_FILE_BYTES:
            raise UsageError(f"{name}: must be under {MAX_FILE_BYTES:,} bytes to be a list of labels")
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: must be UTF-8 text, but {error.reason} at byte {error.start:,}") from None
    labels = [line.strip() for line in text.rstrip().split("\n")]
    first: dict[str, int] = {}
    for number, label in enumerate(labels, 1):
        if label in first:
            raise UsageError(f"{name}: line {number} repeats {label!r} of line {first[label]}; labels must differ")
        try:
            check_label(label)
        except UsageError as error:
            raise UsageError(f"{name}: line {number}: {error}") from None
        first[label] = number
    if len(labels) > MAX_LABELS:
        raise UsageError(f"{name}: must have at most {MAX_LABELS:,} labels, found {len(labels):,}")
    return tuple(labels)


def check_label(label: str) -> None:
    """Refuse a class name that is blank, very long, or holds control characters, which could steer a terminal.

    Raises:
        UsageError: with the reason.
    """
    if not label.strip():
        raise UsageError("a label must not be blank")
    if len(label) > MAX_LENGTH:
        raise UsageError(f"a label must have at most {MAX_LENGTH} characters, found {len(label):,}")
    if any(unicodedata.category(character) in _STEERING for character in label):
        raise UsageError(f"a label must not hold control characters, found {label!r}")
