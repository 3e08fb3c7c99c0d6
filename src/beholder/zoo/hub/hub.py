"""The seam to a hub, from which models are pulled, and Hugging Face's.

The interface of the Hub: `GET /api/models/{repository}/revision/{revision}?blobs=true` lists a repository with sizes
and digests, `GET /{repository}/resolve/{commit}/{file}` gives a file (huggingface_hub, `HfApi.model_info` and
`hf_hub_download`).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, Self
from urllib.parse import quote, urlsplit

from beholder.errors import DigestMismatch, HubError, OutputFailed, UsageError
from beholder.files import cache_dir
from beholder.zoo.hub.downloading import Progress, download
from beholder.zoo.hub.untrusted import Document
from beholder.zoo.hub.web import Refused, Web

DEFAULT_ENDPOINT: Final = "https://huggingface.co"
MAX_BYTES: Final = 4 * 2**30
"""The largest file that is fetched unless another limit is set."""

_MAX_LISTING_BYTES: Final = 32 * 2**20
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_REVISION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]{0,199}")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a repository.

    Attributes:
        path: its path there.
        size: in bytes.
        digest: `sha256:…` of its bytes, or `git:…`, the name that git gives them (SHA-1).
    """

    path: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A repository as it was at one commit.

    Attributes:
        repository: its name, `organization/name`.
        commit: the commit.
        files: its files by their paths.
        license: the terms of its weights, as its authors state them; None when they do not.
        datasets: what its authors say it was trained on.
    """

    repository: str
    commit: str
    files: Mapping[str, RemoteFile]
    license: str | None = None
    datasets: tuple[str, ...] = ()


class Hub(Protocol):
    """Where models can be had."""

    @property
    def name(self) -> str:
        """What to call it, such as `huggingface.co`."""
        ...

    def snapshot(self, repository: str, revision: str) -> Snapshot:
        """List a repository.

        Args:
            repository: `organization/name`.
            revision: a branch, a tag or a commit.

        Raises:
            Offline: the network may not be used.
            HubError: there is no such repository or revision, or it cannot be had.
        """
        ...

    def fetch(self, snapshot: Snapshot, file: RemoteFile, progress: Progress | None = None) -> Path:
        """Fetch a file into the cache, or find it there; its digest has been verified.

        Args:
            snapshot: the repository.
            file: one of its files.
            progress: told how it goes.

        Raises:
            Offline: it is not in the cache, and the network may not be used.
            DigestMismatch: what arrived is not what was announced.
            HubError: it is too large, or cannot be had.
        """
        ...


@dataclass(frozen=True, slots=True)
class HuggingFaceHub:
    """The Hugging Face Hub, or a mirror that speaks like it.

    Attributes:
        web: the way to it.
        max_bytes: the largest file that is fetched.
    """

    web: Web = field(default_factory=lambda: Web(DEFAULT_ENDPOINT))
    max_bytes: int = MAX_BYTES

    @classmethod
    def from_environment(cls) -> Self:
        """The hub at `$HF_ENDPOINT`, or the public one, asked with `$HF_TOKEN`."""
        endpoint = os.environ.get("HF_ENDPOINT", "").strip() or DEFAULT_ENDPOINT
        return cls(Web(endpoint.rstrip("/"), os.environ.get("HF_TOKEN", "").strip() or None))

    @property
    def name(self) -> str:
        """Its host."""
        return urlsplit(self.web.endpoint).netloc

    def snapshot(self, repository: str, revision: str) -> Snapshot:
        """List a repository; see `Hub.snapshot`."""
        check_repository(repository)
        if not _REVISION.fullmatch(revision) or ".." in revision:
            raise UsageError(f"revision: must be a branch, a tag or a commit, found {revision!r}")
        url = f"{self.web.endpoint}/api/models/{repository}/revision/{quote(revision, safe='')}?blobs=true"
        try:
            data = self.web.get(url, _MAX_LISTING_BYTES)
        except Refused as error:
            raise self._explained(error, repository, revision) from None
        return _snapshot(repository, Document.parse(f"{self.name}: {repository}", data))

    def fetch(self, snapshot: Snapshot, file: RemoteFile, progress: Progress | None = None) -> Path:
        """Fetch a file into the cache, or find it there; see `Hub.fetch`."""
        if file.size > self.max_bytes:
            raise HubError(f"{file.path}: must be at most {self.max_bytes:,} bytes, found {file.size:,}")
        kept = cache_dir() / "hub" / file.digest.replace(":", "-")
        if kept.is_file() and _digest(kept, file) == file.digest:
            return kept
        part = kept.with_name(f"{kept.name}.part")
        resumed = part.exists()
        url = f"{self.web.endpoint}/{snapshot.repository}/resolve/{snapshot.commit}/{quote(file.path)}"
        found = self._fetched(url, part, file, progress)
        if found != file.digest and resumed:  # what an earlier attempt left was not of this file: once more, all of it
            found = self._fetched(url, part, file, progress)
        if found != file.digest:
            raise DigestMismatch(f"{snapshot.repository}: {file.path} must be {file.digest}, found {found}")
        try:
            os.replace(part, kept)
        except OSError as error:
            raise OutputFailed(f"{kept}: cannot be written: {error.strerror or error}") from None
        return kept

    def _fetched(self, url: str, part: Path, file: RemoteFile, progress: Progress | None) -> str:
        """Fetch a file; returns the digest of what arrived, which is thrown away when it is the wrong one."""
        try:
            download(self.web, url, part, file.size, progress)
        except Refused as error:
            raise self._explained(error, url, file.path) from None
        found = _digest(part, file)
        if found != file.digest:
            part.unlink()
        return found

    def _explained(self, error: Refused, repository: str, revision: str) -> HubError:
        """What an answer of the hub means."""
        if error.reason == "GatedRepo" or error.status == 403:
            return HubError(f"{repository}: must be asked for on {self.name} first; then set HF_TOKEN to your token")
        if error.reason == "RevisionNotFound":
            return HubError(f"{repository}: has no revision {revision!r} on {self.name}")
        if error.status in (401, 404):
            hint = "the token in HF_TOKEN may not read it" if self.web.token else "if it is private, set HF_TOKEN"
            return HubError(f"{repository}: not found on {self.name}; check the name, or {hint}")
        return HubError(f"{repository}: {error}")


def check_repository(name: str) -> None:
    """Refuse what is not the name of a repository.

    Raises:
        UsageError: with what a name looks like.
    """
    if not _REPOSITORY.fullmatch(name) or ".." in name or "--" in name:
        hint = ""
        found = re.fullmatch(r"https?://[^/]+/([^/]+/[^/]+?)(/.*)?", name)
        if found is not None:
            hint = f"; try {found[1]}"
        raise UsageError(f"the name of a model on a hub must be like organization/name, found {name!r}{hint}")


def _snapshot(repository: str, listing: Document) -> Snapshot:
    commit = listing.text("sha")
    if not _COMMIT.fullmatch(commit):
        raise listing.refusal("sha", "a commit")
    files = {file.path: file for item in listing.items("siblings") if (file := _file(item)) is not None}
    datasets: list[str] = []
    license_ = None
    if "cardData" in listing:
        card = listing.inner("cardData")
        datasets = card.texts("datasets")
        license_ = _license(card)
    return Snapshot(repository, commit, files, license_, tuple(datasets))


def _file(item: Document) -> RemoteFile | None:
    """A file of a listing; None for one whose path or size is of no use to us."""
    path = item.raw("rfilename")
    if not isinstance(path, str) or not path.isprintable() or "\\" in path or len(path) > 500:
        return None
    if any(part in ("", ".", "..") for part in path.split("/")) or "size" not in item:
        return None
    if "lfs" in item:
        name, digest, form = "sha256", item.inner("lfs").text("sha256"), _SHA256
    else:
        name, digest, form = "git", item.text("blobId"), _COMMIT
    if not form.fullmatch(digest):
        raise item.refusal("blobId", "a digest")
    return RemoteFile(path, item.integer("size"), f"{name}:{digest}")


def _license(card: Document) -> str | None:
    """The terms as the authors name them; a license of their own has a name and an address beside `other`."""
    names = card.texts("license")
    own = [card.text(key) for key in ("license_name", "license_link") if isinstance(card.raw(key), str)]
    text = ", ".join([*names, *own])
    return text[:300] if text and text.isprintable() else None


def _digest(path: Path, file: RemoteFile) -> str:
    """The digest of what arrived, of the kind that was announced."""
    name = file.digest.partition(":")[0]
    hasher = hashlib.sha256() if name == "sha256" else hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
    with open(path, "rb") as stream:
        while block := stream.read(2**20):
            hasher.update(block)
    return f"{name}:{hasher.hexdigest()}"
