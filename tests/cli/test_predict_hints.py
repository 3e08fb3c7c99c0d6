"""What `predict` says of a model that lies near, and of prediction sets."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import pytest
from running import Command

from beholder.cli import nearby
from beholder.model.card import PredictionSets
from graphs import model_bytes

HINT = "colors.onnx is here, trained on 3 classes: use it with --model colors.onnx\n"


def test_a_model_that_lies_here_is_named(beholder: Command, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "colors.onnx").write_bytes(model_bytes("classify"))
    done = beholder("predict", "photos/a2.png", "--json")
    assert (done.status, done.err) == (0, HINT)
    assert done.lines[0]["model"] == "efficientnet-lite0"
    assert HINT not in beholder("predict", "photos/a2.png", "--model", "colors.onnx").err
    assert HINT not in beholder("predict", "photos/a2.png", "--model", "efficientnet-lite0").err


def make(folder: Path, name: str, data: bytes, seconds: int) -> None:
    (folder / name).write_bytes(data)
    os.utime(folder / name, (seconds, seconds))


def test_the_newest_that_can_be_read_is_named(tmp_path: Path) -> None:
    assert nearby.hint(str(tmp_path), "built in") is None
    make(tmp_path, "old.onnx", model_bytes("classify"), 1000)
    make(tmp_path, "new one.onnx", model_bytes("classify", labels=("a", "b", "c")), 2000)
    make(tmp_path, "damaged.onnx", b"\x08\x07junk", 3000)
    make(tmp_path, "vectors.onnx", model_bytes("embed"), 4000)
    (tmp_path / "folder.onnx").mkdir()
    expected = "new one.onnx is here, trained on 3 classes: use it with --model 'new one.onnx'"
    assert nearby.hint(str(tmp_path), "built in") == expected


def test_a_copy_of_the_model_that_answers_is_no_news(tmp_path: Path) -> None:
    make(tmp_path, "copy.onnx", model_bytes("classify"), 1000)
    assert nearby.hint(str(tmp_path), "tiny-classify") is None


def test_a_name_that_looks_like_an_option(tmp_path: Path) -> None:
    make(tmp_path, "-x.onnx", model_bytes("classify"), 1000)
    assert str(nearby.hint(str(tmp_path), "built in")).endswith("--model ./-x.onnx")


def test_a_folder_that_cannot_be_listed_is_no_error(tmp_path: Path) -> None:
    assert nearby.hint(str(tmp_path / "nowhere"), "built in") is None


@pytest.fixture
def sets(tmp_path: Path) -> str:
    """A model with prediction sets."""
    stated = PredictionSets(coverages=(0.9, 0.95), thresholds=(0.34, 0.01), class_thresholds=None, count=100)
    (tmp_path / "sets.onnx").write_bytes(model_bytes("classify", prediction_sets=stated))
    return "sets.onnx"


def test_the_coverage_of_prediction_sets_is_chosen(beholder: Command, photos: Path, sets: str) -> None:
    words = ["predict", "photos/a2.png", "--model", sets]
    by_default, wider = (beholder(*words, "--json", *more).lines[0] for more in ([], ["--coverage", "0.95"]))
    assert set(by_default["prediction_set"]) < set(wider["prediction_set"]) == {"red", "green", "blue"}
    assert beholder(*words, "--json", "--coverage", "0.9").lines[0] == by_default
    names = ", ".join(wider["prediction_set"])
    assert f"one of: {names} (95%)" in beholder(*words, "--coverage", "0.95").out
    rows = list(csv.DictReader(io.StringIO(beholder(*words, "--csv", "--coverage", "0.95").out)))
    assert {row["prediction_set"] for row in rows} == {"; ".join(wider["prediction_set"])}


def test_sets_for_each_class_need_a_card_that_states_them(beholder: Command, photos: Path, sets: str) -> None:
    done = beholder("predict", "photos", "--model", "sets.onnx", "--by-class")
    assert (done.status, done.out) == (2, "")
    assert "too few images of a class" in done.err


@pytest.mark.parametrize(
    ("model", "coverage", "reason"),
    [
        ("sets.onnx", "0.8", "coverage: must be one that tiny-classify states, 0.9 or 0.95; found 0.8"),
        ("efficientnet-lite0", "0.9", "coverage: efficientnet-lite0 states no prediction sets"),
        ("sets.onnx", "90", "--coverage: must lie between 0 and 1, found 90"),
    ],
)
def test_a_coverage_that_is_not_stated_is_refused(
    beholder: Command, photos: Path, sets: str, model: str, coverage: str, reason: str
) -> None:
    done = beholder("predict", "photos", "--model", model, "--coverage", coverage)
    assert (done.status, done.out) == (2, "")
    assert reason in done.err
    assert len(done.err.splitlines()) == 1
