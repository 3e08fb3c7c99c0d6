"""A network trained by two processes at once: `beholder.training.networks.processes`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from small_lessons import fitting_of, plan_of, weights_of  # noqa: E402

from beholder.errors import UsageError  # noqa: E402
from beholder.training.networks.processes import fit, require_devices  # noqa: E402


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two processor cores")
def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    """Without batch normalization the mean of two halves' gradients is that of the whole batch."""
    told: list[tuple[int, int]] = []
    trained = {}
    for devices in (1, 2):
        plan = plan_of("lenet5", devices=devices, epochs=2, augment=("none",), optimizer="sgd")
        one = fitting_of(tmp_path / f"{devices}", plan)
        trained[devices] = fit(one.recognizer, one.plan, one.lesson, one.keeper, lambda *step: told.append(step))
    assert told == 2 * [(step, 6) for step in range(1, 7)]
    alone, together = (weights_of(trained[devices]) for devices in (1, 2))
    for name in alone:
        assert torch.allclose(alone[name], together[name], atol=1e-5), name
    rows = [[row["loss"] for row in trained[devices].progress.curve] for devices in (1, 2)]
    assert rows[0] == pytest.approx(rows[1], abs=1e-4)
    assert len(rows[1]) == 2


def test_no_more_processes_than_devices_or_images() -> None:
    with pytest.raises(UsageError, match=r"devices: there are .* found 64"):
        require_devices(64, 1000)
    with pytest.raises(UsageError, match="1 images in a batch"):
        require_devices(2, 1)
    require_devices(1, 8)
