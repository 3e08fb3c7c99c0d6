"""Detections in the form of COCO."""

import json

import numpy as np
import pytest

from beholder.errors import UsageError
from beholder.result import Detections, Mask, coco_annotations, coco_results


def found(source="a.jpg", **changes):
    usual = {
        "source": source,
        "size_hw": (40, 50),
        "model": "m",
        "boxes_xyxy": [[1, 2, 4, 6.5], [0, 0, 10, 10]],
        "scores": [0.9, 0.25],
        "classes": [1, 0],
        "names": ["cat", "dog"],
    }
    return Detections(**{**usual, **changes})


def nothing(source="b.jpg"):
    return found(source, boxes_xyxy=[], scores=[], classes=[])


def test_results():
    assert coco_results([found(), nothing()], image_ids=[42, 7]) == [
        {"image_id": 42, "category_id": 2, "bbox": [1.0, 2.0, 3.0, 4.5], "score": 0.9},
        {"image_id": 42, "category_id": 1, "bbox": [0.0, 0.0, 10.0, 10.0], "score": 0.25},
    ]
    assert [entry["category_id"] for entry in coco_results([found()], image_ids=[1], category_ids=[17, 18])] == [18, 17]
    assert coco_results([], image_ids=[]) == []


def test_extras():
    mask = Mask.from_array(np.tri(40, 50, dtype=bool))
    full = found(masks=[mask, mask], keypoints=[[[1, 2, 2], [0, 0, 0]]] * 2, track_ids=[3, 4])
    entry = coco_results([full], image_ids=[1])[0]
    assert entry["segmentation"] == mask.to_coco()
    assert entry["keypoints"] == [1.0, 2.0, 2.0, 0.0, 0.0, 0.0]
    assert entry["num_keypoints"] == 1
    assert entry["track_id"] == 3
    assert coco_annotations([full])["annotations"][0]["area"] == mask.area


def test_annotations():
    written = json.loads(json.dumps(coco_annotations([found(), nothing()])))
    assert written["images"] == [
        {"id": 1, "file_name": "a.jpg", "height": 40, "width": 50},
        {"id": 2, "file_name": "b.jpg", "height": 40, "width": 50},
    ]
    assert written["categories"] == [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    assert written["annotations"][0] == {
        "id": 1,
        "image_id": 1,
        "category_id": 2,
        "bbox": [1.0, 2.0, 3.0, 4.5],
        "score": 0.9,
        "area": 13.5,
        "iscrowd": 0,
    }
    assert [entry["id"] for entry in written["annotations"]] == [1, 2]
    assert coco_annotations([], category_ids=[3]) == {"images": [], "annotations": [], "categories": []}


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools with numpy 2
def test_pycocotools_reads_them():
    coco = pytest.importorskip("pycocotools.coco")
    mask = Mask.from_array(np.tri(40, 50, dtype=bool))
    index = coco.COCO()
    index.dataset = coco_annotations([found(masks=[mask, mask]), nothing()])
    index.createIndex()
    assert np.array_equal(index.annToMask(index.loadAnns(1)[0]), mask.to_array())
    results = index.loadRes(coco_results([found()], image_ids=[1]))
    assert results.loadAnns(1)[0]["area"] == 13.5


@pytest.mark.parametrize(
    ("results", "options", "message"),
    [
        ([found()], {"image_ids": [1, 2]}, "1 different numbers, found 2"),
        ([found(), found()], {"image_ids": [1, 1]}, "2 different numbers"),
        ([found()], {"image_ids": [1], "category_ids": [1]}, "category_ids must be 2 different numbers"),
        ([found(), found(names=["dog", "cat"])], {"image_ids": [1, 2]}, "same class names"),
    ],
)
def test_refusals(results, options, message):
    with pytest.raises(UsageError, match=message):
        coco_results(results, **options)
