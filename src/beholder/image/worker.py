"""Decoding in a process that can be killed without harm to the rest.

A worker is this module run as a program: it reads requests from standard input and writes answers to standard output,
each a length-prefixed JSON head and a payload. It limits its own memory; its parent kills it when time is up. It ends
when its standard input ends, and by an alarm when a decoder never does, so none outlives the program that started it.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from queue import Empty, LifoQueue
from typing import IO, Any, Final, TypeVar

import PIL.Image

from beholder import errors
from beholder.errors import ImageError, ImageTimeout, ImageTooLarge, UnreadableImage
from beholder.image.decode import Decoded, NeededScale, check_bytes, decode, open_image, upright_hw
from beholder.image.limits import Limits, raise_it
from beholder.image.metadata import Location, Metadata

_HEAD: Final = struct.Struct("<IQ")
_MAX_HEAD_BYTES: Final = 2**20
_START_SECONDS: Final = 30.0  # what a busy machine may need to start Python
Answer = TypeVar("Answer")


class DecodingPool:
    """Workers that decode images, started when needed and used again; one for each thread that asks at a time."""

    def __init__(self) -> None:
        self._idle: LifoQueue[_Worker] = LifoQueue()
        self._lock = threading.Lock()
        self._closed = False
        weakref.finalize(self, _end_all, self._idle)  # for the many that are never closed

    def decode(self, data: bytes, source: str, limits: Limits, needed_scale: NeededScale | None) -> Decoded:
        """Decode an image in a worker.

        Raises:
            ImageTimeout: it took longer than `limits.timeout_seconds`; the worker was killed.
            ImageTooLarge: it needed more memory than `limits.worker_memory_bytes`.
            ImageError: as `beholder.image.decode.decode`.
        """
        check_bytes(len(data), source, limits)
        worker = self._take(source, limits)
        try:
            return worker.decode(data, source, needed_scale)
        finally:
            with self._lock:
                if worker.alive and not self._closed:
                    self._idle.put(worker)
                else:
                    worker.close()

    def close(self) -> None:
        """End all workers."""
        with self._lock:
            self._closed = True
        _end_all(self._idle)

    def _take(self, source: str, limits: Limits) -> _Worker:
        while (worker := _next(self._idle)) is not None:
            if worker.alive and worker.limits == limits:
                return worker
            worker.close()
        try:
            return _Worker(limits)
        except (OSError, EOFError) as error:
            reason = f"its decoding worker cannot be started: {str(error) or 'it ends at once'}"
            raise UnreadableImage(source, reason) from None


def _next(idle: LifoQueue[_Worker]) -> _Worker | None:
    try:
        return idle.get_nowait()
    except Empty:
        return None


def _end_all(idle: LifoQueue[_Worker]) -> None:
    while (worker := _next(idle)) is not None:
        worker.close()


class _Worker:
    """A running worker.

    Raises:
        OSError, EOFError: it does not start.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._killed = False
        self._process = subprocess.Popen(  # noqa: S603 - this module, with numbers as its argument
            # -P: a folder of images that happens to be the current one may hold a module of any name
            [sys.executable, "-P", "-m", "beholder.image.worker", json.dumps(asdict(limits))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
        )
        try:
            self._receive_until(time.monotonic() + _START_SECONDS)
        except BaseException:
            self.close()
            raise

    @property
    def alive(self) -> bool:
        return not self._killed and self._process.poll() is None

    def decode(self, data: bytes, source: str, needed_scale: NeededScale | None) -> Decoded:
        """One exchange; two for a JPEG that may be reduced, because by how much depends on the size in its header."""
        deadline = time.monotonic() + self.limits.timeout_seconds
        scale = 1.0
        if needed_scale is not None and data.startswith(b"\xff\xd8"):
            height, width = self._ask({"ask": "size"}, data, source, deadline, lambda head, _: head["size_hw"])
            scale = needed_scale((height, width))
            return self._ask({"ask": "pixels", "scale": scale, "kept": True}, b"", source, deadline, _decoded)
        return self._ask({"ask": "pixels", "scale": scale}, data, source, deadline, _decoded)

    def close(self) -> None:
        """End the process."""
        self._kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):  # bytes that the killed worker did not take
                    stream.close()

    def _kill(self) -> None:
        self._killed = True
        self._process.kill()

    def _ask(
        self,
        request: Mapping[str, Any],
        data: bytes,
        source: str,
        deadline: float,
        understand: Callable[[Mapping[str, Any], bytes], Answer],
    ) -> Answer:
        try:
            head, payload = self._receive_until(deadline, request, data)
            if "error" not in head:
                return understand(head, payload)
            error = _KINDS[head["error"]](source, str(head["reason"]))
        except (OSError, EOFError, ValueError, KeyError, TypeError):
            error = self._lost(source)
        raise error

    def _lost(self, source: str) -> ImageError:
        """Why there is no answer: the process was killed because time was up, or it ended or went wrong by itself."""
        late = self._killed
        self._kill()
        code = self._process.wait()
        if late:
            seconds = f"{self.limits.timeout_seconds:g} seconds"
            return ImageTimeout(source, f"not decoded within {seconds}; {raise_it('timeout_seconds')}")
        reason = f"its decoder crashed (status {code}); only this image is lost"
        return UnreadableImage(source, f"not a readable image: {reason}")

    def _receive_until(
        self, deadline: float, request: Mapping[str, Any] | None = None, data: bytes = b""
    ) -> tuple[dict[str, Any], bytes]:
        """Send a request, if there is one, and receive an answer; the process is killed at the deadline."""
        timer = threading.Timer(max(deadline - time.monotonic(), 0), self._kill)
        timer.daemon = True
        timer.start()
        try:
            if request is not None:
                _send(self._process.stdin, request, data)
            return _receive(self._process.stdout, 3 * self.limits.max_pixels)
        finally:
            timer.cancel()


_KINDS: Final[dict[str, type[ImageError]]] = {
    kind.kind: kind
    for kind in (errors.UnreadableImage, errors.UnsupportedImage, errors.ImageTooLarge, errors.ImageTimeout)
}


def _environment() -> dict[str, str]:
    """The worker must import the same Beholder as its parent, wherever that came from."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _encoded(decoded: Decoded) -> tuple[dict[str, Any], bytes]:
    said = asdict(decoded.metadata())
    said["taken_at"] = said["taken_at"] and said["taken_at"].isoformat()
    size_hw, pixels_wh = list(decoded.size_hw), list(decoded.pil.size)
    return {"size_hw": size_hw, "pixels_wh": pixels_wh, "metadata": said}, decoded.pil.tobytes()


def _decoded(head: Mapping[str, Any], pixels: bytes) -> Decoded:
    """The reverse of `_encoded`; what a worker says is not believed before it is checked.

    Raises:
        ValueError, KeyError, TypeError: it makes no sense.
    """
    (height, width), (pixels_width, pixels_height) = head["size_hw"], head["pixels_wh"]
    said = dict(head["metadata"])
    said["stored_size_hw"] = tuple(said["stored_size_hw"])
    said["taken_at"] = said["taken_at"] and datetime.fromisoformat(said["taken_at"])
    said["location"] = said["location"] and Location(**said["location"])
    pil = PIL.Image.frombytes("RGB", (pixels_width, pixels_height), pixels)
    return Decoded(pil, (int(height), int(width)), partial(replace, Metadata(**said)))


def _send(stream: IO[bytes] | None, head: Mapping[str, Any], payload: bytes) -> None:
    if stream is None:
        raise EOFError
    encoded = json.dumps(head).encode()
    stream.write(_HEAD.pack(len(encoded), len(payload)))
    stream.write(encoded)
    stream.write(payload)
    stream.flush()


def _receive(stream: IO[bytes] | None, max_bytes: int) -> tuple[dict[str, Any], bytes]:
    head_size, payload_size = _HEAD.unpack(_exactly(stream, _HEAD.size))
    if head_size > _MAX_HEAD_BYTES or payload_size > max_bytes:
        raise EOFError
    head: dict[str, Any] = json.loads(_exactly(stream, head_size))
    return head, _exactly(stream, payload_size)


def _exactly(stream: IO[bytes] | None, size: int) -> bytes:
    data = stream.read(size) if stream is not None else b""
    if len(data) < size:
        raise EOFError
    return data


def _limit_memory(limits: Limits) -> None:
    """Cap the address space; a system that has no such limit (Windows) relies on the limit on pixels."""
    try:
        import resource
    except ImportError:
        return
    in_use = 0
    try:
        with open("/proc/self/statm") as statm:
            in_use = int(statm.read().split()[0]) * resource.getpagesize()
    except OSError:
        in_use = 2**30  # macOS maps large shared regions and does not say how large
    most = in_use + limits.worker_memory_bytes
    try:
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ValueError, OSError):
        pass  # a stricter limit is in force already


def _end_after(seconds: float) -> None:
    """End this process after a while, even inside a decoder; 0 for never.

    Where there are no alarms (Windows), only the parent kills it.
    """
    import signal

    if sys.platform != "win32":
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _ignore_interrupts() -> None:
    """Control-C in a terminal reaches every process there; what happens then is for the parent to decide."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _answer(request: Mapping[str, Any], data: bytes, limits: Limits) -> tuple[dict[str, Any], bytes]:
    try:
        if request["ask"] == "size":
            height, width = upright_hw(open_image(data, "", limits))
            return {"size_hw": [height, width]}, b""
        scale = float(request["scale"])
        return _encoded(decode(data, "", limits, lambda _: scale))
    except ImageError as error:
        return {"error": error.kind, "reason": error.reason}, b""
    except MemoryError:
        reason = f"decoding needs more than the {limits.worker_memory_bytes:,} bytes of memory allowed"
        return {"error": ImageTooLarge.kind, "reason": reason}, b""


def main() -> None:
    """Serve requests until standard input ends."""
    limits = Limits(**json.loads(sys.argv[1]))
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not come between the answers
    _ignore_interrupts()
    PIL.Image.MAX_IMAGE_PIXELS = (limits.max_pixels + 1) // 2  # Pillow refuses twice as many, also of inner images
    PIL.Image.init()
    _limit_memory(limits)
    _send(answers, {"ready": True}, b"")
    kept = b""
    while True:
        try:
            request, data = _receive(requests, limits.max_bytes + 1)
        except EOFError:
            return
        if request.get("kept"):  # the pixels of the image whose size was just asked for
            data = kept
        kept = data if request["ask"] == "size" else b""
        _end_after(limits.timeout_seconds + 1)
        head, payload = _answer(request, data, limits)
        _send(answers, head, payload)
        _end_after(0)
        del data, head, payload


if __name__ == "__main__":
    main()
