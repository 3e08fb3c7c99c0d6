"""A run: one training with its recipe, what it measured, its report and the model it made, in a folder of its own."""

from __future__ import annotations

import json
import os
import platform
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from beholder import __version__
from beholder.data import ContentCache, Dataset, read
from beholder.data.writing import new_folder
from beholder.errors import OutputExists, OutputFailed, one_line
from beholder.evaluation import Evaluation
from beholder.evaluation.report import LabelIssue, ReportExtras, thumbnails_of, write_report
from beholder.files import data_dir, require_writable, write_atomic
from beholder.model import FileModel
from beholder.records import to_json
from beholder.training.features import Backbone
from beholder.training.heads import train_head
from beholder.training.label_issues import find_label_issues
from beholder.training.learned import Learned, Report, Say
from beholder.training.recipe import Recipe
from beholder.training.trained import Trained
from beholder.zoo import find, load


@dataclass(frozen=True, slots=True)
class Run:
    """One training that is done.

    Attributes:
        model: the model file.
        folder: holds `recipe.toml`, `run.json`, `log.txt`, `metrics.json`, `report.html`, `report.json` and a copy of
            the model file; of a network also `curve.json`, `augmentations.jpg` and `weights.safetensors`.
        evaluation: what was measured on images that the model has not seen.
        learned: what is known of the model, and the images.
        label_issues: labels that look wrong, the most suspicious first.
    """

    model: Path
    folder: Path
    evaluation: Evaluation
    learned: Learned
    label_issues: tuple[LabelIssue, ...]

    @property
    def report(self) -> Path:
        """The page that a person reads."""
        return self.folder / "report.html"

    def to_dict(self) -> dict[str, Any]:
        """What `train --json` ends with."""
        return {"model": str(self.model), "run": str(self.folder), "metrics": _metrics_of(self.evaluation)}


def _metrics_of(evaluation: Evaluation) -> dict[str, Any]:
    return {name: to_json(estimate) for name, estimate in evaluation.metrics.items()}


class _Log:
    """What was done, and when: the steps of a run with their seconds, passed on to whoever shows them."""

    def __init__(self, report: Report | None, say: Say | None) -> None:
        self._report = report
        self._say = say
        self._started = time.perf_counter()
        self._step = ""
        self.lines = [f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}  Beholder {__version__}"]

    def step(self, name: str, done: int, total: int) -> None:
        """Told what is being done, as `Report`."""
        if name != self._step:
            self._step = name
            what = "steps" if name.startswith("training") else "images"
            self.say(name if total <= 1 else f"{name}: {total:,} {what}")
        if self._report is not None:
            self._report(name, done, total)

    def tell(self, text: str) -> None:
        """Add a line that a person should see at once."""
        self.say(text)
        if self._say is not None:
            self._say(text)

    def say(self, text: str) -> None:
        """Add a line."""
        self.lines.append(f"{time.perf_counter() - self._started:9.2f} s  {one_line(text)}")


def train(
    data: str | os.PathLike[str] | Dataset,
    out: str | os.PathLike[str] | None = None,
    *,
    recipe: Recipe | None = None,
    overwrite: bool = False,
    report: Report | None = None,
    say: Say | None = None,
) -> FileModel:
    """Train a model on a folder of images, measure it, write it as one file, and load that; see `run_training`."""
    return load(run_training(data, out, recipe=recipe, overwrite=overwrite, report=report, say=say).model)


def run_training(
    data: str | os.PathLike[str] | Dataset,
    out: str | os.PathLike[str] | None = None,
    *,
    recipe: Recipe | None = None,
    overwrite: bool = False,
    report: Report | None = None,
    say: Say | None = None,
) -> Run:
    """Train a model on a folder of images, measure it, and write it as one file.

    Args:
        data: a dataset, or where it is: a folder with a folder for each class, a CSV or COCO file.
        out: the model file; `./<folder>.onnx` when left out.
        recipe: how; the usual way when left out.
        overwrite: whether an existing model file may be replaced.
        report: told what is going on.
        say: told in words what a person should know at once.

    Raises:
        DataError: the data cannot be read, or there is nothing to tell apart.
        OutputExists: the model file exists.
        OutputFailed: it cannot be written.
    """
    recipe = recipe or Recipe()
    dataset = data if isinstance(data, Dataset) else read(data)
    target = target_of(dataset, out)
    name = target.stem if out is not None else dataset.root.resolve().name
    require_writable(target, overwrite=overwrite)
    log = _Log(report, say)
    train = _method_of(recipe, log.tell)
    with ContentCache() as contents:
        trained = train(dataset, recipe, contents, name, log.step)
    for note in trained.learned.material.dataset.notes:
        log.say(note)
    for failed, error in trained.learned.material.failures.items():
        log.say(f"left out: {failed}: {error.reason}")
    issues = tuple(found.issue for found in find_label_issues(trained.learned))
    folder = _folder_for(name)
    with new_folder(folder) as made:
        _write_run(made, trained, recipe, issues, log.lines)
    try:
        _write_model(target, trained, folder, overwrite)
    finally:
        trained.forget()
    return Run(target, folder, trained.evaluation, trained.learned, issues)


def target_of(dataset: Dataset, out: str | os.PathLike[str] | None) -> Path:
    """Where the model file goes: where it is asked for, or `./<folder>.onnx`."""
    return Path(out) if out is not None else Path(f"{dataset.root.resolve().name}.onnx")


_Train = Callable[[Dataset, Recipe, ContentCache, str, Report], Trained]


def _method_of(recipe: Recipe, say: Say) -> _Train:
    """What trains by this recipe; whatever it lacks is found out before anything is read."""
    if recipe.method == "head":
        return partial(train_head, Backbone(find(recipe.backbone)))
    from beholder.training.networks import require_packages

    require_packages()
    from beholder.training.networks.training import train_network

    return partial(train_network, say=say)


def _folder_for(name: str) -> Path:
    """Where a run goes: names sort by time and cannot meet."""
    moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    safe = "".join(character if character.isalnum() or character in "-_" else "-" for character in name)[:60]
    return data_dir() / "runs" / f"{moment}-{safe}-{secrets.token_hex(2)}"


def _write_model(target: Path, trained: Trained, folder: Path, overwrite: bool) -> None:
    try:
        with write_atomic(target, overwrite=overwrite) as stream:
            stream.write(trained.model)
    except (OutputExists, OutputFailed) as error:
        kept = folder / f"{trained.card.name}.onnx"
        raise type(error)(f"{error}; the model is kept as {kept}") from None


def _write_run(
    folder: Path, trained: Trained, recipe: Recipe, issues: tuple[LabelIssue, ...], log: Sequence[str]
) -> None:
    facts = {
        "name": trained.card.name,
        "method": recipe.method,
        "dataset": trained.evaluation.dataset,
        "source": str(trained.learned.material.dataset.source),
        "images": len(trained.learned.material.dataset.samples),
        "classes": len(trained.card.labels),
        **trained.facts,
        "seconds": {part: round(seconds, 3) for part, seconds in trained.seconds.items()},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "python": platform.python_version(),
        "versions": trained.card.provenance.versions,
    }
    files = {
        "recipe.toml": recipe.to_toml().encode(),
        "run.json": json.dumps(facts, indent=1).encode(),
        "metrics.json": json.dumps(_metrics_of(trained.evaluation), indent=1).encode(),
        "log.txt": "".join(f"{line}\n" for line in log).encode("utf-8", "backslashreplace"),
        f"{trained.card.name}.onnx": trained.model,
        **trained.files,
    }
    if trained.curve:
        files["curve.json"] = json.dumps(list(trained.curve), indent=1).encode()
    for name, data in files.items():
        with write_atomic(folder / name, overwrite=False) as stream:
            stream.write(data)
    extras = ReportExtras(label_issues=issues, recipe=recipe.to_toml())
    write_report(trained.evaluation, folder, thumbnails_of(trained.learned.material.dataset), extras)
