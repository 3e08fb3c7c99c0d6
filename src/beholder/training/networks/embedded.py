"""The weights of EfficientNet-Lite0 that come with Beholder, put into the network of timm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import nn

from beholder.training.networks.network import Network
from beholder.training.networks.published import copy_tensor

_INVERTED = {"conv_pw": "_expand_conv", "bn1": "_bn0", "conv_dw": "_depthwise_conv", "bn2": "_bn1"}
_INVERTED |= {"conv_pwl": "_project_conv", "bn3": "_bn2"}
_SEPARABLE = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}


def load(network: Network) -> None:
    """Replace the weights of a random EfficientNet-Lite0.

    One input channel gets the sum of the filters for red, green and blue. The last layer stays random where it has
    not 1,000 outputs.

    Raises:
        MissingPackage: the package with the weights is not installed.
        DigestMismatch: the weights are not the published ones.
    """
    from beholder.zoo.builtin import efficientnet_lite0_tensors

    tensors = efficientnet_lite0_tensors()
    body = network.body
    with torch.no_grad():
        for ours, theirs in _pairs(body):
            _copy(body.get_submodule(ours), tensors, theirs)
        last = network.head.get_submodule("1")
        if last.get_parameter("weight").shape == tensors["_fc.weight"].shape:
            _copy(last, tensors, "_fc")


def _pairs(body: nn.Module) -> Iterator[tuple[str, str]]:
    """The names of the layers that have weights, in the network and in the file."""
    yield from (("conv_stem", "_conv_stem"), ("bn1", "_bn0"), ("conv_head", "_conv_head"), ("bn2", "_bn1"))
    index = 0
    for stage, group in body.get_submodule("blocks").named_children():
        for place, block in group.named_children():
            layers = _INVERTED if hasattr(block, "conv_pwl") else _SEPARABLE
            yield from (
                (f"blocks.{stage}.{place}.{ours}", f"_blocks.{index}.{theirs}") for ours, theirs in layers.items()
            )
            index += 1


def _copy(layer: nn.Module, tensors: Mapping[str, np.ndarray], name: str) -> None:
    for key, target in layer.state_dict().items():
        if key == "num_batches_tracked":
            continue
        copy_tensor(target, torch.from_numpy(np.array(tensors[f"{name}.{key}"])))
