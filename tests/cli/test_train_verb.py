"""What `beholder train` says beside its result: what a quick audit found, and what could not be read."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import PIL.Image
import pytest
from in_process import command
from running import Command

from beholder.data import ContentCache
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


def test_a_note_is_no_failure(train: Command, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "set", {"bars": 8, "dots": 8, "waves": 1}, seed=22)
    with PIL.Image.open(folder / "waves" / "0.png") as image:
        for number in range(1, 4):
            image.save(folder / "waves" / f"{number}.png", compress_level=number)
    done = train("set")
    assert "class 'waves': all its images look alike" in done.err
    assert done.status == 0


def test_a_file_that_cannot_be_read_is_a_failure(
    train: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_folder(tmp_path / "set", dict.fromkeys(SHAPES, 6), seed=22)
    known = ContentCache.digests

    def all_but_the_first(self: ContentCache, paths: list[Path], progress: object = None) -> list[str | None]:
        return [None, *known(self, paths)[1:]]

    monkeypatch.setattr(ContentCache, "digests", all_but_the_first)
    done = train("set", "--json")
    assert done.status == 1
    assert "1 file cannot be read and is left out: bars/0.png" in done.err
    (told,) = done.lines
    report = json.loads((Path(told["run"]) / "report.json").read_text(encoding="utf-8"))
    assert report["left_out"] == [{"reason": "could not be read", "count": 1}]


def test_a_place_that_cannot_be_written_is_told_before_the_work(train: Command, tmp_path: Path) -> None:
    make_folder(tmp_path / "set", dict.fromkeys(SHAPES, 14), seed=22)
    (tmp_path / "file").write_text("")
    done = train("set", "--out", "file/model.onnx")
    assert done.status == 2
    assert "file/model.onnx: cannot be written" in done.err
    assert not (tmp_path / "data" / "runs").exists()


def test_the_first_line_counts_withheld_answers_by_themselves(train: Command, tmp_path: Path) -> None:
    make_folder(tmp_path / "set", dict.fromkeys(SHAPES, 14), seed=21)
    done = train("set")
    first, on = done.out.splitlines()[:2]
    right, count, unknown, wrong = map(
        int, re.findall(r"Right on (\d+) of (\d+), unknown on (\d+), wrong on (\d+)", first)[0]
    )
    assert right + unknown + wrong == count
    assert on == f"on      {count} images, each left out of training in turn"
    report = json.loads(next((tmp_path / "data").glob("runs/*/report.json")).read_text(encoding="utf-8"))
    assert len(report["unanswered"]) == unknown > 0
    assert (report["kind"], report["unknown_budget"]) == ("cross-validated", 0.05)


def test_an_image_that_is_never_left_out_is_not_in_the_numbers(train: Command, tmp_path: Path) -> None:
    make_folder(tmp_path / "set", {"bars": 14, "dots": 14, "waves": 1}, seed=21)
    done = train("set", "--json")
    why = "never left out of the fit, for no other picture shows a class of theirs"
    assert f"left out 1 image: {why}" in done.err
    report = json.loads((Path(done.lines[0]["run"]) / "report.json").read_text(encoding="utf-8"))
    assert report["left_out"] == [{"reason": why, "count": 1}]
    assert report["count"] == 28


def test_images_that_show_the_same_are_told(train: Command, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "set", dict.fromkeys(SHAPES, 8), seed=21)
    for path in list(folder.glob("*/*.png")):
        shutil.copyfile(path, path.with_name(f"copy of {path.name}"))
    done = train("set")
    (line,) = [line for line in done.err.splitlines() if "images measured show" in line]
    count, different = map(
        int, re.findall(r"The (\d+) images measured show (\d+) different things: the intervals", line)[0]
    )
    assert different <= count / 2


@pytest.mark.parametrize("copied", [True, False])
def test_a_test_part_with_copies_is_not_called_unseen(train: Command, tmp_path: Path, copied: bool) -> None:
    make_folder(tmp_path / "set" / "train", {"bars": 6, "dots": 6}, seed=4)
    make_folder(tmp_path / "other", {"waves": 6}, seed=4)
    for number, path in enumerate(sorted((tmp_path / "other" / "waves").iterdir())):
        target = tmp_path / "set" / "test" / ("bars", "dots")[number % 2] / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)  # whether it is labeled rightly does not matter here
    if copied:
        with PIL.Image.open(tmp_path / "set" / "train" / "bars" / "0.png") as image:
            image.save(tmp_path / "set" / "test" / "bars" / "again.png", compress_level=1)
    done = train("set")
    seen = "whose files it was not fitted on" if copied else "which it has not seen"
    assert done.out.splitlines()[1] == f"on      {6 + copied} test images, {seen}"


def test_of_several_labels_the_first_lines_are_those_of_the_report(train: Command, tmp_path: Path) -> None:
    make_folder(tmp_path / "set", dict.fromkeys(SHAPES, 10), seed=21)
    rows = [f"{kind}/{number}.png,{kind}|{'even' if number % 2 else 'odd'}" for kind in SHAPES for number in range(10)]
    (tmp_path / "set" / "list.csv").write_text("\n".join(["file,labels", *rows]))
    shown = train("set/list.csv", "--out", "several.onnx").out.splitlines()
    assert shown[0].startswith("Of the labels it gives, ")
    assert " are right (between " in shown[0]
    assert shown[1].startswith("Of the labels it should give, ")
    assert shown[2].startswith("on      ")
    assert shown[2].endswith("; its labels' thresholds were chosen on them too")
