"""From a file to a model that runs here."""

from __future__ import annotations

import os

from beholder.errors import InvalidModel
from beholder.image import Isolation, Limits
from beholder.model.card import ModelCard
from beholder.model.file import card_of, read_model
from beholder.model.inspection import inspect
from beholder.model.model import FileModel
from beholder.model.runtime import OnnxRuntime


def load_file(
    path: str | os.PathLike[str],
    *,
    device: str = "auto",
    limits: Limits | None = None,
    isolation: Isolation = "auto",
    exact: bool = False,
) -> FileModel:
    """Load a model file.

    Args:
        path: the file.
        device: `auto` for the fastest present, or one of `beholder.model.runtime.available_devices()`.
        limits: what an image may cost.
        isolation: which images are decoded in a worker that can be killed.
        exact: whether JPEGs are always decoded whole, even where the card allows a reduced scale.

    Raises:
        InvalidModel: damaged, hostile, or not what its card says.
    """
    data, card = read_model(path)
    try:
        return _load(data, card, device, limits, isolation, exact)
    except InvalidModel as error:
        raise type(error)(f"{os.fspath(path)}: {error}") from None


def load_bytes(
    data: bytes,
    *,
    device: str = "auto",
    limits: Limits | None = None,
    isolation: Isolation = "auto",
    exact: bool = False,
) -> FileModel:
    """Load a model from the bytes of its file; see `load_file`."""
    inspect(data)
    return _load(data, card_of(data), device, limits, isolation, exact)


def _load(
    data: bytes, card: ModelCard, device: str, limits: Limits | None, isolation: Isolation, exact: bool
) -> FileModel:
    runtime = OnnxRuntime(data, device)
    _check_shapes(card, runtime)
    return FileModel(card, runtime, limits=limits, isolation=isolation, exact=exact)


def _check_shapes(card: ModelCard, runtime: OnnxRuntime) -> None:
    """The graph's declared sizes must be those of the card."""
    for declared, stated in zip(runtime.input_hw, card.geometry.size_hw, strict=True):
        if declared is not None and declared != stated:
            raise InvalidModel(f"its input is {runtime.input_hw}, where its card says {card.geometry.size_hw}")
    sizes = {"embedding": card.embedding.dim if card.embedding else None}
    if card.task in ("classify", "segment"):
        sizes["probabilities"] = len(card.labels)
    for name, size in sizes.items():
        if size is None or name not in runtime.outputs:
            continue
        shape = runtime.output_shapes[name]
        if len(shape) < 2 or shape[1] not in (None, size):
            raise InvalidModel(f"its output {name} has shape {list(shape)}, where its card needs [N, {size}]")
