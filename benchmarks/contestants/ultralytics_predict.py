"""Ultralytics' classify predict, with its smallest network, untrained. Arguments: FOLDER BATCH."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator

from turns import Answer, take_turns
from ultralytics_network import SIZE, untrained


def load(folder: str) -> Callable[[], Iterable[Answer]]:
    batch = int(sys.argv[2])
    network = untrained()

    def work() -> Iterator[Answer]:
        for result in network.predict(folder, imgsz=SIZE, batch=batch, device="cpu", stream=True, verbose=False):
            yield os.path.basename(result.path), result.probs.top5

    return work


if __name__ == "__main__":
    take_turns(load)
