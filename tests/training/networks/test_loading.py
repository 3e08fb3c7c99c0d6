"""Batches are the same whoever makes them, in whatever part of a training, and nobody is left waiting for them."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from small_lessons import ArrayPixels, colored  # noqa: E402

from beholder.data import Sample  # noqa: E402
from beholder.errors import TrainingFailed, UnreadableImage  # noqa: E402
from beholder.files import file_digest  # noqa: E402
from beholder.model.geometry import Geometry  # noqa: E402
from beholder.training.networks import loading  # noqa: E402
from beholder.training.networks.augmenting import Augmentation  # noqa: E402
from beholder.training.networks.loading import Batch, Feed, seed_of  # noqa: E402
from beholder.training.networks.pixels import DecodedPixels, Pixels  # noqa: E402

ROWS = np.arange(3, 24)


def feed(pixels: Pixels, batch: int = 4, seed: int = 5, workers: int = 1) -> Feed:
    return Feed(pixels, ROWS, Augmentation(["shift:0.2", "flip"], 16), batch=batch, seed=seed, workers=workers)


def taken(source: Feed, first: int, end: int) -> list[tuple[int, Batch]]:
    return list(source.batches(first, end))


def alike(one: list[tuple[int, Batch]], other: list[tuple[int, Batch]]) -> bool:
    return len(one) == len(other) and all(
        step == place and torch.equal(ours.images, theirs.images) and torch.equal(ours.rows, theirs.rows)
        for (step, ours), (place, theirs) in zip(one, other, strict=True)
    )


def test_every_epoch_has_another_order_and_covers_all_but_a_rest() -> None:
    source = feed(colored(24, 16))
    assert source.steps_per_epoch == 5
    keys = list(source.keys(0, 15))
    epochs = [[row for key in keys[start : start + 5] for row in key.rows] for start in (0, 5, 10)]
    assert [key.epoch for key in keys] == [0] * 5 + [1] * 5 + [2] * 5
    assert all(len(set(epoch)) == 20 and set(epoch) <= set(ROWS.tolist()) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert set().union(*epochs) == set(ROWS.tolist())  # the rest is another one each time
    assert list(source.keys(7, 15)) == keys[7:]
    assert list(feed(colored(24, 16), seed=6).keys(0, 5)) != keys[:5]


def test_batches_are_the_same_for_any_number_of_workers_and_from_any_step_on() -> None:
    one = taken(feed(colored(24, 16)), 0, 8)
    assert [step for step, _ in one] == list(range(8))
    assert one[0][1].images.dtype == torch.uint8 and one[0][1].images.shape == (4, 3, 16, 16)
    assert alike(one, taken(feed(colored(24, 16), workers=2), 0, 8))
    assert alike(one[6:], taken(feed(colored(24, 16)), 6, 8))
    assert not torch.equal(one[0][1].images, taken(feed(colored(24, 16), seed=6), 0, 1)[0][1].images)


def test_an_image_varies_from_epoch_to_epoch() -> None:
    batches = taken(feed(colored(24, 16), batch=21), 0, 2)
    first, second = (dict(zip(batch.rows.tolist(), batch.images, strict=True)) for _, batch in batches)
    assert sum(torch.equal(first[row], second[row]) for row in first) < 5


def test_an_image_that_cannot_be_read_is_replaced_and_told() -> None:
    pixels = colored(24, 16)
    whole = taken(feed(pixels), 0, 5)
    source = feed(ArrayPixels(pixels.images, broken=(4, 9)))
    broken = taken(source, 0, 5)
    assert source.failures.keys() <= {4, 9} and "is gone" in next(iter(source.failures.values()))
    for (_, before), (_, after) in zip(whole, broken, strict=True):
        assert after.images.shape == before.images.shape
        kept = [row for row in before.rows.tolist() if row not in (4, 9)]
        assert after.rows.tolist()[: len(kept)] == kept
        assert set(after.rows.tolist()) == set(kept)
        assert after.failures.keys() == {4, 9} & set(before.rows.tolist())


def test_a_batch_of_which_nothing_can_be_read_is_one_clear_error() -> None:
    source = feed(ArrayPixels(colored(24, 16).images, broken=range(24)))
    with pytest.raises(UnreadableImage, match="is gone"):
        taken(source, 0, 2)


def test_no_worker_is_left_when_batches_are_no_longer_wanted() -> None:
    before = set(multiprocessing.active_children())
    batches = feed(colored(24, 16), workers=2).batches(0, 1000)
    next(batches)
    workers = set(multiprocessing.active_children()) - before
    assert len(workers) == 2
    del batches
    gc.collect()
    until = time.monotonic() + 10
    while any(worker.is_alive() for worker in workers) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(worker.is_alive() for worker in workers)


def test_workers_decode_images_themselves_also_by_decoders_that_need_a_process(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    samples = []
    for number in range(24):
        path = tmp_path / f"{number}.{'tif' if number % 2 else 'png'}"
        compression = {"compression": "tiff_lzw"} if number % 2 else {}
        PIL.Image.fromarray(random.integers(0, 256, (20, 24, 3), np.uint8)).save(path, **compression)
        samples.append(Sample(path, path.name, ("a",), digest=file_digest(path)))
    pixels = DecodedPixels(samples, Geometry("squash", (16, 16)))
    with pixels:
        expected = [pixels.whole(row) for row in range(24)]
        (_, batch), *_ = taken(Feed(pixels, ROWS, Augmentation(["none"], 16), batch=8, seed=0, workers=2), 0, 2)
    assert not batch.failures
    for row, image in zip(batch.rows.tolist(), batch.images, strict=True):
        assert np.array_equal(image.permute(1, 2, 0).numpy(), expected[row])


def test_there_are_no_more_workers_than_cores_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1}, raising=False)
    assert feed(colored(24, 16))._most_workers(1) == 1


def test_workers_are_divided_among_processes_and_fit_into_shared_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(loading, "available_cores", lambda: 13)
    monkeypatch.setattr(loading, "_SHARED", tmp_path)
    batch = 4 * 16 * 16 * 3
    for free, workers in ((10**9, 12), (2 * 5 * 4 * batch, 5), (2 * 4 * batch, 1), (0, 1)):
        monkeypatch.setattr("shutil.disk_usage", lambda _, free=free: SimpleNamespace(free=free, total=free))
        assert feed(colored(24, 16))._most_workers(1) == workers
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=10**9, total=10**9))
    assert [feed(colored(24, 16))._most_workers(world) for world in (2, 4, 64)] == [6, 3, 1]
    assert feed(ArrayPixels(colored(24, 16).images, broken=range(24)))._most_workers(1) == 12


def test_a_worker_that_is_ended_is_one_clear_error() -> None:
    before = set(multiprocessing.active_children())
    batches = feed(colored(24, 16)).batches(0, 10_000)
    next(batches)
    (worker,) = set(multiprocessing.active_children()) - before
    with pytest.raises(TrainingFailed, match=r"a process that makes batches was ended, .*--shm-size"):
        assert worker.pid is not None
        with loading.naming_lost_workers():  # the handler of a signal may be sooner than the next batch
            os.kill(worker.pid, signal.SIGKILL)
            list(batches)


def test_batches_that_shared_memory_has_no_room_for_are_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails when a batch is on its way already is lost, and training would wait for it."""

    def full(*_: object) -> None:
        raise RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space left on device (28)")

    monkeypatch.setattr("torch.UntypedStorage._share_fd_cpu_", full)
    with pytest.raises(TrainingFailed, match="had no room for one"):
        taken(feed(colored(24, 16)), 0, 2)


def test_seeds_follow_from_all_their_numbers() -> None:
    seeds = {seed_of(*numbers) for numbers in ((0, 1), (1, 0), (0, 1, 0), (0, 0, 1), (1,), (2**32, 1))}
    assert len(seeds) == 6 and all(0 <= seed < 2**63 for seed in seeds)
