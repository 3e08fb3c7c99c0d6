"""One network trained by several processes of this machine: each with a GPU of its own, or a share of the cores."""

from __future__ import annotations

import copy
import os
import threading
from multiprocessing import get_context
from typing import Any

import torch
from lightning_fabric import Fabric

from beholder.errors import UsageError
from beholder.training.networks.answering import Recognizer
from beholder.training.networks.fitting import Fitting, accelerator, open_fabric
from beholder.training.networks.keeping import Keeper
from beholder.training.networks.lesson import Fitted, Lesson, Tell
from beholder.training.networks.plan import Plan


def fit(recognizer: Recognizer, plan: Plan, lesson: Lesson, keeper: Keeper, tell: Tell) -> Fitted:
    """Train a network in as many processes as its recipe says; raises as `Fitting.run`.

    Each process takes its part of every batch, and statistics of batch normalization from that part.
    """
    devices = plan.recipe.devices
    if devices == 1:
        return Fitting(recognizer, plan, lesson, keeper, tell).run()
    require_devices(devices, plan.batch)
    steps: Any = get_context("spawn").SimpleQueue()
    listener = threading.Thread(target=_listen, args=(steps, tell), daemon=True)
    listener.start()
    try:
        open_fabric(plan, devices).launch(_Part(recognizer, plan, lesson, keeper, steps))
    finally:
        steps.put(None)
        listener.join()
    return Fitting(recognizer, plan, lesson, keeper, tell).run()  # nothing is left to do but to take what they kept


def require_devices(devices: int, batch: int) -> None:
    """Refuse more processes than there are devices for them, or images in a batch.

    Raises:
        UsageError: there are not so many.
    """
    there = torch.cuda.device_count() if accelerator() == "cuda" else os.cpu_count() or 1
    if devices > min(there, batch):
        what = f"{there} GPUs" if accelerator() == "cuda" else f"{there} processor cores"
        raise UsageError(f"devices: there are {what}, and {batch} images in a batch; found {devices}")


class _Part:
    """What each process does; only the first one tells how far it is."""

    def __init__(self, recognizer: Recognizer, plan: Plan, lesson: Lesson, keeper: Keeper, steps: Any) -> None:
        self._given = (recognizer, plan, lesson, keeper)
        self._steps = steps
        self._threads = max(1, torch.get_num_threads() // plan.recipe.devices)

    def __call__(self, fabric: Fabric) -> None:
        torch.set_num_threads(self._threads)
        recognizer, plan, lesson, keeper = self._given
        own = copy.deepcopy(recognizer)  # what came from the other process is memory that all share

        def tell(done: int, total: int) -> None:
            if fabric.is_global_zero:
                self._steps.put((done, total))

        Fitting(own, plan, lesson, keeper, tell, fabric).run()


def _listen(steps: Any, tell: Tell) -> None:
    while (told := steps.get()) is not None:
        tell(*told)
