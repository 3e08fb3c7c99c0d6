"""The training loop: it goes on exactly where it was, comes back from bad steps, and keeps within memory and time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

from small_lessons import CLASSES, fitting_of, plan_of, same_weights, weights_of  # noqa: E402

from beholder.errors import OutputFailed, TrainingFailed, UsageError  # noqa: E402
from beholder.training.networks import keeping  # noqa: E402
from beholder.training.networks.fitting import MOST_SLOWED, Fitting  # noqa: E402
from beholder.training.networks.loading import Batch  # noqa: E402
from beholder.training.networks.plan import Plan  # noqa: E402


class Stopped(Exception):
    """A training is stopped from outside."""


def stop_at(step: int) -> Callable[[int, int], None]:
    def tell(done: int, total: int) -> None:
        if done == step:
            raise Stopped

    return tell


def always_stop(done: int, total: int) -> None:
    raise Stopped


def without_seconds(curve: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in curve]


def batch_of(lesson_fitting: Fitting) -> Batch:
    return next(lesson_fitting.lesson.feed.batches(0, 1))[1]


WAYS: dict[str, dict[str, Any]] = {
    "adamw, dropout": {"dropout": 0.3},
    "sgd, mixup, cutmix": {"optimizer": "sgd", "mixup": 0.4, "cutmix": 1.0, "schedule": "one-cycle"},
    "norms, stage decay": {"architecture": "resnet18", "width": 0.125, "stage_decay": 0.7, "epochs": 2},
    "last weights": {"ema": 0.0, "label_smoothing": 0.0, "clip": 0.0},
    "patience": {"patience": 1, "epochs": 5, "learning_rate": 1e-9},
}


@pytest.mark.parametrize("way", WAYS)
def test_a_training_that_was_stopped_ends_as_one_that_was_not(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(**WAYS[way])
    whole = fitting_of(tmp_path / "whole", plan).run()
    last = whole.progress.step
    for step, often in ((last // 2 + 1, False), (last - 1, True), (last, True)):
        monkeypatch.setattr(keeping.Keeper, "due", lambda _, often=often: often)
        with pytest.raises(Stopped):
            fitting_of(tmp_path / f"{step}", plan, stop_at(step)).run()
        resumed = fitting_of(tmp_path / f"{step}", plan).run()
        assert same_weights(whole, resumed), step
        assert without_seconds(whole.progress.curve) == without_seconds(resumed.progress.curve), step
    again = fitting_of(tmp_path / f"{last}", plan, always_stop).run()  # it is done: no step is taken
    assert same_weights(whole, again)


def test_it_learns(tmp_path: Path) -> None:
    fitted = fitting_of(tmp_path, plan_of(epochs=25)).run()
    first, last = fitted.progress.curve[0], fitted.progress.curve[-1]
    assert last["held_out"] == 1.0 and last["held_out_loss"] < first["held_out_loss"]
    assert [row["epoch"] for row in fitted.progress.curve] == list(range(1, 26))
    assert not fitted.recognizer.training


def test_a_loss_that_is_no_number_halves_the_learning_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = Fitting.descend
    calls = 0

    def once_broken(self: Fitting, batch: Batch, side: int) -> float:
        nonlocal calls
        calls += 1
        loss = taken(self, batch, side)
        if calls == 5:
            with torch.no_grad():
                next(self.recognizer.network.parameters()).fill_(math.nan)
            return math.nan
        return loss

    monkeypatch.setattr(Fitting, "descend", once_broken)
    monkeypatch.setattr(keeping.Keeper, "due", lambda _: fitting.progress.step == 3)
    fitting = fitting_of(tmp_path, plan_of(learning_rate=1e-3))
    fitted = fitting.run()
    assert fitted.progress.slowed == 1
    assert fitted.progress.notes == [
        "The loss was no number at step 5: training went back to step 3, with the learning rate halved to 0.0005."
    ]
    assert fitted.progress.curve[0]["learning_rate"] > 1.5 * fitted.progress.curve[1]["learning_rate"]
    assert all(bool(value.isfinite().all()) for value in weights_of(fitted).values())
    assert fitted.progress.step == fitted.progress.steps == 9


@pytest.mark.parametrize("often", [True, False], ids=["every step", "seldom"])
def test_weights_that_are_no_numbers_are_not_kept(often: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss of a step is known before the weights that it leads to are used."""
    taken = Fitting.descend
    calls = 0

    def broken_after(self: Fitting, batch: Batch, side: int) -> float:
        nonlocal calls
        calls += 1
        loss = taken(self, batch, side)
        if calls == 3:  # the last of the first epoch
            with torch.no_grad():
                next(self.recognizer.network.parameters()).fill_(math.inf)
        return loss

    monkeypatch.setattr(Fitting, "descend", broken_after)
    monkeypatch.setattr(keeping.Keeper, "due", lambda _: often)
    fitted = fitting_of(tmp_path, plan_of()).run()
    assert fitted.progress.slowed == 1
    assert all(bool(value.isfinite().all()) for value in weights_of(fitted).values())


def test_a_learning_rate_that_is_far_too_high_is_given_up_in_the_end(tmp_path: Path) -> None:
    plan = plan_of("squeezenet-1.1", width=0.25, learning_rate=100.0, optimizer="sgd", clip=0.0, warmup=0.0)
    with pytest.raises(TrainingFailed, match=r"the loss was .* at step [\d,]+, also with a learning rate of 12;"):
        fitting_of(tmp_path, plan).run()


def test_a_loss_that_rises_far_above_the_first_is_noticed_though_epochs_are_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def rising(self: Fitting, batch: Batch, side: int) -> float:
        nonlocal calls
        calls += 1
        return 1.0 if calls <= 21 else 1000.0

    monkeypatch.setattr(Fitting, "descend", rising)
    monkeypatch.setattr(keeping.Keeper, "due", lambda _: calls == 21)
    with pytest.raises(TrainingFailed, match="was over 5 times that of the first steps"):
        fitting_of(tmp_path, plan_of(epochs=20)).run()


def test_guessing_is_no_divergence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that know the images begin with next to no loss, and lose some of that at a high learning rate."""
    losses = iter([0.001] * 21 + [1.0] * 100)
    monkeypatch.setattr(Fitting, "descend", lambda *_: next(losses))
    assert fitting_of(tmp_path, plan_of(epochs=20)).run().progress.slowed == 0


def test_a_mixed_image_counts_by_the_weights_of_both(tmp_path: Path) -> None:
    """The loss of a batch in which all weigh nothing but one image is that of the images it is mixed into."""
    plan = plan_of(batch=8, mixup=1.0, clip=0.0, label_smoothing=0.0)
    weights = np.zeros(36)
    alone = fitting_of(tmp_path, plan, weights=weights)
    batch = batch_of(alone)
    assert alone.descend_within_memory(0, batch, plan.spec.size) == 0
    alone.lesson.weights[batch.rows[2]] = 8.0
    seen: list[torch.Tensor] = []
    taken = alone.loss

    def recorded(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        seen.append(taken(logits, truth).detach())
        return taken(logits, truth)

    alone.loss = recorded
    loss = alone.descend_within_memory(0, batch, plan.spec.size)
    mixed = [float(seen[0][2]), float(seen[0][3])]  # mixup takes the one before into each
    assert min(mixed) - 1e-4 <= loss <= max(mixed) + 1e-4 and loss > 0
    assert abs(loss - mixed[0]) > 1e-3 < abs(loss - mixed[1]), "neither image alone"


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 GB")],
    ids=["of a device", "of the CPU"],
)
def test_a_batch_that_does_not_fit_is_taken_in_parts(
    error: RuntimeError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = Fitting.descend

    def full(self: Fitting, batch: Batch, side: int) -> float:
        if self.progress.parts < 4:
            raise error
        return taken(self, batch, side)

    monkeypatch.setattr(Fitting, "descend", full)
    fitted = fitting_of(tmp_path, plan_of(epochs=1)).run()
    assert fitted.progress.parts == 4
    assert "Batches of 8 did not fit into memory: each was taken in 4 parts." in fitted.progress.notes
    monkeypatch.setattr(Fitting, "descend", lambda *_: (_ for _ in ()).throw(error))
    with pytest.raises(TrainingFailed, match="too little memory even for one image"):
        fitting_of(tmp_path / "other", plan_of(epochs=1)).run()


def test_another_error_is_none_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> float:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(Fitting, "descend", broken)
    with pytest.raises(RuntimeError, match="shapes differ"):
        fitting_of(tmp_path, plan_of()).run()


def test_parts_have_the_gradients_of_the_whole(tmp_path: Path) -> None:
    plan = plan_of(batch=9, mixup=0.5, learning_rate=1e-9, clip=0.0)
    gradients = []
    for parts in (1, 2, 4, 16):
        whole = fitting_of(tmp_path / f"{parts}", plan, weights=np.linspace(0.2, 2.0, 36))
        whole.progress.parts = parts
        loss = whole.descend_within_memory(0, batch_of(whole), plan.spec.size)
        found = [weight.grad for weight in whole.recognizer.network.parameters()]
        gradients.append([torch.tensor(loss), *(grad.clone() for grad in found if grad is not None)])
    for other in gradients[1:]:
        assert all(torch.allclose(one, two, rtol=1e-4, atol=1e-7) for one, two in zip(gradients[0], other, strict=True))


def test_one_image_at_a_time_is_too_few_for_batch_normalization(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="needs more than one image"):
        fitting_of(tmp_path, plan_of("mobilenet-v2", width=0.25, batch=1)).run()


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of()
    whole = fitting_of(tmp_path / "whole", plan).run()
    written = keeping.write_atomic

    def full(path: Path, *, overwrite: bool) -> Any:
        if fitted.progress.step > 4:
            raise OutputFailed(f"{path}: cannot be written: No space left on device")
        return written(path, overwrite=overwrite)

    monkeypatch.setattr(keeping, "write_atomic", full)
    fitted = fitting_of(tmp_path / "other", plan)
    with pytest.raises(OutputFailed, match="No space left"):
        fitted.run()
    monkeypatch.setattr(keeping, "write_atomic", written)
    assert same_weights(whole, fitting_of(tmp_path / "other", plan).run())


def test_patience_keeps_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([0.5, 0.7, 0.6, 0.65, 0.9])
    states = []

    def looked_at(self: Fitting) -> dict[str, float]:
        states.append({name: value.clone() for name, value in self.average.network.state_dict().items()})
        return {"held_out_loss": 1.0, "held_out": next(scores)}

    monkeypatch.setattr(Fitting, "looked_at", looked_at)
    fitted = fitting_of(tmp_path, plan_of(patience=2, epochs=5)).run()
    assert [row["held_out"] for row in fitted.progress.curve] == [0.5, 0.7, 0.6, 0.65]
    assert fitted.progress.best == (0.7, 2)
    assert all(torch.equal(value, states[1][name]) for name, value in weights_of(fitted).items())


def test_minutes_limit_the_steps(tmp_path: Path) -> None:
    plan = plan_of(epochs=100_000, minutes=1 / 60)
    fitted = fitting_of(tmp_path, plan).run()
    assert 1 <= fitted.progress.steps < 100_000 * 3
    assert fitted.progress.seconds < 3  # of the one that was asked for: a busy machine
    assert fitted.progress.curve[-1]["learning_rate"] < 0.05 * max(
        row["learning_rate"] for row in fitted.progress.curve
    )


def test_looking_how_long_steps_take_changes_nothing(tmp_path: Path) -> None:
    fresh, probed = (fitting_of(tmp_path / name, plan_of("resnet18", width=0.125)) for name in ("fresh", "probed"))
    probed.progress.steps = 2
    assert probed.steps_within(0.1) >= 1
    ours, theirs = (one.recognizer.network.state_dict() for one in (fresh, probed))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert probed.optimizer.state_dict()["state"] == {}


def test_frozen_stages_stay_as_they_are(tmp_path: Path) -> None:
    plan = plan_of("resnet18", width=0.125, frozen=3, epochs=1, ema=0.0)
    started = fitting_of(tmp_path / "started", plan)
    before = {name: value.clone() for name, value in started.recognizer.network.state_dict().items()}
    body = started.recognizer.network
    frozen = {name for name, _ in body.body.named_parameters() if body.stage_of(name) < 3}
    fitted = started.run()
    for name, value in weights_of(fitted).items():
        own = name.removeprefix("body.")
        still = own in frozen or own.rpartition(".")[0] in {kept.rpartition(".")[0] for kept in frozen}
        assert torch.equal(value, before[name]) == (still and name.startswith("body.")), name
    with pytest.raises(UsageError, match="frozen: the network has"):
        fitting_of(tmp_path / "many", replace(plan, recipe=replace(plan.recipe, frozen=64)))


def test_several_labels_and_weights_are_learned_from(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    targets = random.random((36, CLASSES)) < 0.5
    fitted = fitting_of(tmp_path, plan_of(), targets=targets).run()
    assert all(row["held_out"] == -row["held_out_loss"] < 0 for row in fitted.progress.curve)
    plain, weighted = (
        fitting_of(tmp_path / name, plan_of(epochs=1), weights=weights).run()
        for name, weights in (("plain", np.ones(36)), ("weighted", np.linspace(0.1, 3.0, 36)))
    )
    assert not same_weights(plain, weighted)


def test_capsules_are_trained_by_their_margin(tmp_path: Path) -> None:
    fitted = fitting_of(tmp_path, plan_of("capsnet", size=20, width=0.125, epochs=4)).run()
    losses = [row["loss"] for row in fitted.progress.curve]
    assert losses[-1] < losses[0] < 1.0


def test_the_plan_is_what_is_done(tmp_path: Path) -> None:
    plan: Plan = plan_of(epochs=2, warmup=0.0, learning_rate=0.002)
    fitted = fitting_of(tmp_path, plan).run()
    assert fitted.progress.steps == 2 * (27 // 8)
    assert fitted.progress.curve[0]["learning_rate"] == pytest.approx(0.002 * (0.01 + 0.99 * 0.75), rel=0.01)
    assert MOST_SLOWED == 3


def test_images_grow_to_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sides: list[int] = []
    trained = Fitting.descend

    def seen(self: Fitting, batch: Any, side: int) -> float:
        sides.append(side)
        return trained(self, batch, side)

    monkeypatch.setattr(Fitting, "descend", seen)
    plan = plan_of("resnet18", size=32, width=0.125, progressive=0.6, epochs=10)
    fitted = fitting_of(tmp_path, plan).run()
    assert sides == sorted(sides) and {16, 20, 24, 28, 32} == set(sides)
    assert sides.count(32) >= 0.4 * len(sides)
    assert fitted.progress.curve[-1]["held_out"] >= 0.6
