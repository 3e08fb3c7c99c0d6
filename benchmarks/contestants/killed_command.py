"""The command `beholder`, killed (SIGKILL) by itself in a training. Arguments: PLACE COUNT LUCK, and its own.

The COUNT-th time that it comes to a place, it is killed there; LUCK, from 0 to 1, says how far inside:

- `step`: while a step is taken, or soon after;
- `checkpoint`: when this share of the bytes of a checkpoint has been written;
- `epoch end`: while it looks at the network after an epoch, or while it keeps that;
- `export`: while the model file is made.

Checkpoints are written far more often than usual, so that a short training has some to go on from.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from beholder.cli import main
from beholder.training.networks import finishing, keeping
from beholder.training.networks.fitting import Fitting

LONGEST = {"step": 0.1, "epoch end": 0.5, "export": 2.0}
"""Seconds from coming to a place within which it is killed."""


LEAST_SECONDS = 0.3
"""Between two checkpoints within an epoch."""


class Killer:
    """Counts how often a place was come to, and kills this process there."""

    def __init__(self, place: str, count: int, luck: float) -> None:
        self._place, self._left, self._luck = place, count, luck

    def is_due(self) -> bool:
        """Whether it is now."""
        self._left -= 1
        return self._left == 0

    def soon(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function that is killed while it runs, or soon after."""

        def call(*arguments: Any, **options: Any) -> Any:
            if self.is_due():
                timer = threading.Timer(self._luck * LONGEST[self._place], kill)
                timer.daemon = True
                timer.start()
            return function(*arguments, **options)

        return call

    def within_writing(self, write_atomic: Callable[..., Any]) -> Callable[..., Any]:
        """What writes files, killed when a checkpoint is written in part."""

        @contextmanager
        def write(path: Any, **options: Any) -> Iterator[Any]:
            with write_atomic(path, **options) as stream:
                due = os.path.basename(path) == "checkpoint.pt" and self.is_due()
                yield _InPart(stream, self._luck) if due else stream

        return write


class _InPart:
    """A stream that writes a part of what it is given, and then nothing is ever done again."""

    def __init__(self, stream: Any, share: float) -> None:
        self._stream, self._share = stream, share

    def write(self, data: Any) -> None:
        """Write a part."""
        self._stream.write(data[: int(self._share * len(data))])
        self._stream.flush()
        kill()


def kill() -> None:
    """End this process as nothing else does."""
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    place, count, luck, *rest = sys.argv[1:]
    killer = Killer(place, int(count), float(luck))
    changed: Any = {
        "step": (Fitting, "take_step", killer.soon),
        "checkpoint": (keeping, "write_atomic", killer.within_writing),
        "epoch end": (Fitting, "end_epoch", killer.soon),
        "export": (finishing, "export_network", killer.soon),
    }
    where, name, change = changed[place]
    if not hasattr(keeping, "_LEAST_SECONDS"):
        raise SystemExit("killed_command.py: beholder.training.networks.keeping must say how often it keeps something")
    keeping._LEAST_SECONDS = LEAST_SECONDS
    setattr(where, name, change(getattr(where, name)))
    sys.exit(main(rest))
