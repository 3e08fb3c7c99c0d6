"""`beholder baselines`, as a person calls it."""

from __future__ import annotations

from pathlib import Path

import pytest
from in_process import command
from running import Command

from pictures import SHAPES, make_folder


@pytest.fixture
def baselines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    monkeypatch.setenv("BEHOLDER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("BEHOLDER_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    make_folder(tmp_path / "set", dict.fromkeys(SHAPES, 14), seed=22)
    return command(capsys, "baselines")


def test_a_table_whose_best_is_marked(baselines: Command) -> None:
    done = baselines("set", "--features", "hog, pixels", "--classifiers", "linear,tree")
    assert done.status == 0
    head, *rows, last, on = done.out.splitlines()
    assert head.split()[:3] == ["feature", "classifier", "right"]
    assert [row.split()[:2] for row in rows] == [
        ["hog", "linear"],
        ["hog", "tree"],
        ["pixels", "linear"],
        ["pixels", "tree"],
    ]
    assert sum(row.endswith("  best") for row in rows) == 1
    assert last.split()[:2] == ["efficientnet-lite0", "head"]
    assert last.endswith("what train makes")
    assert on == "on 42 images, each left out in turn"


def test_json_is_a_line_for_each(baselines: Command) -> None:
    (Path("set") / "bars" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    done = baselines("set", "--features=edges", "--classifiers=bayes,svm", "--json", "--set", "folds=3")
    assert done.status == 1  # an image could not be used
    assert [(line["feature"], line["classifier"], line["best"]) for line in done.lines][-1] == (
        "efficientnet-lite0",
        "head",
        False,
    )
    assert sum(line["best"] for line in done.lines) == 1
    assert all(line["kind"] == "cross-validated" for line in done.lines)
    assert {line["metrics"]["top1"]["count"] for line in done.lines} == {42}
    assert "left out, for they cannot be read: bars/broken.png\n" in done.err


def test_a_wrong_name_is_one_line(baselines: Command) -> None:
    done = baselines("set", "--features", "hog,sfit")
    assert (done.status, done.out) == (2, "")
    assert "features: 'sfit' is none of hog, edges, corners, sift, surf, pixels; did you mean 'sift'?" in done.err
    assert done.err.count("\n") == 2  # and how the folder was read


@pytest.mark.parametrize("setting", ["architecture=resnet18", "method=network"])
def test_a_network_is_refused(baselines: Command, setting: str) -> None:
    done = baselines("set", "--features=pixels", "--classifiers=tree", "--set", setting)
    assert (done.status, done.out) == (2, "")
    assert "method: must be 'head'" in done.err
    assert done.err.count("\n") == 2  # and how the folder was read
