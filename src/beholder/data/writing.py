"""A dataset written as a folder, whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from beholder.data.listing import some
from beholder.data.sample import SPLIT_NAMES, UNKNOWN, Dataset, Sample
from beholder.errors import OutputExists, OutputFailed, UsageError
from beholder.image.formats import IGNORED_FOLDERS

Progress = Callable[[int, int], None]
"""Told now and then how much is done, and how much there is."""

_FORBIDDEN: Final = frozenset('/\\:*?"<>|')
"""Characters that some file system does not allow in a name."""


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Make a folder beside its place and rename it into place when all of it is written.

    Args:
        out: a path that nothing has yet.

    Yields:
        The folder to write into. When the block raises, nothing is left behind.

    Raises:
        OutputExists: there is something at `out`.
        OutputFailed: it cannot be written, or the disk is full.
    """
    refuse_existing(out)
    temporary = out.with_name(f".{out.name[:40]}.{secrets.token_hex(4)}.part")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        refuse_existing(out)  # once more: writing took a while
        temporary.rename(out)
    except OSError as error:
        raise OutputFailed(f"{out}: cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # gone already, or half-written


def refuse_existing(out: Path) -> None:
    """Refuse to write where something is.

    Raises:
        OutputExists: there is something.
    """
    if os.path.lexists(out):
        raise OutputExists(f"{out}: exists already; choose another name")


def write_folder(dataset: Dataset, out: Path, *, link: bool, progress: Progress | None = None) -> None:
    """Write a folder per class, inside folders for the splits where there are any.

    Args:
        dataset: of at most one label per image.
        out: the folder to make.
        link: make hard links instead of copies where the file system can; then changing one changes the other.
        progress: told how many files are written.

    Raises:
        OutputExists: there is something at `out`.
        OutputFailed: it cannot be written, or an image is gone.
        UsageError: it has several labels per image, or a class whose name no folder can have.
    """
    refuse_existing(out)
    if dataset.multi_label:
        raise UsageError("a folder per class holds one label per image, found several; write csv or coco instead")
    _check_folder_names(dataset)
    taken: set[str] = set()
    everything = dataset.everything()
    _check_splits(everything)
    with new_folder(out) as folder:
        for done, sample in enumerate(everything, start=1):
            target = folder / _free_name(_place(sample), taken)
            target.parent.mkdir(parents=True, exist_ok=True)
            _put(sample, target, link)
            if progress is not None:
                progress(done, len(everything))


def _check_folder_names(dataset: Dataset) -> None:
    bad = [name for name in dataset.classes if not is_folder_name(name)]
    if bad:
        raise UsageError(f"{some(map(repr, bad))}: no folder can be named so; rename the class, or write csv instead")
    like_splits = [name for name in dataset.classes if name.lower() in SPLIT_NAMES]
    if like_splits and not dataset.splits:
        raise UsageError(f"{some(map(repr, like_splits))}: would be read as a split; rename the class, or write csv")
    seen: dict[str, str] = {}
    for name in dataset.classes:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            raise UsageError(
                f"{other!r} and {name!r}: are the same folder on many systems; merge or rename the classes"
            )


def is_folder_name(name: str) -> bool:
    """Whether a folder for a class may have this name on any system, and would be read as a class."""
    if not name or name.startswith(".") or name.endswith((".", " ")) or name == UNKNOWN or len(os.fsencode(name)) > 200:
        return False
    return name.isprintable() and not _FORBIDDEN.intersection(name) and name not in IGNORED_FOLDERS


def _check_splits(samples: Sequence[Sample]) -> None:
    without = [sample.name for sample in samples if sample.split is None]
    if without and len(without) < len(samples):
        raise UsageError(
            f"a folder per class must have all images in a split or none, found {len(without):,} in none, such as "
            f"{without[0]}; write csv instead"
        )


def _place(sample: Sample) -> str:
    """Where a sample goes: split, class and file name."""
    return "/".join([*([sample.split] if sample.split else []), *sample.labels, sample.path.name])


def _free_name(name: str, taken: set[str]) -> str:
    """A name that is not taken: subfolders of a class may hold files of the same name."""
    stem, suffix = os.path.splitext(name)
    number = 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}{suffix}"
    taken.add(name.casefold())
    return name


def _put(sample: Sample, target: Path, link: bool) -> None:
    if link:
        try:
            os.link(sample.path, target)
            return
        except OSError:
            pass  # another disk, a file system without hard links, or a file that is gone
    try:
        source = open(sample.path, "rb")  # noqa: SIM115 - closed below; its errors are not those of the target
    except OSError as error:
        raise OutputFailed(f"{sample.path}: cannot be read: {error.strerror or error}; nothing was written") from None
    with source, open(target, "xb") as copy:
        shutil.copyfileobj(source, copy, 2**20)
