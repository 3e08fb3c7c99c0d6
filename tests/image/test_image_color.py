"""Every color mode comes out as the RGB that a person would see."""

from io import BytesIO

import numpy as np
import PIL.Image
import pytest
from encoding import SRGB_D50, encoded, png, rgb_profile, tiff
from goldens import SIZE_WH, flat, goldens
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import ImageCms

from beholder.image import read
from beholder.image.color import to_uint8


@pytest.mark.parametrize("name", goldens())
def test_golden_pixels(name):
    data, rgb, tolerance = goldens()[name]
    image = read(data, isolation="never")
    assert image.size_hw == (SIZE_WH[1], SIZE_WH[0])
    assert image.pixels.shape == (*image.size_hw, 3)
    assert image.pixels.dtype == np.uint8
    found = image.pixels[0, 0].astype(int)
    assert np.abs(found - rgb).max() <= tolerance, found


@pytest.mark.parametrize("bits", [16, 12])
def test_more_bits_keep_their_whole_range(bits):
    ramp = np.linspace(0, 2**bits - 1, 256).round().astype(np.uint16)
    if bits == 16:
        data = png(ramp.reshape(16, 16, 1), 0)
    else:
        pairs = ramp.reshape(-1, 2).astype(int)
        packed = b"".join(int(first << 12 | second).to_bytes(3, "big") for first, second in pairs)
        data = tiff(packed, (16, 16), (12,), 1)
    assert read(data).pixels[:, :, 0].ravel().tolist() == list(range(256))


def test_srgb_profile_changes_no_pixel():
    colors = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encoded(PIL.Image.fromarray(colors), "PNG", icc_profile=profile)
    assert np.array_equal(read(data).pixels, colors)


@pytest.mark.parametrize("damage", ["cut", "noise", "other mode", "empty"])
def test_useless_profile_is_ignored(damage):
    good = rgb_profile(SRGB_D50, 1.0)
    profile = {"cut": good[:200], "noise": b"\xa5" * 500, "other mode": good, "empty": b""}[damage]
    image = flat("L", 90) if damage == "other mode" else flat("RGB", (90, 90, 90))
    data = encoded(image, "PNG", icc_profile=profile)
    assert read(data).pixels[0, 0].tolist() == [90, 90, 90]


def test_transparency_is_seen_on_white_with_its_edges():
    ramp = np.zeros((1, 256, 4), np.uint8)
    ramp[0, :, 3] = np.arange(256)
    seen = read(encoded(PIL.Image.fromarray(ramp), "PNG")).pixels[0, :, 0]
    assert np.abs(seen.astype(int) - (255 - np.arange(256))).max() <= 1


def test_float_with_not_a_number_and_infinity():
    values = np.array([[np.nan, 0.0, 0.5, 1.0, np.inf, -np.inf]], np.float32)
    data = tiff(values.tobytes(), (6, 1), (32,), 1, sample_format=3)
    assert read(data).pixels[0, :, 0].tolist() == [0, 0, 128, 255, 255, 0]


def test_range_that_fits_no_convention_is_stretched():
    assert to_uint8(np.array([1000.0, 1500.0, 2000.0]), None).tolist() == [0, 128, 255]
    assert to_uint8(np.array([-10.0, -7.5, -5.0]), None).tolist() == [0, 128, 255]
    assert to_uint8(np.array([2**30, 2**30 + 510], np.int32), None).tolist() == [0, 255]
    assert to_uint8(np.array([np.nan, 1000.0, 2000.0]), None).tolist() == [0, 0, 255]
    assert to_uint8(np.array([np.nan]), None).tolist() == [0]
    assert to_uint8(np.array([300.0, 300.0]), None).tolist() == [0, 0]
    assert to_uint8(np.array([-3e38, 0, 3e38], np.float32), None).tolist() == [0, 128, 255]
    assert to_uint8(np.array([-1.7e308, 1.7e308]), None).tolist() == [0, 255]


numbers = st.one_of(arrays.floating_dtypes(sizes=(16, 32, 64), endianness="="), arrays.integer_dtypes(endianness="="))


@given(arrays.arrays(numbers, arrays.array_shapes(max_dims=3, max_side=8)))
def test_numbers_of_any_kind_become_pixels_in_their_order(values):
    pixels = to_uint8(values, None)
    assert pixels.dtype == np.uint8
    assert pixels.shape == values.shape
    flat_values, flat_pixels = values.ravel(), pixels.ravel()
    known = np.isfinite(flat_values)
    ordered = flat_pixels[known][np.argsort(flat_values[known], kind="stable")]
    assert (np.diff(ordered.astype(int)) >= 0).all()


MODES = [
    "1",
    "L",
    "LA",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBX",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "F",
    "I;16",
    "La",
    "RGBa",
]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_of_pillow_becomes_rgb(mode):
    image = read(PIL.Image.new(mode, (3, 2)))
    assert image.pil.mode == "RGB"
    assert image.pixels.shape == (2, 3, 3)


def test_reading_does_not_alias_the_callers_image():
    mine = flat("RGB", (1, 2, 3))
    image = read(mine)
    mine.putpixel((0, 0), (9, 9, 9))
    assert image.pixels[0, 0].tolist() == [1, 2, 3]
    assert not image.pixels.flags.writeable


def test_animation_shows_its_first_frame_whole():
    first = np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    frames = [PIL.Image.fromarray(first), flat("RGB", 0).resize((16, 16))]
    stream = BytesIO()
    frames[0].save(stream, "PNG", save_all=True, append_images=frames[1:])
    assert np.array_equal(read(stream.getvalue()).pixels, first)
