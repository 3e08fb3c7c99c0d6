"""From a backbone and a fitted head to one graph of the model contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from beholder.model.runtime import open_cpu_session
from beholder.training.head import Fit
from beholder.training.layers import LAST, keep_outputs, tap_layers

if TYPE_CHECKING:
    from onnx import GraphProto

_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Confidence:
    """What turns a head's scores into probabilities, inside the graph.

    Attributes:
        gain: float32 `(k,)`: what each score is multiplied by; the inverse temperature, or each label's own slope.
        shift: float32 `(k,)`: what is then added; 0 where one label holds of an image.
        multi_label: whether each label has its own probability (sigmoid) or all share one (softmax).
    """

    gain: NDArray[np.float32]
    shift: NDArray[np.float32]
    multi_label: bool

    def probabilities(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities `(n, k)` of scores `(n, k)`, as the graph computes them."""
        values = scores * self.gain + self.shift
        if self.multi_label:
            return np.asarray(1 / (1 + np.exp(-np.clip(values, -60, 60))), np.float32)
        powers = np.exp(values - values.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


@dataclass(frozen=True, slots=True)
class Head:
    """Everything that is put on a backbone.

    Attributes:
        fit: from layers to scores; its layers are outputs of `beholder.training.layers.tap_layers`.
        confidence: from scores to probabilities.
        prototypes: float32 `(p, d)`, of length 1: what familiarity is measured to, in the embedding.
    """

    fit: Fit
    confidence: Confidence
    prototypes: NDArray[np.float32]

    def answer(self, layers: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        """`logits` and `probabilities` `(n, k)` and `familiarity` `(n,)` of images by their layers, as the graph's."""
        scores = self.fit.scores(layers)
        familiarity = familiarity_of(layers[LAST], self.prototypes)
        return {"logits": scores, "probabilities": self.confidence.probabilities(scores), "familiarity": familiarity}


class ExportedHead:
    """The head of an exported graph without its backbone, in ONNX Runtime: measures from features that are known.

    Args:
        graph: as `export_head` gives it.
        head: which it was made of; its scores stand in for those of the graph where an image was left out of fitting.
    """

    def __init__(self, graph: bytes, head: Head) -> None:
        import onnx
        from onnx import TensorProto, helper

        model = onnx.load_from_string(graph)
        self.head = head
        self._inputs = tuple(dict.fromkeys((*head.fit.layers, LAST)))
        widths = {name: len(head.fit.scalings[name].mean) for name in head.fit.layers}
        widths[LAST] = head.prototypes.shape[1]
        keep_outputs(model, ("probabilities", "logits", "familiarity"), given=self._inputs)
        model.graph.ClearField("input")
        model.graph.input.extend(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", widths[name]]) for name in self._inputs
        )
        self._session = open_cpu_session(model.SerializeToString())

    def answer(self, layers: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        """As `Head.answer`, by the graph."""
        names = ("logits", "probabilities", "familiarity")
        values = self._session.run(names, {name: np.ascontiguousarray(layers[name]) for name in self._inputs})
        return dict(zip(names, values, strict=True))


def export_head(backbone: bytes, head: Head) -> bytes:
    """One graph: backbone, head, calibration and familiarity.

    Args:
        backbone: the bytes of the backbone's model file.
        head: what is put on it.

    Returns:
        The bytes of an ONNX file without a card: `image` in; `probabilities`, `logits`, `embedding`, `familiarity` out.
    """
    import onnx
    from onnx import TensorProto, helper

    fit, confidence, prototypes = head.fit, head.confidence, head.prototypes
    model = onnx.load_from_string(backbone)
    layers = {layer.output: layer for layer in tap_layers(model, prototypes.shape[1])}
    widths = [layers[name].width for name in fit.layers]
    graph = model.graph
    weights, bias = _folded(fit, widths)
    stacked = _add(graph, "Concat", list(fit.layers), "head_features", axis=1) if len(fit.layers) > 1 else fit.layers[0]
    parameters = [_constant(graph, "head_weights", weights), _constant(graph, "head_bias", bias)]
    _add(graph, "Gemm", [stacked, *parameters], "logits")
    scaled = _add(graph, "Mul", ["logits", _constant(graph, "head_gain", confidence.gain)], "head_scaled")
    shifted = _add(graph, "Add", [scaled, _constant(graph, "head_shift", confidence.shift)], "head_shifted")
    if confidence.multi_label:
        _add(graph, "Sigmoid", [shifted], "probabilities")
    else:
        _add(graph, "Softmax", [shifted], "probabilities", axis=1)
    _add_familiarity(graph, prototypes)
    outputs = {"probabilities": len(bias), "logits": len(bias), LAST: prototypes.shape[1]}
    graph.ClearField("output")
    graph.output.extend(helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", k]) for n, k in outputs.items())
    graph.output.append(helper.make_tensor_value_info("familiarity", TensorProto.FLOAT, ["N"]))
    keep_outputs(model, [*outputs, "familiarity"])
    model.ClearField("metadata_props")
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def familiarity_of(embeddings: NDArray[np.float32], prototypes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine similarity `(n,)` of each embedding to its nearest prototype, as the graph computes it."""
    lengths = np.sqrt((embeddings**2).sum(axis=1, keepdims=True))
    nearest: NDArray[np.float32] = ((embeddings / np.maximum(lengths, _TINY)) @ prototypes.T).max(axis=1)
    return nearest


def _folded(fit: Fit, widths: list[int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights and bias that take the layers as they are: their scaling is folded in."""
    gain = np.concatenate([fit.scalings[name].gain for name in fit.layers]).astype(np.float64)
    mean = np.concatenate([fit.scalings[name].mean for name in fit.layers]).astype(np.float64)
    if len(gain) != sum(widths):
        raise ValueError(f"the head looks at {len(gain)} values, the layers give {sum(widths)}")
    weights = fit.weights.astype(np.float64) * gain[:, None]
    return weights.astype(np.float32), (fit.bias - mean @ weights).astype(np.float32)


def _add_familiarity(graph: GraphProto, prototypes: NDArray[np.float32]) -> None:
    squares = _add(graph, "Mul", [LAST, LAST], "familiarity_squares")
    axis = _constant(graph, "familiarity_axis", np.array([1], np.int64))
    length = _add(graph, "ReduceSum", [squares, axis], "familiarity_square", keepdims=1)
    root = _add(graph, "Sqrt", [length], "familiarity_length")
    floor = _add(
        graph, "Max", [root, _constant(graph, "familiarity_floor", np.array([_TINY], np.float32))], "familiarity_safe"
    )
    unit = _add(graph, "Div", [LAST, floor], "familiarity_unit")
    points = _constant(graph, "familiarity_prototypes", np.ascontiguousarray(prototypes.T))
    similar = _add(graph, "MatMul", [unit, points], "familiarity_all")
    _add(graph, "ReduceMax", [similar], "familiarity", axes=[1], keepdims=0)


def _add(graph: GraphProto, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
    from onnx import helper

    graph.node.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
    return output


def _constant(graph: GraphProto, name: str, values: NDArray[Any]) -> str:
    from onnx import numpy_helper

    graph.initializer.append(numpy_helper.from_array(values, name))
    return name
