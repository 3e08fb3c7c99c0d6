"""Images are stored exactly as the model file sees them, go on being stored, and never half."""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import PIL.Image
import pytest

pytest.importorskip("torch")

from beholder.data import Facts, Sample, facts_of
from beholder.errors import OutputFailed, UnreadableImage
from beholder.files import cache_dir, file_digest
from beholder.image import Reader
from beholder.image.sources import single
from beholder.model.geometry import Geometry
from beholder.training.networks import storing as module
from beholder.training.networks.decoding import DecodedPixels, whole_size
from beholder.training.networks.pixels import SelectedPixels, StoredPixels, pixels_of

CROP = Geometry("resize_crop", (32, 32), resize=37, resample="bilinear", draft=2.0)
SQUASH = Geometry("squash", (24, 24), resample="bilinear")
LETTERBOX = Geometry("letterbox", (32, 32), resample="bicubic", fill=(114, 114, 114), draft=2.0)
SIZES = ((60, 80), (200, 40), (33, 900), (5, 3), (37, 37))

Known = tuple[list[Sample], dict[str, Facts]]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEHOLDER_CACHE", str(tmp_path / "cache"))


def known(paths: Sequence[Path]) -> Known:
    samples = [Sample(path, path.name, ("a",), digest=file_digest(path)) for path in paths]
    with Reader() as reader:
        found = {
            sample.digest or "": facts_of(reader.read(single(sample.path, reader.limits).load(), sample.name))
            for sample in samples
        }
    return samples, found


@pytest.fixture
def images(tmp_path: Path) -> Known:
    random = np.random.default_rng(2)
    paths = []
    for number, (height, width) in enumerate(SIZES):
        coarse = random.integers(0, 256, (max(1, height // 4), max(1, width // 4), 3), np.uint8)
        path = tmp_path / f"{number}.{'jpg' if number % 2 == 0 else 'png'}"
        PIL.Image.fromarray(coarse).resize((width, height), PIL.Image.Resampling.BICUBIC).save(path)
        paths.append(path)
    turned = tmp_path / "turned.jpg"  # upright, it is 90 pixels high
    exif = PIL.Image.Exif()
    exif[274] = 6
    PIL.Image.fromarray(random.integers(0, 256, (40, 90, 3), np.uint8)).save(turned, exif=exif)
    return known([*paths, turned])


def reading(sample: Sample, geometry: Geometry) -> Any:
    with Reader() as reader:
        return reader.read(single(sample.path, reader.limits).load(), sample.name, geometry.needed_scale)


@pytest.mark.parametrize("geometry", [CROP, SQUASH, LETTERBOX], ids=lambda geometry: geometry.method)
def test_stored_images_are_those_of_the_geometry_and_of_decoding_each_time(images: Known, geometry: Geometry) -> None:
    samples, found = images
    stored = pixels_of(samples, found, geometry)
    assert isinstance(stored, StoredPixels) and not stored.failures()
    with DecodedPixels(samples, geometry) as decoded:
        for row, sample in enumerate(samples):
            image = reading(sample, geometry)
            assert np.array_equal(stored.input(row), geometry.apply(image)[0])
            assert np.array_equal(stored.input(row), decoded.input(row))
            whole = stored.whole(row)
            assert np.array_equal(whole, decoded.whole(row)) and whole.dtype == np.uint8
            assert whole.shape == (*whole_size(image.size_hw, geometry), 3)
            both = decoded.both(row)
            assert np.array_equal(both[0], stored.input(row)) and np.array_equal(both[1], whole)


def test_a_whole_is_all_of_an_image_or_the_middle_of_a_very_long_one(images: Known) -> None:
    samples, found = images
    stored = pixels_of(samples, found, CROP)
    shapes = [stored.whole(row).shape[:2] for row in range(len(samples))]
    assert shapes == [(37, 49), (74, 37), (37, 74), (62, 37), (37, 37), (74, 37)]
    square = reading(samples[4], CROP)
    assert np.array_equal(stored.whole(4), np.asarray(square.pil))  # 37 x 37 already
    long = np.asarray(reading(samples[2], CROP).pil)
    middle = PIL.Image.fromarray(long).resize((74, 37), PIL.Image.Resampling.BILINEAR, box=(417, 0, 483, 33))
    assert np.abs(stored.whole(2).astype(int) - np.asarray(middle)).max() <= 2


def test_the_middle_of_a_whole_is_the_input(images: Known) -> None:
    samples, found = images
    stored = pixels_of(samples, found, Geometry("resize_crop", (32, 32), resize=38, resample="bilinear"))
    for row in (3, 4):  # a scale that is the same to both sides
        whole = stored.whole(row).astype(int)
        top, left = (whole.shape[0] - 32) // 2, (whole.shape[1] - 32) // 2
        middle = whole[top : top + 32, left : left + 32]
        assert np.abs(middle - stored.input(row)).max() <= (1 if row == 4 else 40)


def test_storing_goes_on_where_it_was_stopped(images: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    samples, found = images
    monkeypatch.setattr(module, "_TOGETHER", 2)

    def stop(done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pixels_of(samples, found, CROP, stop)
    asked = []
    decode = DecodedPixels.both
    monkeypatch.setattr(DecodedPixels, "both", lambda self, row: asked.append(row) or decode(self, row))
    told = []
    stored = pixels_of(samples, found, CROP, lambda done, total: told.append((done, total)))
    assert sorted(asked) == [4, 5] and told == [(2, 2)]
    assert np.array_equal(stored.input(0), CROP.apply(reading(samples[0], CROP))[0])
    asked.clear()
    pixels_of(samples, found, CROP)
    assert asked == []


def test_a_file_that_has_gone_or_changed_is_a_failure_and_tried_again(images: Known) -> None:
    samples, found = images
    kept = samples[0].path.read_bytes()
    samples[0].path.unlink()
    samples[1].path.write_bytes(kept)
    stored = pixels_of(samples, found, SQUASH)
    assert isinstance(stored, StoredPixels) and sorted(stored.failures()) == [0, 1]
    with pytest.raises(UnreadableImage, match=r"0\.jpg"):
        stored.input(0)
    with pytest.raises(UnreadableImage):
        stored.whole(1)
    others = SelectedPixels(stored, [2, 3, 4, 5])
    assert np.array_equal(others.input(0), stored.input(2))
    samples[0].path.write_bytes(kept)
    again = pixels_of(samples, found, SQUASH)
    assert isinstance(again, StoredPixels) and sorted(again.failures()) == [1]


def test_a_full_disk_is_told_before_anything_is_decoded(images: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    samples, found = images

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(OutputFailed, match=r"No space left on device; decoded images take 0\.0 GB"):
        pixels_of(samples, found, CROP)
    assert list((cache_dir() / "pixels").iterdir()) == []


def test_where_there_is_no_room_images_are_decoded_each_time(images: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    samples, found = images
    expected = [pixels_of(samples, found, CROP).whole(row) for row in range(3)]
    monkeypatch.setattr(module, "_MOST_BYTES", 100)
    decoded = pixels_of(samples, found, CROP)
    assert isinstance(decoded, DecodedPixels)
    assert decoded.reason == "decoded they would take 0.0 GB, and at most 0.0 are stored"
    assert all(np.array_equal(decoded.whole(row), whole) for row, whole in enumerate(expected))
    samples[4].path.unlink()
    with pytest.raises(Exception, match=r"4\.jpg: no such file"):
        decoded.input(4)
    again = pickle.loads(pickle.dumps(decoded))
    assert np.array_equal(again.input(1), decoded.input(1))


def test_that_a_disk_is_too_full_is_known(images: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    samples, found = images
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    decoded = pixels_of(samples, found, CROP)
    assert isinstance(decoded, DecodedPixels)
    assert decoded.reason == f"decoded they would take 0.0 GB, and 0.0 are free in {cache_dir() / 'pixels'}"


def test_an_image_counts_as_done_when_it_is_on_the_disk(images: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a power cut there is what was flushed; a mark that came before its image would make it black."""
    samples, found = images
    monkeypatch.setattr(module, "_TOGETHER", 2)
    flush, on_disk = np.memmap.flush, []

    def watched(self: Any) -> None:
        name = Path(self.filename).name
        (folder,) = (cache_dir() / "pixels").iterdir()
        on_disk.append((name, (np.fromfile(folder / "state.u1", np.uint8) != 0).sum()))
        flush(self)

    monkeypatch.setattr(np.memmap, "flush", watched)
    pixels_of(samples, found, CROP)
    each = [("inputs.u1", 0), ("wholes.u1", 0), ("state.u1", 2)]
    assert on_disk == [(name, done + 2 * part) for part in range(3) for name, done in each]


def test_sets_that_were_used_longest_ago_go_first(images: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    samples, found = images
    places = []
    for number, geometry in enumerate((CROP, SQUASH, LETTERBOX)):
        before = set((cache_dir() / "pixels").glob("*"))
        pixels_of(samples, found, geometry)
        (place,) = set((cache_dir() / "pixels").iterdir()) - before
        os.utime(place, (number + 1, number + 1))
        places.append(place)
    pixels_of(samples, found, CROP)  # used again: SQUASH is the oldest now
    kept = sum(path.stat().st_size for place in (places[0], places[2]) for path in place.iterdir())
    more = Geometry("squash", (8, 8))
    monkeypatch.setattr(module, "_KEPT_BYTES", kept + 6 * 8 * 8 * 3 + 6)
    pixels_of(samples, found, more)
    left = set((cache_dir() / "pixels").iterdir())
    assert places[1] not in left and {places[0], places[2]} < left and len(left) == 3


def test_stored_images_can_be_passed_to_another_process(images: Known) -> None:
    samples, found = images
    stored = pixels_of(samples, found, CROP)
    passed = pickle.dumps(SelectedPixels(stored, [3, 1]))
    assert len(passed) < 3000  # not the images
    assert np.array_equal(pickle.loads(passed).whole(1), stored.whole(1))


def test_equal_images_in_equal_geometry_are_stored_once(images: Known) -> None:
    samples, found = images
    pixels_of(samples, found, SQUASH)
    pixels_of([Sample(one.path, f"other/{one.name}", ("b",), digest=one.digest) for one in samples], found, SQUASH)
    assert len(list((cache_dir() / "pixels").iterdir())) == 1
