"""HTTP as a hub needs it: one place that opens connections, follows redirects, and resumes what was cut off.

Nothing is taken on trust. A redirect leads to https only (from a hub on this machine: to this machine only), the token
goes to the hub's own address only, and every answer has a size that it must not exceed.
"""

from __future__ import annotations

import ipaddress
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import SplitResult, urljoin, urlsplit

from beholder.errors import HubError, Offline, OutputFailed, UsageError

Progress = Callable[[int, int], None]
"""Called now and then with how many bytes are here, and how many there will be."""

OFFLINE_VARIABLES: Final = ("BEHOLDER_OFFLINE", "HF_HUB_OFFLINE")

_BLOCK: Final = 2**18
_MAX_REDIRECTS: Final = 5
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_PASSING: Final = (408, 425, 429, 500, 502, 503, 504)
"""Answers that may differ when the question is put again."""

_ENOUGH: Final = 2**20
"""Bytes that must arrive for a cut connection not to count as a failure."""

_MAX_WAIT_SECONDS: Final = 30.0
_USER_AGENT: Final = "beholder"


def offline_variable() -> str | None:
    """The environment variable that forbids the network; None when none does."""
    for name in OFFLINE_VARIABLES:
        if os.environ.get(name, "").strip().lower() not in ("", "0", "no", "off", "false"):
            return name
    return None


@dataclass(frozen=True, slots=True)
class Web:
    """The way to one hub.

    Attributes:
        endpoint: its address, https; http only on this machine.
        token: proves who asks, to the hub itself and to nobody else; None to ask as anybody.
        timeout_seconds: the longest silence on a connection.
        attempts: how many times in a row a connection may fail.
        pause_seconds: how long to wait after the first failure; twice as long after each further one.

    Raises:
        UsageError: the endpoint or the token cannot be used.
    """

    endpoint: str
    token: str | None = None
    timeout_seconds: float = 30.0
    attempts: int = 5
    pause_seconds: float = 0.5

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.endpoint)
            usable = bool(parts.hostname) and parts.username is None and parts.port != 0
        except ValueError:
            usable = False
        if not usable or parts.query or parts.fragment:
            raise UsageError(f"the address of a hub must be like https://huggingface.co, found {self.endpoint!r}")
        if parts.scheme != "https" and not _is_here(parts):
            raise UsageError(f"the address of a hub must begin with https://, found {self.endpoint!r}")
        if self.token is not None and not (self.token.isascii() and self.token.isprintable() and " " not in self.token):
            raise UsageError("the token of the hub holds characters that no token has")

    def get(self, url: str, limit: int) -> bytes:
        """Fetch a small answer.

        Raises:
            Offline: the network may not be used.
            HubError: it cannot be had, or is larger than `limit` bytes.
        """

        def read(_: int) -> bytes:
            with self._open(url, {}) as response:
                data = response.read(limit + 1)
            if len(data) > limit:
                raise HubError(f"{url}: must be at most {limit:,} bytes, found more")
            announced = response.headers.get("Content-Length", "")
            if announced.isdecimal() and len(data) < int(announced):
                raise ConnectionError("the connection was closed early")
            return data

        return self._persist(url, read)

    def download(self, url: str, part: Path, size: int, progress: Progress | None) -> None:
        """Fetch a file; what is in `part` already is not fetched again.

        Args:
            url: where it is.
            part: where its bytes are gathered; at the end it has `size` bytes.
            size: how many bytes it has.
            progress: told how it goes.

        Raises:
            Offline: the network may not be used.
            HubError: it cannot be had, or has another size.
            OutputFailed: it cannot be written.
        """
        try:
            with open(part, "ab") as stream:
                _lock(stream, part)
                _Download(self, url, stream, size, progress).run()
        except HubError:
            raise
        except OSError as error:
            raise OutputFailed(f"{part}: cannot be written: {error.strerror or error}") from None

    def _persist(self, url: str, attempt: Callable[[int], bytes]) -> bytes:
        failures = 0
        while True:
            try:
                return attempt(failures)
            except _Failure as error:
                failures += 1
                self._pause(url, error, failures)

    def _pause(self, url: str, error: _Failure, failures: int) -> None:
        """Wait before the next attempt, or give up."""
        if failures >= self.attempts or not error.passing:
            raise HubError(f"{_host(url)} cannot be reached: {error.reason}; try again later")
        time.sleep(min(error.wait_seconds or self.pause_seconds * 2 ** (failures - 1), _MAX_WAIT_SECONDS))
