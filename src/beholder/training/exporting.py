"""From a backbone and a fitted head to one graph of the model contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from beholder.model.runtime import open_cpu_session
from beholder.training.completing import add_constant, add_node, complete_graph, familiarity_of
from beholder.training.confidence import Confidence
from beholder.training.head import Fit
from beholder.training.layers import LAST, keep_outputs, tap_layers


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

    fit = head.fit
    model = onnx.load_from_string(backbone)
    layers = {layer.output: layer for layer in tap_layers(model, head.prototypes.shape[1])}
    widths = [layers[name].width for name in fit.layers]
    graph = model.graph
    weights, bias = _folded(fit, widths)
    stacked = fit.layers[0]
    if len(fit.layers) > 1:
        stacked = add_node(graph, "Concat", list(fit.layers), "head_features", axis=1)
    parameters = [add_constant(graph, "head_weights", weights), add_constant(graph, "head_bias", bias)]
    add_node(graph, "Gemm", [stacked, *parameters], "logits")
    return complete_graph(model, head.confidence, head.prototypes)


def _folded(fit: Fit, widths: list[int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights and bias that take the layers as they are: their scaling is folded in."""
    gain = np.concatenate([fit.scalings[name].gain for name in fit.layers]).astype(np.float64)
    mean = np.concatenate([fit.scalings[name].mean for name in fit.layers]).astype(np.float64)
    if len(gain) != sum(widths):
        raise ValueError(f"the head looks at {len(gain)} values, the layers give {sum(widths)}")
    weights = fit.weights.astype(np.float64) * gain[:, None]
    return weights.astype(np.float32), (fit.bias - mean @ weights).astype(np.float32)
