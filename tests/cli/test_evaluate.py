"""The verbs `evaluate` and `compare`, and the options by which data is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from in_process import command
from running import Command

from beholder.evaluation import Evaluation
from color_models import cautious, color_model, fitted_on, paint_folder


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run the command in a folder that has a model, `colors.onnx`, and `photos`, of which seven of nine are right."""
    monkeypatch.setenv("BEHOLDER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("BEHOLDER_DATA", str(tmp_path / "kept"))
    monkeypatch.chdir(tmp_path)
    color_model(tmp_path / "colors.onnx", **cautious(provenance=fitted_on()))
    painted = {"red": ["red"] * 3, "green": ["green", "green", "red"], "blue": ["blue", "blue", "red"]}
    paint_folder(tmp_path / "photos", painted)
    return command(capsys)


def test_for_a_person(run: Command) -> None:
    done = run("evaluate", "colors.onnx", "photos/")
    assert done.status == 0
    shown = done.out.splitlines()
    assert shown[0] == (
        "Right on 7 of 9, unknown on 0, wrong on 2 (of 100 new images of the same kind expect between 45 and 94 right)"
    )
    assert (
        "  Cannot tell yet: the share is known to ±24 points only; about 210 more test images would bring" in done.out
    )
    assert "First answer right, classes alike   77.8%  (between " in done.out
    assert shown[-1] == "Measured on 9 images whose files the model was not fitted on."
    assert "read as a folder per class" in done.err


def test_parts_that_differ_are_listed(run: Command, tmp_path: Path) -> None:
    names = {"day": ["red"] * 24, **{f"hour {hour}": ["green"] * 12 for hour in range(4)}}
    paint_folder(tmp_path / "parts", names)
    rows = [f"{part}/{number}.png,red,{part}" for part, kinds in names.items() for number in range(len(kinds))]
    (tmp_path / "parts" / "list.csv").write_text("\n".join(["path,label,light", *rows]))
    shown = run("evaluate", "colors.onnx", "parts/list.csv", "--label", "label").out.splitlines()
    parts = [line for line in shown if " the whole: " in line]
    assert parts[0].startswith("above the whole: light = day: first answer right on 100%  (between ")
    assert parts[1].startswith("below the whole: light = hour ")
    assert len(parts) == 3
    assert shown[shown.index(parts[-1]) + 1] == "and 2 more parts; see --report"
    assert not [line for line in run("evaluate", "colors.onnx", "photos").out.splitlines() if " the whole: " in line]


def test_json_is_the_evaluation_and_nothing_else(run: Command) -> None:
    done = run("evaluate", "colors.onnx", "photos", "--json")
    (found,) = done.lines
    assert list(found)[:4] == ["schema", "model", "dataset", "kind"]
    assert Evaluation.from_dict(found).to_dict() == found
    assert found["metrics"]["top1"]["value"] == pytest.approx(7 / 9, abs=1e-6)


def test_the_same_seed_gives_the_same_intervals(run: Command) -> None:
    once, again = (run("evaluate", "colors.onnx", "photos", "--json", "--seed", "3").out for _ in range(2))
    assert once == again
    assert once != run("evaluate", "colors.onnx", "photos", "--json", "--seed", "4").out


def test_a_report_shows_what_was_left_out_and_the_notes(run: Command, tmp_path: Path) -> None:
    color_model(tmp_path / "fitted.onnx", **cautious(provenance=fitted_on(tmp_path / "photos" / "red" / "0.png")))
    paint_folder(tmp_path / "strange", {"<b>any": ["red", "gray"]})
    words = ("evaluate", "fitted.onnx", "photos", "--unknown", "far=strange", "--report", "page")
    done = run(*words)
    assert (done.status, done.out.splitlines()[-1]) == (0, f"report  {Path('page/report.html')}")
    assert "left out 1 image: the model was fitted on them" in done.err
    page = (tmp_path / "page" / "report.html").read_text()
    assert "Left out: 1 image, the model was fitted on them." in page
    assert "1 image left out: the model was fitted on them" in page
    assert "read as a folder per class" in page
    assert "<b>any" not in page.replace("<b>anywhere", "")
    assert page.count("data:image/jpeg") == 3, "two mistakes, and a stranger from elsewhere that was taken for red"
    twin = json.loads((tmp_path / "page" / "report.json").read_text())
    assert twin["left_out"] == [{"reason": "the model was fitted on them", "count": 1}]
    assert [one["source"] for one in twin["answered_strangers"]] == [str(Path("strange/<b>any/0.png"))]


def test_a_report_is_not_replaced_unless_asked(run: Command, tmp_path: Path) -> None:
    words = ("evaluate", "colors.onnx", "photos", "--report", "out/page.html")
    assert run(*words).status == 0
    done = run(*words)
    assert (done.status, done.out) == (2, "")
    assert "page.html: exists already; choose another name or pass --force" in done.err
    (tmp_path / "out" / "page.html").unlink()
    assert "page.json: exists already" in run(*words).err
    assert run(*words, "--force").status == 0


def test_strangers_of_each_kind(run: Command, tmp_path: Path) -> None:
    paint_folder(tmp_path, {"paintings": ["gray"], "moths": ["gray"] * 2, "more": ["gray"] * 3, "a=b": ["gray"] * 4})
    places = ("--unknown=far=paintings", "--unknown", "near=moths", "--unknown=more", "--unknown=a=b")
    (found,) = run("evaluate", "colors.onnx", "photos", "--json", *places).lines
    assert [(one["kind"], one["share"]["count"]) for one in found["strangers"]] == [
        ("far", 1),
        ("near", 2),
        ("given", 7),
    ]


def test_images_that_cannot_be_read(run: Command, tmp_path: Path) -> None:
    (tmp_path / "photos" / "red" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    done = run("evaluate", "colors.onnx", "photos", "--json")
    assert done.status == 1
    assert done.lines[0]["count"] == 8
    (line,) = [line for line in done.err.splitlines() if "could not be read" in line]
    assert line.startswith("1 image could not be read: red/0.png: ")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (
            ("photos", "colors.onnx"),
            "colors.onnx: is a model where a dataset is expected; did you swap MODEL and DATA?",
        ),
        (("photos", "photos"), "photos: is a folder of images where a model is expected; did you swap MODEL and DATA?"),
        (("colors.onnx", "efficientnet-lite0"), "efficientnet-lite0: is a model where a dataset is expected"),
        (("colors.onnx", "nowhere"), "nowhere: no such file or folder"),
        (("nothing.onnx", "photos"), "nothing.onnx: no model of this name and no such file"),
        (("colors.onnx", "photos", "--split", "tset"), "--split: must be one of train, validation, test, found 'tset'"),
        (
            ("colors.onnx", "photos", "--split", "val"),
            "must have the split validation to be measured on it, found none",
        ),
        (("colors.onnx", "photos", "--unknown", "nowhere"), "nowhere: no such file or folder"),
    ],
)
def test_wrong_usage_is_one_line(run: Command, words: tuple[str, ...], why: str) -> None:
    done = run("evaluate", *words)
    assert (done.status, done.out) == (2, "")
    assert why in done.err.splitlines()[-1]


def test_data_is_read_as_the_options_say(run: Command, tmp_path: Path) -> None:
    paint_folder(tmp_path / "t", {"images": ["red", "blue"]})
    (tmp_path / "t" / "list.csv").write_text("path,kind,tone\n0.png,x,red\n1.png,y,blue\n")
    words = ("--label", "tone", "--images", "t/images", "--format", "csv")
    (found,) = run("evaluate", "colors.onnx", "t/list.csv", "--json", *words).lines
    assert (found["count"], found["metrics"]["top1"]["value"]) == (2, 1.0)
    paint_folder(tmp_path / "twice", {"red": ["red"], "Red": ["red"]})
    refused = run("evaluate", "colors.onnx", "twice")
    assert (refused.status, "--similar-labels merge" in refused.err) == (2, True)
    assert run("evaluate", "colors.onnx", "twice", "--similar-labels", "merge").status == 0


def test_compare_for_a_person(run: Command, tmp_path: Path) -> None:
    color_model(tmp_path / "swapped.onnx", ("green", "red", "blue"), provenance=fitted_on())
    paint_folder(tmp_path / "more", {"red": ["red"] * 6, "green": ["green"] * 6})
    done = run("compare", "colors.onnx", "swapped.onnx", "more")
    assert done.status == 0
    shown = done.out.splitlines()
    assert shown[0] == "swapped.onnx is worse than colors.onnx, by Top-1"
    assert shown[1] == "colors.onnx     100%  (between 75.8% and 100%, of 12)"
    assert shown[3].startswith("difference    -100.0 points  (between ")
    assert shown[3].endswith("p = 0.00049, on 12 images)")
    assert shown[4:] == ["Only colors.onnx is right on 12 images", "Only swapped.onnx is right on 0 images"]


def test_compare_as_json(run: Command, tmp_path: Path) -> None:
    color_model(tmp_path / "alike.onnx", provenance=fitted_on())
    (found,) = run("compare", "colors.onnx", "alike.onnx", "photos", "--json", "--metric", "top1").lines
    assert (found["models"], found["verdict"], found["more_images"]) == (["colors", "alike"], "cannot tell", None)
    assert (found["left_out"], found["difference"]["value"]) == ([], 0.0)


def test_compared_models_of_one_name_are_told_apart(run: Command, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    color_model(tmp_path / "old" / "colors.onnx", provenance=fitted_on())
    (found,) = run("compare", "old/colors.onnx", "colors.onnx", "photos", "--json").lines
    assert found["models"] == ["old/colors.onnx", "colors.onnx"]


def test_compare_cannot_tell(run: Command, tmp_path: Path) -> None:
    color_model(tmp_path / "other.onnx", ("red", "green", "purple", "blue"), provenance=fitted_on())
    done = run("compare", "colors.onnx", "other.onnx", "photos")
    assert done.out.splitlines()[0].startswith("Cannot tell which is better, by Top-1: about ")
    assert done.out.splitlines()[0].endswith(" more images would tell")


def test_compare_names_what_was_swapped(run: Command) -> None:
    done = run("compare", "colors.onnx", "photos", "colors.onnx")
    assert "colors.onnx: is a model where a dataset is expected; did you swap MODEL and DATA?" in done.err
    wrong = run("compare", "colors.onnx", "colors.onnx", "photos", "--metric", "map")
    assert (wrong.status, "metric: must be top1 for these images, found map" in wrong.err) == (2, True)
