"""`beholder dataset` and its verbs."""

from __future__ import annotations

import csv
import gzip
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
from in_process import command, draw_folder
from running import Command, Done

from beholder.cli.dataset import SUB_VERBS
from beholder.data import Sample, groups_per_class
from beholder.data.public import PUBLIC_SETS
from beholder.errors import ImpossibleSplit

DOCS = Path(__file__).parents[2] / "docs"
SRC = Path(__file__).parents[2] / "src" / "beholder"


@pytest.fixture
def dataset(
    capsys: pytest.CaptureFixture[str], cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Run `beholder dataset WORDS…` in an empty folder, with a data folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BEHOLDER_CACHE", str(cache))
    monkeypatch.setenv("BEHOLDER_DATA", str(tmp_path / "own"))
    return command(capsys, "dataset")


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Cats and dogs in two splits, and a stranger."""
    folder = draw_folder(tmp_path / "pets" / "train", {"cat": 4, "dog": 3}).parent
    draw_folder(folder / "test", {"cat": 2, "dog": 2, "_unknown": 1})
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


# The verb itself


def test_help_names_every_verb(dataset: Command) -> None:
    done = dataset()
    assert (done.status, done.err) == (0, "")
    for name, verb in SUB_VERBS.items():
        assert f"  {name} {verb.form}\n      {verb.summary}\n" in done.out
    assert dataset("--help").out == done.out


def test_the_help_works_in_a_process_of_its_own(beholder: Command) -> None:
    done = beholder("dataset", "show", "--help")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("usage: beholder dataset show ")


@pytest.mark.parametrize("name", SUB_VERBS)
def test_every_option_is_documented(dataset: Command, name: str) -> None:
    section = (DOCS / "commands.md").read_text(encoding="utf-8").split("## dataset\n")[1].split("\n## ")[0]
    out = dataset(name, "--help").out
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", out)) - {"--help"}
    assert f"`dataset {name}" in section
    assert not {option for option in options if f"`{option}" not in section}
    for option in re.findall(r"--[a-z-]+", SUB_VERBS[name].form):
        assert option in options


def test_every_command_that_a_message_or_a_page_names_is_there() -> None:
    files = [*SRC.rglob("*.py"), *DOCS.rglob("*.md")]
    named = {
        found[1]: str(path)
        for path in files
        for found in re.finditer(r"beholder dataset ([a-z]+)", path.read_text(encoding="utf-8"))
    }
    assert {"show", "convert"} <= set(named)
    assert set(named) <= set(SUB_VERBS), named


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["shwo", "pets"],
            "beholder dataset: 'shwo' is not a verb; did you mean 'show'?; see: beholder dataset --help",
        ),
        (["pets"], "did you mean: beholder dataset show pets"),
        (["--json"], "--json: options follow a verb"),
        (["show"], "beholder dataset show: DATA: must be given; see: beholder dataset show --help"),
        (["show", "pets", "more"], "beholder dataset show: 'more' is one too many"),
        (["show", "pets", "--jsn"], "--jsn is not an option; did you mean '--json'?"),
        (["show", "pest"], "pest: no such file or folder"),
        (["show", "pets", "--mean-image", "mean.jpg"], "--mean-image: must end in .png, found mean.jpg"),
        (["show", "pets", "--mean-image", "mean.png", "--quick"], "cannot go with --quick"),
        (["convert", "pets", "out", "--to", "yolo"], "--to: must be one of folder, csv, coco, found 'yolo'"),
        (["convert", "pets", "pets/test/out"], "pets/test/out: lies in the dataset itself, which is never changed"),
        (["convert", "pets", "pets"], "pets: lies in the dataset itself, which is never changed"),
        (["convert", "pets", "out.csv", "--link"], "--link: is for a folder, found csv"),
        (["diff", "pets", "sha256:00"], "sha256:00: no such version is kept"),
        (["diff", "pets", "abcdef"], "abcdef: no such version is kept"),
        (["split", "pets", "out.csv"], "--test: must be given"),
        (["split", "pets", "out.csv", "--test", "1"], "--test: must be above 0 and leave something to train on"),
        (["split", "pets", "out.csv", "--test", "x"], "--test: must be a number, found 'x'"),
        (["split", "pets", "out", "--test", "0.2"], "out: must end in .csv or .tsv"),
        (["split", "pets", "out.csv", "--test", "0.2"], "pets: has a split already (train, test); pass --force"),
        (["undo", "pets", "x"], "ID: must be a whole number from 1, or a range such as 3-125, found 'x'"),
        (["undo", "pets", "5-3"], "ID: must be a whole number from 1, or a range such as 3-125, found '5-3'"),
        (["undo", "pets", "0"], "ID: must be a whole number from 1, or a range such as 3-125, found '0'"),
        (["undo", "pets"], "undo needs the numbers of corrections, or --all"),
        (["undo", "pets", "1", "--all"], "undo needs the numbers of corrections, or --all, not both"),
        (["undo", "pets", "3-999999999999"], "nothing to undo: no such correction holds"),
        (["undo", "pets", "7"], "correction 7: there is none of this number"),
        (["relabel", "pets", "train/cat/9.png", "dog"], "no image is named so; did you mean 'train/cat/"),
        (
            ["relabel", "pets", "cat/1.png", "dog"],
            "did you mean 'test/cat/1.png', or one of 3 others of this file name?",
        ),
        (["relabel", "pets", "train/cat/1.png", "dgo"], "did you mean 'dog'?; for a new class pass --new"),
        (["relabel", "pets", "train/cat/1.png", "cat"], "is labelled cat already"),
        (["relabel", "pets", "train/cat/1.png", "cat", "dog"], "must have one label"),
        (["relabel", "pets", "train/cat/1.png", "_none"], "must show one of the classes"),
        (["include", "pets", "train/cat/1.png"], "'train/cat/1.png': is not excluded"),
        (["move", "pets", "train/cat/1.png", "tset"], "SPLIT: must be one of train, validation, test, none"),
        (["move", "pets", "train/cat/1.png", "train"], "is in train already"),
        (["merge", "pets", "cat", "dgo", "--into", "pet"], "'dgo': no class is named so; did you mean 'dog'?"),
        (["merge", "pets", "cat", "--into", "cat"], "classes to merge must be others than 'cat'"),
        (["rename", "pets", "cat", "--to", "dog"], "to make them one: beholder dataset merge pets cat --into dog"),
        (["fetch", "fashion-mnits"], "did you mean 'fashion-mnist'?"),
        (["fetch", "fashion-mnist", "pets"], "pets: exists already; choose another name"),
    ],
)
def test_wrong_usage_is_one_line(dataset: Command, pets: Path, words: list[str], said: str) -> None:
    done = dataset(*words)
    notes = [line for line in done.err.splitlines() if not line.startswith(("read as", "1 image in _unknown"))]
    assert (done.status, done.out) == (2, "")
    assert len(notes) == 1
    assert said in notes[0]
    assert {path.name for path in pets.parent.iterdir()} <= {"pets", "own"}


# show


def test_show_says_what_is_there(dataset: Command, pets: Path) -> None:
    done = dataset("show", "pets")
    assert done.status == 0
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert lines[0] == str(Path("pets"))
    assert lines[1].startswith("images 11 in 2 classes, ")
    assert "splits train (7), test (4)" in lines
    assert "strangers 1 image of nothing known, to test 'unknown' with" in lines
    assert "sizes 64 x 48" in lines
    assert any(line.startswith("version sha256:") for line in lines)
    assert "class images train test" in lines
    assert any(re.fullmatch("cat 6 4 2 █+", line) for line in lines)
    assert any(re.fullmatch("dog 5 3 2 █+", line) for line in lines)
    assert "read as a folder per class: 2 classes, split by the folders train, test" in done.err


def test_show_as_json(dataset: Command, pets: Path) -> None:
    done = dataset("show", "pets", "--json")
    (shown,) = done.lines
    described = {"schema", "dataset", "source", "format", "multi_label", "classes", "statistics"}
    assert set(shown) == described | {"unreadable", "missing", "notes"}
    assert shown["schema"] == 1
    assert re.fullmatch("sha256:[0-9a-f]{64}", shown["dataset"])
    assert shown["classes"] == ["cat", "dog"]
    assert shown["statistics"]["classes"] == {"cat": 6, "dog": 5}
    assert (shown["statistics"]["looked_at"], shown["statistics"]["strangers"]) == (11, 1)
    assert shown["notes"] == done.err.splitlines()


def test_show_quick_opens_no_file(dataset: Command, pets: Path) -> None:
    for path in pets.rglob("*.png"):
        path.write_bytes(b"")
    done = dataset("show", "pets", "--quick", "--json")
    assert done.status == 0
    (shown,) = done.lines
    assert shown["dataset"] is None
    assert shown["statistics"]["classes"] == {"cat": 6, "dog": 5}
    assert "11 in 2 classes\n" in dataset("show", "pets", "--quick").out


def test_show_names_what_cannot_be_read_or_is_missing(dataset: Command, pets: Path) -> None:
    (pets / "train" / "cat" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\njunk")
    done = dataset("show", "pets")
    assert done.status == 1
    assert "  unreadable (1)\n    train/cat/0.png: " in done.out
    (error,) = dataset("show", "pets", "--json").lines[0]["unreadable"]
    assert (error["source"], error["error"]["kind"]) == ("train/cat/0.png", "unreadable_image")
    Path("pets.csv").write_text(
        "path,label\npets/train/cat/1.png,cat\npets/train/dog/1.png,dog\npets/train/dog/7.png,dog\n"
    )
    done = dataset("show", "pets.csv")
    assert done.status == 0
    assert "  missing (1)\n    pets/train/dog/7.png: " in done.out


def test_show_lists_the_ends_of_many_classes(dataset: Command, tmp_path: Path) -> None:
    draw_folder(tmp_path / "many", {f"kind-{number:02}": 1 + (number == 7) for number in range(33)})
    done = dataset("show", "many", "--quick")
    assert "  … 3 more classes, of sizes between\n" in done.out
    assert len(re.findall("^  kind-", done.out, re.MULTILINE)) == 30
    assert re.search(r"class +images\n +kind-07 +2 ", done.out)


def test_show_writes_the_mean_image(dataset: Command, pets: Path, tmp_path: Path) -> None:
    assert dataset("show", "pets", "--mean-image", "mean.png").status == 0
    with PIL.Image.open("mean.png") as mean:
        assert mean.size == (512, 512)
        found = np.asarray(mean).mean(axis=(0, 1))
    images = [np.asarray(PIL.Image.open(path)) for path in pets.rglob("*.png") if "_unknown" not in str(path)]
    assert np.allclose(found, np.mean(images, axis=(0, 1, 2)), atol=2)
    done = dataset("show", "pets", "--mean-image", "mean.png")
    assert (done.status, done.out) == (2, "")
    assert dataset("show", "pets", "--mean-image", "mean.png", "--force").status == 0


def test_a_class_cannot_steer_the_terminal(dataset: Command, tmp_path: Path) -> None:
    draw_folder(tmp_path / "odd", {"cat\x1b[2J": 1, "dog": 1})
    for words in (["show", "odd"], ["show", "odd", "--json"], ["rename", "odd", "dog", "--to", "d\x1b[2J"]):
        done = dataset(*words)
        assert done.status == 0
        assert "\x1b" not in done.out + done.err


# convert


def test_convert_there_and_back_is_the_same_version(dataset: Command, pets: Path) -> None:
    (before,) = dataset("show", "pets", "--json").lines
    for words in ("pets pets.csv", "pets.csv pets.json", "pets.json copy --link", "copy c --to csv"):
        done = dataset("convert", *words.split())
        assert done.status == 0
        assert f"next: beholder dataset show {words.split()[1]}\n" in done.out
    difference = dataset("diff", before["dataset"], "c", "--format", "csv", "--json").lines[0]
    assert not any(difference[what] for what in ("added", "removed", "relabelled", "moved"))
    assert Path("copy/train/cat/0.png").samefile(pets / "train" / "cat" / "0.png")


def test_convert_overwrites_only_a_file_and_only_when_told(dataset: Command, pets: Path) -> None:
    Path("pets.csv").write_text("mine")
    done = dataset("convert", "pets", "pets.csv")
    assert done.status == 2
    assert "pets.csv: exists already; choose another name or pass --force" in done.err
    assert Path("pets.csv").read_text() == "mine"
    assert dataset("convert", "pets", "pets.csv", "--force").status == 0
    assert len(rows(Path("pets.csv"))) == 12
    done = dataset("convert", "pets.csv", "pets.csv", "--force")
    assert (done.status, done.out) == (2, "")
    assert "pets.csv: is the dataset itself, which is never changed" in done.err
    Path("there").mkdir()
    assert dataset("convert", "pets", "there", "--force").status == 2


def test_convert_unpacks_idx_files(dataset: Command, tmp_path: Path) -> None:
    folder = tmp_path / "idx"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 6), np.uint8)
    for name, values in (("images-idx3", pixels), ("labels-idx1", np.array([0, 1, 0, 1], np.uint8))):
        head = bytes([0, 0, 8, values.ndim]) + b"".join(size.to_bytes(4, "big") for size in values.shape)
        (folder / f"train-{name}-ubyte.gz").write_bytes(gzip.compress(head + values.tobytes()))
    advice = re.search("beholder dataset convert idx FOLDER", dataset("show", "idx").err)
    assert advice
    done = dataset("convert", "idx", "FOLDER")
    assert done.status == 0
    assert dataset("show", "FOLDER", "--json").lines[0]["statistics"]["classes"] == {"0": 2, "1": 2}
    done = dataset("convert", "idx", "other.csv")
    assert done.status == 2
    assert "unpacked into a folder" in done.err


# diff


def test_diff_of_a_version_and_what_is_there_now(dataset: Command, pets: Path) -> None:
    (before,) = dataset("show", "pets", "--json").lines
    cat = pets / "train" / "cat"
    (cat / "0.png").unlink()
    shutil.copy(cat / "1.png", pets / "train" / "dog" / "new.png")
    (cat / "2.png").rename(cat / "two.png")
    (cat / "3.png").rename(pets / "test" / "cat" / "3.png")
    (after,) = dataset("diff", before["dataset"][7:19], "pets", "--json").lines
    assert after["before"] == before["dataset"]
    assert [entry["name"] for entry in after["removed"]] == ["train/cat/0.png"]
    assert [(entry["name"], entry["labels"], entry["split"]) for entry in after["added"]] == [
        ("train/dog/new.png", ["dog"], "train")
    ]
    assert [(entry["name"], entry["before"], entry["after"]) for entry in after["moved"]] == [
        ("test/cat/3.png", "train", "test")
    ]
    assert ("train/cat/2.png", "train/cat/two.png") in [(pair["before"], pair["after"]) for pair in after["renamed"]]
    out = dataset("diff", before["dataset"], "pets").out
    assert "  1 added: train/dog/new.png\n  1 removed: train/cat/0.png\n" in out
    assert "nothing has changed" in dataset("diff", "pets", "pets").out


# split


def split_names(dataset: Command, *words: str) -> dict[str, str]:
    done = dataset("split", "drawings", "split.csv", "--force", *words)
    assert done.status == 0
    return {row["path"].removeprefix("drawings/"): row["split"] for row in rows(Path("split.csv"))}


@pytest.fixture
def drawings(tmp_path: Path) -> Path:
    """Ten drawings of each of two classes; of five of each there is a mirror image and a large copy."""
    folder = draw_folder(tmp_path / "drawings", {"cat": 10, "dog": 10})
    for path in [folder / label / f"{number}.png" for label in ("cat", "dog") for number in range(5)]:
        with PIL.Image.open(path) as image:
            PIL.ImageOps.mirror(image).save(path.with_name(f"mirrored-{path.name}"))
            image.resize((128, 96)).save(path.with_name(f"large-{path.stem}.jpg"), quality=80)
    return folder


def test_split_keeps_near_duplicates_together(dataset: Command, drawings: Path) -> None:
    found = split_names(dataset, "--test", "0.3", "--validation", "0.2")
    assert len(found) == 40
    for label in ("cat", "dog"):
        for number in range(5):
            copies = (f"{number}.png", f"mirrored-{number}.png", f"large-{number}.jpg")
            assert len({found[f"{label}/{name}"] for name in copies}) == 1
        parts = [part for name, part in found.items() if name.startswith(label)]
        assert {part: parts.count(part) for part in ("train", "validation", "test")} == pytest.approx(
            {"train": 10, "validation": 4, "test": 6}, abs=2
        )
    assert split_names(dataset, "--test", "0.3", "--validation", "0.2") == found
    assert split_names(dataset, "--test", "0.3", "--validation", "0.2", "--seed", "1") != found


def test_split_tells_what_it_did(dataset: Command, drawings: Path) -> None:
    (drawings / "cat" / "9.png").write_bytes(b"\x89PNG\r\n\x1a\njunk")
    done = dataset("split", "drawings", "split.csv", "--test", "0.3", "--json")
    assert done.status == 1
    assert "left out: cat/9.png: " in done.err
    (made,) = done.lines
    assert set(made) == {"schema", "path", "splits", "groups"}
    assert sum(made["splits"].values()) == 39
    assert made["groups"] < 20
    assert "cat/9.png" not in Path("split.csv").read_text()
    shown = dataset("show", "split.csv", "--json").lines[0]
    assert shown["statistics"]["splits"] == made["splits"]
    done = dataset("split", "drawings", "split.csv", "--test", "0.3")
    assert (done.status, done.out) == (2, "")
    done = dataset("split", "split.csv", "again.csv", "--test", "0.3")
    assert done.status == 2
    assert "has a split already" in done.err
    assert dataset("split", "split.csv", "again.csv", "--test", "0.3", "--force").status == 0


def test_split_refuses_a_class_that_shows_one_thing(dataset: Command, drawings: Path) -> None:
    (drawings / "eel").mkdir()
    shutil.copy(drawings / "cat" / "0.png", drawings / "eel" / "0.png")
    done = dataset("split", "drawings", "split.csv", "--test", "0.3")
    assert done.status == 2
    assert "class 'eel': must show at least 2 different things, to be in every part, found 1" in done.err
    assert not Path("split.csv").exists()


def test_choose_never_parts_a_group_and_deals_out_strangers() -> None:
    from beholder.cli.dataset_split import choose

    random = np.random.default_rng(0)
    samples = [Sample(Path(str(n)), str(n), ("_unknown",) if n % 7 == 0 else ("ab"[n % 2],)) for n in range(140)]
    groups = np.sort(random.integers(0, 60, 140))
    found = choose(samples, groups, test=0.25, validation=0.25, seed=3)
    assert found == choose(samples, groups, test=0.25, validation=0.25, seed=3)
    assert all(len({found[row] for row in np.flatnonzero(groups == group)}) == 1 for group in set(groups.tolist()))
    for part, share in (("test", 0.25), ("validation", 0.25), ("train", 0.5)):
        assert sum(one == part for one in found) / 140 == pytest.approx(share, abs=0.04)
        assert part in {found[number] for number in range(0, 140, 7)}
    labels = [sample.labels for sample in samples]
    assert groups_per_class(labels, groups)["a"] > 2
    with pytest.raises(ImpossibleSplit, match="must show at least 3 different things"):
        choose(samples, np.array([number % 2 for number in range(140)]), test=0.25, validation=0.25)


# Corrections


def test_corrections_hold_are_listed_and_can_be_undone(dataset: Command, pets: Path) -> None:
    (before,) = dataset("show", "pets", "--json").lines
    cat = str(pets / "train" / "cat" / "0.png")
    for words in (
        ["relabel", "pets", cat, "dog"],
        ["exclude", "pets", "train/cat/1.png", "train/dog/1.png"],
        ["move", "pets", "test/cat/0.png", "train"],
        ["rename", "pets", "dog", "--to", "hound"],
        ["relabel", "pets", "train/cat/2.png", "eel", "--new"],
        ["merge", "pets", "eel", "cat", "--into", "cat"],
    ):
        done = dataset(*words)
        assert done.status == 0
        assert "take it back with: beholder dataset undo pets " in done.err
    shown = dataset("show", "pets", "--json").lines[0]
    assert shown["statistics"]["classes"] == {"cat": 4, "hound": 5}
    assert any("7 corrections applied: " in note for note in shown["notes"])
    listed = dataset("corrections", "pets", "--json").lines
    assert [entry["what"] for entry in listed] == [
        "relabel", "exclude", "exclude", "move", "rename", "relabel", "merge",
    ]  # fmt: skip
    assert {key: listed[0][key] for key in ("id", "image", "before", "after", "undoes", "undone_by")} == {
        "id": 1, "image": "train/cat/0.png", "before": ["cat"], "after": ["dog"], "undoes": None, "undone_by": None,
    }  # fmt: skip
    done = dataset("undo", "pets", *(str(entry["id"]) for entry in listed))
    assert done.status == 0
    assert dataset("show", "pets", "--json").lines[0]["dataset"] == before["dataset"]
    assert re.search(
        r"^ +1 .*relabel train/cat/0.png: cat to dog  \(undone by 14\)$", dataset("corrections", "pets").out, re.M
    )


def test_each_choice_of_labels_has_a_log_of_its_own(dataset: Command, pets: Path) -> None:
    Path("a table.csv").write_text(
        "path,kind,tags\npets/train/cat/0.png,cat,small;soft\npets/train/dog/0.png,dog,loud\n", encoding="utf-8"
    )
    done = dataset("relabel", "a table.csv", "pets/train/cat/0.png", "soft", "loud", "--label", "tags")
    assert done.status == 0
    assert done.err.endswith("take it back with: beholder dataset undo 'a table.csv' --label tags 1\n")
    (shown,) = dataset("show", "a table.csv", "--label", "tags", "--quick", "--json").lines
    assert shown["statistics"]["classes"] == {"loud": 2, "soft": 1}
    assert dataset("corrections", "a table.csv", "--label", "kind", "--json").lines == []
    assert dataset("undo", "a table.csv", "--label", "tags", "1").status == 0


def test_corrections_follow_a_dataset_that_was_moved(dataset: Command, pets: Path) -> None:
    dataset("relabel", "pets", "train/cat/0.png", "dog")
    dataset("exclude", "pets", "train/cat/1.png")
    dataset("undo", "pets", "2")
    corrected = dataset("show", "pets", "--json").lines[0]["dataset"]
    pets.rename(pets.with_name("moved"))
    assert dataset("show", "moved", "--json").lines[0]["dataset"] != corrected
    done = dataset("adopt", "moved", "pets")
    assert (done.status, done.out) == (0, "1 correction taken over from pets\n")
    assert dataset("show", "moved", "--json").lines[0]["dataset"] == corrected
    again = dataset("adopt", "moved", "pets")
    assert again.status == 2
    assert "has corrections of its own" in again.err
    nothing = dataset("adopt", "moved", "elsewhere")
    assert nothing.status == 2
    assert "must be where corrections were made that still hold" in nothing.err


def test_undo_goes_on_after_a_refusal(dataset: Command, pets: Path) -> None:
    assert dataset("exclude", "pets", "train/cat/1.png", "--json").lines[0]["what"] == "exclude"
    done = dataset("undo", "pets", "9", "1", "--json")
    assert done.status == 1
    assert "correction 9: there is none of this number; the last is 1" in done.err
    assert [(entry["what"], entry["undoes"]) for entry in done.lines] == [("include", 1)]
    done = dataset("undo", "pets", "1")
    assert done.status == 2
    assert "was undone already, by 2" in done.err


def undone(done: Done) -> list[int]:
    assert done.status == 0
    return [entry["undoes"] for entry in done.lines]


def test_undo_takes_ranges_and_all(dataset: Command, pets: Path) -> None:
    names = [f"train/cat/{number}.png" for number in range(3)]
    assert dataset("exclude", "pets", *names).err.endswith("take it back with: beholder dataset undo pets 1-3\n")
    assert undone(dataset("undo", "pets", "2", "--json")) == [2]
    assert undone(dataset("undo", "pets", "1-4", "--json")) == [3, 1]  # neither 2 again, nor the undoing of it
    assert dataset("undo", "pets", "--all").err.endswith("nothing to undo: no such correction holds\n")
    assert dataset("exclude", "pets", *names).status == 0
    assert dataset("undo", "pets", "--all").out.count("undone: ") == 3
    assert dataset("show", "pets", "--quick", "--json").lines[0]["statistics"]["samples"] == 11


def test_exclude_and_include(dataset: Command, pets: Path) -> None:
    assert dataset("exclude", "pets", "train/cat/1.png").status == 0
    done = dataset("exclude", "pets", "train/cat/1.png")
    assert done.status == 2
    assert "is excluded; to take it in again: beholder dataset include" in done.err
    assert "did you mean 'train/cat/1.png'" in dataset("include", "pets", "train/cat/l.png").err
    assert dataset("include", "pets", str(pets / "train" / "cat" / "1.png")).status == 0
    assert dataset("show", "pets", "--quick", "--json").lines[0]["statistics"]["samples"] == 11
    assert dataset("include", "pets", "train/cat/1.png").status == 2


def test_a_wrong_name_adds_nothing(dataset: Command, pets: Path) -> None:
    assert dataset("exclude", "pets", "train/cat/1.png", "train/cat/99.png").status == 2
    assert dataset("corrections", "pets").out == "nothing was corrected\n"
    assert dataset("corrections", "pets", "--json").out == ""


def test_labels_that_look_alike_can_be_merged_for_good(dataset: Command, tmp_path: Path) -> None:
    draw_folder(tmp_path / "alike", {"Cat": 3, "cat ": 2, "dog": 2})
    assert dataset("show", "alike", "--quick").status == 2
    assert dataset("merge", "alike", "cat ", "--into", "Cat").status == 0
    assert dataset("show", "alike", "--quick", "--json").lines[0]["classes"] == ["Cat", "dog"]


# Public sets


def test_sets_are_listed_with_their_terms(dataset: Command) -> None:
    listed = dataset("sets", "--json").lines
    assert [found["name"] for found in listed] == list(PUBLIC_SETS)
    assert all(found["license"] and found["not_represented"] and found["bytes"] for found in listed)
    text = " ".join(dataset("sets").out.split())
    for found in listed:
        assert found["license"] in text
        assert found["not_represented"] in text


def test_fetch_says_the_terms_first_and_uses_no_forbidden_network(
    dataset: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BEHOLDER_OFFLINE", "1")
    monkeypatch.setenv("BEHOLDER_CACHE", str(tmp_path / "empty"))
    done = dataset("fetch", "fashion-mnist")
    assert done.status == 2
    assert "MIT, Copyright 2017 Zalando SE." in done.out
    assert len(done.err.splitlines()) == 1
    assert "the network may not be used, as BEHOLDER_OFFLINE is set" in done.err
    assert not Path("fashion-mnist").exists()
    assert json.loads(dataset("fetch", "fashion-mnist", "--json").out or "null") is None


def test_fetch_unpacks_into_a_folder_that_can_be_shown(dataset: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def unpack(files: object, folder: Path, progress: object) -> None:
        draw_folder(folder / "train", {"cat": 2, "dog": 2})

    made = replace(PUBLIC_SETS["fashion-mnist"], name="drawn", files=(), unpack=unpack)
    monkeypatch.setitem(PUBLIC_SETS, "drawn", made)
    done = dataset("fetch", "drawn")
    assert done.status == 0
    assert done.out.endswith("fetched: drawn\nnext: beholder dataset show drawn\n")
    assert dataset("show", "drawn", "--quick", "--json").lines[0]["statistics"]["samples"] == 4
    assert made.license in Path("drawn/ABOUT.txt").read_text(encoding="utf-8")
    (known,) = dataset("fetch", "drawn", "elsewhere", "--json").lines
    assert (known["name"], known["path"], known["bytes"]) == ("drawn", "elsewhere", 0)
