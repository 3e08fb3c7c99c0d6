"""Whole networks, trained in torch: from scratch, or fine-tuned. The only room that imports it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from beholder.errors import MissingPackage

NEEDED: Final = ("torch", "torchvision", "timm", "lightning_fabric", "onnxscript", "onnxslim")


def missing_packages() -> list[str]:
    """What networks need and is not installed; nothing is imported."""
    return [name for name in NEEDED if find_spec(name) is None]


def require_packages() -> None:
    """Find out whether networks can be trained here; nothing is imported.

    Raises:
        MissingPackage: a package is not installed.
    """
    missing = missing_packages()
    if missing:
        raise MissingPackage(
            f"networks need {', '.join(missing)}; install what they need with: pip install 'beholder[train]'"
        )
