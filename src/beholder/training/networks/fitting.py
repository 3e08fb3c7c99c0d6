"""The training loop: from a network and batches to a network that was fitted. It is to be read from top to bottom."""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from beholder.errors import TrainingFailed
from beholder.training.networks.answering import Recognizer, answers
from beholder.training.networks.keeping import Keeper
from beholder.training.networks.loading import Batch, Feed, seed_of
from beholder.training.networks.losses import loss_of, mixing, smoothed
from beholder.training.networks.memory import parts_that_fit
from beholder.training.networks.optimizing import Average, freeze, make_optimizer
from beholder.training.networks.pixels import Pixels
from beholder.training.networks.plan import Plan, averaging
from beholder.training.networks.rates import rate_at

MOST_SLOWED: Final = 3
"""How often the learning rate is halved where the loss is no number, before training is given up."""

_DIVERGED: Final = 5.0
"""A loss so many times as large as that of the first steps, in the mean of as many, is as good as no number."""

_FIRST: Final = 20
_RESERVE: Final = 0.93
"""Share of the minutes that steps are to take: looking at what is held out takes the rest."""

_PROBE_SECONDS: Final = 4.0

Tell = Callable[[int, int], None]
"""Told how many steps are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a network is fitted on, and what it is looked at on.

    Attributes:
        feed: the batches.
        pixels: of all images.
        targets: float32 `(n, k)`, of every image.
        weights: float32 `(n,)`, how much each image counts.
        held_out: rows that it is looked at on after each epoch; there may be none.
        multi_label: whether several classes may hold of an image.
    """

    feed: Feed
    pixels: Pixels
    targets: Tensor
    weights: Tensor
    held_out: NDArray[Any]
    multi_label: bool


@dataclass(slots=True)
class Progress:
    """How far a training is: with the tensors, all that it needs to go on.

    Attributes:
        step: that comes next.
        steps: of the whole training; fewer than its epochs have where its minutes are limited, 0 while undecided.
        slowed: how often the learning rate was halved.
        parts: that each batch is cut into.
        seconds: that it took so far.
        waited: of these, that it waited for batches.
        curve: a row for each epoch.
        losses: of the steps of this epoch.
        recent: losses of the last steps, as many as `first_loss` is the mean of.
        first_loss: the mean of the first steps; 0 while there are fewer.
        best: of what is held out, and the epoch it was in.
        notes: what a person should know.
    """

    step: int = 0
    steps: int = 0
    slowed: int = 0
    parts: int = 1
    seconds: float = 0.0
    waited: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    recent: list[float] = field(default_factory=list)
    first_loss: float = 0.0
    best: tuple[float, int] = (-math.inf, -1)
    notes: list[str] = field(default_factory=list)


class Fitted(NamedTuple):
    """A network that was fitted.

    Attributes:
        recognizer: with the weights that are kept, in evaluation mode.
        progress: how it went.
        failures: why images could not be read, by row.
    """

    recognizer: Recognizer
    progress: Progress
    failures: Mapping[int, str]


class _Diverged(Exception):
    """The loss is no number, or has grown beyond bounds; the text says which."""


_NO_NUMBER: Final = "was no number"


class Fitting:
    """One training of one network.

    Args:
        recognizer: what is trained, with the weights it starts from.
        plan: how.
        lesson: on what.
        keeper: keeps what is needed to go on.
        tell: told how many steps are done.
    """

    def __init__(self, recognizer: Recognizer, plan: Plan, lesson: Lesson, keeper: Keeper, tell: Tell) -> None:
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it tells the precision, each time
        self.fabric = Fabric(accelerator="auto", devices=1, precision=plan.precision)
        self.plan, self.lesson, self.keeper, self.tell = plan, lesson, keeper, tell
        recognizer.to(self.fabric.device).to(memory_format=torch.channels_last)
        recognizer.network.train()
        freeze(recognizer.network, plan.recipe.frozen)
        self.recognizer = recognizer
        model: nn.Module = recognizer.network
        if plan.compiled:
            model = cast(nn.Module, torch.compile(model))
        self.model, self.optimizer = self.fabric.setup(model, make_optimizer(recognizer.network, plan))
        self.average = Average(recognizer.network)
        self.progress = Progress()
        self.loss = loss_of(plan.architecture.loss, lesson.multi_label)
        self.mix = mixing(plan.recipe.mixup, plan.recipe.cutmix)

    def run(self) -> Fitted:
        """Train until the last step, or until it does not get better; go on where an earlier call was stopped.

        Raises:
            TrainingFailed: there is too little memory, or the loss stays no number.
            OutputFailed: a checkpoint cannot be written.
        """
        if not self.restore():
            self.begin()
        feed, progress, per_epoch = self.lesson.feed, self.progress, self.lesson.feed.steps_per_epoch
        while progress.step < progress.steps:
            clock, waited = time.perf_counter() - progress.seconds, feed.waited - progress.waited
            try:
                for step, batch in feed.batches(progress.step, progress.steps):
                    progress.losses.append(self.take_step(step, batch))
                    progress.step = step + 1
                    progress.seconds, progress.waited = time.perf_counter() - clock, feed.waited - waited
                    self.tell(progress.step, progress.steps)
                    ends = progress.step % per_epoch == 0 or progress.step == progress.steps
                    if not ends and not self.keeper.due():
                        continue
                    self.require_numbers()
                    if ends:
                        self.end_epoch()
                    self.save()
                    if progress.step >= progress.steps:
                        break
            except _Diverged as error:
                self.step_back(error)
                progress = self.progress
        return self.finished()

    def take_step(self, step: int, batch: Batch) -> float:
        """One step of the optimizer; its loss, before the step. A batch that does not fit into memory is cut up."""
        rate = self.plan.learning_rate * rate_at(
            step, self.progress.steps, self.plan.recipe.schedule, self.plan.recipe.warmup
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"] / 2**self.progress.slowed
        loss = self.descend_within_memory(step, batch)
        if not math.isfinite(loss):
            raise _Diverged(_NO_NUMBER)
        if self.has_diverged(loss):
            raise _Diverged(f"was over {_DIVERGED:g} times that of the first steps")
        self.average.update(self.recognizer.network, averaging(self.plan.recipe, self.progress.steps))
        return loss

    def descend_within_memory(self, step: int, batch: Batch) -> float:
        """As `descend`, in as many parts as it takes; what is drawn at random follows from the step alone."""
        while True:
            torch.manual_seed(seed_of(self.plan.recipe.seed, 1, step))
            try:
                return self.descend(batch)
            except (RuntimeError, ValueError, MemoryError) as error:
                self.cut_up(error, len(batch.rows))

    def descend(self, batch: Batch) -> float:
        """Gradients of all parts of a batch, and the step that follows from them."""
        self.optimizer.zero_grad(set_to_none=True)
        device = self.fabric.device
        rows = batch.rows
        targets = smoothed(self.lesson.targets[rows], self.plan.recipe.label_smoothing, self.lesson.multi_label)
        images, targets = self.mix(self.recognizer.intake(batch.images.to(device).float()), targets.to(device))
        images = images.contiguous(memory_format=torch.channels_last)
        weights = self.lesson.weights[rows].to(device) / len(rows)
        total = torch.zeros((), device=device)
        parts = (values.chunk(self.progress.parts) for values in (images, targets, weights))
        for part, truth, weight in zip(*parts, strict=True):
            logits, _ = self.model(part)
            loss = (self.loss(logits.float(), truth) * weight).sum()
            self.fabric.backward(loss)
            total += loss.detach()
        if self.plan.recipe.clip > 0:
            self.fabric.clip_gradients(
                self.model, self.optimizer, max_norm=self.plan.recipe.clip, error_if_nonfinite=False
            )
        self.optimizer.step()
        return float(total)

    def cut_up(self, error: BaseException, images: int) -> None:
        """Halve the parts of a batch after an error that says there is no memory; raise any other."""
        text = str(error).casefold()
        if "more than 1 value per channel" in text:
            raise TrainingFailed(
                "batch normalization needs more than one image of this size at a time; choose a larger batch or size"
            ) from None
        if not isinstance(error, torch.OutOfMemoryError | MemoryError) and "allocate memory" not in text:
            raise error
        if self.progress.parts >= images:
            raise TrainingFailed(
                "too little memory even for one image at a time; choose a smaller size or width, "
                "or another architecture"
            ) from None
        self.progress.parts *= 2
        self.optimizer.zero_grad(set_to_none=True)
        if self.fabric.device.type == "cuda":
            torch.cuda.empty_cache()

    def has_diverged(self, loss: float) -> bool:
        """Whether losses have grown far beyond the first ones."""
        progress = self.progress
        progress.recent = [*progress.recent[-_FIRST + 1 :], loss]
        if len(progress.recent) < _FIRST:
            return False
        if not progress.first_loss:
            progress.first_loss = sum(progress.recent) / _FIRST
        return sum(progress.recent) / _FIRST > _DIVERGED * progress.first_loss

    def require_numbers(self) -> None:
        """Keep nothing that cannot be gone on from: the loss of a step is known before its weights are used."""
        if not all(bool(weight.isfinite().all()) for weight in self.recognizer.network.parameters()):
            raise _Diverged(_NO_NUMBER)

    def step_back(self, error: _Diverged) -> None:
        """Go back to the last checkpoint, with half the learning rate."""
        at, slowed, notes = self.progress.step, self.progress.slowed + 1, self.progress.notes
        if slowed > MOST_SLOWED:
            raise TrainingFailed(
                f"the loss {error} at step {at + 1:,}, also with a learning rate of "
                f"{self.plan.learning_rate / 2**MOST_SLOWED:.2g}; "
                "set a lower learning_rate, or clip to a shorter gradient"
            )
        self.restore()
        self.progress.slowed = slowed
        rate = self.plan.learning_rate / 2**slowed
        self.progress.notes = [
            *notes,
            f"The loss {error} at step {at + 1:,}: training went back to step {self.progress.step:,}, with the "
            f"learning rate halved to {rate:.2g}.",
        ]
        self.save()

    def begin(self) -> None:
        """Decide how a step fits into memory, and how many there are; and keep the start, to come back to."""
        shape = (self.plan.spec.channels, self.plan.spec.size, self.plan.spec.size)
        self.progress.parts = parts_that_fit(self.recognizer.network, shape, self.plan.batch, self.fabric.device)
        self.progress.steps = self.plan.epochs * self.lesson.feed.steps_per_epoch
        if self.plan.recipe.minutes > 0:
            self.progress.steps = min(self.progress.steps, self.steps_within(self.plan.recipe.minutes * 60))
        self.save()

    def steps_within(self, seconds: float) -> int:
        """How many steps there is time for, by a few that are taken and then forgotten."""
        kept = copy.deepcopy((self.recognizer.network.state_dict(), self.optimizer.state_dict()))
        started, taken = 0.0, 0
        for step, batch in self.lesson.feed.batches(0, self.progress.steps):
            self.descend_within_memory(step, batch)
            if step == 0:
                started = time.perf_counter()  # the first one is slower than the others
                continue
            taken += 1
            if time.perf_counter() - started > min(_PROBE_SECONDS, seconds / 20):
                break
        each = (time.perf_counter() - started) / max(1, taken)
        self.recognizer.network.load_state_dict(kept[0])
        self.optimizer.load_state_dict(kept[1])
        self.lesson.feed.waited = 0.0
        return max(1, int(_RESERVE * seconds / each))

    def end_epoch(self) -> None:
        """Look at the network on what is held out, and add a row to the curve; it is the last where patience ends."""
        progress = self.progress
        row = {
            "epoch": math.ceil(progress.step / self.lesson.feed.steps_per_epoch),
            "step": progress.step,
            "loss": float(np.mean(progress.losses)) if progress.losses else math.nan,
            "learning_rate": max(group["lr"] for group in self.optimizer.param_groups),
            "seconds": round(progress.seconds, 2),
        }
        if len(self.lesson.held_out):
            row |= self.looked_at()
            if (score := row["held_out"]) > progress.best[0]:
                progress.best = (score, int(row["epoch"]))
                if self.plan.recipe.patience:
                    self.keeper.save("best", {"network": self.average.network.state_dict()})
        progress.curve.append(row)
        progress.losses = []
        if self.is_over():
            progress.steps = progress.step

    def looked_at(self) -> dict[str, float]:
        """The loss of the average on what is held out, and its top-1; of several labels, the loss from 0 down."""
        rows = self.lesson.held_out
        said = answers(Recognizer(self.recognizer.intake, self.average.network), self.lesson.pixels, rows)
        there = ~np.isnan(said.logits[:, 0])
        logits, targets = torch.from_numpy(said.logits[there]), self.lesson.targets[rows[there]]
        loss = float(self.loss(logits, targets).mean())
        if self.lesson.multi_label:
            return {"held_out_loss": loss, "held_out": -loss}
        right = (logits.argmax(dim=1) == targets.argmax(dim=1)).float().mean()
        return {"held_out_loss": loss, "held_out": float(right)}

    def is_over(self) -> bool:
        """Whether the patience is at its end."""
        patience, epoch = self.plan.recipe.patience, int(self.progress.curve[-1]["epoch"])
        return bool(patience and len(self.lesson.held_out) and epoch - self.progress.best[1] >= patience)

    def save(self) -> None:
        """Keep all that is needed to go on from here."""
        self.keeper.save(
            "checkpoint",
            {
                "network": self.recognizer.network.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "progress": {name: getattr(self.progress, name) for name in Progress.__slots__},
            },
        )

    def restore(self) -> bool:
        """Go back to what was kept; whether there was anything."""
        state = self.keeper.load("checkpoint")
        if state is None:
            return False
        self.recognizer.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.progress = Progress(**{**state["progress"], "best": tuple(state["progress"]["best"])})
        return True

    def finished(self) -> Fitted:
        """The average of the weights, or what it was in the best epoch where there was patience for one."""
        network = self.average.network
        if self.plan.recipe.patience and (best := self.keeper.load("best")) is not None:
            network.load_state_dict(best["network"])
        recognizer = Recognizer(self.recognizer.intake, network).to("cpu").eval()
        if self.progress.parts > 1:
            self.progress.notes.append(
                f"Batches of {self.plan.batch} did not fit into memory: each was taken in {self.progress.parts} parts."
            )
        return Fitted(recognizer, self.progress, self.lesson.feed.failures)
