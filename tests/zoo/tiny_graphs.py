"""Tiny ONNX graphs, as other programs export them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE_HW = (12, 16)
CLASSES = 4
FEATURES = 6

_NUMPY_TYPES = {TensorProto.FLOAT: np.float32, TensorProto.FLOAT16: np.float16, TensorProto.DOUBLE: np.float64}


def weights(seed: int = 0) -> dict[str, np.ndarray]:
    """The weights of `classifier`."""
    random = np.random.default_rng(seed)
    return {
        "conv.weight": random.normal(0, 0.5, (FEATURES, 3, 3, 3)).astype(np.float32),
        "conv.bias": random.normal(0, 0.5, FEATURES).astype(np.float32),
        "fc.weight": random.normal(0, 2, (CLASSES, FEATURES)).astype(np.float32),
        "fc.bias": random.normal(0, 1, CLASSES).astype(np.float32),
    }


def classifier(
    *,
    layout: str = "nchw",
    kind: int = TensorProto.FLOAT,
    ending: str | None = None,
    batch: str | int = "batch",
    size_hw: tuple = SIZE_HW,
    channels: int | str = 3,
    opset: int = 17,
    input_name: str = "pixel_values",
    output_name: str = "logits",
    seed: int = 0,
) -> onnx.ModelProto:
    """Convolution, ReLU, average over the image, linear layer; ends in raw scores, or in Softmax or Sigmoid."""
    dtype = _NUMPY_TYPES[kind]
    nodes = []
    source = input_name
    if layout == "nhwc":
        nodes.append(helper.make_node("Transpose", [source], ["planes"], perm=[0, 3, 1, 2]))
        source = "planes"
    scores = "scores_before" if ending else output_name
    nodes += [
        helper.make_node("Conv", [source, "conv.weight", "conv.bias"], ["conv"], kernel_shape=[3, 3]),
        helper.make_node("Relu", ["conv"], ["relu"]),
        helper.make_node("GlobalAveragePool", ["relu"], ["pool"]),
        helper.make_node("Flatten", ["pool"], ["features"], axis=1),
        helper.make_node("Gemm", ["features", "fc.weight", "fc.bias"], [scores], transB=1),
    ]
    if ending:
        attributes = {"axis": 1} if ending == "Softmax" else {}
        nodes.append(helper.make_node(ending, [scores], [output_name], **attributes))
    shape = [batch, channels, *size_hw] if layout == "nchw" else [batch, *size_hw, channels]
    initializers = [numpy_helper.from_array(value.astype(dtype), name) for name, value in weights(seed).items()]
    return model_of(
        nodes,
        helper.make_tensor_value_info(input_name, kind, shape),
        [helper.make_tensor_value_info(output_name, kind, [batch, CLASSES])],
        initializers,
        opset,
    )


def ready_made(*, opset: int = 17) -> onnx.ModelProto:
    """A graph that obeys the contract already and lacks nothing but a card."""
    height, width = SIZE_HW
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["float", "range"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("GlobalAveragePool", ["planes"], ["pool"]),
        helper.make_node("Flatten", ["pool"], ["embedding"], axis=1),
        helper.make_node("MatMul", ["embedding", "matrix"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    matrix = np.random.default_rng(1).normal(0, 3, (3, CLASSES)).astype(np.float32)
    sizes = {"probabilities": CLASSES, "logits": CLASSES, "embedding": 3}
    return model_of(
        nodes,
        helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", height, width, 3]),
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", size]) for name, size in sizes.items()],
        [constant("range", np.float32(255)), constant("matrix", matrix)],
        opset,
    )


def constant(name: str, values: object) -> TensorProto:
    return numpy_helper.from_array(np.asarray(values), name)


def model_of(nodes, image, outputs, initializers=(), opset: int = 17) -> onnx.ModelProto:
    """A checked model of one graph."""
    graph = helper.make_graph(nodes, "tiny", [image], outputs, list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def saved(model: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def by_hand(model: onnx.ModelProto, pixels: np.ndarray, scale=1 / 255, mean=0.0, std=1.0, order="rgb", layout="nchw"):
    """What the original graph gives for one image, fed as its authors would.

    Args:
        model: the graph.
        pixels: uint8 `(height, width, 3)` of the input, RGB.

    Returns:
        Its first output for the image.
    """
    import onnxruntime

    values = pixels[..., ::-1] if order == "bgr" else pixels
    values = (values.astype(np.float64) * scale - np.array(mean)) / np.array(std)
    values = values.transpose(2, 0, 1) if layout == "nchw" else values
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (declared,) = session.get_inputs()
    dtype = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}[declared.type]
    return session.run(None, {declared.name: values[None].astype(dtype)})[0][0]
