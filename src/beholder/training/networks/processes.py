"""One network trained by several processes of this machine: each with a GPU of its own, or a share of the cores."""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing import active_children, get_context
from multiprocessing.connection import Connection, wait
from typing import Any, Final, TypeAlias

import torch
from lightning_fabric import Fabric
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from beholder.errors import BeholderError, TrainingFailed
from beholder.training.networks.answering import Recognizer
from beholder.training.networks.devices import open_fabric
from beholder.training.networks.fitting import Fitting
from beholder.training.networks.keeping import Keeper
from beholder.training.networks.lesson import Fitted, Lesson, Tell
from beholder.training.networks.loading import naming_lost_workers
from beholder.training.networks.plan import Plan

_Connection: TypeAlias = "Connection[Any, Any]"

_OTHER_IS_GONE: Final = ("closed by peer", "reset by peer", "Connection refused")
"""How a process says that it has lost another one."""

# While this is imported, because a process that is started imports it before Fabric says there what it does.
for _name, _level in (("lightning_fabric", logging.WARNING), ("torch.multiprocessing.spawn", logging.ERROR)):
    logging.getLogger(_name).setLevel(_level)


def fit(recognizer: Recognizer, plan: Plan, lesson: Lesson, keeper: Keeper, tell: Tell) -> Fitted:
    """Train a network in as many processes as its recipe says; raises as `Fitting.run`.

    Each process takes its part of every batch, and statistics of batch normalization from that part.

    Raises:
        TrainingFailed: also where one of the processes was ended from outside.
    """
    if plan.recipe.devices > 1:
        _fit_together(recognizer, plan, lesson, keeper, tell)  # which leaves nothing to do but to take it
    with naming_lost_workers():
        return Fitting(recognizer, plan, lesson, keeper, tell).run()


class _Part:
    """What each process does; only the first one tells how far it is."""

    def __init__(
        self, recognizer: Recognizer, plan: Plan, lesson: Lesson, keeper: Keeper, ends: Sequence[_Connection]
    ) -> None:
        self._given = (recognizer, plan, lesson, keeper)
        self._ends = ends
        self._threads = max(1, torch.get_num_threads() // plan.recipe.devices)

    def __call__(self, fabric: Fabric) -> None:
        """Train; what is done, and what fails on purpose, goes into this process's end of a pipe."""
        torch.set_num_threads(self._threads)
        end = self._ends[fabric.global_rank]
        recognizer, plan, lesson, keeper = self._given
        own = copy.deepcopy(recognizer)  # what came from the other process is memory that all share

        def tell(done: int, total: int) -> None:
            if fabric.is_global_zero:
                end.send((done, total))

        try:
            with naming_lost_workers():
                Fitting(own, plan, lesson, keeper, tell, fabric).run()
        except BeholderError as error:  # by itself it would arrive as the text of a traceback
            end.send(error)
            raise


def _fit_together(recognizer: Recognizer, plan: Plan, lesson: Lesson, keeper: Keeper, tell: Tell) -> None:
    """Start the processes and wait for them; what they say comes by pipes: a queue's lock may end with a process."""
    devices, before = plan.recipe.devices, set(active_children())
    pipes = [get_context("spawn").Pipe(duplex=False) for _ in range(devices)]
    with ThreadPoolExecutor(1) as thread, ExitStack() as ours:
        told = thread.submit(_listen, [hearing for hearing, _ in pipes], tell)
        ends = [ours.enter_context(saying) for _, saying in pipes]  # only when all are closed the listening ends
        try:
            open_fabric(plan.precision, devices).launch(_Part(recognizer, plan, lesson, keeper, ends))
        except (ProcessExitedException, ProcessRaisedException) as error:
            ours.close()
            raise told.result() or _failure(error, devices) from error
        except BaseException:
            for process in set(active_children()) - before:
                process.terminate()
            raise
    told.result()


def _listen(ends: Sequence[_Connection], tell: Tell) -> BeholderError | None:
    """Pass on how far the first process is, until all have ended; the first error that one of them met on purpose."""
    still, first = list(ends), None
    try:
        while still:
            ready = wait(still)
            for end in [end for end in still if end in ready]:
                try:
                    said = end.recv()
                except (EOFError, OSError):
                    still.remove(end)
                    continue
                if isinstance(said, BeholderError):
                    first = first or said
                else:
                    tell(*said)
    finally:  # whoever still has something to say must not wait to be heard
        for end in ends:
            end.close()
    return first


def _failure(error: ProcessExitedException | ProcessRaisedException, devices: int) -> Exception:
    """What to say where no process said why it ended."""
    last = (str(error).strip().splitlines() or [""])[-1]
    if isinstance(error, ProcessExitedException):
        how = f"was ended by {error.signal_name}" if error.signal_name else f"ended with status {error.exit_code}"
    elif any(words in last for words in _OTHER_IS_GONE):
        how = "was ended"
    else:
        return RuntimeError(last)
    return TrainingFailed(
        f"one of the {devices} processes that train together {how}, as a system does that runs out of memory; "
        "choose fewer devices, or a smaller batch or size"
    )
