"""What one run folder holds, read without trusting it: an old one lacks keys, a damaged one is told of in a line."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from beholder.errors import ModelError, UsageError
from beholder.evaluation import Evaluation
from beholder.evaluation.intervals import Estimate
from beholder.model.file import read_card
from beholder.records import RecordError, from_json, to_json
from beholder.training.history.reading import LARGEST, read_json, read_toml
from beholder.training.recipe import Recipe

_MOMENT: Final = re.compile(r"[0-9]{8}-[0-9]{6}(?=-)")

CurveRow = Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunRecord:
    """One training that is done, as its folder tells of it; what an older run did not write down is `None` or empty.

    Attributes:
        id: the name of its folder.
        folder: where it is.
        when: it was done; UTC.
        name: of the model.
        method: `head` or `network`.
        dataset: its version, `sha256:…`.
        source: where the data were, as they were named then.
        images: how many the dataset had.
        classes: how many.
        recipe: its keys and their values.
        metrics: estimates by name.
        curve: of a network, a row for each epoch: `epoch`, `step`, `loss`, `learning_rate`, `seconds` of fitting until
            then, and where something was held out `held_out_loss` and `held_out`; a number that was none is `None`.
        seconds: how long each part took.
        machine: that it was trained on.
        python: the version of Python.
        versions: of the packages, `beholder` among them.
        facts: all else that the run wrote down.
    """

    id: str
    folder: Path
    when: datetime
    name: str
    method: str
    dataset: str | None
    source: str | None
    images: int | None
    classes: int | None
    recipe: Mapping[str, Any]
    metrics: Mapping[str, Estimate]
    curve: tuple[CurveRow, ...]
    seconds: Mapping[str, float]
    machine: str | None
    python: str | None
    versions: Mapping[str, str]
    facts: Mapping[str, Any]

    @property
    def headline(self) -> str | None:
        """The metric that is told first: `top1`, or `map` where images have several labels."""
        return next((metric for metric in ("top1", "map") if metric in self.metrics), None)

    @property
    def took(self) -> float | None:
        """All its seconds together."""
        return sum(self.seconds.values()) if self.seconds else None

    @property
    def made(self) -> str:
        """What was trained, in a few words: `lenet5, 32 px`."""
        if self.method != "network":
            return f"{self.method} on {Path(str(self.recipe.get('backbone', 'a backbone'))).name}"
        width, size = self.facts.get("width", 1), self.facts.get("size")
        words = str(self.facts.get("architecture", self.recipe.get("architecture", "network")))
        words += f" x{width:g}" if isinstance(width, int | float) and width != 1 else ""
        return f"{words}, {size} px" if isinstance(size, int) else words

    @property
    def model(self) -> Path | None:
        """The copy of the model file; `None` where it is gone."""
        path = self.folder / f"{self.name}.onnx"
        return path if path.parent == self.folder and os.path.isfile(path) else None

    def unusual(self) -> dict[str, Any]:
        """The keys of the recipe that are not as usual, or not known here."""
        usual = usual_recipe(self.method)
        return {key: value for key, value in self.recipe.items() if key not in usual or value != usual[key]}

    def evaluation(self) -> Evaluation | None:
        """All that was measured; `None` where the report is gone or was written by another version."""
        try:
            return Evaluation.from_dict(read_json(self.folder / "report.json"))
        except (UsageError, OverflowError):
            return None

    def fitted_on(self) -> frozenset[str] | None:
        """Marks of the images that it was fitted on, from the card of its model; `None` where nothing tells.

        Equal files have one mark, and what its weights were fitted on before is among them: they do not say how many.
        """
        if self.model is None:
            return None
        try:
            marks = read_card(self.model).provenance.fitted_on
        except (ModelError, OSError):
            return None
        return None if marks is None else frozenset(marks)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        metrics = {name: to_json(measured) for name, measured in self.metrics.items()}
        return {
            **values,
            "folder": str(self.folder),
            "when": f"{self.when:%Y-%m-%dT%H:%M:%SZ}",
            "metrics": metrics,
            "curve": list(self.curve),
        }


def usual_recipe(method: str) -> dict[str, Any]:
    """The recipe of a method with nothing changed; empty for a method that is not known here."""
    if method not in ("head", "network"):
        return {}
    return Recipe(method="network" if method == "network" else "head").to_dict()


def read_run(folder: str | os.PathLike[str]) -> RunRecord:
    """Read a run folder.

    Raises:
        UsageError: it is none, or damaged; the text names the file and what is wrong with it.
    """
    path = Path(folder)
    try:
        return _read(path)
    except OSError as error:  # it is just being removed, or may not be entered
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, OverflowError, RecursionError) as error:
        raise UsageError(f"{path}: is damaged: {error}") from None


def _read(path: Path) -> RunRecord:
    facts = read_json(path / "run.json")
    if not isinstance(facts, dict):
        raise UsageError(f"{path / 'run.json'}: must be a JSON object")
    taken = {**facts}
    known = {key: _taken(path, taken, key, str) for key in ("name", "method", "dataset", "source", "machine", "python")}
    if known["name"] is None:
        raise UsageError(f"{path / 'run.json'}: must say a name, so it is of no run")
    recipe = _recipe(path / "recipe.toml")
    known["method"] = known["method"] or str(recipe.get("method", "head"))  # there was no other once
    versions = _taken(path, taken, "versions", dict) or {}
    seconds = _taken(path, taken, "seconds", dict) or {}
    counts = {key: _taken(path, taken, key, int) for key in ("images", "classes")}
    return RunRecord(
        **known,
        **counts,
        id=_id(path),
        folder=path,
        when=_when(path),
        recipe=recipe,
        metrics=_metrics(path),
        curve=_curve(path / "curve.json"),
        seconds={
            part: value for part, value in ((part, _number(v)) for part, v in seconds.items()) if value is not None
        },
        versions={name: str(version) for name, version in versions.items()},
        facts=_plain(taken),
    )


def _taken(folder: Path, facts: dict[str, Any], key: str, kind: type) -> Any:
    """A fact of its kind, taken out of the others; `None` where it is not there."""
    value = facts.pop(key, None)
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
        raise UsageError(f"{folder / 'run.json'}: {key} must be {_KINDS[kind]}")
    return value


_KINDS: Final[dict[type, str]] = {str: "a text", int: "a whole number", dict: "an object"}


def _id(folder: Path) -> str:
    """The name of a folder as it is called here; of a link its own, for by that it is found again."""
    return Path(os.path.abspath(folder)).name


def _when(folder: Path) -> datetime:
    """When a run was done: its folder is named by it, and a folder of another name has a date of its own."""
    named = moment_of(_id(folder)) or moment_of(folder.resolve().name)
    return named or datetime.fromtimestamp((folder / "run.json").stat().st_mtime, UTC)


def moment_of(id: str) -> datetime | None:
    """The time that the name of a run folder begins with, UTC; `None` where it begins otherwise."""
    found = _MOMENT.match(id)
    try:
        return datetime.strptime(found[0], "%Y%m%d-%H%M%S").replace(tzinfo=UTC) if found is not None else None
    except ValueError:  # digits that are no date
        return None


def _recipe(path: Path) -> dict[str, Any]:
    """Its keys and values: an older or newer recipe need not be one that could be trained by now."""
    return {key: _plain(value) for key, value in read_toml(path).items()}


def _metrics(folder: Path) -> dict[str, Estimate]:
    """From their file; the first runs had them in the report only."""
    path = folder / "metrics.json"
    if not path.exists() and (folder / "report.json").exists():
        path = folder / "report.json"
    values = read_json(path)
    if path.name == "report.json":
        values = values.get("metrics") if isinstance(values, dict) else None
    if not isinstance(values, dict):
        raise UsageError(f"{path}: must hold a JSON object of metrics")
    try:
        return {name: from_json(Estimate, value, name) for name, value in values.items()}
    except (RecordError, OverflowError) as error:
        raise UsageError(f"{path}: is damaged: {error}") from None


def _curve(path: Path) -> tuple[CurveRow, ...]:
    if not path.exists():
        return ()
    rows = read_json(path)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UsageError(f"{path}: must be a list of JSON objects")
    return tuple({name: _number(value) for name, value in row.items()} for row in rows)


def _number(value: Any) -> float | None:
    """A number that is one and can be drawn; a loss may have become none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if -LARGEST < value < LARGEST else None


def _plain(value: Any) -> Any:
    """JSON or TOML values as JSON has them: a date as its text, and nothing for what is infinite or no number."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)
