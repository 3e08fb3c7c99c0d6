"""Drawings: of the image's size, readable, and nothing changed that should not be."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from beholder.errors import OutputExists, OutputFailed, SourceNotFound, UsageError
from beholder.result import Caption, Classification, Detections, Embedding, Group, Label, Mask, Segmentation
from beholder.result.lettering import Lettering
from beholder.result.palette import BLACK, WHITE, class_color, text_color

LABELS = (Label(281, "tabby cat", 0.83), Label(282, "tiger cat " * 20, 0.09), Label(3, "Катёнок 猫", 0.05))


def gray(height, width):
    return np.full((height, width, 3), 128, np.uint8)


def common(pixels, **changes):
    return {"source": "cat.jpg", "size_hw": pixels.shape[:2], "model": "m", "_pixels": lambda: pixels, **changes}


def classified(pixels, **changes):
    return Classification(**common(pixels), labels=LABELS, **changes)


def detected(pixels, boxes, **changes):
    count = len(boxes)
    usual = {"scores": [0.9] * count, "classes": [0] * count, "names": ["cat"]}
    return Detections(**common(pixels), boxes_xyxy=boxes, **{**usual, **changes})


def every_type(pixels):
    height, width = pixels.shape[:2]
    box = [0.4 * width, 0.3 * height, 0.8 * width, 0.9 * height]
    mask = Mask.from_array(np.tri(height, width, dtype=bool))
    class_map = np.tri(height, width, dtype=int)
    return [
        classified(pixels),
        classified(pixels, unknown=True),
        classified(pixels, accepted=("tabby cat",)),
        classified(pixels, accepted=()),
        classified(pixels, group=Group("animal", 0.97)),
        detected(pixels, [box, [-50, -50, 2 * width, 2 * height]], masks=[mask, mask], track_ids=[1, 2]),
        detected(pixels, [box], keypoints=[[[0.5 * width, 0.5 * height, 1], [1e9, -1e9, 1]]]),
        detected(pixels, [[0, 0, 0, 0], [3 * width, 0, 4 * width, 1], box, box, box, box, box]),
        detected(pixels, []),
        Segmentation(**common(pixels), class_map=class_map, names=["background", "road"]),
        Segmentation(**common(pixels), class_map=class_map, names=["sky", "road"]),
        Segmentation(**common(pixels), class_map=class_map * 0 + 9, names=["sky"], ignore_index=9),
        Caption(**common(pixels), text="A cat sleeps on a sofa with a very longwordthatdoesnotfitanywhere in it. " * 9),
        Caption(**common(pixels), text=""),
        Embedding(**common(pixels), vector=[1, 2]),
    ]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 80), st.integers(1, 80))
def test_every_size_of_image(height, width):
    pixels = gray(height, width)
    for result in every_type(pixels):
        drawn = result.plot()
        assert drawn.shape == pixels.shape
        assert drawn.dtype == np.uint8
        assert drawn.flags.writeable
        assert (pixels == 128).all()


@pytest.mark.parametrize(("height", "width"), [(1500, 2000), (1, 3000), (2000, 2), (20, 4000)])
def test_large_and_narrow_images(height, width):
    for result in every_type(gray(height, width)):
        assert result.plot().shape == (height, width, 3)


def changed(result):
    drawn = result.plot()
    return (drawn != 128).any(axis=2)


def test_classification_draws_a_panel_at_the_lower_left():
    there = changed(classified(gray(480, 640)))
    assert there.any()
    assert not there[:240].any()
    assert not there[:, 500:].any()
    rows = np.flatnonzero(there.any(axis=1))
    assert rows[-1] < 479  # a margin is left


def test_bars_are_as_long_as_confidence():
    one = classified(gray(480, 640)).plot().astype(int)
    blue = (one[..., 2] > one[..., 0] + 80).any(axis=0).sum()
    half = Classification(**common(gray(480, 640)), labels=(Label(1, "", 0.415),)).plot().astype(int)
    assert (half[..., 2] > half[..., 0] + 80).any(axis=0).sum() == pytest.approx(blue / 2, abs=3)


def test_the_smallest_images_have_a_readable_label():
    there = changed(classified(gray(32, 32)))
    assert there[16:].any()
    assert not there[:16].any()
    assert (classified(gray(32, 32)).plot() > 190).all(axis=2).sum() > 5  # strokes of white letters


def test_boxes_change_only_frames_and_tags():
    there = changed(detected(gray(300, 400), [[100, 100, 300, 250]]))
    assert there[100, 100:300].all()
    assert there[249, 100:300].all()
    assert there[100:250, 100].all()
    assert there[100:250, 299].all()
    assert not there[110:240, 110:290].any()
    assert not there[:70].any()
    assert not there[251:].any()
    assert not there[:, :100].any()
    assert not there[:, 301:].any()


def test_the_color_is_that_of_the_class():
    for index in (0, 3, 9):
        result = detected(gray(300, 400), [[100, 100, 300, 250]], classes=[index], names=list("abcdefghij"))
        assert tuple(result.plot()[249, 200]) == class_color(index)


def test_masks_change_only_what_is_inside():
    inside = np.zeros((300, 400), bool)
    inside[120:240, 120:280] = True
    result = detected(gray(300, 400), [[100, 100, 300, 250]], masks=[Mask.from_array(inside)])
    there = changed(result)
    assert there[120:240, 120:280].all()
    assert not there[110:120, 110:290].any()
    drawn = result.plot()
    assert not np.array_equal(drawn[120, 200], drawn[180, 200])  # the border is stronger


def test_tags_do_not_cover_each_other():
    boxes = [[100, 100, 200, 200]] * 3
    three = detected(gray(300, 400), boxes, classes=[0, 1, 2], names=["a", "b", "c"]).plot()
    colors = {tuple(color) for color in three.reshape(-1, 3).tolist()}
    tagged = [
        index for index in range(3) if any(np.abs(np.array(class_color(index)) - color).max() < 14 for color in colors)
    ]
    assert tagged == [0, 1, 2]


def test_segmentation_leaves_background_and_ignored_pixels():
    class_map = np.zeros((300, 400), int)
    class_map[50:100, 50:350] = 1
    class_map[:20] = 9
    result = Segmentation(**common(gray(300, 400)), class_map=class_map, names=["background", "road"], ignore_index=9)
    there = changed(result)
    assert there[52:98, 52:348].all()
    assert not there[:50].any()
    assert not there[100:150].any()


def test_caption_is_a_strip_along_the_lower_edge():
    there = changed(Caption(**common(gray(300, 400)), text="A cat sleeps on a sofa."))
    rows = np.flatnonzero(there.any(axis=1))
    assert rows[0] > 240
    assert there[rows[0] :].all()
    long = changed(Caption(**common(gray(300, 400)), text="A cat sleeps on a sofa. " * 100))
    assert not long[:149].any()


def test_embedding_draws_nothing():
    pixels = gray(30, 40)
    drawn = Embedding(**common(pixels), vector=[1]).plot()
    assert np.array_equal(drawn, pixels)
    assert drawn is not pixels


def test_pixels_may_be_given_and_must_fit():
    result = Embedding(**common(gray(30, 40), _pixels=None), vector=[1])
    assert np.array_equal(result.plot(gray(30, 40)), gray(30, 40))
    with pytest.raises(UsageError, match=r"cat.jpg: the pixels were not kept .* plot\(pixels=…\)"):
        result.plot()
    for wrong in (gray(40, 30), gray(30, 40)[..., 0], gray(30, 40).astype(np.float32)):
        with pytest.raises(UsageError, match=r"must be uint8 \(30, 40, 3\), upright RGB, found"):
            result.plot(wrong)


def test_the_pixels_given_are_never_written_to():
    pixels = gray(60, 80)
    pixels.setflags(write=False)
    for result in every_type(pixels):
        result.plot()


@pytest.mark.parametrize(
    ("suffix", "file_format"),
    [(".png", "PNG"), (".jpg", "JPEG"), (".JPEG", "JPEG"), (".webp", "WEBP"), (".bmp", "BMP"), (".tif", "TIFF")],
)
def test_save(tmp_path, suffix, file_format):
    path = tmp_path / f"out{suffix}"
    result = classified(gray(120, 160))
    result.save(path)
    with Image.open(path) as image:
        assert (image.format, image.size) == (file_format, (160, 120))
        if file_format == "PNG":
            assert np.array_equal(np.asarray(image), result.plot())
    assert [other.name for other in tmp_path.iterdir()] == [path.name]


def test_save_does_not_overwrite_unless_told(tmp_path):
    path = tmp_path / "out.png"
    path.write_bytes(b"mine")
    with pytest.raises(OutputExists):
        classified(gray(20, 30)).save(path)
    assert path.read_bytes() == b"mine"
    classified(gray(20, 30)).save(str(path), overwrite=True)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_save_refuses_what_it_cannot_write(tmp_path):
    with pytest.raises(UsageError, match=r"out\.xyz: a drawing must be saved as one of \.png, \.jpg"):
        classified(gray(20, 30)).save(tmp_path / "out.xyz")
    with pytest.raises(OutputFailed, match="cannot be written as WEBP"):
        classified(gray(1, 20000)).save(tmp_path / "out.webp")
    with pytest.raises(UsageError, match="not kept"):
        Embedding(**common(gray(3, 4), _pixels=None), vector=[1]).save(tmp_path / "out.png")
    assert list(tmp_path.iterdir()) == []


def test_notebooks_show_a_small_drawing():
    shown = classified(gray(900, 1200))._repr_png_()
    with Image.open(io.BytesIO(shown)) as image:
        assert image.size == (512, 384)
    with Image.open(io.BytesIO(classified(gray(30, 40))._repr_png_())) as image:
        assert image.size == (40, 30)


def test_notebooks_show_text_without_pixels():
    def gone():
        raise SourceNotFound("cat.jpg", "no such file")

    assert Embedding(**common(gray(3, 4), _pixels=None), vector=[1])._repr_png_() is None
    assert Embedding(**common(gray(3, 4), _pixels=gone), vector=[1])._repr_png_() is None
    assert Embedding(**common(gray(3, 4), size_hw=(9, 9)), vector=[1])._repr_png_() is None


@given(st.text(max_size=40), st.integers(0, 300), st.integers(1, 5))
def test_text_fits(text, width, most):
    lettering = Lettering.of(text, 12)
    line = lettering.fit(text, width)
    assert not line or lettering.width(line) <= width
    lines = lettering.wrap(text, max(width, 20), most)
    assert len(lines) <= most
    assert all(lettering.width(each) <= max(width, 20) for each in lines)


def test_text_is_shortened_and_wrapped_between_words():
    lettering = Lettering(12)
    room = lettering.width("a cat sleeps…") + 0.5
    assert lettering.fit("a cat sleeps", room) == "a cat sleeps"
    assert lettering.fit("a cat sleeps on a sofa", room) == "a cat sleeps…"
    assert lettering.fit("a cat sleeps", 1) == ""
    assert lettering.wrap("a cat sleeps on a sofa", room, 3) == ["a cat sleeps", "on a sofa"]
    assert lettering.wrap("a cat sleeps on a sofa", room, 1) == ["a cat sleeps…"]
    assert "".join(lettering.wrap("longerthanaline" * 3, room, 9)) == "longerthanaline" * 3
    assert lettering.wrap("  a\n\tcat ", room, 3) == ["a cat"]
    assert lettering.wrap("", room, 3) == []


def test_letters_that_the_font_lacks_lose_their_accents():
    assert Lettering(12).fit("Crème brûlée", 999) == "Creme brulee"


def test_colors_are_different_and_text_on_them_is_readable():
    colors = [class_color(index) for index in range(21)]
    assert len(set(colors)) == 21
    assert class_color(21) == class_color(0)
    assert (text_color(WHITE), text_color(BLACK)) == (BLACK, WHITE)
    assert text_color((240, 228, 66)) == BLACK
    assert text_color((0, 70, 110)) == WHITE
