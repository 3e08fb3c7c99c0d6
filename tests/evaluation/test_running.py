"""Model files on datasets: what is measured, what is left out, and what is said of it."""

from __future__ import annotations

import csv
import dataclasses
import os
import shutil
from pathlib import Path

import pytest

import beholder
from beholder import data
from beholder.errors import DataError, InvalidClasses, UsageError, WrongTask
from beholder.evaluation import Evaluation, compare, evaluate
from beholder.evaluation.choosing import Known
from beholder.evaluation.matching import match_classes
from beholder.evaluation.report import measured_on
from beholder.model import Geometry, ModelCard
from color_models import cautious, color_model, fitted_on, paint, paint_folder

PLAIN = {"red": ["red"] * 4, "green": ["green"] * 3, "blue": ["blue", "blue", "red"]}
"""Ten images, of which a blue one is red."""


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEHOLDER_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("BEHOLDER_DATA", str(tmp_path_factory.mktemp("kept")))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return paint_folder(tmp_path / "photos", PLAIN)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return color_model(tmp_path / "colors.onnx", **cautious(provenance=fitted_on()))


def left_out(found) -> dict[str, int]:
    return {one.reason: one.count for one in found.left_out}


def make_table(folder: Path, *rows: tuple[str, str, str]) -> Path:
    """Rows of a name, its labels and the color it is painted in."""
    for name, _, color in rows:
        paint(folder / name, color)
    with open(folder / "labels.csv", "w", newline="") as stream:
        csv.writer(stream).writerows([("path", "label"), *((name, label) for name, label, _ in rows)])
    return folder


def test_a_model_on_a_folder(model: Path, photos: Path) -> None:
    found = evaluate(model, photos)
    assert (found.model, found.kind, found.count, found.top1.value) == ("colors.onnx", "test", 10, 0.9)
    assert [(one.source, one.truth, one.predicted) for one in found.mistakes] == [("blue/2.png", "blue", "red")]
    assert (found.unanswered_share.value, found.coverage_90.value) == (0.0, 0.9)
    assert found.left_out == ()
    assert found.notes == data.read(photos).notes
    assert Evaluation.from_dict(found.to_dict()) == found


def test_its_version_is_that_of_the_data(model: Path, photos: Path) -> None:
    found = evaluate(model, photos)
    assert len(data.load_version(found.dataset).entries) == 10
    paint(photos / "red" / "more.png", "red")
    assert evaluate(model, photos).dataset != found.dataset


def test_a_model_and_data_that_are_loaded_already(model: Path, photos: Path) -> None:
    with beholder.load(model) as loaded:
        found, of_file = beholder.evaluate(loaded, data.read(photos)), evaluate(str(model), str(photos))
    assert (found.model, of_file.model) == (loaded.card.name, model.name)
    assert dataclasses.replace(found, model=model.name) == of_file


def test_what_it_was_fitted_on_is_left_out(tmp_path: Path, photos: Path) -> None:
    seen = [photos / "red" / "0.png", photos / "blue" / "2.png"]
    model = color_model(tmp_path / "fitted.onnx", provenance=fitted_on(*seen))
    found = evaluate(model, photos)
    assert left_out(found) == {"the model was fitted on them": 2}
    assert (found.count, found.top1.value) == (8, 1.0)


def test_nothing_is_left_when_it_was_fitted_on_all(tmp_path: Path, photos: Path) -> None:
    model = color_model(tmp_path / "fitted.onnx", provenance=fitted_on(*photos.glob("*/*.png")))
    with pytest.raises(DataError, match="photos: every image was used to fit the model; give images that it has not"):
        evaluate(model, photos)


def test_a_card_that_does_not_say_what_it_was_fitted_on_is_noted(tmp_path: Path, photos: Path) -> None:
    found = evaluate(color_model(tmp_path / "silent.onnx"), photos)
    assert "The card of silent does not say which images it was fitted on" in found.notes[-1]
    assert measured_on(found) == "Measured on 10 images; whether the model has seen some of them is not known."


def test_every_copy_of_an_image_is_measured(model: Path, photos: Path) -> None:
    shutil.copy(photos / "red" / "0.png", photos / "red" / "copy.png")
    assert evaluate(model, photos).count == 11


def test_images_that_cannot_be_read_are_counted_and_named(model: Path, photos: Path) -> None:
    (photos / "red" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    (photos / "red" / "clip.mp4").write_bytes((photos / "red" / "1.png").read_bytes())
    found = evaluate(model, photos)
    assert left_out(found) == {"could not be read": 2}
    assert found.count == 9
    assert "2 images could not be read: red/0.png, red/clip.mp4" in found.notes[-1]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to this user")
def test_a_file_that_may_not_be_opened_is_counted_too(model: Path, photos: Path) -> None:
    (photos / "red" / "0.png").chmod(0)
    assert left_out(evaluate(model, photos)) == {"could not be read": 1}


def test_no_image_that_can_be_read(model: Path, photos: Path) -> None:
    for file in photos.glob("*/*.png"):
        file.write_bytes(b"\x89PNG\r\n\x1a\n and no more " + str(file).encode())
    with pytest.raises(DataError, match=r"none of 10 images could be read; blue/0\.png: "):
        evaluate(model, photos)


def test_classes_are_matched_whatever_their_spelling(tmp_path: Path) -> None:
    model = color_model(tmp_path / "m.onnx", ("Bright_Red", "green", "DARK-BLUE"), provenance=fitted_on())
    photos = paint_folder(
        tmp_path / "photos", {"bright red": ["red"] * 2, "green": ["green"], "darkblue": ["blue", "red"]}
    )
    found = evaluate(model, photos)
    assert (found.count, found.top1.value) == (5, 0.8)
    assert found.classes == ("Bright_Red", "green", "DARK-BLUE")
    assert found.notes[-2:] == (
        "The class 'bright red' of the data is taken for 'Bright_Red' of the model.",
        "The class 'darkblue' of the data is taken for 'DARK-BLUE' of the model.",
    )


def test_matching_leaves_what_is_ambiguous() -> None:
    found = match_classes(("cat", "T shirt", "t-shirt", "Dog"), ("tshirt", "cat", "dog", "Cat"))
    assert (found.columns, found.unmatched) == ({"cat": 1, "Dog": 2}, ("T shirt", "t-shirt"))
    assert match_classes(("CAT",), ("cat", "Cat")).unmatched == ("CAT",)
    assert match_classes(("Cat", "cat"), ("cat",)).columns == {"cat": 0}


def test_classes_that_it_does_not_know_are_near_strangers(model: Path, photos: Path) -> None:
    paint_folder(photos, {"gray": ["gray"] * 5})
    found = evaluate(model, photos)
    (near,) = found.strangers
    assert (near.kind, near.share.value, near.share.count, near.auroc.value) == ("near", 1.0, 5, 1.0)
    assert (found.count, found.classes) == (10, ("red", "green", "blue"))
    assert "The model does not know 1 class of the data: gray; 5 images of nothing else" in found.notes[-1]


def test_no_class_that_it_knows(model: Path, tmp_path: Path) -> None:
    photos = paint_folder(tmp_path / "zoo", {"cat": ["red"], "dog": ["blue"]})
    with pytest.raises(InvalidClasses, match="that colors knows; it has cat, dog, and the model knows red, green, bl"):
        evaluate(model, photos)


def test_no_labels_at_all(model: Path, tmp_path: Path) -> None:
    paint(tmp_path / "flat" / "a.png", "red")
    with pytest.raises(InvalidClasses, match="images must have labels to be measured, found none"):
        evaluate(model, tmp_path / "flat")


def test_a_class_without_images_stays(model: Path, tmp_path: Path) -> None:
    found = evaluate(model, paint_folder(tmp_path / "two", {"red": ["red"] * 3, "blue": ["blue"]}))
    assert [(one.name, one.count) for one in found.per_class] == [("red", 3), ("green", 0), ("blue", 1)]
    assert found.per_class[1].recall.value is None


def test_given_strangers_in_the_data_and_from_elsewhere(model: Path, photos: Path, tmp_path: Path) -> None:
    paint_folder(photos, {"_unknown": ["gray", "red"]})
    elsewhere = paint_folder(tmp_path / "elsewhere", {"any": ["gray"] * 3})
    given = evaluate(model, photos, unknown=elsewhere)
    assert [(one.kind, one.share.count, one.share.value) for one in given.strangers] == [("given", 5, 0.8)]
    assert [one.source for one in given.answered_strangers] == ["_unknown/1.png"]
    found = evaluate(model, photos, unknown={"far": elsewhere, "near": [elsewhere / "any", elsewhere / "any/0.png"]})
    assert [(one.kind, one.share.count) for one in found.strangers] == [("far", 3), ("near", 4), ("given", 2)]
    assert found.unknown_share.count == 9


def test_strangers_that_are_not_there(model: Path, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="empty: no images in this folder"):
        evaluate(model, photos, unknown=tmp_path / "empty")
    with pytest.raises(UsageError, match="nowhere: no such file or folder"):
        evaluate(model, photos, unknown={"far": tmp_path / "nowhere"})
    with pytest.raises(UsageError, match="unknown: kinds are far, near, given, found 'strange'"):
        evaluate(model, photos, unknown={"strange": photos})


def test_a_part_of_the_data(model: Path, tmp_path: Path) -> None:
    for split, colors in (("train", ["blue"]), ("test", ["red", "red"])):
        paint_folder(tmp_path / "data" / split, {"red": colors, "green": ["green"]})
    paint_folder(tmp_path / "data" / "test", {"_unknown": ["gray"]})
    everything, test = evaluate(model, tmp_path / "data"), evaluate(model, tmp_path / "data", split="test")
    assert (everything.count, everything.notes[-1]) == (5, "Measured on: train 2, test 3.")
    assert (test.count, test.top1.value, test.unknown_share.count) == (3, 1.0, 1)
    assert not any(note.startswith("Measured on") for note in test.notes)
    (tmp_path / "data" / "train" / "red" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    assert left_out(evaluate(model, tmp_path / "data", split="test")) == {}
    assert test.dataset == everything.dataset
    with pytest.raises(UsageError, match="must have the split validation to be measured on it, found train, test"):
        evaluate(model, tmp_path / "data", split="validation")


def test_one_answer_where_the_data_has_several_or_no_labels(model: Path, tmp_path: Path) -> None:
    rows = [("a.png", "red", "red"), ("b.png", "red|blue", "red"), ("c.png", "_none", "gray"), ("d.png", "", "red")]
    found = evaluate(model, make_table(tmp_path / "t", *rows, ("e.png", "blue", "blue")))
    assert left_out(found) == {
        "they have several labels, where the model gives one": 1,
        "they show none of the classes, where the model always gives one": 1,
        "they have no label": 1,
    }
    assert (found.count, found.multi_label, found.top1.value) == (2, False, 1.0)


def test_several_answers_where_the_data_has_one_label(tmp_path: Path, photos: Path) -> None:
    model = color_model(tmp_path / "several.onnx", multi_label=True, provenance=fitted_on())
    found = evaluate(model, photos)
    assert (found.multi_label, found.count, found.exact_match.value) == (True, 10, 0.9)
    assert "top1" not in found.metrics


def test_several_labels_of_which_it_knows_some(tmp_path: Path) -> None:
    model = color_model(tmp_path / "several.onnx", multi_label=True, provenance=fitted_on())
    rows = [
        ("a.png", "red|gray", "red"),
        ("b.png", "gray", "gray"),
        ("c.png", "_none", "gray"),
        ("d.png", "red", "red"),
    ]
    found = evaluate(model, make_table(tmp_path / "t", *rows))
    assert (found.count, found.exact_match.value, found.strangers[0].kind) == (3, 1.0, "near")


def test_only_models_that_classify() -> None:
    with pytest.raises(WrongTask, match="parts: must classify to be evaluated, and it can segment"):
        Known.of(ModelCard(name="parts", task="segment", geometry=Geometry("squash", (8, 8)), labels=("sky", "sea")))


def test_progress_is_told(model: Path, photos: Path) -> None:
    told: list[tuple[str, int, int]] = []
    evaluate(model, photos, report=lambda *step: told.append(step))
    assert ("reading", 10, 10) in told
    assert [step for step in told if step[0] == "answering"] == [("answering", n, 10) for n in range(1, 11)]
    assert told[-1] == ("measuring", 1, 1)


def test_two_models(model: Path, photos: Path, tmp_path: Path) -> None:
    swapped = color_model(tmp_path / "swapped.onnx", ("Green", "Red", "Blue"), provenance=fitted_on())
    found = compare(model, swapped, photos)
    assert (found.models, found.metric, found.verdict) == (("colors", "swapped"), "top1", "worse")
    assert (found.first.value, found.second.value, found.difference.count) == (0.9, 0.2, 10)
    assert (found.only_first_right, found.only_second_right) == (7, 0)
    same = compare(model, color_model(tmp_path / "same.onnx", ("RED", "GREEN", "BLUE")), photos)
    assert (same.verdict, same.difference.value, same.more_images) == ("cannot tell", 0.0, None)


def test_what_either_was_fitted_on_is_left_out(photos: Path, tmp_path: Path) -> None:
    first = color_model(tmp_path / "a.onnx", provenance=fitted_on(photos / "red" / "0.png"))
    second = color_model(tmp_path / "b.onnx", provenance=fitted_on(photos / "red" / "1.png"))
    found = compare(first, second, photos)
    assert left_out(found) == {"one of the models was fitted on them": 2}
    assert found.to_dict()["left_out"] == [{"reason": "one of the models was fitted on them", "count": 2}]
    assert found.difference.count == 8


def test_two_models_of_other_classes(photos: Path, tmp_path: Path) -> None:
    first = color_model(tmp_path / "a.onnx", ("red", "green", "blue"))
    second = color_model(tmp_path / "b.onnx", ("red", "green", "teal"))
    found = compare(first, second, photos)
    assert left_out(found) == {"they are of classes that not both models know": 3}
    assert (found.difference.count, found.first.value, found.second.value) == (7, 1.0, 1.0)
    assert "Only a knows 1 class: blue." in found.notes
    assert "Only b knows 1 class: teal." in found.notes
    with pytest.raises(InvalidClasses, match="must know some classes in common"):
        compare(first, color_model(tmp_path / "c.onnx", ("cat", "dog")), photos)


def test_two_models_of_several_labels(photos: Path, tmp_path: Path) -> None:
    first = color_model(tmp_path / "a.onnx", multi_label=True)
    second = color_model(tmp_path / "b.onnx", ("Green", "Red", "Blue", "x"), multi_label=True)
    found = compare(first, second, photos)
    assert (found.metric, found.verdict, found.difference.count) == ("map", "worse", 10)
    assert compare(first, second, photos, metric="micro_f1").metric == "micro_f1"
    with pytest.raises(UsageError, match="both must give one label per image, or both several"):
        compare(first, color_model(tmp_path / "c.onnx"), photos)


def test_two_models_of_one_name_are_told_apart_by_their_files(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    first, second = color_model(tmp_path / "old" / "m.onnx"), color_model(tmp_path / "m.onnx")
    assert compare(first, second, photos).models == (str(first), str(second))
