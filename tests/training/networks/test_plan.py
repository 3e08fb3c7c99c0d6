"""What a recipe leaves open is decided by the images, the architecture and the machine; what it says is kept."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from beholder.errors import UsageError  # noqa: E402
from beholder.training import Recipe  # noqa: E402
from beholder.training.networks import checking  # noqa: E402
from beholder.training.networks.architectures import ARCHITECTURES, Spec  # noqa: E402
from beholder.training.networks.checking import require_possible  # noqa: E402
from beholder.training.networks.devices import require_devices  # noqa: E402
from beholder.training.networks.network import Network, build  # noqa: E402
from beholder.training.networks.plan import Plan, averaging, plan_for  # noqa: E402
from beholder.training.networks.weights import load_weights, weights_bytes  # noqa: E402

CPU = torch.device("cpu")


def material(sides: tuple[int, ...] = (480,), images: int = 1000, mode: str = "RGB", classes: str = "cat dog") -> Any:
    facts = {f"{row}": SimpleNamespace(size_hw=(sides[row % len(sides)], 600), mode=mode) for row in range(images)}
    samples = [SimpleNamespace(digest=f"{row}") for row in range(images)]
    dataset = SimpleNamespace(samples=samples, classes=tuple(classes.split()))
    return SimpleNamespace(dataset=dataset, facts=facts, fitted=np.ones(images, bool))


def plan(*settings: str, **images: Any) -> Plan:
    return plan_for(Recipe(method="network").with_settings(settings), material(**images), CPU)


def test_photographs_are_cropped_from_published_weights() -> None:
    found = plan("architecture=resnet18")
    assert found.pretrained and found.spec == Spec(2, 224)
    assert found.geometry.method == "resize_crop" and found.geometry.resize == 256 and found.geometry.draft == 2.0
    assert found.epochs == 12 and found.batch == 32 and found.stage_decay == 0.8
    assert found.augment == ("crop:0.35", "flip", "color:0.2") and found.clean == ()


def test_small_images_are_taken_as_they_are_and_learned_anew() -> None:
    found = plan("architecture=resnet18", sides=(28, 30, 32), images=3000)
    assert not found.pretrained and found.spec.size == 30 and found.geometry.method == "squash"
    assert found.geometry.draft is None and found.epochs == 100 and found.batch == 128 and found.stage_decay == 1.0
    assert plan("architecture=capsnet", sides=(8,)).spec.size == ARCHITECTURES["capsnet"].smallest
    assert plan("architecture=resnet18", sides=(28,), images=200_000).epochs == 15


def test_published_weights_are_for_large_inputs_whatever_the_images_are() -> None:
    enlarged = plan("architecture=resnet18", "size=224", sides=(32,))
    assert enlarged.pretrained and enlarged.geometry.method == "squash" and enlarged.epochs == 12
    reduced = plan("architecture=resnet18", "size=32", sides=(480,))
    assert not reduced.pretrained and reduced.geometry.method == "resize_crop"


def test_every_device_gets_an_image_of_each_batch() -> None:
    with pytest.raises(UsageError, match=r"devices: .* a batch has 2; found 3$"):
        plan("architecture=lenet5", "batch=2", "devices=3")
    assert plan("architecture=lenet5", "batch=3", "devices=3").batch == 3


def test_grey_images_are_one_channel_unless_weights_ask_for_three() -> None:
    for mode, channels in (("L", 1), ("1", 1), ("I;16", 1), ("RGB", 3), ("P", 3)):
        found = plan("architecture=lenet5", mode=mode)
        assert found.spec.channels == channels and ("grey" in found.clean) == (channels == 1), mode
    assert plan("architecture=resnet18", mode="L").spec.channels == 3
    asked = plan("architecture=lenet5", "clean=grey,denoise")
    assert asked.spec.channels == 1 and asked.clean == ("grey", "denoise")


def test_what_the_recipe_says_is_kept() -> None:
    said = (
        "size=96", "width=0.5", "epochs=7", "batch=13", "stage_decay=0.6", "geometry=letterbox", "dropout=0.4",
        "augment=auto,rotate:5", "optimizer=sgd", "learning_rate=0.03", "weight_decay=0.01", "precision=bf16",
        "compile=yes",
    )  # fmt: skip
    found = plan("architecture=resnet18", *said)
    assert not found.pretrained, "there are no published weights of half the width"
    assert found.spec == Spec(2, 96, width=0.5, dropout=0.4) and found.geometry.method == "letterbox"
    assert (found.epochs, found.batch, found.stage_decay, found.optimizer) == (7, 13, 0.6, "sgd")
    assert (found.learning_rate, found.weight_decay, found.precision) == (0.03, 0.01, "bf16-mixed") and found.compiled
    assert found.augment[-1] == "rotate:5" and len(found.augment) > 1
    assert found.facts()["augment"] == list(found.augment)


def test_of_few_images_batches_are_small() -> None:
    assert [plan("architecture=lenet5", images=images).batch for images in (2, 5, 36, 400, 10_000)] == [
        2,
        5,
        8,
        16,
        128,
    ]


def test_characters_are_not_mirrored() -> None:
    assert "flip" not in plan("architecture=lenet5", sides=(28,), classes="0 1 2 3").augment
    assert "flip" in plan("architecture=lenet5", sides=(28,), classes="cat dog").augment


def test_a_network_without_norms_is_trained_more_slowly() -> None:
    plain, normed = (plan(f"architecture={name}", "weights=none", sides=(32,)) for name in ("lenet5", "resnet18"))
    assert plain.learning_rate < normed.learning_rate


def test_images_are_resized_as_for_the_weights() -> None:
    assert plan("architecture=resnet18").geometry.resample == "bilinear"
    assert plan("architecture=efficientnet-lite0").geometry.resample == "bicubic"


def test_the_average_reaches_over_some_steps() -> None:
    recipe = Recipe(method="network")
    assert averaging(recipe, 10) == 0.8 and averaging(recipe, 10_000) == pytest.approx(1 - 1 / 300)
    assert averaging(recipe.with_settings(["ema=0"]), 10_000) == 0.0


@pytest.mark.parametrize("name", ["lenet5", "efficientnet-lite0", "capsnet", "vit-tiny"])
def test_a_recipe_that_can_be_followed_is_let_pass(name: str) -> None:
    require_possible(Recipe(method="network").with_settings([f"architecture={name}", "frozen=1", "augment=auto,flip"]))


def test_a_width_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="one width only"):
        require_possible(Recipe(method="network").with_settings(["architecture=googlenet", "width=0.5"]))


def test_no_more_processes_than_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    require_devices(3)
    with pytest.raises(UsageError, match=r"^devices: must be at most 3, for there are 3 processor cores; found 4$"):
        require_possible(Recipe(method="network").with_settings(["architecture=lenet5", "devices=4"]))


class Picky(torch.nn.Module):
    """A body that takes images of whole patches only, as its author says in his own way."""

    def __init__(self, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.layer = torch.nn.Conv2d(3, 8, 3)

    def forward(self, images: Any) -> Any:
        assert images.shape[-1] % self.patch == 0, f"Input height {images.shape[-1]} is no whole number of\npatches"
        return self.layer(images).mean(dim=(2, 3))


@pytest.mark.parametrize(
    ("patch", "settings", "said"),
    [
        (32, [], None),
        (32, ["size=96"], None),
        (32, ["size=100"], "resnet18: cannot be made for images of 100 pixels; choose another size (Input height 100"),
        (8, ["progressive=0.5"], "progressive: this network takes images of 224 pixels only; leave it out (Input"),
        (4, ["progressive=0.5"], None),
    ],
)
def test_a_size_that_a_network_does_not_take_is_refused_before_images_are_seen(
    patch: int, settings: list[str], said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(name: str, spec: Spec, pretrained: bool) -> Network:
        head, shown = torch.nn.Linear(8, spec.classes), (127.5,) * 3
        return Network(Picky(patch), head, stages=(("layer",),), mean=shown, std=shown, interpolation="bilinear")

    monkeypatch.setattr(checking, "build", made)
    recipe = Recipe(method="network").with_settings(["architecture=resnet18", *settings])
    if said is None:
        require_possible(recipe)
        return
    with pytest.raises(UsageError) as raised:
        require_possible(recipe)
    assert str(raised.value).startswith(said) and "\n" not in str(raised.value)


@pytest.mark.parametrize("error", [AssertionError, NotImplementedError])
def test_what_a_builder_raises_is_one_line(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(checking, "build", broken)
    with pytest.raises(UsageError, match=rf"^lenet5: cannot be made for images of 32 pixels; .* \({error.__name__}\)$"):
        require_possible(Recipe(method="network").with_settings(["architecture=lenet5"]))


@pytest.mark.parametrize("name", ["vit-tiny", "mlp"])
def test_weights_for_another_size_are_refused_by_its_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    small = build(name, Spec(2, 32, width=0.25))
    path.write_bytes(weights_bytes(small, 3, []))
    assert load_weights(build(name, Spec(2, 32, width=0.25)), str(path))
    with pytest.raises(UsageError, match="set architecture, width and size as they were"):
        load_weights(build(name, Spec(2, 48, width=0.25)), str(path))
