"""How much memory a network takes in training, found out before it is trained."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from beholder.errors import TrainingFailed

_COPIES: Final = 5
"""Of the weights: themselves, their gradients, what the optimizer keeps twice, and their moving average."""

_USED: Final = 0.85
"""Share of the free memory that training may take."""

_PROBED: Final = 2
"""Images that the measure is taken on."""

_OWN_GROUPS: Final = Path("/proc/self/cgroup")
_GROUPS: Final = Path("/sys/fs/cgroup")


class _Files(NamedTuple):
    """What a version of Linux's control groups says of memory, and where."""

    folder: str
    limit: str
    used: str
    cached: tuple[str, str]


_FILES: Final = {
    "": _Files("", "memory.max", "memory.current", ("inactive_file", "active_file")),
    "memory": _Files(
        "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", ("total_inactive_file", "total_active_file")
    ),
}
"""By how a line of a process's groups begins: version 2, and version 1."""


def parts_that_fit(
    network: nn.Module, image_shape: tuple[int, int, int], batch: int, device: torch.device, processes: int = 1
) -> int:
    """Into how many parts a batch must be cut so that a step fits into memory; a power of two.

    Args:
        network: in training mode; nothing of it is changed.
        image_shape: channels, height and width of its input.
        batch: images in a step of this process.
        device: where it is trained.
        processes: that train together; on a CPU they share its memory.

    Raises:
        TrainingFailed: not even one image fits.
    """
    free = free_bytes(device)
    taken = bytes_for_image(network, image_shape)
    if free is None or taken is None:
        return 1
    if device.type == "cpu":
        free //= processes
    fixed = _COPIES * sum(parameter.nbytes for parameter in network.parameters())
    if fixed + taken > _USED * free:
        raise TrainingFailed(
            f"too little memory: the network and one image of {image_shape[1]} x {image_shape[2]} pixels take "
            f"{(fixed + taken) / 2**30:.1f} GiB in training, and {free / 2**30:.1f} are free; "
            "choose a smaller size or width, or another architecture"
        )
    most = int((_USED * free - fixed) // max(1, taken))
    return int(2 ** max(0, math.ceil(math.log2(batch / max(1, min(batch, most))))))


def bytes_for_image(network: nn.Module, image_shape: tuple[int, int, int]) -> int | None:
    """What one image takes between the forward and the backward pass; None where it cannot be found out."""
    try:
        there = copy.deepcopy(network).to("meta")
        kept: dict[int, int] = {id(parameter): 0 for parameter in there.parameters()}

        def count(tensor: Tensor) -> Tensor:
            if id(tensor) not in kept:
                held.append(tensor)  # so that no other is given its number
                kept[id(tensor)] = tensor.nbytes
            return tensor

        held: list[Tensor] = []
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            there(torch.empty((_PROBED, *image_shape), device="meta"))
    except (RuntimeError, NotImplementedError):  # an operator that has no meta kernel
        return None
    return sum(kept.values()) // _PROBED


def free_bytes(device: torch.device) -> int | None:
    """Memory that is free; None where nobody says."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return _physical_bytes()
    return max(0, min((free, *_left_by_limits())))


def _left_by_limits() -> Iterator[int]:
    """What is left by each limit on this process: that of its control group, and those of the groups around it.

    Pages of files count as free, as in `MemAvailable`: the kernel gives them up before it refuses memory, and mapped
    images leave gigabytes of them.
    """
    for line in _text(_OWN_GROUPS).splitlines():
        _, kind, path = line.split(":", 2)
        if kind not in _FILES:
            continue
        files, parts = _FILES[kind], path.strip("/").split("/")
        for depth in range(len(parts) + 1):  # in a container the path may be that outside of it
            group = _GROUPS.joinpath(files.folder, *parts[:depth])
            limit, used = (_text(group / name).strip() for name in (files.limit, files.used))
            if limit.isdigit() and used.isdigit():  # else there is none, or `max`
                yield int(limit) - int(used) + _cached(group, files.cached)


def _cached(group: Path, names: tuple[str, str]) -> int:
    """Bytes of files that a control group has in memory."""
    pairs = (line.split() for line in _text(group / "memory.stat").splitlines())
    return sum(int(value) for name, value in pairs if name in names)


def _physical_bytes() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _text(path: Path) -> str:
    """What a file of the kernel says; nothing where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
