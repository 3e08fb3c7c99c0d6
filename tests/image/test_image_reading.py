"""One way in: the same image gives the same pixels whatever it comes from."""

import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from encoding import encoded, png
from goldens import goldens
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from beholder.errors import ImageTooLarge, UnreadableImage, UsageError
from beholder.image import Image, Input, Limits, Reader, expand, read

COLORS = np.random.default_rng(7).integers(0, 256, (20, 30, 3), dtype=np.uint8)


@pytest.fixture
def data() -> bytes:
    return encoded(PIL.Image.fromarray(COLORS), "PNG")


def only(source) -> Image:
    """The only image of a source that may hold several."""
    (found,) = expand(source, Limits())
    with Reader() as reader:
        return reader.read(found.load(), found.name)


def zipped(data: bytes, folder: Path) -> Image:
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("a.png", data)
    return only(folder / "a.zip")


def tarred(data: bytes, folder: Path) -> Image:
    (folder / "a.png").write_bytes(data)
    with tarfile.open(folder / "a.tar.gz", "w:gz") as archive:
        archive.add(folder / "a.png", "a.png")
    return only(folder / "a.tar.gz")


def from_path(data: bytes, folder: Path) -> Path:
    (folder / "a.png").write_bytes(data)
    return folder / "a.png"


def from_unbuffered_pipe(data: bytes) -> Image:
    reading, writing = os.pipe()
    with open(writing, "wb") as sink:
        sink.write(data)
    with open(reading, "rb", buffering=0) as stream:
        return read(stream)


WAYS = {
    "path": lambda data, folder: read(from_path(data, folder)),
    "path as text": lambda data, folder: read(str(from_path(data, folder))),
    "bytes": lambda data, _: read(data),
    "bytearray": lambda data, _: read(bytearray(data)),
    "memoryview": lambda data, _: read(memoryview(data)),
    "file object": lambda data, _: read(io.BytesIO(data)),
    "unbuffered pipe": lambda data, _: from_unbuffered_pipe(data),
    "pil image": lambda data, _: read(PIL.Image.open(io.BytesIO(data))),
    "array": lambda *_: read(COLORS),
    "zip member": zipped,
    "tar member": tarred,
    "folder": lambda data, folder: only(from_path(data, folder).parent),
    "pattern": lambda data, folder: only(str(from_path(data, folder).parent / "*.png")),
    "list": lambda data, _: only([data]),
    "an input": lambda data, _: read(Input("x", lambda: data)),
}


@pytest.mark.parametrize("way", WAYS)
def test_same_pixels_from_anywhere(way, data, tmp_path):
    image = WAYS[way](data, tmp_path)
    assert np.array_equal(image.pixels, COLORS)
    assert image.size_hw == COLORS.shape[:2]


def test_same_pixels_from_standard_input(data):
    program = "import sys; from beholder.image import read; sys.stdout.buffer.write(read('-').pixels.tobytes())"
    done = subprocess.run([sys.executable, "-c", program], input=data, capture_output=True, check=True, timeout=60)
    assert done.stdout == COLORS.tobytes()
    assert done.stderr == b""


@pytest.mark.parametrize("name", goldens())
def test_pil_image_is_seen_as_its_file_is(name):
    data = goldens()[name].data
    with PIL.Image.open(io.BytesIO(data)) as opened:
        assert np.array_equal(read(opened).pixels, read(data, isolation="never").pixels)


def test_names():
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        PIL.Image.new("RGB", (2, 2)).save(file.name)
        assert read(file).source == file.name
        assert read(PIL.Image.open(file.name)).source == file.name
        assert read(Path(file.name)).source == file.name
    assert read(COLORS).source == "<array>"
    assert read(PIL.Image.new("L", (1, 1))).source == "<image>"


def test_image_describes_itself_briefly(data):
    assert len(repr(read(data))) < 300


SHAPES = {(4, 5): 1, (4, 5, 1): 1, (4, 5, 3): 3, (4, 5, 4): 4}


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", ">u2", "int32", "float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_arrays(shape, dtype):
    kind = np.dtype(dtype)
    white = {"b": 1, "u": np.iinfo(kind).max if kind.kind == "u" else 0, "i": 255, "f": 1.0}[kind.kind]
    values = np.zeros(shape, dtype)
    values[1, 2] = white
    if shape[-1] == 4:
        values[..., 3] = white
    pixels = read(values).pixels
    assert pixels.shape == (4, 5, 3)
    assert pixels[1, 2].tolist() == [255, 255, 255]
    assert pixels.sum() == 255 * 3


def test_array_of_floats_may_hold_what_is_not_a_number():
    values = np.full((2, 2, 3), 0.5)
    values[0, 0] = np.nan
    assert read(values).pixels[:, :, 0].tolist() == [[0, 128], [128, 128]]


def test_array_with_alpha_is_seen_on_white():
    assert read(np.zeros((1, 1, 4), np.uint8)).pixels.tolist() == [[[255, 255, 255]]]


def test_array_and_its_16_bit_file_agree():
    values = np.linspace(0, 65535, 600).astype(np.uint16).reshape(20, 30)
    assert np.array_equal(read(values).pixels, read(png(values[:, :, None], 0)).pixels)


def test_array_may_lie_in_memory_in_any_way():
    wide = np.random.default_rng(0).integers(0, 256, (3, 8, 12), dtype=np.uint8)
    assert np.array_equal(read(wide.transpose(1, 2, 0)).pixels, wide.transpose(1, 2, 0))
    assert np.array_equal(read(wide.transpose(1, 2, 0)[::-2, ::-1]).pixels, wide.transpose(1, 2, 0)[::-2, ::-1])


@pytest.mark.parametrize("shape", [(), (3,), (0, 4), (4, 0, 3), (4, 4, 2), (4, 4, 5), (3, 224, 224), (1, 4, 4, 3)])
def test_array_of_another_shape_is_refused(shape):
    with pytest.raises(UsageError, match=r"shape \(height, width\).*found \("):
        read(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("values", [np.zeros((2, 2), complex), np.array([["a"]]), np.zeros((2, 2), object)])
def test_array_of_no_numbers_is_refused(values):
    with pytest.raises(UsageError, match="must hold numbers"):
        read(values)


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))))
def test_png_and_array_agree(values):
    assert np.array_equal(read(values).pixels, values)
    assert np.array_equal(read(encoded(PIL.Image.fromarray(values), "PNG")).pixels, values)


@pytest.mark.parametrize("source", [None, 3, {"a": 1}, object()])
def test_what_is_no_image_is_refused(source):
    with pytest.raises(UsageError, match="must be a path"):
        read(source)


def test_file_object_of_text_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    with open(tmp_path / "a.txt") as stream, pytest.raises(UsageError, match="binary mode"):
        read(stream)


def test_file_object_that_is_closed(tmp_path):
    stream = io.BytesIO(b"x")
    stream.close()
    with pytest.raises(UnreadableImage, match="cannot be read"):
        read(stream)


def test_pil_image_that_is_damaged_large_or_empty(data):
    with pytest.raises(UnreadableImage, match="ends"):
        read(PIL.Image.open(io.BytesIO(data[: len(data) // 2])))
    with pytest.raises(ImageTooLarge, match="30 x 20 pixels; at most 10"):
        read(PIL.Image.open(io.BytesIO(data)), limits=Limits(max_pixels=10))
    with pytest.raises(UnreadableImage, match="empty"):
        read(PIL.Image.new("RGB", (0, 5)))


def test_input_can_be_loaded_again(data, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.png", data)
    (tmp_path / "a.png").write_bytes(data)
    for source in (io.BytesIO(data), tmp_path / "a.zip", tmp_path / "a.png", COLORS):
        (found,) = expand(source, Limits())
        first, second = found.load(), found.load()
        assert np.array_equal(np.asarray(first), np.asarray(second))


def test_reader_can_be_used_after_it_was_closed():
    data = goldens()["tiff"].data
    reader = Reader()
    first = reader.read(data, "a").pixels
    reader.close()
    assert np.array_equal(reader.read(data, "a").pixels, first)
    reader.close()
