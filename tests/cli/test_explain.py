"""`beholder explain`: pictures, JSON, exit statuses."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest
from running import Command

from beholder.cli.explain import _verdict
from graphs import COLORS, model_bytes, photo


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A model that tells colors apart, and a picture that is red in one corner."""
    (tmp_path / "colors.onnx").write_bytes(model_bytes("classify"))
    PIL.Image.fromarray(photo((60, 90), red=(60, 0, 90, 20))).save(tmp_path / "corner.png")
    return tmp_path


def test_a_line_and_a_picture(beholder: Command, workplace: Path) -> None:
    done = beholder("explain", "corner.png", "--model", "colors.onnx")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("corner.png: red ")
    assert "; hiding the marked part (" in done.out
    assert done.out.endswith("%: no single part of the image carries the answer; corner-red.png\n")
    with PIL.Image.open(workplace / "corner-red.png") as picture:
        assert picture.size == (1212, 400)
        left, right = np.asarray(picture)[:, :600], np.asarray(picture)[:, 612:]
    assert left[50, 550].tolist() == [255, 0, 0]
    assert right[50, 550, 0] > 3 * right[350, 50, 0]


@pytest.mark.parametrize(
    ("confidence", "drop", "marked", "is_said"),
    [(1.0, 0.0, True, True), (0.9, 0.049, True, True), (0.9, 0.05, True, False), (0.9, 0.0, False, False),
     (0.02, 0.01, True, False)],
)  # fmt: skip
def test_what_hiding_hardly_changes_is_said(confidence: float, drop: float, marked: bool, is_said: bool) -> None:
    found = SimpleNamespace(confidence=confidence, drop=drop, marked=np.array([[marked]]))
    assert _verdict(found) == (": no single part of the image carries the answer" if is_said else "")


def test_json_writes_nothing_unless_told(beholder: Command, workplace: Path) -> None:
    done = beholder("explain", "corner.png", "--model", "colors.onnx", "--json")
    (found,) = done.lines
    assert (found["source"], found["label"], found["picture"]) == ("corner.png", "red", None)
    heat = np.array(found["heat"])
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert row < heat.shape[0] / 3
    assert column > heat.shape[1] * 2 / 3
    assert found["box_xyxy"] == [0, 0, 90, 60]
    assert sorted(path.name for path in workplace.iterdir()) == ["colors.onnx", "corner.png"]
    (again,) = beholder("explain", "corner.png", "--model", "colors.onnx", "--json", "--out", "a.jpg").lines
    assert again == {**found, "picture": "a.jpg"}
    assert (workplace / "a.jpg").is_file()


def test_a_label_by_its_name(beholder: Command, workplace: Path) -> None:
    words = ["explain", "corner.png", "--model", "colors.onnx", "--json"]
    (found,) = beholder(*words, "--label", "green").lines
    assert (found["label"], found["index"]) == ("green", 1)
    refused = beholder(*words, "--label", "gren")
    assert (refused.status, refused.out) == (2, "")
    assert refused.err == "beholder: tiny-classify has no label 'gren'; did you mean 'green'?\n"


def test_images_of_the_same_name_get_a_picture_each(beholder: Command, workplace: Path) -> None:
    for folder in ("one", "two"):
        (workplace / "in" / folder).mkdir(parents=True)
        shutil.copy(workplace / "corner.png", workplace / "in" / folder / "a.png")
    (workplace / "in" / "bad.png").write_bytes(b"junk")
    done = beholder("explain", "in", "--model", "colors.onnx", "--out", "pictures")
    assert done.status == 1
    assert "in/bad.png: " in done.err
    assert len(done.out.splitlines()) == 2
    assert sorted(path.name for path in (workplace / "pictures").iterdir()) == ["a-red-2.png", "a-red.png"]


def test_nothing_is_replaced_unasked(beholder: Command, workplace: Path) -> None:
    words = ["explain", "corner.png", "--model", "colors.onnx"]
    assert beholder(*words).status == 0
    again = beholder(*words)
    assert (again.status, again.out) == (2, "")
    assert again.err == "beholder: corner-red.png: exists already; choose another name or pass --force\n"
    assert beholder(*words, "--force").status == 0
    assert "corner-red.png: exists already" in beholder(*words, "--out", "corner-red.png").err


def test_a_hostile_name_stays_in_its_folder(beholder: Command, workplace: Path) -> None:
    labels = ("../../up", "gr/../een:*", "a" * 300)
    (workplace / "colors.onnx").write_bytes(model_bytes("classify", labels=labels))
    (workplace / "deep").mkdir()
    for name, color in (("\x1b[2J.png", "red"), ("long.png", "blue"), ("green.png", "green")):
        PIL.Image.new("RGB", (20, 20), COLORS[color]).save(workplace / "deep" / name)
    before = {path.name for path in workplace.iterdir()}
    done = beholder("explain", "deep", "--model", "colors.onnx", "--out", "made")
    assert done.status == 0
    assert "\x1b" not in done.out
    assert {path.name for path in workplace.iterdir()} == before | {"made"}
    assert sorted(path.name for path in (workplace / "made").iterdir()) == sorted(
        ["2J-up.png", "green-gr-..-een.png", f"long-{'a' * 80}.png"]
    )


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["corner.png", "corner.png", "--out", "a.png"], "--out a.png names one picture, and there are several images"),
        (["nothing.png"], "nothing.png: no such file or folder"),
        (["colors.onnx"], "colors.onnx: is a model where images are expected; pass it with --model: beholder explain"),
        (["corner.png", "--device", "cuda"], "device 'cuda' is not present here"),
        ([], "SOURCE: must be given"),
    ],
)
def test_wrong_usage_is_one_line_and_exits_2(beholder: Command, workplace: Path, words: list[str], reason: str) -> None:
    done = beholder("explain", *words, "--model", "colors.onnx")
    assert (done.status, done.out) == (2, "")
    assert reason in done.err
    assert len(done.err.splitlines()) == 1


def test_only_what_classifies(beholder: Command, workplace: Path) -> None:
    (workplace / "boxes.onnx").write_bytes(model_bytes("detect"))
    done = beholder("explain", "corner.png", "--model", "boxes.onnx")
    assert done.status == 2
    assert "only what classifies can be explained" in done.err


def test_a_piped_image(beholder: Command, workplace: Path) -> None:
    piped = (workplace / "corner.png").read_bytes()
    done = beholder("explain", "-", "--model", "colors.onnx", stdin=piped)
    assert done.status == 0
    assert done.out.endswith("; image-red.png\n")
