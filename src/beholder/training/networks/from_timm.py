"""Networks of timm in the shape of `Network`."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

from torch import nn

from beholder.errors import MissingPackage
from beholder.training.networks.architectures import Spec
from beholder.training.networks.assembling import SMALL, Shown, assemble, drop_strides
from beholder.training.networks.network import Network, Stages, Triple
from beholder.training.networks.published import from_timm_hub

_GENERATORS: Final = {
    "mobilenetv1": "efficientnet._gen_mobilenet_v1",
    "mobilenetv2": "efficientnet._gen_mobilenet_v2",
    "mobilenetv3": "mobilenetv3._gen_mobilenet_v3",
    "mobilenetv4": "mobilenetv3._gen_mobilenet_v4",
    "mnasnet": "efficientnet._gen_mnasnet_b1",
    "tf_efficientnet_lite": "efficientnet._gen_efficientnet_lite",
    "efficientnet": "efficientnet._gen_efficientnet",
}
"""timm's functions that take a factor on the channels; its public ones fix it."""


def from_timm(
    name: str,
    spec: Spec,
    pretrained: bool,
    *,
    stages: Stages | Callable[[nn.Module], Stages],
    small: Iterable[str] = (),
    dropout: float = 0.0,
    options: Mapping[str, Any] | None = None,
    factors: Mapping[str, float] | None = None,
) -> Network:
    """Build a network of timm.

    Args:
        name: as timm names it, with the tag of the weights where there are several.
        spec: what it is for.
        pretrained: with timm's weights.
        stages: of its body, or what finds them.
        small: convolutions and pools that lose their stride up to `SMALL` pixels.
        dropout: before the last layer, as published.
        options: arguments of its constructor.
        factors: on its channels and on its depth, for the families that are made by one function.
    """
    arguments: dict[str, Any] = {"num_classes": spec.classes, "in_chans": spec.channels, **(options or {})}
    if factors is not None and spec.width != 1:
        body = _scaled(name, factors, arguments)
    else:
        body = _created(name, pretrained, arguments)
    last = body.get_classifier()
    body.reset_classifier(0)
    if spec.size <= SMALL:
        drop_strides(body, small)
    facts = body.pretrained_cfg
    loaded = pretrained and facts["num_classes"] == spec.classes
    return assemble(
        body,
        last.in_features if isinstance(last, nn.Linear) else body.num_features,
        spec,
        stages=stages if isinstance(stages, tuple) else stages(body),
        dropout=dropout,
        last=last if loaded and isinstance(last, nn.Linear) else None,  # else timm's start is too loud for few classes
        shown=Shown(_in_bytes(facts["mean"]), _in_bytes(facts["std"]), facts["interpolation"]),
    )


def _created(name: str, pretrained: bool, arguments: Mapping[str, Any]) -> Any:
    import timm

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Mapping deprecated model name")
        if not pretrained:
            return timm.create_model(name, **arguments)
        return from_timm_hub(lambda: timm.create_model(name, pretrained=True, **arguments))


def _scaled(name: str, factors: Mapping[str, float], arguments: Mapping[str, Any]) -> Any:
    """A network with another number of channels: rounded to eights by timm, as the papers do."""
    place = next(place for start, place in _GENERATORS.items() if name.startswith(start))
    module, _, function = place.partition(".")
    generator = getattr(importlib.import_module(f"timm.models.{module}"), function, None)
    if generator is None:
        raise MissingPackage(f"this version of timm cannot make {name} of another width; leave the width out")
    made_like_tensorflow = {"bn_eps": 1e-3, "pad_type": "same"} if name.startswith("tf_") else {}
    given = {key: value for key, value in factors.items() if value != 1}
    return generator(name, **given, **made_like_tensorflow, **arguments)


def _in_bytes(shares: Iterable[float]) -> Triple:
    return cast(Triple, tuple(255 * share for share in shares))
