"""What every contestant of a race of training is told, and what it answers.

The argument is a JSON file: `architecture`, `width`, `size`, `channels`, `classes`, `batch`, `precision` (`fp32` or
`bf16`), `crop` (least share of the area), `folder` (with a folder for each class), `workers`, `skip` and `steps`,
`device` (`cpu` or `cuda`), and `parameters` and `multiply_adds` of one image, which the network must have so that all
train the same. Measured are the steps after the skipped ones; the answer is one line of JSON on standard output.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode


def lesson() -> dict[str, Any]:
    """What is to be trained."""
    told: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    return told


def counted(network: torch.nn.Module, told: dict[str, Any]) -> dict[str, int]:
    """Parameters of a network, and multiply-adds of its convolutions and matrix products for one image."""
    place, was_training = next(network.parameters()).device, network.training
    image = torch.zeros(1, told["channels"], told["size"], told["size"], device=place)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network.eval()(image)
    network.train(was_training)
    parameters = sum(weight.numel() for weight in network.parameters())
    return {"parameters": parameters, "multiply_adds": counter.get_total_flops() // 2}


class Clock:
    """Told after each step; answers and ends the process after the last one.

    Args:
        told: the lesson.
        replies: the file descriptor that the answer goes to.
    """

    def __init__(self, told: dict[str, Any]) -> None:
        self._told, self._started, self._done = told, 0.0, 0
        self._answer: dict[str, Any] = {}
        self._replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)  # libraries print what they like; it must not come before the answer

    def check(self, network: torch.nn.Module) -> None:
        """Refuse another network than all others train."""
        for what, found in counted(network, self._told).items():
            if found != self._told[what]:
                raise SystemExit(f"the network must have {self._told[what]:,} {what}, found {found:,}")

    def note(self, **facts: Any) -> None:
        """Answer this too."""
        self._answer |= facts

    def step(self, number: int | None = None) -> None:
        """A step is done; `number` of them by now, where somebody else counts."""
        self._done = self._done + 1 if number is None else number
        skip, steps = self._told["skip"], self._told["steps"]
        if self._done < skip or (self._done > skip and self._done < skip + steps):
            return
        if self._told["device"] == "cuda":
            torch.cuda.synchronize()
        if self._done == skip:
            self._started = time.perf_counter()
            return
        seconds, images = time.perf_counter() - self._started, (self._done - skip) * self._told["batch"]
        self.note(images_per_second=images / seconds, seconds=seconds, threads=torch.get_num_threads())
        print(json.dumps(self._answer), file=self._replies, flush=True)
        os._exit(0)  # without waiting for workers that make batches nobody wants
