"""The training loop: from a network and batches to a network that was fitted. It is to be read from top to bottom."""

from __future__ import annotations

import copy
import math
import time
from typing import Final, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional

from beholder.errors import TrainingFailed
from beholder.training.networks.answering import Recognizer
from beholder.training.networks.devices import open_fabric
from beholder.training.networks.guarding import MOST_SLOWED, Diverged, more_parts, require_number, watch
from beholder.training.networks.keeping import Keeper
from beholder.training.networks.lesson import Fitted, Lesson, Progress, Tell
from beholder.training.networks.loading import Batch, seed_of
from beholder.training.networks.looking import look
from beholder.training.networks.losses import loss_of, mixing, smoothed
from beholder.training.networks.memory import parts_that_fit
from beholder.training.networks.optimizing import Average, freeze, make_optimizer
from beholder.training.networks.plan import Plan, averaging
from beholder.training.networks.rates import rate_at, side_at

_CHECKPOINT: Final = "checkpoint"
_RESERVE: Final = 0.93
"""Share of the minutes that steps are to take: looking at what is held out takes the rest."""

_SAVED: Final = 5 / 12
"""Share of the pixels of images that grow from half of their side to all of it, beside those of whole ones."""

_PROBE_SECONDS: Final = 4.0

_TOGETHER: Final = 32
"""Of so many steps, processes that train together agree once whether a checkpoint is due."""


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
        self.fabric = fabric or open_fabric(plan.precision, 1)
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
                    due = self.is_due(progress.step)
                    if ends or due:
                        self.require_numbers()
                    if ends:
                        self.end_epoch()
                    if due or progress.step >= progress.steps:
                        self.save()
                    if progress.step >= progress.steps:
                        break
            except Diverged as error:
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
        watch(self.progress, loss, self.lesson.targets.shape[1])
        self.average.update(averaging(self.plan.recipe, self.progress.steps))
        return loss

    def descend_within_memory(self, step: int, batch: Batch, side: int) -> float:
        """As `descend`, in as many parts as it takes; what is drawn at random follows from the step alone."""
        while True:
            torch.manual_seed(seed_of(self.plan.recipe.seed, 1, step, self.fabric.global_rank))
            try:
                return self.descend(batch, side)
            except (RuntimeError, ValueError, MemoryError) as error:
                world = self.fabric.world_size
                self.progress.parts = more_parts(error, self.progress.parts, len(batch.rows), world)
                self.optimizer.zero_grad(set_to_none=True)
                if self.fabric.device.type == "cuda":
                    torch.cuda.empty_cache()

    def descend(self, batch: Batch, side: int) -> float:
        """Gradients of all parts of a batch of images with this side, and the step that follows from them."""
        self.optimizer.zero_grad(set_to_none=True)
        device = self.fabric.device
        rows = batch.rows
        truth = smoothed(self.lesson.targets[rows], self.plan.recipe.label_smoothing, self.lesson.multi_label)
        known = torch.cat(
            (truth, self.lesson.weights[rows, None] / len(rows)), dim=1
        )  # a mixed image has a mixed weight
        pixels = batch.images.to(device).float()
        if side < pixels.shape[-1]:
            pixels = functional.interpolate(pixels, size=(side, side), mode="bilinear", antialias=True)
        images, known = self.mix(self.recognizer.intake(pixels), known.to(device))
        images = images.contiguous(memory_format=torch.channels_last)
        total = torch.zeros((), device=device)
        parts = (values.chunk(self.progress.parts) for values in (images, known))
        for part, told in zip(*parts, strict=True):
            logits, _ = self.model(part)
            loss = (self.loss(logits.float(), told[:, :-1]) * told[:, -1]).sum()
            self.fabric.backward(loss)
            total += loss.detach()
        if self.plan.recipe.clip > 0:
            self.fabric.clip_gradients(
                self.model, self.optimizer, max_norm=self.plan.recipe.clip, error_if_nonfinite=False
            )
        self.optimizer.step()
        return float(cast(Tensor, self.fabric.all_reduce(total)))

    def is_due(self, step: int) -> bool:
        """Whether a checkpoint is worth its time now; processes that train together are of one mind."""
        if self.fabric.world_size == 1:
            return self.keeper.due()
        return step % _TOGETHER == 0 and self.fabric.broadcast(self.keeper.due())

    def require_numbers(self) -> None:
        """Keep nothing that cannot be gone on from: the loss of a step is known before its weights are used."""
        if not all(bool(weight.isfinite().all()) for weight in self.recognizer.network.parameters()):
            require_number(math.nan)

    def step_back(self, error: Diverged) -> None:
        """Go back to the last checkpoint, with half the learning rate."""
        at, slowed, notes = self.progress.step, self.progress.slowed + 1, self.progress.notes
        if slowed > MOST_SLOWED:
            raise TrainingFailed(
                f"the loss {error} at step {at + 1:,}, also with a learning rate of "
                f"{self.plan.learning_rate / 2**MOST_SLOWED:.2g}; "
                "set a lower learning_rate, or clip to a shorter gradient"
            )
        if not self.restore():
            raise TrainingFailed(f"the loss {error} at step {at + 1:,}, and what was kept to go back to has gone")
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
        self.progress.parts = parts_that_fit(
            self.recognizer.network, shape, images, self.fabric.device, self.fabric.world_size
        )
        self.progress.steps = self.plan.epochs * self.lesson.feed.steps_per_epoch
        if self.plan.recipe.minutes > 0:
            self.progress.steps = min(self.progress.steps, self.steps_within(self.plan.recipe.minutes * 60))
        if self.keeper.has(_CHECKPOINT):
            self.progress.notes.append("What was kept of an earlier call was damaged: training began anew.")
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
        """How the average does on what is held out, as `look` tells it."""
        together = max(1, self.plan.batch // self.progress.parts)
        return look(self.recognizer.with_network(self.average.network), self.lesson, self.loss, together)

    def is_over(self) -> bool:
        """Whether the patience is at its end."""
        patience, epoch = self.plan.recipe.patience, int(self.progress.curve[-1]["epoch"])
        return bool(patience and len(self.lesson.held_out) and epoch - self.progress.best[1] >= patience)

    def save(self) -> None:
        """Keep all that is needed to go on from here; every process has the same."""
        if not self.fabric.is_global_zero:
            return
        self.progress.failures |= self.lesson.feed.failures
        self.keeper.save(
            _CHECKPOINT,
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
        state = self.keeper.load(_CHECKPOINT)
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
        recognizer = self.recognizer.with_network(network).to("cpu").eval()
        if self.progress.parts > 1:
            self.progress.notes.append(
                f"Batches of {self.plan.batch} did not fit into memory: each was taken in {self.progress.parts} parts."
            )
        return Fitted(recognizer, self.progress)
