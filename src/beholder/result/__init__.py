"""What is said of an image: result types, boxes, masks and suppression; to JSON, COCO and drawings."""

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
