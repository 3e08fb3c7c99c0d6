"""Result types: checked when made, immutable, equal by content, the same after JSON."""

import copy
import dataclasses
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import beholder.result
from beholder.errors import UnreadableImage, UsageError
from beholder.result import (
    RESULT_SCHEMA_VERSION,
    Caption,
    Classification,
    Detection,
    Detections,
    Embedding,
    Group,
    ImageFailure,
    Label,
    Mask,
    Segmentation,
    result_from_dict,
)

COMMON = {"source": "photos/cat.jpg", "size_hw": (4, 5), "model": "m"}
CAT = Label(281, "tabby cat", 0.83)

names = st.text(max_size=8)
fractions = st.floats(0, 1).map(lambda value: round(value, 6))
float32s = st.floats(-(2.0**100), 2.0**100, width=32)
commons = st.fixed_dictionaries(
    {"source": names, "size_hw": st.tuples(st.integers(1, 9), st.integers(1, 9)), "model": names},
    optional={"frame": st.integers(0, 10**9), "time_seconds": st.floats(0, 1e6)},
)


@st.composite
def classifications(draw):
    confidences = sorted(draw(st.lists(fractions, min_size=1, max_size=5)), reverse=True)
    some_names = st.none() | st.lists(names, max_size=3)
    return Classification(
        **draw(commons),
        labels=[Label(draw(st.integers(0, 999)), draw(names), confidence) for confidence in confidences],
        accepted=draw(some_names),
        prediction_set=draw(some_names),
        unknown=draw(st.none() | st.booleans()),
        group=draw(st.none() | st.builds(Group, names, fractions)),
    )


@st.composite
def detections(draw):
    common, count = draw(commons), draw(st.integers(0, 3))
    class_names = draw(st.lists(names, min_size=1, max_size=4))
    return Detections(
        **common,
        boxes_xyxy=np.sort(draw(arrays(np.float32, (count, 2, 2), elements=float32s)), axis=1).reshape(-1, 4),
        scores=draw(arrays(np.float32, count, elements=st.floats(0, 1, width=32))),
        classes=draw(arrays(np.int64, count, elements=st.integers(0, len(class_names) - 1))),
        names=class_names,
        masks=[Mask.from_array(draw(arrays(bool, common["size_hw"]))) for _ in range(count)]
        if draw(st.booleans())
        else None,
        keypoints=draw(st.none() | arrays(np.float32, (count, 2, 3), elements=float32s)),
        track_ids=draw(st.none() | arrays(np.int64, count, elements=st.integers(0, 2**60))),
    )


@st.composite
def segmentations(draw):
    common = draw(commons)
    class_names = draw(st.lists(names, min_size=1, max_size=300, unique=True))
    ignored = draw(st.none() | st.integers(len(class_names), 65535))
    values = st.integers(0, len(class_names) - 1) | (st.nothing() if ignored is None else st.just(ignored))
    class_map = draw(arrays(np.int64, common["size_hw"], elements=values))
    return Segmentation(**common, class_map=class_map, names=class_names, ignore_index=ignored)


captions = st.builds(lambda common, text: Caption(**common, text=text), commons, names)
embeddings = st.builds(
    lambda common, vector, space: Embedding(**common, vector=vector, space=space),
    commons,
    st.integers(1, 20).flatmap(lambda length: arrays(np.float32, length, elements=float32s)),
    st.none() | names,
)
failures = st.builds(ImageFailure, names, names, names, st.none() | st.integers(0, 100))


@given(classifications() | detections() | segmentations() | captions | embeddings | failures)
def test_json_round_trip(result):
    written = json.dumps(result.to_dict(), allow_nan=False)
    restored = result_from_dict(json.loads(written))
    assert restored == result
    assert type(restored) is type(result)
    assert json.dumps(restored.to_dict()) == written
    assert hash(restored) == hash(result)
    assert str(result).startswith(result.source)


@given(detections() | segmentations() | embeddings)
def test_pickle_and_copy(result):
    result = dataclasses.replace(result, _pixels=lambda: np.zeros((1, 1, 3), np.uint8))
    restored = pickle.loads(pickle.dumps(result))
    assert restored == result
    assert restored._pixels is None
    assert copy.deepcopy(result) == result


def test_json_of_classification():
    result = Classification(**{**COMMON, "size_hw": (375, 500)}, labels=(CAT,))
    assert list(result.to_dict().items()) == [
        ("schema", 1),
        ("source", "photos/cat.jpg"),
        ("size_hw", [375, 500]),
        ("model", "m"),
        ("task", "classify"),
        ("labels", [{"index": 281, "name": "tabby cat", "confidence": 0.83}]),
        ("prediction_set", None),
        ("unknown", None),
        ("group", None),
        ("sure", None),
    ]
    more = dataclasses.replace(
        result, accepted=("tabby cat",), group=Group("animal", 0.97), unknown=False, frame=3, time_seconds=0.12
    ).to_dict()
    assert more["accepted"] == ["tabby cat"]
    assert more["group"] == {"name": "animal", "confidence": 0.97}
    assert (more["frame"], more["time_seconds"], more["unknown"]) == (3, 0.12, False)


def test_json_of_the_other_types():
    mask = Mask.from_array(np.eye(4, 5, dtype=bool))
    plain = Detections(**COMMON, boxes_xyxy=[[0.1, 0, 2, 3.3]], scores=[0.83], classes=[1], names=["a", "b"])
    row = {"index": 1, "name": "b", "confidence": 0.83, "box_xyxy": [0.1, 0.0, 2.0, 3.3]}
    assert plain.to_dict()["names"] == ["a", "b"]
    assert plain.to_dict()["detections"] == [row]
    full = dataclasses.replace(plain, masks=[mask], keypoints=[[[1, 2.5, 2]]], track_ids=[7])
    assert full.to_dict()["detections"] == [
        {**row, "mask": mask.to_coco(), "keypoints": [[1.0, 2.5, 2.0]], "track_id": 7}
    ]
    segments = Segmentation(**COMMON, class_map=np.eye(4, 5, dtype=int), names=["sky", "road", "sea"]).to_dict()
    assert [(one["index"], one["name"], one["share"]) for one in segments["segments"]] == [
        (0, "sky", 0.8),
        (1, "road", 0.2),
    ]
    assert segments["segments"][1]["mask"] == mask.to_coco()
    assert Caption(**COMMON, text="A cat.").to_dict()["text"] == "A cat."
    assert Embedding(**COMMON, vector=[0.1, -2]).to_dict()["vector"] == [0.1, -2.0]
    assert Embedding(**COMMON, vector=[0.1, -2]).to_dict()["space"] is None
    failure = ImageFailure.from_error(UnreadableImage("bad.jpg", "cut short"))
    assert failure.to_dict() == {
        "schema": 1,
        "source": "bad.jpg",
        "error": {"kind": "unreadable_image", "message": "cut short"},
    }


def test_values_cannot_be_changed():
    given_boxes = np.array([[0, 0, 1, 1]], np.float32)
    result = Detections(**COMMON, boxes_xyxy=given_boxes, scores=[1], classes=[0], names=["a"])
    given_boxes[0, 0] = 0.5
    assert result.boxes_xyxy[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        result.boxes_xyxy[0, 0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.source = "other"
    assert (result.scores.dtype, result.classes.dtype) == (np.float32, np.int64)


def test_equality_is_by_content():
    one = Embedding(**COMMON, vector=[1, 2])
    assert one == Embedding(**COMMON, vector=[1, 2], _pixels=lambda: np.zeros((4, 5, 3), np.uint8))
    assert one != Embedding(**COMMON, vector=[1, 3])
    assert one != Embedding(**COMMON, vector=[1, 2, 3])
    assert one != Embedding(**{**COMMON, "source": "dog.jpg"}, vector=[1, 2])
    assert one != Caption(**COMMON, text="")
    assert one != 1
    assert one != ImageFailure("a", "b", "c")


def test_classification_names_the_best():
    result = Classification(**COMMON, labels=(CAT, Label(282, "tiger cat", 0.09)))
    assert (result.label, result.confidence) == ("tabby cat", 0.83)


def test_detections_are_a_sequence():
    result = Detections(
        **COMMON,
        boxes_xyxy=np.eye(3, 4) * 0,
        scores=[0.25, 0.5, 0.8],
        classes=[1, 0, 1],
        names=["a", "b"],
        track_ids=[5, 6, 7],
    )
    assert len(result) == 3
    assert [found.name for found in result] == ["b", "a", "b"]
    assert result[-1] == Detection(1, "b", 0.8, (0, 0, 0, 0), track_id=7)
    assert hash(result[0]) == hash(next(iter(result)))
    assert result[0] != result[1]
    assert [found.track_id for found in result.above(0.5)] == [6, 7]
    assert len(result.above(0.8)) == 1
    assert len(result.above(2)) == 0
    assert result.take([2, 0]).scores.tolist() == pytest.approx([0.8, 0.25])
    with pytest.raises(UsageError, match="rows must be from 0 to 2"):
        result.take([3])
    with pytest.raises(IndexError):
        result[3]


def test_nothing_detected_has_no_extras():
    result = Detections(
        **COMMON, boxes_xyxy=[], scores=[], classes=[], names=[], masks=[], keypoints=np.zeros((0, 5, 3)), track_ids=[]
    )
    assert result.boxes_xyxy.shape == (0, 4)
    assert (result.masks, result.keypoints, result.track_ids) == (None, None, None)
    assert list(result) == []


def test_segmentation_shares():
    class_map = np.array([[0, 2, 2, 255], [2, 2, 0, 255]])
    result = Segmentation(
        source="a", model="m", size_hw=(2, 4), class_map=class_map, names=["sky", "road", "sea"], ignore_index=255
    )
    assert result.class_map.dtype == np.uint8
    assert list(result.share.items()) == [("sea", 0.5), ("sky", 0.25), ("road", 0.0)]
    assert np.array_equal(result.mask("sea").to_array(), class_map == 2)
    assert result.mask("road").area == 0
    with pytest.raises(UsageError, match="'lake' is not a class of m; it has sky, road, sea"):
        result.mask("lake")
    many = Segmentation(source="a", model="m", size_hw=(2, 4), class_map=class_map, names=[str(i) for i in range(257)])
    assert many.class_map.dtype == np.uint16


def classification(**changes):
    return Classification(**{**COMMON, "labels": (CAT,), **changes})


def detected(**changes):
    usual = {"boxes_xyxy": [[0, 0, 1, 1]], "scores": [0.5], "classes": [0], "names": ["a"]}
    return Detections(**{**COMMON, **usual, **changes})


def segmented(**changes):
    return Segmentation(**{**COMMON, "class_map": np.zeros((4, 5), int), "names": ["a", "b"], **changes})


@pytest.mark.parametrize(
    ("make", "changes", "message"),
    [
        (classification, {"source": None}, "source must be a string, found None"),
        (classification, {"size_hw": (0, 5)}, "height in size_hw must be a whole number from 1 up, found 0"),
        (classification, {"size_hw": 5}, "size_hw must be a list"),
        (classification, {"frame": -1}, "frame must be a whole number from 0 up"),
        (classification, {"frame": True}, "frame must be a whole number"),
        (classification, {"time_seconds": float("nan")}, "time_seconds must be a number"),
        (classification, {"_pixels": 3}, "_pixels must be a function"),
        (classification, {"labels": ()}, "at least one Label, found none"),
        (classification, {"labels": ["cat"]}, "at least one Label"),
        (classification, {"labels": (CAT, Label(1, "b", 0.9))}, "best first"),
        (classification, {"group": "animal"}, "group must be a Group"),
        (classification, {"unknown": 1}, "unknown must be true or false"),
        (classification, {"accepted": "cat"}, "accepted must be a list"),
        (classification, {"prediction_set": [1]}, "each of prediction_set must be a string"),
        (detected, {"boxes_xyxy": [[1, 0, 0, 1]]}, "x1 <= x2"),
        (detected, {"boxes_xyxy": [[0, 0, 1, np.inf]]}, "finite"),
        (detected, {"boxes_xyxy": [["a"] * 4]}, "numbers"),
        (detected, {"scores": [1.5]}, "scores must be from 0 to 1, found 1.5"),
        (detected, {"scores": []}, r"scores must have the shape \(1\), found \(0,\)"),
        (detected, {"classes": [1]}, "classes must be from 0 to 0, found 1"),
        (detected, {"classes": [2**70]}, "classes must be numbers"),
        (detected, {"masks": []}, "one Mask for each of 1 boxes"),
        (detected, {"masks": [Mask((1, 1), "1")]}, "size"),
        (detected, {"keypoints": [[1, 2, 3]]}, "keypoints"),
        (detected, {"track_ids": [-1]}, "track_ids must be from 0 up"),
        (segmented, {"class_map": np.zeros((5, 4), int)}, r"shape \(4, 5\), found \(5, 4\)"),
        (segmented, {"class_map": []}, "shape"),
        (segmented, {"class_map": np.full((4, 5), 2)}, "from 0 to 1, found 2"),
        (segmented, {"class_map": np.full((4, 5), -1)}, "fit uint8"),
        (segmented, {"names": ["a", "a"]}, "different"),
        (segmented, {"ignore_index": 1}, "from 2 to 65535"),
        (Caption, {**COMMON, "text": 3}, "text must be a string"),
        (Embedding, {**COMMON, "vector": []}, "at least one value"),
        (Embedding, {**COMMON, "vector": [float("nan")]}, "finite"),
        (Embedding, {**COMMON, "vector": [1], "space": 3}, "space must be a string"),
        (Label, {"index": -1, "name": "a", "confidence": 0.5}, "index of a label"),
        (Label, {"index": 1.5, "name": "a", "confidence": 0.5}, "index of a label"),
        (Label, {"index": 1, "name": "a", "confidence": 1.01}, "from 0 to 1, found 1.01"),
        (Label, {"index": 1, "name": "a", "confidence": "0.5"}, "from 0 to 1"),
        (Group, {"name": "a", "confidence": float("nan")}, "from 0 to 1"),
        (ImageFailure, {"source": "a", "kind": "b", "message": None}, "message must be a string"),
    ],
)
def test_refusals(make, changes, message):
    with pytest.raises(UsageError, match=message):
        make(**changes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "must be an object"),
        ({}, "'schema', found only"),
        ({"schema": 2}, "must have schema 1, found 2"),
        ({"schema": 1, "task": "sing"}, "one of classify, detect, segment, caption, embed, found 'sing'"),
        ({"schema": 1, "task": ["classify"]}, "task must be a string"),
        ({"schema": 1, "error": "bad", "source": "a"}, "must be an object where 'kind'"),
        ({"schema": 1, "task": "caption", "source": "a"}, "must have 'size_hw'"),
    ],
)
def test_json_that_is_no_result(content, message):
    with pytest.raises(UsageError, match=message):
        result_from_dict(content)


def test_json_of_segments_must_be_whole():
    content = segmented().to_dict()
    content["segments"][0]["mask"] = Mask.from_array(np.eye(4, 5, dtype=bool)).to_coco()
    with pytest.raises(UsageError, match="cover every pixel"):
        result_from_dict(content)
    with pytest.raises(UsageError, match="share pixels"):
        result_from_dict({**content, "segments": content["segments"] * 2})
    content["segments"][0]["mask"] = Mask((1, 1), "1").to_coco()
    with pytest.raises(UsageError, match="image's size"):
        result_from_dict(content)


def test_json_of_another_task():
    with pytest.raises(UsageError, match="task of a Caption must be 'caption', found 'classify'"):
        Caption.from_dict(classification().to_dict())


@given(st.data())
def test_damaged_json_is_refused_with_a_reason(data):
    whole = data.draw(classifications() | detections() | segmentations() | embeddings | failures).to_dict()
    spoiled = json.loads(json.dumps(whole))
    place = spoiled
    while isinstance(place, (dict, list)) and place:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], (dict, list)) or data.draw(st.booleans()):
            place[key] = data.draw(st.sampled_from([None, -1, 1.5, "x", [], {}, [[]], [{}], 10**30, True]))
            break
        place = place[key]
    try:
        restored = result_from_dict(spoiled)
    except UsageError as error:
        assert "\n" not in str(error)
    else:
        json.dumps(restored.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (classification(labels=(CAT, Label(1, "lynx", 0.001))), "photos/cat.jpg: tabby cat 83%, lynx <1%"),
        (classification(labels=(Label(1, "a", 0.999),)), "photos/cat.jpg: a >99%"),
        (classification(labels=(Label(1, "a", 1),)), "photos/cat.jpg: a 100%"),
        (classification(labels=(CAT,) * 4), "photos/cat.jpg: tabby cat 83%, tabby cat 83%, tabby cat 83%, …"),
        (classification(unknown=True), "photos/cat.jpg: unknown (nearest: tabby cat 83%)"),
        (classification(unknown=False), "photos/cat.jpg: tabby cat 83%"),
        (classification(accepted=("tabby cat", "sofa")), "photos/cat.jpg: tabby cat 83%, sofa"),
        (classification(accepted=()), "photos/cat.jpg: none of the labels (nearest: tabby cat 83%)"),
        (classification(group=Group("animal", 0.97)), "photos/cat.jpg: animal 97% (tabby cat 83%)"),
        (classification(frame=2, time_seconds=0.08), "photos/cat.jpg frame 2 at 0.08 s: tabby cat 83%"),
        (detected(), "photos/cat.jpg: 1 a"),
        (detected(boxes_xyxy=[], scores=[], classes=[]), "photos/cat.jpg: nothing detected"),
        (segmented(), "photos/cat.jpg: a 100%"),
        (Caption(**COMMON, text="A cat\nsleeps."), "photos/cat.jpg: A cat sleeps."),
        (Embedding(**COMMON, vector=[1, 2], space="sha256:1"), "photos/cat.jpg: 2 values in sha256:1"),
        (ImageFailure("bad.jpg", "unreadable_image", "cut short"), "bad.jpg: cut short"),
        (detected(track_ids=[3])[0], "a #3 50%"),
    ],
)
def test_one_line(result, line):
    assert str(result) == line


def test_public_names():
    assert sorted(beholder.result.__all__, key=str.lower) == sorted(set(beholder.result.__all__), key=str.lower)
    assert all(hasattr(beholder.result, name) for name in beholder.result.__all__)
    assert RESULT_SCHEMA_VERSION == 1


def test_importing_loads_no_pillow():
    check = "import sys, beholder.result; print(*sorted({'PIL', 'json', 'onnxruntime'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", check], check=True, capture_output=True, text=True)
    assert run.stdout.split() == []
