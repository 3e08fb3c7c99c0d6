"""A hub on this machine that speaks like Hugging Face's, and misbehaves when told to."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Request:
    """A request as it arrived."""

    path: str
    headers: dict


@dataclass
class LoopbackHub:
    """What the hub holds, what it was asked, and how it is to misbehave.

    Attributes:
        repositories: files by path, by the name of the repository.
        card_data: `cardData` of its listings.
        requests: what it was asked, in order.
        drop_after: for the next answers with a file, after how many bytes the connection is cut; None: not at all.
        statuses: what the next requests are answered with, instead of what they ask for.
        ignore_ranges: answers a request for a part with the whole.
        wrong_range: answers a request for a part with another part.
        lie: files of which other bytes are sent than are listed, of the same length.
        redirect: where requests for files are sent; `{path}` is that of the request.
        as_lfs: paths that are listed with a SHA-256 rather than with git's name.
        listing: changes a listing before it is sent.
        length: what Content-Length says of files, instead of the truth.
        required_token: answers 401 to requests without it.
    """

    repositories: dict = field(default_factory=dict)
    card_data: dict | None = None
    requests: list = field(default_factory=list)
    drop_after: deque = field(default_factory=deque)
    statuses: deque = field(default_factory=deque)
    ignore_ranges: bool = False
    wrong_range: bool = False
    lie: bool = False
    redirect: str | None = None
    as_lfs: tuple = (".onnx",)
    listing: object = None
    length: int | None = None
    required_token: str | None = None
    commit: str = COMMIT
    url: str = ""

    def add(self, name: str, files: dict) -> None:
        """Add a repository; values that are no bytes are sent as JSON."""
        self.repositories[name] = {
            path: data if isinstance(data, bytes) else json.dumps(data).encode() for path, data in files.items()
        }

    @property
    def file_requests(self) -> list:
        return [request for request in self.requests if "/resolve/" in request.path]

    def listed(self, name: str) -> dict:
        siblings = []
        for path, data in self.repositories[name].items():
            entry = {"rfilename": path, "size": len(data), "blobId": git_name(data)}
            if path.endswith(self.as_lfs):
                entry["blobId"] = git_name(b"a pointer")
                entry["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
            siblings.append(entry)
        listing = {"id": name, "sha": self.commit, "siblings": siblings, "cardData": self.card_data}
        return self.listing(listing) if self.listing else listing


def git_name(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: LoopbackHub

    def do_GET(self) -> None:
        hub = self.hub
        hub.requests.append(Request(self.path, {key.lower(): value for key, value in self.headers.items()}))
        if hub.statuses:
            return self._answer(*hub.statuses.popleft())
        if hub.required_token and self.headers.get("Authorization") != f"Bearer {hub.required_token}":
            return self._answer(401, {"X-Error-Code": "RepoNotFound"})
        parts = urlsplit(self.path)
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/([^/]+)", parts.path):
            return self._list(found[1], unquote(found[2]), parse_qs(parts.query))
        if found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", parts.path):
            if hub.redirect is not None:
                return self._answer(302, {"Location": hub.redirect.format(path=parts.path)})
            return self._send(found[1], found[2], unquote(found[3]))
        return self._answer(404)

    def _list(self, name: str, revision: str, query: dict) -> None:
        if name not in self.hub.repositories:
            return self._answer(401, {"X-Error-Code": "RepoNotFound"})
        if revision not in ("main", "v1/with-slash", self.hub.commit):
            return self._answer(404, {"X-Error-Code": "RevisionNotFound"})
        if query != {"blobs": ["true"]}:
            return self._answer(400)
        return self._answer(200, {}, json.dumps(self.hub.listed(name)).encode())

    def _send(self, name: str, commit: str, path: str) -> None:
        data = self.hub.repositories.get(name, {}).get(path)
        if data is None or commit != self.hub.commit:
            return self._answer(404, {"X-Error-Code": "EntryNotFound"})
        if self.hub.lie:
            data = data[:-1] + bytes([data[-1] ^ 1])
        etag = f'"{hashlib.md5(data).hexdigest()}"'
        headers = {"ETag": etag, "Accept-Ranges": "bytes"}
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if found and not self.hub.ignore_ranges and self.headers.get("If-Range", etag) == etag:
            start = int(found[1]) - (1 if self.hub.wrong_range else 0)
            if start >= len(data):
                return self._answer(416, {"Content-Range": f"bytes */{len(data)}"})
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            return self._answer(206, headers, data[start:], cut=True)
        return self._answer(200, headers, data, cut=True)

    def _answer(self, status: int, headers: dict | None = None, body: bytes = b"", cut: bool = False) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        announced = self.hub.length if cut and self.hub.length is not None else len(body)
        self.send_header("Content-Length", str(announced))
        self.end_headers()
        keep = self.hub.drop_after.popleft() if cut and self.hub.drop_after else None
        self.wfile.write(body if keep is None else body[:keep])
        if keep is not None or announced != len(body):
            self.wfile.flush()
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(hub: LoopbackHub) -> Iterator[LoopbackHub]:
    """Serve a hub on a free port of this machine."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
