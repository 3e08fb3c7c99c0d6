"""The nodes that are put before and after a graph from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from beholder.zoo.importing.foreign import FLOAT, UINT8, ForeignInput, Layout

if TYPE_CHECKING:
    from onnx import NodeProto

Step = Literal["softmax", "sigmoid", "log", "log_odds"]
"""From logits to probabilities, or, where a graph gives probabilities only, the way back."""

_TINY: Final = 1e-30
_CERTAIN: Final = 1 - 2**-24


@dataclass(frozen=True, slots=True)
class Tap:
    """A tensor of the original graph that an output of the model file is made of.

    Attributes:
        tensor: its name.
        size: how many values it has for each image.
        flat: whether it is float32 and has no further dimensions already.
    """

    tensor: str
    size: int
    flat: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be grafted.

    Attributes:
        input: the original's input.
        layout: where its channels are.
        size_hw: height and width of the input, pixels.
        gain: for each channel, in the original's order, what pixels (0 to 255) are multiplied by.
        offset: for each channel what is added then.
        swap: whether the original wants blue first.
        taps: by the names of the contract.
        derived: an output that is computed of another one: its name, how, and of which.
    """

    input: ForeignInput
    layout: Layout
    size_hw: tuple[int, int]
    gain: NDArray[np.float64]
    offset: NDArray[np.float64]
    swap: bool
    taps: Mapping[str, Tap]
    derived: tuple[str, Step, str] | None


class Builder:
    """New nodes and constants, under names that the original does not use."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._count = 0
        self.initializers: list[Any] = []

    def pixels(self, plan: Plan, target: str) -> list[NodeProto]:
        """From `image` to the original's input; moved as bytes, which are a quarter of the size."""
        steps: list[tuple[str, list[str], dict[str, Any]]] = []
        if plan.swap:
            steps.append(("Gather", [self.constant(np.array([2, 1, 0], np.int64))], {"axis": 3}))
        if plan.layout == "nchw":
            steps.append(("Transpose", [], {"perm": [0, 3, 1, 2]}))
        if plan.input.type != UINT8:
            shape = (1, 3, 1, 1) if plan.layout == "nchw" else (1, 1, 1, 3)
            steps.append(("Cast", [], {"to": FLOAT}))
            for operator, values, neutral in (("Mul", plan.gain, 1), ("Add", plan.offset, 0)):
                if (values != neutral).any():
                    steps.append((operator, [self.constant(values.astype(np.float32).reshape(shape))], {}))
            if plan.input.type != FLOAT:
                steps.append(("Cast", [], {"to": plan.input.type}))
        return self._chain("image", steps or [("Identity", [], {})], target)

    def outputs(self, plan: Plan, rename: Mapping[str, str]) -> list[NodeProto]:
        """From tensors of the original to the outputs of the contract."""
        nodes = []
        for name, tap in plan.taps.items():
            steps: list[tuple[str, list[str], dict[str, Any]]] = []
            if not tap.flat:
                steps = [("Flatten", [], {"axis": 1}), ("Cast", [], {"to": FLOAT})]
            nodes += self._chain(rename.get(tap.tensor, tap.tensor), steps or [("Identity", [], {})], name)
        if plan.derived is not None:
            name, step, source = plan.derived
            nodes += self._derive(source, step, name)
        return nodes

    def _derive(self, source: str, step: Step, name: str) -> list[NodeProto]:
        if step == "softmax":
            return self._chain(source, [("Softmax", [], {"axis": 1})], name)
        if step == "sigmoid":
            return self._chain(source, [("Sigmoid", [], {})], name)
        bounds = [self.constant(np.array(_TINY, np.float32)), self.constant(np.array(_CERTAIN, np.float32))]
        if step == "log":
            return self._chain(source, [("Clip", bounds[:1], {}), ("Log", [], {})], name)
        inside = self._new_name()
        against = self._new_name()
        odds = self._new_name()
        one = self.constant(np.array(1, np.float32))
        return [
            self._node("Clip", [source, *bounds], inside),
            self._node("Sub", [one, inside], against),
            self._node("Div", [inside, against], odds),
            self._node("Log", [odds], name),
        ]

    def _chain(self, source: str, steps: list[tuple[str, list[str], dict[str, Any]]], target: str) -> list[NodeProto]:
        """Nodes that each work on what the one before gives; the last gives `target`."""
        nodes = []
        for position, (operator, constants, attributes) in enumerate(steps, 1):
            output = target if position == len(steps) else self._new_name()
            nodes.append(self._node(operator, [source, *constants], output, **attributes))
            source = output
        return nodes

    def _node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> NodeProto:
        from onnx import helper

        return helper.make_node(operator, inputs, [output], name=f"{self._prefix}/{output}", **attributes)

    def constant(self, values: NDArray[Any]) -> str:
        """A new constant; its name."""
        from onnx import numpy_helper

        name = self._new_name()
        self.initializers.append(numpy_helper.from_array(values, name))
        return name

    def _new_name(self) -> str:
        self._count += 1
        return f"{self._prefix}/{self._count}"
