"""The photographs that are measured on: working sets made of a folder of data sets, the same every time.

Run by itself it makes the sets and prints what they are; the other scripts make them when they need them.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

SETS_OF_PHOTOGRAPHS = ("coco_small", "azure_samples", "exif_photos", "playing_cards")
"""Folders that are known to hold photographs of many kinds of things, the most varied first."""

_LEAST_SIDE = 300
_LEAST_PIXELS = 150_000
_QUALITY = 90
_NOISE_SIGMA = 4.0
_NOISE_TILE = 1000
_LARGE_SIZE = (4000, 3000)


@dataclass(frozen=True, slots=True)
class WorkingSet:
    """A folder of JPEGs.

    Attributes:
        folder: where it is.
        count: how many files it holds.
        description: what they are, for the reader of a result.
    """

    folder: Path
    count: int
    description: str


def images_folder(given: str | None) -> Path:
    """The folder of data sets: what was given, or `$BEHOLDER_TEST_IMAGES`."""
    folder = given or os.environ.get("BEHOLDER_TEST_IMAGES")
    if not folder or not Path(folder).is_dir():
        raise SystemExit(f"--images must name a folder with photographs (or set BEHOLDER_TEST_IMAGES), found {folder}")
    return Path(folder)


def find_photographs(images: Path, count: int) -> list[Path]:
    """The first `count` JPEGs, of the known sets where there are any, that are no icons.

    Raises:
        SystemExit: there are fewer.
    """
    known = [images / name for name in SETS_OF_PHOTOGRAPHS if (images / name).is_dir()]
    found = [path for folder in known or [images] for path in _jpegs(folder) if _is_large_enough(path)]
    if len(found) < count:
        raise SystemExit(f"{images}: at least {count} JPEGs of {_LEAST_PIXELS:,} pixels are needed, found {len(found)}")
    return found[:count]


def large_photographs(images: Path, least_pixels: int) -> list[Path]:
    """The JPEGs in the known sets with at least so many pixels, as their cameras wrote them."""
    known = [images / name for name in SETS_OF_PHOTOGRAPHS if (images / name).is_dir()]
    return [path for folder in known or [images] for path in _jpegs(folder) if _pixels(path) >= least_pixels]


def small_set(images: Path, work: Path, count: int) -> WorkingSet:
    """Photographs of 500 x 375 pixels, or upright 375 x 500, scaled and cropped to that, JPEG quality 90."""
    files = ((f"{i:05d}.jpg", small_jpeg(path)) for i, path in enumerate(find_photographs(images, count)))
    description = f"{count} photographs of 500 x 375, JPEG quality {_QUALITY}"
    return _made(work / f"small-{count}", files, description)


def large_set(images: Path, work: Path, count: int) -> WorkingSet:
    """Photographs of 12 megapixels: smaller ones enlarged, with noise as of a sensor, JPEG quality 90."""
    files = ((f"{i:05d}.jpg", data) for i, data in enumerate(large_jpegs(images, count)))
    description = f"{count} photographs of 4000 x 3000, enlarged (Lanczos) with noise, JPEG quality {_QUALITY}"
    return _made(work / f"large-{count}", files, description)


def many_set(source: WorkingSet, work: Path, count: int) -> WorkingSet:
    """So many images: hard links, in turn, to those of another set."""
    folder = work / f"many-{count}"
    if not folder.is_dir():
        files = sorted(source.folder.iterdir())
        with _new_folder(folder) as temporary:
            for index in range(count):
                os.link(files[index % len(files)], temporary / f"{index:06d}.jpg")
    return WorkingSet(folder, count, f"{count:,} links to {source.description}")


def small_jpeg(path: Path) -> bytes:
    """A photograph at 500 x 375 pixels or upright 375 x 500."""
    with Image.open(path) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    size = (500, 375) if upright.width >= upright.height else (375, 500)
    return _encoded(ImageOps.fit(upright, size, Image.Resampling.LANCZOS))


def large_jpegs(images: Path, count: int) -> Iterator[bytes]:
    """Photographs enlarged to 12 megapixels, one at a time; nothing is stored.

    The noise (normal, sigma 4 of 255, for each value) gives them detail at the scale of a pixel, which an enlarged
    photograph has not, and files of 2 MB, which keep a decoder busy. It is still less detail than a camera's.
    """
    rng = np.random.default_rng(12)
    tile = np.rint(rng.normal(0, _NOISE_SIGMA, (_NOISE_TILE, _NOISE_TILE, 3))).astype(np.int16)
    for path in find_photographs(images, count):
        with Image.open(path) as opened:
            upright = ImageOps.exif_transpose(opened).convert("RGB")
        width, height = _LARGE_SIZE if upright.width >= upright.height else _LARGE_SIZE[::-1]
        enlarged = np.asarray(ImageOps.fit(upright, (width, height), Image.Resampling.LANCZOS))
        moved = np.roll(tile, rng.integers(0, _NOISE_TILE, 2), axis=(0, 1))
        noisy = enlarged + np.tile(moved, (height // _NOISE_TILE, width // _NOISE_TILE, 1))
        yield _encoded(Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)))


def digest(working_set: WorkingSet) -> str:
    """The first digits of the digest of all files: equal sets were measured when these are equal."""
    hasher = hashlib.sha256()
    for path in sorted(working_set.folder.iterdir()):
        hasher.update(path.read_bytes())
    return hasher.hexdigest()[:12]


def work_folder(given: str | None) -> Path:
    """Where working sets are kept between runs: what was given, or a folder among the temporary files."""
    folder = Path(given) if given else Path(tempfile.gettempdir()) / "beholder-benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _jpegs(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg") and path.is_file())


def _pixels(path: Path) -> int:
    try:
        with Image.open(path) as opened:
            return opened.width * opened.height
    except OSError:
        return 0


def _is_large_enough(path: Path) -> bool:
    try:
        with Image.open(path) as opened:
            if min(opened.size) < _LEAST_SIDE or opened.width * opened.height < _LEAST_PIXELS:
                return False
            opened.load()
    except OSError:  # damaged: no photograph
        return False
    return True


def _encoded(image: Image.Image) -> bytes:
    stream = BytesIO()
    image.save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()


def _made(folder: Path, files: Iterable[tuple[str, bytes]], description: str) -> WorkingSet:
    """The folder with these files, made when it is not there yet."""
    if not folder.is_dir():
        with _new_folder(folder) as temporary:
            for name, data in files:
                (temporary / name).write_bytes(data)
    return WorkingSet(folder, len(list(folder.iterdir())), description)


class _new_folder:
    """A folder that appears under its name only when everything is in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._temporary = folder.with_name(f".{folder.name}.{os.getpid()}")

    def __enter__(self) -> Path:
        self._temporary.mkdir(parents=True)
        return self._temporary

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._temporary.rename(self._folder)
        else:
            shutil.rmtree(self._temporary, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", help="folder of data sets; $BEHOLDER_TEST_IMAGES when left out")
    parser.add_argument("--work", help="where the sets are kept")
    parser.add_argument("--small", type=int, default=300)
    parser.add_argument("--large", type=int, default=40)
    args = parser.parse_args()
    images, work = images_folder(args.images), work_folder(args.work)
    for made in (small_set(images, work, args.small), large_set(images, work, args.large)):
        megabytes = sum(path.stat().st_size for path in made.folder.iterdir()) / 1e6
        print(f"{made.folder}: {made.description}, {megabytes:,.0f} MB, sha256 {digest(made)}")


if __name__ == "__main__":
    main()
