"""What `beholder train` says beside its result: what a quick audit found, and what could not be read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from in_process import command
from running import Command

from pictures import SHAPES, make_folder


@pytest.fixture
def train(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    monkeypatch.setenv("BEHOLDER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("BEHOLDER_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return command(capsys, "train")


def test_what_a_quick_audit_found_is_said_in_one_line(train: Command, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "set", dict.fromkeys(SHAPES, 14), seed=21)
    (folder / "bars" / "0.png").rename(folder / "dots" / "moved.png")
    shutil.copyfile(folder / "waves" / "1.png", folder / "waves" / "copy.png")
    (folder / "dots" / "1.png").write_bytes((folder / "dots" / "1.png").read_bytes()[:300])
    done = train("set", "--json")
    assert done.status == 1  # an image could not be used
    (line,) = [line for line in done.err.splitlines() if line.startswith("audit: ")]
    assert "1 unreadable file" in line
    assert "1 label to check" in line
    assert "1 file that is there twice" in line
    assert line.endswith("see them: beholder audit set")
    (told,) = done.lines
    assert told["model"] == "set.onnx"
    report = json.loads((Path(told["run"]) / "report.json").read_text(encoding="utf-8"))
    assert [issue["source"] for issue in report["extras"]["label_issues"]] == ["dots/moved.png"]
    assert report["left_out"] == [{"reason": "could not be read", "count": 1}]


def test_a_clean_set_is_not_talked_about(train: Command, tmp_path: Path) -> None:
    make_folder(tmp_path / "set", dict.fromkeys(SHAPES, 14), seed=22)
    done = train("set")
    assert done.status == 0
    assert "audit" not in done.err
    assert (tmp_path / "set.onnx").is_file()


def test_a_place_that_cannot_be_written_is_told_before_the_work(train: Command, tmp_path: Path) -> None:
    make_folder(tmp_path / "set", dict.fromkeys(SHAPES, 14), seed=22)
    (tmp_path / "file").write_text("")
    done = train("set", "--out", "file/model.onnx")
    assert done.status == 2
    assert "file/model.onnx: cannot be written" in done.err
    assert not (tmp_path / "data" / "runs").exists()
