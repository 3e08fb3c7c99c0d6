"""What an image may cost: every limit says what was found and what is allowed."""

import importlib.util
import io
import struct
import subprocess
import sys
import zlib
from dataclasses import fields

import PIL.Image
import pytest
from encoding import chunk, encoded, tiff
from goldens import flat

from beholder.errors import ImageError, ImageTimeout, ImageTooLarge, UnreadableImage, UnsupportedImage, UsageError
from beholder.image import Limits, Reader, expand, read
from beholder.image.decode import MAX_JPEG_SCANS, many_scans
from beholder.image.formats import why_unreadable

# Headers that claim 50,000 x 50,000 pixels, with next to nothing behind them.
SIDE = 50_000
BOMBS = {
    "png": b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(b"\0" * 1000)),
    "jpeg": encoded(flat("RGB", 0), "JPEG").replace(struct.pack(">HH", 4, 6), struct.pack(">HH", SIDE, SIDE)),
    "gif": b"GIF89a" + struct.pack("<HH", SIDE, SIDE) + b"\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;",
    "bmp": b"BM" + struct.pack("<IIIIiiHHIIIIII", 54, 0, 54, 40, SIDE, SIDE, 1, 24, 0, 0, 0, 0, 0, 0),
    "webp": b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0" + struct.pack("<I", SIDE - 1)[:3] * 2 + b"ANIM\0\0\0\0",
    "webp lossless": b"RIFF\x1e\0\0\0WEBPVP8L\x0a\0\0\0\x2f" + b"\xff\xff\xff\x0f" + b"\0" * 16,
    "tiff": tiff(b"\0" * 10, (SIDE, SIDE), (8, 8, 8), 2),
    "ppm": f"P6 {SIDE} {SIDE} 255\n".encode(),
}


@pytest.mark.parametrize("isolation", ["never", "always"])
@pytest.mark.parametrize("name", BOMBS)
def test_header_bomb_is_refused(name, isolation):
    with pytest.raises(ImageTooLarge, match=r"(50,000 x 50,000|16,384 x 16,384) pixels; at most 128,000,000"):
        read(BOMBS[name], isolation=isolation)


def test_header_bombs_allocate_nothing(tmp_path):
    for index, data in enumerate(BOMBS.values()):
        (tmp_path / f"{index}.img").write_bytes(data)
    program = f"""
import resource, sys
from pathlib import Path
from beholder.errors import ImageTooLarge
from beholder.image import read
files = sorted(Path({str(tmp_path)!r}).iterdir())
read(Path({str(tmp_path)!r}, "..", "good.png"))
in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (in_use + 2**25, in_use + 2**25))
for file in files:
    try:
        read(file, isolation="never")
    except ImageTooLarge:
        print("refused")
"""
    (tmp_path.parent / "good.png").write_bytes(encoded(flat("RGB", 0), "PNG"))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["refused"] * len(BOMBS), done.stderr


def test_pixels_are_limited_exactly():
    data = encoded(flat("RGB", 0), "PNG")
    assert read(data, limits=Limits(max_pixels=24)).size_hw == (4, 6)
    with pytest.raises(
        ImageTooLarge, match=r"6 x 4 pixels; at most 23 are allowed; raise the limit max_pixels \(--max-pixels\)"
    ):
        read(data, limits=Limits(max_pixels=23))


def test_limit_on_pixels_may_be_raised_above_that_of_pillow(monkeypatch):
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 8)
    assert read(encoded(flat("RGB", 0), "PNG")).size_hw == (4, 6)


@pytest.mark.parametrize("format", ["PNG", "GIF", "ICO"])
def test_limit_on_pixels_holds_in_a_worker(format):
    data = encoded(PIL.Image.new("RGB", (16, 16)), format)
    assert read(data, limits=Limits(max_pixels=256), isolation="always").size_hw == (16, 16)
    with pytest.raises(ImageTooLarge, match=r"16 x 16 pixels; at most 255"):
        read(data, limits=Limits(max_pixels=255), isolation="always")


@pytest.mark.parametrize("isolation", ["never", "auto", "always"])
def test_bytes_are_limited_wherever_they_come_from(isolation, tmp_path):
    data = encoded(flat("RGB", 0), "PNG")
    limits = Limits(max_bytes=len(data) - 1)
    (tmp_path / "a.png").write_bytes(data)
    found = rf"{len(data)} bytes; at most {len(data) - 1} are allowed"
    for source in (data, tmp_path / "a.png"):
        with pytest.raises(ImageTooLarge, match=found):
            read(source, limits=limits, isolation=isolation)
    with pytest.raises(ImageTooLarge, match=rf"more than the {len(data) - 1} bytes allowed"):
        read(io.BytesIO(data), limits=limits, isolation=isolation)
    assert read(data, limits=Limits(max_bytes=len(data))).size_hw == (4, 6)


def test_endless_file_object_is_not_read_to_its_end():
    class Endless(io.RawIOBase):
        taken = 0

        def read(self, size=-1):
            self.taken += size
            return b"\0" * size

    endless = Endless()
    with pytest.raises(ImageTooLarge, match="more than the 5,000,000 bytes"):
        read(endless, limits=Limits(max_bytes=5_000_000))
    assert endless.taken < 10_000_000


def test_time_is_limited_while_reading_piece_by_piece():
    data = encoded(PIL.Image.effect_noise((1500, 1500), 100).convert("RGB"), "PNG")
    with pytest.raises(ImageTimeout, match=r"not decoded within 1e-06 seconds"):
        read(data, limits=Limits(timeout_seconds=1e-6), isolation="never")


def test_progressive_jpeg_with_very_many_scans_goes_to_a_worker(monkeypatch):
    data = encoded(flat("RGB", 0), "JPEG", progressive=True)
    assert not many_scans(data)
    assert not many_scans(encoded(flat("RGB", 0), "JPEG") + b"\xff\xda" * 1000)  # costs its bytes, no more
    scan = data[data.rindex(b"\xff\xda") : -2]
    frames = encoded(flat("RGB", 0), "MPO", progressive=True, save_all=True, append_images=[flat("RGB", 0)])
    sent = []
    with Reader() as reader:
        monkeypatch.setattr(reader._workers(), "decode", lambda *given: sent.append(given[1]) or 1 / 0)
        for name, start in (("jpeg", data[:-2]), ("mpo", frames)):
            with pytest.raises(ZeroDivisionError):
                reader.read(start + scan * MAX_JPEG_SCANS + b"\xff\xd9", name)
    assert sent == ["jpeg", "mpo"]


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
def test_limits_are_positive(name, value):
    with pytest.raises(UsageError, match=f"{name}: must be more than 0"):
        Limits(**{name: value})


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 100


def test_heic_without_its_plug_in_says_which(monkeypatch):
    monkeypatch.setattr("beholder.image.formats.importlib.util.find_spec", lambda _: None)
    with pytest.raises(UnsupportedImage, match="HEIC needs its plug-in; install it with: pip install pillow-heif"):
        read(HEIC, isolation="never")


@pytest.mark.parametrize("isolation", ["auto", "always"])
def test_heic_in_a_worker(isolation):
    installed = importlib.util.find_spec("pillow_heif") is not None
    with pytest.raises(UnreadableImage if installed else UnsupportedImage):
        read(HEIC, isolation=isolation)


@pytest.mark.parametrize(
    "data", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", b"GRIB\0\0\0\x01" * 4]
)
def test_formats_that_run_programs_are_refused(data):
    with pytest.raises(UnsupportedImage, match=r"(EPS|GRIB) files are not read; export it as PNG or JPEG"):
        read(data, isolation="never")


def test_what_is_no_image_is_named():
    said = {
        b"": "is empty",
        b"<?xml version='1.0'?><svg/>": "SVG",
        b"\xef\xbb\xbf <!DOCTYPE html><html>": "web page",
        b"%PDF-1.7": "PDF",
        b"PK\x03\x04": "archive",
        b"\x1f\x8b\x08": "archive",
        b"hello": "text, not an image",
        b"\xff\x0a\xfa\x7f": "JPEG XL",
        b"\x89PNG\r\n\x1a\n": "header is damaged",
        bytes(range(128, 200)): "not an image of any known format",
    }
    for data, words in said.items():
        assert words in why_unreadable(data)
        with pytest.raises(UnreadableImage, match=words):
            read(data, isolation="never")


def test_truncated_image_tells_how_far_it_goes():
    data = encoded(PIL.Image.effect_noise((300, 300), 100).convert("RGB"), "PNG", compress_level=1)
    with pytest.raises(UnreadableImage, match=r"PNG ends after 1\d\d of its 300 rows; copy the file again"):
        read(data[: len(data) // 2])


def test_one_bad_image_does_not_stop_the_others():
    sources = [encoded(flat("RGB", index), "PNG") for index in range(6)]
    sources[1], sources[4] = BOMBS["png"], b"nothing"
    answers = []
    with Reader() as reader:
        for found in expand(sources, Limits()):
            try:
                answers.append(reader.read(found.load(), found.name).size_hw)
            except ImageError as error:
                answers.append(error.kind)
    assert answers == [(4, 6), "image_too_large", (4, 6), (4, 6), "unreadable_image", (4, 6)]


def test_text_that_grows_is_refused_in_plain_words():
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(64 * 2**20)))
    data = encoded(flat("RGB", (1, 2, 3)), "PNG")
    with pytest.raises(UnreadableImage, match=r"not a readable image: its text would take more memory than allowed$"):
        read(data[:33] + text + data[33:])


def test_damaged_webp_is_told_in_plain_words():
    with pytest.raises(UnreadableImage, match="the WEBP data is damaged or cut short; copy the file again"):
        read(encoded(flat("RGB", (1, 2, 3)), "WEBP")[:40])


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "BMP", "WEBP"])
def test_only_the_plug_in_that_is_needed_is_loaded(format, tmp_path):
    """Loading them all would take longer than to decode a photograph."""
    (tmp_path / "image").write_bytes(encoded(flat("RGB", (1, 2, 3)), format))
    program = (
        "import sys; from beholder.image import read; read('image');"
        "print(*sorted(name[4:-11] for name in sys.modules if name.endswith('ImagePlugin')))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip().upper() == format
