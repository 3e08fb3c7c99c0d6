"""timm's own training script, as it is, told the lesson by its options; see lesson.py. Arguments: LESSON.json TRAIN.py.

Steps are counted by the lines that it logs, one for each.
"""

from __future__ import annotations

import logging
import re
import runpy
import sys
import tempfile
from pathlib import Path
from typing import Any

import peer_network
from lesson import Clock, lesson


class _Steps(logging.Handler):
    """Tells a clock of the steps that the script logs."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock, self._before = clock, 0

    def emit(self, record: logging.LogRecord) -> None:
        """A line that the script logs."""
        found = re.match(r"Train: (\d+) \[ *(\d+)/(\d+)", record.getMessage())
        if found:
            epoch, step, per_epoch = map(int, found.groups())
            self._clock.step(epoch * per_epoch + step + 1)


def main() -> None:
    told, script = lesson(), sys.argv[2]
    clock = Clock(told)
    clock.check(peer_network.network(*(told[key] for key in ("architecture", "width", "size", "channels", "classes"))))
    logger = logging.getLogger("train")
    logger.addHandler(_Steps(clock))
    with tempfile.TemporaryDirectory() as folder:
        sys.argv = [script, *_options(told, folder)]
        runpy.run_path(script, run_name="__main__")


def _options(told: dict[str, Any], output: str) -> list[str]:
    folder = Path(told["folder"])
    options: dict[str, Any] = {
        "data-dir": folder.parent,
        "train-split": folder.name,
        "val-split": folder.name,
        "model": peer_network.register(told),
        "num-classes": told["classes"],
        "input-size": (told["channels"], told["size"], told["size"]),
        "batch-size": told["batch"],
        "device": told["device"],
        "workers": told["workers"],
        "opt": "adamw",
        "lr": 1e-3,
        "weight-decay": 0.05,
        "epochs": 100,
        "scale": (told["crop"], 1.0),
        "hflip": 0.5,
        "color-jitter": 0.0,
        "train-interpolation": "bilinear",
        "smoothing": 0.1,
        "log-interval": 1,
        "output": output,
    }
    given = ["--channels-last"]
    for key, value in options.items():
        given += [f"--{key}", *map(str, value if isinstance(value, tuple) else (value,))]
    if told["channels"] == 1:
        given += ["--input-img-mode", "L", "--mean", "0.449", "--std", "0.226"]
    if told["precision"] == "bf16":
        given += ["--amp", "--amp-dtype", "bfloat16"]
    return given


if __name__ == "__main__":
    main()
