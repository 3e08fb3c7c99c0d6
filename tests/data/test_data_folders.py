"""A folder per class: what is taken for what, and what is refused."""

import errno
import os
import pickle
from pathlib import Path

import pytest
from made import said, tree

from beholder.data import Dataset, Sample, read, require_trainable, write
from beholder.errors import (
    AmbiguousDataset,
    DatasetNotFound,
    InvalidClasses,
    NotADataset,
    OutputExists,
    OutputFailed,
    UsageError,
)


def test_folder_per_class(tmp_path):
    dataset = read(tree(tmp_path, "cat/a10.png", "cat/a2.png", "dog/b.png"))
    assert said(dataset) == {
        "cat/a2.png": (("cat",), None),
        "cat/a10.png": (("cat",), None),
        "dog/b.png": (("dog",), None),
    }
    assert list(said(dataset)) == ["cat/a2.png", "cat/a10.png", "dog/b.png"]  # natural order
    assert dataset.classes == ("cat", "dog")
    assert dataset.counts() == {"cat": 2, "dog": 1}
    assert (dataset.format, dataset.multi_label, dataset.root) == ("folder", False, tmp_path)
    assert dataset.notes == ("read as a folder per class: 2 classes",)
    assert all(sample.path.is_file() for sample in dataset.samples)


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Train", "valid", "TEST"), ("train", "validation")])
def test_split_folders(tmp_path, names):
    for name in names:
        tree(tmp_path, f"{name}/cat/{name}1.png", f"{name}/dog/{name}2.png")
    dataset = read(tmp_path)
    assert dataset.classes == ("cat", "dog")
    assert dataset.splits == ("train", "validation", "test")[: len(names)]
    assert dataset.notes == (f"read as a folder per class: 2 classes, split by the folders {', '.join(names)}",)
    assert [sample.labels for sample in dataset.in_split("train").samples] == [("cat",), ("dog",)]
    assert dataset.in_split("train").classes == dataset.classes


def test_part_keeps_the_classes_of_the_whole(tmp_path):
    dataset = read(tree(tmp_path, "train/cat/1.png", "train/dog/2.png", "test/cat/3.png", "test/_unknown/4.png"))
    part = dataset.in_split("test")
    assert part.classes == ("cat", "dog")
    assert part.counts() == {"cat": 1, "dog": 0}
    assert [stranger.name for stranger in part.strangers] == ["test/_unknown/4.png"]
    assert dataset.in_split("train").strangers == ()


def test_one_split_folder_is_a_split_and_no_class(tmp_path):
    dataset = read(tree(tmp_path, "train/cat/1.png", "train/dog/2.png"))
    assert dataset.classes == ("cat", "dog")
    assert dataset.splits == ("train",)


def test_split_folders_without_classes_are_unlabelled(tmp_path):
    dataset = read(tree(tmp_path, "train/1.png", "test/2.png"))
    assert said(dataset) == {"train/1.png": ((), "train"), "test/2.png": ((), "test")}
    assert "without labels" in dataset.notes[0]


def test_class_may_be_named_like_a_split(tmp_path):
    dataset = read(tree(tmp_path, "train/1.png", "bus/2.png", "car/3.png"))
    assert dataset.classes == ("bus", "car", "train")
    assert dataset.splits == ()


def test_splits_beside_other_folders_are_ambiguous(tmp_path):
    tree(tmp_path, "train/cat/1.png", "train/dog/2.png", "extra/3.png")
    with pytest.raises(AmbiguousDataset, match=r"train must be a split or a class.*cat, dog.*move extra"):
        read(tmp_path)


def test_wrapper_and_droppings_are_no_classes(tmp_path):
    tree(
        tmp_path,
        "__MACOSX/photos/cat/._1.png",
        "photos/images/cat/1.png",
        "photos/images/dog/2.png",
        "photos/images/.ipynb_checkpoints/3.png",
        "photos/images/.hidden/4.png",
        "photos/images/cat/Thumbs.db",
        "photos/images/cat/.DS_Store",
    )
    dataset = read(tmp_path)
    assert dataset.root == tmp_path / "photos" / "images"
    assert set(said(dataset)) == {"cat/1.png", "dog/2.png"}
    assert dataset.notes[0] == f"{os.path.join('photos', 'images')} only wraps what is in it, and is not a class"


def test_wrapped_and_unwrapped_are_the_same_place(tmp_path):
    tree(tmp_path, "images/cat/1.png", "images/dog/2.png")
    assert read(tmp_path).identity == read(tmp_path / "images").identity


def test_lone_class_is_not_a_wrapper(tmp_path):
    dataset = read(tree(tmp_path, "cat/1.png", "cat/2.png"))
    assert dataset.classes == ("cat",)
    with pytest.raises(InvalidClasses, match="at least two classes, found only 'cat'"):
        require_trainable(dataset)


def test_subfolders_belong_to_their_class(tmp_path):
    dataset = read(tree(tmp_path, "cat/2019/1.png", "cat/2020/summer/2.png", "dog/3.png"))
    assert dataset.counts() == {"cat": 2, "dog": 1}
    assert "cat/2020/summer/2.png" in said(dataset)


def test_strangers(tmp_path):
    dataset = read(tree(tmp_path, "cat/1.png", "dog/2.png", "_unknown/3.png"))
    assert dataset.classes == ("cat", "dog")
    assert [(stranger.name, stranger.labels) for stranger in dataset.strangers] == [("_unknown/3.png", ())]
    assert "1 image in _unknown taken as strangers, not as a class" in dataset.notes


def test_images_outside_the_classes_are_unlabelled(tmp_path):
    dataset = read(tree(tmp_path, "cat/1.png", "dog/2.png", "3.png"))
    assert said(dataset)["3.png"] == ((), None)
    assert len(dataset.labelled()) == 2
    assert "1 image outside the class folders left unlabelled, such as 3.png" in dataset.notes


def test_images_without_any_class(tmp_path):
    dataset = read(tree(tmp_path, "1.png", "2.png"))
    assert dataset.classes == ()
    assert dataset.notes == ("read as images without labels: there are no class folders",)
    with pytest.raises(InvalidClasses, match="must have labels, found none"):
        require_trainable(dataset)


def test_other_files_are_counted(tmp_path):
    dataset = read(tree(tmp_path, "cat/1.png", "cat/a.txt", "dog/2.png", "readme.md", "cat/b.txt"))
    assert dataset.notes[-1] == f"{tmp_path}: left out 3 files that are not images: 2 .txt, 1 .md"


def test_links(tmp_path):
    tree(tmp_path / "elsewhere", "1.png")
    tree(tmp_path / "photos", "dog/2.png")
    (tmp_path / "photos" / "cat").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos" / "dog" / "loop").symlink_to(tmp_path / "photos")
    assert set(said(read(tmp_path / "photos"))) == {"cat/1.png", "dog/2.png"}


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_name_in_a_damaged_encoding(tmp_path):
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(folder)
    tree(tmp_path, "tea/1.png")
    os.rename(tree(tmp_path, "2.png") / "2.png", folder + b"/2.png")
    dataset = read(tmp_path)
    assert dataset.classes == ("caf\\xe9", "tea")
    assert all(sample.path.is_file() for sample in dataset.samples)


@pytest.mark.parametrize("names", [("bird/notes.txt",), ("bird/deep/er/a.txt",)])
def test_empty_class_is_refused(tmp_path, names):
    tree(tmp_path, "cat/1.png", "dog/2.png", *names)
    with pytest.raises(InvalidClasses, match=r"bird: a class must have images, found none; add some, or move"):
        read(tmp_path)


def test_class_that_is_empty_in_one_split_only(tmp_path):
    tree(tmp_path, "train/cat/1.png", "train/dog/2.png", "test/cat/3.png")
    (tmp_path / "test" / "dog").mkdir()
    assert read(tmp_path).in_split("test").counts() == {"cat": 1, "dog": 0}


@pytest.mark.parametrize("pair", [("Cat", "cat"), ("t shirt", "t  shirt"), ("cafe\u0301", "caf\u00e9")])
def test_labels_that_only_look_different(tmp_path, pair):
    tree(tmp_path, f"{pair[0]}/1.png", f"{pair[1]}/2.png", f"{pair[1]}/3.png", "dog/4.png")
    with pytest.raises(InvalidClasses, match=r"must differ by more than case or spaces.*2 images.*1 image.*merge"):
        read(tmp_path)
    merged = read(tmp_path, similar_labels="merge")
    assert merged.counts() == {pair[1]: 3, "dog": 1}
    assert "merged" in merged.notes[-1]
    assert len(read(tmp_path, similar_labels="keep").classes) == 3


def test_what_is_no_dataset(tmp_path):
    for name, what in {
        "m.onnx": "a model where a dataset is expected",
        "a.zip": "unpack it",
        "a.tar.gz": "unpack it",
        "a.png": "a single image",
        "a.mp4": "a video",
        "a.doc": "not a dataset of a known format",
    }.items():
        tree(tmp_path, name)
        with pytest.raises(NotADataset, match=rf"{name}: .*{what}"):
            read(tmp_path / name)
    with pytest.raises(DatasetNotFound, match="no such file or folder"):
        read(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotADataset, match="holds no images and no annotations; make a folder for each class"):
        read(tmp_path / "empty")
    with pytest.raises(NotADataset, match=r"holds no images; found only 1 \.txt"):
        read(tree(tmp_path / "texts", "a.txt"), format="folder")
    with pytest.raises(NotADataset, match=r"but photos\.zip; unpack it"):
        read(tree(tmp_path / "packed", "photos.zip"))


def test_unknown_format(tmp_path):
    with pytest.raises(UsageError, match="did you mean 'folder'"):
        read(tmp_path, format="folders")
    with pytest.raises(UsageError, match="--pattern needs --format pattern, found csv"):
        read(tmp_path, format="csv", pattern="(?P<label>x)")


def test_sample_travels_to_other_processes_and_cannot_be_changed():
    sample = Sample(Path("a.png"), "a.png", ("cat",), "train", {"camera": "3"}, digest="sha256:00")
    assert pickle.loads(pickle.dumps(sample)) == sample
    assert hash(sample) == hash(pickle.loads(pickle.dumps(sample)))
    with pytest.raises(TypeError):
        sample.metadata["camera"] = "4"


def test_dataset_describes_itself_briefly(tmp_path):
    dataset = read(tree(tmp_path, *(f"cat/{number}.png" for number in range(30)), "dog/1.png", "_unknown/2.png"))
    assert repr(dataset).endswith("31 samples, 2 classes, 1 stranger, read as folder>")
    assert len(repr(dataset)) < 300


WHOLE = ("train/cat/1.png", "train/dog/2.png", "test/cat/3.png", "test/_unknown/4.png", "test/5.png")


@pytest.mark.parametrize("link", [False, True])
def test_written_folder_reads_the_same(tmp_path, link):
    dataset = read(tree(tmp_path / "in", *WHOLE))
    told = []
    write(dataset, tmp_path / "out", link=link, progress=lambda done, total: told.append((done, total)))
    again = read(tmp_path / "out")
    assert said(again) == said(dataset)
    assert told[-1] == (5, 5)
    same = (tmp_path / "in" / "train/cat/1.png").samefile(tmp_path / "out" / "train/cat/1.png")
    assert same == link


def test_files_of_the_same_name_are_kept_apart(tmp_path):
    dataset = read(tree(tmp_path / "in", "cat/x/1.png", "cat/y/1.png", "cat/y/1-2.png", "dog/1.png"))
    write(dataset, tmp_path / "out")
    assert read(tmp_path / "out").counts() == {"cat": 3, "dog": 1}


def test_nothing_half_written(tmp_path):
    dataset = read(tree(tmp_path / "in", "cat/1.png", "dog/2.png"))
    (tmp_path / "in" / "dog" / "2.png").unlink()
    for link in (False, True):
        with pytest.raises(OutputFailed, match=r"2\.png: cannot be read: No such file.*; nothing was written"):
            write(dataset, tmp_path / "out", link=link)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]
    (tmp_path / "out").mkdir()
    with pytest.raises(OutputExists):
        write(dataset, tmp_path / "out")
    with pytest.raises(OutputFailed, match="cannot be written"):
        write(dataset, tmp_path / "in" / "cat" / "1.png" / "out")


def test_full_disk_leaves_nothing(tmp_path, monkeypatch):
    dataset = read(tree(tmp_path / "in", "cat/1.png", "dog/2.png"))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("beholder.data.writing.shutil.copyfileobj", full)
    with pytest.raises(OutputFailed, match="out: cannot be written: No space left on device"):
        write(dataset, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_interrupted_writing_leaves_nothing(tmp_path):
    dataset = read(tree(tmp_path / "in", "cat/1.png", "dog/2.png"))

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(dataset, tmp_path / "out", progress=interrupt)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_what_no_folder_can_hold(tmp_path):
    dataset = read(tree(tmp_path / "in", "cat/1.png", "dog/2.png"))
    for name in ("a/b", "..", ".x", "_unknown", "a:b", "x" * 300, "ends ", "new\nline"):
        renamed = dataset.regathered([*dataset.samples, Sample(tmp_path / "x.png", "x", (name, "b"))])
        if name != "_unknown":
            single = Dataset.of(
                [*dataset.samples, Sample(tmp_path / "x.png", "x", (name,))],
                root=tmp_path,
                source=tmp_path,
                format="folder",
            )
            with pytest.raises(UsageError, match="no folder can be named so"):
                write(single, tmp_path / "out")
        with pytest.raises(UsageError, match="one label per image"):
            write(renamed, tmp_path / "out")
    two_cases = read(tree(tmp_path / "cases", "Cat/1.png", "cat/2.png"), similar_labels="keep")
    with pytest.raises(UsageError, match="same folder on many systems"):
        write(two_cases, tmp_path / "out")
    named_like_split = read(tree(tmp_path / "trains", "train/1.png", "bus/2.png"))
    with pytest.raises(UsageError, match="'train': would be read as a split"):
        write(named_like_split, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_format_that_cannot_be_written(tmp_path):
    dataset = read(tree(tmp_path / "in", "cat/1.png", "dog/2.png"))
    with pytest.raises(UsageError, match="format pattern: cannot be written; known: folder, csv, coco"):
        write(dataset, tmp_path / "out", format="pattern")
