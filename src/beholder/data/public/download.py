"""Fetching a large file, resumed where it was cut off, and trusted only when its digest is right."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import time
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO, Any, BinaryIO, Final
from urllib.parse import urlsplit

from beholder.data.public.sets import PublicFile
from beholder.data.writing import Progress
from beholder.errors import DigestMismatch, HubError, Offline, OutputFailed
from beholder.files import cache_dir

OFFLINE_VARIABLES: Final = ("BEHOLDER_OFFLINE", "HF_HUB_OFFLINE")
_BLOCK: Final = 2**18
_ATTEMPTS: Final = 5
_TIMEOUT_SECONDS: Final = 30.0
_PASSING: Final = (408, 425, 429, 500, 502, 503, 504)
"""Answers that may differ when the question is put again."""


def fetched(file: PublicFile, elsewhere: str, progress: Progress | None = None, pause_seconds: float = 1.0) -> Path:
    """Fetch a file into the cache, or find it there; its digest has been verified.

    Args:
        file: what to fetch.
        elsewhere: how else it can be had, for the error.
        progress: told how many bytes are here.
        pause_seconds: to wait after the first failure; twice as long after each further one.

    Raises:
        Offline: it is not here, and the network may not be used.
        DigestMismatch: what arrived is not what was announced.
        HubError: it cannot be had.
        OutputFailed: it cannot be written.
    """
    place = cache_dir() / "datasets" / file.digest.replace(":", "-")
    try:
        if place.is_file() and _digest(place, file) == file.digest:
            return place
        part = place.with_name(f"{place.name}.part")
        part.parent.mkdir(parents=True, exist_ok=True)
        _download(file, part, elsewhere, progress, pause_seconds)
        found = _digest(part, file)
        if found != file.digest:
            part.unlink()
            raise DigestMismatch(f"{file.url}: must be {file.digest}, found {found}; nothing was kept")
        os.replace(part, place)
    except OSError as error:
        raise OutputFailed(f"{place}: cannot be written: {error.strerror or error}") from None
    return place


class _Broken(Exception):
    """A connection failed in a way that may pass."""


def _download(file: PublicFile, part: Path, elsewhere: str, progress: Progress | None, pause_seconds: float) -> None:
    """Gather the bytes of a file; what is in `part` already is not fetched again."""
    failures = 0
    with open(part, "ab") as stream:
        if stream.tell() > file.size:
            stream.truncate(0)
        while (start := stream.seek(0, os.SEEK_END)) < file.size:
            _refuse_offline(file, elsewhere)
            try:
                _continue(file, stream, progress)
            except _Broken as error:
                failures = 1 if stream.seek(0, os.SEEK_END) > start else failures + 1
                if failures >= _ATTEMPTS:
                    raise HubError(
                        f"{file.url}: {error}, {failures} times; try again later: what has arrived is kept"
                    ) from None
                time.sleep(pause_seconds * 2 ** (failures - 1))


def _continue(file: PublicFile, stream: BinaryIO, progress: Progress | None) -> None:
    """Fetch what is missing on one connection."""
    have = stream.tell()
    with _opened(file, have, stream) as response:
        if have and not (response.status == 206 and _continues(response.headers, have)):
            stream.truncate(0)
            have = 0
            if response.status == 206:
                raise _Broken("the server sent another part than was asked for")
        while have < file.size and (block := _read(response, min(_BLOCK, file.size - have))):
            stream.write(block)
            have += len(block)
            if progress is not None:
                progress(have, file.size)
    stream.flush()
    if have < file.size:
        raise _Broken("the connection was closed early")


def _opened(file: PublicFile, have: int, stream: BinaryIO) -> HTTPResponse:
    headers = {"User-Agent": "beholder", **({"Range": f"bytes={have}-"} if have else {})}
    request = urllib.request.Request(file.url, headers=headers)  # noqa: S310 - the opener knows http and https only
    try:
        response: HTTPResponse = _opener().open(request, timeout=_TIMEOUT_SECONDS)
        return response
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and have:  # the server has less than we do: ours is of something else
                stream.truncate(0)
            elif error.code not in _PASSING:
                raise HubError(f"{file.url}: the server answers {error.code} {error.reason}") from None
            raise _Broken(f"the server answers {error.code}") from None
    except (OSError, HTTPException) as error:
        raise _Broken(f"cannot be reached: {getattr(error, 'reason', '') or error}") from None


def _read(response: HTTPResponse, count: int) -> bytes:
    try:
        return response.read(count)
    except (OSError, HTTPException) as error:
        raise _Broken(str(error) or type(error).__name__) from None


def _continues(headers: HTTPMessage, have: int) -> bool:
    return headers.get("Content-Range", "").startswith(f"bytes {have}-")


def _refuse_offline(file: PublicFile, elsewhere: str) -> None:
    for name in OFFLINE_VARIABLES:
        if os.environ.get(name, "").strip().lower() not in ("", "0", "no", "off", "false"):
            hint = f", or get it elsewhere: {elsewhere}" if elsewhere else ""
            raise Offline(f"the network may not be used, as {name} is set; unset it to fetch {file.url}{hint}")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https only; from this machine, to this machine only."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if not (_is_here(req.full_url) and _is_here(newurl)) and urlsplit(newurl).scheme != "https":
            raise HubError(f"{req.full_url}: redirects to {newurl[:100]!r}, which is not https and not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """Knows http and https: no files, no FTP."""
    opener = urllib.request.OpenerDirector()
    handlers: tuple[urllib.request.BaseHandler, ...] = (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(),
    )
    for handler in handlers:
        opener.add_handler(handler)
    return opener


def _is_here(url: str) -> bool:
    try:
        return ipaddress.ip_address(urlsplit(url).hostname or "").is_loopback
    except ValueError:
        return False


def _digest(path: Path, file: PublicFile) -> str:
    """The digest of what arrived, of the kind that was announced."""
    kind = file.digest.partition(":")[0]
    hasher = hashlib.sha256() if kind == "sha256" else hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as stream:
        while block := stream.read(2**20):
            hasher.update(block)
    return f"{kind}:{hasher.hexdigest()}"
