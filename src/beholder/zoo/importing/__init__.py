"""Making a model file of an ONNX file from elsewhere.

The graph is inspected, run as it came, grafted so that it obeys the contract of the model file, run again and compared.
Only then is anything written.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from beholder.errors import InvalidModel, OutputExists, UsageError
from beholder.files import digest, write_atomic
from beholder.model import EmbeddingSpace, Geometry, ModelCard, Provenance
from beholder.model.card import Task
from beholder.model.file import embedding_space, graph_digest_of, with_card
from beholder.model.loading import load_bytes
from beholder.zoo.importing.conventions import Conventions
from beholder.zoo.importing.foreign import FLOAT16, UINT8, Foreign, Layout, read_foreign
from beholder.zoo.importing.grafting import OPSET, graft, only_stock
from beholder.zoo.importing.labels import check_label
from beholder.zoo.importing.nodes import Plan
from beholder.zoo.importing.reading import Reading, read_classifier, read_contract, read_embedder
from beholder.zoo.importing.trial import (
    FIXED_BATCH,
    TOLERANCE,
    TOLERANCE_FLOAT16,
    check_answers,
    serialized,
    trial_images,
)

TASKS: Final[tuple[Task, ...]] = ("classify", "embed")
"""What can be imported: what graphs for other tasks give has no common form."""

_OUTPUTS: Final = {"classify": ("probabilities", "logits", "embedding"), "embed": ("embedding",)}
"""The outputs of the contract, the needed one first."""


def import_model(
    source: str | os.PathLike[str] | Foreign,
    out: str | os.PathLike[str],
    *,
    name: str,
    geometry: Geometry,
    conventions: Conventions | None = None,
    task: Task = "classify",
    labels: Sequence[str] | None = None,
    multi_label: bool | None = None,
    description: str = "",
    provenance: Provenance | None = None,
    overwrite: bool = False,
) -> ModelCard:
    """Make a model file of an ONNX file from elsewhere.

    Args:
        source: an ONNX file with its weights inside, of stock operators, with one input of images: float, float16,
            double or uint8, NCHW or NHWC; or what `read_foreign` made of one.
        out: the model file to make.
        name: a short name for the card.
        geometry: how an image becomes the input.
        conventions: what the graph expects and gives; those of `Conventions()` when None.
        task: `classify` or `embed`.
        labels: class names in the order of the outputs; for classify.
        multi_label: whether several labels may hold of one image; None: when the graph ends in a sigmoid.
        description: what the model knows, for the card.
        provenance: where it comes from, for the card; the name and digest of the source are added where it says none.
        overwrite: whether an existing file may be replaced.

    Returns:
        The card of the file that was made.

    Raises:
        InvalidModel: the source is damaged or hostile, or does not give what the task needs, or the made file would not
            answer as the source does.
        UsageError: an option does not fit the graph, or the task cannot be imported.
        OutputExists: `out` exists.
    """
    if task not in TASKS:
        raise UsageError(
            f"task: {' and '.join(TASKS)} can be imported; graphs that {task} have no common form of answer"
        )
    if (labels is None) != (task == "embed"):
        raise UsageError(f"labels: must be given for classify, and only there; the task is {task}")
    for label in labels or ():
        check_label(label)
    _check_out(source.path if isinstance(source, Foreign) else source, out, overwrite)
    foreign = source if isinstance(source, Foreign) else read_foreign(source)
    origin = provenance or Provenance()
    origin = replace(
        origin,
        weights_source=origin.weights_source or Path(foreign.path).name,
        weights_digest=origin.weights_digest or digest(foreign.data),
    )
    wanted = _Wanted(name, task, geometry, tuple(labels or ()), multi_label, description, origin)
    try:
        data, card = _make(foreign, wanted, conventions or Conventions())
    except (InvalidModel, UsageError) as error:
        raise type(error)(f"{foreign.path}: {error}") from error
    with write_atomic(out, overwrite=overwrite) as stream:
        stream.write(data)
    return card


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the made file is to say of itself."""

    name: str
    task: Task
    geometry: Geometry
    labels: tuple[str, ...]
    multi_label: bool | None
    description: str
    provenance: Provenance


def _check_out(source: str | os.PathLike[str], out: str | os.PathLike[str], overwrite: bool) -> None:
    """Say that the file exists before the work is done rather than after it."""
    path = Path(out)
    if path.exists() and Path(source).exists() and path.samefile(source):
        raise UsageError(f"{path}: is the file to import, which stays as it is; choose another name")
    if path.exists() and not overwrite:
        raise OutputExists(f"{path}: exists already; choose another name or pass --force")


def _make(foreign: Foreign, wanted: _Wanted, conventions: Conventions) -> tuple[bytes, ModelCard]:
    """The bytes of the model file, tried and compared with the original, and its card."""
    layout = foreign.layout(conventions.layout)
    _check_size(foreign.size_hw(layout), wanted.geometry.size_hw)
    gain, offset = conventions.arithmetic(foreign.input.type)
    images = trial_images(wanted.geometry.size_hw)
    swap = conventions.order == "bgr"
    inputs = (images[..., ::-1] if swap else images) * gain + offset
    if layout == "nchw":
        inputs = inputs.transpose(0, 3, 1, 2)
    if _obeys(foreign, layout, wanted.task) and conventions == Conventions():
        names = [name for name in _OUTPUTS[wanted.task] if name in foreign.outputs]
        reading = read_contract(foreign, names, wanted.multi_label, inputs)
        graph = foreign.data
    else:
        if wanted.task == "embed":
            reading = read_embedder(foreign, conventions, inputs)
        else:
            reading = read_classifier(foreign, conventions, wanted.multi_label, inputs)
        size_hw = wanted.geometry.size_hw
        plan = Plan(foreign.input, layout, size_hw, gain, offset, swap, reading.taps, reading.derived)
        graph = serialized(graft(foreign.model, plan))
    card = _card(wanted, reading, graph)
    data = with_card(graph, card)
    tolerance = TOLERANCE_FLOAT16 if foreign.input.type == FLOAT16 else TOLERANCE
    try:
        model = load_bytes(data, device="cpu")
    except InvalidModel as error:
        if foreign.batch is None:
            raise
        raise InvalidModel(FIXED_BATCH) from error  # its original was just run: opening its batch has broken it
    check_answers(model, images, reading.expected, tolerance)
    return data, card


def _check_size(declared_hw: tuple[int | None, int | None], asked_hw: tuple[int, int]) -> None:
    if any(declared not in (None, asked) for declared, asked in zip(declared_hw, asked_hw, strict=True)):
        takes = " x ".join("any" if size is None else str(size) for size in declared_hw)
        raise UsageError(f"size: the graph takes {takes} (height x width), found {asked_hw[0]} x {asked_hw[1]}")


def _obeys(foreign: Foreign, layout: Layout, task: Task) -> bool:
    """Whether the graph needs nothing but a card."""
    has_input = (foreign.input.name, foreign.input.type, layout) == ("image", UINT8, "nhwc")
    has_outputs = _OUTPUTS[task][0] in foreign.outputs
    return has_input and has_outputs and foreign.batch is None and foreign.opset >= OPSET and only_stock(foreign.model)


def _card(wanted: _Wanted, reading: Reading, graph: bytes) -> ModelCard:
    scores = reading.taps.get("probabilities") or reading.taps.get("logits")
    if scores is not None and scores.size != len(wanted.labels):
        found = f"{len(wanted.labels):,}"
        raise UsageError(f"labels: must be {scores.size:,}, one for each value that the graph gives; found {found}")
    embedding = None
    if "embedding" in reading.taps:
        space = embedding_space(graph_digest_of(graph), wanted.geometry)
        embedding = EmbeddingSpace(space, reading.taps["embedding"].size, reading.normalized, "cosine")
    return ModelCard(
        name=wanted.name,
        task=wanted.task,
        description=wanted.description,
        geometry=wanted.geometry,
        labels=wanted.labels,
        multi_label=reading.multi_label,
        embedding=embedding,
        provenance=wanted.provenance,
    )
