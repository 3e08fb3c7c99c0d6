"""Beholder's own training, `beholder train` with the recipe of the lesson; see lesson.py.

It begins with an empty cache, so that every image is decoded in each turn. The answer also has `fitted`, how many
images an epoch has; `looking`, seconds of reading the files and finding those that show the same; and `decoding`,
seconds from there until all images lie ready, which peers spend within their steps.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from lesson import Clock, lesson

from beholder.training import Recipe, run_training

HELD_OUT = 0.02


def main() -> None:
    told = lesson()
    clock = Clock(told)
    images = sum(1 for _ in Path(told["folder"]).glob("*/*"))
    epochs = 2 + (told["skip"] + told["steps"]) * told["batch"] * 2 // images
    settings = [f"{key}={told[key]}" for key in ("architecture", "width", "size", "batch", "precision")]
    settings += ["weights=none", "optimizer=adamw", f"augment=[crop:{told['crop']}, flip]", f"epochs={epochs}"]
    settings += ["cross_validate=no", "test_share=0", f"validation_share={HELD_OUT}", "compile=no"]
    clock.note(fitted=round(images * (1 - HELD_OUT)))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BEHOLDER_DATA"] = f"{folder}/data"  # nothing of an earlier round is gone on with
        os.environ["BEHOLDER_CACHE"] = f"{folder}/cache"  # nor is anything decoded
        report = _Report(clock)
        run_training(told["folder"], f"{folder}/model.onnx", recipe=Recipe().with_settings(settings), report=report)
    raise SystemExit("the training ended before the last step that was to be measured")


class _Report:
    """Tells a clock of each step, and of what came before the first one."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._before = clock, 0
        self._begun = self._looked = time.perf_counter()

    def __call__(self, step: str, done: int, total: int) -> None:
        """Told what is being done, as `beholder.training.Report`."""
        now = time.perf_counter()
        if step == "decoding":
            self._clock.note(looking=self._looked - self._begun, decoding=now - self._looked)
        elif not step.startswith("training"):
            self._looked = now
            self._clock.note(looking=now - self._begun, decoding=0.0)
        elif done > self._before:
            self._before = done
            self._clock.step(done)


if __name__ == "__main__":
    main()
