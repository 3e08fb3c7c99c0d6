"""Boxes and suppression, against plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beholder.errors import UsageError
from beholder.result import box_areas, box_iou, clip_boxes, suppress, xywh_to_xyxy, xyxy_to_xywh

corner = st.integers(0, 12).map(float)


@st.composite
def boxes(draw, least=0, most=12):
    rows = draw(st.lists(st.tuples(corner, corner, corner, corner), min_size=least, max_size=most))
    ordered = [(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in rows]
    return np.array(ordered, np.float32).reshape(-1, 4)


def naive_iou(one, other):
    width = max(0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0, min(one[3], other[3]) - max(one[1], other[1]))
    shared = width * height
    union = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - shared
    return shared / union if union else 0


def naive_suppress(boxes_xyxy, scores, classes, threshold, class_agnostic):
    kept = []
    for row in sorted(range(len(scores)), key=lambda row: (-scores[row], row)):
        rivals = [other for other in kept if class_agnostic or classes[other] == classes[row]]
        if all(naive_iou(boxes_xyxy[row].tolist(), boxes_xyxy[other].tolist()) <= threshold for other in rivals):
            kept.append(row)
    return kept


@given(boxes(), boxes())
def test_iou(first, second):
    found = box_iou(first, second)
    assert found.shape == (len(first), len(second))
    assert found.dtype == np.float32
    for i, one in enumerate(first.tolist()):
        for j, other in enumerate(second.tolist()):
            assert found[i, j] == pytest.approx(naive_iou(one, other))


def test_iou_of_known_boxes():
    assert box_iou([[0, 0, 2, 2]], [[0, 0, 2, 2], [1, 1, 3, 3], [2, 0, 4, 2], [0, 0, 1, 2]])[
        0
    ].tolist() == pytest.approx([1, 1 / 7, 0, 0.5])


@given(boxes())
def test_conversions_undo_each_other(boxes_xyxy):
    assert np.array_equal(xywh_to_xyxy(xyxy_to_xywh(boxes_xyxy)), boxes_xyxy)
    sizes = xyxy_to_xywh(boxes_xyxy)[:, 2:]
    assert np.array_equal(box_areas(boxes_xyxy), sizes.prod(axis=1))


@given(boxes())
def test_clipped_boxes_are_inside(boxes_xyxy):
    before = boxes_xyxy.copy()
    clipped = clip_boxes(boxes_xyxy - 3, (5, 7))
    assert clipped.dtype == np.float32
    assert (clipped >= 0).all()
    assert (clipped[:, 0::2] <= 7).all()
    assert (clipped[:, 1::2] <= 5).all()
    assert np.array_equal(before, boxes_xyxy)


@given(boxes(most=40), st.data(), st.sampled_from([0, 0.3, 0.5, 1]), st.booleans())
def test_suppression_is_the_naive_one(boxes_xyxy, data, threshold, class_agnostic):
    count = len(boxes_xyxy)
    scores = np.array(data.draw(st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=count, max_size=count)), np.float32)
    classes = np.array(data.draw(st.lists(st.integers(0, 2), min_size=count, max_size=count)), np.int64)
    expected = naive_suppress(boxes_xyxy, scores, classes, threshold, class_agnostic)
    options = {"iou_threshold": threshold, "class_agnostic": class_agnostic}
    kept = suppress(boxes_xyxy, scores, classes, **options)
    assert kept.dtype == np.int64
    assert kept.tolist() == expected
    for limit in (0, 1, 3):
        assert suppress(boxes_xyxy, scores, classes, limit=limit, **options).tolist() == expected[:limit]


@pytest.mark.parametrize("class_agnostic", [False, True])
def test_suppression_of_more_than_one_block(class_agnostic):
    random = np.random.default_rng(0)
    boxes_xyxy = xywh_to_xyxy(np.column_stack([random.uniform(0, 60, (300, 2)), random.uniform(5, 30, (300, 2))]))
    scores, classes = random.random(300).astype(np.float32), random.integers(0, 2, 300)
    kept = suppress(boxes_xyxy, scores, classes, iou_threshold=0.4, class_agnostic=class_agnostic)
    assert kept.tolist() == naive_suppress(boxes_xyxy, scores, classes, 0.4, class_agnostic)
    assert len(kept) > 64


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"boxes_xyxy": [[0, 0, 1]]}, r"shape \(any, 4\), found \(1, 3\)"),
        ({"boxes_xyxy": [[0, 0, 1], [0]]}, "array of numbers"),
        ({"boxes_xyxy": [[0, 0, 1, np.nan]]}, "finite"),
        ({"boxes_xyxy": [[0, 0, 1, 1e60]]}, "finite"),
        ({"scores": [0.5, 0.5]}, r"shape \(1\)"),
        ({"classes": [0.5]}, "int64"),
        ({"iou_threshold": 1.5}, "from 0 to 1, found 1.5"),
        ({"limit": -1}, "from 0 up"),
    ],
)
def test_refusals(arguments, message):
    usual = {"boxes_xyxy": [[0, 0, 1, 1]], "scores": [0.5], "classes": [0], "iou_threshold": 0.5}
    with pytest.raises(UsageError, match=message):
        suppress(**{**usual, **arguments})


def test_a_size_must_be_one():
    with pytest.raises(UsageError, match="height and a width"):
        clip_boxes([[0, 0, 1, 1]], (3, 4, 5))
