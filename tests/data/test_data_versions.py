"""Versions: the digest of what is in a dataset, and what changed from one to the next."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import table, tree

from beholder.data import ContentCache, Entry, Manifest, diff, load_version, read, save_version, with_digests
from beholder.errors import DataError, DatasetNotFound
from beholder.files import data_dir

NAMES = ("train/cat/1.png", "train/dog/2.png", "test/cat/3.png", "_unknown/4.png", "train/_unknown/4.png")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return tree(tmp_path / "photos", "train/cat/1.png", "train/dog/2.png", "test/cat/3.png", "test/_unknown/4.png")


def version_of(folder: Path, contents: ContentCache) -> str:
    return save_version(with_digests(read(folder), contents))


def test_version_is_kept_and_found_again(photos, contents):
    dataset = with_digests(read(photos), contents)
    version = save_version(dataset)
    assert save_version(dataset) == version
    manifest = load_version(version)
    assert manifest == Manifest.of(dataset)
    assert manifest.version == version
    assert load_version(version[:15]) == load_version(version.removeprefix("sha256:")) == manifest
    assert [(entry.name, entry.labels, entry.split) for entry in manifest.entries] == [
        ("test/_unknown/4.png", ("_unknown",), "test"),
        ("test/cat/3.png", ("cat",), "test"),
        ("train/cat/1.png", ("cat",), "train"),
        ("train/dog/2.png", ("dog",), "train"),
    ]
    with pytest.raises(DatasetNotFound, match="no such version"):
        load_version("sha256:" + "0" * 64)
    with pytest.raises(DatasetNotFound, match="no such version"):
        load_version("../x")


def test_version_does_not_depend_on_the_place_or_the_format(photos, contents, tmp_path):
    version = version_of(photos, contents)
    shutil.copytree(photos, tmp_path / "copy")
    assert version_of(tmp_path / "copy", contents) == version
    rows = "train/cat/1.png,cat,train,x\ntrain/dog/2.png,dog,train,y\ntest/cat/3.png,cat,test,\n"
    table(photos, f"path,label,split,note\n{rows}test/_unknown/4.png,_unknown,test,\n")
    assert save_version(with_digests(read(photos, format="csv"), contents)) == version


def test_sample_without_a_digest_has_no_version(photos):
    with pytest.raises(DataError, match="its digest must be known"):
        save_version(read(photos))


def test_files_that_cannot_be_read_are_left_out(photos, contents):
    dataset = read(photos)
    (photos / "train" / "dog" / "2.png").unlink()
    known = with_digests(dataset, contents)
    assert len(known) == 2
    assert known.classes == ("cat", "dog")
    assert known.notes[-1] == "1 file cannot be read and is left out: train/dog/2.png"


def test_what_changed(photos, contents):
    before = load_version(version_of(photos, contents))
    tree(photos, "train/bird/5.png")
    (photos / "train" / "cat" / "1.png").rename(photos / "train" / "dog" / "1.png")
    (photos / "train" / "cat").rmdir()
    (photos / "test" / "dog").mkdir()
    (photos / "train" / "dog" / "2.png").rename(photos / "test" / "dog" / "2.png")
    (photos / "test" / "_unknown" / "4.png").unlink()
    after = load_version(version_of(photos, contents))
    difference = diff(before, after)
    assert [entry.name for entry in difference.added] == ["train/bird/5.png"]
    assert [entry.name for entry in difference.removed] == ["test/_unknown/4.png"]
    assert [(old.labels, new.labels) for old, new in difference.relabelled] == [(("cat",), ("dog",))]
    assert [(old.split, new.split) for old, new in difference.moved] == [("train", "test")]
    assert len(difference.renamed) == 2
    assert difference.lines() == [
        "1 added: train/bird/5.png",
        "1 removed: test/_unknown/4.png",
        "1 relabelled: train/dog/1.png (cat to dog)",
        "1 moved to another split: test/dog/2.png (train to test)",
        "2 renamed: train/cat/1.png to train/dog/1.png, train/dog/2.png to test/dog/2.png",
    ]
    assert not diff(after, after)


def test_damaged_version_is_not_believed(photos, contents):
    version = version_of(photos, contents)
    path = data_dir() / "versions" / f"{version.removeprefix('sha256:')}.jsonl"
    path.write_bytes(path.read_bytes().replace(b"dog", b"god"))
    with pytest.raises(DataError, match="is damaged"):
        load_version(version)


ENTRIES = st.lists(
    st.builds(
        Entry,
        digest=st.sampled_from(["sha256:1", "sha256:2", "sha256:3"]),
        name=st.sampled_from("abcdef"),
        labels=st.sampled_from([("cat",), ("dog",), ()]),
        split=st.sampled_from(["train", "test", None]),
    ),
    max_size=6,
    unique_by=lambda entry: entry.name,
)


@given(ENTRIES, ENTRIES)
def test_difference_accounts_for_every_image(old, new):
    before, after = Manifest((), False, tuple(old)), Manifest((), False, tuple(new))
    found, back = diff(before, after), diff(after, before)
    assert len(old) - len(found.removed) == len(new) - len(found.added)
    assert set(found.added) <= set(new)
    assert set(found.removed) <= set(old)
    assert (len(found.added), len(found.removed)) == (len(back.removed), len(back.added))
    assert bool(found) == (sorted(old, key=str) != sorted(new, key=str))
