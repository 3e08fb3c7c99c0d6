"""Run folders as `beholder train` leaves them, without the training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from beholder.evaluation import Evaluation
from beholder.evaluation.intervals import Estimate
from beholder.training import Recipe

JPEG = b"\xff\xd8\xff\xe0 not to be decoded"


def estimate(value: float, count: int = 100) -> Estimate:
    """A share with some interval."""
    return Estimate(value, max(0.0, value - 0.1), min(1.0, value + 0.1), count)


def curve(epochs: int, **columns: Any) -> list[dict[str, Any]]:
    """A curve that goes down; `columns` are put into every row."""
    rows = []
    for epoch in range(1, epochs + 1):
        held_out = {"held_out_loss": 1.2 / epoch, "held_out": 1 - 0.5 / epoch}
        row = {
            "epoch": epoch,
            "step": 10 * epoch,
            "loss": 1 / epoch,
            "learning_rate": 0.1 / epoch,
            "seconds": epoch / 2,
        }
        rows.append({**row, **held_out, **columns})
    return rows


def make_run(
    data: Path,
    id: str,
    *,
    name: str | None = None,
    settings: tuple[str, ...] = (),
    top1: float = 0.8,
    count: int = 100,
    rows: list[dict[str, Any]] | None = None,
    **facts: Any,
) -> Path:
    """A run folder in the data directory.

    Args:
        data: the data directory.
        id: `<time>-<name>-<ending>`.
        name: of the model; of the id when left out.
        settings: of the recipe, as `--set` has them.
        top1: that was measured.
        count: on so many images.
        rows: of the curve.
        facts: that `run.json` has beside or instead of the usual ones.
    """
    recipe = Recipe().with_settings(settings)
    folder = data / "runs" / id
    folder.mkdir(parents=True)
    name = name or id.split("-", 2)[2].rpartition("-")[0]
    known = {
        "name": name,
        "method": recipe.method,
        "dataset": "sha256:" + "0" * 64,
        "source": "photos",
        "images": 100,
        "classes": 3,
        "seconds": {"look": 1.0, "fit": 2.5},
        "machine": "x86_64, 2 cores, Linux",
        "python": "3.11.7",
        "versions": {"beholder": "0.1.0"},
    }
    metrics = {"top1": estimate(top1, count), "ece": estimate(0.2, count)}
    evaluation = Evaluation(
        model=name, dataset=known["dataset"], kind="test", classes=("a", "b", "c"), count=count, metrics=metrics
    )
    report = evaluation.to_dict()
    files = {"run.json": {**known, **facts}, "metrics.json": report["metrics"], "report.json": report}
    if rows is not None:
        files["curve.json"] = rows
        (folder / "augmentations.jpg").write_bytes(JPEG)
    for file, value in files.items():
        (folder / file).write_text(json.dumps(value))
    (folder / "recipe.toml").write_text(recipe.to_toml())
    (folder / "log.txt").write_text("done\n")
    return folder
