"""EfficientNet-Lite0 as an ONNX graph, from published weights.

Architecture: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019,
arXiv:1905.11946, in its Lite form (no squeeze-and-excitation, ReLU6 in place of swish, fixed stem and head), published
with the weights in TensorFlow's model garden. Batch normalization is folded into the convolutions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from beholder.errors import InvalidModel

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

Tensors = Mapping[str, NDArray[Any]]


class _Stage(NamedTuple):
    repeats: int
    kernel: int
    stride: int
    expand: int


_STAGES: Final = (
    _Stage(repeats=1, kernel=3, stride=1, expand=1),
    _Stage(repeats=2, kernel=3, stride=2, expand=6),
    _Stage(repeats=2, kernel=5, stride=2, expand=6),
    _Stage(repeats=3, kernel=3, stride=2, expand=6),
    _Stage(repeats=3, kernel=5, stride=1, expand=6),
    _Stage(repeats=4, kernel=5, stride=2, expand=6),
    _Stage(repeats=1, kernel=3, stride=1, expand=6),
)
_INPUT_SIZE: Final = 224
_MEAN: Final = 127.0
_SCALE: Final = 1 / 128
_BATCH_NORM_EPSILON: Final = 1e-3
_OPSET: Final = 17
_IR_VERSION: Final = 8


def build_graph(tensors: Tensors) -> ModelProto:
    """Build the graph of the model contract: `image` in, `probabilities`, `logits` and `embedding` out.

    Args:
        tensors: the network's weights under the names of the reference implementation (`_conv_stem.weight`, …).

    Returns:
        An ONNX model, opset 17: `image` uint8 `(N, 224, 224, 3)`, `probabilities` and `logits` float32 `(N, K)`,
        `embedding` float32 `(N, 1280)`.

    Raises:
        InvalidModel: a tensor is missing.
    """
    from onnx import TensorProto, checker, helper

    graph = _Graph(tensors)
    features = graph.preprocess("image")
    features = graph.convolution(features, "_conv_stem", "_bn0", kernel=3, stride=2, relu6=True)
    index = 0
    for stage in _STAGES:
        for repeat in range(stage.repeats):
            stride = stage.stride if repeat == 0 else 1
            features = graph.block(features, f"_blocks.{index}", stage, stride, residual=repeat > 0)
            index += 1
    features = graph.convolution(features, "_conv_head", "_bn1", kernel=1, stride=1, relu6=True)
    classes, dimension = graph.classify(features)

    inputs = [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", _INPUT_SIZE, _INPUT_SIZE, 3])]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", size])
        for name, size in (("probabilities", classes), ("logits", classes), ("embedding", dimension))
    ]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "efficientnet-lite0", inputs, outputs, graph.initializers),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="beholder",
    )
    checker.check_model(model)
    return model


class _Graph:
    """Nodes and initializers of a graph under construction; each method adds a layer and names its output."""

    def __init__(self, tensors: Tensors) -> None:
        self._tensors = tensors
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []

    def preprocess(self, image: str) -> str:
        """uint8 NHWC to float32 NCHW, `(x - 127) / 128`."""
        values = self._node("Cast", [image], "image_float", to=1)
        mean = self._constant("preprocess.mean", np.array(_MEAN, np.float32))
        scale = self._constant("preprocess.scale", np.array(_SCALE, np.float32))
        centered = self._node("Sub", [values, mean], "image_centered")
        scaled = self._node("Mul", [centered, scale], "image_scaled")
        return self._node("Transpose", [scaled], "image_planes", perm=[0, 3, 1, 2])

    def block(self, inputs: str, name: str, stage: _Stage, stride: int, residual: bool) -> str:
        """An inverted residual: expand by 1x1, filter each channel, project by 1x1."""
        features = inputs
        if stage.expand != 1:
            features = self.convolution(features, f"{name}._expand_conv", f"{name}._bn0", 1, 1, relu6=True)
        features = self.convolution(
            features, f"{name}._depthwise_conv", f"{name}._bn1", stage.kernel, stride, relu6=True, depthwise=True
        )
        features = self.convolution(features, f"{name}._project_conv", f"{name}._bn2", 1, 1, relu6=False)
        return self._node("Add", [features, inputs], f"{name}.sum") if residual else features

    def convolution(
        self,
        inputs: str,
        name: str,
        norm: str,
        kernel: int,
        stride: int,
        relu6: bool,
        depthwise: bool = False,
    ) -> str:
        """A convolution with the batch normalization after it folded in, and ReLU6 where asked.

        Padding is TensorFlow's "SAME": with an even input and stride 2 the odd pixel goes to the end.
        """
        weight = self._tensor(f"{name}.weight").astype(np.float64)
        gain = self._tensor(f"{norm}.weight").astype(np.float64)
        gain /= np.sqrt(self._tensor(f"{norm}.running_var").astype(np.float64) + _BATCH_NORM_EPSILON)
        bias = self._tensor(f"{norm}.bias") - self._tensor(f"{norm}.running_mean") * gain
        total = kernel - stride if kernel > 1 else 0
        before, after = total // 2, total - total // 2
        output = self._node(
            "Conv",
            [
                inputs,
                self._constant(f"{name}.weight", (weight * gain[:, None, None, None]).astype(np.float32)),
                self._constant(f"{name}.bias", bias.astype(np.float32)),
            ],
            name,
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=weight.shape[0] if depthwise else 1,
        )
        if not relu6:
            return output
        low = self._constant("relu6.low", np.array(0, np.float32))
        high = self._constant("relu6.high", np.array(6, np.float32))
        return self._node("Clip", [output, low, high], f"{name}.relu6")

    def classify(self, features: str) -> tuple[int, int]:
        """Pool to `embedding`, then `logits` and `probabilities`; returns the number of classes and dimensions."""
        weight, bias = self._tensor("_fc.weight"), self._tensor("_fc.bias")
        pooled = self._node("GlobalAveragePool", [features], "pooled")
        self._node("Flatten", [pooled], "embedding")
        parameters = [self._constant("_fc.weight", weight), self._constant("_fc.bias", bias)]
        self._node("Gemm", ["embedding", *parameters], "logits", transB=1)
        self._node("Softmax", ["logits"], "probabilities", axis=1)
        return weight.shape[0], weight.shape[1]

    def _node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        from onnx import numpy_helper

        if not any(tensor.name == name for tensor in self.initializers):
            self.initializers.append(numpy_helper.from_array(values, name))
        return name

    def _tensor(self, name: str) -> NDArray[Any]:
        try:
            return self._tensors[name]
        except KeyError:
            raise InvalidModel(f"the weights lack the tensor {name}") from None
