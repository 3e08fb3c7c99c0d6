"""Batches for training, made ahead by worker processes, and the same whatever their number.

What is drawn at random for an image follows from the seed, the epoch and the image, so that training can go on at any
step.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from beholder.errors import ImageError, UnreadableImage
from beholder.training.networks.augmenting import Augmentation
from beholder.training.networks.pixels import Pixels

_AHEAD: Final = 4
"""Batches that each worker makes ahead."""

_MOST_WORKERS: Final = 16


class Key(NamedTuple):
    """Which images a step sees, by their rows."""

    epoch: int
    rows: tuple[int, ...]


class Batch(NamedTuple):
    """Images for one step.

    Attributes:
        images: uint8 `(B, 3, S, S)`.
        rows: int64 `(B,)`, which images they are.
        failures: why images could not be read, by row; another of the batch stands in the place of each. Where all
            failed there are no images.
    """

    images: Tensor
    rows: Tensor
    failures: dict[int, str]


def seed_of(*numbers: int) -> int:
    """A seed that follows from these numbers, and from no others."""
    told = (len(numbers), *numbers)  # else zeros at the end would say nothing
    return int(np.random.SeedSequence(told).generate_state(1, np.uint64)[0] >> np.uint64(1))


class Feed:
    """The batches of a training, in their order.

    Args:
        pixels: of all images.
        rows: of those that are fitted on, `(n,)`.
        augmentation: varies them.
        batch: images for each step, at most n.
        seed: of their order, and of how they are varied.
        workers: processes that make batches; None for one fewer than there are cores.

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
        self._workers = workers or max(1, min(_MOST_WORKERS, _cores() - 1))
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
        """
        loader: DataLoader[Batch] = DataLoader(
            self._varied,
            batch_size=None,
            sampler=_Steps(self, first, end, rank, world),
            num_workers=self._workers,
            prefetch_factor=_AHEAD,
            worker_init_fn=_begin_worker,
            pin_memory=torch.cuda.is_available(),
        )
        asked = time.perf_counter()
        for step, batch in enumerate(loader, first):
            self.waited += time.perf_counter() - asked
            self.failures |= batch.failures
            if not len(batch.rows):
                raise UnreadableImage(f"{len(batch.failures):,} images", next(iter(batch.failures.values())))
            yield step, batch
            asked = time.perf_counter()

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


class _Varied(Dataset[Batch]):
    """Makes whole batches: what runs in the worker processes."""

    def __init__(self, pixels: Pixels, augmentation: Augmentation, seed: int) -> None:
        self._pixels, self._augmentation, self._seed = pixels, augmentation, seed

    def __getitem__(self, key: Key) -> Batch:
        made: dict[int, Tensor] = {}
        failures: dict[int, str] = {}
        for row in key.rows:
            try:
                whole = torch.from_numpy(self._pixels.whole(row).copy()).permute(2, 0, 1)
            except ImageError as error:
                failures[row] = str(error)
                continue
            made[row] = self._augmentation(whole, seed_of(self._seed, key.epoch, row))
        if not made:  # an error that is raised here would arrive as another
            return Batch(torch.empty(0, dtype=torch.uint8), torch.empty(0, dtype=torch.int64), failures)
        rows = [row for row in key.rows if row in made]
        rows += [rows[place % len(rows)] for place in range(len(failures))]  # so that every batch has its size
        return Batch(torch.stack([made[row] for row in rows]), torch.tensor(rows), failures)


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2


def _begin_worker(_: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asks for batches ends them
    torch.set_num_threads(1)
