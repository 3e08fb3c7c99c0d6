"""What networks say of images: of every one that can be read, whatever becomes of the others."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from small_lessons import ArrayPixels, colored  # noqa: E402

from beholder.errors import UnreadableImage  # noqa: E402
from beholder.training.networks.answering import Recognizer, answers  # noqa: E402
from beholder.training.networks.architectures import Spec  # noqa: E402
from beholder.training.networks.cleaning import Intake  # noqa: E402
from beholder.training.networks.network import build  # noqa: E402


@pytest.fixture
def recognizer() -> Recognizer:
    torch.manual_seed(0)
    network = build("lenet5", Spec(3, 16))
    return Recognizer(Intake((), 3, network.mean, network.std), network)


def test_images_that_cannot_be_read_are_left_out_wherever_they_are(recognizer: Recognizer) -> None:
    images = colored(10, 16).images
    whole = answers(recognizer, ArrayPixels(images), np.arange(10))
    for broken in ([3], [8, 9], [0, 1, 2, 3], [4, 5, 6, 7]):
        said = answers(recognizer, ArrayPixels(images, broken), np.arange(10), together=4)
        missing = np.isin(np.arange(10), broken)
        assert np.isnan(said.logits[missing]).all() and np.isnan(said.embeddings[missing]).all()
        assert np.allclose(said.logits[~missing], whole.logits[~missing], atol=1e-5)
    with pytest.raises(UnreadableImage, match="is gone"):
        answers(recognizer, ArrayPixels(images, range(10)), np.arange(10))


def test_mirrored_it_says_the_same_of_an_image_and_its_mirror_image(recognizer: Recognizer) -> None:
    images = colored(6, 16).images
    pixels, mirrored = ArrayPixels(images), ArrayPixels(images[:, :, ::-1].copy())
    plain, other = (answers(recognizer, one, np.arange(6)) for one in (pixels, mirrored))
    assert not np.allclose(plain.logits, other.logits, atol=1e-4)
    both = Recognizer(recognizer.intake, recognizer.network, mirrored=True)
    found, again = (answers(both, one, np.arange(6)) for one in (pixels, mirrored))
    assert np.allclose(found.logits, again.logits, atol=1e-5)
    assert np.allclose(found.logits, (plain.logits + other.logits) / 2, atol=1e-5)
    assert np.allclose(found.embeddings, (plain.embeddings + other.embeddings) / 2, atol=1e-5)
    assert both.with_network(recognizer.network).mirrored


def test_each_part_of_a_network_stays_in_its_mode(recognizer: Recognizer) -> None:
    recognizer.train()
    recognizer.network.head.eval()
    answers(recognizer, colored(2, 16), np.arange(2))
    assert recognizer.training and recognizer.network.body.training and not recognizer.network.head.training
