"""From the files of public sets to a folder per split and class.

Nothing is trusted to say where it goes: members of an archive are looked up by name, and written where we decide.
"""

from __future__ import annotations

import shutil
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Final

from beholder.data.formats.idx import FASHION_MNIST_NAMES, unpack_splits, write_png
from beholder.data.public.matlab import read_matlab
from beholder.data.sample import Split
from beholder.data.writing import Progress
from beholder.errors import InvalidAnnotations

_SIDE: Final = 32
_PLANE: Final = _SIDE * _SIDE

_IMAGENETTE: Final[Mapping[str, str]] = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}


def cifar10(files: Mapping[str, Path], out: Path, progress: Progress | None) -> None:
    """Records of one label and 3 x 1024 bytes (https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version")."""
    batches: dict[str, Split] = {f"data_batch_{number}.bin": "train" for number in range(1, 6)}
    _cifar(files, out, progress, {**batches, "test_batch.bin": "test"}, "batches.meta.txt", labels=1)


def cifar100(files: Mapping[str, Path], out: Path, progress: Progress | None) -> None:
    """Records of a coarse label, a fine one, which is taken, and 3 x 1024 bytes."""
    _cifar(files, out, progress, {"train.bin": "train", "test.bin": "test"}, "fine_label_names.txt", labels=2)


def idx(files: Mapping[str, Path], out: Path, progress: Progress | None) -> None:
    """Fashion-MNIST's pairs of IDX files."""
    unpack_splits(files, out, FASHION_MNIST_NAMES, progress)


def imagenette(files: Mapping[str, Path], out: Path, progress: Progress | None) -> None:
    """Folders `train` and `val`, with a folder for each class, named by its WordNet number."""
    splits: dict[str, Split] = {"train": "train", "val": "validation"}
    (archive,) = files.values()
    with _Extraction(out, progress, 13_394) as extraction, _opened(archive) as opened:
        for parts, stream in _members(opened):
            if len(parts) == 4 and parts[1] in splits and parts[2] in _IMAGENETTE:
                extraction.save(stream, splits[parts[1]], _IMAGENETTE[parts[2]], parts[3])


def flowers(files: Mapping[str, Path], out: Path, progress: Progress | None) -> None:
    """An archive of numbered images, and two MATLAB files: the class of each number, and the numbers of each split.

    The names of the classes are those on the set's page, in the order of their numbers.
    """
    names = Path(__file__).with_name("flowers102.txt").read_text(encoding="utf-8").splitlines()
    labels = read_matlab(files["imagelabels.mat"])["labels"]
    numbers = read_matlab(files["setid.mat"])
    parts: dict[str, Split] = {"trnid": "train", "valid": "validation", "tstid": "test"}
    split_of = {number: split for key, split in parts.items() for number in numbers[key]}
    with _Extraction(out, progress, len(labels)) as extraction, _opened(files["102flowers.tgz"]) as opened:
        for (*_, name), stream in _members(opened):
            if name.startswith("image_") and name.endswith(".jpg"):
                number = int(name[6:11])
                extraction.save(stream, split_of[number], names[labels[number - 1] - 1], name)


def pets(files: Mapping[str, Path], out: Path, progress: Progress | None) -> None:
    """An archive of images named after their breed, and lists of those to train and to test on."""
    lists: dict[str, Split] = {"trainval.txt": "train", "test.txt": "test"}
    splits: dict[str, Split] = {}
    with _opened(files["annotations.tar.gz"]) as opened:
        for (*_, name), stream in _members(opened):
            if name in lists:
                splits.update((line.split()[0], lists[name]) for line in stream.read().decode("ascii").splitlines())
    with _Extraction(out, progress, len(splits)) as extraction, _opened(files["images.tar.gz"]) as opened:
        for (*_, name), stream in _members(opened):
            stem = name.removesuffix(".jpg")
            if stem != name and stem in splits:
                extraction.save(stream, splits[stem], stem.rpartition("_")[0].replace("_", " ").lower(), name)


class _Extraction:
    """Images that are copied out of an archive, counted; fewer than there must be are an error."""

    def __init__(self, out: Path, progress: Progress | None, expected: int) -> None:
        self._out = out
        self._progress = progress
        self._expected = expected
        self._done = 0

    def __enter__(self) -> _Extraction:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._done != self._expected:
            raise InvalidAnnotations(f"the archive must hold {self._expected:,} images, found {self._done:,}")

    def save(self, stream: IO[bytes], split: Split, label: str, name: str) -> None:
        """Copy an image to its split and class."""
        target = self._out / split / label / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "xb") as copy:
            shutil.copyfileobj(stream, copy)
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._expected)


def _cifar(
    files: Mapping[str, Path],
    out: Path,
    progress: Progress | None,
    splits: Mapping[str, Split],
    names_in: str,
    *,
    labels: int,
) -> None:
    import numpy as np

    (archive,) = files.values()
    content: dict[str, bytes] = {}
    with _opened(archive) as opened:
        for parts, stream in _members(opened):
            if parts[-1] in (*splits, names_in):
                content[parts[-1]] = stream.read()
    missing = [name for name in (*splits, names_in) if name not in content]
    width = labels + 3 * _PLANE
    if missing or any(len(content[name]) % width for name in splits):
        raise InvalidAnnotations(f"{archive}: must hold {', '.join(missing) or 'whole records'}")
    names = content[names_in].decode("ascii").split()
    total = sum(len(content[name]) // width for name in splits)
    done = 0
    for name, split in splits.items():
        for record in np.frombuffer(content[name], np.uint8).reshape(-1, width):
            pixels = record[labels:].reshape(3, _SIDE, _SIDE).transpose(1, 2, 0)
            write_png(np.ascontiguousarray(pixels), out / split / _named(names, record[labels - 1]) / f"{done:05d}.png")
            done += 1
            if progress is not None:
                progress(done, total)


def _named(names: Sequence[str], number: int) -> str:
    if number >= len(names):
        raise InvalidAnnotations(f"a label must be below {len(names)}, found {number}")
    return names[number].replace("_", " ")


@contextmanager
def _opened(archive: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(archive) as opened:
            yield opened
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise InvalidAnnotations(f"{archive}: not a readable archive: {error}") from None


def _members(opened: tarfile.TarFile) -> Iterator[tuple[tuple[str, ...], IO[bytes]]]:
    """The parts of each file's name, and its content; links and what macOS adds are passed over."""
    for member in opened:
        parts = tuple(part for part in PurePosixPath(member.name).parts if part not in (".", "/"))
        stream = opened.extractfile(member) if member.isfile() else None
        if parts and stream is not None and not parts[-1].startswith(".") and ".." not in parts:
            yield parts, stream
