"""What is kept of an unfinished training, so that it goes on where it was."""

from __future__ import annotations

import errno
import io
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from beholder.errors import OutputFailed, UsageError
from beholder.files import data_dir, digest, write_atomic

_LEAST_SECONDS: Final = 30.0
_SHARE: Final = 0.02
"""Of the time, that may go into writing checkpoints within an epoch."""


class Keeper:
    """The folder of an unfinished training: a checkpoint, and what is done already.

    Args:
        folder: `unfinished_folder` says which.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._saved = time.monotonic()
        self._pause = _LEAST_SECONDS

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Keep the folder to this process for a while.

        Raises:
            UsageError: another process is at the same training.
            OutputFailed: the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            stream = open(self.folder / "owner", "ab")  # noqa: SIM115 — it is closed below
        except OSError as error:
            raise OutputFailed(f"{self.folder}: cannot be written: {error.strerror or error}") from error
        with stream:
            _lock(stream)
            yield

    def due(self) -> bool:
        """Whether a checkpoint is worth its time now."""
        return time.monotonic() - self._saved >= self._pause

    def save(self, name: str, state: Mapping[str, Any]) -> None:
        """Keep a state of tensors, numbers and texts, in place of the one before.

        Raises:
            OutputFailed: it cannot be written; the one before is still there.
        """
        started = time.monotonic()
        data = io.BytesIO()
        torch.save(dict(state), data)
        try:
            with write_atomic(self.folder / f"{name}.pt", overwrite=True) as stream:
                stream.write(data.getbuffer())
        except OutputFailed as error:
            raise OutputFailed(f"{error}; make room there, and give the same command again: it goes on") from error
        self._saved = time.monotonic()
        self._pause = max(_LEAST_SECONDS, (self._saved - started) / _SHARE)

    def has(self, name: str) -> bool:
        """Whether a state was kept, damaged or not."""
        return (self.folder / f"{name}.pt").is_file()

    def load(self, name: str) -> dict[str, Any] | None:
        """A state that was kept; None where there is none, or it is damaged.

        Raises:
            UsageError: it is there, and the system does not let it be read.
        """
        if not self.has(name):
            return None
        path = self.folder / f"{name}.pt"
        try:
            data = io.BytesIO(path.read_bytes())
        except OSError as error:
            raise UsageError(f"{path}: cannot be read: {error.strerror}; let it be read, or remove it") from None
        try:
            state: dict[str, Any] = torch.load(data, map_location="cpu", weights_only=True)
        except Exception:  # a damaged file raises whatever its bytes lead to
            return None
        return state

    def put(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep arrays that are done."""
        data = io.BytesIO()
        np.savez(data, allow_pickle=False, **dict(arrays))
        with write_atomic(self.folder / f"{name}.npz", overwrite=True) as stream:
            stream.write(data.getbuffer())

    def get(self, name: str) -> dict[str, NDArray[Any]] | None:
        """Arrays that were kept; None where there are none, or they cannot be read."""
        path = self.folder / f"{name}.npz"
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:  # it leaves a damaged file open
                return dict(arrays)
        except Exception:  # as above
            return None

    def drop(self, name: str) -> None:
        """Forget the checkpoints of a part that is done."""
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def remove(self) -> None:
        """Forget everything: the training is done."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _lock(stream: IO[bytes]) -> None:
    """A lock that ends with the process, however that ends, and that processes it starts do not inherit."""
    try:
        import fcntl
    except ImportError:  # Windows has no such locks
        return
    try:
        fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):  # else the file system has no locks
            raise UsageError(
                "another process trains by the same recipe on the same images; wait until it ends"
            ) from None


def unfinished_folder(*parts: str) -> Path:
    """Where the training is kept that is told by these texts; equal ones go on with each other."""
    return data_dir() / "unfinished" / digest(json.dumps(parts).encode())[7:39]
