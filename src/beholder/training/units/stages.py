"""The stages of a network: a few of its layers, from the first to the last, as maps that can be looked at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from beholder.errors import InvalidModel
from beholder.training.layers import LAST, keep_outputs, tap_layers
from beholder.training.units.layout import FIRST, channel_axes
from beholder.training.units.sight import Sight, sights_of

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

STAGES: Final = 7
"""So many stages at most, beside the embedding."""

_ACTIVATIONS: Final = frozenset(
    ("Relu", "Clip", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "Gelu", "Mish", "HardSwish")
)
_GATES: Final = frozenset(("Sigmoid", "HardSigmoid"))
"""What multiplies a tensor with itself, as in SiLU."""

_PASSING: Final = frozenset(("Conv", "BatchNormalization"))
_FLATTENING: Final = frozenset(("Flatten", "Reshape", "Squeeze", "Identity", "Dropout", "Div", "LpNormalization"))
_POOLED: Final = {
    "pooled": ("map", "GlobalAveragePool"),
    "mean": ("positive", "GlobalAveragePool"),
    "peak": ("map", "GlobalMaxPool"),
}
_AVERAGING: Final = frozenset(("GlobalAveragePool", "ReduceMean"))


@dataclass(frozen=True, slots=True)
class Stage:
    """A layer that is looked at.

    Attributes:
        name: for a person, such as `stage 3`.
        tensor: its name in the graph.
        is_map: whether it has a value for each place, `(N, units, height, width)`, or one for each image, `(N, units)`.
        sight: what its places see of the input; None where that is everything.
    """

    name: str
    tensor: str
    is_map: bool
    sight: Sight | None


class _Graph:
    """Who makes and who reads each tensor."""

    def __init__(self, nodes: Iterable[NodeProto]) -> None:
        self.makers: dict[str, NodeProto] = {}
        self.readers: dict[str, list[NodeProto]] = {}
        for node in nodes:
            self.makers.update(dict.fromkeys(node.output, node))
            for name in node.input:
                self.readers.setdefault(name, []).append(node)

    def activated(self, tensor: str) -> str:
        """Where a block's end is next made active: there a unit is silent or speaks; itself where that is nowhere.

        Blocks of some networks end in sums without an activation. What their next convolution makes of them can be
        looked at; the sums themselves have no zero that means anything.
        """
        if self._is_active(tensor):
            return tensor
        ahead = [(tensor, 0)]
        for name, convolutions in ahead:
            for node in self.readers.get(name, ()):
                if self._is_active(node.output[0]):
                    return str(node.output[0])
                further = convolutions + (node.op_type == "Conv")
                if node.op_type in _PASSING and further <= 1:
                    ahead.append((node.output[0], further))
        return tensor

    def first_convolution(self) -> str | None:
        """What the first convolution makes."""
        return next((name for name, node in self.makers.items() if node.op_type == "Conv"), None)

    def averaged(self, tensor: str) -> str | None:
        """The map that a vector is the mean of; None where it is made in another way."""
        while (maker := self.makers.get(tensor)) is not None:
            if maker.op_type in _AVERAGING:
                return str(maker.input[0])
            if maker.op_type not in _FLATTENING:
                return None
            tensor = maker.input[0]
        return None

    def _is_active(self, tensor: str) -> bool:
        maker = self.makers.get(tensor)
        if maker is None:
            return False
        if maker.op_type == "Mul":
            others = [self.makers[name] for name in maker.input if name in self.makers]
            return any(other.op_type in _GATES and other.input[0] in maker.input for other in others)
        return maker.op_type in _ACTIVATIONS


def find_stages(model: ModelProto, name: str) -> list[Stage]:
    """The stages of a network, early ones first: the first convolution, blocks evenly, and the embedding last.

    Args:
        model: with the one input `image`; it stays as it is.
        name: of the model, for errors.

    Raises:
        InvalidModel: it has no convolutional stages.
    """
    ends = _block_ends(model)
    graph = _Graph(model.graph.node)
    outputs = [output.name for output in model.graph.output]
    last = graph.averaged(LAST) if LAST in outputs else None
    first = graph.first_convolution()
    found = ([graph.activated(first)] if first is not None else []) + [graph.activated(end) for end in ends]
    axes = channel_axes(model)
    distinct = [tensor for tensor in dict.fromkeys(found) if tensor != last and axes.get(tensor) == FIRST]
    if last is not None and axes.get(last) != FIRST:
        last = None
    if first is None or not distinct:
        raise InvalidModel(
            f"{name}: must have convolutional stages for its feature maps to be shown; its graph has none"
        )
    sights = sights_of(model)
    stages = [Stage(f"Stage {n}", tensor, True, sights.get(tensor)) for n, tensor in enumerate(_evenly(distinct), 1)]
    if last is not None:
        stages.append(Stage("Embedding", last, True, sights.get(last)))
    elif LAST in outputs:
        stages.append(Stage("Embedding", LAST, False, None))
    return stages


def _block_ends(model: ModelProto) -> list[str]:
    """As a head would choose them, also where the model does not say what its embedding is."""
    from onnx import ModelProto, helper

    copy = ModelProto()
    copy.CopyFrom(model)
    if LAST not in [output.name for output in copy.graph.output]:
        answer = copy.graph.output[0]
        copy.graph.node.append(helper.make_node("Identity", [answer.name], [LAST]))
        copy.graph.output.append(helper.make_tensor_value_info(LAST, answer.type.tensor_type.elem_type, None))
    return [layer.tensor for layer in tap_layers(copy, 0) if layer.tensor is not None]


def _evenly(tensors: Sequence[str]) -> list[str]:
    """So many at most, the first and the last always."""
    if len(tensors) <= STAGES:
        return list(tensors)
    step = (len(tensors) - 1) / (STAGES - 1)
    return [tensors[round(number * step)] for number in range(STAGES)]


def tap_stages(model: ModelProto, stages: Sequence[Stage]) -> None:
    """Reduce a graph to its stages; for stage `n` there are outputs, float32.

    `n/map` is the tensor itself; `n/pooled` its mean over the places, `n/mean` the same of what is above zero, and
    `n/peak` the greatest value, each `(N, units)`.
    """
    from onnx import TensorProto, helper

    wanted = []
    for number, stage in enumerate(stages):
        steps = [("Identity", stage.tensor, "map"), ("Relu", stage.tensor, "positive")]
        for kind, (source, operator) in _POOLED.items():
            if stage.is_map:
                steps += [(operator, f"{number}/{source}", f"{kind}_4d"), ("Flatten", f"{number}/{kind}_4d", kind)]
            else:
                steps += [("Identity", f"{number}/{source}", kind)]
        model.graph.node.extend(helper.make_node(step, [source], [f"{number}/{made}"]) for step, source, made in steps)
        wanted += [f"{number}/{kind}" for kind in ("map", *_POOLED)]
    model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in wanted)
    keep_outputs(model, wanted)
