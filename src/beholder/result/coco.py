"""Detections as COCO writes them: a list of results to be scored, or a file of annotations to be looked at.

Format: https://cocodataset.org/#format-data and https://cocodataset.org/#format-results.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from beholder.errors import UsageError
from beholder.result import fields
from beholder.result.boxes import xyxy_to_xywh
from beholder.result.detections import Detection, Detections


def coco_results(
    results: Sequence[Detections], *, image_ids: Sequence[int], category_ids: Sequence[int] | None = None
) -> list[dict[str, Any]]:
    """What COCO's evaluation reads: one entry for each thing found.

    Args:
        results: of models with the same class names.
        image_ids: COCO's number of each image, in the order of the results.
        category_ids: COCO's number of each class; the class index plus 1 when left out.

    Returns:
        Entries with `image_id`, `category_id`, `bbox` as x, y, width and height in pixels of the image, `score`, and
        where there are any `segmentation` as run lengths, `keypoints` as a flat list, and `track_id`.

    Raises:
        UsageError: lengths or class names do not belong together.
    """
    categories = _category_ids(results, category_ids)
    return [
        _entry(found, image, categories[found.index])
        for image, result in _numbered(results, image_ids)
        for found in result
    ]


def coco_annotations(
    results: Sequence[Detections], *, image_ids: Sequence[int] | None = None, category_ids: Sequence[int] | None = None
) -> dict[str, Any]:
    """What COCO's tools read as a file of annotations: what was found, taken as true.

    Args:
        results: of models with the same class names.
        image_ids: COCO's number of each image, in the order of the results; from 1 up when left out.
        category_ids: COCO's number of each class; the class index plus 1 when left out.

    Returns:
        `{"images": …, "annotations": …, "categories": …}`; an annotation has what `coco_results` gives, and `id`,
        `area` in pixels, and `iscrowd`.

    Raises:
        UsageError: lengths or class names do not belong together.
    """
    categories = _category_ids(results, category_ids)
    numbered = _numbered(results, range(1, len(results) + 1) if image_ids is None else image_ids)
    entries = [
        {**_entry(found, image, categories[found.index]), "area": _area(found), "iscrowd": 0}
        for image, result in numbered
        for found in result
    ]
    names = results[0].names if results else ()
    return {
        "images": [
            {"id": image, "file_name": result.source, "height": result.size_hw[0], "width": result.size_hw[1]}
            for image, result in numbered
        ],
        "annotations": [{"id": number, **entry} for number, entry in enumerate(entries, start=1)],
        "categories": [{"id": number, "name": name} for number, name in zip(categories, names, strict=True)],
    }


def _entry(found: Detection, image_id: int, category_id: int) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "image_id": image_id,
        "category_id": category_id,
        "bbox": fields.plain(xyxy_to_xywh([found.box_xyxy])[0]),
        "score": found.confidence,
    }
    if found.mask is not None:
        entry["segmentation"] = found.mask.to_coco()
    if found.keypoints is not None:
        entry["keypoints"] = fields.plain(found.keypoints.ravel())
        entry["num_keypoints"] = int((found.keypoints[:, 2] > 0).sum())
    if found.track_id is not None:
        entry["track_id"] = found.track_id
    return entry


def _area(found: Detection) -> float:
    left, top, right, bottom = found.box_xyxy
    return float((right - left) * (bottom - top) if found.mask is None else found.mask.area)


def _numbered(results: Sequence[Detections], image_ids: Sequence[int]) -> list[tuple[int, Detections]]:
    if len(image_ids) != len(results) or len(set(image_ids)) != len(image_ids):
        raise UsageError(f"image_ids must be {len(results)} different numbers, found {len(image_ids)}")
    return [(fields.whole(image, "an image id"), result) for image, result in zip(image_ids, results, strict=True)]


def _category_ids(results: Sequence[Detections], category_ids: Sequence[int] | None) -> Sequence[int]:
    if not results:
        return []
    names = results[0].names
    if any(result.names != names for result in results):
        raise UsageError("results must have the same class names to be written together")
    if category_ids is None:
        return range(1, len(names) + 1)
    if len(category_ids) != len(names) or len(set(category_ids)) != len(names):
        raise UsageError(f"category_ids must be {len(names)} different numbers, found {len(category_ids)}")
    return [fields.whole(category, "a category id") for category in category_ids]
