"""Datasets that cannot be used: `beholder train` and `beholder dataset show` each say so in one line."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from in_process import command, draw_folder, drawing
from running import Command

JUNK = b"\x89PNG\r\n\x1a\njunk"


@pytest.fixture
def beholder_here(
    capsys: pytest.CaptureFixture[str], cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Run `beholder WORDS…` in an empty folder, with a data folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BEHOLDER_CACHE", str(cache))
    monkeypatch.setenv("BEHOLDER_DATA", str(tmp_path / "own"))
    return command(capsys)


def two(folder: Path) -> Path:
    return draw_folder(folder, {"cat": 3, "dog": 3})


def table(folder: Path, text: str) -> None:
    two(folder)
    (folder / "labels.csv").write_text(text, encoding="utf-8")


def empty_class(folder: Path) -> None:
    (two(folder) / "eel").mkdir()


def one_class(folder: Path) -> None:
    draw_folder(folder, {"cat": 3})


def nothing_readable(folder: Path) -> None:
    for path in two(folder).rglob("*.png"):
        path.write_bytes(JUNK)


def one_class_readable(folder: Path) -> None:
    for path in (two(folder) / "dog").iterdir():
        path.write_bytes(JUNK)


def no_labels(folder: Path) -> None:
    folder.mkdir()
    drawing("a").save(folder / "a.png")


def only_text(folder: Path) -> None:
    folder.mkdir()
    (folder / "notes.txt").write_text("hello")


def only_an_archive(folder: Path) -> None:
    folder.mkdir()
    (folder / "images.zip").write_bytes(b"PK\x03\x04")


NEITHER: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "nothing there": (lambda folder: None, "data", "data: no such file or folder"),
    "an empty folder": (lambda folder: folder.mkdir(), "data", "data: holds no images and no annotations"),
    "only text": (only_text, "data", "data: holds no images and no annotations"),
    "only an archive": (only_an_archive, "data", "data: holds no images, but images.zip; unpack it"),
    "an empty class": (empty_class, "data", "a class must have images, found none"),
    "labels that differ by case": (
        lambda folder: draw_folder(folder, {"Cat": 3, "cat": 2, "dog": 3}),
        "data",
        "classes must differ by more than case or spaces, found 'Cat' (3 images), 'cat' (2 images)",
    ),
    "labels that differ by spaces": (
        lambda folder: draw_folder(folder, {"sea lion": 3, "sealion": 2}),
        "data",
        "classes must differ by more than case or spaces, found 'sea lion' (3 images), 'sealion' (2 images)",
    ),
    "two formats at once": (
        lambda folder: table(folder, "path,label\ncat/0.png,cat\ndog/0.png,dog\n"),
        "data",
        "must be read in one way, found class folders cat, dog and labels.csv; choose: --format csv",
    ),
    "annotations of missing images": (
        lambda folder: table(folder, "path,label\nx/0.png,cat\nx/1.png,dog\n"),
        "data/labels.csv",
        "none of the 2 images that it names is in data",
    ),
    "a table without a header": (
        lambda folder: table(folder, "cat/0.png,cat\ndog/0.png,dog\n"),
        "data/labels.csv",
        "a column must be named path or file",
    ),
    "a cut COCO file": (
        lambda folder: (two(folder) / "labels.json").write_text('{"images": ['),
        "data/labels.json",
        "not JSON",
    ),
    "a model": (
        lambda folder: (two(folder) / "model.onnx").write_bytes(b"\x08\x07"),
        "data/model.onnx",
        "a model where a dataset is expected",
    ),
    "an image": (two, "data/cat/0.png", "a single image where a dataset is expected"),
    "an archive": (only_an_archive, "data/images.zip", "an archive is not read in place; unpack it"),
    "a text file": (only_text, "data/notes.txt", "not a dataset of a known format"),
}
"""What neither verb can use: how to make `data`, what is named, and what is said."""

NOT_TRAINABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "one class": (one_class, "data: must have at least two classes, found only 'cat'"),
    "no labels": (no_labels, "data: images must have labels, found none"),
    "nothing readable": (nothing_readable, "data: images of at least two classes must be readable"),
    "one class readable": (one_class_readable, "data: images of at least two classes must be readable"),
}
"""What can be looked at but not learned from."""


def only_complaint(err: str) -> str:
    """The one line that is not a note on how the data were read."""
    lines = [line for line in err.splitlines() if not line.startswith("read as ")]
    assert len(lines) == 1, lines
    return lines[0]


VERBS = {
    "train": [],
    "dataset show": [],
    "dataset convert": ["out.csv"],
    "dataset split": ["out.csv", "--test", "0.3"],
    "dataset exclude": ["cat/0.png"],
}
"""With what follows DATA."""


@pytest.mark.parametrize(
    ("verb", "case"),
    [
        (verb, case)
        for verb in VERBS
        for case in NEITHER
        if verb != "dataset exclude" or not case.startswith("labels that differ")  # these are there to be corrected
    ],
)
def test_what_cannot_be_read(beholder_here: Command, tmp_path: Path, verb: str, case: str) -> None:
    make, place, said = NEITHER[case]
    make(tmp_path / "data")
    before = sorted(tmp_path.rglob("*"))
    done = beholder_here(*verb.split(), place, *VERBS[verb])
    assert (done.status, done.out) == (2, "")
    assert said in only_complaint(done.err)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("case", NOT_TRAINABLE)
def test_what_cannot_be_learned_from(beholder_here: Command, tmp_path: Path, case: str) -> None:
    make, said = NOT_TRAINABLE[case]
    make(tmp_path / "data")
    done = beholder_here("train", "data", "--out", "model.onnx")
    assert (done.status, done.out) == (2, "")
    assert said in only_complaint(done.err)
    assert not Path("model.onnx").exists()
    shown = beholder_here("dataset", "show", "data")
    unreadable = "readable" in case
    assert shown.status == (1 if unreadable else 0)
    assert ("  unreadable (" in shown.out) == unreadable
    if not unreadable:
        assert f"no classifier can be trained on it yet: {said}" in only_complaint(shown.err)


def test_two_formats_can_be_told_apart(beholder_here: Command, tmp_path: Path) -> None:
    table(tmp_path / "data", "path,label\ncat/0.png,cat\ndog/0.png,dog\n")
    for words, count in (
        (["data", "--format", "folder"], 6),
        (["data/labels.csv"], 2),
        (["data", "--format", "csv"], 2),
    ):
        (shown,) = beholder_here("dataset", "show", *words, "--quick", "--json").lines
        assert shown["statistics"]["samples"] == count


def test_labels_that_differ_by_case_can_be_merged_or_kept(beholder_here: Command, tmp_path: Path) -> None:
    draw_folder(tmp_path / "data", {"Cat": 3, "cat": 2, "dog": 3})
    for how, classes in (("merge", ["Cat", "dog"]), ("keep", ["Cat", "cat", "dog"])):
        (shown,) = beholder_here("dataset", "show", "data", "--similar-labels", how, "--quick", "--json").lines
        assert sorted(shown["classes"]) == classes


def test_a_class_with_one_image(beholder_here: Command, tmp_path: Path) -> None:
    draw_folder(tmp_path / "data", {"cat": 6, "dog": 6, "eel": 1})
    assert beholder_here("train", "data", "--out", "model.onnx", "--json").status == 0
    done = beholder_here("dataset", "split", "data", "out.csv", "--test", "0.3")
    assert done.status == 2
    assert "class 'eel': must show at least 2 different things" in only_complaint(done.err)


def test_some_annotations_of_missing_images_are_told(beholder_here: Command, tmp_path: Path) -> None:
    table(tmp_path / "data", "path,label\ncat/0.png,cat\ncat/9.png,cat\ndog/0.png,dog\n")
    done = beholder_here("dataset", "show", "data/labels.csv", "--json")
    assert done.status == 0
    (shown,) = done.lines
    assert shown["missing"] == ["cat/9.png"]
    assert "cat/9.png" in done.err


# Output that cannot be written


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody may write into."""
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    if os.access(folder, os.W_OK):  # as root may
        shutil.rmtree(folder)
        folder.write_text("a file, in which nothing can be made either")
    yield folder
    folder.chmod(0o755)


WRITING = (
    ["train", "data", "--out", "{}/model.onnx"],
    ["dataset", "convert", "data", "{}/folder"],
    ["dataset", "convert", "data", "{}/out.csv"],
    ["dataset", "convert", "data", "{}/out.json"],
    ["dataset", "split", "data", "{}/out.csv", "--test", "0.3"],
    ["dataset", "show", "data", "--mean-image", "{}/mean.png"],
)


@pytest.mark.parametrize("words", WRITING)
def test_a_folder_that_cannot_be_written(
    beholder_here: Command, tmp_path: Path, locked: Path, words: list[str]
) -> None:
    draw_folder(tmp_path / "data", {"cat": 6, "dog": 6})
    done = beholder_here(*(word.format(locked) for word in words))
    assert done.status == 2
    complaint = done.err.splitlines()[-1]
    assert f"{locked}/" in complaint
    assert "cannot be written" in complaint
    assert locked.is_file() or not list(locked.iterdir())
    assert {path.name for path in tmp_path.iterdir()} <= {"data", "locked", "own"}


@contextmanager
def small_files(most: int) -> Iterator[None]:
    """No file can grow beyond some bytes: the nearest thing to a full disk that needs no rights."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("words", [*WRITING, ["dataset", "exclude", "data", "cat/0.png"]])
def test_a_disk_without_space(beholder_here: Command, tmp_path: Path, words: list[str]) -> None:
    draw_folder(tmp_path / "data", {"cat": 6, "dog": 6})
    with small_files(100):
        done = beholder_here(*(word.format("out") for word in words))
    assert done.status == 2
    assert "cannot be written: File too large" in done.err.splitlines()[-1]
    left = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_relative_to(tmp_path / "data")]
    assert all(path.is_relative_to(tmp_path / "own") for path in left)
    assert not [path for path in left if path.suffix == ".part"]


def test_a_log_that_was_cut_off_by_a_full_disk_goes_on(beholder_here: Command, tmp_path: Path) -> None:
    two(tmp_path / "data")
    assert beholder_here("dataset", "exclude", "data", "dog/0.png").status == 0
    with small_files(600):
        assert beholder_here("dataset", "exclude", "data", "cat/0.png", "cat/1.png").status == 2
    done = beholder_here("dataset", "exclude", "data", "cat/2.png")
    assert done.status == 0
    listed = beholder_here("dataset", "corrections", "data", "--json").lines
    assert [entry["image"] for entry in listed if entry["image"] != "cat/0.png"] == ["dog/0.png", "cat/2.png"]
