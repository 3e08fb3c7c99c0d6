"""The networks written here: capsules, LeNet-5, the perceptron, and NASNet with fewer cells."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from beholder.training.networks.architectures import Spec  # noqa: E402
from beholder.training.networks.assembling import scaled  # noqa: E402
from beholder.training.networks.network import build  # noqa: E402
from beholder.training.networks.own.capsnet import Routing, squash  # noqa: E402


def test_squash_is_the_formula_of_the_paper() -> None:
    capsules = torch.randn(3, 5, 8, dtype=torch.float64)
    length = capsules.norm(dim=-1, keepdim=True)
    expected = length**2 / (1 + length**2) * (capsules / length)
    assert torch.allclose(squash(capsules), expected)


def test_squash_has_a_gradient_at_zero() -> None:
    capsules = torch.zeros(1, 8, requires_grad=True)
    squash(capsules).sum().backward()
    assert capsules.grad is not None and torch.isfinite(capsules.grad).all()


def test_coupling_sums_to_one_over_the_classes() -> None:
    torch.manual_seed(0)
    routing = Routing(20, 4)
    coupling = routing.coupling(torch.randn(2, 20, 4, 16))
    assert coupling.shape == (2, 20, 4, 1)
    assert torch.allclose(coupling.sum(2), torch.ones(2, 20, 1))
    assert coupling.min() > 0


def test_routing_sends_capsules_to_the_class_they_agree_on() -> None:
    torch.manual_seed(0)
    votes = torch.randn(1, 30, 3, 16)
    votes[:, :, 1] = votes[:, :1, 1]  # every capsule says the same of class 1
    coupling = Routing(30, 3).coupling(votes)
    assert (coupling[:, :, 1] > 1 / 3).all()
    once = Routing(30, 3, iterations=1).coupling(votes)
    assert torch.allclose(once, torch.full_like(once, 1 / 3)), "nothing is known before the first agreement"


@pytest.mark.parametrize("size", [20, 28, 32, 64])
def test_lengths_of_capsules_are_below_one(size: int) -> None:
    torch.manual_seed(0)
    network = build("capsnet", Spec(4, size, width=0.25))
    lengths, embedding = network(10 * torch.randn(2, 3, size, size))
    assert embedding.shape == (2, 4 * 16)
    assert torch.allclose(lengths, embedding.view(2, 4, 16).norm(dim=-1))
    assert lengths.min() >= 0 and lengths.max() < 1
    assert not list(network.head.parameters())


def test_lenet_has_the_layers_of_its_paper() -> None:
    network = build("lenet5", Spec(10, 32, channels=1))
    shapes = [tuple(parameter.shape) for parameter in network.body.parameters() if parameter.ndim > 1]
    assert shapes == [(6, 1, 5, 5), (16, 6, 5, 5), (120, 400), (84, 120)]
    padded = build("lenet5", Spec(10, 28, channels=1))
    assert [tuple(parameter.shape) for parameter in padded.body.parameters() if parameter.ndim > 1] == shapes


def test_nasnet_without_two_cells_a_group_is_wired_as_if_they_were_not_there() -> None:
    torch.manual_seed(0)
    body = build("nasnet-mobile", Spec(5, 32, width=0.25)).body.eval()
    seen = {}
    for name in ("cell_2", "cell_3"):
        body.get_submodule(name).register_forward_hook(lambda _, __, out, name=name: seen.update({name: out}))
    body.reduction_cell_0.register_forward_pre_hook(lambda _, inputs: seen.update(into=inputs))
    with torch.no_grad():
        body(torch.randn(1, 3, 32, 32))
    assert seen["into"][0] is seen["cell_3"] and seen["into"][1] is seen["cell_2"]


@pytest.mark.parametrize(
    ("channels", "width", "divisor", "expected"),
    [
        ((64, 128), 1.0, 8, (64, 128)),
        ((64, 128), 0.5, 8, (32, 64)),
        ((64, 128), 0.35, 8, (24, 48)),
        ((64, 128), 0.01, 8, (8, 8)),
        ((6, 84), 0.5, 8, (3, 42)),
        ((44,), 0.25, 4, (12,)),
    ],
)
def test_widths_are_rounded_to_the_divisor_of_the_original(
    channels: tuple[int, ...], width: float, divisor: int, expected: tuple[int, ...]
) -> None:
    assert scaled(channels, width, divisor) == expected
