"""Restoring results from their JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beholder.errors import UsageError
from beholder.result import fields
from beholder.result.answer import Result, check_schema
from beholder.result.caption import Caption
from beholder.result.classification import Classification
from beholder.result.detections import Detections
from beholder.result.embedding import Embedding
from beholder.result.failure import ImageFailure
from beholder.result.segmentation import Segmentation

_TASKS: dict[str, type[Result]] = {
    "classify": Classification,
    "detect": Detections,
    "segment": Segmentation,
    "caption": Caption,
    "embed": Embedding,
}


def result_from_dict(content: Mapping[str, Any]) -> Result | ImageFailure:
    """The result that `to_dict` wrote, equal to the original.

    Args:
        content: JSON's own types, as `json.loads` gives them. Keys that are not known are ignored.

    Returns:
        A result without pixels: pass them to `plot`.

    Raises:
        UsageError: another schema version, an unknown task, or a key that is missing or holds what it must not.
    """
    check_schema(content)
    if "error" in content:
        return ImageFailure.from_dict(content)
    task = fields.text(fields.item(content, "task"), "task")
    if task not in _TASKS:
        raise UsageError(f"the task of a result must be one of {', '.join(_TASKS)}, found {task!r}")
    return _TASKS[task].from_dict(content)
