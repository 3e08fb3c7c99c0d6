"""Every word varies images as it says, the same way for the same seed, and none asks for what cannot be."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("torchvision")

from beholder.errors import UsageError
from beholder.training.networks.augmenting import WORDS, Augmentation, default_words, is_handed


def image(height: int = 32, width: int = 32) -> np.ndarray:
    return np.random.default_rng(1).integers(1, 256, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("size_hw", [(32, 32), (36, 72), (72, 36)], ids=["square", "wide", "tall"])
@pytest.mark.parametrize("word", WORDS)
def test_a_word_gives_an_input_the_same_for_the_same_seed(word: str, size_hw: tuple[int, int]) -> None:
    vary, whole = Augmentation([word], 32), image(*size_hw)
    whole.flags.writeable = False
    varied = [vary(whole, seed) for seed in range(12)]
    assert all(one.dtype == np.uint8 and one.shape == (32, 32, 3) for one in varied)
    assert all(np.array_equal(vary(whole, seed), one) for seed, one in enumerate(varied))
    plain = Augmentation(["none"], 32)(whole, 0).tobytes()
    seen = {one.tobytes() for one in varied}
    assert seen == {plain} if word == "none" else len(seen - {plain}) >= 1


def test_without_words_it_is_the_middle() -> None:
    wide, tall = image(32, 81), image(75, 32)
    assert np.array_equal(Augmentation(["none"], 32)(wide, 0), wide[:, 24:56])
    assert np.array_equal(Augmentation([], 32)(tall, 0), tall[21:53])


def test_flips_mirror_and_do_nothing_else() -> None:
    one = image()
    for word, axis in (("flip", 1), ("flip-up", 0)):
        varied = [Augmentation([word], 32)(one, seed) for seed in range(64)]
        mirrored = sum(np.array_equal(found, np.flip(one, axis)) for found in varied)
        assert mirrored + sum(np.array_equal(found, one) for found in varied) == 64
        assert 16 < mirrored < 48


def test_a_shift_by_nothing_moves_nothing() -> None:
    one = np.random.default_rng(0).integers(1, 256, (32, 32, 3), np.uint8)
    assert all(np.array_equal(Augmentation(["shift:0"], 32)(one, seed), one) for seed in range(8))


def test_shift_moves_and_pads_with_black() -> None:
    one = image()
    moves = set()
    for seed in range(60):
        found = Augmentation(["shift:0.125"], 32)(one, seed)
        places = [
            (y, x)
            for y in range(-4, 5)
            for x in range(-4, 5)
            if np.array_equal(
                found[max(0, -y) : 32 - max(0, y), max(0, -x) : 32 - max(0, x)],
                one[max(0, y) : 32 - max(0, -y), max(0, x) : 32 - max(0, -x)],
            )
        ]
        assert len(places) == 1
        y, x = places[0]
        assert int((found == 0).sum()) == 3 * (32 * 32 - (32 - abs(y)) * (32 - abs(x)))
        moves.add((y, x))
    assert max(abs(y) for y, _ in moves) == 4 and len(moves) > 30


def test_crop_keeps_at_least_its_share_of_the_area() -> None:
    ramp = np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1))
    whole = np.stack([ramp, ramp.T, np.zeros_like(ramp)], axis=2)  # red says x, green says y
    areas = []
    for seed in range(200):
        found = Augmentation(["crop:0.5"], 64)(whole, seed) / 4
        width, height = (np.ptp(found[..., channel]) + 1 for channel in (0, 1))
        areas.append(width * height / 64**2)
    assert min(areas) > 0.45 and max(areas) > 0.9 and np.mean(areas) < 0.85


def test_color_changes_no_place_and_erasing_a_patch_only() -> None:
    flat = np.full((32, 32, 3), 90, np.uint8)
    for seed in range(20):
        assert Augmentation(["color"], 32)(flat, seed).reshape(-1, 3).std(axis=0).max() == 0
        erased = Augmentation(["erasing:1"], 32)(flat, seed)
        assert set(np.unique(erased).tolist()) <= {90, 114}
        assert 0.01 < float((erased == 114).mean()) < 0.3
    untouched = sum(np.array_equal(Augmentation(["erasing:0.25"], 32)(flat, seed), flat) for seed in range(200))
    assert 125 < untouched < 175


def test_grey_leaves_one_luma() -> None:
    found = Augmentation(["grey:1"], 32)(image(), 0)
    assert np.array_equal(found[..., 0], found[..., 1]) and np.array_equal(found[..., 1], found[..., 2])


def test_geometric_words_come_first_whatever_the_order() -> None:
    wide = image(32, 80)
    one, other = (Augmentation(words, 32)(wide, 4) for words in (["flip", "crop:0.5"], ["crop:0.5", "flip"]))
    assert np.array_equal(one, other)


@pytest.mark.parametrize(
    ("classes", "handed"),
    [
        (("0", "1", "9"), True),
        (("one", "two"), True),
        (("A", "b", "Z"), True),
        (("turn_left", "turn_right", "straight"), True),
        (("Keep Left", "stop"), True),
        (("anticlockwise", "other"), True),
        (("cat", "dog"), False),
        (("leftovers", "brightness"), False),
        (("ox", "cat"), False),
    ],
)
def test_what_a_mirror_would_change_is_not_mirrored(classes: tuple[str, ...], handed: bool) -> None:
    assert is_handed(classes) == handed
    for small in (True, False):
        for started in (True, False):
            words = default_words(classes, small, started, 32)
            assert ("flip" in words) != handed
            Augmentation(words, 32)


@pytest.mark.parametrize(
    "text",
    [
        "crop:1.5", "crop:-1", "crop:nan", "crop:", "crop:x", "shift:2", "shift:1e300", "shift:inf", "rotate:361",
        "scale:1", "scale:5", "translate:1.5", "shear:90", "distort:1.5", "color:6", "color:inf", "blur:2", "grey:1.01",
        "erasing:2", "randaugment:31", "randaugment:inf", "randaugment:1e9", "flip:0.3", "none:1",
    ],
)  # fmt: skip
def test_a_strength_that_cannot_be_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UsageError, match=rf"^augment: {text.partition(':')[0]} take.*, found '{text}'$"):
        Augmentation([text], 32)


@pytest.mark.parametrize(
    "text",
    ["crop:0", "crop:1", "shift:0", "shift:1", "rotate:0", "rotate:180", "scale:0", "translate:1", "shear:0",
     "distort:1", "color:0", "color:1", "blur:1", "erasing:0", "randaugment:0", "randaugment:30"],
)  # fmt: skip
def test_a_strength_at_its_bounds_varies_images(text: str) -> None:
    vary = Augmentation([text], 32)
    for seed in range(4):
        assert vary(image(36, 50), seed).shape == (32, 32, 3)


def test_an_unknown_word_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"augment: 'flipp' is not known; did you mean 'flip'"):
        Augmentation(["flipp"], 32)
