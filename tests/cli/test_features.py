"""`beholder features`: the page, JSON, exit statuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from in_process import command, draw_folder
from running import Command

from graphs import model_bytes


@pytest.fixture
def features(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path
) -> Command:
    monkeypatch.setenv("BEHOLDER_CACHE", str(cache))
    monkeypatch.setenv("BEHOLDER_DATA", str(tmp_path / "data"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return command(capsys, "features")


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_folder(tmp_path_factory.mktemp("drawings") / "set", {"one": 5, "two": 5})


def test_a_page_and_a_line_for_each_stage(features: Command, drawings: Path) -> None:
    done = features("efficientnet-lite0", drawings, "--units", 1)
    assert done.status == 0
    *stages, page = done.out.splitlines()
    assert len(stages) == 8
    assert stages[0].startswith("Stage 1       32 units, maps of 112 x 112; selectivity ")
    assert stages[-1].startswith("Embedding  1,280 units, maps of 7 x 7; selectivity ")
    assert page == "page  efficientnet-lite0-features.html"
    html = Path("efficientnet-lite0-features.html").read_text(encoding="utf-8")
    assert "What it says" in html
    refused = features("efficientnet-lite0", drawings)
    assert (refused.status, refused.out) == (2, "")
    assert "exists already; choose another name or pass --force" in refused.err
    assert Path("efficientnet-lite0-features.html").read_text(encoding="utf-8") == html


def test_json_writes_nothing_unless_told(features: Command, drawings: Path) -> None:
    (drawings.parent / "more" / "one").mkdir(parents=True)
    (drawings.parent / "more" / "one" / "broken.png").write_bytes(b"junk")
    (drawings.parent / "more" / "one" / "good.png").write_bytes((drawings / "one" / "0.png").read_bytes())
    done = features("efficientnet-lite0", drawings, "--json", "--units", 1)
    assert done.status == 0
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [stage["map_hw"][0] for stage in found] == [112, 56, 28, 14, 14, 7, 7, 7]
    assert {stage["probe_top1"]["count"] for stage in found} == {10}
    assert list(Path().iterdir()) == []
    done = features("efficientnet-lite0", drawings.parent / "more", "--json", "--units", 1, "--out", "a.html")
    assert done.status == 1
    assert {json.loads(line)["selectivity"] for line in done.out.splitlines()} == {None}
    assert "broken.png" in done.err
    assert "Which class a unit answers to is left out" in done.err
    assert [path.name for path in Path().iterdir()] == ["a.html"]


def test_what_cannot_be_shown_is_told_in_one_line(features: Command, drawings: Path, tmp_path: Path) -> None:
    for task in ("classify", "segment"):
        (tmp_path / f"{task}.onnx").write_bytes(model_bytes(task))
    (tmp_path / "empty").mkdir()
    for words, reason in (
        ((tmp_path / "classify.onnx", drawings), "must have convolutional stages for its feature maps to be shown"),
        ((tmp_path / "segment.onnx", drawings), "must classify for its feature maps to be shown"),
        (("efficientnet-lite0", tmp_path / "empty"), "holds no images"),
        (("efficientnet-lite0", drawings, "--image", tmp_path / "none.png"), "no such file"),
        (("efficientnet-lite0", drawings, "--units", "13"), "--units: must be at most 12"),
        (("efficientnet-lite0", drawings, "--out", "page.txt"), "--out: must be the name of a page"),
        ((drawings, "efficientnet-lite0"), "did you swap MODEL and DATA?"),
    ):
        done = features(*words)
        assert (done.status, done.out) == (2, "")
        assert reason in done.err.splitlines()[-1]
        assert list(Path().iterdir()) == []
