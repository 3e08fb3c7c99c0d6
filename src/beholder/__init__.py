"""Beholder: image recognition in one file, offline, with honest answers.

    import beholder

    model = beholder.load("efficientnet-lite0")
    result = model.predict("cat.jpg")
    result.label, result.confidence

Nothing is loaded until it is used: importing this package imports no other.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from beholder import data
    from beholder.auditing import Audit, Finding, audit
    from beholder.errors import BeholderError, ImageError, ModelError, UsageError
    from beholder.evaluation import Comparison, Evaluation, compare, evaluate
    from beholder.evaluation.explaining import Explanation, explain
    from beholder.image import Image, Limits
    from beholder.model import FileModel, Model, ModelCard
    from beholder.result import (
        Caption,
        Classification,
        Detections,
        Embedding,
        Group,
        ImageFailure,
        Label,
        Result,
        Segmentation,
        result_from_dict,
    )
    from beholder.training import Recipe, train
    from beholder.zoo import load

__version__ = "0.1.0"

__all__ = [
    "Audit",
    "BeholderError",
    "Caption",
    "Classification",
    "Comparison",
    "Detections",
    "Embedding",
    "Evaluation",
    "Explanation",
    "FileModel",
    "Finding",
    "Group",
    "Image",
    "ImageError",
    "ImageFailure",
    "Label",
    "Limits",
    "Model",
    "ModelCard",
    "ModelError",
    "Recipe",
    "Result",
    "Segmentation",
    "UsageError",
    "__version__",
    "audit",
    "compare",
    "data",
    "evaluate",
    "explain",
    "load",
    "result_from_dict",
    "train",
]

_HOMES = {
    "Audit": "beholder.auditing",
    "BeholderError": "beholder.errors",
    "Caption": "beholder.result",
    "Classification": "beholder.result",
    "Comparison": "beholder.evaluation",
    "Detections": "beholder.result",
    "Embedding": "beholder.result",
    "Evaluation": "beholder.evaluation",
    "Explanation": "beholder.evaluation.explaining",
    "FileModel": "beholder.model",
    "Finding": "beholder.auditing",
    "Group": "beholder.result",
    "Image": "beholder.image",
    "ImageError": "beholder.errors",
    "ImageFailure": "beholder.result",
    "Label": "beholder.result",
    "Limits": "beholder.image",
    "Model": "beholder.model",
    "ModelCard": "beholder.model",
    "ModelError": "beholder.errors",
    "Recipe": "beholder.training",
    "Result": "beholder.result",
    "Segmentation": "beholder.result",
    "UsageError": "beholder.errors",
    "audit": "beholder.auditing",
    "compare": "beholder.evaluation",
    "evaluate": "beholder.evaluation",
    "explain": "beholder.evaluation.explaining",
    "load": "beholder.zoo",
    "result_from_dict": "beholder.result",
    "train": "beholder.training",
}


_ROOMS = ("data",)
"""Rooms that are public as they are: `beholder.data.read`."""


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"beholder.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'beholder' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
