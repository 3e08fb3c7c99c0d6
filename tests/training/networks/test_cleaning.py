"""What is done to every image, beside other programs' words for it, and in the file as in training."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import PIL.ImageFilter
import PIL.ImageOps
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from beholder.errors import UsageError  # noqa: E402
from beholder.training.networks.cleaning import (  # noqa: E402
    CLEANERS,
    MIDDLE,
    SPREAD,
    Intake,
    brightness,
    cleaner_of,
    contrast,
    denoise,
    equalize,
    grey,
)

LUMA = np.array([0.299, 0.587, 0.114])


def image(low: int = 0, high: int = 256, size: tuple[int, int] = (13, 17)) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(low, high, (*size, 3)).astype(np.uint8)


def tensor(*images: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()


def array(found: torch.Tensor) -> NDArray[np.float32]:
    return found[0].permute(1, 2, 0).numpy()


def test_denoise_is_the_median_of_nine() -> None:
    one = image()
    padded = np.pad(one, ((1, 1), (1, 1), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
    assert np.array_equal(array(denoise(tensor(one))), np.median(windows, axis=(-2, -1)))
    inner = np.asarray(PIL.Image.fromarray(one).filter(PIL.ImageFilter.MedianFilter(3)))[1:-1, 1:-1]
    assert np.array_equal(array(denoise(tensor(one)))[1:-1, 1:-1], inner)


def test_grey_is_the_luma_in_each_channel() -> None:
    one = image()
    found = array(grey(tensor(one)))
    assert np.allclose(found, (one @ LUMA)[..., None], atol=1e-3)
    assert np.abs(found[..., 0] - np.asarray(PIL.Image.fromarray(one).convert("L"))).max() < 1  # Pillow rounds


@pytest.mark.parametrize(("low", "high"), [(0, 40), (80, 120), (200, 256), (0, 1)])
def test_brightness_brings_the_mean_to_the_middle_or_doubles_or_halves(low: int, high: int) -> None:
    one = image(low, high)
    gain = np.clip(MIDDLE / max(1.0, (one @ LUMA).mean()), 0.5, 2.0)
    assert np.allclose(array(brightness(tensor(one))), np.clip(one * gain, 0, 255), atol=1e-2)


@pytest.mark.parametrize(("low", "high"), [(100, 140), (0, 256), (7, 8)])
def test_contrast_brings_the_spread_to_the_usual_one(low: int, high: int) -> None:
    one = image(low, high)
    luma = one @ LUMA
    gain = np.clip(SPREAD / max(1.0, luma.std()), 0.5, 4.0)
    expected = np.clip((one - luma.mean()) * gain + luma.mean(), 0, 255)
    assert np.allclose(array(contrast(tensor(one))), expected, atol=1e-2)


def test_equalize_gives_each_level_the_share_of_pixels_up_to_it() -> None:
    """As scikit-image does with a bin for each level; Pillow and OpenCV stretch the lowest level to 0 as well."""
    exposure = pytest.importorskip("skimage.exposure")
    one = image(60, 90, (200, 250))
    found = array(equalize(tensor(one)))
    for channel in range(3):
        levels = one[..., channel]
        expected = np.array([(levels <= level).mean() for level in range(256)])[levels]
        assert np.allclose(found[..., channel], 255 * expected, atol=1e-3)
        theirs = exposure.equalize_hist(np.append(levels.ravel(), [0, 255]), nbins=256)[:-2]
        assert np.abs(found[..., channel].ravel() / 255 - theirs).max() < 5e-3
    pillow = np.asarray(PIL.ImageOps.equalize(PIL.Image.fromarray(one))).astype(float)
    lowest = max((one[..., channel] == one[..., channel].min()).mean() for channel in range(3))
    assert np.abs(found - pillow).max() < 255 * lowest + 2
    assert np.abs(found - pillow).max() > 128 * lowest
    assert (found.max(axis=(0, 1)) == 255).all()


def test_images_of_a_batch_do_not_mix() -> None:
    one, other = image(0, 50), image(150, 256)
    for word, cleaner in CLEANERS.items():
        both = cleaner(tensor(one, other))
        assert torch.allclose(both, torch.cat([cleaner(tensor(one)), cleaner(tensor(other))]), atol=1e-3), word
        assert float(both.min()) >= 0 and float(both.max()) <= 255, word


def test_a_flat_image_stays_a_number() -> None:
    for word, cleaner in CLEANERS.items():
        for level in (0, 255):
            assert cleaner(torch.full((1, 3, 5, 6), float(level))).isfinite().all(), word


@pytest.mark.parametrize("channels", [1, 3])
def test_the_exported_intake_answers_alike(channels: int) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    intake = Intake(tuple(CLEANERS), channels, (120.0, 110.0, 100.0), (60.0, 50.0, 40.0)).eval()
    one = tensor(image(), image(40, 90), image(7, 8))
    program = torch.onnx.export(
        intake, (one[:2],), dynamo=True, opset_version=18, dynamic_shapes=({0: torch.export.Dim("N")},), verbose=False
    )
    data = io.BytesIO()
    program.save(data)
    session = runtime.InferenceSession(data.getvalue(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: one.numpy()})
    expected = intake(one).numpy()
    assert found.shape == (3, channels, 13, 17)
    assert np.abs(found - expected).max() < 0.1  # a level that is rounded the other way is a step of equalizing
    assert (np.abs(found - expected) > 1e-4).mean() < 0.01


def test_one_channel_is_the_normalized_luma() -> None:
    one = image()
    found = Intake((), 1, (100.0,) * 3, (50.0,) * 3)(tensor(one))
    assert np.allclose(found[0, 0].numpy(), (one @ LUMA - 100) / 50, atol=1e-4)


def test_an_unknown_word_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"clean: 'denoize' is not known; did you mean 'denoise'"):
        cleaner_of("denoize")
