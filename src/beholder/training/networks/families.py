"""One builder for each family of networks that timm or torchvision keeps: its widths, its stages, its small inputs.

Up to 64 pixels, networks made for 224 give up their first strides, so that the last map has about 2 to 8 pixels a
side. Each builder says which.
"""

from __future__ import annotations

from typing import Any, Final

from torch import Tensor, nn

from beholder.training.networks import embedded, published
from beholder.training.networks.architectures import Spec
from beholder.training.networks.assembling import SMALL, Shown, assemble, drop_strides, scaled
from beholder.training.networks.from_timm import from_timm
from beholder.training.networks.network import Network, Stages

_TINY: Final = 32
"""Up to this many pixels a side, a ResNet begins without a stride."""

_NASNET_CELLS: Final = 6
"""Normal cells of each group in timm's NASNet-A."""


def resnet(spec: Spec, pretrained: bool, name: str) -> Network:
    """Small inputs: the pool behind the first convolution goes. The width leaves the 64 channels of the stem.

    Up to 32 pixels, without published weights, the first convolution is 3x3 without a stride and as wide as what
    follows it, as in section 4.2 of the paper.
    """
    channels = scaled((64, 128, 256, 512), spec.width)
    options = {"channels": channels} if spec.width != 1 else {}
    stages = (("conv1", "bn1"), ("layer1",), ("layer2",), ("layer3",), ("layer4",))
    network = from_timm(f"{name}.tv_in1k", spec, pretrained, stages=stages, small=("maxpool",), options=options)
    if spec.size <= _TINY and not pretrained:
        _begin_small(network.body, spec.channels, channels[0])
    return network


def _begin_small(body: Any, before: int, channels: int) -> None:
    """Let a ResNet of timm begin with 3x3 pixels at a time."""
    block, after = body.layer1[0], body.layer1[1].conv1.in_channels
    body.conv1, body.bn1 = _convolution(before, channels, 3), nn.BatchNorm2d(channels)
    block.conv1 = _convolution(channels, block.conv1.out_channels, block.conv1.kernel_size[0])
    joined = nn.Sequential(_convolution(channels, after, 1), nn.BatchNorm2d(after))
    block.downsample = None if channels == after else joined


def _convolution(before: int, after: int, kernel: int) -> nn.Conv2d:
    """Without a stride, with weights as a ResNet starts."""
    made = nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(made.weight, mode="fan_out", nonlinearity="relu")
    return made


def efficient(
    spec: Spec, pretrained: bool, name: str, dropout: float, channels: float = 1.0, depth: float = 1.0
) -> Network:
    """MobileNets, MnasNets and EfficientNets. Small inputs: the first convolution has no stride.

    Args:
        spec: what it is for.
        pretrained: with weights from timm.
        name: as timm names it.
        dropout: before the last layer, as published.
        channels: the factor on its channels that is part of the name.
        depth: the factor on its number of layers that is part of the name.
    """
    factors = {"channel_multiplier": channels * spec.width, "depth_multiplier": depth}
    return from_timm(
        name, spec, pretrained, stages=blocks_by_stage, small=("conv_stem",), dropout=dropout, factors=factors
    )


def efficientnet_lite0(spec: Spec, pretrained: bool) -> Network:
    """EfficientNet-Lite0, whose weights come with Beholder. Small inputs: the first convolution has no stride."""
    network = efficient(spec, False, "tf_efficientnet_lite0", 0.2)
    network.mean, network.std, network.interpolation = (127.0,) * 3, (128.0,) * 3, "bicubic"
    if pretrained:
        embedded.load(network)
    return network


def blocks_by_stage(body: nn.Module) -> Stages:
    """The stages of timm's EfficientNet and MobileNetV3: the stem, then each group of blocks."""
    groups = [(f"blocks.{index}",) for index, _ in enumerate(body.get_submodule("blocks").children())]
    with_weights = {name.partition(".")[0] for name, _ in body.named_parameters()}
    ending = [name for name in ("conv_head", "norm_head", "bn2") if name in with_weights]
    last = (*ending, *groups[-1]) if hasattr(body, "norm_head") else (*groups[-1], *ending)  # after the mean, or before
    return (("conv_stem", "bn1"), *groups[:-1], last)


def vit(spec: Spec, pretrained: bool, name: str, features: int) -> Network:
    """Vision transformers. Small inputs: patches of 4 pixels instead of 16. The number of heads stays."""
    heads = features // 64
    options = {
        "img_size": spec.size,
        "patch_size": 4 if spec.size <= SMALL else 16,
        "embed_dim": scaled((features,), spec.width, divisor=8 * heads)[0],
    }
    blocks = [tuple(f"blocks.{index}" for index in range(begin, begin + 3)) for begin in range(0, 12, 3)]
    stages = (("cls_token", "pos_embed", "patch_embed"), *blocks[:-1], (*blocks[-1], "norm"))
    return from_timm(name, spec, pretrained, stages=stages, options=options)


def convnext(spec: Spec, pretrained: bool, name: str, widths: tuple[int, ...]) -> Network:
    """Small inputs: the stem has stride 2 instead of 4, and the last stage keeps the size of its map."""
    options = {"dims": scaled(widths, spec.width)}
    stages = (("stem",), ("stages.0",), ("stages.1",), ("stages.2",), ("head", "stages.3"))
    network = from_timm(name, spec, pretrained, stages=stages, small=("stages.3.downsample.1",), options=options)
    stem = network.body.get_submodule("stem.0")
    if spec.size <= SMALL and isinstance(stem, nn.Conv2d):
        stem.stride, stem.padding = (2, 2), (1, 1)
    return network


def inception_v3(spec: Spec, pretrained: bool) -> Network:
    """Inception-v3 without its auxiliary classifier. Small inputs: both pools go, and the stem keeps its margins."""
    groups = (
        ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3"),
        ("Conv2d_3b_1x1", "Conv2d_4a_3x3"),
        ("Mixed_5b", "Mixed_5c", "Mixed_5d"),
        ("Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"),
        ("Mixed_7a", "Mixed_7b", "Mixed_7c"),
    )
    name = "inception_v3.tv_in1k"
    network = from_timm(name, spec, pretrained, stages=groups, small=("Pool1", "Pool2"), dropout=0.2)
    if spec.size <= SMALL:
        for layer in ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_4a_3x3"):
            convolution: Any = network.body.get_submodule(f"{layer}.conv")
            convolution.padding = (1, 1)
    return network


def googlenet(spec: Spec, pretrained: bool) -> Network:
    """GoogLeNet as torchvision has it: batch normalization, no auxiliary classifiers. Small inputs: two pools go."""
    from torchvision.models import GoogLeNet

    body = GoogLeNet(num_classes=1, aux_logits=False, init_weights=True)
    body.dropout, body.fc = nn.Identity(), nn.Identity()
    if spec.channels == 1:
        body.conv1.conv = nn.Conv2d(1, 64, 7, 2, padding=3, bias=False)
        nn.init.trunc_normal_(body.conv1.conv.weight, std=0.01, a=-2, b=2)
    if spec.size <= SMALL:
        drop_strides(body, ("maxpool1", "maxpool2"))
    fourth = tuple(f"inception4{letter}" for letter in "abcde")
    stages = (
        *(("conv1",), ("conv2", "conv3"), ("inception3a", "inception3b")),
        *(fourth, ("inception5a", "inception5b")),
    )
    half = (127.5,) * 3
    network = assemble(body, 1024, spec, stages=stages, dropout=0.2, shown=Shown(half, half))
    if pretrained:
        published.fill(network, "googlenet", last="fc")
    return network


class Skipped(nn.Module):
    """In place of a cell of NASNet-A: gives on what came before. Two in a row take both cells out of the network."""

    def forward(self, features: Tensor, before: Tensor) -> Tensor:
        """The second of the two maps."""
        return before


def nasnet(spec: Spec, pretrained: bool, cells: int, features: int, stem: int) -> Network:
    """NASNet-A with 4 (mobile) or 6 (large) normal cells a group. Small inputs: the first convolution has no stride.

    Args:
        spec: what it is for.
        pretrained: with timm's weights, which are those of the large one.
        cells: normal cells in each of the three groups; even.
        features: of the last map; 24 times the channels of the first group.
        stem: channels of the first convolution.
    """
    options: dict[str, int] = {}
    if (features, spec.width) != (4032, 1):
        options["num_features"] = 24 * scaled((features // 24,), spec.width, divisor=4)[0]
        options["stem_size"] = scaled((stem,), spec.width)[0]
    groups = [range(begin, begin + cells) for begin in (0, _NASNET_CELLS, 2 * _NASNET_CELLS)]
    stages = (
        ("conv0", "cell_stem_0", "cell_stem_1"),
        tuple(f"cell_{index}" for index in groups[0]),
        ("reduction_cell_0", *(f"cell_{index}" for index in groups[1])),
        ("reduction_cell_1", *(f"cell_{index}" for index in groups[2])),
    )
    network = from_timm(
        "nasnetalarge", spec, pretrained, stages=stages, small=("conv0.conv",), dropout=0.5, options=options
    )
    for group in groups:
        for index in range(group.stop, group.start + _NASNET_CELLS):
            network.body.set_submodule(f"cell_{index}", Skipped())
    return network
