"""Batches for training, made ahead by worker processes, and the same whatever their number.

What is drawn at random for an image follows from the seed, the epoch and the image, so that training can go on at any
step.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from beholder.errors import ImageError, TrainingFailed, UnreadableImage
from beholder.model.runtime import available_cores
from beholder.training.networks.augmenting import Augmentation
from beholder.training.networks.pixels import Pixels
from beholder.training.networks.varying import Array

_AHEAD: Final = 4
"""Batches that each worker makes ahead."""

_LOOKED_AFTER: Final = 2.0
"""Seconds between two looks whether the process that takes the batches is still there."""

_MOST_WORKERS: Final = 16

_SHARED: Final = Path("/dev/shm")  # noqa: S108 — nothing is written there by name
"""Where batches are passed on, on Linux: a container has 64 MB there unless it is given more."""

_LOST: Final = ("DataLoader worker (pid", "unable to allocate shared memory")
"""How torch says that a worker has ended, or has no room for a batch."""

_SHARE_OF_SHARED: Final = 0.5
"""What of it batches that are made ahead may take."""


class Key(NamedTuple):
    """Which images a step sees, by their rows."""

    epoch: int
    rows: tuple[int, ...]


class Batch(NamedTuple):
    """Images for one step.

    Attributes:
        images: uint8 `(B, 3, S, S)`, the channels last in memory.
        rows: int64 `(B,)`, which images they are.
        failures: why images could not be read, by row; another of the batch stands in the place of each. Where all
            failed there are no images.
    """

    images: Tensor
    rows: Tensor
    failures: dict[int, str]


def seed_of(*numbers: int) -> int:
    """A seed that follows from these numbers, and from no others."""
    return int.from_bytes(hashlib.blake2b(repr(numbers).encode(), digest_size=8).digest(), "little") >> 1


class Feed:
    """The batches of a training, in their order.

    Args:
        pixels: of all images.
        rows: of those that are fitted on, `(n,)`.
        augmentation: varies them.
        batch: images for each step, at most n.
        seed: of their order, and of how they are varied.
        workers: processes that make batches; None for one fewer than there are cores, and no more than there is
            shared memory for. They are divided among processes that train together.

    Attributes:
        waited: seconds that training waited for batches.
        failures: why images could not be read, by row.
    """

    def __init__(
        self,
        pixels: Pixels,
        rows: NDArray[Any],
        augmentation: Augmentation,
        *,
        batch: int,
        seed: int,
        workers: int | None = None,
    ) -> None:
        self._varied = _Varied(pixels, augmentation, seed)
        self._rows = np.asarray(rows, np.int64)
        self._batch = batch
        self._seed = seed
        self._workers = workers
        self.waited = 0.0
        self.failures: dict[int, str] = {}

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which every image is seen once, but for a rest that fills no batch."""
        return max(1, len(self._rows) // self._batch)

    def batches(self, first: int, end: int, rank: int = 0, world: int = 1) -> Iterator[tuple[int, Batch]]:
        """The number and the batch of each step, from one on to before another.

        Args:
            first: step.
            end: the step before which it ends.
            rank: of this process among those that train together; each gets its part of every batch.
            world: how many train together.

        Raises:
            UnreadableImage: not one image of a batch can be read.
            TrainingFailed: a process that makes batches was ended from outside.
        """
        loader: DataLoader[Batch] = DataLoader(
            self._varied,
            batch_size=None,
            sampler=_Steps(self, first, end, rank, world),
            num_workers=self._workers or self._most_workers(world),
            prefetch_factor=_AHEAD,
            worker_init_fn=partial(_begin_worker, parent=os.getpid()),
            pin_memory=torch.cuda.is_available(),
        )
        asked = time.perf_counter()
        with naming_lost_workers(ConnectionResetError, EOFError):
            for step, batch in enumerate(loader, first):
                self.waited += time.perf_counter() - asked
                self.failures |= batch.failures
                if not len(batch.rows):
                    raise UnreadableImage(f"{len(batch.failures):,} images", next(iter(batch.failures.values())))
                yield step, batch
                asked = time.perf_counter()

    def _most_workers(self, world: int) -> int:
        """Processes that make batches for each of those that train together; at least one."""
        most = min(_MOST_WORKERS, (available_cores() - 1) // world)
        if _SHARED.is_dir():
            room = _SHARE_OF_SHARED * shutil.disk_usage(_SHARED).free
            most = min(most, int(room // (_AHEAD * self._batch * self._varied.bytes_of(self._rows[0]))))
        return max(1, most)

    def keys(self, first: int, end: int) -> Iterator[Key]:
        """Which images each step sees."""
        known, order = -1, self._rows
        for step in range(first, end):
            epoch, place = divmod(step, self.steps_per_epoch)
            if epoch != known:
                known, order = epoch, np.random.default_rng([self._seed, epoch]).permutation(self._rows)
            yield Key(epoch, tuple(order[place * self._batch : (place + 1) * self._batch].tolist()))


class _Steps(Sampler[Key]):
    def __init__(self, feed: Feed, first: int, end: int, rank: int, world: int) -> None:
        self._feed, self._first, self._end, self._rank, self._world = feed, first, end, rank, world

    def __iter__(self) -> Iterator[Key]:
        for key in self._feed.keys(self._first, self._end):
            yield Key(key.epoch, key.rows[self._rank :: self._world])

    def __len__(self) -> int:
        return self._end - self._first


@contextmanager
def naming_lost_workers(*others: type[Exception]) -> Iterator[None]:
    """Say in one line that a process which makes batches was lost: torch may say so anywhere, by a signal's handler.

    Args:
        others: errors beside torch's own that mean it here, as where a batch is read from a process that is no more.

    Raises:
        TrainingFailed: it was ended, or has no room for a batch.
    """
    possible: tuple[type[Exception], ...] = (RuntimeError, *others)
    try:
        yield
    except possible as error:
        if isinstance(error, others):
            with suppress(RuntimeError):
                time.sleep(1)  # for torch to raise its own here, rather than anywhere later
        elif not any(words in str(error) for words in _LOST):
            raise
        there = f" ({_SHARED} has {shutil.disk_usage(_SHARED).total / 1e6:,.0f} MB)" if _SHARED.is_dir() else ""
        raise TrainingFailed(
            "a process that makes batches was ended, or had no room for one: there is too little memory, or too little "
            f"of what processes share{there}; give more, in Docker by --shm-size=1g, or choose a smaller batch or size"
        ) from error


class _Varied(Dataset[Batch]):
    """Makes whole batches: what runs in the worker processes."""

    def __init__(self, pixels: Pixels, augmentation: Augmentation, seed: int) -> None:
        self._pixels, self._augmentation, self._seed = pixels, augmentation, seed

    def bytes_of(self, row: int) -> int:
        """What an image takes in a batch, by one of them."""
        try:
            return self._pixels.input(int(row)).nbytes
        except ImageError:
            return 1

    def __getitem__(self, key: Key) -> Batch:
        made: dict[int, Array] = {}
        failures: dict[int, str] = {}
        for row in key.rows:
            try:
                whole = self._pixels.whole(row)
            except ImageError as error:
                failures[row] = str(error)
                continue
            made[row] = self._augmentation(whole, seed_of(self._seed, key.epoch, row))
        if not made:  # an error that is raised here would arrive as another
            return Batch(torch.empty(0, dtype=torch.uint8), torch.empty(0, dtype=torch.int64), failures)
        rows = [row for row in key.rows if row in made]
        rows += [rows[place % len(rows)] for place in range(len(failures))]  # so that every batch has its size
        images = torch.from_numpy(np.stack([made[row] for row in rows])).permute(0, 3, 1, 2)
        chosen = torch.tensor(rows)
        for tensor in (images, chosen):
            tensor.share_memory_()  # type: ignore[no-untyped-call]  # on the way to training, an error would be lost
        return Batch(images, chosen, failures)


def _begin_worker(_: int, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asks for batches ends them
    torch.set_num_threads(1)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOKED_AFTER)
        os._exit(1)

    # By itself it would wait for ever to hand over what it has made to one that was killed, and keep its memory.
    threading.Thread(target=watch, daemon=True).start()
