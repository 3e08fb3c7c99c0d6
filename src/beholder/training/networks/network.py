"""The one shape that every network is given: a body that makes an embedding, and a head that makes logits of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from torch import Tensor, nn

from beholder.errors import HubError, UsageError
from beholder.model.geometry import Resample
from beholder.training.networks.architectures import Architecture, Spec, find_architecture

Triple = tuple[float, float, float]
Stages = tuple[tuple[str, ...], ...]

_INSTEAD: Final = (
    "train from scratch with --set weights=none, or start from efficientnet-lite0, whose weights come with Beholder"
)


class Network(nn.Module):
    """A network for classifying images.

    Attributes:
        body: float32 `(N, C, S, S)`, normalized, to the embedding `(N, D)`.
        head: the embedding to logits `(N, K)`; the dropout before the last layer belongs to it.
        stages: from the input to the embedding, the prefixes of the names of the body's parameters that belong
            together (`layer1` for `layer1.0.conv1.weight`). Every parameter of the body is in exactly one stage. The
            last prefix of a stage names the module whose output is the feature map of that stage.
        mean: what is subtracted from each channel, in 0 to 255; three equal ones where there is one channel.
        std: what each channel is divided by then, in 0 to 255.
        interpolation: the filter that its pretrained weights were made with, as `Geometry.resample` names it.
    """

    def __init__(
        self, body: nn.Module, head: nn.Module, *, stages: Stages, mean: Triple, std: Triple, interpolation: Resample
    ) -> None:
        super().__init__()
        self.body = body
        self.head = head
        self.stages = stages
        self.mean = mean
        self.std = std
        self.interpolation: Resample = interpolation

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits `(N, K)` and embedding `(N, D)` of normalized images, float32 `(N, C, S, S)`."""
        embedding = self.body(images)
        return self.head(embedding), embedding

    def stage_of(self, parameter: str) -> int:
        """The stage that a parameter of the body belongs to, by its name in the body; 0 is next to the input.

        Raises:
            KeyError: no stage has it.
        """
        for index, prefixes in enumerate(self.stages):
            if any(parameter == prefix or parameter.startswith(f"{prefix}.") for prefix in prefixes):
                return index
        raise KeyError(parameter)

    def parameters_by_stage(self) -> tuple[list[nn.Parameter], ...]:
        """The parameters of each stage of the body, from the input on; those of the head are not among them."""
        groups: tuple[list[nn.Parameter], ...] = tuple([] for _ in self.stages)
        for name, parameter in self.body.named_parameters():
            groups[self.stage_of(name)].append(parameter)
        return groups

    def modules_of_stage(self, index: int) -> Iterator[nn.Module]:
        """The modules of a stage, for what is no parameter: batch normalization that is frozen with its stage."""
        direct = {name for name, _ in self.body.named_parameters(recurse=False)}
        for prefix in self.stages[index]:
            if prefix not in direct:
                yield from self.body.get_submodule(prefix).modules()


def build(name: str, spec: Spec, *, pretrained: bool = False) -> Network:
    """Make a network.

    Args:
        name: a name of `ARCHITECTURES`, or of timm.
        spec: what it is for.
        pretrained: with the published weights instead of random ones. Where they are for another number of classes,
            the last layer is left random.

    Returns:
        The network, in training mode, on torch's default device; random weights come from torch's generator.

    Raises:
        UsageError: no such architecture, it cannot be made of that size or width, or it has no pretrained weights.
        MissingPackage: torch, torchvision or timm is not installed.
        Offline: the weights are not here, and cannot be fetched.
        HubError: fetching them failed, or they do not fit.
    """
    architecture = find_architecture(name)
    _check(name, architecture, spec)
    if pretrained and architecture.weights is None:
        raise UsageError(f"{name}: nobody publishes pretrained weights of it; {_INSTEAD}")
    if pretrained and spec.width != 1:
        raise UsageError(f"{name}: pretrained weights are of width 1, found width {spec.width:g}; {_INSTEAD}")
    try:
        return architecture.build(spec, pretrained).train()
    except (UsageError, HubError) as error:
        if pretrained:
            raise type(error)(f"{name}: {error}; {_INSTEAD}") from error
        raise


def _check(name: str, architecture: Architecture, spec: Spec) -> None:
    if spec.size < architecture.smallest:
        raise UsageError(f"{name}: the input must have at least {architecture.smallest} pixels, found {spec.size}")
    if spec.channels not in (1, 3):
        raise UsageError(f"{name}: an image has 1 channel or 3, found {spec.channels}")
    if spec.classes < 1:
        raise UsageError(f"{name}: there must be at least 1 class, found {spec.classes}")
    if spec.width <= 0:
        raise UsageError(f"{name}: the width must be above 0, found {spec.width:g}")
    if spec.width != 1 and not architecture.widths:
        raise UsageError(f"{name}: it has one width only, found width {spec.width:g}; leave the width out")
    if spec.dropout is not None and not 0 <= spec.dropout < 1:
        raise UsageError(f"{name}: dropout must lie from 0 to below 1, found {spec.dropout:g}")
