"""HTTP as a hub needs it: the one place that opens connections and follows redirects.

Nothing is taken on trust. A redirect leads to https only (from a hub on this machine: to this machine only), the token
goes to the hub's own address only, and no answer may be longer than it should be.
"""

from __future__ import annotations

import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPException, HTTPResponse
from typing import Final
from urllib.parse import urlsplit

from beholder.errors import HubError, Offline, UsageError
from beholder.zoo.hub.addresses import host, is_here, joined, offline_variable, origin, split

_MAX_REDIRECTS: Final = 5
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_PASSING: Final = (408, 425, 429, 500, 502, 503, 504)
"""Answers that may differ when the question is put again."""

_MAX_PAUSE_SECONDS: Final = 30.0


class Refused(HubError):
    """The hub's answer is no.

    Attributes:
        status: the HTTP status.
        reason: the hub's own word for why; empty when it gives none.
    """

    def __init__(self, text: str, status: int, reason: str) -> None:
        super().__init__(text)
        self.status = status
        self.reason = reason


class Broken(Exception):
    """A connection failed in a way that may pass.

    Attributes:
        pause_seconds: how long the other side asks to wait; None when it does not say.
    """

    def __init__(self, reason: str, pause_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.pause_seconds = pause_seconds


@dataclass(frozen=True)
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
    token: str | None = field(default=None, repr=False)
    timeout_seconds: float = 30.0
    attempts: int = 5
    pause_seconds: float = 0.5

    def __post_init__(self) -> None:
        parts = split(self.endpoint)
        if parts is None or parts.query or parts.fragment or not (parts.scheme == "https" or is_here(parts)):
            raise UsageError(f"the address of a hub must be like https://huggingface.co, found {self.endpoint!r}")
        if self.token is not None and not (self.token.isascii() and self.token.isprintable() and " " not in self.token):
            raise UsageError("the token for the hub holds characters that no token has")

    def get(self, url: str, limit: int) -> bytes:
        """Fetch a small answer.

        Raises:
            Offline: the network may not be used.
            HubError: it cannot be had, or is larger than `limit` bytes.
        """
        failures = 0
        while True:
            try:
                with self.open(url, {}) as response:
                    data = _read_all(response, limit)
            except Broken as error:
                failures += 1
                self.pause(url, error, failures)
            else:
                if len(data) > limit:
                    raise HubError(f"{url}: must be at most {limit:,} bytes, found more")
                return data

    def pause(self, url: str, error: Broken, failures: int) -> None:
        """Wait before the next attempt, or give up.

        Raises:
            HubError: it has failed often enough.
        """
        if failures >= self.attempts:
            raise HubError(f"{host(url)}: {error}, {failures} times; try again later: what has arrived is kept")
        time.sleep(min(error.pause_seconds or self.pause_seconds * 2 ** (failures - 1), _MAX_PAUSE_SECONDS))

    def open(self, url: str, headers: Mapping[str, str]) -> HTTPResponse:
        """Ask for a URL, and for where it redirects to; the only place from which the network is used.

        Raises:
            Offline: the network may not be used.
            Refused: the answer is no.
            HubError: it cannot be asked, or redirects to where it must not.
        """
        variable = offline_variable()
        if variable is not None:
            raise Offline(f"the network may not be used, as {variable} is set; unset it to fetch from {host(url)}")
        for _ in range(_MAX_REDIRECTS + 1):
            request = urllib.request.Request(url, headers={"User-Agent": "beholder", **headers})  # noqa: S310 - checked
            if self.token is not None and origin(url) == origin(self.endpoint):
                request.add_header("Authorization", f"Bearer {self.token}")
            try:
                response: HTTPResponse = self._opener.open(request, timeout=self.timeout_seconds)
            except urllib.error.HTTPError as error:
                with error:
                    if error.code not in _REDIRECTS:
                        raise _refusal(url, error) from None
                    url = self._redirected(url, error.headers.get("Location"))
                continue
            except (OSError, HTTPException) as error:
                raise _unreachable(url, error) from None
            if response.headers.get("Content-Encoding", "identity") != "identity":
                response.close()
                raise HubError(f"{host(url)} sends files in an encoding that was not asked for")
            return response
        raise HubError(f"{host(url)} redirects more than {_MAX_REDIRECTS} times")

    def _redirected(self, url: str, location: str | None) -> str:
        """Where a redirect leads, if it may lead there."""
        target = joined(url, location or "")
        parts = split(target)
        here = self._on_this_machine
        if location is None or parts is None or not (is_here(parts) if here else parts.scheme == "https"):
            where = "another machine than this one" if here else "something else than https"
            raise HubError(f"{host(url)} redirects to {where} ({target[:100]!r}), which is not followed")
        return target

    @property
    def _on_this_machine(self) -> bool:
        return is_here(urlsplit(self.endpoint))

    @cached_property
    def _opener(self) -> urllib.request.OpenerDirector:
        """Knows http and https: no files, no FTP; it follows no redirect by itself."""
        opener = urllib.request.OpenerDirector()
        handlers: list[urllib.request.BaseHandler] = [
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
        ]
        if not self._on_this_machine:
            handlers.append(urllib.request.ProxyHandler())
        for handler in handlers:
            opener.add_handler(handler)
        return opener


def _read_all(response: HTTPResponse, limit: int) -> bytes:
    """A whole answer, or its first `limit + 1` bytes."""
    data = b""
    while len(data) <= limit and (block := read(response, limit + 1 - len(data))):
        data += block
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and len(data) < min(int(announced), limit + 1):
        raise Broken("the connection was closed early")
    return data


def read(response: HTTPResponse, count: int) -> bytes:
    """The next bytes of an answer, at most `count`; none at its end.

    Raises:
        Broken: the connection is cut.
    """
    try:
        return response.read(count)
    except (OSError, HTTPException) as error:
        raise Broken(_why(error)) from None


def _refusal(url: str, error: urllib.error.HTTPError) -> Exception:
    if error.code in _PASSING:
        wait = error.headers.get("Retry-After", "")
        return Broken(f"answers {error.code}", float(wait) if wait.isdecimal() else None)
    reason = error.headers.get("X-Error-Code", "")
    return Refused(f"{host(url)} answers {error.code}", error.code, reason)


def _unreachable(url: str, error: Exception) -> Exception:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return HubError(f"{host(url)} does not prove who it is: {cause.verify_message}")
    if isinstance(cause, socket.gaierror):
        return HubError(f"{host(url)} cannot be found: {cause.strerror}; is there a network?")
    return Broken(_why(cause))


def _why(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "no answer came in time"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return "the connection was closed early"
