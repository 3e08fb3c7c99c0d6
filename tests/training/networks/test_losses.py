"""Losses beside their formulas; the learning rate beside its schedule's words."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from beholder.training.networks.losses import loss_of, mixing, smoothed  # noqa: E402
from beholder.training.networks.rates import rate_at, side_at  # noqa: E402

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0]])
TARGETS = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])


def test_cross_entropy_is_that_of_softmax() -> None:
    shares = np.exp(LOGITS.numpy()) / np.exp(LOGITS.numpy()).sum(axis=1, keepdims=True)
    expected = -(TARGETS.numpy() * np.log(shares)).sum(axis=1)
    assert np.allclose(loss_of("cross_entropy", False)(LOGITS, TARGETS), expected, atol=1e-6)


def test_of_several_labels_it_is_that_of_a_sigmoid_for_each() -> None:
    yes = 1 / (1 + np.exp(-LOGITS.numpy()))
    targets = TARGETS.numpy()
    expected = -(targets * np.log(yes) + (1 - targets) * np.log(1 - yes)).sum(axis=1)
    assert np.allclose(loss_of("cross_entropy", True)(LOGITS, TARGETS), expected, atol=1e-6)


@pytest.mark.parametrize("multi_label", [False, True])
def test_margin_is_equation_4(multi_label: bool) -> None:
    lengths, targets = torch.tensor([[0.95, 0.05, 0.3], [0.4, 0.1, 0.0]]), torch.tensor([[1.0, 0, 0], [1.0, 0, 0]])
    found = loss_of("margin", multi_label)(lengths, targets)
    assert np.allclose(found, [0.5 * 0.2**2, 0.5**2], atol=1e-6)


def test_smoothed_targets_keep_their_sum() -> None:
    assert torch.allclose(smoothed(TARGETS, 0.3, False).sum(dim=1), torch.ones(2))
    assert torch.allclose(smoothed(TARGETS[:1], 0.3, False), torch.tensor([[0.8, 0.1, 0.1]]))
    assert torch.allclose(smoothed(TARGETS[:1], 0.2, True), torch.tensor([[0.9, 0.1, 0.1]]))
    assert torch.equal(smoothed(TARGETS, 0.0, False), TARGETS)


def test_mixed_images_have_the_same_share_of_their_targets() -> None:
    levels = torch.arange(8.0)
    images, targets = levels.view(8, 1, 1, 1).expand(8, 3, 16, 16).clone(), torch.eye(8)
    for mixup, cutmix in ((0.8, 0.0), (0.0, 1.0), (0.5, 0.5)):
        torch.manual_seed(0)
        for _ in range(6):
            mixed, shares = mixing(mixup, cutmix)(images, targets)
            assert torch.allclose(shares.sum(dim=1), torch.ones(8), atol=1e-6)
            assert torch.allclose(mixed.mean(dim=(1, 2, 3)), shares @ levels, atol=1e-4)
            if cutmix == 0:
                assert torch.allclose(mixed, mixed[:, :, :1, :1].expand_as(mixed)), "mixup mixes whole images"
    same, unchanged = mixing(0.0, 0.0)(images, targets)
    assert same is images and unchanged is targets


def rates(schedule: str, warmup: float, steps: int = 100) -> list[float]:
    return [rate_at(step, steps, schedule, warmup) for step in range(steps)]  # type: ignore[arg-type]


def test_cosine_rises_and_falls_to_a_hundredth() -> None:
    found = rates("cosine", 0.1)
    assert found[0] == pytest.approx(1 / 11) and found[10] == 1.0 == max(found)
    assert found[:11] == sorted(found[:11]) and found[10:] == sorted(found[10:], reverse=True)
    assert found[55] == pytest.approx((1 + 0.01) / 2) and 0.01 <= found[-1] < 0.012
    assert rates("cosine", 0.0)[0] == 1.0


def test_one_cycle_rises_for_three_tenths() -> None:
    found = rates("one-cycle", 0.5)
    assert found[0] == pytest.approx(1 / 25) and found.index(max(found)) == 30 and max(found) == 1.0
    assert found[:31] == sorted(found[:31]) and found[30:] == sorted(found[30:], reverse=True)
    assert found[-1] < 1e-3


def test_constant_stays() -> None:
    assert set(rates("constant", 0.1)[10:]) == {1.0} and rates("constant", 0.1)[0] < 0.1


@pytest.mark.parametrize("schedule", ["cosine", "one-cycle", "constant"])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_shortest_training_has_rates_too(schedule: str, steps: int) -> None:
    assert all(0 < rate <= 1 and math.isfinite(rate) for rate in rates(schedule, 0.9, steps))


def test_the_side_grows_from_half_in_steps_of_four() -> None:
    assert [side_at(step, 100, 224, 0.5) for step in (0, 10, 25, 49, 50, 99)] == [112, 136, 168, 220, 224, 224]
    assert {side_at(step, 100, 28, 1.0) for step in range(100)} == {16, 20, 24, 28}
    assert {side_at(step, 7, 33, 0.0) for step in range(7)} == {33}
