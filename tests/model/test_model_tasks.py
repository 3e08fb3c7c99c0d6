"""The five tasks from file to result: what the tiny graphs say is known by hand, and so is where it lies."""

import numpy as np
import pytest

import graphs
from beholder.model import Calibration, Geometry
from beholder.model.loading import load_bytes

SIZE_HW = (90, 150)
RED, BLUE = (50, 20, 80, 60), (90, 40, 105, 75)
GEOMETRIES = {
    "squash": Geometry("squash", (64, 128), resample="box"),
    "letterbox": Geometry("letterbox", (128, 128), fill=(114, 114, 114), resample="bilinear"),
    "resize_crop": Geometry("resize_crop", (80, 96), resize=96, resample="bicubic"),
    "enlarged": Geometry("letterbox", (200, 200), fill=(0, 0, 0), resample="lanczos"),
}
"""Cropped or not, the whole of both rectangles is in the input."""


@pytest.fixture(scope="module", params=GEOMETRIES)
def geometry(request):
    return GEOMETRIES[request.param]


@pytest.fixture(scope="module")
def picture():
    return graphs.photo(SIZE_HW, red=RED, blue=BLUE)


def model(task, geometry=graphs.SQUASH, **changes):
    return load_bytes(graphs.model_bytes(task, geometry, **changes))


def bright(mask):
    """The box around what is inside a mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def test_boxes_land_where_the_rectangles_are(picture, geometry):
    found = model("detect", geometry, thresholds=(0.5, 0.5, 0.1)).predict(picture)
    assert [(thing.name, thing.confidence) for thing in found] == [("red", 0.9), ("blue", pytest.approx(0.3))]
    assert np.allclose(found.boxes_xyxy, [RED, BLUE], atol=2)


def test_masks_land_where_the_rectangles_are(picture, geometry):
    found = model("detect", geometry).predict(picture, threshold=0.29)
    assert [thing.name for thing in found] == ["red", "red", "blue"]
    for thing, box in zip(found, (RED, RED, BLUE), strict=True):
        pixels = thing.mask.to_array()
        assert pixels.shape == SIZE_HW
        assert np.allclose(bright(pixels), box, atol=2)
        left, top, right, bottom = box
        assert pixels.sum() == pytest.approx((right - left) * (bottom - top), rel=0.12)


def test_suppression_and_thresholds(picture):
    found = model("detect").predict(picture)
    assert [thing.confidence for thing in found] == pytest.approx([0.9, 0.45, 0.3])  # best first
    assert [thing.name for thing in model("detect", overlap=0.5).predict(picture)] == ["red", "blue"]
    assert [thing.name for thing in model("detect", thresholds=(0.9, 0.6, 0.31)).predict(picture)] == ["red"]
    assert len(model("detect", thresholds=(0.9, 0.6, 0.3)).predict(picture)) == 2  # a threshold itself is enough
    assert len(model("detect").predict(picture, threshold=0)) == 3  # never what pads
    assert len(model("detect").predict(graphs.photo(SIZE_HW))) == 0


def test_segments_land_where_the_rectangles_are(geometry):
    found = model("segment", geometry).predict(graphs.photo(SIZE_HW, "green", red=RED, blue=BLUE))
    assert found.class_map.shape == SIZE_HW
    for name, box in (("red", RED), ("blue", BLUE)):
        left, top, right, bottom = box
        inside = np.zeros(SIZE_HW, bool)
        inside[top:bottom, left:right] = True
        said = found.mask(name).to_array()
        assert np.allclose(bright(said), box, atol=2.5)  # cells of 4 pixels, half of one at each side
        assert (said & inside).sum() / (said | inside).sum() > 0.8


def test_pixels_that_the_input_does_not_show_belong_to_no_class(picture):
    found = model("segment", GEOMETRIES["resize_crop"]).predict(picture)
    placement = GEOMETRIES["resize_crop"].place(SIZE_HW)
    (left, top), (scale_x, scale_y) = placement.offset_xy, placement.scale_xy
    shown = found.class_map != found.ignore_index
    assert bright(shown) == pytest.approx((left, top, left + 96 * scale_x, top + 80 * scale_y), abs=1)
    assert bright(shown) == pytest.approx((30, 7.5, 120, 82.5), abs=1)
    assert found.ignore_index == 255
    assert model("segment", GEOMETRIES["squash"]).predict(picture).class_map.max() < 3


def test_classify_says_the_mean_color(picture):
    colored = graphs.photo((32, 48), "black", red=(0, 0, 24, 32), green=(24, 0, 36, 32))
    exact = model("classify")
    found = exact.predict(colored, top=0)
    expected = graphs.softmax(graphs.SHARPNESS * np.array([0.5, 0.25, 0]))
    assert [label.index for label in found.labels] == [0, 1, 2]
    assert [label.name for label in found.labels] == ["red", "green", "blue"]
    assert [label.confidence for label in found.labels] == pytest.approx(expected.tolist(), abs=1e-6)
    assert (found.label, found.confidence) == ("red", found.labels[0].confidence)
    assert np.array_equal(exact.embed(colored).vector, np.array([0.5, 0.25, 0], np.float32))
    assert exact.embed(colored).space == "mean-color"


def test_top():
    tiny = model("classify")
    picture = graphs.photo((32, 48), "blue")
    assert [len(tiny.predict(picture, top=top).labels) for top in (0, 1, 2, 3, 5)] == [3, 1, 2, 3, 3]
    assert tiny.predict(picture, top=1).label == "blue"
    equal = tiny.predict(graphs.photo((32, 48), "black"), top=0)
    assert [label.index for label in equal.labels] == [0, 1, 2]  # of equals the first
    assert tiny.predict(graphs.photo((32, 48), "black"), top=1).labels[0].index == 0


def test_several_labels():
    picture = graphs.photo((32, 48), "black", red=(0, 0, 36, 32), green=(36, 0, 48, 32))  # 75% red, 25% green
    tiny = model("classify", sigmoid=True, multi_label=True)
    assert tiny.predict(picture).accepted == ("red",)
    assert tiny.predict(picture, threshold=0.1).accepted == ("red", "green")
    assert tiny.predict(picture, threshold=0.95).accepted == ()
    tuned = model("classify", sigmoid=True, multi_label=True, thresholds=(0.99, 0.05, 0.5))
    assert tuned.predict(picture, top=1).accepted == ("green",)
    assert [label.name for label in tuned.predict(picture, top=1).labels] == ["red"]
    assert model("classify").predict(picture).accepted is None


def test_a_score_that_equals_its_threshold_is_accepted():
    picture = graphs.photo((32, 48), "black", red=(0, 0, 24, 32))  # sigmoid(0) is exactly one half
    tiny = model("classify", sigmoid=True, multi_label=True, thresholds=(0.5, 0.7, 0.7))
    assert tiny.predict(picture).accepted == ("red",)
    red = graphs.photo((32, 48), "black", red=(2, 2, 40, 30))
    for threshold in (0.9, 0.45):  # neither is a number of binary digits
        assert 0.9 in model("detect").predict(red, threshold=threshold).scores.round(6)


def test_broad_groups():
    picture = graphs.photo((32, 48), "black", red=(0, 0, 18, 32), green=(18, 0, 34, 32))
    unsure = model("classify", label_groups=("warm", "cold", "cold"), sure_from=0.6)
    found = unsure.predict(picture)
    assert (found.label, found.confidence) == ("red", pytest.approx(0.566, abs=1e-3))
    assert (found.sure, found.group) == (False, None)  # no group reaches it either
    both = model("classify", label_groups=("color/warm", "color/warm", "color/cold"), sure_from=0.6).predict(picture)
    assert (both.group.name, both.group.confidence) == ("warm", pytest.approx(0.972, abs=1e-3))
    assert both.sure is True
    enough = unsure.predict(picture, threshold=0.5)
    assert (enough.sure, enough.group) == (True, None)
    assert unsure.predict(graphs.photo((32, 48), "red")).group is None
    assert model("classify", label_groups=("warm", "cold", "cold")).predict(picture).group is None


def test_many_small_chances_are_no_evidence_for_their_group():
    from beholder.model.decoding import Options
    from beholder.model.decoding.classify import _fall_back
    from beholder.result import Label

    labels = tuple(map(str, range(200)))
    card = graphs.make_card("classify", labels=labels, label_groups=("animal",) * 150 + ("tool",) * 50, sure_from=0.5)
    probabilities = np.full(200, 0.9 / 199, np.float32)
    probabilities[199] = 0.1
    assert _fall_back(probabilities, Label(199, "199", 0.1), card, Options()) == (False, None)


def test_caption_and_embedding():
    assert model("caption").predict(graphs.photo((32, 48), "green")).text == "mostly green colors"
    assert model("caption").predict(graphs.photo((32, 48), "blue")).text == "mostly blue colors"
    found = model("embed").predict(graphs.photo((32, 48), "black", blue=(0, 0, 12, 32)))
    assert found.vector.tolist() == [0, 0, 0.25]
    assert found == model("embed").embed(graphs.photo((32, 48), "black", blue=(0, 0, 12, 32)))


@pytest.mark.parametrize("task", graphs.TASKS)
def test_what_was_not_measured_is_null(task):
    tiny = model(task)
    found = tiny.predict(graphs.photo((32, 48), "blue")).to_dict()
    if task == "classify":
        assert (found["prediction_set"], found["unknown"], found["group"], found["sure"]) == (None,) * 4
        assert "accepted" not in found
    card = tiny.card.to_dict()
    assert (card["calibration"], card["thresholds"], card["sure_from"], card["evaluation"]) == (None, None, None, [])
    assert all(value is None for key, value in card["provenance"].items() if key != "notes")


def test_a_calibrated_card_changes_no_answer():
    """Arithmetic is inside the graph; the card only says what was done."""
    picture = graphs.photo((32, 48), red=(0, 0, 20, 20))
    said = model("classify", calibration=Calibration("temperature", 2.0, 100)).predict(picture)
    assert said == model("classify").predict(picture)
