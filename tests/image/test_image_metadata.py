"""What a file says beside its pixels is kept apart, and read forgivingly."""

import csv
import hashlib
import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import numpy as np
import PIL.Image
import pytest
from encoding import encoded
from goldens import flat, goldens
from PIL.TiffImagePlugin import IFDRational

from beholder.image import Location, Reader, read

MAKE, MODEL, CHANGED, DETAILS, TAKEN, GPS = 271, 272, 306, 0x8769, 36867, 0x8825


def photograph(format: str = "JPEG", *, tags=None, details=None, gps=None) -> bytes:
    exif = PIL.Image.Exif()
    exif.update(tags or {})
    exif.get_ifd(DETAILS).update(details or {})
    exif.get_ifd(GPS).update(gps or {})
    if format == "TIFF":
        exif[DETAILS] = exif[GPS] = 0  # Pillow writes only the directories that are announced
    return encoded(flat("RGB", (9, 9, 9)), format, exif=exif)


def located(latitude, longitude, *, north="N", east="E", **more) -> Location | None:
    gps = {1: north, 2: latitude, 3: east, 4: longitude, **{int(key[1:]): value for key, value in more.items()}}
    return read(photograph(gps={key: value for key, value in gps.items() if value is not None})).metadata.location


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_time_camera_and_place(format):
    data = photograph(
        format,
        tags={MAKE: "Maker  \0", MODEL: "Model 3", CHANGED: "2020:01:02 03:04:05"},
        details={TAKEN: "2019:12:31 23:59:58"},
        gps={1: "N", 2: (48.0, 12.0, 30.0), 3: "E", 4: (16.0, 22.0, 12.0), 5: b"\0", 6: 171.5},
    )
    said = read(data, isolation="never").metadata
    assert said.format == format
    assert said.taken_at == datetime(2019, 12, 31, 23, 59, 58)
    assert (said.camera_make, said.camera_model) == ("Maker", "Model 3")
    assert said.location == Location(pytest.approx(48.2083333), pytest.approx(16.37), 171.5)
    assert said.stored_size_hw == (4, 6)
    assert said.byte_size == len(data)
    assert said.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert read(data, isolation="always").metadata == said


def test_what_is_not_said_is_none():
    said = read(encoded(flat("RGB", 0), "PNG")).metadata
    assert (said.format, said.mode, said.orientation) == ("PNG", "RGB", 1)
    assert said.taken_at is said.location is said.camera_make is said.camera_model is None


def test_mode_is_the_stored_one():
    modes = {
        "jpeg cmyk": "CMYK",
        "tiff 16-bit": "I;16",
        "png gray alpha": "LA",
        "gif palette": "P",
        "tiff lab red": "LAB",
    }
    for name, mode in modes.items():
        assert read(goldens()[name].data, isolation="never").metadata.mode == mode


def test_metadata_of_what_is_no_file():
    said = read(np.zeros((4, 6), np.uint8)).metadata
    assert (said.format, said.stored_size_hw, said.byte_size, said.digest) == (None, (4, 6), None, None)
    said = read(PIL.Image.new("L", (6, 4))).metadata
    assert (said.format, said.mode, said.stored_size_hw, said.digest) == (None, "L", (4, 6), None)


def test_size_is_that_of_the_file_also_when_decoded_smaller():
    data = encoded(PIL.Image.new("RGB", (800, 600)), "JPEG")
    image = read(data, needed_scale=lambda _: 0.1)
    assert image.pil.size == (100, 75)
    assert image.metadata.stored_size_hw == (600, 800)


def test_time_falls_back_to_that_of_the_last_change():
    assert read(photograph(tags={CHANGED: "2020:01:02 03:04:05"})).metadata.taken_at == datetime(2020, 1, 2, 3, 4, 5)


@pytest.mark.parametrize("text", ["0000:00:00 00:00:00", "    :  :     :  :  ", "yesterday", "2020:13:01 00:00:00", ""])
def test_time_that_makes_no_sense_is_left_out(text):
    assert read(photograph(details={TAKEN: text})).metadata.taken_at is None


@pytest.mark.parametrize(
    ("north", "east", "signs"), [("N", "E", (1, 1)), ("S", "E", (-1, 1)), ("N", "W", (1, -1)), ("s", "W", (-1, -1))]
)
def test_the_four_quarters_of_the_earth(north, east, signs):
    location = located((12.0, 30.0, 0.0), (45.0, 15.0, 0.0), north=north, east=east)
    assert (location.latitude, location.longitude) == (12.5 * signs[0], 45.25 * signs[1])
    assert location.altitude_meters is None


def test_altitude_below_the_sea():
    assert located((1.0, 0.0, 0.0), (1.0, 0.0, 0.0), _5=b"\x01", _6=12.5).altitude_meters == -12.5
    assert located((1.0, 0.0, 0.0), (1.0, 0.0, 0.0), _6=IFDRational(1, 0)).altitude_meters is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"latitude": (91.0, 0.0, 0.0)},
        {"longitude": (180.0, 1.0, 0.0)},
        {"latitude": (1.0, 0.0)},
        {"latitude": (IFDRational(1, 0), 0.0, 0.0)},
        {"latitude": None},
        {"north": None},
        {"north": "X"},
        {"north": "E"},
        {"east": None},
    ],
)
def test_place_that_makes_no_sense_is_left_out(wrong):
    assert located(**{"latitude": (1.0, 0.0, 0.0), "longitude": (1.0, 0.0, 0.0), **wrong}) is None


def test_damaged_exif_is_ignored():
    data = photograph(tags={MAKE: "Maker", MODEL: "M" * 40}, details={TAKEN: "2019:12:31 23:59:58"}, gps={1: "N"})
    start, end = data.index(b"Exif"), data.index(b"\xff\xdb")
    rng = random.Random(0)
    for _ in range(300):
        damaged = bytearray(data)
        for _ in range(rng.randint(1, 8)):
            damaged[rng.randrange(start + 6, end)] = rng.choice((0, 1, 255, rng.randrange(256)))
        image = read(bytes(damaged))
        assert sorted(image.size_hw) == [4, 6]
        for text in (image.metadata.camera_make, image.metadata.camera_model):
            assert text is None or (text.isprintable() and len(text) <= 200)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_tags_are_taken_apart_only_when_asked_for_by_any_thread(format, monkeypatch):
    data = photograph(format, tags={MAKE: "Maker", MODEL: "3"}, details={TAKEN: "2024:01:02 03:04:05"}, gps={1: "N"})
    here = read(data, isolation="never")
    with ThreadPoolExecutor(8) as threads:
        told = list(threads.map(lambda _: here._metadata(), range(200)))
    assert {each.taken_at for each in told} == {datetime(2024, 1, 2, 3, 4, 5)}
    assert pickle.loads(pickle.dumps(here)).metadata == here.metadata
    with Reader(isolation="always") as reader:
        there = reader.read(data, "there")
        monkeypatch.setattr(PIL.Image.Exif, "get_ifd", None)
        monkeypatch.setattr(PIL.Image, "open", None)
        assert there.metadata == here.metadata


def test_long_text_is_cut_and_made_printable():
    said = read(photograph(tags={MAKE: "A\x1b[31m\n" + "B" * 1000, MODEL: " \t "})).metadata
    assert said.camera_make == "A[31m" + "B" * 195
    assert said.camera_model is None


def test_real_photographs_say_what_pillow_reads_in_them(test_images):
    folder = test_images / "exif_photos"
    with open(folder / "exif_by_pillow.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) > 40
    for row in rows:
        image = read(folder / row["file"])
        said = image.metadata
        assert (said.camera_make or "", said.camera_model or "") == (row["make"], row["model"]), row["file"]
        assert said.orientation == int(row["orientation"] or 1), row["file"]
        taken = said.taken_at.strftime("%Y:%m:%d %H:%M:%S") if said.taken_at else ""
        assert taken == row["datetime"], row["file"]
        place = (said.location.latitude, said.location.longitude) if said.location else ("", "")
        expected = tuple(float(row[name]) if row[name] else "" for name in ("lat", "lon"))
        assert place == pytest.approx(expected, abs=2e-6), row["file"]
        width, height = (int(side) for side in row["size"].split("x"))
        assert said.stored_size_hw == (height, width), row["file"]
        assert sorted(image.size_hw) == sorted((height, width))
