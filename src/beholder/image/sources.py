"""What a person may point at, as a stream of single images.

A path, bytes, a file object, an array, a PIL image, a folder (with its subfolders), a glob pattern, a zip or tar
archive (members are read in memory, never unpacked), standard input (`-`), a video file, a camera (`camera:0`), or a
list of any of these. What cannot be read becomes an input that fails when it is loaded, so that the others are answered.
"""

from __future__ import annotations

import glob
import os
import re
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePosixPath
from typing import IO, Any

from beholder.errors import EmptySource, ImageError, ImageTooLarge, SourceNotFound, UnreadableImage, UsageError
from beholder.image.formats import (
    ARCHIVE_SUFFIXES,
    IMAGE_SUFFIXES,
    MAGIC_BYTES,
    UNREADABLE_SUFFIXES,
    VIDEO_SUFFIXES,
    looks_like_image,
)
from beholder.image.limits import Limits
from beholder.image.reader import Raw

_IGNORED_FOLDERS = frozenset({"__MACOSX", "__pycache__", "node_modules"})
_IGNORED_FILES = frozenset({"Thumbs.db", "desktop.ini"})

Note = Callable[[str], None]
"""Called with a line for a person, such as how many files that are no images were left out."""


@dataclass(frozen=True, slots=True)
class Input:
    """One image that is yet to be read.

    Attributes:
        name: what results and errors call it; a member of an archive is `a.zip!/b.jpg`.
        load: gives the encoded bytes, the array or the PIL image; raises `ImageError`.
        frame: number of the frame in its video, from 0.
        time_seconds: when the frame is shown, from the start of the video.
        live: whether more may come later, so that nothing should wait for a full batch.
    """

    name: str
    load: Callable[[], Raw]
    frame: int | None = None
    time_seconds: float | None = None
    live: bool = False


def expand(source: Any, limits: Limits, *, every: int = 1, note: Note | None = None) -> Iterator[Input]:
    """Find the images that a source stands for, in order; folders in natural order of their names.

    Args:
        source: anything that the module's docstring names.
        limits: what an image, a video and an archive may cost.
        every: of a video or camera, one frame in so many.
        note: told what was left out.

    Raises:
        UsageError: the source is of no known kind.
    """
    if isinstance(source, Input):
        yield source
    elif isinstance(source, str | os.PathLike):
        yield from _expand_path(os.fspath(source), limits, every, note or _silent)
    elif isinstance(source, list | tuple) or (isinstance(source, Iterator) and not hasattr(source, "read")):
        for index, item in enumerate(source):
            named = isinstance(item, str | os.PathLike | Input) or hasattr(item, "name")
            for found in expand(item, limits, every=every, note=note):
                yield found if named else Input(f"{found.name[:-1]} {index}>", found.load)
    else:
        yield _memory_input(source, limits)


def single(source: Any, limits: Limits) -> Input:
    """The one image that a source stands for.

    Raises:
        UsageError: it stands for several, such as a folder or a video.
        ImageError: there is none.
    """
    found = expand(source, limits)
    first = next(found, None)
    if first is None:
        raise UsageError("one image is needed, found none")
    several = isinstance(source, str | os.PathLike) and first.name != os.fspath(source) and os.fspath(source) != "-"
    if next(found, None) is not None or (several and not _failing(first)):
        raise UsageError(f"{source}: one image is needed, and this may hold several; use predict_many")
    return first


def _failing(found: Input) -> bool:
    return isinstance(found.load, _Failure)


@dataclass(frozen=True, slots=True)
class _Failure:
    error: ImageError

    def __call__(self) -> Raw:
        raise self.error


def _fail(error: ImageError) -> Input:
    return Input(error.source, _Failure(error))


def _silent(_: str) -> None:
    pass


def _memory_input(source: Any, limits: Limits) -> Input:
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
        return Input("<bytes>", lambda: data)
    if hasattr(source, "read"):
        name = getattr(source, "name", None)
        name = name if isinstance(name, str) else "<file>"
        try:
            data = _read_stream(source, name, limits)  # now, because a stream can be read only once
        except ImageError as error:
            return _fail(error)
        return Input(name, lambda: data)
    if hasattr(source, "mode") and hasattr(source, "getexif"):
        return Input(getattr(source, "filename", "") or "<image>", lambda: source)
    if hasattr(source, "dtype") and hasattr(source, "shape"):
        return Input("<array>", lambda: source)
    raise UsageError(
        "an image must be a path, bytes, a file object, an array, a PIL image or a list of these, "
        f"found {type(source).__name__}"
    )


def _expand_path(path: str, limits: Limits, every: int, note: Note) -> Iterator[Input]:
    if path == "-":
        yield from _expand_stdin(limits, note)
    elif re.fullmatch(r"camera:\d+", path):
        from beholder.image.video import camera_frames

        yield from camera_frames(int(path.removeprefix("camera:")), limits, every)
    elif re.match(r"[a-z]+://", path):
        yield _fail(SourceNotFound(path, "addresses are not fetched; download the image and pass the file"))
    elif os.path.isdir(path):
        yield from _expand_folder(path, limits, note)
    elif os.path.exists(path):
        yield from _expand_file(path, limits, every, note)
    elif any(character in path for character in "*?["):
        yield from _expand_pattern(path, limits, every, note)
    else:
        yield _fail(SourceNotFound(path, "no such file or folder"))


def _expand_file(path: str, limits: Limits, every: int, note: Note) -> Iterator[Input]:
    lower = path.lower()
    if lower.endswith(ARCHIVE_SUFFIXES):
        yield from _expand_archive(path, path, limits, note)
    elif os.path.splitext(lower)[1] in VIDEO_SUFFIXES:
        from beholder.image.video import video_frames

        yield from video_frames(path, limits, every)
    else:
        yield _file_input(path, limits)


def _file_input(path: str, limits: Limits) -> Input:
    return Input(path, lambda: _read_file(path, limits))


def _read_file(path: str, limits: Limits) -> bytes:
    suffix = os.path.splitext(path)[1].lower()
    if suffix in UNREADABLE_SUFFIXES:
        raise UnreadableImage(path, f"not a readable image: {UNREADABLE_SUFFIXES[suffix]}")
    try:
        if not os.path.isfile(path):
            raise UnreadableImage(path, "not a regular file")
        with open(path, "rb") as stream:
            return _read_stream(stream, path, limits)
    except OSError as error:
        raise UnreadableImage(path, f"cannot be read: {error.strerror or error}") from None


def _read_stream(stream: IO[bytes], name: str, limits: Limits) -> bytes:
    data = stream.read(limits.max_bytes + 1)
    if isinstance(data, str):
        raise UsageError(f"{name}: the file object gives text; open it in binary mode ('rb')")
    if len(data) > limits.max_bytes:
        raise ImageTooLarge(name, f"more than the {limits.max_bytes:,} bytes allowed")
    return data


def _expand_stdin(limits: Limits, note: Note) -> Iterator[Input]:
    data = _read_stream(sys.stdin.buffer, "-", limits)
    if data[:2] == b"PK" or data[:2] == b"\x1f\x8b" or data[257:262] == b"ustar":
        yield from _expand_archive(BytesIO(data), "-", limits, note)
    else:
        yield Input("-", lambda: data)


def _expand_pattern(pattern: str, limits: Limits, every: int, note: Note) -> Iterator[Input]:
    found = sorted(glob.glob(pattern, recursive=True), key=_natural)
    if not found:
        yield _fail(SourceNotFound(pattern, "no file matches this pattern"))
    for path in found:
        if not os.path.isdir(path):
            yield from _expand_file(path, limits, every, note)


def _expand_folder(folder: str, limits: Limits, note: Note) -> Iterator[Input]:
    left_out: dict[str, int] = {}
    count = 0
    for path in _walk(folder):
        if _is_image_file(path):
            count += 1
            yield _file_input(path, limits)
        else:
            suffix = os.path.splitext(path)[1].lower() or "no suffix"
            left_out[suffix] = left_out.get(suffix, 0) + 1
    if not count:
        yield _fail(EmptySource(folder, f"no images in this folder{_counted(left_out, '; found only ')}"))
    elif left_out:
        note(f"{folder}: left out {sum(left_out.values()):,} files that are not images{_counted(left_out, ': ')}")


def _walk(folder: str) -> Iterator[str]:
    """Files below a folder, hidden ones and links to folders left aside, in natural order."""
    for directory, folders, files in os.walk(folder):
        folders[:] = sorted((f for f in folders if f[0] != "." and f not in _IGNORED_FOLDERS), key=_natural)
        for name in sorted(files, key=_natural):
            if name[0] != "." and name not in _IGNORED_FILES:
                yield os.path.join(directory, name)


def _is_image_file(path: str) -> bool:
    suffix = os.path.splitext(path)[1].lower()
    if suffix in IMAGE_SUFFIXES or suffix in UNREADABLE_SUFFIXES:
        return True
    try:
        with open(path, "rb") as stream:
            return looks_like_image(stream.read(MAGIC_BYTES))
    except OSError:
        return False


def _expand_archive(archive: str | BytesIO, name: str, limits: Limits, note: Note) -> Iterator[Input]:
    count = 0
    left_out: dict[str, int] = {}
    try:
        is_zip = zipfile.is_zipfile(archive)
        members = _zip_members(archive, name, limits) if is_zip else _tar_members(archive, name, limits)
        for index, (member, found) in enumerate(members):
            if index >= limits.max_members:
                yield _fail(ImageTooLarge(name, f"more than the {limits.max_members:,} members allowed"))
                return
            if found is not None:
                count += 1
                yield found
            else:
                suffix = PurePosixPath(member).suffix.lower() or "no suffix"
                left_out[suffix] = left_out.get(suffix, 0) + 1
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, ValueError, NotImplementedError) as error:
        yield _fail(UnreadableImage(name, f"not a readable archive: {str(error) or type(error).__name__}"))
        return
    if not count:
        yield _fail(EmptySource(name, f"no images in this archive{_counted(left_out, '; found only ')}"))
    elif left_out:
        note(f"{name}: left out {sum(left_out.values()):,} members that are not images{_counted(left_out, ': ')}")


Members = Iterator[tuple[str, Input | None]]


def _zip_members(archive: str | BytesIO, name: str, limits: Limits) -> Members:
    opened = zipfile.ZipFile(archive)  # stays open for the inputs that read from it, and closes with the last one
    for info in opened.infolist():
        if info.is_dir() or _is_hidden(info.filename):
            continue
        full_name = f"{name}!/{info.filename}"
        if _is_unsafe(info.filename):
            yield info.filename, _fail(UnreadableImage(full_name, "refused: its name points outside the archive"))
        elif not _names_image(info.filename):
            yield info.filename, None
        else:
            yield info.filename, Input(full_name, _ZipMember(opened, info, full_name, limits))


@dataclass(frozen=True, slots=True)
class _ZipMember:
    archive: zipfile.ZipFile
    info: zipfile.ZipInfo
    name: str
    limits: Limits

    def __call__(self) -> bytes:
        if self.info.file_size > self.limits.max_bytes:
            raise ImageTooLarge(self.name, f"more than the {self.limits.max_bytes:,} bytes allowed")
        if self.info.flag_bits & 1:
            raise UnreadableImage(self.name, "encrypted; unpack the archive with its password first")
        try:
            with self.archive.open(self.info) as stream:
                return _read_stream(stream, self.name, self.limits)
        except ImageError:
            raise
        except Exception as error:  # zipfile and its decompressors raise nearly anything on damage
            raise UnreadableImage(self.name, f"damaged in its archive: {error or type(error).__name__}") from None


def _tar_members(archive: str | BytesIO, name: str, limits: Limits) -> Members:
    """Members in the order of the archive, read at once: a compressed tar can only be read forward."""
    opened = tarfile.open(archive) if isinstance(archive, str) else tarfile.open(fileobj=archive)
    with opened:
        for info in opened:
            if info.isdir() or _is_hidden(info.name):
                continue
            full_name = f"{name}!/{info.name}"
            if _is_unsafe(info.name) or not info.isfile():
                reason = "refused: a link or device, or a name that points outside the archive"
                yield info.name, _fail(UnreadableImage(full_name, reason))
            elif info.size > limits.max_bytes:
                reason = f"more than the {limits.max_bytes:,} bytes allowed; the archive was not read on"
                yield info.name, _fail(ImageTooLarge(full_name, reason))
                return
            elif not _names_image(info.name):
                yield info.name, None
            else:
                yield info.name, Input(full_name, _constant(_tar_member(opened, info)))


def _tar_member(opened: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    stream = opened.extractfile(info)
    return stream.read() if stream is not None else b""


def _constant(data: bytes) -> Callable[[], Raw]:
    return lambda: data


def _is_hidden(member: str) -> bool:
    parts = PurePosixPath(member).parts
    return any(part in _IGNORED_FOLDERS for part in parts) or (bool(parts) and parts[-1].startswith("._"))


def _is_unsafe(member: str) -> bool:
    parts = re.split(r"[\\/]", member)
    return member.startswith(("/", "\\")) or ".." in parts or re.match(r"[A-Za-z]:", member) is not None


def _names_image(member: str) -> bool:
    suffix = PurePosixPath(member).suffix.lower()
    return suffix in IMAGE_SUFFIXES or suffix in UNREADABLE_SUFFIXES


def _counted(suffixes: dict[str, int], before: str) -> str:
    """The commonest suffixes with their counts."""
    common = sorted(suffixes.items(), key=lambda item: (-item[1], item[0]))[:4]
    more = ", …" if len(suffixes) > 4 else ""
    return before + ", ".join(f"{count:,} {suffix}" for suffix, count in common) + more if common else ""


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sort `frame2` before `frame10`."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
