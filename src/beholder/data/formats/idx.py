"""Images packed into IDX files, as MNIST and Fashion-MNIST are.

Format: http://yann.lecun.com/exdb/mnist/ (archived), "the IDX file format": two zero bytes, the type of the numbers,
how many dimensions, the size of each as big-endian 32 bits, then the numbers. A pair of files, `*-images-idx3-ubyte`
and `*-labels-idx1-ubyte`, each perhaps with `.gz`, holds a split.

Such images have no files of their own, so that nothing else could show, correct or embed them one by one. They are
unpacked into a folder per class first.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from beholder.data.formats.format import Claim, Format, Options
from beholder.data.listing import look, some
from beholder.data.sample import Split
from beholder.data.writing import Progress, is_folder_name, new_folder
from beholder.errors import DatasetNotFound, InvalidAnnotations, NotADataset, UsageError
from beholder.files import digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TYPES: Final = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_IMAGES, _LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
_MAX_BYTES: Final = 2 * 2**30
_PREFIXES: Final[Mapping[str, Split]] = {"train": "train", "t10k": "test", "test": "test", "validation": "validation"}

FASHION_MNIST_NAMES: Final = (
    "T-shirt or top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
"""As the README of Fashion-MNIST names them, but for the first, `T-shirt/top`, which no folder can be named."""

_KNOWN_NAMES: Final[Mapping[str, tuple[str, ...]]] = {  # by the digest of the labels of a split, training and test
    "sha256:657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7": FASHION_MNIST_NAMES,
    "sha256:3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9": FASHION_MNIST_NAMES,
}


def _detect(path: Path, _: Options) -> list[Claim]:
    folder = path if path.is_dir() else path.parent
    if path.is_file() and _IMAGES not in path.name and _LABELS not in path.name:
        return []
    names = [name for name in look(folder).files if _IMAGES in name]
    return [Claim(folder, f"IDX files {some(names)}", certain=True)] if names else []


def holds_idx(path: str | Path) -> bool:
    """Whether a folder, or the folder of a file, holds such images, which `unpack_idx` makes a dataset of."""
    return bool(_detect(Path(path), Options()))


def _read(path: Path, _: Options) -> NoReturn:
    raise NotADataset(
        f"{path}: images are packed in IDX files; unpack them first: beholder dataset convert {path} FOLDER"
    )


def read_idx(path: str | Path) -> NDArray[Any]:
    """Read an IDX file, compressed by gzip or not.

    Returns:
        An array of the shape and type that the file states, in this machine's byte order.

    Raises:
        DatasetNotFound: there is no such file.
        InvalidAnnotations: it is not an IDX file, is damaged, or holds more than 2 GiB.
    """
    import numpy as np

    data = _decompressed(Path(path))
    kind = _TYPES.get(data[2]) if len(data) >= 4 and data[:2] == b"\0\0" else None
    start = 4 + 4 * data[3] if len(data) >= 4 else 0
    if kind is None or not data[3] or len(data) < start:
        raise InvalidAnnotations(f"{path}: not an IDX file: it must begin with two zero bytes and a known type")
    shape = tuple(int.from_bytes(data[at : at + 4], "big") for at in range(4, start, 4))
    expected = math.prod(shape) * np.dtype(kind).itemsize
    if len(data) - start != expected:
        raise InvalidAnnotations(f"{path}: must hold {expected:,} bytes of numbers, found {len(data) - start:,}")
    values = np.frombuffer(data, kind, offset=start).reshape(shape)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def unpack_idx(
    source: Path, out: Path, *, names: Sequence[str] | None = None, progress: Progress | None = None
) -> None:
    """Unpack the IDX files in a folder into PNG files, in a folder per split and class.

    Args:
        source: the folder.
        out: the folder to make.
        names: of the classes, by number; None for those that are known by their content, or the numbers themselves.
        progress: told how many images are written.

    Raises:
        NotADataset: there are no such files, or labels are missing.
        InvalidAnnotations: a file is damaged, or images and labels do not belong together.
        OutputExists: there is something at `out`.
        OutputFailed: it cannot be written.
    """
    files = {name: source / name for name in look(source).files}
    with new_folder(out) as folder:
        unpack_splits(files, folder, names, progress)


def unpack_splits(
    files: Mapping[str, Path], folder: Path, names: Sequence[str] | None, progress: Progress | None
) -> None:
    """Unpack IDX files, by their names, into a folder that exists; see `unpack_idx`."""
    pairs = _pairs(files)
    total = sum(len(labels) for _, _, labels in pairs)
    known = names or next((found for _, _, labels in pairs if (found := names_known_by(labels))), None)
    done = 0
    for split, images, labels in pairs:
        for number, (pixels, label) in enumerate(zip(images, labels.tolist(), strict=True)):
            write_png(pixels, folder / split / _class_name(label, known) / f"{number:05d}.png")
            done += 1
            if progress is not None:
                progress(done, total)


def write_png(pixels: NDArray[np.uint8], path: Path) -> None:
    """Write an image, uint8 `(height, width)` or `(height, width, 3)` RGB, and the folder it is in."""
    import PIL.Image

    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(pixels).save(path)


def names_known_by(labels: NDArray[np.uint8]) -> tuple[str, ...] | None:
    """Names of the classes of a public set that is recognized by its labels."""
    return _KNOWN_NAMES.get(digest(labels.tobytes()))


def _class_name(label: int, names: Sequence[str] | None) -> str:
    if names is None:
        return str(label)
    if label >= len(names) or not is_folder_name(names[label]):
        raise UsageError(
            f"class {label} must have a name that a folder can have, found {list(names)[label : label + 1]}"
        )
    return names[label]


def _pairs(files: Mapping[str, Path]) -> list[tuple[Split, NDArray[np.uint8], NDArray[np.uint8]]]:
    """The splits in some files, each with its images and labels."""
    pairs: list[tuple[Split, NDArray[np.uint8], NDArray[np.uint8]]] = []
    for name, path in files.items():
        if _IMAGES not in name:
            continue
        prefix = name.partition(_IMAGES)[0].rstrip("-_.").lower()
        split = next((split for start, split in _PREFIXES.items() if prefix.endswith(start)), None)
        twin = next((other for other in files if other.removesuffix(".gz") == _twin(name)), None)
        if twin is None or split is None:
            raise NotADataset(f"{path}: must be named like train-{_IMAGES}, with {_twin(name)} beside it")
        images, labels = read_idx(path), read_idx(files[twin])
        if images.ndim != 3 or images.dtype != "u1" or labels.shape != images.shape[:1] or labels.dtype != "u1":
            raise InvalidAnnotations(
                f"{path}: must hold a gray image for each label in {twin}, "
                f"found shapes {images.shape} and {labels.shape}"
            )
        pairs.append((split, images, labels))
    if not pairs:
        raise NotADataset(f"must hold files named like train-{_IMAGES}, found {some(files) or 'none'}")
    return pairs


def _twin(name: str) -> str:
    return name.removesuffix(".gz").replace(_IMAGES, _LABELS)


def _decompressed(path: Path) -> bytes:
    try:
        with open(path, "rb") as stream:
            head = stream.read(2)
            stream.seek(0)
            if head == b"\x1f\x8b":
                with gzip.open(stream) as inner:
                    data = inner.read(_MAX_BYTES + 1)
            else:
                data = stream.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise DatasetNotFound(f"{path}: no such file") from None
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidAnnotations(f"{path}: cannot be read: {error}; copy it again") from None
    if len(data) > _MAX_BYTES:
        raise InvalidAnnotations(f"{path}: must hold at most {_MAX_BYTES:,} bytes")
    return data


FORMAT: Final = Format("idx", "images packed in IDX files, to be unpacked first", _detect, _read, None)
