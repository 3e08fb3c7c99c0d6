"""Beholder as it is installed: `model.predict_many(folder)`. Arguments: FOLDER [MODEL]."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator

from turns import Answer, take_turns

import beholder


def load(folder: str) -> Callable[[], Iterable[Answer]]:
    model = beholder.load(*sys.argv[2:])

    def work() -> Iterator[Answer]:
        for result in model.predict_many(folder):
            yield os.path.basename(result.source), [label.index for label in result.labels]

    return work


if __name__ == "__main__":
    take_turns(load)
