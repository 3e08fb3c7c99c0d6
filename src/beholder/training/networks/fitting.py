"""The training loop: from a network and batches to a network that was fitted. It is to be read from top to bottom."""

from __future__ import annotations

import copy
import logging
import math
import time
from typing import Final, Literal, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional

from beholder.errors import TrainingFailed
from beholder.training.networks.answering import Recognizer, answers
from beholder.training.networks.keeping import Keeper
from beholder.training.networks.lesson import Fitted, Lesson, Progress, Tell
from beholder.training.networks.loading import Batch, seed_of
from beholder.training.networks.losses import loss_of, mixing, smoothed
from beholder.training.networks.memory import parts_that_fit
from beholder.training.networks.optimizing import Average, freeze, make_optimizer
from beholder.training.networks.plan import Plan, averaging
from beholder.training.networks.rates import rate_at, side_at

MOST_SLOWED: Final = 3
"""How often the learning rate is halved where the loss is no number, before training is given up."""

_DIVERGED: Final = 5.0
"""A loss so many times as large as that of the first steps, in the mean of as many, is as good as no number."""

_FIRST: Final = 20
_RESERVE: Final = 0.93
"""Share of the minutes that steps are to take: looking at what is held out takes the rest."""

_SAVED: Final = 5 / 12
"""Share of the pixels of images that grow from half of their side to all of it, beside those of whole ones."""

_PROBE_SECONDS: Final = 4.0


class _Diverged(Exception):
    """The loss is no number, or has grown beyond bounds; the text says which."""


_NO_NUMBER: Final = "was no number"


def open_fabric(plan: Plan, devices: int) -> Fabric:
    """What Lightning Fabric needs to train in one process, or in several at once.

    Of several, each has a device and a part of each batch, and their gradients are averaged.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it tells the precision, each time
    strategy = "auto" if devices == 1 else "ddp_spawn"
    return Fabric(accelerator=accelerator(), devices=devices, strategy=strategy, precision=plan.precision)


def accelerator() -> Literal["cuda", "cpu"]:
    """What networks are trained on."""
    return "cuda" if torch.cuda.is_available() else "cpu"


class Fitting:
    """One training of one network, in one process of those that train it.

    Args:
        recognizer: what is trained, with the weights it starts from.
        plan: how.
        lesson: on what.
        keeper: keeps what is needed to go on.
        tell: told how many steps are done.
        fabric: of the processes that train together, launched; None for this process alone.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        plan: Plan,
        lesson: Lesson,
        keeper: Keeper,
        tell: Tell,
        fabric: Fabric | None = None,
    ) -> None:
        self.fabric = fabric or open_fabric(plan, 1)
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
        rank, world = self.fabric.global_rank, self.fabric.world_size
        while progress.step < progress.steps:
            clock, waited = time.perf_counter() - progress.seconds, feed.waited - progress.waited
            try:
                for step, batch in feed.batches(progress.step, progress.steps, rank, world):
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
        side = side_at(step, self.progress.steps, self.plan.spec.size, self.plan.recipe.progressive)
        loss = self.descend_within_memory(step, batch, side)
        if not math.isfinite(loss):
            raise _Diverged(_NO_NUMBER)
        if self.has_diverged(loss):
            raise _Diverged(f"was over {_DIVERGED:g} times that of the first steps")
        self.average.update(averaging(self.plan.recipe, self.progress.steps))
        return loss

    def descend_within_memory(self, step: int, batch: Batch, side: int) -> float:
        """As `descend`, in as many parts as it takes; what is drawn at random follows from the step alone."""
        while True:
            torch.manual_seed(seed_of(self.plan.recipe.seed, 1, step, self.fabric.global_rank))
            try:
                return self.descend(batch, side)
            except (RuntimeError, ValueError, MemoryError) as error:
                self.cut_up(error, len(batch.rows))

    def descend(self, batch: Batch, side: int) -> float:
        """Gradients of all parts of a batch of images with this side, and the step that follows from them."""
        self.optimizer.zero_grad(set_to_none=True)
        device = self.fabric.device
        rows = batch.rows
        targets = smoothed(self.lesson.targets[rows], self.plan.recipe.label_smoothing, self.lesson.multi_label)
        pixels = batch.images.to(device).float()
        if side < pixels.shape[-1]:
            pixels = functional.interpolate(pixels, size=(side, side), mode="bilinear", antialias=True)
        images, targets = self.mix(self.recognizer.intake(pixels), targets.to(device))
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
        return float(cast(Tensor, self.fabric.all_reduce(total)))

    def cut_up(self, error: BaseException, images: int) -> None:
        """Halve the parts of a batch after an error that says there is no memory; raise any other."""
        text = str(error).casefold()
        if "more than 1 value per channel" in text:
            raise TrainingFailed(
                "batch normalization needs more than one image of this size at a time; choose a larger batch or size"
            ) from None
        if not isinstance(error, torch.OutOfMemoryError | MemoryError) and "allocate memory" not in text:
            raise error
        if self.fabric.world_size > 1:  # the others wait for gradients that would not come
            raise TrainingFailed("too little memory for the part of a batch of one device; choose a smaller batch")
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
        images = -(-self.plan.batch // self.fabric.world_size)
        self.progress.parts = parts_that_fit(self.recognizer.network, shape, images, self.fabric.device)
        self.progress.steps = self.plan.epochs * self.lesson.feed.steps_per_epoch
        if self.plan.recipe.minutes > 0:
            self.progress.steps = min(self.progress.steps, self.steps_within(self.plan.recipe.minutes * 60))
        self.progress = self.fabric.broadcast(self.progress)
        self.save()

    def steps_within(self, seconds: float) -> int:
        """How many steps there is time for, by a few that are taken and then forgotten."""
        kept = copy.deepcopy((self.recognizer.network.state_dict(), self.optimizer.state_dict()))
        started, taken = 0.0, 0
        rank, world = self.fabric.global_rank, self.fabric.world_size
        for step, batch in self.lesson.feed.batches(0, self.progress.steps, rank, world):
            self.descend_within_memory(step, batch, self.plan.spec.size)
            if step == 0:
                started = time.perf_counter()  # the first one is slower than the others
                continue
            taken += 1
            if self.fabric.broadcast(time.perf_counter() - started > min(_PROBE_SECONDS, seconds / 20)):
                break
        each = (time.perf_counter() - started) / max(1, taken)
        self.recognizer.network.load_state_dict(kept[0])
        self.optimizer.load_state_dict(kept[1])
        self.lesson.feed.waited = 0.0
        saved = self.plan.recipe.progressive * _SAVED
        return max(1, int(_RESERVE * seconds / (each * (1 - saved))))

    def end_epoch(self) -> None:
        """Look at the network on what is held out, and add a row to the curve; it is the last where patience ends."""
        if self.fabric.is_global_zero:
            self.add_row()
        steps = self.fabric.broadcast(self.progress.steps)
        self.progress.steps, self.progress.losses = steps, []

    def add_row(self) -> None:
        """As `end_epoch`, in the process that keeps everything."""
        progress = self.progress
        progress.failures |= self.lesson.feed.failures
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
        """Keep all that is needed to go on from here; every process has the same."""
        if not self.fabric.is_global_zero:
            return
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
        self.fabric.barrier()
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
        return Fitted(recognizer, self.progress)
