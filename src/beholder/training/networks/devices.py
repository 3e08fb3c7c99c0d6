"""What networks are trained on."""

from __future__ import annotations

import logging
from typing import Literal

import torch
from lightning_fabric import Fabric

from beholder.errors import UsageError
from beholder.model.runtime import available_cores


def open_fabric(precision: Literal["32-true", "bf16-mixed"], devices: int) -> Fabric:
    """What Lightning Fabric needs to train in one process, or in several at once.

    Of several, each has a device and a part of each batch, and their gradients are averaged.

    Args:
        precision: as Fabric names it.
        devices: how many processes.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it tells the precision, each time
    strategy = "auto" if devices == 1 else "ddp_spawn"
    return Fabric(accelerator=accelerator(), devices=devices, strategy=strategy, precision=precision)


def accelerator() -> Literal["cuda", "cpu"]:
    """What networks are trained on."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def require_devices(devices: int) -> None:
    """Refuse more processes than there are devices for them.

    Raises:
        UsageError: there are not so many.
    """
    on_gpus = accelerator() == "cuda"
    there = torch.cuda.device_count() if on_gpus else available_cores()
    if devices > there:
        what = "GPU" if on_gpus else "processor core"
        raise UsageError(
            f"devices: must be at most {there}, for there {'is' if there == 1 else 'are'} {there} "
            f"{what}{'' if there == 1 else 's'}; found {devices}"
        )
