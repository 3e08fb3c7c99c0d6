"""Frames of a video file or a camera, with their time stamps, by OpenCV (an optional package)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from weakref import ref

from beholder.errors import ImageError, ImageTooLarge, SourceNotFound, UnreadableImage, UnsupportedImage
from beholder.image.decode import check_pixels
from beholder.image.input import Input, failing
from beholder.image.limits import Limits, raise_it


def video_frames(path: str, limits: Limits, every: int = 1) -> Iterator[Input]:
    """The frames of a video file, one in `every`, each with its number and its time.

    A frame's pixels are held until they are loaded; when they are asked for again, the file is read again.
    """
    reason = "not a readable video: no decoder opens it; convert it to MP4 (H.264)"
    return _frames(path, path, UnreadableImage(path, reason), limits, every)


def camera_frames(number: int, limits: Limits, every: int = 1) -> Iterator[Input]:
    """The frames of a camera, one in `every`, until it is unplugged or nobody asks for more.

    A frame can be loaded any number of times before the next one is asked for, and after that once at most.
    """
    name = f"camera:{number}"
    error = SourceNotFound(name, "no such camera, or another program uses it")
    return _frames(number, name, error, limits, every)


def _frames(source: str | int, name: str, unopened: ImageError, limits: Limits, every: int) -> Iterator[Input]:
    try:
        import cv2
    except ImportError:
        reason = "videos and cameras need OpenCV; install it with: pip install 'beholder[video]'"
        yield failing(UnsupportedImage(name, reason))
        return
    capture = _open(cv2, source)
    if not capture.isOpened():
        yield failing(unopened)
        return
    try:
        yield from _captured(cv2, capture, source, name, limits, every)
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


def _captured(cv2: Any, capture: Any, source: str | int, name: str, limits: Limits, every: int) -> Iterator[Input]:
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
            reason = f"more than the {limits.max_frames:,} frames allowed; {raise_it('max_frames')}"
            yield failing(ImageTooLarge(name, reason), number)
            return
        if number % every == 0:
            pixels = _retrieved(cv2, capture)  # of a camera, this keeps them until the next frame is asked for
            if pixels is None:
                yield failing(UnreadableImage(name, f"frame {number:,} cannot be decoded"), number)
            elif isinstance(source, int):
                seconds = time.monotonic() - started
                yield Input(name, _Frame(pixels, partial(_gone, name)), number, round(seconds, 6), live=True)
            else:
                shown_ms = float(capture.get(cv2.CAP_PROP_POS_MSEC))
                again = partial(_read_again, source, number, shown_ms)
                yield Input(name, _Frame(pixels, again), number, round(shown_ms / 1000, 6))
        number += 1
    if number == 0:
        yield failing(UnreadableImage(name, "not a readable video: it has no frames"))


def _retrieved(cv2: Any, capture: Any) -> Any:
    good, frame = capture.retrieve()
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB) if good else None


class _Frame:
    """Gives pixels that it keeps alive until they are asked for, so that results can be kept by the thousand."""

    __slots__ = ("_again", "_pixels", "_seen")

    def __init__(self, pixels: Any, again: Callable[[], Any]) -> None:
        self._pixels: Any = pixels
        self._seen: ref[Any] | None = None
        self._again = again

    def __call__(self) -> Any:
        pixels = self._pixels
        if pixels is None:
            pixels = self._seen() if self._seen is not None else None
            return self._again() if pixels is None else pixels
        self._seen = ref(pixels)  # before the other is let go: several threads may load a frame
        self._pixels = None
        return pixels


def _gone(name: str) -> Any:
    raise SourceNotFound(name, "the frame of a camera is not kept; draw it before the next one is asked for")


def _read_again(path: str, number: int, shown_ms: float) -> Any:
    """A frame of a video file by its number: sought, or found by counting where seeking leads to another frame."""
    import cv2

    if not os.path.exists(path):
        raise SourceNotFound(path, "no such file")
    for seek in (True, False):
        capture = _open(cv2, path)
        try:
            if seek:
                found = capture.set(cv2.CAP_PROP_POS_FRAMES, number) and capture.grab()
                found = found and abs(capture.get(cv2.CAP_PROP_POS_MSEC) - shown_ms) < 0.5
            else:
                found = all(capture.grab() for _ in range(number + 1))
            pixels = _retrieved(cv2, capture) if found else None
        finally:
            capture.release()
        if pixels is not None:
            return pixels
    raise UnreadableImage(path, f"frame {number:,} cannot be read again; the file has changed")
