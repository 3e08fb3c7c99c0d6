"""A network in evaluation mode on tensors that lie ready; see lesson.py. Arguments: LESSON.json WHOSE (own or timm)."""

from __future__ import annotations

import contextlib
import sys

import torch
from lesson import Clock, lesson
from torch import nn


def main() -> None:
    told, whose = lesson(), sys.argv[2]
    clock = Clock(told)
    device = torch.device(told["device"])
    network = _network(told, whose).to(device).to(memory_format=torch.channels_last).eval()
    clock.check(network)
    shape = (told["batch"], told["channels"], told["size"], told["size"])
    images = torch.randn(shape, device=device).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        while True:  # the clock ends the process
            mixed = torch.autocast(device.type, torch.bfloat16)
            with mixed if told["precision"] == "bf16" else contextlib.nullcontext():
                network(images)
            clock.step()


def _network(told: dict[str, object], whose: str) -> nn.Module:
    keys = ("architecture", "width", "size", "channels", "classes")
    if whose == "timm":
        import peer_network

        return peer_network.network(*(told[key] for key in keys))  # type: ignore[arg-type]
    from beholder.training.networks.architectures import Spec
    from beholder.training.networks.network import build

    name, width, size, channels, classes = (told[key] for key in keys)
    return build(str(name), Spec(classes, size, width, channels))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
