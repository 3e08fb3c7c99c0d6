"""A model file that lies where the command is run: who has just trained one should not be answered by another."""

from __future__ import annotations

import os
import shlex
from itertools import islice
from typing import Final

from beholder.errors import ModelError

_MOST_ENTRIES: Final = 2000
_MOST_CARDS: Final = 3
"""Files whose cards are read until one can be; a folder full of foreign ONNX files must not delay the first answer."""


def hint(folder: str, default_model: str) -> str | None:
    """A line that says that a model file is in a folder, and how to use it; nothing when there is none.

    Args:
        folder: where to look, not below it; the newest file of the first that it lists is named.
        default_model: the name of the model that answers now; its own file is no news.
    """
    from beholder.model import read_card

    for path in _newest(folder):
        try:
            card = read_card(path)
        except ModelError:  # no model file of ours, or a damaged one
            continue
        if not card.labels or card.name == default_model:
            continue
        name = os.path.basename(path)
        word = shlex.quote(f"./{name}" if name.startswith("-") else name)
        classes = f"{len(card.labels):,} class{'' if len(card.labels) == 1 else 'es'}"
        return f"{name} is here, trained on {classes}: use it with --model {word}"
    return None


def _newest(folder: str) -> list[str]:
    found: list[tuple[float, str]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in islice(entries, _MOST_ENTRIES):
                if entry.name.lower().endswith(".onnx") and not entry.name.startswith(".") and entry.is_file():
                    found.append((-entry.stat().st_mtime, entry.path))
    except OSError:  # a hint is worth no error
        return []
    return [path for _, path in sorted(found)[:_MOST_CARDS]]
