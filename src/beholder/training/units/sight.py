"""Which part of the input a place in a layer sees: its receptive area, by the arithmetic of the graph.

Source: W. Luo et al., "Understanding the effective receptive field in deep convolutional neural networks", NeurIPS
2016, section 2, for the size; places follow from strides and padding alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from beholder.training.units.layout import LAST, channel_axes

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_ALIKE: Final = frozenset(
    (
        *("Add", "Sub", "Mul", "Div", "Pow", "Sqrt", "Neg", "Exp", "Log", "Max", "Min", "Abs", "Cast", "Identity"),
        *("Dropout", "Concat", "Split", "Transpose", "Clip", "Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu"),
        *("Gelu", "Erf", "Tanh", "Sigmoid", "HardSigmoid", "HardSwish", "Softplus", "Mish", "BatchNormalization"),
        *("QuantizeLinear", "DequantizeLinear"),
    )
)
"""Operators whose every place sees what the same place of their inputs sees."""

_WINDOWED: Final = frozenset(("Conv", "ConvInteger", "QLinearConv", "MaxPool", "AveragePool", "LpPool"))

_WEIGHTS_AT: Final = {"Conv": 1, "ConvInteger": 1, "QLinearConv": 3}


@dataclass(frozen=True, slots=True)
class Sight:
    """What the places of a map see of the input, in pixels of the input.

    Attributes:
        start_yx: upper left corner of what the first place sees; negative where that lies in the padding.
        size_yx: how much a place sees.
        step_yx: how far the areas of neighboring places are apart.
    """

    start_yx: tuple[float, float] = (0.0, 0.0)
    size_yx: tuple[float, float] = (1.0, 1.0)
    step_yx: tuple[float, float] = (1.0, 1.0)

    def area(self, place_yx: tuple[int, int]) -> tuple[float, float, float, float]:
        """What one place sees: left, upper, right and lower bound, which may lie outside of the input."""
        top, left = (s + p * step for s, p, step in zip(self.start_yx, place_yx, self.step_yx, strict=True))
        return left, top, left + self.size_yx[1], top + self.size_yx[0]

    def through(self, kernel: Sequence[int], strides: Sequence[int], before: Sequence[float]) -> Sight:
        """What is seen after a window of so many places each way, moved by strides, with padding before it."""
        (start_y, start_x), (high, wide), (step_y, step_x) = self.start_yx, self.size_yx, self.step_yx
        return Sight(
            (start_y - before[0] * step_y, start_x - before[1] * step_x),
            (high + (kernel[0] - 1) * step_y, wide + (kernel[1] - 1) * step_x),
            (step_y * strides[0], step_x * strides[1]),
        )

    def joined(self, other: Sight) -> Sight:
        """What is seen where two maps of one size meet: the larger area."""
        return self if self.size_yx >= other.size_yx else other


def sights_of(model: ModelProto) -> dict[str, Sight]:
    """What each tensor of a graph sees; tensors whose places see everything, or nothing of their own, are left out.

    A branch that sees everything, as the gates of squeeze-and-excitation do, is not counted where it meets a map.
    """
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    axes = channel_axes(model)
    known = {"image": Sight()}
    for node in model.graph.node:
        met = [known[name] for name in node.input if name in known]
        if not met:
            continue
        seen = met[0]
        for other in met[1:]:
            seen = seen.joined(other)
        if node.op_type in _WINDOWED:
            kernel, strides, before = _window(node, shapes)
            if len(kernel) != 2:
                continue
            seen = seen.through(kernel, strides, before)
        elif node.op_type not in _ALIKE and not _mixes_channels(node, axes, shapes):
            continue
        known.update(dict.fromkeys(node.output, seen))
    return known


def _mixes_channels(node: NodeProto, axes: Mapping[str, int], shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether a node computes with the channels of each place by itself, where these come last."""
    if axes.get(node.input[0]) != LAST:
        return False
    if node.op_type == "LayerNormalization":
        given = [attribute.i for attribute in node.attribute if attribute.name == "axis"]
        return given in ([], [-1], [LAST])
    return node.op_type == "MatMul" and len(shapes.get(node.input[1], ())) == 2


def _window(
    node: NodeProto, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[Sequence[int], Sequence[int], Sequence[float]]:
    """How many places a window spans each way, its strides, and the padding before it."""
    given = {found.name: found for found in node.attribute}
    kernel = list(given["kernel_shape"].ints) if "kernel_shape" in given else []
    if not kernel and node.op_type in _WEIGHTS_AT:
        kernel = list(shapes.get(node.input[_WEIGHTS_AT[node.op_type]], ())[2:])
    strides = list(given["strides"].ints) if "strides" in given else [1] * len(kernel)
    holes = list(given["dilations"].ints) if "dilations" in given else [1] * len(kernel)
    spans = [(size - 1) * hole + 1 for size, hole in zip(kernel, holes, strict=True)]
    if given.get("auto_pad") is not None and given["auto_pad"].s.startswith(b"SAME"):
        return spans, strides, [max(span - stride, 0) // 2 for span, stride in zip(spans, strides, strict=True)]
    pads = list(given["pads"].ints)[: len(kernel)] if "pads" in given else [0] * len(kernel)
    return spans, strides, pads
