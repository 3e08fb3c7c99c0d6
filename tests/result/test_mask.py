"""Masks: the run lengths of COCO, byte for byte."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from beholder.errors import UsageError
from beholder.result import Mask
from beholder.result.mask import masks_by_class

bitmaps = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=30))


def rectangle(height, width, rows, columns):
    pixels = np.zeros((height, width), bool)
    pixels[rows, columns] = True
    return pixels


def disc():
    y, x = np.ogrid[:40, :50]
    return (y - 20) ** 2 + (x - 25) ** 2 <= 15**2


GOLDEN = [  # recorded from pycocotools 2.0.11
    (np.zeros((1, 1), bool), "1"),
    (np.ones((1, 1), bool), "01"),
    (np.zeros((3, 4), bool), "<"),
    (np.ones((3, 4), bool), "0<"),
    (np.eye(4, dtype=bool), "01400000"),
    (np.indices((3, 3)).sum(axis=0) % 2 == 1, "111000000"),
    (rectangle(5, 6, slice(1, 3), slice(2, 5)), ";230004"),
    (rectangle(2000, 3000, slice(100, 1900), slice(50, 53)), "ThQ3Xh1X6000\\hkc5"),
    (disc(), "T=1R1:I4L4M2N2N2O0O2O0O2O0000000O20N100000001N101N101N2N2N3L4L7Fi:"),
]


@pytest.mark.parametrize(("pixels", "counts"), GOLDEN)
def test_golden_strings(pixels, counts):
    mask = Mask.from_array(pixels)
    assert mask.to_coco() == {"size": list(pixels.shape), "counts": counts}
    assert np.array_equal(Mask.from_coco(mask.to_coco()).to_array(), pixels)


@given(bitmaps)
def test_array_round_trip(pixels):
    mask = Mask.from_array(pixels)
    assert np.array_equal(mask.to_array(), pixels)
    assert mask.area == pixels.sum()
    assert Mask.from_coco(mask.to_coco()) == mask


@given(bitmaps)
def test_same_as_pycocotools(pixels):
    reference = pytest.importorskip("pycocotools.mask")
    encoded = reference.encode(np.asfortranarray(pixels.astype(np.uint8)))
    mask = Mask.from_array(pixels)
    assert mask.counts.encode() == encoded["counts"]
    assert mask.area == reference.area(encoded)
    x, y, width, height = reference.toBbox(encoded)
    assert mask.box_xyxy == (x, y, x + width, y + height)
    assert Mask.from_coco(encoded) == mask


@given(bitmaps)
def test_box_is_tight(pixels):
    left, top, right, bottom = Mask.from_array(pixels).box_xyxy
    assert pixels[top:bottom, left:right].sum() == pixels.sum()
    if pixels.any():
        rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
        assert (left, top, right, bottom) == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.integers(1, 4))
def test_any_runs_become_canonical(runs, width):
    runs = [*runs, -sum(runs) % width]
    if sum(runs) == 0:
        runs[0] = width
    size = (sum(runs) // width, width)
    pixels = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(size[::-1]).T
    assert Mask.from_coco({"size": size, "counts": runs}) == Mask.from_array(pixels)


@given(arrays(np.uint8, (6, 7), elements=st.integers(0, 4)))
def test_masks_by_class(class_map):
    masks = masks_by_class(class_map)
    assert list(masks) == sorted(set(class_map.ravel().tolist()))
    for index, mask in masks.items():
        assert mask == Mask.from_array(class_map == index)


@given(st.text(max_size=12))
def test_damaged_strings_are_refused(counts):
    try:
        mask = Mask((3, 4), counts)
    except UsageError:
        return
    assert mask == Mask.from_array(mask.to_array())


@pytest.mark.parametrize(
    ("size", "counts", "message"),
    [
        ((3, 4), "", "whole string"),
        ((3, 4), "l", "whole string"),
        ((3, 4), "\x00", "whole string"),
        ((3, 4), "é", "whole string"),
        ((3, 4), "oooooooo0", "at most 7 characters"),
        ((3, 4), ";", "must fill its 3 x 4 pixels"),
        ((3, 4), "O<", "must fill"),
        ((0, 4), "0", "from 1 up"),
        ((2**16, 2**16), "0", r"fewer than 2\*\*32"),
        ((3,), "<", "a height and a width"),
        ((3, 4), 12, "must be a string"),
    ],
)
def test_refusals(size, counts, message):
    with pytest.raises(UsageError, match=message):
        Mask(size, counts)


def test_refuses_what_is_no_mask():
    with pytest.raises(UsageError, match="bool"):
        Mask.from_array(np.zeros((2, 2), np.uint8))
    with pytest.raises(UsageError, match="at least one pixel"):
        Mask.from_array(np.zeros((0, 2), bool))
    with pytest.raises(UsageError, match="'counts'"):
        Mask.from_coco({"size": [1, 2]})
    with pytest.raises(UsageError, match="must fill"):
        Mask.from_coco({"size": [1, 2], "counts": [3, -1]})
    with pytest.raises(UsageError, match="list"):
        Mask.from_coco({"size": "12", "counts": "2"})


def test_is_a_value():
    one, other = Mask.from_array(disc()), Mask.from_array(disc())
    assert one == other
    assert hash(one) == hash(other)
    assert one != Mask.from_array(~disc())
    assert one.to_array().flags.writeable
