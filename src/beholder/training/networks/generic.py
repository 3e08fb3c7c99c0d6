"""Any network of timm by its name, as it is: no width, no adaptation to small inputs."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import nn

from beholder.errors import UsageError
from beholder.training.networks.architectures import Architecture, Spec, by
from beholder.training.networks.from_timm import from_timm
from beholder.training.networks.network import Network, Stages

_SMALLEST: Final = 16
_STAGES: Final = 6


def describe(name: str) -> Architecture | None:
    """The entry of a name of timm; None where timm does not know it."""
    import timm

    if not timm.is_model(name):
        return None
    facts: Any = timm.get_pretrained_cfg(name)
    size = 224 if facts is None else facts.input_size[-1]
    return Architecture(
        family=name.partition(".")[0],
        year=None,
        source="timm",
        size=size,
        smallest=_SMALLEST,
        weights="timm" if timm.is_model_pretrained(name) else None,
        widths=False,
        build=by("generic.of_timm", name),
    )


def known_names() -> list[str]:
    """The names of timm, without the tags of weights."""
    import timm

    return list(timm.list_models())


def of_timm(spec: Spec, pretrained: bool, name: str) -> Network:
    """Build it.

    Raises:
        UsageError: it cannot be made for this size, or is no network that makes one embedding of one image.
    """
    import timm

    facts: Any = timm.get_pretrained_cfg(name)
    options = {"img_size": spec.size} if facts is not None and facts.fixed_input_size else {}
    try:
        network = from_timm(name, spec, pretrained, stages=stages_by_depth, options=options)
        _try(network, spec)
    except (RuntimeError, AssertionError, TypeError, ValueError, AttributeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(f"{name}: timm cannot make it for {spec.size} pixels: {reason}; try another size") from error
    return network


def stages_by_depth(body: nn.Module) -> Stages:
    """Six stages, in the order in which the layers were made, of about as many tensors each."""
    sizes: dict[str, int] = {}
    for name, _ in body.named_parameters():
        first, _, rest = name.partition(".")
        is_list = rest and isinstance(body.get_submodule(first), nn.Sequential | nn.ModuleList)
        unit = f"{first}.{rest.partition('.')[0]}" if is_list else first
        sizes[unit] = sizes.get(unit, 0) + 1
    stages: list[list[str]] = [[] for _ in range(_STAGES)]
    total, done = sum(sizes.values()), 0
    direct = {name for name, _ in body.named_parameters(recurse=False)}
    for unit, size in sizes.items():
        stages[0 if unit in direct else min(_STAGES - 1, _STAGES * done // total)].append(unit)
        done += size
    return tuple(tuple(sorted(stage, key=lambda unit: unit not in direct)) for stage in stages if stage)


def _try(network: Network, spec: Spec) -> None:
    place = next(network.parameters()).device
    images = torch.zeros(1, spec.channels, spec.size, spec.size, device=place)
    with torch.no_grad():
        logits, embedding = network.eval()(images)
    if embedding.ndim != 2 or logits.shape != (1, spec.classes):
        raise UsageError("it makes no single embedding of an image")
