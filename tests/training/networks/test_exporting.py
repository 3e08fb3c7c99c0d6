"""Every network of the dictionary answers in ONNX Runtime as it does in torch, for any number of images."""

from __future__ import annotations

import os

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
pytest.importorskip("timm")

from small_lessons import ArrayPixels  # noqa: E402

from beholder.errors import InvalidModel  # noqa: E402
from beholder.training.confidence import fit_confidence  # noqa: E402
from beholder.training.networks.answering import Recognizer, answers  # noqa: E402
from beholder.training.networks.architectures import ARCHITECTURES, Spec  # noqa: E402
from beholder.training.networks.cleaning import Intake  # noqa: E402
from beholder.training.networks.exporting import ExportedNetwork, export_network  # noqa: E402
from beholder.training.networks.network import build  # noqa: E402

CLASSES = 4
ONE_OF_EACH_KIND = frozenset(
    "mlp lenet5 alexnet vgg11 vgg11-bn googlenet inception-v3 resnet18 squeezenet-1.1 "  # noqa: SIM905
    "mobilenet-v3-small mobilenet-v4-small capsnet nasnet-mobile efficientnet-b0 "
    "efficientnet-lite0 vit-tiny convnext-atto".split()
)


def recognizer_of(name: str, size: int, clean: tuple[str, ...] = (), channels: int = 3) -> Recognizer:
    """A narrow variant whose norms have seen some images: at their start they would change nothing."""
    torch.manual_seed(3)
    spec = Spec(CLASSES, size, width=0.125 if ARCHITECTURES[name].widths else 1.0, channels=channels)
    network = build(name, spec)
    recognizer = Recognizer(Intake(clean, channels, network.mean, network.std), network)
    with torch.no_grad():
        recognizer(torch.from_numpy(pixels_of_side(size).images))
    return recognizer.eval()


def pixels_of_side(size: int) -> ArrayPixels:
    random = np.random.default_rng(5)
    coarse = random.integers(0, 256, (8, 4, 4, 3)).repeat(-(-size // 4), axis=1).repeat(-(-size // 4), axis=2)
    noise = random.integers(-30, 30, (8, size, size, 3))
    return ArrayPixels(np.clip(coarse[:, :size, :size] + noise, 0, 255).astype(np.uint8))


def exported(recognizer: Recognizer, size: int) -> ExportedNetwork:
    """The file, with the confidence of answers that were drawn."""
    random = np.random.default_rng(1)
    confidence = fit_confidence(
        random.normal(size=(60, CLASSES)), np.eye(CLASSES, dtype=bool)[np.arange(60) % 4], False
    )
    width = answers(recognizer, pixels_of_side(size), np.arange(1)).embeddings.shape[1]
    prototypes = random.normal(size=(5, width)).astype(np.float32)
    prototypes /= np.linalg.norm(prototypes, axis=1, keepdims=True)
    return ExportedNetwork(export_network(recognizer, (size, size), confidence, prototypes))


def refuse_difference(recognizer: Recognizer, size: int) -> None:
    pixels, rows = pixels_of_side(size), np.arange(8)
    file = exported(recognizer, size)
    said = answers(recognizer, pixels, rows)
    for chosen in (rows, rows[:1], rows[2:5]):
        found = file.answer(pixels, chosen)
        assert np.array_equal(found["logits"].argmax(axis=1), said.logits[chosen].argmax(axis=1))
        for ours, theirs in ((found["logits"], said.logits), (found["embedding"], said.embeddings)):
            assert np.abs(ours - theirs[chosen]).max() < 1e-4 * max(1.0, np.abs(theirs).max())
        assert found["familiarity"].shape == (len(chosen),)
        assert np.allclose(found["probabilities"].sum(axis=1), 1, atol=1e-5)
    assert np.ptp(said.logits, axis=0).max() > 0, "every image has the same answer"


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_file_answers_as_the_network(name: str) -> None:
    if name not in ONE_OF_EACH_KIND and not os.environ.get("BEHOLDER_ALL_NETWORKS"):
        pytest.skip("set BEHOLDER_ALL_NETWORKS to export the larger ones of each kind too: some 8 minutes")
    size = max(32, ARCHITECTURES[name].smallest)
    refuse_difference(recognizer_of(name, size), size)


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_done_to_every_image_is_in_the_file(channels: int) -> None:
    refuse_difference(recognizer_of("lenet5", 20, ("denoise", "brightness", "contrast"), channels), 20)


@pytest.mark.parametrize("name", ["lenet5", "mobilenet-v3-small"])
def test_the_file_of_a_network_that_also_looks_at_the_mirror_image(name: str) -> None:
    once = recognizer_of(name, 32)
    refuse_difference(Recognizer(once.intake, once.network, mirrored=True).eval(), 32)


def test_of_no_image_the_file_says_nothing() -> None:
    assert exported(recognizer_of("lenet5", 20), 20).answer(pixels_of_side(20), []) == {}


class Unknown(torch.nn.Module):
    """A part of which no ONNX operator says what it does."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return torch.linalg.eigvals(values @ values.T).real[:, None] + values


def test_a_network_that_cannot_be_exported_is_refused_in_one_line() -> None:
    recognizer = recognizer_of("lenet5", 20)
    recognizer.network.head = torch.nn.Sequential(recognizer.network.head, Unknown())
    with pytest.raises(InvalidModel, match=r"^the network cannot be exported: [^\n]+$"):
        exported(recognizer, 20)
