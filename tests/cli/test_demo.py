"""The demo: real photographs, planted faults, everything found and shown."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from in_process import command
from running import Command, Done

from beholder.auditing import Finding
from beholder.cli.demo.page import _said
from beholder.cli.demo.tiles import CLASSES, Planted, cut_and_plant
from beholder.data import CorrectionLog, read
from beholder.data.corrections import AUDIT

pytest.importorskip("skimage")


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEHOLDER_CACHE", str(tmp_path_factory.getbasetemp() / "demo-cache"))
    monkeypatch.setenv("BEHOLDER_DATA", str(tmp_path_factory.getbasetemp() / "demo-data"))


@pytest.fixture
def demo(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)
    return command(capsys, "demo")


def pixels_of(path: Path) -> np.ndarray:
    with PIL.Image.open(path) as image:
        return np.asarray(image)


def planted_in(folder: Path, seed: int) -> Planted:
    folder.mkdir()
    return cut_and_plant(folder, seed)


def test_the_demo_finds_fixes_and_shows_what_was_planted(demo: Command, tmp_path: Path) -> None:
    done = demo("--json", "--seed", "1")
    assert done.status == 0
    told = json.loads(done.out)
    assert (told["planted"], told["found"]) == (6, 6)
    assert told["strangers"] == {"cat": "unknown", "cup": "unknown"}
    assert told["tiles"]["wrong"] <= 2
    assert told["top1_after"]["count"] == 48
    assert told["top1_after"]["value"] >= 0.95
    page = (tmp_path / "demo" / "index.html").read_text(encoding="utf-8")
    assert "6 of 6" in page
    assert "Each class came from one photograph" in page
    assert "missed" not in page.split("</style>")[1]
    assert page.index("What this does not show") < page.index("Now yours")
    assert "http" not in page.split("</style>")[1]
    assert Path(told["model"]).is_file()
    fixed = read(tmp_path / "demo" / "textures")
    assert len(fixed.samples) == 3 * 48 - 1  # the broken one; the copy made one more
    assert sum(sample.labels[0] != sample.name.split("/")[0] for sample in fixed.samples) == 4

    again = demo()
    assert (again.status, again.out) == (2, "")
    assert "--force" in again.err
    replaced = demo("--seed", "1", "--force")
    assert_told(replaced)
    log = CorrectionLog.of(read(tmp_path / "demo" / "textures")).read()
    assert [entry.undoes for entry in log.entries] == [*[None] * 6, 6, 5, 4, 3, 2, 1, *[None] * 6]  # nothing is lost
    assert [entry.id for entry in log.effective()] == list(range(13, 19))
    assert all(entry.by.startswith(AUDIT) for entry in log.effective())


def test_a_card_names_the_image_that_it_speaks_of_where_it_shows_another() -> None:
    finding = Finding(
        "exact_duplicate", "notice", "grass/<1>.png", "grass", "It is the same file as a.", "Leave it out."
    )
    assert _said(finding, "grass/<1>.png") == "It is the same file as a. Leave it out."
    assert _said(finding, "grass/2.png").startswith("grass/&lt;1&gt;.png: It is the same file")


def assert_told(done: Done) -> None:
    assert done.status == 0
    lines = done.out.splitlines()
    assert lines[0] == "6 of 6 planted faults found and fixed"
    assert lines[2:4] == ["the cat is unknown", "the cup is unknown"]
    assert lines[-1].startswith("now yours: beholder train")


def test_a_folder_with_other_files_is_left_alone(demo: Command, tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "letter.txt").write_text("mine")
    done = demo("--force")
    assert done.status == 2
    assert "holds other files" in done.err
    assert (tmp_path / "demo" / "letter.txt").read_text() == "mine"


def test_no_pixel_is_both_learned_from_and_tested_on(tmp_path: Path) -> None:
    planted = planted_in(tmp_path / "set", 2)
    held_out = {path.read_bytes() for path in planted.held_out.rglob("*.png")}
    training = [path for path in planted.training.rglob("*.png") if path.name != Path(planted.broken).name]
    assert len(held_out) == 3 * 16
    assert held_out.isdisjoint(path.read_bytes() for path in training)
    sizes = {pixels_of(path).shape for path in [*training, *planted.held_out.rglob("*.png")]}
    assert sizes == {(64, 64)}  # 64 of them fill a photograph: none overlaps another


@pytest.mark.parametrize("seed", range(4))
def test_what_is_planted_is_what_is_told(tmp_path: Path, seed: int) -> None:
    planted = planted_in(tmp_path / "set", seed)
    copy, original = (planted.training / name for name in (planted.duplicate, planted.original))
    assert copy.read_bytes() == original.read_bytes()
    with (
        pytest.raises(OSError, match=r"truncated|image file"),
        PIL.Image.open(planted.training / planted.broken) as image,
    ):
        image.load()
    assert len(planted.wrong) == 4
    assert all(name.split("/")[0] != truth for name, truth in planted.wrong.items())
    assert sum(1 for _ in planted.training.rglob("*.png")) == len(CLASSES) * 48 + 1
    means = {
        name: np.mean([pixels_of(path).mean() for path in (planted.held_out / name).iterdir()]) for name in CLASSES
    }
    assert len({round(value) for value in means.values()}) == 3  # three photographs
