"""What builders share: rounding widths, dropping strides, and putting body and head together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from torch import nn

from beholder.model.geometry import Resample
from beholder.training.networks.architectures import Spec
from beholder.training.networks.cleaning import LUMA
from beholder.training.networks.network import Network, Stages, Triple


class Shown(NamedTuple):
    """How images are shown to a network, as its weights were made with; see `Network`."""

    mean: Triple
    std: Triple
    interpolation: Resample = "bilinear"


IMAGENET: Final = Shown((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))

SMALL: Final = 64
"""Up to this many pixels a side images are small: networks made for 224 give up their first strides for them."""


def scaled(channels: Iterable[int], width: float, divisor: int = 8) -> tuple[int, ...]:
    """Numbers of channels times the width, rounded to a multiple of the divisor, which is also the least.

    A number that the divisor does not divide as published is rounded to a whole number only.
    """
    if width == 1:
        return tuple(channels)
    steps = ((count, divisor if count % divisor == 0 else 1) for count in channels)
    return tuple(max(step, round(count * width / step) * step) for count, step in steps)


def drop_strides(body: nn.Module, names: Iterable[str]) -> None:
    """Let convolutions and pools keep the size of their input: no stride, and the padding that goes with that."""
    for name in names:
        layer = body.get_submodule(name)
        if isinstance(layer, nn.Conv2d):
            layer.stride = (1, 1)
        else:
            body.set_submodule(name, nn.Identity())


def assemble(
    body: nn.Module,
    features: int,
    spec: Spec,
    *,
    stages: Stages,
    dropout: float = 0.0,
    last: nn.Linear | None = None,
    shown: Shown = IMAGENET,
) -> Network:
    """The network of a body that makes `features` numbers; the dropout is the paper's, which the spec may replace."""
    share = dropout if spec.dropout is None else spec.dropout
    last = last if last is not None else nn.Linear(features, spec.classes)
    if spec.channels == 1:
        shown = shown._replace(mean=_luma(shown.mean), std=_luma(shown.std))
    head = nn.Sequential(nn.Dropout(share), last)
    return Network(body, head, stages=stages, mean=shown.mean, std=shown.std, interpolation=shown.interpolation)


def _luma(values: Triple) -> Triple:
    """The same value for each channel, that of grey."""
    return (sum(share * value for share, value in zip(LUMA, values, strict=True)),) * 3
