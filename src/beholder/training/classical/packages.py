"""What has to be installed for which baseline."""

from __future__ import annotations

from collections.abc import Collection
from importlib.util import find_spec
from typing import Any, Final

from beholder.errors import MissingPackage

KEY_POINTS: Final = ("sift", "surf")
"""The features that need OpenCV."""


def require_packages(features: Collection[str]) -> None:
    """Find out whether baselines with these features can be had here.

    Raises:
        MissingPackage: a package is not installed, or OpenCV was built without what is asked for.
    """
    needed = {"sklearn": "scikit-learn"}
    if any(name in KEY_POINTS for name in features):
        needed["cv2"] = "opencv-python-headless"
    missing = [package for module, package in needed.items() if find_spec(module) is None]
    if missing:
        raise MissingPackage(
            f"baselines need {', '.join(missing)}; install them with: pip install 'beholder[classical]'"
        )
    if "surf" in features and not has_surf():
        raise MissingPackage(
            "surf needs an OpenCV that was built with its contributed and its non-free modules, and this one was not; "
            "leave it out of --features"
        )


def has_surf() -> bool:
    """Whether the OpenCV that is installed has SURF; most have not, for it was patented."""
    if find_spec("cv2") is None:
        return False
    import cv2

    opencv: Any = cv2
    try:
        opencv.xfeatures2d.SURF_create()
    except (AttributeError, opencv.error):
        return False
    return True
