"""Images come out upright, and at the cheapest scale that is asked for."""

import numpy as np
import PIL.Image
import pytest
from encoding import encoded, tiff
from hypothesis import given
from hypothesis import strategies as st

from beholder.image import Reader, read

HEIGHT, WIDTH = 48, 64
ORIENTATIONS = range(1, 9)


def upright() -> np.ndarray:
    """Four corners of four colors, so that no two turns look alike."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:24, :32], pixels[:24, 32:] = (250, 10, 10), (10, 250, 10)
    pixels[24:, :32], pixels[24:, 32:] = (10, 10, 250), (240, 240, 240)
    return pixels


def stored(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """The pixels as a camera stores them under an EXIF orientation (CIPA DC-008, figure 5 of its tag 274)."""
    undo = {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.transpose(1, 0, 2),
        6: pixels.transpose(1, 0, 2)[::-1],
        7: pixels.transpose(1, 0, 2)[::-1, ::-1],
        8: pixels.transpose(1, 0, 2)[:, ::-1],
    }
    return np.ascontiguousarray(undo[orientation])


def tagged(format: str, orientation: int, **options: object) -> bytes:
    """A file of the upright picture, stored turned and tagged with how."""
    pixels = stored(upright(), orientation)
    if format == "TIFF":
        size_wh = (pixels.shape[1], pixels.shape[0])
        return tiff(pixels.tobytes(), size_wh, (8, 8, 8), 2, orientation=orientation)
    exif = PIL.Image.Exif()
    exif[274] = orientation
    return encoded(PIL.Image.fromarray(pixels), format, exif=exif, **options)


def assert_upright(image, tolerance=0):
    assert image.size_hw == (HEIGHT, WIDTH)
    scale_y, scale_x = image.pixels.shape[0] / HEIGHT, image.pixels.shape[1] / WIDTH
    for y, x in ((12, 16), (12, 48), (36, 16), (36, 48)):
        found = image.pixels[int(y * scale_y), int(x * scale_x)].astype(int)
        assert np.abs(found - upright()[y, x]).max() <= tolerance, (y, x)


@pytest.mark.parametrize(
    ("orientation", "isolation"), [*((orientation, "never") for orientation in ORIENTATIONS), (6, "always")]
)
def test_jpeg_of_every_orientation(orientation, isolation):
    image = read(tagged("JPEG", orientation, quality=95), isolation=isolation)
    assert_upright(image, tolerance=4)
    assert image.metadata.orientation == orientation
    assert image.metadata.stored_size_hw == ((WIDTH, HEIGHT) if orientation >= 5 else (HEIGHT, WIDTH))


@pytest.mark.parametrize("orientation", [3, 5, 6, 8])
@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "AVIF", "MPO"])
def test_other_formats(format, orientation):
    options = {"WEBP": {"lossless": True}, "AVIF": {"quality": 95}, "MPO": {"quality": 95}}.get(format, {})
    image = read(tagged(format, orientation, **options), isolation="never")
    assert_upright(image, tolerance=4 if format in ("AVIF", "MPO") else 0)
    assert image.metadata.orientation == orientation
    assert image.metadata.stored_size_hw == ((WIDTH, HEIGHT) if orientation >= 5 else (HEIGHT, WIDTH))


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_orientation_that_makes_no_sense_is_none(orientation):
    exif = PIL.Image.Exif()
    exif[274] = orientation
    data = encoded(PIL.Image.fromarray(upright()), "PNG", exif=exif)
    image = read(data)
    assert_upright(image)
    assert image.metadata.orientation == 1


def test_real_photographs_of_every_orientation(test_images):
    folder = test_images / "exif_photos" / "jpg" / "orientation"
    first = np.asarray(read(folder / "landscape_1.jpg").pil.resize((60, 45))).astype(int)
    for orientation in ORIENTATIONS:
        image = read(folder / f"landscape_{orientation}.jpg")
        assert image.size_hw == (450, 600)
        difference = np.abs(np.asarray(image.pil.resize((60, 45))) - first)
        assert difference.mean() < 4, orientation


@pytest.mark.parametrize("isolation", ["never", "always"])
def test_jpeg_is_reduced_to_the_cheapest_scale(isolation):
    data = encoded(PIL.Image.new("RGB", (800, 600), (9, 99, 199)), "JPEG")
    expected = {1.0: (800, 600), 0.51: (800, 600), 0.5: (400, 300), 0.3: (400, 300), 0.25: (200, 150)}
    expected |= {0.2: (200, 150), 0.125: (100, 75), 0.01: (100, 75)}
    with Reader(isolation=isolation) as reader:
        for scale, size_wh in expected.items():
            image = reader.read(data, "a.jpg", lambda _, scale=scale: scale)
            assert image.pil.size == size_wh, scale
            assert image.size_hw == (600, 800)


@pytest.mark.parametrize("isolation", ["never", "always"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_scale_is_asked_of_the_upright_size(orientation, isolation):
    asked = []
    data = tagged("JPEG", orientation, quality=95)
    image = read(data, isolation=isolation, needed_scale=lambda size_hw: asked.append(tuple(size_hw)) or 0.5)
    assert asked == [(HEIGHT, WIDTH)]
    assert image.pil.size == (WIDTH // 2, HEIGHT // 2)
    assert_upright(image, tolerance=6)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "GIF", "BMP"])
def test_only_jpeg_is_reduced(format):
    data = encoded(PIL.Image.fromarray(upright()), format)
    assert read(data, needed_scale=lambda _: 0.1).pil.size == (WIDTH, HEIGHT)


@given(
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    scale=st.floats(0, 1),
    orientation=st.sampled_from([1, 6]),
)
def test_reduced_image_is_never_smaller_than_needed(width, height, scale, orientation):
    exif = PIL.Image.Exif()
    exif[274] = orientation
    data = encoded(PIL.Image.new("RGB", (width, height)), "JPEG", exif=exif)
    image = read(data, needed_scale=lambda _: scale)
    full_height, full_width = image.size_hw
    assert sorted(image.size_hw) == sorted((height, width))
    assert image.pil.width >= full_width * scale
    assert image.pil.height >= full_height * scale
