"""Every feature with every classifier, on the split that a head is trained and tested on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from beholder.data import ContentCache, read, with_digests
from beholder.errors import InvalidClasses, MissingPackage, UnreadableImage, UsageError
from beholder.training import Backbone, Recipe
from beholder.training.classical import CLASSIFIERS, Baselines, baselines, comparing, packages, usual_features
from beholder.training.classical.features import FEATURES, look_at
from beholder.training.classical.words import Words
from beholder.zoo import find
from pictures import SHAPES, make_folder


@pytest.fixture(scope="module")
def contents() -> Iterator[ContentCache]:
    with ContentCache() as opened:
        yield opened


def made(folder: Path, contents: ContentCache, features: str, classifiers: str, **recipe: Any) -> Baselines:
    return baselines(read(folder), Recipe(**recipe), contents, features.split(), classifiers.split())


def test_images_left_out_in_turn_are_asked(textures: Path, contents: ContentCache) -> None:
    found = made(textures, contents, "hog edges corners sift pixels", "linear bayes svm tree forest", folds=2)
    assert [(row.feature, row.classifier) for row in found.rows[:6]] == [
        *(("hog", name) for name in CLASSIFIERS),
        ("edges", "linear"),
    ]
    assert found.kind == "cross-validated"
    assert {row.top1.count for row in (*found.rows, found.head)} == {36}
    assert all(row.fitted < 36 for row in found.rows)
    right = {(row.feature, row.classifier): row.top1.value or 0.0 for row in found.rows}
    assert right["hog", "linear"] > 0.8
    assert right["sift", "linear"] > 0.5
    assert right["pixels", "linear"] < right["hog", "linear"]
    assert found.best.top1.value == max(right.values())
    assert found.head.feature == "efficientnet-lite0"
    assert (found.head.top1.value or 0) > 0.9


def test_they_are_the_same_each_time(textures: Path, contents: ContentCache) -> None:
    first, second = (made(textures, contents, "sift", "svm tree", folds=2) for _ in range(2))
    assert [row.top1 for row in first.rows] == [row.top1 for row in second.rows]


def test_an_owners_test_part_is_what_they_are_asked(tmp_path: Path, contents: ContentCache) -> None:
    make_folder(tmp_path / "train", dict.fromkeys(SHAPES, 8), seed=1)
    make_folder(tmp_path / "test", dict.fromkeys(SHAPES, 5), seed=2)
    found = made(tmp_path, contents, "hog", "linear")
    (row,) = found.rows
    assert (found.kind, row.fitted, row.top1.count, row.dim) == ("test", 24, 15, 1764)
    assert found.head.top1.count == 15
    told = row.to_dict()
    assert told["metrics"]["top1"]["value"] == row.top1.value


def test_balanced_accuracy_counts_classes_alike(tmp_path: Path, contents: ContentCache) -> None:
    make_folder(tmp_path / "train", {"bars": 10, "dots": 10}, seed=1)
    make_folder(tmp_path / "test", {"bars": 12, "dots": 3}, seed=2)
    truth = np.array([0] * 12 + [1] * 3)
    turns = ((np.zeros(15, bool), np.ones(15, bool)),)
    top1, balanced = comparing._Parts(truth, turns, "test").measured(np.zeros(15, np.intp))
    assert (top1.value, balanced.value) == (0.8, 0.5)
    assert balanced.low is not None
    assert balanced.low < 0.5


def test_words_are_made_of_what_is_fitted_on_only() -> None:
    random = np.random.default_rng(0)
    looks = [random.integers(0, 255, (30, 128), np.uint8) for _ in range(8)]
    fitted = np.arange(8) < 5
    words = Words("sift", 8)
    first = words.vectors(looks, fitted, 0)
    second = words.vectors([*looks[:5], *(looked[::-1] // 2 for looked in looks[5:])], fitted, 0)
    np.testing.assert_array_equal(first[:5], second[:5])
    np.testing.assert_allclose((first**2).sum(axis=1), 1, atol=1e-5)


def test_an_image_without_key_points_has_no_words() -> None:
    empty = np.empty((0, 1), np.uint8)
    points = np.random.default_rng(0).integers(0, 255, (30, 128), np.uint8)
    words = Words("sift", 3)
    some = words.vectors([points, empty, points], np.array([True, True, False]), 0)
    assert not some[1].any()
    np.testing.assert_array_equal(some[0], some[2])
    assert not words.vectors([empty, empty, points], np.array([True, True, False]), 0).any()


def test_blank_images_are_no_trouble(tmp_path: Path, contents: ContentCache) -> None:
    for label, colors in (("dark", range(8)), ("light", range(200, 208))):
        (tmp_path / label).mkdir()
        for color in colors:
            PIL.Image.new("RGB", (1 + color % 3, 40), (color, color, color)).save(tmp_path / label / f"{color}.png")
    found = made(tmp_path, contents, "hog sift pixels", "linear bayes svm tree forest")
    assert all(row.top1.count == found.head.top1.count for row in found.rows)


def test_a_support_vector_machine_gets_as_many_as_it_can_bear(
    textures: Path, contents: ContentCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "SVM_IMAGES", 20)
    svm, tree = made(textures, contents, "hog", "svm tree").rows
    assert svm.fitted == 20
    assert tree.fitted > 20


def test_a_changed_image_is_told(tmp_path: Path, contents: ContentCache, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_folder(tmp_path / "set", {"bars": 6, "dots": 6}, seed=5)
    learn = comparing.learn

    def learn_and_change(*args: Any) -> Any:
        learned = learn(*args)
        PIL.Image.new("RGB", (9, 9)).save(folder / "dots" / "3.png")
        return learned

    monkeypatch.setattr(comparing, "learn", learn_and_change)
    with pytest.raises(UnreadableImage, match=r"3\.png: was changed while it was read"):
        made(folder, contents, "pixels", "tree")


@pytest.mark.parametrize("size", [(1000, 700), (2400, 300)])
def test_a_feature_is_the_same_whichever_others_are_asked_for(
    tmp_path: Path, contents: ContentCache, size: tuple[int, int]
) -> None:
    (tmp_path / "noise").mkdir()
    small = np.random.default_rng(0).integers(0, 255, (size[1] // 4, size[0] // 4, 3), np.uint8)
    PIL.Image.fromarray(small).resize(size).save(tmp_path / "noise" / "large.jpg")
    samples = with_digests(read(tmp_path), contents).samples
    made = {name: FEATURES[name](1) for name in ("hog", "pixels", "sift")}
    together = look_at(samples, made, lambda *_: None)
    for name, feature in made.items():
        (alone,) = look_at(samples, {name: feature}, lambda *_: None)[name]
        np.testing.assert_array_equal(alone, together[name][0], err_msg=name)
    (trained_on,) = Backbone(find("hog")).see(samples, contents).vectors.values()
    np.testing.assert_allclose(together["hog"][0], trained_on, atol=1e-6)


def test_what_cannot_be_is_refused(textures: Path, contents: ContentCache, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"features: 'hgo' is none of hog, .*did you mean 'hog'"):
        made(textures, contents, "hgo", "tree")
    with pytest.raises(UsageError, match="classifiers: 'knn' is none of linear"):
        made(textures, contents, "hog", "knn")
    make_folder(tmp_path, {"bars": 1, "dots": 1})
    (tmp_path / "labels.csv").write_text("path,labels\nbars/0.png,a;b\ndots/0.png,b\n")
    with pytest.raises(UsageError, match="one label for an image"):
        made(tmp_path / "labels.csv", contents, "hog", "tree")


def test_one_image_a_class_leaves_nothing_to_ask(tmp_path: Path, contents: ContentCache) -> None:
    make_folder(tmp_path, {"bars": 1, "dots": 1})
    with pytest.raises(InvalidClasses, match="none can be left out"):
        made(tmp_path, contents, "hog", "tree")


def test_what_is_not_installed_is_named(
    textures: Path, contents: ContentCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = packages.find_spec
    monkeypatch.setattr(packages, "find_spec", lambda name: None if name in ("sklearn", "cv2") else found(name))
    with pytest.raises(MissingPackage, match=r"need scikit-learn, opencv-python-headless; .*'beholder\[classical\]'"):
        made(textures, contents, "sift", "tree")
    with pytest.raises(MissingPackage, match="need scikit-learn; install"):
        made(textures, contents, "hog", "tree")
    assert "sift" in usual_features()
    assert "surf" not in usual_features()


@pytest.mark.skipif(packages.has_surf(), reason="this OpenCV has SURF")
def test_surf_is_said_to_be_missing(textures: Path, contents: ContentCache) -> None:
    with pytest.raises(MissingPackage, match="surf needs an OpenCV that was built"):
        made(textures, contents, "surf", "tree")
