"""Training in torch with nothing around it: forward, backward and a step, on tensors that lie ready; see lesson.py.

It runs beside Beholder, on Beholder's own network, which is also counted here for the others: `--count`.
"""

from __future__ import annotations

import contextlib
import json
import sys

import torch
from lesson import Clock, counted, lesson
from torch.nn import functional

from beholder.training.networks.architectures import Spec
from beholder.training.networks.network import Network, build

READY = 4
"""Batches that lie ready."""


def main() -> None:
    told = lesson()
    spec = Spec(told["classes"], told["size"], told["width"], told["channels"])
    if "--count" in sys.argv:
        print(json.dumps(counted(build(told["architecture"], spec), told)))
        return
    clock = Clock(told)
    device = torch.device(told["device"])
    torch.manual_seed(0)
    network: Network = build(told["architecture"], spec).to(device).to(memory_format=torch.channels_last)
    clock.check(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.05, fused=True)
    shape = (told["batch"], told["channels"], told["size"], told["size"])
    images = [torch.randn(shape, device=device).to(memory_format=torch.channels_last) for _ in range(READY)]
    labels = [torch.randint(told["classes"], (told["batch"],), device=device) for _ in range(READY)]
    for number in range(told["skip"] + told["steps"]):
        optimizer.zero_grad(set_to_none=True)
        mixed = torch.autocast(device.type, torch.bfloat16) if told["precision"] == "bf16" else contextlib.nullcontext()
        with mixed:
            logits, _ = network(images[number % READY])
        functional.cross_entropy(logits.float(), labels[number % READY], label_smoothing=0.1).backward()
        optimizer.step()
        clock.step()


if __name__ == "__main__":
    main()
