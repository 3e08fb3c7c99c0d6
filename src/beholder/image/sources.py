"""What a person may point at, as a stream of single images.

A path, bytes, a file object, an array, a PIL image, a folder (with its subfolders), a glob pattern, a zip or tar
archive, standard input (`-`), a video file, a camera (`camera:0`), or a list of any of these. What cannot be read
becomes an input that fails when it is loaded, so that the others are answered.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from itertools import islice
from typing import Any, Final, Literal

from beholder.errors import EmptySource, ImageError, SourceNotFound, UnreadableImage, UsageError
from beholder.image.decode import check_bytes
from beholder.image.formats import (
    ARCHIVE_SUFFIXES,
    IGNORED_FILES,
    IGNORED_FOLDERS,
    MAGIC_BYTES,
    VIDEO_SUFFIXES,
    looks_like_image,
    suffix_names_image,
)
from beholder.image.input import Input, LeftOut, Note, failing, loaded, read_stream, refuse_by_name
from beholder.image.limits import Limits
from beholder.image.video import camera_frames, video_frames

Kind = Literal["stdin", "camera", "address", "folder", "archive", "video", "file", "pattern", "nothing"]

_SEVERAL: Final[dict[Kind, str]] = {
    "camera": "a camera gives",
    "folder": "a folder holds",
    "archive": "an archive holds",
    "video": "a video holds",
    "pattern": "a pattern stands for",
}
_NAMELESS: Final = ("<bytes>", "<file>", "<image>", "<array>")


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
    if every < 1:
        raise UsageError(f"every: must be at least 1, found {every}")
    note = note or _silent
    if not _is_list(source):
        yield from _expand_one(source, limits, every, note)
        return
    for index, item in enumerate(_flat(source)):
        for found in _expand_one(item, limits, every, note):
            yield replace(found, name=f"{found.name[:-1]} {index}>") if found.name in _NAMELESS else found


def single(source: Any, limits: Limits) -> Input:
    """The one image that a source stands for.

    What may hold several is refused also when it holds one, so that a program that works goes on working.

    Raises:
        UsageError: it may stand for several, such as a folder or a video.
    """
    if _is_list(source):
        raise _several("the source", "a list holds")
    path = os.fsdecode(source) if isinstance(source, str | os.PathLike) else None
    if path is not None and (why := _SEVERAL.get(_kind_of(path))):
        raise _several(path, why)
    found = list(islice(expand(source, limits), 2))
    if path == "-" and found[0].name != "-":
        raise _several(path, _SEVERAL["archive"])
    return found[0]


def _several(name: str, why: str) -> UsageError:
    return UsageError(f"{name}: one image is needed, and {why} any number; name one image, or use predict_many")


def _silent(_: str) -> None:
    pass


def _is_list(source: Any) -> bool:
    return isinstance(source, list | tuple) or (isinstance(source, Iterator) and not hasattr(source, "read"))


def _flat(source: Any) -> Iterator[Any]:
    for item in source:
        if _is_list(item):
            yield from _flat(item)
        else:
            yield item


def _expand_one(source: Any, limits: Limits, every: int, note: Note) -> Iterator[Input]:
    if isinstance(source, Input):
        yield source
    elif isinstance(source, str | os.PathLike):
        yield from _expand_path(os.fsdecode(source), limits, every, note)
    else:
        yield _memory_input(source, limits)


def _memory_input(source: Any, limits: Limits) -> Input:
    if isinstance(source, bytes | bytearray | memoryview):
        return loaded("<bytes>", bytes(source))
    if hasattr(source, "read"):
        return _stream_input(source, limits)
    if hasattr(source, "mode") and hasattr(source, "getexif"):
        return loaded(getattr(source, "filename", "") or "<image>", source)
    if hasattr(source, "dtype") and hasattr(source, "shape"):
        return loaded("<array>", source)
    raise UsageError(
        "an image must be a path, bytes, a file object, an array, a PIL image or a list of these, "
        f"found {type(source).__name__}"
    )


def _stream_input(stream: Any, limits: Limits) -> Input:
    """The content of a file object; read now, because it can be read only once."""
    name = getattr(stream, "name", None)
    name = name if isinstance(name, str) and name else "<file>"
    try:
        return loaded(name, read_stream(stream, name, limits))
    except ImageError as error:
        return failing(error)
    except (OSError, ValueError) as error:
        return failing(UnreadableImage(name, f"cannot be read: {error}"))


def _kind_of(path: str) -> Kind:
    lower = path.lower()
    if path == "-":
        return "stdin"
    if path.startswith("camera:") and path[7:].isdecimal():
        return "camera"
    if "://" in lower and re.match(r"[a-z][a-z0-9+.-]*://", lower):
        return "address"
    if os.path.isdir(path):
        return "folder"
    if not os.path.exists(path):
        return "pattern" if any(character in path for character in "*?[") else "nothing"
    if lower.endswith(ARCHIVE_SUFFIXES):
        return "archive"
    return "video" if os.path.splitext(lower)[1] in VIDEO_SUFFIXES else "file"


def _expand_path(path: str, limits: Limits, every: int, note: Note) -> Iterator[Input]:
    kind = _kind_of(path)
    if kind == "stdin":
        yield from _expand_stdin(limits, note)
    elif kind == "camera":
        yield from camera_frames(int(path.removeprefix("camera:")), limits, every)
    elif kind == "address":
        yield failing(SourceNotFound(path, "addresses are not fetched; download the image and pass the file"))
    elif kind == "folder":
        yield from _expand_folder(path, limits, note)
    elif kind == "archive":
        from beholder.image.archive import archive_inputs

        yield from archive_inputs(path, path, limits, note)
    elif kind == "video":
        yield from video_frames(path, limits, every)
    elif kind == "file":
        yield _file_input(path, limits)
    elif kind == "pattern":
        yield from _expand_pattern(path, limits, every, note)
    else:
        yield failing(SourceNotFound(path or "''", "no such file or folder"))


def _file_input(path: str, limits: Limits) -> Input:
    return Input(path, lambda: _read_file(path, limits))


def _read_file(path: str, limits: Limits) -> bytes:
    refuse_by_name(path)
    try:
        status = os.stat(path)
        if stat.S_ISFIFO(status.st_mode):
            raise UnreadableImage(path, "a pipe where a file is expected; pipe it into standard input, and name it -")
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableImage(path, "a folder or device where a file is expected")
        check_bytes(status.st_size, path, limits)
        with open(path, "rb") as stream:
            return read_stream(stream, path, limits)
    except FileNotFoundError:
        raise SourceNotFound(path, "no such file") from None
    except OSError as error:
        raise UnreadableImage(path, f"cannot be read: {error.strerror or error}") from None


def _expand_stdin(limits: Limits, note: Note) -> Iterator[Input]:
    try:
        data = read_stream(sys.stdin.buffer, "-", limits)
    except ImageError as error:
        yield failing(error)
        return
    if not data:
        yield failing(EmptySource("-", "standard input is empty; pipe an image into it"))
        return
    from beholder.image.archive import archive_inputs, begins_as_archive

    if begins_as_archive(data[:262]):
        yield from archive_inputs(BytesIO(data), "-", limits, note)
    else:
        yield loaded("-", data)


def _expand_pattern(pattern: str, limits: Limits, every: int, note: Note) -> Iterator[Input]:
    found = sorted(_matching(pattern), key=_natural)
    files = [path for path in found if not os.path.isdir(path)]
    if not found:
        yield failing(SourceNotFound(pattern, "no file matches this pattern"))
    elif not files:
        yield failing(EmptySource(pattern, "only folders match this pattern; name one of them, or end it with /*"))
    for path in files:
        yield from _expand_path(path, limits, every, note)


def _matching(pattern: str) -> list[str]:
    """Paths that match; brackets and stars in the names of folders that exist are only letters."""
    import glob

    folder = os.path.dirname(pattern)
    while folder and not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    literal = glob.glob(glob.escape(folder) + pattern[len(folder) :], recursive=True)
    return literal or glob.glob(pattern, recursive=True)


def _expand_folder(folder: str, limits: Limits, note: Note) -> Iterator[Input]:
    left_out = LeftOut()
    unlisted: list[OSError] = []
    count = 0
    for path in _walk(folder, unlisted.append):
        if _is_image_file(path):
            count += 1
            yield _file_input(path, limits)
        else:
            left_out.add(path)
    for error in unlisted:
        reason = f"its files cannot be listed: {error.strerror or error}"
        yield failing(UnreadableImage(str(error.filename or folder), reason))
    if count:
        left_out.tell(note, folder)
    elif not unlisted:
        yield failing(EmptySource(folder, f"no images in this folder{left_out.found_only()}"))


def _walk(folder: str, on_error: Callable[[OSError], None]) -> Iterator[str]:
    """Files below a folder, hidden ones and links to folders left aside, in natural order."""
    for directory, folders, files in os.walk(folder, onerror=on_error):
        folders[:] = sorted((f for f in folders if f[0] != "." and f not in IGNORED_FOLDERS), key=_natural)
        for name in sorted(files, key=_natural):
            if name[0] != "." and name not in IGNORED_FILES:
                yield os.path.join(directory, name)


def _is_image_file(path: str) -> bool:
    if suffix_names_image(path):
        return True
    try:
        if not os.path.isfile(path):  # opening a pipe would wait for ever
            return False
        with open(path, "rb") as stream:
            return looks_like_image(stream.read(MAGIC_BYTES))
    except OSError:
        return False


def _natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sort `frame2` before `frame10`; `frame02` and `frame2` by their text."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts], name
