"""Geometry: golden vectors, an independent resampler, and the way back."""

import json
import math

import numpy as np
import PIL.Image
import pytest
from golden_geometry import PATH
from hypothesis import given
from hypothesis import strategies as st

from beholder.image import Image
from beholder.model import Geometry
from beholder.records import RecordError, from_json

GOLDEN = json.loads(PATH.read_text(encoding="utf-8"))
VECTORS = GOLDEN["vectors"]

FILTERS = {  # support and weight, Pillow's Resample.c
    "box": (0.5, lambda x: 1.0 if -0.5 < x <= 0.5 else 0.0),
    "bilinear": (1.0, lambda x: max(0.0, 1 - abs(x))),
    "hamming": (1.0, lambda x: sinc(x) * (0.54 + 0.46 * math.cos(math.pi * x)) if abs(x) < 1 else 0.0),
    "bicubic": (2.0, lambda x: cubic(abs(x))),
    "lanczos": (3.0, lambda x: sinc(x) * sinc(x / 3) if abs(x) < 3 else 0.0),
}


def sinc(x):
    return math.sin(math.pi * x) / (math.pi * x) if x else 1.0


def cubic(x):
    if x < 1:
        return (1.5 * x - 2.5) * x * x + 1
    return ((-0.5 * x + 2.5) * x - 4) * x + 2 if x < 2 else 0.0


def resampled(pixels, start, end, count, filter_):
    """One axis, the first: `count` pixels of what lies between `start` and `end`."""
    scale = (end - start) / count
    if filter_ == "nearest":
        return pixels[[int(start + (index + 0.5) * scale) for index in range(count)]]
    support, weight = FILTERS[filter_]
    stretch = max(1.0, scale)
    rows = []
    for index in range(count):
        center = start + (index + 0.5) * scale
        taps = range(
            max(0, int(center - support * stretch + 0.5)), min(len(pixels), int(center + support * stretch + 0.5))
        )
        weights = np.array([weight((tap - center + 0.5) / stretch) for tap in taps])
        rows.append(np.tensordot(weights / weights.sum(), pixels[list(taps)].astype(float), 1))
    return np.floor(np.clip(rows, 0, 255) + 0.5).astype(np.uint8)


def resized(pixels, size_hw, filter_, box=None):
    left, top, right, bottom = box or (0, 0, pixels.shape[1], pixels.shape[0])
    narrow = resampled(pixels.swapaxes(0, 1), left, right, size_hw[1], filter_).swapaxes(0, 1)
    return resampled(narrow, top, bottom, size_hw[0], filter_)


def reference(pixels, geometry):
    """The input, made by the words of the geometry's docstring."""
    (height, width), (input_height, input_width) = pixels.shape[:2], geometry.size_hw
    if geometry.method == "squash":
        return resized(pixels, geometry.size_hw, geometry.resample)
    if geometry.method == "resize_crop":
        scale = min(height, width) / geometry.resize
        left, top = (width - input_width * scale) / 2, (height - input_height * scale) / 2
        box = left, top, left + input_width * scale, top + input_height * scale
        return resized(pixels, geometry.size_hw, geometry.resample, box)
    scale = min(input_height / height, input_width / width)
    inner = max(1, round(height * scale)), max(1, round(width * scale))
    canvas = np.full((input_height, input_width, 3), geometry.fill, np.uint8)
    top, left = (input_height - inner[0]) // 2, (input_width - inner[1]) // 2
    canvas[top : top + inner[0], left : left + inner[1]] = resized(pixels, inner, geometry.resample)
    return canvas


def parts(vector):
    height, width = map(int, vector["image"].split("x"))
    pixels = np.frombuffer(bytes.fromhex(GOLDEN["images"][vector["image"]]), np.uint8).reshape(height, width, 3)
    geometry = from_json(Geometry, vector["geometry"])
    golden = np.frombuffer(bytes.fromhex(vector["input"]), np.uint8).reshape(*geometry.size_hw, 3)
    return pixels, geometry, golden


def image(pixels):
    return Image(PIL.Image.fromarray(pixels), pixels.shape[:2], "test")


@pytest.mark.parametrize("index", range(len(VECTORS)))
def test_golden_vectors(index):
    pixels, geometry, golden = parts(VECTORS[index])
    made, placement = geometry.apply(image(pixels))
    assert made.dtype == np.uint8
    assert np.abs(made.astype(int) - golden).max() <= 1
    assert np.allclose(placement.offset_xy, VECTORS[index]["offset_xy"])
    assert np.allclose(placement.scale_xy, VECTORS[index]["scale_xy"])
    assert np.abs(made.astype(int) - reference(pixels, geometry)).max() <= 1


def test_the_golden_vectors_hold_every_method_filter_and_odd_size():
    seen = [(vector["geometry"]["method"], vector["geometry"]["resample"]) for vector in VECTORS]
    for method in ("squash", "resize_crop", "letterbox"):
        assert {filter_ for name, filter_ in seen if name == method} >= {*FILTERS, "nearest"}
    assert {"1x9", "9x1", "1x1", "3x90"} <= {vector["image"] for vector in VECTORS}


sides = st.integers(1, 300)
filters = st.sampled_from([*FILTERS, "nearest"])


@st.composite
def any_geometry(draw):
    method = draw(st.sampled_from(["squash", "resize_crop", "letterbox"]))
    size_hw = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    resize = max(size_hw) + draw(st.integers(0, 20)) if method == "resize_crop" else None
    fill = (1, 2, 3) if method == "letterbox" else None
    return Geometry(method, size_hw, resize=resize, resample=draw(filters), fill=fill, draft=draw(st.just(2.0)))


points = st.lists(st.tuples(*[st.floats(-500, 500, width=32)] * 4), min_size=1, max_size=5)


@given(any_geometry(), sides, sides, points)
def test_there_and_back_again(geometry, height, width, points):
    placement = geometry.place((height, width))
    boxes = np.array(points, np.float32)
    tolerance = 1e-3 * max(*placement.scale_xy, *(1 / scale for scale in placement.scale_xy), 1)
    assert np.allclose(placement.to_original(placement.to_input(boxes)), boxes, atol=tolerance, rtol=1e-4)
    assert np.allclose(placement.to_input(placement.to_original(boxes)), boxes, atol=tolerance, rtol=1e-4)
    corners = boxes[:, :2]
    assert np.allclose(placement.to_original(corners), placement.to_original(boxes)[:, :2])
    assert placement.to_original(boxes).dtype == np.float32


@given(any_geometry(), sides, sides)
def test_the_input_lies_where_it_should(geometry, height, width):
    placement = geometry.place((height, width))
    input_height, input_width = geometry.size_hw
    corners = placement.to_original(np.array([[0, 0, input_width, input_height]], np.float32))[0]
    center = (corners[:2] + corners[2:]) / 2
    if geometry.method == "squash":
        assert np.allclose(corners, [0, 0, width, height], atol=1e-3)
    if geometry.method == "resize_crop":
        assert np.allclose(center, [width / 2, height / 2], atol=1e-3)
        assert corners.min() >= -1e-3 and corners[2] <= width + 1e-3 and corners[3] <= height + 1e-3
        assert placement.scale_xy == (min(height, width) / geometry.resize,) * 2
    if geometry.method == "letterbox":
        assert corners[0] <= 1e-3 and corners[1] <= 1e-3
        assert corners[2] >= width - 1e-3 and corners[3] >= height - 1e-3
        assert np.allclose(center, [width / 2, height / 2], atol=max(placement.scale_xy))  # half a pixel of the input


@given(any_geometry(), sides, sides)
def test_any_image_makes_an_input(geometry, height, width):
    made, _ = geometry.apply(image(np.full((height, width, 3), 77, np.uint8)))
    assert made.shape == (*geometry.size_hw, 3)
    colors = {tuple(color) for color in made.reshape(-1, 3).tolist()}
    assert colors <= ({(77, 77, 77), (1, 2, 3)} if geometry.method == "letterbox" else {(77, 77, 77)})
    assert (77, 77, 77) in colors


@pytest.mark.parametrize("size_hw", [(1, 5000), (5000, 1), (2, 3000), (4001, 3)])
@pytest.mark.parametrize("method", ["squash", "resize_crop", "letterbox"])
@pytest.mark.parametrize("filter_", ["bicubic", "nearest", "lanczos"])
def test_huge_aspect_ratios(size_hw, method, filter_):
    resize, fill = (32 if method == "resize_crop" else None), ((0, 0, 0) if method == "letterbox" else None)
    geometry = Geometry(method, (24, 32), resize=resize, fill=fill, resample=filter_)
    made, placement = geometry.apply(image(np.full((*size_hw, 3), 200, np.uint8)))
    assert made.max() == 200
    assert min(placement.scale_xy) > 0


def test_the_scale_that_is_needed():
    plain = Geometry("resize_crop", (224, 224), resize=256)
    assert plain.needed_scale((4000, 3000)) == 1
    drafted = Geometry("resize_crop", (224, 224), resize=256, draft=2.0)
    assert drafted.needed_scale((4000, 3000)) == pytest.approx(2 * 256 / 3000)
    assert drafted.needed_scale((300, 300)) == 1
    assert drafted.needed_scale((100, 100)) == 1
    squash = Geometry("squash", (100, 50), draft=1.0)
    assert squash.needed_scale((1000, 1000)) == pytest.approx(0.1)  # the side that needs more
    letterbox = Geometry("letterbox", (100, 100), fill=(0, 0, 0), draft=1.5)
    assert letterbox.needed_scale((1000, 400)) == pytest.approx(0.15)


def test_a_reduced_image_lies_where_the_whole_one_does():
    """A JPEG decoded at a quarter: its sides are rounded up, and what comes back is in pixels of the original."""
    geometry = Geometry("resize_crop", (24, 24), resize=32, draft=1.0, resample="bilinear")
    whole = np.zeros((401, 603, 3), np.uint8)
    whole[100:300, 200:400] = 255
    reduced = PIL.Image.fromarray(whole).resize((151, 101), PIL.Image.Resampling.BOX)
    made, placement = geometry.apply(Image(reduced, (401, 603), "test"))
    assert placement == geometry.place((401, 603))
    bright = np.flatnonzero(made[12, :, 0] > 127)
    edges = placement.to_original(np.array([[bright[0], 0], [bright[-1] + 1, 0]], np.float32))[:, 0]
    assert edges == pytest.approx([200, 400], abs=placement.scale_xy[0])


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (("squash", (0, 8)), "size_hw"),
        (("squash", (8, 5000)), "size_hw"),
        (("squash", (8, 8), 8), "resize"),
        (("resize_crop", (8, 8)), "resize"),
        (("resize_crop", (8, 9), 8), "resize"),
        (("resize_crop", (8, 8), 5000), "resize"),
        (("letterbox", (8, 8)), "fill"),
        (("squash", (8, 8), None, "bicubic", (0, 0, 0)), "fill"),
        (("letterbox", (8, 8), None, "bicubic", (0, 0, 256)), "fill"),
        (("squash", (8, 8), None, "bicubic", None, 0.5), "draft"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, place):
    with pytest.raises(RecordError, match=f"^{place}: "):
        Geometry(*arguments)
