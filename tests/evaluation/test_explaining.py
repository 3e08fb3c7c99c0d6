"""Where an answer comes from: models that look at one place only must be found out."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest
from onnx import TensorProto, helper

import beholder
from beholder.errors import OutputExists, UsageError, WrongTask
from beholder.evaluation.explaining import MARKED_FROM, MOST_MARKED, explain
from beholder.evaluation.explaining_picture import overlay
from beholder.model import Geometry, ModelCard, load_bytes
from beholder.model.card import UnknownRule
from beholder.model.file import with_card
from graphs import make_model, model_bytes

SIDE = 48
CROP = Geometry("resize_crop", (SIDE, SIDE), resize=SIDE, resample="bilinear")
SQUASH = Geometry("squash", (SIDE, SIDE), resample="bilinear")
LETTERBOX = Geometry("letterbox", (SIDE, SIDE), resample="bilinear", fill=(114, 114, 114))


def contrast_model(place_xyxy=(0, 0, SIDE, SIDE), geometry=CROP, *, sigmoid=False, **card):
    """A model that looks at a part of its input only: how much neighboring pixels of it differ makes `rough`."""
    left, top, right, bottom = place_xyxy
    node = helper.make_node
    nodes = [
        node("Slice", ["image_planes", "from", "to", "axes"], ["part"]),
        node("Slice", ["part", "one", "end", "last_axis"], ["after"]),
        node("Slice", ["part", "zero", "minus_one", "last_axis"], ["before"]),
        node("Sub", ["after", "before"], ["difference"]),
        node("Abs", ["difference"], ["contrast"]),
        node("ReduceMean", ["contrast"], ["roughness"], axes=[1, 2, 3], keepdims=0),
        node("Unsqueeze", ["roughness", "last_axis_of_two"], ["column"]),
        node("Mul", ["column", "weights"], ["weighted"]),
        node("Add", ["weighted", "shifts"], ["logits"]),
        node("Sigmoid", ["logits"], ["probabilities"]) if sigmoid else node("Softmax", ["logits"], ["probabilities"]),
        node("ReduceMax", ["probabilities"], ["familiarity"], axes=[1], keepdims=0),
    ]
    values = {
        "from": np.array([top, left]),
        "to": np.array([bottom, right]),
        "axes": np.array([2, 3]),
        "one": np.array([1]),
        "zero": np.array([0]),
        "minus_one": np.array([-1]),
        "end": np.array([10_000]),
        "last_axis": np.array([3]),
        "last_axis_of_two": np.array([1]),
        "weights": np.array([[20, 0, 5]], np.float32),
        "shifts": np.array([[-2, 0, -4]], np.float32),
    }
    outputs = dict.fromkeys(("probabilities", "logits"), (TensorProto.FLOAT, (3,)))
    graph = make_model(nodes, geometry.size_hw, {**outputs, "familiarity": (TensorProto.FLOAT, ())}, **values)
    fields = {"name": "rough", "task": "classify", "geometry": geometry, "labels": ("rough", "smooth", "rough too")}
    return load_bytes(with_card(graph.SerializeToString(), ModelCard(**{**fields, **card})), device="cpu")


def noise(height, width, box_xyxy=None, seed=0):
    """A gray picture that is rough in a box."""
    pixels = np.full((height, width, 3), 120, np.uint8)
    left, top, right, bottom = box_xyxy or (0, 0, width, height)
    random = np.random.default_rng(seed)
    pixels[top:bottom, left:right] = random.choice([0, 255], (bottom - top, right - left, 1))
    return pixels


def hottest_xy(explanation):
    """Where the heat is greatest, in pixels of the original."""
    height, width = explanation.heat.shape
    row, column = np.unravel_index(explanation.heat.argmax(), explanation.heat.shape)
    left, top, right, bottom = explanation.box_xyxy
    return left + (column + 0.5) / width * (right - left), top + (row + 0.5) / height * (bottom - top)


@pytest.mark.parametrize("geometry", [CROP, SQUASH, LETTERBOX], ids=lambda geometry: geometry.method)
@pytest.mark.parametrize("size_hw", [(96, 96), (96, 192), (160, 64)], ids=str)
def test_what_the_answer_rests_on_is_the_hottest(geometry, size_hw):
    """Only a corner of what the model sees is rough; heat comes back to it in pixels of the original."""
    height, width = size_hw
    left, top = (
        abs(width - height) // 2 if geometry is CROP and side else 0 for side in (width > height, height > width)
    )
    seen_width, seen_height = width - 2 * left, height - 2 * top
    box = left + seen_width * 5 // 8, top, left + seen_width, top + seen_height * 3 // 8
    found = explain(contrast_model(geometry=geometry), noise(height, width, box), label="rough")
    x, y = hottest_xy(found)
    assert box[0] <= x <= box[2]
    assert box[1] <= y <= box[3]
    assert found.box_xyxy == pytest.approx((left, top, left + seen_width, top + seen_height), abs=2)
    assert found.size_hw == size_hw
    assert found.drop > 2 * abs(found.confidence - found.left_elsewhere)


@pytest.mark.parametrize("corner", [(0, 0), (32, 0), (0, 32), (32, 32)])
def test_where_the_model_looks_is_found_in_a_picture_that_is_rough_everywhere(corner):
    left, top = corner
    found = explain(contrast_model((left, top, left + 16, top + 16)), noise(SIDE, SIDE))
    x, y = hottest_xy(found)
    assert (left <= x <= left + 16, top <= y <= top + 16) == (True, True)
    far = np.roll(found.heat, (14, 14), (0, 1))[tuple(np.unravel_index(found.heat.argmax(), found.heat.shape))]
    assert far < 0.05 * found.heat.max()


def test_what_speaks_against_a_label_is_cold():
    found = explain(contrast_model((0, 0, 16, 16)), noise(SIDE, SIDE), label="smooth")
    assert found.label == "smooth"
    assert found.confidence < 0.5
    assert found.heat.min() < -0.5
    assert found.heat.max() <= 0.01


def test_the_same_every_time_and_whatever_is_computed_together():
    pixels = noise(64, 80, (10, 10, 40, 40))
    one, other, third = contrast_model(), contrast_model(), contrast_model()
    other.runtime.batch_size, other.runtime.threads = 7, 1
    third.runtime.batch_size = 1
    first = explain(one, pixels)
    assert np.array_equal(first.heat, explain(one, pixels).heat)
    for again in (explain(other, pixels), explain(third, pixels)):
        assert np.allclose(first.heat, again.heat, atol=1e-4)
        assert np.array_equal(first.marked, again.marked)
        assert again.left == pytest.approx(first.left, abs=1e-5)


@pytest.mark.parametrize("side", [12, 40])
def test_the_marked_part_is_the_hottest_and_no_more_than_a_fifth(side):
    found = explain(contrast_model((0, 0, side, side)), noise(SIDE, SIDE))
    assert found.marked.shape == found.heat.shape == (28, 28)
    assert found.heat[found.marked].min() >= MARKED_FROM * found.heat.max()
    assert found.heat[found.marked].min() >= found.heat[~found.marked].max()
    assert found.marked_share <= MOST_MARKED + 1e-3
    assert (found.marked_share > 0.19) == (side == 40)
    assert f"hiding the marked part ({found.marked_share:.0%} of what the model sees) leaves" in str(found)


def test_several_labels_are_explained_each_by_itself():
    model = contrast_model((0, 0, 16, 16), sigmoid=True, multi_label=True)
    found = explain(model, noise(SIDE, SIDE), label="rough too")
    assert (found.label, found.index) == ("rough too", 2)
    assert hottest_xy(found) < (16, 16)


def test_a_model_with_one_label():
    card = ModelCard(name="one", task="classify", geometry=SQUASH, labels=("rough",), multi_label=True)
    nodes = [
        helper.make_node("ReduceMean", ["image_planes"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Reshape", ["mean", "column"], ["probabilities"]),
    ]
    graph = make_model(
        nodes, SQUASH.size_hw, {"probabilities": (TensorProto.FLOAT, (1,))}, column=np.array([-1, 1], np.int64)
    )
    found = explain(load_bytes(with_card(graph.SerializeToString(), card), device="cpu"), noise(40, 40))
    assert (found.label, found.index) == ("rough", 0)
    assert np.isfinite(found.heat).all()


def test_an_unknown_image_is_explained_and_said_to_be_unknown():
    model = contrast_model(unknown=UnknownRule(familiarity_from=2.0, evidence_from=0.0, budget=0.05, count=10))
    found = explain(model, noise(SIDE, SIDE))
    assert found.unknown is True
    assert "unknown (nearest: rough" in str(found)
    assert explain(contrast_model(), noise(SIDE, SIDE)).unknown is None


def test_a_blank_image_has_no_heat_and_a_picture():
    found = explain(contrast_model(), np.full((60, 90, 3), 80, np.uint8))
    assert found.label == "smooth"
    assert np.abs(found.heat).max() < 1e-6
    assert not found.marked.any()
    assert found.drop == pytest.approx(0, abs=1e-5)
    assert str(found).endswith("; hiding no part of it makes that less likely")
    assert found.plot().shape == (60, 90, 3)


@pytest.mark.parametrize("size_hw", [(1, 1), (3, 900), (900, 2)])
@pytest.mark.parametrize("geometry", [CROP, SQUASH, LETTERBOX], ids=lambda geometry: geometry.method)
def test_images_of_extreme_proportions(geometry, size_hw):
    found = explain(contrast_model(geometry=geometry), noise(*size_hw))
    assert np.isfinite(found.heat).all()
    assert found.plot().shape == (*size_hw, 3)
    x1, y1, x2, y2 = found.box_xyxy
    assert 0 <= x1 < x2 <= size_hw[1]
    assert 0 <= y1 < y2 <= size_hw[0]


def test_what_the_model_does_not_see_is_gray_and_dark():
    pixels = np.full((60, 120, 3), (200, 40, 40), np.uint8)
    pixels[:, ::2] = (250, 90, 90)
    drawn = explain(contrast_model(), pixels).plot()
    assert drawn.dtype == np.uint8
    unseen = drawn[:, :28]
    assert (unseen.max(axis=2) - unseen.min(axis=2)).max() <= 1
    assert unseen.mean() < 40
    seen = drawn[:, 32:88].astype(int)
    assert (seen.max(axis=2) - seen.min(axis=2)).mean() > 20


def test_the_hottest_place_is_the_brightest():
    heat = np.zeros((4, 4), np.float32)
    heat[0, 3] = 2
    drawn = overlay(np.full((80, 80, 3), 120, np.uint8), heat, (0, 0, 80, 80), np.zeros((4, 4), bool)).astype(int)
    assert drawn[8, 72].sum() > drawn[40, 40].sum() + 150
    assert drawn[8, 72, 0] > drawn[8, 72, 2]


def test_a_saved_picture_is_the_image_beside_its_explanation(tmp_path):
    pixels = noise(600, 900)
    found = explain(contrast_model(), pixels)
    found.save(tmp_path / "a.png")
    with PIL.Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (900 * 2 + 18, 600)
        assert np.array_equal(np.asarray(picture)[:, :900], pixels)
        assert np.array_equal(np.asarray(picture)[:, -900:], found.plot())
    with pytest.raises(OutputExists):
        found.save(tmp_path / "a.png")
    found.save(tmp_path / "a.png", overwrite=True)
    with pytest.raises(UsageError, match=r"\.png or \.jpg"):
        found.save(tmp_path / "a.txt")
    for size_hw, expected in (((1500, 3000), (2020, 500)), ((30, 60), (1212, 300))):
        explain(contrast_model(), noise(*size_hw)).save(tmp_path / "a.jpg", overwrite=True)
        with PIL.Image.open(tmp_path / "a.jpg") as picture:
            assert picture.size == expected
    with PIL.Image.open(io.BytesIO(found._repr_png_())) as shown:
        assert shown.size == (512, 341)


def test_json_has_the_grid_and_where_it_lies(tmp_path):
    PIL.Image.fromarray(noise(60, 90)).save(tmp_path / "a.png")
    found = explain(contrast_model(), tmp_path / "a.png", label="rough")
    content = found.to_dict()
    assert content["source"] == str(tmp_path / "a.png")
    assert (content["label"], content["index"], content["model"], content["unknown"]) == ("rough", 0, "rough", None)
    assert content["drop"] == pytest.approx(content["confidence"] - content["left"], abs=2e-6)
    assert np.array(content["heat"]) == pytest.approx(found.heat, abs=6e-4)
    assert np.array(content["marked"]).sum() == found.marked.sum()
    assert content["box_xyxy"] == [15, 0, 75, 60]
    assert "frame" not in content


def test_what_cannot_be_explained_is_refused():
    with pytest.raises(UsageError, match="rough has no label 'rouhg'; did you mean 'rough'"):
        explain(contrast_model(), noise(9, 9), label="rouhg")
    with pytest.raises(WrongTask, match="only what classifies can be explained"):
        explain(load_bytes(model_bytes("detect"), device="cpu"), noise(9, 9))
    with pytest.raises(UsageError, match="one image is needed"):
        explain(contrast_model(), [noise(9, 9), noise(9, 9)])


def test_a_model_may_be_given_as_its_file(tmp_path):
    (tmp_path / "colors.onnx").write_bytes(model_bytes("classify"))
    found = explain(tmp_path / "colors.onnx", noise(40, 40), label="green")
    assert (found.model, found.label) == ("tiny-classify", "green")
    assert found.plot().shape == (40, 40, 3)


def test_it_is_public():
    assert beholder.explain is explain
    assert type(explain(contrast_model(), noise(20, 20))) is beholder.Explanation
