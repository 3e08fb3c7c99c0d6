"""Frames of a video file or a camera, with their time stamps, by OpenCV (an optional package)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

from beholder.errors import ImageError, ImageTooLarge, MissingPackage, SourceNotFound, UnreadableImage
from beholder.image.decode import check_pixels
from beholder.image.input import Input, failing
from beholder.image.limits import Limits


def video_frames(path: str, limits: Limits, every: int = 1) -> Iterator[Input]:
    """The frames of a video file, one in `every`, each with its number and its time.

    Raises:
        MissingPackage: OpenCV is not installed.
    """
    cv2 = _opencv()
    capture = _open(cv2, path)
    if not capture.isOpened():
        yield failing(UnreadableImage(path, "not a readable video: no decoder opens it; convert it to MP4 (H.264)"))
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
    capture = _open(cv2, number)
    if not capture.isOpened():
        yield failing(SourceNotFound(name, "no such camera, or another program uses it"))
        return
    try:
        yield from _frames(cv2, capture, name, limits, every, live=True)
    finally:
        capture.release()


def _open(cv2: Any, source: str | int) -> Any:
    """Open a video or camera without the notes of OpenCV and FFmpeg to their developers on standard error."""
    logging = cv2.utils.logging
    level = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET; read by OpenCV when it first needs FFmpeg
    try:
        return cv2.VideoCapture(source)
    finally:
        logging.setLogLevel(level)


def _frames(cv2: Any, capture: Any, name: str, limits: Limits, every: int, live: bool) -> Iterator[Input]:
    try:
        check_pixels(
            int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)), name, limits
        )
    except ImageError as error:
        yield failing(error)
        return
    started = time.monotonic()
    number = 0
    while capture.grab():
        if number >= limits.max_frames:
            yield failing(ImageTooLarge(name, f"more than the {limits.max_frames:,} frames allowed"), number)
            return
        if number % every == 0:
            good, frame = capture.retrieve()
            seconds = time.monotonic() - started if live else capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if not good:
                yield failing(UnreadableImage(name, f"frame {number:,} cannot be decoded"), number)
            else:
                yield Input(name, _loaded(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)), number, round(seconds, 6), live)
        number += 1
    if number == 0:
        yield failing(UnreadableImage(name, "not a readable video: it has no frames"))


def _loaded(pixels: Any) -> Any:
    return lambda: pixels


def _opencv() -> Any:
    try:
        import cv2
    except ImportError:
        raise MissingPackage("videos and cameras need OpenCV; install it with: pip install 'beholder[video]'") from None
    return cv2
