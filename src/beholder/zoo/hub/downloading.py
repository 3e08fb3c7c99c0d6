"""Fetching a file over as many connections as it takes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import BinaryIO, Final

from beholder.errors import HubError, OutputFailed
from beholder.zoo.hub.addresses import host
from beholder.zoo.hub.web import Broken, Refused, Web, read

Progress = Callable[[int, int], None]
"""Told now and then how many bytes are here, and how many there will be."""

_BLOCK: Final = 2**18
_ENOUGH: Final = 2**20
"""Bytes that must arrive before a cut connection no longer counts as one failure more."""


def download(web: Web, url: str, part: Path, size: int, progress: Progress | None = None) -> None:
    """Fetch a file; what is in `part` already is not fetched again.

    Args:
        web: the way to the hub.
        url: where the file is.
        part: where its bytes are gathered; at the end it has `size` of them, whatever they are.
        size: how many bytes it must have.
        progress: told how it goes.

    Raises:
        Offline: the network may not be used.
        HubError: it cannot be had, or has another size.
        OutputFailed: it cannot be written.
    """
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "ab") as stream:
            _lock(stream, part)
            _Download(web, url, stream, size, progress).run()
    except OSError as error:
        raise OutputFailed(f"{part}: cannot be written: {error.strerror or error}") from None


@dataclass
class _Download:
    """A file on its way, over as many connections as it takes.

    Attributes:
        web: the way to the hub.
        url: where the file is.
        stream: where its bytes are gathered, open for appending.
        size: how many it has.
        progress: told how it goes.
        version: what the server calls the bytes that it sends; None where it does not say, or only roughly.
    """

    web: Web
    url: str
    stream: BinaryIO
    size: int
    progress: Progress | None
    version: str | None = None

    def run(self) -> None:
        failures = 0
        if self.stream.tell() > self.size:
            self.stream.truncate(0)
        while (start := self.stream.seek(0, os.SEEK_END)) < self.size:
            try:
                self._continue(start)
            except Broken as error:
                failures = 1 if self.stream.tell() - start >= _ENOUGH else failures + 1
                self.web.pause(self.url, error, failures)

    def _continue(self, have: int) -> None:
        """Fetch what is missing on one connection."""
        with self._ask(have) as response:
            if have and not _continues(response, have, self.size):
                self.stream.truncate(0)
                have = 0
                if response.status == 206:
                    raise Broken("the server sent another part than was asked for")
            version = response.headers.get("ETag", "")
            self.version = version if version.startswith('"') else None  # a weak one does not tell bytes apart
            _check_length(response, self.url, self.size - have)
            while have < self.size and (block := read(response, min(_BLOCK, self.size - have))):
                self.stream.write(block)
                have += len(block)
                if self.progress is not None:
                    self.progress(have, self.size)
        if have < self.size:
            raise Broken("the connection was closed early")

    def _ask(self, have: int) -> HTTPResponse:
        headers = {"Range": f"bytes={have}-"} if have else {}
        if have and self.version is not None:
            headers["If-Range"] = self.version
        try:
            return self.web.open(self.url, headers)
        except Refused as error:
            if error.status != 416 or not have:
                raise
            self.stream.truncate(0)  # the server has less than we do: ours is of something else
            raise Broken("the server has another file") from None


def _continues(response: HTTPResponse, have: int, size: int) -> bool:
    """Whether an answer begins where our bytes end, and is of a file of the right size."""
    return response.status == 206 and response.headers.get("Content-Range") == f"bytes {have}-{size - 1}/{size}"


def _check_length(response: HTTPResponse, url: str, expected: int) -> None:
    announced = response.headers.get("Content-Length")
    if announced is not None and announced != str(expected):
        raise HubError(f"{host(url)}: must send {expected:,} bytes, but announces {announced[:20]}")


def _lock(stream: BinaryIO, part: Path) -> None:
    """Keep a second process from writing the same file; the lock ends with the process."""
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HubError(f"{part.name} is being fetched by another process; wait for it") from None
