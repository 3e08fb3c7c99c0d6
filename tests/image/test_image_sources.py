"""What a person may point at: paths, folders, patterns, lists, and what holds only one image."""

import io
import os
import sys
import zipfile
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from encoding import encoded
from goldens import flat
from hypothesis import given
from hypothesis import strategies as st

from beholder.errors import EmptySource, ImageError, SourceNotFound, UnreadableImage, UsageError
from beholder.image import Input, Limits, Reader, expand, read
from beholder.image.sources import _natural

PNG = encoded(flat("RGB", (1, 2, 3)), "PNG")
ARRAY = np.zeros((4, 6, 3), np.uint8)


def write(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(PNG)
    return folder


def names(source, **options) -> list[str]:
    """What a source stands for, relative to it where it is a folder."""
    found = [each.name for each in expand(source, Limits(), **options)]
    root = f"{source}{os.sep}" if isinstance(source, Path) else ""
    return [name.removeprefix(root) for name in found]


def failure(source) -> ImageError:
    """Why the only input of a source fails when it is loaded."""
    (found,) = expand(source, Limits())
    with pytest.raises(ImageError) as caught:
        found.load()
    assert caught.value.source == found.name
    assert "\n" not in str(caught.value)
    return caught.value


def test_folder_is_read_recursively_in_natural_order(tmp_path):
    write(tmp_path, "img10.png", "img2.png", "img1.png", "b/9.png", "b/10.png", "a/x/deep.png", "a/1.png")
    expected = ["img1.png", "img2.png", "img10.png", "a/1.png", "a/x/deep.png", "b/9.png", "b/10.png"]
    assert names(tmp_path) == [name.replace("/", os.sep) for name in expected]


def test_what_systems_hide_is_left_aside(tmp_path):
    write(tmp_path, "a.png", ".hidden.png", ".git/b.png", "__MACOSX/c.png", "x/._d.png", "x/e.png", "Thumbs.db")
    notes = []
    assert names(tmp_path, note=notes.append) == ["a.png", f"x{os.sep}e.png"]
    assert notes == []


def test_what_was_left_out_is_told(tmp_path):
    write(tmp_path, "a.png")
    for name in ("a.txt", "b.txt", "c.csv", "README"):
        (tmp_path / name).write_text("no image")
    notes = []
    assert names(tmp_path, note=notes.append) == ["a.png"]
    assert notes == [f"{tmp_path}: left out 4 files that are not images: 2 .txt, 1 .csv, 1 no suffix"]


def test_image_without_a_suffix_is_found_by_its_first_bytes(tmp_path):
    write(tmp_path, "photo", "photo.backup")
    (tmp_path / "short").write_bytes(b"\x89")
    assert names(tmp_path) == ["photo", "photo.backup"]


def test_file_is_decided_by_its_content_not_its_name(tmp_path):
    write(tmp_path, "a.jpg")
    assert read(tmp_path / "a.jpg").metadata.format == "PNG"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are those of Unix")
def test_pipe_in_a_folder_does_not_hang(tmp_path):
    write(tmp_path, "a.png")
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.jpg")
    first, second = expand(tmp_path, Limits())
    assert first.load() == PNG
    with pytest.raises(
        UnreadableImage, match="a pipe where a file is expected; pipe it into standard input, and name it -"
    ):
        second.load()


def test_folder_that_cannot_be_listed_is_told(tmp_path, monkeypatch):
    write(tmp_path, "a.png", "locked/b.png")
    scan = os.scandir

    def guarded(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", guarded)
    good, bad = expand(tmp_path, Limits())
    assert good.load() == PNG
    with pytest.raises(UnreadableImage, match="locked: its files cannot be listed: Permission denied"):
        bad.load()


def test_folder_without_images(tmp_path):
    assert isinstance(failure(tmp_path), EmptySource)
    (tmp_path / "a.txt").write_text("x")
    assert str(failure(tmp_path)) == f"{tmp_path}: no images in this folder; found only 1 .txt"


def test_link_to_the_folder_itself_does_not_loop(tmp_path):
    write(tmp_path, "a.png")
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "lost.png").symlink_to(tmp_path / "nowhere.png")
    assert names(tmp_path) == ["a.png", "lost.png"]
    with pytest.raises(SourceNotFound):
        list(expand(tmp_path, Limits()))[1].load()


@pytest.mark.parametrize("source", ["nowhere.jpg", "no/such/folder/", "", "a\0b"])
def test_missing_path(source):
    assert isinstance(failure(source), SourceNotFound)
    with pytest.raises(SourceNotFound, match="no such file or folder"):
        read(source)


@pytest.mark.parametrize("source", ["http://example.org/a.jpg", "HTTPS://example.org/a.jpg", "s3://bucket/a.jpg"])
def test_address_is_never_fetched(source):
    assert "addresses are not fetched; download the image" in str(failure(source))


@pytest.mark.parametrize(("name", "words"), [("a.svg", "SVG"), ("a.CR2", "raw file"), ("a.jxl", "JPEG XL")])
def test_what_cannot_be_read_is_named_and_not_left_out(name, words, tmp_path):
    write(tmp_path, name, "good.png")
    (bad,) = (each for each in expand(tmp_path, Limits()) if not each.name.endswith("good.png"))
    with pytest.raises(UnreadableImage, match=words):
        bad.load()


def test_pattern(tmp_path):
    write(tmp_path, "a10.png", "a2.png", "b/c.png", "b/d.jpg")
    assert names(str(tmp_path / "a*.png")) == [str(tmp_path / "a2.png"), str(tmp_path / "a10.png")]
    assert names(str(tmp_path / "**" / "*.jpg")) == [str(tmp_path / "b" / "d.jpg")]
    assert "no file matches" in str(failure(str(tmp_path / "*.gif")))
    assert "only folders match" in str(failure(str(tmp_path / "?")))


def test_pattern_in_a_folder_whose_name_looks_like_one(tmp_path, monkeypatch):
    write(tmp_path, "[x] *2/a.png", "[x] *2/b/c.png", "x/d.png")
    monkeypatch.chdir(tmp_path)
    for root in ("", f"{tmp_path}/"):
        assert [found.name for found in expand(f"{root}[x] *2/*.png", Limits())] == [f"{root}[x] *2/a.png"]
        assert len(list(expand(f"{root}[x] *2/**/*.png", Limits()))) == 2
        assert [found.name for found in expand(f"{root}[x]/*.png", Limits())] == [f"{root}x/d.png"]


def test_name_that_looks_like_a_pattern_is_a_file_when_it_exists(tmp_path):
    write(tmp_path, "a[1].png", "-dash.png", "name with spaces äö 图.png")
    for name in ("a[1].png", "-dash.png", "name with spaces äö 图.png"):
        assert read(str(tmp_path / name)).size_hw == (4, 6)


def test_lists_are_flattened_and_the_nameless_are_numbered(tmp_path):
    path = str(write(tmp_path, "a.png") / "a.png")
    opened = PIL.Image.open(path)
    source = [PNG, [path, (ARRAY, PNG)], opened, Input("mine", lambda: PNG), io.BytesIO(PNG)]
    expected = ["<bytes 0>", path, "<array 2>", "<bytes 3>", path, "mine", "<file 6>"]
    assert names(source) == expected
    assert names(iter(source)) == [*expected[:6], "<file 6>"]
    opened.close()


def test_list_is_a_stream():
    def endless():
        while True:
            yield PNG

    stream = expand(endless(), Limits())
    assert [next(stream).name for _ in range(3)] == ["<bytes 0>", "<bytes 1>", "<bytes 2>"]


def test_one_missing_file_in_a_list_does_not_stop_the_others(tmp_path):
    answers = []
    with Reader() as reader:
        for found in expand([PNG, "nowhere.png", tmp_path, b"junk", PNG], Limits()):
            try:
                answers.append(reader.read(found.load(), found.name).size_hw)
            except ImageError as error:
                answers.append(error.kind)
    assert answers == [(4, 6), "not_found", "no_images", "unreadable_image", (4, 6)]


def test_empty_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    assert str(failure("-")) == "-: standard input is empty; pipe an image into it"


def test_steps_are_positive():
    with pytest.raises(UsageError, match="every: must be at least 1, found 0"):
        list(expand(PNG, Limits(), every=0))


def test_standard_input(monkeypatch):
    class Standard:
        buffer = io.BytesIO(PNG)

    monkeypatch.setattr(sys, "stdin", Standard)
    (found,) = expand("-", Limits())
    assert (found.name, found.load(), found.load()) == ("-", PNG, PNG)


SEVERAL = {
    "folder": ("folder", "a folder holds"),
    "archive": ("one.zip", "an archive holds"),
    "video": ("clip.mp4", "a video holds"),
    "pattern": ("*.png", "a pattern stands for"),
    "camera": ("camera:0", "a camera gives"),
}


@pytest.mark.parametrize("kind", SEVERAL)
def test_one_image_is_needed_where_one_is_asked_for(kind, tmp_path, monkeypatch):
    """Also where there is only one: otherwise a program would break when a second is added."""
    monkeypatch.chdir(write(tmp_path, "a.png", "folder/a.png"))
    (tmp_path / "clip.mp4").write_bytes(b"")
    (tmp_path / "one.zip").write_bytes(b"")
    name, why = SEVERAL[kind]
    with pytest.raises(UsageError, match=f"{why} any number; name one image, or use predict_many"):
        read(name)


@pytest.mark.parametrize("source", [[], [PNG], [PNG, PNG], (PNG,), iter([PNG])])
def test_list_is_refused_where_one_image_is_asked_for(source):
    with pytest.raises(UsageError, match="a list holds any number"):
        read(source)


def test_archive_on_standard_input_is_refused_where_one_image_is_asked_for(monkeypatch):
    class Standard:
        buffer = io.BytesIO()

    with zipfile.ZipFile(Standard.buffer, "w") as archive:
        archive.writestr("a.png", PNG)
    Standard.buffer.seek(0)
    monkeypatch.setattr(sys, "stdin", Standard)
    with pytest.raises(UsageError, match="an archive holds any number"):
        read("-")


@given(st.lists(st.integers(0, 10**6), min_size=1, unique=True))
def test_natural_order_is_that_of_the_numbers(numbers):
    named = [f"frame{number}.png" for number in numbers]
    assert sorted(named, key=_natural) == [f"frame{number}.png" for number in sorted(numbers)]


@given(st.lists(st.text(alphabet="01a²٣", max_size=4)))
def test_natural_order_does_not_depend_on_the_order_before(texts):
    backwards = texts[::-1]
    assert sorted(texts, key=_natural) == sorted(backwards, key=_natural)
