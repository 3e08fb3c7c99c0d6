"""Beholder's own training, `beholder train` with the recipe of the lesson; see lesson.py."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from lesson import Clock, lesson

from beholder.training import Recipe, run_training


def main() -> None:
    told = lesson()
    clock = Clock(told)
    images = sum(1 for _ in Path(told["folder"]).glob("*/*"))
    epochs = 2 + (told["skip"] + told["steps"]) * told["batch"] * 2 // images
    settings = [f"{key}={told[key]}" for key in ("architecture", "width", "size", "batch", "precision")]
    settings += ["weights=none", "optimizer=adamw", f"augment=[crop:{told['crop']}, flip]", f"epochs={epochs}"]
    settings += ["cross_validate=no", "test_share=0", "validation_share=0.02"]
    before = 0

    def report(step: str, done: int, _: int) -> None:
        nonlocal before
        if step.startswith("training") and done > before:
            before = done
            clock.step(done)

    with tempfile.TemporaryDirectory() as folder:
        os.environ["BEHOLDER_DATA"] = folder  # nothing of an earlier round is gone on with
        run_training(told["folder"], f"{folder}/model.onnx", recipe=Recipe().with_settings(settings), report=report)
    raise SystemExit("the training ended before the last step that was to be measured")


if __name__ == "__main__":
    main()
