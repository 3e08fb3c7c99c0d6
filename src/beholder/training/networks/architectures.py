"""The dictionary of networks: every architecture that Beholder trains, by name. Nothing here loads torch."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, cast

from beholder.errors import MissingPackage, UsageError

if TYPE_CHECKING:
    from beholder.training.networks.network import Network

_ROOM: Final = "beholder.training.networks"
_TIMM: Final = "timm/"


@dataclass(frozen=True, slots=True)
class Spec:
    """What a network is made for.

    Attributes:
        classes: outputs, K.
        size: side of the square input, pixels.
        width: factor on the number of channels of every layer, 1 for the network as published.
        channels: 3 for RGB, 1 for grey.
        dropout: the share dropped before the last layer; None for what the paper says.
    """

    classes: int
    size: int
    width: float = 1.0
    channels: int = 3
    dropout: float | None = None


class Builder(Protocol):
    """Makes the network of a specification, with random or with pretrained weights."""

    def __call__(self, spec: Spec, pretrained: bool = False) -> Network:
        """Make it; see `network.build`, which also checks the specification."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """One entry of the dictionary.

    Attributes:
        family: what it is one of, such as ResNet.
        year: of the paper; None for one of timm's that is not in the dictionary.
        source: authors, title, where published.
        size: side of the input it was made for, pixels.
        smallest: the least side it can be built for, pixels.
        weights: who has pretrained weights; `embedded` come with Beholder.
        widths: whether `Spec.width` applies.
        build: makes it.
        loss: what it is trained by; `margin` for capsule networks, whose logits are the lengths of capsules.
    """

    family: str
    year: int | None
    source: str
    size: int
    smallest: int
    weights: Literal["embedded", "torchvision", "timm"] | None
    widths: bool
    build: Builder
    loss: Literal["cross_entropy", "margin"] = "cross_entropy"


@dataclass(frozen=True, slots=True)
class _Made:
    """A builder that is loaded, with its libraries, when it is called."""

    module: str
    function: str
    arguments: tuple[Any, ...]

    def __call__(self, spec: Spec, pretrained: bool = False) -> Network:
        need_torch()
        function = getattr(importlib.import_module(f"{_ROOM}.{self.module}"), self.function)
        return cast("Network", function(spec, pretrained, *self.arguments))


def by(place: str, *arguments: Any) -> Builder:
    """A builder by its place below this package, `module.function`, and what it is told besides the specification."""
    module, _, function = place.rpartition(".")
    return _Made(module, function, arguments)


def need_torch() -> None:
    """Raise `MissingPackage` unless what networks need is installed."""
    if any(find_spec(package) is None for package in ("torch", "torchvision", "timm")):
        raise MissingPackage("networks need torch; install it with: pip install 'beholder[train]'")


_BACKPROPAGATION: Final = "Rumelhart, Hinton, Williams: Learning representations by back-propagating errors, Nature 323"
_LENET: Final = "LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition, Proc. IEEE 86"
_ALEXNET: Final = (
    "Krizhevsky, Sutskever, Hinton: ImageNet classification with deep convolutional neural networks, NIPS 2012; "
    "in one column as in Krizhevsky: One weird trick, arXiv 1404.5997"
)
_VGG: Final = "Simonyan, Zisserman: Very deep convolutional networks for large-scale image recognition, arXiv 1409.1556"
_GOOGLENET: Final = "Szegedy, Liu, Jia and others: Going deeper with convolutions, arXiv 1409.4842"
_INCEPTION: Final = (
    "Szegedy, Vanhoucke, Ioffe, Shlens, Wojna: Rethinking the Inception architecture for computer vision, "
    "arXiv 1512.00567"
)
_RESNET: Final = "He, Zhang, Ren, Sun: Deep residual learning for image recognition, arXiv 1512.03385"
_SQUEEZENET: Final = (
    "Iandola, Han, Moskewicz and others: SqueezeNet: AlexNet-level accuracy with 50x fewer parameters, arXiv 1602.07360"
)
_MOBILENET1: Final = (
    "Howard, Zhu, Chen and others: MobileNets: Efficient convolutional neural networks for mobile vision, "
    "arXiv 1704.04861"
)
_MOBILENET2: Final = (
    "Sandler, Howard, Zhu, Zhmoginov, Chen: MobileNetV2: Inverted residuals and linear bottlenecks, arXiv 1801.04381"
)
_MOBILENET3: Final = "Howard, Sandler, Chu and others: Searching for MobileNetV3, arXiv 1905.02244"
_MOBILENET4: Final = "Qin, Leichner, Delakis and others: MobileNetV4: Universal models for mobile, arXiv 2404.10518"
_CAPSNET: Final = "Sabour, Frosst, Hinton: Dynamic routing between capsules, NeurIPS 2017, arXiv 1710.09829"
_NASNET: Final = (
    "Zoph, Vasudevan, Shlens, Le: Learning transferable architectures for scalable image recognition, arXiv 1707.07012"
)
_MNASNET: Final = "Tan, Chen, Pang and others: MnasNet: Platform-aware neural architecture search, arXiv 1807.11626"
_EFFICIENTNET: Final = "Tan, Le: EfficientNet: Rethinking model scaling, arXiv 1905.11946"
_LITE: Final = (
    "Liu: Higher accuracy on vision models with EfficientNet-Lite, TensorFlow blog 2020; after arXiv 1905.11946"
)
_VIT: Final = "Dosovitskiy, Beyer, Kolesnikov and others: An image is worth 16x16 words, arXiv 2010.11929"
_DEIT: Final = f"{_VIT}; sizes of Touvron and others, arXiv 2012.12877"
_CONVNEXT: Final = "Liu, Mao, Wu, Feichtenhofer, Darrell, Xie: A ConvNet for the 2020s, arXiv 2201.03545"


def _vgg(name: str, with_norm: bool) -> Architecture:
    return Architecture("VGG", 2014, _VGG, 224, 16, "torchvision", True, by("own.plain.vgg", name, with_norm))


def _resnet(name: str) -> Architecture:
    return Architecture("ResNet", 2015, _RESNET, 224, 16, "timm", True, by("families.resnet", name))


def _efficient(family: str, year: int, source: str, size: int, name: str, *facts: float) -> Architecture:
    return Architecture(family, year, source, size, 16, "timm", True, by("families.efficient", name, *facts))


def _vit(name: str, source: str, features: int) -> Architecture:
    builder = by("families.vit", f"vit_{name}_patch16_224", features)
    return Architecture("ViT", 2020, source, 224, 16, "timm", True, builder)


def _convnext(name: str, *widths: int) -> Architecture:
    builder = by("families.convnext", f"convnext_{name}", widths)
    return Architecture("ConvNeXt", 2022, _CONVNEXT, 224, 16, "timm", True, builder)


ARCHITECTURES: Final[Mapping[str, Architecture]] = MappingProxyType(
    {
        "mlp": Architecture("MLP", 1986, _BACKPROPAGATION, 28, 4, None, True, by("own.early.mlp")),
        "lenet5": Architecture("LeNet", 1998, _LENET, 32, 16, None, True, by("own.early.lenet5")),
        "alexnet": Architecture("AlexNet", 2012, _ALEXNET, 224, 16, "torchvision", True, by("own.plain.alexnet")),
        "vgg11": _vgg("vgg11", False),
        "vgg11-bn": _vgg("vgg11", True),
        "vgg13": _vgg("vgg13", False),
        "vgg13-bn": _vgg("vgg13", True),
        "vgg16": _vgg("vgg16", False),
        "vgg16-bn": _vgg("vgg16", True),
        "vgg19": _vgg("vgg19", False),
        "vgg19-bn": _vgg("vgg19", True),
        "googlenet": Architecture(
            "Inception", 2014, _GOOGLENET, 224, 16, "torchvision", False, by("families.googlenet")
        ),
        "inception-v3": Architecture(
            "Inception", 2015, _INCEPTION, 299, 16, "timm", False, by("families.inception_v3")
        ),
        "resnet18": _resnet("resnet18"),
        "resnet34": _resnet("resnet34"),
        "resnet50": _resnet("resnet50"),
        "resnet101": _resnet("resnet101"),
        "resnet152": _resnet("resnet152"),
        "squeezenet-1.0": Architecture(
            "SqueezeNet", 2016, _SQUEEZENET, 224, 16, "torchvision", True, by("own.squeezenet.squeezenet", "1_0")
        ),
        "squeezenet-1.1": Architecture(
            "SqueezeNet", 2016, _SQUEEZENET, 224, 16, "torchvision", True, by("own.squeezenet.squeezenet", "1_1")
        ),
        "mobilenet-v1": _efficient("MobileNet", 2017, _MOBILENET1, 224, "mobilenetv1_100", 0.0),
        "mobilenet-v2": _efficient("MobileNet", 2018, _MOBILENET2, 224, "mobilenetv2_100", 0.2),
        "mobilenet-v3-small": _efficient("MobileNet", 2019, _MOBILENET3, 224, "mobilenetv3_small_100", 0.2),
        "mobilenet-v3-large": _efficient("MobileNet", 2019, _MOBILENET3, 224, "mobilenetv3_large_100", 0.2),
        "mobilenet-v4-small": _efficient("MobileNet", 2024, _MOBILENET4, 224, "mobilenetv4_conv_small", 0.2),
        "mobilenet-v4-medium": _efficient("MobileNet", 2024, _MOBILENET4, 256, "mobilenetv4_conv_medium", 0.2),
        "capsnet": Architecture(
            "CapsNet", 2017, _CAPSNET, 28, 20, None, True, by("own.capsnet.capsnet"), loss="margin"
        ),
        "nasnet-mobile": Architecture("NASNet", 2017, _NASNET, 224, 16, None, True, by("families.nasnet", 4, 1056, 32)),
        "nasnet-large": Architecture(
            "NASNet", 2017, _NASNET, 331, 16, "timm", True, by("families.nasnet", 6, 4032, 96)
        ),
        "mnasnet": _efficient("MnasNet", 2018, _MNASNET, 224, "mnasnet_100", 0.2),
        "efficientnet-b0": _efficient("EfficientNet", 2019, _EFFICIENTNET, 224, "efficientnet_b0", 0.2),
        "efficientnet-b1": _efficient("EfficientNet", 2019, _EFFICIENTNET, 240, "efficientnet_b1", 0.2, 1.0, 1.1),
        "efficientnet-b2": _efficient("EfficientNet", 2019, _EFFICIENTNET, 260, "efficientnet_b2", 0.3, 1.1, 1.2),
        "efficientnet-b3": _efficient("EfficientNet", 2019, _EFFICIENTNET, 300, "efficientnet_b3", 0.3, 1.2, 1.4),
        "efficientnet-b4": _efficient("EfficientNet", 2019, _EFFICIENTNET, 380, "efficientnet_b4", 0.4, 1.4, 1.8),
        "efficientnet-lite0": Architecture(
            "EfficientNet-Lite", 2020, _LITE, 224, 16, "embedded", True, by("families.efficientnet_lite0")
        ),
        "efficientnet-lite1": _efficient("EfficientNet-Lite", 2020, _LITE, 240, "tf_efficientnet_lite1", 0.2, 1.0, 1.1),
        "efficientnet-lite2": _efficient("EfficientNet-Lite", 2020, _LITE, 260, "tf_efficientnet_lite2", 0.3, 1.1, 1.2),
        "efficientnet-lite3": _efficient("EfficientNet-Lite", 2020, _LITE, 280, "tf_efficientnet_lite3", 0.3, 1.2, 1.4),
        "efficientnet-lite4": _efficient("EfficientNet-Lite", 2020, _LITE, 300, "tf_efficientnet_lite4", 0.3, 1.4, 1.8),
        "vit-tiny": _vit("tiny", _DEIT, 192),
        "vit-small": _vit("small", _DEIT, 384),
        "vit-base": _vit("base", _VIT, 768),
        "convnext-atto": _convnext("atto", 40, 80, 160, 320),
        "convnext-nano": _convnext("nano", 80, 160, 320, 640),
        "convnext-tiny": _convnext("tiny", 96, 192, 384, 768),
    }
)
"""Every architecture by its name. A new one is one entry here, and one builder where no family has it."""


def find_architecture(name: str) -> Architecture:
    """The architecture of a name: one of `ARCHITECTURES`, or any of timm, with or without `timm/` before it.

    Raises:
        UsageError: there is none.
    """
    found = ARCHITECTURES.get(name)
    if found is not None:
        return found
    known = list(ARCHITECTURES)
    if find_spec("timm") is not None and find_spec("torch") is not None:
        from beholder.training.networks import generic

        described = generic.describe(name.removeprefix(_TIMM))
        if described is not None:
            return described
        known = [f"{_TIMM}{theirs}" for theirs in generic.known_names()] if name.startswith(_TIMM) else known
    elif name.startswith(_TIMM):
        need_torch()
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise UsageError(f"there is no architecture {name!r}{hint}; list them with: beholder zoo --architectures")
