"""What is kept of an unfinished training, so that it goes on where it was."""

from __future__ import annotations

import io
import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

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
        with write_atomic(self.folder / f"{name}.pt", overwrite=True) as stream:
            stream.write(data.getbuffer())
        self._saved = time.monotonic()
        self._pause = max(_LEAST_SECONDS, (self._saved - started) / _SHARE)

    def load(self, name: str) -> dict[str, Any] | None:
        """A state that was kept; None where there is none, or it cannot be read."""
        path = self.folder / f"{name}.pt"
        if not path.is_file():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except Exception:  # a damaged file raises whatever its bytes lead to; training begins anew
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


def unfinished_folder(*parts: str) -> Path:
    """Where the training is kept that is told by these texts; equal ones go on with each other."""
    return data_dir() / "unfinished" / digest(json.dumps(parts).encode())[7:39]
