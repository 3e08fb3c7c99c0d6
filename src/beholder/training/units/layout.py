"""Where in each tensor of a graph the channels are: `(N, channels, h, w)` or `(N, h, w, channels)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from onnx import ModelProto

FIRST: Final = 1
LAST: Final = 3

_PLANAR: Final = frozenset(
    (
        *("Conv", "ConvInteger", "QLinearConv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool"),
        *("GlobalAveragePool", "GlobalMaxPool", "BatchNormalization", "InstanceNormalization", "DepthToSpace"),
    )
)
"""Operators that always have their channels first."""

_RESHAPING: Final = frozenset(
    (
        "Reshape",
        "Flatten",
        "Squeeze",
        "Unsqueeze",
        "Gather",
        "GatherElements",
        "Shape",
        "Einsum",
        "Expand",
        "Tile",
        "Gemm",
    )
)
"""Operators after which it is not known any more which dimension is what."""


def channel_axes(model: ModelProto) -> dict[str, int]:
    """The dimension of the channels of each tensor of which it is known.

    Args:
        model: with the one input `image`, `(N, height, width, 3)`.
    """
    axes = {"image": LAST}
    for node in model.graph.node:
        known = [axes[name] for name in node.input if name in axes]
        if node.op_type in _PLANAR:
            axes.update(dict.fromkeys(node.output, FIRST))
        elif known and node.op_type == "Transpose":
            order = [dimension for given in node.attribute if given.name == "perm" for dimension in given.ints]
            if known[0] in order:
                axes[node.output[0]] = order.index(known[0])
        elif known and node.op_type not in _RESHAPING:
            axes.update(dict.fromkeys(node.output, known[0]))
    return axes
