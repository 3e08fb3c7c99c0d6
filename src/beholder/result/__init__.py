"""What is said of an image: result types, boxes, masks and suppression; to JSON, COCO and drawings."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from beholder.result.answer import RESULT_SCHEMA_VERSION, Result
    from beholder.result.boxes import box_areas, box_iou, clip_boxes, xywh_to_xyxy, xyxy_to_xywh
    from beholder.result.caption import Caption
    from beholder.result.classification import Classification, Group, Label
    from beholder.result.coco import coco_annotations, coco_results
    from beholder.result.detections import Detection, Detections
    from beholder.result.embedding import Embedding
    from beholder.result.failure import ImageFailure
    from beholder.result.mask import Mask
    from beholder.result.restoring import result_from_dict
    from beholder.result.segmentation import Segmentation
    from beholder.result.suppression import suppress

__all__ = [
    "RESULT_SCHEMA_VERSION",
    "Caption",
    "Classification",
    "Detection",
    "Detections",
    "Embedding",
    "Group",
    "ImageFailure",
    "Label",
    "Mask",
    "Result",
    "Segmentation",
    "box_areas",
    "box_iou",
    "clip_boxes",
    "coco_annotations",
    "coco_results",
    "result_from_dict",
    "suppress",
    "xywh_to_xyxy",
    "xyxy_to_xywh",
]

_HOMES = {
    "RESULT_SCHEMA_VERSION": "beholder.result.answer",
    "Caption": "beholder.result.caption",
    "Classification": "beholder.result.classification",
    "Detection": "beholder.result.detections",
    "Detections": "beholder.result.detections",
    "Embedding": "beholder.result.embedding",
    "Group": "beholder.result.classification",
    "ImageFailure": "beholder.result.failure",
    "Label": "beholder.result.classification",
    "Mask": "beholder.result.mask",
    "Result": "beholder.result.answer",
    "Segmentation": "beholder.result.segmentation",
    "box_areas": "beholder.result.boxes",
    "box_iou": "beholder.result.boxes",
    "clip_boxes": "beholder.result.boxes",
    "coco_annotations": "beholder.result.coco",
    "coco_results": "beholder.result.coco",
    "result_from_dict": "beholder.result.restoring",
    "suppress": "beholder.result.suppression",
    "xywh_to_xyxy": "beholder.result.boxes",
    "xyxy_to_xywh": "beholder.result.boxes",
}


def __getattr__(name: str) -> Any:
    """Load a type when it is first used: a classifier needs no masks."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
