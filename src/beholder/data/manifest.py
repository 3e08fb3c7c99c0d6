"""Versions of a dataset: what was in it, said by content, kept in the person's data directory.

A manifest is JSON lines: the classes, then for each image its content digest, name, labels and split, in the order of
their names. The version is the digest of these bytes, so that the same images with the same annotations are the same
version wherever they lie; metadata is not part of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from beholder.data.contents import ContentCache
from beholder.data.listing import counted, some
from beholder.data.sample import Dataset, Sample, Split
from beholder.data.writing import Progress
from beholder.errors import DataError, DatasetNotFound
from beholder.files import data_dir, digest, write_atomic
from beholder.records import RecordError, from_json, to_json

_SCHEMA: Final = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """An image in a manifest.

    Attributes:
        digest: content digest, `sha256:…`.
        name: as in the dataset.
        labels: as in the dataset; `_unknown` alone for a stranger, `_none` alone where no class applies.
        split: as in the dataset.
    """

    digest: str
    name: str
    labels: tuple[str, ...]
    split: Split | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was in a dataset.

    Attributes:
        classes: names, in natural order.
        multi_label: whether several may apply to one image.
        entries: the images, by name.
    """

    classes: tuple[str, ...]
    multi_label: bool
    entries: tuple[Entry, ...]

    @classmethod
    def of(cls, dataset: Dataset) -> Manifest:
        """The manifest of a dataset whose samples have digests (`with_digests`).

        Raises:
            DataError: one has none.
        """
        entries = [_entry(sample) for sample in dataset.everything()]
        return cls(dataset.classes, dataset.multi_label, tuple(sorted(entries, key=lambda entry: entry.name)))

    @property
    def version(self) -> str:
        """The digest that names it."""
        return digest(self.to_bytes())

    def to_bytes(self) -> bytes:
        """The canonical form: JSON lines."""
        head = {"schema": _SCHEMA, "classes": list(self.classes), "multi_label": self.multi_label}
        lines = [head, *(to_json(entry) for entry in self.entries)]
        return "".join(json.dumps(line, separators=(",", ":"), sort_keys=True) + "\n" for line in lines).encode()


@dataclass(frozen=True, slots=True)
class Difference:
    """What changed from one version to another; images are matched by content, then by name.

    Attributes:
        added: images that are new.
        removed: images that are gone.
        relabelled: images with other labels, before and after.
        moved: images in another split, before and after.
        renamed: images with another name, before and after.
    """

    added: tuple[Entry, ...]
    removed: tuple[Entry, ...]
    relabelled: tuple[tuple[Entry, Entry], ...]
    moved: tuple[tuple[Entry, Entry], ...]
    renamed: tuple[tuple[Entry, Entry], ...]

    def __bool__(self) -> bool:
        return bool(self.lines())

    def lines(self) -> list[str]:
        """What changed in lines for a person, with the first few names of each kind."""
        changed = {
            "added": [entry.name for entry in self.added],
            "removed": [entry.name for entry in self.removed],
            "relabelled": [f"{new.name} ({_said(old)} to {_said(new)})" for old, new in self.relabelled],
            "moved to another split": [
                f"{new.name} ({old.split or 'none'} to {new.split or 'none'})" for old, new in self.moved
            ],
            "renamed": [f"{old.name} to {new.name}" for old, new in self.renamed],
        }
        return [f"{len(names):,} {what}: {some(names)}" for what, names in changed.items() if names]


def with_digests(dataset: Dataset, contents: ContentCache, progress: Progress | None = None) -> Dataset:
    """The dataset with the content digest of each sample, without those that cannot be read; the notes name them.

    Args:
        dataset: what to read.
        contents: the cache that knows the digests of files that have not changed.
        progress: told how many are known.
    """
    samples = (*dataset.samples, *dataset.strangers)
    digests = contents.digests([sample.path for sample in samples], progress)
    known = {sample.name: found for sample, found in zip(samples, digests, strict=True) if found}
    unread = [sample.name for sample in samples if sample.name not in known]
    verb = "is" if len(unread) == 1 else "are"
    notes = [f"{counted(len(unread), 'file')} cannot be read and {verb} left out: {some(unread)}"] if unread else []
    return replace(
        dataset.with_notes(*notes),
        samples=tuple(replace(found, digest=known[found.name]) for found in dataset.samples if found.name in known),
        strangers=tuple(replace(found, digest=known[found.name]) for found in dataset.strangers if found.name in known),
    )


def save_version(dataset: Dataset) -> str:
    """Keep the manifest of a dataset whose samples have digests.

    Returns:
        The version, `sha256:…`.

    Raises:
        DataError: a sample has no digest.
        OutputFailed: it cannot be written.
    """
    data = Manifest.of(dataset).to_bytes()
    version = digest(data)
    path = _path(version)
    if not path.exists():
        with write_atomic(path, overwrite=True) as stream:
            stream.write(data)
    return version


def load_version(version: str) -> Manifest:
    """The manifest of a version that was kept.

    Args:
        version: `sha256:…`; its first digits are enough where they are one version's only.

    Raises:
        DatasetNotFound: no such version was kept here.
        DataError: its file is damaged, or of a newer version of Beholder.
    """
    path = _path_of(version)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    if digest(data) != f"sha256:{path.stem}":
        raise DataError(f"{path}: is damaged: its content is not what its name says; remove it")
    try:
        head, *lines = [json.loads(line) for line in data.splitlines()]
        if head["schema"] != _SCHEMA:
            raise DataError(f"{path}: was written by another version of Beholder (schema {head['schema']})")
        entries = tuple(from_json(Entry, line) for line in lines)
        return Manifest(tuple(head["classes"]), head["multi_label"], entries)
    except (ValueError, KeyError, TypeError, RecordError) as error:
        raise DataError(f"{path}: not a manifest: {error}") from None


def diff(before: Manifest, after: Manifest) -> Difference:
    """What changed from one version to another."""
    old, new = _by_digest(before.entries), _by_digest(after.entries)
    added: list[Entry] = []
    removed: list[Entry] = []
    pairs: list[tuple[Entry, Entry]] = []
    for key in dict.fromkeys([*old, *new]):
        matched, gone, come = _match(old.get(key, []), new.get(key, []))
        pairs += matched
        removed += gone
        added += come
    return Difference(
        added=_sorted(added),
        removed=_sorted(removed),
        relabelled=tuple(pair for pair in pairs if set(pair[0].labels) != set(pair[1].labels)),
        moved=tuple(pair for pair in pairs if pair[0].split != pair[1].split),
        renamed=tuple(pair for pair in pairs if pair[0].name != pair[1].name),
    )


def _entry(sample: Sample) -> Entry:
    if sample.digest is None:
        raise DataError(f"{sample.name}: its digest must be known before a version can be named")
    return Entry(sample.digest, sample.name, tuple(sorted(sample.said)), sample.split)


def _said(entry: Entry) -> str:
    return " and ".join(entry.labels) or "nothing"


def _match(old: list[Entry], new: list[Entry]) -> tuple[list[tuple[Entry, Entry]], list[Entry], list[Entry]]:
    """Pair images of the same content: first those of the same name, then in order."""
    by_name = {entry.name: entry for entry in new}
    pairs = [(entry, by_name.pop(entry.name)) for entry in old if entry.name in by_name]
    paired = {entry.name for entry, _ in pairs}
    gone = [entry for entry in old if entry.name not in paired]
    come = list(by_name.values())
    count = min(len(gone), len(come))
    return [*pairs, *zip(gone, come, strict=False)], gone[count:], come[count:]


def _by_digest(entries: Iterable[Entry]) -> Mapping[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.digest, []).append(entry)
    return found


def _sorted(entries: list[Entry]) -> tuple[Entry, ...]:
    return tuple(sorted(entries, key=lambda entry: entry.name))


def _folder() -> Path:
    return data_dir() / "versions"


def _path(version: str) -> Path:
    return _folder() / f"{version.removeprefix('sha256:')}.jsonl"


def _path_of(version: str) -> Path:
    digits = version.removeprefix("sha256:")
    usable = len(digits) >= 6 and set(digits) <= set("0123456789abcdef")
    found = sorted(_folder().glob(f"{digits}*.jsonl")) if usable else []
    if not found:
        raise DatasetNotFound(f"{version}: no such version is kept in {_folder()}")
    if len(found) > 1:
        raise DatasetNotFound(f"{version}: must name one version, found {some(path.stem[:12] for path in found)}")
    return found[0]
