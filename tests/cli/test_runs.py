"""`beholder runs`: what its verbs print, write and remove."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from in_process import command
from running import Command

from beholder.training import history
from beholder.training.history import RunRecord
from run_folders import curve, make_run

LENET = ("architecture=lenet5", "epochs=3")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory with three runs."""
    monkeypatch.setenv("BEHOLDER_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    make_run(data, "20260101-101112-birds-0001")
    make_run(
        data, "20260102-101112-birds-0002", settings=LENET, rows=curve(3), top1=0.9, size=32, seconds={"fit": 4000}
    )
    make_run(data, "20260103-101112-cats-0003", dataset="sha256:" + "1" * 64)
    return data


@pytest.fixture
def runs(data: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `beholder runs WORDS…`."""
    return command(capsys, "runs")


def test_a_table_of_all_the_newest_first(runs: Command) -> None:
    done = runs()
    assert (done.status, done.err) == (0, "")
    heading, *lines = done.out.splitlines()
    assert heading.split()[:3] == ["id", "name", "what"]
    assert [line.split()[0] for line in lines] == ["0003", "0002", "0001"]
    assert "lenet5, 32 px" in lines[1] and "90.0% (80 to 100)" in lines[1]
    assert "1:06 h" in lines[1] and lines[1].endswith("2026-01-02 10:11")


def test_the_table_fits_the_screen(runs: Command, data: Path) -> None:
    make_run(data, "20260104-101112-long-0004", name="a very long name " * 9, settings=("architecture=squeezenet1_1",))
    done = runs()
    assert max(map(len, done.out.splitlines())) <= 100
    assert "…" in done.out


def test_only_the_newest(runs: Command) -> None:
    done = runs("--limit", 1)
    assert len(done.out.splitlines()) == 2
    assert "2 older ones" in done.err
    assert runs("--limit", 0).status == 2


def test_all_of_it_as_json(runs: Command) -> None:
    done = runs("--json")
    assert [one["short_id"] for one in done.lines] == ["0003", "0002", "0001"]
    one = done.lines[1]
    assert one["metrics"]["top1"]["value"] == 0.9
    assert (one["recipe"]["architecture"], len(one["curve"]), one["when"]) == ("lenet5", 3, "2026-01-02T10:11:12Z")


def test_a_damaged_run_is_told_of_in_a_line(runs: Command, data: Path) -> None:
    (data / "runs" / "20260101-101112-birds-0001" / "run.json").write_text("{")
    done = runs()
    assert done.status == 1
    assert len(done.out.splitlines()) == 3
    assert len(done.err.splitlines()) == 1 and "birds-0001/run.json: is damaged" in done.err
    assert runs("show", "0001").status == 2
    assert runs("remove", "0001", "--force").status == 0, "what is damaged can be removed"
    assert runs().status == 0


def test_without_runs(runs: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BEHOLDER_DATA", str(tmp_path / "none"))
    done = runs()
    assert (done.status, done.out) == (0, "")
    assert "beholder train DATA" in done.err


def test_its_verbs_are_in_the_help(runs: Command) -> None:
    out = runs("--help").out
    assert all(words in out for words in ("--limit", "compare RUN RUN", "remove RUN"))
    done = runs("shwo")
    assert done.status == 2 and "did you mean 'show'?" in done.err


def test_everything_of_one(runs: Command) -> None:
    out = runs("show", "birds").out
    for words in (
        "birds: lenet5, 32 px",
        "20260102-101112-birds-0002",
        "on 100 test images",
        "Top-1  90.0%",
        "3 rows; loss 1.000 to 0.333",
        "* architecture",
        "x86_64",
        "beholder 0.1.0",
        "log.txt",
    ):
        assert words in out, words
    assert json.loads(runs("show", "0001", "--json").out)["id"] == "20260101-101112-birds-0001"


def test_the_path_alone(runs: Command, data: Path) -> None:
    assert runs("path", "cats").out == f"{data / 'runs' / '20260103-101112-cats-0003'}\n"
    assert "did you mean 'cats'?" in runs("path", "catz").err


def test_what_differs_and_which_test_to_run(runs: Command, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunRecord, "fitted_on", lambda self: frozenset({"a"}))
    for id in ("20260101-101112-birds-0001", "20260102-101112-birds-0002"):
        (data / "runs" / id / "birds.onnx").write_bytes(b"")
    Path("photos").mkdir()
    done = runs("compare", "0001", "0002")
    assert done.status == 0
    assert max(map(len, done.out.split("The numbers")[0].splitlines())) <= 100
    lines = [line.split() for line in done.out.splitlines()]
    assert ["method", "head", "network"] in lines
    assert ["epochs", "—", "3"] in lines
    assert any(line[:2] == ["Top-1", "80.0%"] for line in lines)
    assert "can be compared" in done.out
    models = [data / "runs" / f"2026010{n}-101112-birds-000{n}" / "birds.onnx" for n in (1, 2)]
    assert f"beholder compare {models[0]} {models[1]} photos\n" in done.out
    (one,) = runs("compare", "0001", "0002", "--json").lines
    assert one["comparable"] is True
    assert one["unseen"] is None, "these data are not known here"
    assert one["recipe"]["architecture"] == [None, "lenet5"]
    assert [measured["value"] for measured in one["metrics"]["top1"]] == [0.8, 0.9]


def test_numbers_of_other_data_are_said_to_be_none(runs: Command) -> None:
    done = runs("compare", "0001", "cats")
    assert "The numbers cannot be compared: they were measured on different versions of the data" in done.out
    assert f"beholder dataset diff sha256:{'0' * 12} sha256:{'1' * 12}" in done.out
    assert runs("compare", "0001", "cats", "--json").lines[0]["comparable"] is False


@pytest.mark.parametrize("words", [("0001",), ("0001", "0001"), ("birds", "0002")])
def test_comparing_needs_two(runs: Command, words: tuple[str, ...]) -> None:
    done = runs("compare", *words)
    assert done.status == 2 and "needs two runs" in done.err


def test_many_are_compared_one_below_the_other(runs: Command, data: Path) -> None:
    for number in range(4, 8):
        make_run(data, f"2026010{number}-101112-more-000{number}")
    done = runs("compare", *(f"000{number}" for number in range(1, 8)))
    assert "0001 | 0002 | 0003" in done.out


def test_a_page_is_written_once(runs: Command) -> None:
    done = runs("plot", "0001", "0002")
    assert (done.status, done.out) == (0, "page    runs.html\n")
    assert "no curve" in done.err
    assert "lenet5" in Path("runs.html").read_text()
    before = Path("runs.html").read_bytes()
    assert runs("plot", "cats").status == 2
    assert Path("runs.html").read_bytes() == before
    assert runs("plot", "cats", "--force").status == 0
    assert runs("plot", "cats", "--out", "folder/one.html").status == 0
    assert "ending in .html" in runs("plot", "cats", "--out", "page").err


def test_nothing_is_removed_before_it_was_shown(runs: Command, data: Path) -> None:
    done = runs("remove", "cats")
    assert done.status == 2
    assert "would remove 20260103-101112-cats-0003" in done.out and "--force" in done.err
    assert len(list((data / "runs").iterdir())) == 3
    done = runs("remove", "cats", "--force")
    assert (done.status, done.out.split(":")[0]) == (0, "removed 20260103-101112-cats-0003")
    assert len(list((data / "runs").iterdir())) == 2


@pytest.mark.parametrize("words", [("birds",), ("cats", "birds"), ("cats", "none"), ()])
def test_what_is_not_clear_removes_nothing(runs: Command, data: Path, words: tuple[str, ...]) -> None:
    assert runs("remove", *words, "--force").status == 2
    assert len(list((data / "runs").iterdir())) == 3


@pytest.mark.parametrize("words", ["run.json", "birds.onnx", "run.json/"])
def test_a_file_of_a_run_does_not_stand_for_all_of_it(runs: Command, data: Path, words: str) -> None:
    folder = data / "runs" / "20260101-101112-birds-0001"
    (folder / "birds.onnx").write_bytes(b"")
    done = runs("remove", f"{folder}/{words}", "--force")
    assert done.status == 2 and folder.is_dir()
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize("home", ["runs", "unfinished"])
def test_the_folder_of_all_is_not_removed(
    runs: Command, data: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    (data / "unfinished").mkdir()
    monkeypatch.chdir(data / home)
    for words in (".", "./", "..", "../runs", "../unfinished"):
        assert runs("remove", words, "--force").status == 2
    assert len(list((data / "runs").iterdir())) == 3


def test_a_training_that_goes_on_meanwhile_is_left_and_the_others_are_removed(
    runs: Command, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (data / "unfinished" / name).mkdir(parents=True)
        os.utime(data / "unfinished" / name, (time.time() - 7200,) * 2)
    seen = history.list_unfinished()
    monkeypatch.setattr(history, "list_unfinished", lambda: seen)
    (data / "unfinished" / seen[0].folder.name / "checkpoint.pt").write_bytes(b"")
    done = runs("remove", "--unfinished", "--force")
    assert done.status == 1 and "may be running" in done.err
    assert [path.name for path in (data / "unfinished").iterdir()] == [seen[0].folder.name]


def test_a_run_that_is_named_twice_is_removed_once(runs: Command, data: Path) -> None:
    folder = data / "runs" / "20260101-101112-birds-0001"
    done = runs("remove", "0001", f"{data}/runs/../runs/{folder.name}", "--force")
    assert (done.status, len(done.out.splitlines()), folder.exists()) == (0, 1, False)


@pytest.mark.parametrize("age", [0, 7200])
def test_an_unfinished_training_is_not_removed_by_its_path(runs: Command, data: Path, age: int) -> None:
    folder = data / "unfinished" / "abc"
    folder.mkdir(parents=True)
    os.utime(folder, (time.time() - age,) * 2)
    done = runs("remove", folder, "--force")
    assert done.status == 2 and "beholder runs remove --unfinished" in done.err
    assert folder.is_dir()


@pytest.mark.parametrize(
    "verb", [("show", "birds"), ("path", "birds"), ("compare", "birds", "cats"), ("plot", "birds")]
)
def test_a_newest_run_that_is_damaged_is_told_of(runs: Command, data: Path, verb: tuple[str, ...]) -> None:
    (data / "runs" / "20260102-101112-birds-0002" / "run.json").write_text("{")
    done = runs(*verb)
    assert done.status == 0
    assert "its newest run, 20260102-101112-birds-0002, is damaged" in done.err
    assert "0002" not in done.out


def test_a_folder_elsewhere_is_not_removed(runs: Command, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    done = runs("remove", tmp_path / "photos", "--force")
    assert done.status == 2 and (tmp_path / "photos").is_dir()


def test_unfinished_trainings_are_told_of_and_removed_when_they_rest(runs: Command, data: Path) -> None:
    for name in ("resting", "running"):
        (data / "unfinished" / name).mkdir(parents=True)
        (data / "unfinished" / name / "checkpoint.pt").write_bytes(bytes(2000))
    old = time.time() - 7200
    for path in (data / "unfinished" / "resting" / "checkpoint.pt", data / "unfinished" / "resting"):
        os.utime(path, (old, old))
    assert "2 unfinished trainings, 4.0 kB" in runs().err
    assert runs("remove", "--unfinished").status == 2
    assert len(list((data / "unfinished").iterdir())) == 2
    done = runs("remove", "--unfinished", "--force")
    assert done.status == 0 and "may be running" in done.err
    assert [path.name for path in (data / "unfinished").iterdir()] == ["running"]
    assert runs("remove", "--unfinished", "cats").status == 2
    assert len(runs().out.splitlines()) == 4
