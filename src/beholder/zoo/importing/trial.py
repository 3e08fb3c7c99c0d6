"""Running a graph to learn what it gives, and a made model file to see that it gives the same.

What a graph declares of its outputs is often missing or wrong; what it gives when it is run is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from beholder.errors import InvalidModel
from beholder.model import FileModel
from beholder.model.runtime import open_cpu_session
from beholder.zoo.importing.foreign import DOUBLE, FLOAT, FLOAT16, UINT8, Foreign, one_line

if TYPE_CHECKING:
    from onnx import ModelProto

IMAGES: Final = 3
TOLERANCE: Final = 1e-3
"""How far an answer may be from the original's, as a share of its largest value (or of 1, where that is larger)."""

TOLERANCE_FLOAT16: Final = 2e-2
FIXED_BATCH: Final = "works on a fixed number of images only; export it again with a dynamic batch dimension"
_SUM_TOLERANCE: Final = 1e-3
_SEED: Final = 20_240_229
_DTYPES: Final = {FLOAT: np.float32, FLOAT16: np.float16, DOUBLE: np.float64, UINT8: np.uint8}

Values = Mapping[str, NDArray[Any]]


def trial_images(size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Images to try a graph on, the same at every call: noise, a smooth ramp, and black.

    Returns:
        uint8 `(IMAGES, height, width, 3)`.
    """
    height, width = size_hw
    noise = np.random.default_rng(_SEED).integers(0, 256, (height, width, 3), np.uint8)
    rows, columns = np.linspace(0, 255, height)[:, None], np.linspace(255, 0, width)[None, :]
    ramp = np.stack(np.broadcast_arrays(rows, columns, (rows + columns) / 2), axis=-1).astype(np.uint8)
    return np.stack([noise, ramp, np.zeros_like(noise)])


def probe(foreign: Foreign, inputs: NDArray[np.float64], tensors: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Run the original graph on each input by itself.

    Args:
        foreign: the graph as it came.
        inputs: what it is to be given, one input a row, in its own layout and numbers.
        tensors: the names of what is wanted, outputs and inner tensors.

    Returns:
        For each name the values of all inputs, one input a row.

    Raises:
        InvalidModel: ONNX Runtime refuses the graph, or it fails on such an input, or gives no numbers.
    """
    session = open_cpu_session(_with_outputs(foreign, tensors))
    rows: dict[str, list[NDArray[Any]]] = {name: [] for name in tensors}
    for values in inputs.astype(_DTYPES[foreign.input.type]):
        batch = np.repeat(values[None], foreign.batch or 1, axis=0)
        try:
            found = session.run(list(tensors), {foreign.input.name: batch})
        except Exception as error:  # ONNX Runtime has a dozen exceptions without a common class
            raise InvalidModel(f"the graph fails on an input of shape {list(batch.shape)}: {one_line(error)}") from None
        for name, value in zip(tensors, found, strict=True):
            if not isinstance(value, np.ndarray) or value.shape[:1] != batch.shape[:1]:
                shape = list(value.shape) if isinstance(value, np.ndarray) else type(value).__name__
                raise InvalidModel(f"{name} must have one row for each image, found {shape} for {len(batch)}")
            if value.dtype.kind == "f" and not np.isfinite(value).all():
                raise InvalidModel(f"{name} holds values that are not numbers (NaN or infinity) on a trial image")
            if rows[name] and rows[name][0].shape != value.shape[1:]:
                raise InvalidModel(f"{name} must have one shape for every image; it changes with what the image shows")
            rows[name].append(value[0])
    return {name: np.stack(values) for name, values in rows.items()}


def _with_outputs(foreign: Foreign, tensors: Sequence[str]) -> bytes:
    """The original's bytes, with inner tensors among its outputs where some are wanted."""
    inner = [name for name in tensors if name not in foreign.outputs]
    if not inner:
        return foreign.data
    import onnx

    model = onnx.ModelProto()
    model.CopyFrom(foreign.model)
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inner)
    return serialized(model)


def serialized(model: ModelProto) -> bytes:
    """The bytes of a graph, the same for the same graph.

    Raises:
        InvalidModel: they would be over 2 GiB.
    """
    try:
        data: bytes = model.SerializeToString(deterministic=True)
    except ValueError as error:
        raise InvalidModel(f"cannot be written as one ONNX file: {one_line(error)}") from None
    return data


def check_answers(model: FileModel, images: NDArray[np.uint8], expected: Values, tolerance: float) -> None:
    """Run a made model one image at a time and all together, and compare both with the original.

    Args:
        model: the made model.
        images: uint8 `(N, height, width, 3)`.
        expected: outputs of the original by the names of the contract, one image a row.
        tolerance: how far they may differ, as a share of the largest value.

    Raises:
        InvalidModel: it fails, gives values that are not numbers or not probabilities, or answers differently.
    """
    names = model.runtime.outputs
    single = [model.runtime.run(image[None], names) for image in images]
    for row in single:
        _check_rows(model, row, 1)
    alone = {name: np.concatenate([row[name] for row in single]) for name in names}
    for name, values in expected.items():
        _compare(name, alone[name], values, tolerance, "the original's")
    together = _run_batch(model, images)
    for name in names:
        reason = "those for each image by itself, so an answer would depend on the other images of its batch"
        _compare(name, together[name], alone[name], tolerance, reason)


def _run_batch(model: FileModel, images: NDArray[np.uint8]) -> Values:
    try:
        outputs = model.runtime.run(images, model.runtime.outputs)
        _check_rows(model, outputs, len(images))
    except InvalidModel as error:
        raise InvalidModel(FIXED_BATCH) from error
    return outputs


def _check_rows(model: FileModel, outputs: Values, count: int) -> None:
    for name, values in outputs.items():
        if values.shape[:1] != (count,):
            raise InvalidModel(f"{name} must have {count} rows for {count} images, found shape {list(values.shape)}")
        if not np.isfinite(values).all():
            raise InvalidModel(f"{name} holds values that are not numbers (NaN or infinity) on a trial image")
    probabilities = outputs.get("probabilities")
    if probabilities is None:
        return
    low, high = probabilities.min(), probabilities.max()
    if low < -_SUM_TOLERANCE or high > 1 + _SUM_TOLERANCE:
        raise InvalidModel(f"probabilities must lie between 0 and 1, found {low:.3g} to {high:.3g}")
    sums = probabilities.sum(axis=1)
    if not model.card.multi_label and np.abs(sums - 1).max() > _SUM_TOLERANCE:
        raise InvalidModel(f"probabilities must sum to 1 where one label holds, found {sums.min():.3g}")


def _compare(name: str, found: NDArray[Any], expected: NDArray[Any], tolerance: float, whose: str) -> None:
    scale = max(1.0, float(np.abs(expected).max()))
    difference = float(np.abs(found.astype(np.float64) - expected).max())
    if difference > tolerance * scale:
        raise InvalidModel(
            f"its {name} differ by up to {difference:.3g} (of values up to {scale:.3g}; {tolerance * scale:.3g} is "
            f"allowed) from {whose}"
        )
