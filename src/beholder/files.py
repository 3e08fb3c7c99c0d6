"""Where Beholder keeps its own files, and how it writes the ones that are asked for."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from beholder.errors import OutputExists, OutputFailed


def cache_dir() -> Path:
    """The folder for what can be made again: `$BEHOLDER_CACHE`, or the system's place for caches."""
    chosen = os.environ.get("BEHOLDER_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "beholder" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "beholder"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "beholder"


def data_dir() -> Path:
    """The folder for what cannot be made again: `$BEHOLDER_DATA`, or the system's place for a person's data."""
    chosen = os.environ.get("BEHOLDER_DATA")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "beholder" / "data"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "beholder"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "beholder"


def digest(data: bytes | memoryview) -> str:
    """The content digest of some bytes: `sha256:` and 64 hexadecimal digits."""
    import hashlib  # loads OpenSSL, which takes longer than reading a model card

    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def file_digest(path: str | os.PathLike[str]) -> str:
    """The content digest of a file, read as a stream.

    Raises:
        OSError: it cannot be read, or is no regular file: a pipe would be waited for without end.
    """
    import hashlib

    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(errno.EINVAL, "is not a regular file", os.fspath(path))
    with open(path, "rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


@contextmanager
def write_atomic(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[BinaryIO]:
    """Write a file beside its place and rename it into place when all of it is written.

    Args:
        path: the file to make; its folder is made when missing.
        overwrite: whether an existing file may be replaced.

    Yields:
        A binary stream to write to. When the block raises, nothing is left behind.

    Raises:
        OutputExists: the file exists and `overwrite` is false.
        OutputFailed: the folder cannot be written to, or the disk is full.
    """
    target = Path(path)
    _refuse_taken(target, overwrite)
    temporary = target.with_name(f".{target.name[:40]}.{os.urandom(4).hex()}.part")  # 255 bytes at most
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if overwrite:
            os.replace(temporary, target)
        else:
            _rename_new(temporary, target)
    except OSError as error:
        raise OutputFailed(f"{target}: cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # gone already, or never made
            temporary.unlink()


def require_writable(path: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Find out before long work whether a file can be written at its end; its folder is made when missing.

    Args:
        path: the file to be made.
        overwrite: whether an existing file may be replaced.

    Raises:
        OutputExists: the file exists and `overwrite` is false.
        OutputFailed: it cannot be written.
    """
    target = Path(path)
    probe = target.with_name(f".{target.name[:40]}.{os.urandom(4).hex()}.part")
    _refuse_taken(target, overwrite)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise OutputFailed(f"{target}: cannot be written: {error.strerror or error}") from error


def _refuse_taken(target: Path, overwrite: bool) -> None:
    if os.path.isdir(target):
        raise OutputFailed(f"{target}: is a folder; name a file")
    if not overwrite and os.path.lexists(target):
        raise OutputExists(f"{target}: exists already; choose another name or pass --force")


def _rename_new(temporary: Path, target: Path) -> None:
    """Rename onto a name that must still be free, also when another process is writing the same one."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise OutputExists(f"{target}: exists already; choose another name or pass --force") from None
    except OSError:
        os.replace(temporary, target)  # a file system without hard links
