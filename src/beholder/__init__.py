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
    from beholder.errors import BeholderError, ImageError, ModelError, UsageError
    from beholder.evaluation import Evaluation
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
    "BeholderError",
    "Caption",
    "Classification",
    "Detections",
    "Embedding",
    "Evaluation",
    "FileModel",
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
    "load",
    "result_from_dict",
    "train",
]

_HOMES = {
    "BeholderError": "beholder.errors",
    "Caption": "beholder.result",
    "Classification": "beholder.result",
    "Detections": "beholder.result",
    "Embedding": "beholder.result",
    "Evaluation": "beholder.evaluation",
    "FileModel": "beholder.model",
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
    "load": "beholder.zoo",
    "result_from_dict": "beholder.result",
    "train": "beholder.training",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'beholder' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
