"""Facts of images: what they say of images made to say it, and that each is decoded once."""

import io
import json

import numpy as np
import PIL.Image
import PIL.ImageFilter
import pytest
from made import image, tree

import beholder.data.looking as looking
from beholder.data import ContentCache, Facts, facts_of, look_at, mean_image, read, statistics_of, with_digests
from beholder.data.facts import hash_bits, hashes_of, needed_scale
from beholder.data.grouping import HASH_DISTANCE
from beholder.errors import DataError
from beholder.image import read as read_image


def facts(pixels: np.ndarray) -> Facts:
    return facts_of(read_image(pixels.astype(np.uint8)))


def photo(seed: int = 0, size: int = 300) -> PIL.Image.Image:
    """Smooth colored blobs, which have a shape as photographs do."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (7, 9, 3), np.uint8)
    return PIL.Image.fromarray(small).resize((size, size * 3 // 4), PIL.Image.Resampling.BICUBIC)


def distance(left: str | None, right: str | None) -> int:
    assert left is not None and right is not None
    return int(left, 16).__xor__(int(right, 16)).bit_count()


def test_colors_and_light():
    white = facts(np.full((20, 30, 3), 255))
    assert (white.brightness, white.contrast, white.entropy, white.commonest_color) == (1, 0, 0, 1)
    assert (white.sharpness, white.border_uniformity, white.hash, white.hash_mirrored) == (0, 1, None, None)
    assert (white.mean_rgb, white.deviation_rgb) == ((1, 1, 1), (0, 0, 0))
    half = np.zeros((20, 40, 3))
    half[:, 20:] = 255
    halves = facts(half)
    assert halves.brightness == pytest.approx(0.5)
    assert halves.contrast == pytest.approx(0.5)
    assert halves.entropy == pytest.approx(1)
    assert halves.commonest_color == pytest.approx(0.5)
    red = facts(np.full((9, 9, 3), (255, 0, 51)))
    assert red.mean_rgb == (1, 0, 0.2)


def test_numbers_are_those_of_numpy():
    pixels = np.asarray(photo(1, 200))
    found = facts(pixels)
    assert found.mean_rgb == pytest.approx(pixels.reshape(-1, 3).mean(0) / 255, abs=1e-5)
    assert found.deviation_rgb == pytest.approx(pixels.reshape(-1, 3).std(0) / 255, abs=1e-5)
    gray = np.asarray(PIL.Image.fromarray(pixels).convert("L")).astype(float)
    assert found.brightness == pytest.approx(gray.mean() / 255, abs=1e-5)
    inside = gray[:-2, 1:-1] + gray[2:, 1:-1] + gray[1:-1, :-2] + gray[1:-1, 2:] - 4 * gray[1:-1, 1:-1]
    assert found.sharpness == pytest.approx(inside.var(), rel=1e-3)


def test_blur_is_less_sharp_and_size_does_not_matter_much():
    noise = PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), np.uint8))
    sharp = noise.resize((256, 256)).filter(PIL.ImageFilter.SHARPEN)
    blurred = sharp.filter(PIL.ImageFilter.GaussianBlur(3))
    assert facts(np.asarray(sharp)).sharpness > 50 * facts(np.asarray(blurred)).sharpness
    small, large = facts(np.asarray(photo(2, 256))), facts(np.asarray(photo(2, 2048)))
    assert large.sharpness == pytest.approx(small.sharpness, rel=0.3)
    assert large.entropy == pytest.approx(small.entropy, rel=0.05)


def test_plain_background():
    pixels = np.full((80, 80, 3), 250)
    pixels[20:60, 20:60] = np.random.default_rng(0).integers(0, 256, (40, 40, 3))
    assert facts(pixels).border_uniformity == 1
    assert facts(pixels).hash is not None
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3))
    assert facts(noise).border_uniformity < 0.1


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (2, 2), (3, 3), (1000, 3)])
def test_images_of_any_size(shape):
    found = facts(np.random.default_rng(0).integers(0, 256, (*shape, 3)))
    assert found.size_hw == shape
    assert found.aspect_ratio == shape[1] / shape[0]
    json.dumps(json.loads(found.to_bytes()), allow_nan=False)


def test_hash_survives_what_keeps_the_picture():
    original = photo(3)
    first, mirrored = hashes_of(original.convert("L"))
    stream = io.BytesIO()
    original.save(stream, "JPEG", quality=30)
    assert distance(hashes_of(PIL.Image.open(stream).convert("L"))[0], first) <= 2
    assert distance(hashes_of(original.resize((150, 112)).convert("L"))[0], first) <= HASH_DISTANCE
    flipped = original.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT)
    assert distance(hashes_of(flipped.convert("L"))[0], mirrored) <= 2
    assert distance(hashes_of(flipped.convert("L"))[1], first) <= 2
    others = [hashes_of(photo(seed).convert("L"))[0] for seed in range(4, 40)]
    assert min(distance(other, first) for other in others) > 10


def test_hash_is_the_cosine_transform_of_scipy():
    fft = pytest.importorskip("scipy.fft")
    small = np.asarray(photo(5).convert("L").resize((32, 32), PIL.Image.Resampling.BOX)).astype(float)
    low = fft.dctn(small, type=2)[1:9, 1:9]
    expected = np.packbits(low > np.median(low)).tobytes().hex()
    assert hashes_of(photo(5).convert("L"))[0] == expected


def test_facts_travel_as_json():
    found = facts(np.asarray(photo(6)))
    assert Facts.from_bytes(found.to_bytes()) == found
    assert hash_bits([found.hash or ""]).dtype == np.uint64


def test_scale_that_is_needed():
    assert needed_scale((100, 100)) == 1
    assert needed_scale((4000, 3000)) == 512 / 4000


def test_each_image_is_decoded_once(tmp_path, contents, monkeypatch):
    tree(tmp_path, "cat/1.png", "cat/2.png", "dog/3.png")
    (tmp_path / "dog" / "copy.png").write_bytes((tmp_path / "cat" / "1.png").read_bytes())
    (tmp_path / "dog" / "broken.png").write_bytes(b"no image")
    opened = []
    plain = looking._look_at_one
    monkeypatch.setattr(
        looking, "_look_at_one", lambda sample, reader: opened.append(sample.name) or plain(sample, reader)
    )
    dataset = with_digests(read(tmp_path), contents)
    told = []
    first = look_at(dataset.samples, contents, progress=lambda done, total: told.append((done, total)))
    assert sorted(opened) == ["cat/1.png", "cat/2.png", "dog/3.png", "dog/broken.png"]
    assert told == [(4, 4)]
    assert list(first.failures) == ["dog/broken.png"]
    assert len(first.facts) == 3
    opened.clear()
    with ContentCache() as again:
        assert look_at(dataset.samples, again).facts == first.facts
    assert opened == ["dog/broken.png"]
    with pytest.raises(DataError, match="its digest must be known"):
        look_at(read(tmp_path).samples, contents)


def test_image_that_changes_while_it_is_read(tmp_path, contents):
    dataset = with_digests(read(tree(tmp_path, "cat/1.png", "dog/2.png")), contents)
    image(tmp_path / "other.png").replace(tmp_path / "cat" / "1.png")
    found = look_at(dataset.samples, contents)
    assert "was changed while it was read" in str(found.failures["cat/1.png"])
    assert len(found.facts) == 1


def test_statistics(tmp_path, contents):
    for name, color, size in [("train/cat/1.png", (255, 0, 0), (40, 20)), ("test/dog/2.png", (0, 255, 0), (20, 20))]:
        (tmp_path / name).parent.mkdir(parents=True)
        PIL.Image.new("RGB", size, color).save(tmp_path / name)
    (tmp_path / "train" / "_unknown").mkdir()
    PIL.Image.new("L", (10, 90)).save(tmp_path / "train" / "_unknown" / "3.png")
    (tmp_path / "test" / "dog" / "broken.png").write_bytes(b"no image")
    dataset = with_digests(read(tmp_path), contents)
    found = statistics_of(dataset, look_at(dataset.samples, contents).facts)
    assert (found.samples, found.labelled, found.strangers, found.looked_at) == (3, 3, 1, 2)
    assert found.classes == {"cat": 1, "dog": 2}
    assert found.splits == {"test": 2, "train": 1}
    assert found.shapes == {"tall": 0, "portrait": 0, "square": 1, "landscape": 0, "wide": 1}
    assert found.commonest_sizes == {"40 x 20": 1, "20 x 20": 1}
    assert (found.formats, found.modes) == ({"PNG": 2}, {"RGB": 2})
    assert found.mean_rgb == (0.5, 0.5, 0)
    assert found.deviation_rgb == (0.5, 0.5, 0)
    assert found.widths is not None and (found.widths.least, found.widths.median, found.widths.most) == (20, 30, 40)
    json.dumps(found.to_dict(), allow_nan=False)
    mean = mean_image(dataset, contents)
    assert mean is not None and mean.shape == (32, 32, 3)
    assert set(map(tuple, mean.reshape(-1, 3).tolist())) == {(128, 128, 0)}


def test_statistics_agree_with_numpy(tmp_path, contents):
    names = [f"cat/{number}.png" for number in range(4)] + ["dog/x.png"]
    dataset = with_digests(read(tree(tmp_path, *names)), contents)
    found = statistics_of(dataset, look_at(dataset.samples, contents).facts)
    pixels = np.stack([np.asarray(PIL.Image.open(sample.path)) for sample in dataset.samples]).reshape(-1, 3) / 255
    assert found.mean_rgb == pytest.approx(pixels.mean(0), abs=1e-4)
    assert found.deviation_rgb == pytest.approx(pixels.std(0), abs=1e-4)


def test_statistics_of_nothing(tmp_path, contents):
    dataset = with_digests(read(tree(tmp_path, "cat/1.png", "dog/2.png")), contents).with_samples([])
    found = statistics_of(dataset, {})
    assert (found.samples, found.heights, found.mean_rgb) == (0, None, None)
    assert mean_image(dataset, contents) is None
