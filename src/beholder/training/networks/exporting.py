"""From a trained network to one graph of the model contract, in ONNX Runtime as in torch."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import onnxslim
import torch
from numpy.typing import NDArray

from beholder.errors import InvalidModel, UsageError
from beholder.model import OnnxRuntime
from beholder.training.completing import complete_graph
from beholder.training.confidence import Confidence
from beholder.training.networks.answering import Recognizer
from beholder.training.networks.pixels import Pixels
from beholder.training.trained import Answers

OPSET: Final = 18
OUTPUTS: Final = ("logits", "probabilities", "embedding", "familiarity")

_TOGETHER: Final = 32


def export_network(
    recognizer: Recognizer, size_hw: tuple[int, int], confidence: Confidence, prototypes: NDArray[np.float32]
) -> bytes:
    """One graph: clean-up, normalization, network, calibration and familiarity.

    Args:
        recognizer: in evaluation mode, on the CPU.
        size_hw: of its input, pixels.
        confidence: from logits to probabilities.
        prototypes: float32 `(p, d)`, of length 1: what familiarity is measured to.

    Returns:
        The bytes of an ONNX file without a card: `image` in; `probabilities`, `logits`, `embedding`, `familiarity` out.

    Raises:
        InvalidModel: the network has a part that no ONNX operator stands for.
    """
    try:
        model = _converted(recognizer, size_hw)
    except (torch.onnx.OnnxExporterError, torch.onnx.errors.OnnxExporterError) as error:
        raise InvalidModel(f"the network cannot be exported: {str(error).splitlines()[0]}") from None
    return complete_graph(model, confidence, prototypes)


def require_exportable(recognizer: Recognizer, size_hw: tuple[int, int]) -> None:
    """Refuse a network that could not be exported, before it is trained.

    Args:
        recognizer: on the CPU; it is left as it is.
        size_hw: of its input, pixels.

    Raises:
        UsageError: it has a part that no ONNX operator stands for.
    """
    try:
        _converted(copy.deepcopy(recognizer).eval(), size_hw)
    except Exception as error:  # whatever its layers lead the exporter to
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UsageError(f"architecture: this network cannot be exported; choose another: {reason[0]}") from None


def _converted(recognizer: Recognizer, size_hw: tuple[int, int]) -> Any:
    """As an `onnx.ModelProto`."""
    example = torch.zeros((2, *size_hw, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own making: nobody who trains can heed them
        program: Any = torch.onnx.export(
            recognizer,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["image"],
            output_names=["logits", "embedding"],
            dynamic_shapes=({0: torch.export.Dim("N")},),
            verbose=False,
        )
        model = onnxslim.slim(program.model_proto)
    model.graph.ClearField("value_info")
    return model


class ExportedNetwork:
    """An exported graph in ONNX Runtime, asked about images that are decoded already.

    Args:
        graph: the bytes of the file.
    """

    def __init__(self, graph: bytes) -> None:
        self._runtime = OnnxRuntime(graph, "cpu")

    def answer(self, pixels: Pixels, rows: Sequence[int] | NDArray[Any]) -> Answers:
        """What it says of images, by the names of its outputs; all of them can be read."""
        parts: dict[str, list[NDArray[Any]]] = {name: [] for name in OUTPUTS}
        for start in range(0, len(rows), _TOGETHER):
            inputs = np.stack([pixels.input(int(row)) for row in rows[start : start + _TOGETHER]])
            for name, values in self._runtime.run(inputs, OUTPUTS).items():
                parts[name].append(values)
        return {name: np.concatenate(values) for name, values in parts.items() if values}
