"""Frames of a video file or a camera, with their time stamps, by OpenCV (an optional package)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from beholder.errors import ImageError, MissingPackage, SourceNotFound, UnreadableImage
from beholder.image.limits import Limits
from beholder.image.sources import Input


def video_frames(path: str, limits: Limits, every: int = 1) -> Iterator[Input]:
    """The frames of a video file, one in `every`, each with its number and its time.

    Raises:
        MissingPackage: OpenCV is not installed.
    """
    cv2 = _opencv()
    capture = cv2.VideoCapture(path)
    if not capture.isOpened():
        yield _failing(UnreadableImage(path, "not a readable video: no decoder opens it; convert it to MP4 (H.264)"))
        return
    try:
        yield from _frames(cv2, capture, path, limits, every, live=False)
    finally:
        capture.release()


def camera_frames(number: int, limits: Limits, every: int = 1) -> Iterator[Input]:
    """The frames of a camera, one in `every`, until it is unplugged or nobody asks for more.

    Raises:
        MissingPackage: OpenCV is not installed.
    """
    cv2 = _opencv()
    name = f"camera:{number}"
    capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        yield _failing(SourceNotFound(name, "no such camera, or another program uses it"))
        return
    try:
        yield from _frames(cv2, capture, name, limits, every, live=True)
    finally:
        capture.release()


def _frames(cv2: Any, capture: Any, name: str, limits: Limits, every: int, live: bool) -> Iterator[Input]:
    started = time.monotonic()
    number = 0
    while number < limits.max_frames and capture.grab():
        if number % every == 0:
            good, frame = capture.retrieve()
            seconds = time.monotonic() - started if live else capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if not good:
                yield _failing(UnreadableImage(name, f"frame {number:,} cannot be decoded"), number)
            else:
                yield Input(name, _loaded(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)), number, round(seconds, 6), live)
        number += 1
    if number == 0:
        yield _failing(UnreadableImage(name, "not a readable video: it has no frames"))


def _loaded(pixels: Any) -> Any:
    return lambda: pixels


def _failing(error: ImageError, frame: int | None = None) -> Input:
    def load() -> Any:
        raise error

    return Input(error.source, load, frame)


def _opencv() -> Any:
    try:
        import cv2
    except ImportError:
        raise MissingPackage("videos and cameras need OpenCV; install it with: pip install 'beholder[video]'") from None
    return cv2
