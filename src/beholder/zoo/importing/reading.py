"""How the answer of a graph from elsewhere becomes the outputs of the contract.

Its wiring says what its outputs may be; what it gives for the trial images says what they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from beholder.errors import InvalidModel, UsageError
from beholder.zoo.importing.conventions import Activation, Conventions
from beholder.zoo.importing.foreign import Ending, Foreign, Wiring, choose_output
from beholder.zoo.importing.nodes import Step, Tap
from beholder.zoo.importing.trial import probe

_USUAL_SCORES: Final = ("logits", "output", "scores", "probabilities")
_USUAL_EMBEDDINGS: Final = ("embedding", "embeddings", "image_embeds", "pooler_output")
_LENGTH_TOLERANCE: Final = 1e-3
_SUM_TOLERANCE: Final = 1e-4

Values = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Reading:
    """How the answer of a graph is read.

    Attributes:
        taps: the tensors of the original that outputs are made of, by the names of the contract.
        derived: an output that is computed of another one: its name, how, and of which; None for none.
        multi_label: whether several labels may hold of one image.
        normalized: whether its embeddings have length 1.
        expected: what the original gave for the trial inputs, by the names of the contract, one image a row.
    """

    taps: Mapping[str, Tap]
    derived: tuple[str, Step, str] | None
    multi_label: bool
    normalized: bool
    expected: Values


def read_embedder(foreign: Foreign, conventions: Conventions, inputs: NDArray[np.float64]) -> Reading:
    """Read a graph that gives an embedding.

    Args:
        foreign: the graph as it came.
        conventions: what is known of it.
        inputs: what to try it on, in its own layout and numbers.

    Raises:
        InvalidModel: it fails, or gives something else.
        UsageError: it gives several outputs, and which is meant is not said.
    """
    name = choose_output(foreign, conventions.output, _USUAL_EMBEDDINGS)
    return _reading({"embedding": name}, None, False, probe(foreign, inputs, [name]))


def read_contract(
    foreign: Foreign, names: Sequence[str], multi_label: bool | None, inputs: NDArray[np.float64]
) -> Reading:
    """Read a graph whose outputs have the names of the contract already; see `read_classifier`."""
    if multi_label is None and "probabilities" in names:
        multi_label = Wiring(foreign.model.graph).ending("probabilities")[0] == "sigmoid"
    return _reading({name: name for name in names}, None, bool(multi_label), probe(foreign, inputs, names))


def read_classifier(
    foreign: Foreign,
    conventions: Conventions,
    multi_label: bool | None,
    inputs: NDArray[np.float64],
) -> Reading:
    """Read a graph that gives a score for each class.

    Args:
        foreign: the graph as it came.
        conventions: what is known of it.
        multi_label: whether several labels may hold of one image; None: when it ends in a sigmoid.
        inputs: what to try it on, in its own layout and numbers.

    Raises:
        InvalidModel: it fails, or gives something else.
        UsageError: what is said of it does not fit, or it gives several outputs and which is meant is not said.
    """
    output = choose_output(foreign, conventions.output, _USUAL_SCORES)
    wiring = Wiring(foreign.model.graph)
    ending, logits = wiring.ending(output)
    embedding = wiring.classifier_input(logits) if conventions.embedding == "auto" else conventions.embedding
    if embedding is not None and embedding not in wiring.names:
        raise UsageError(f"embedding: the graph has no tensor {embedding!r}")
    values = probe(foreign, inputs, list(dict.fromkeys(filter(None, (output, logits, embedding)))))
    if _tap(output, values[output]).size == 1 and not (multi_label or ending == "sigmoid"):
        raise UsageError("the graph gives one value for each image: say that it is a score of its own by multi-label")
    if ending is None:
        multi_label, derived = _activation(conventions.activation, multi_label, values[output])
        names = {derived[2]: output}
    else:
        multi_label, derived = _fitting(ending, conventions.activation, multi_label), None
        names = {"probabilities": output, "logits": logits}
    if embedding is not None and (conventions.embedding != "auto" or _is_rows(values[embedding])):
        names["embedding"] = embedding
    return _reading(names, derived, multi_label, values)


def _reading(
    names: Mapping[str, str], derived: tuple[str, Step, str] | None, multi_label: bool, values: Values
) -> Reading:
    taps = {name: _tap(tensor, values[tensor]) for name, tensor in names.items()}
    expected = {name: values[tap.tensor].reshape(-1, tap.size) for name, tap in taps.items()}
    normalized = False
    if "embedding" in expected:
        lengths = np.linalg.norm(expected["embedding"].astype(np.float64), axis=1)
        normalized = bool(np.abs(lengths - 1).max() < _LENGTH_TOLERANCE)
    return Reading(taps, derived, multi_label, normalized, expected)


def _fitting(ending: Ending, wanted: Activation, multi_label: bool | None) -> bool:
    """Whether several labels may hold, by the activation at the end of the graph; what is said must agree."""
    if wanted in ("softmax", "sigmoid") and wanted != ending:
        raise UsageError(f"activation: the graph ends in {ending}, where {wanted} is asked for")
    if multi_label is not None and multi_label != (ending == "sigmoid"):
        several = "one label" if ending == "softmax" else "several labels"
        raise UsageError(f"multi-label: the graph ends in {ending}, so {several} may hold of an image")
    return ending == "sigmoid"


def _activation(
    wanted: Activation, multi_label: bool | None, values: NDArray[Any]
) -> tuple[bool, tuple[str, Step, str]]:
    """Whether several labels may hold, and what is to be computed, for a graph that does not end in an activation."""
    if wanted == "auto":
        wanted = "sigmoid" if multi_label else "none" if _sums_to_one(values) else "softmax"
    if wanted == "softmax" and multi_label:
        raise UsageError("activation: softmax is for one label an image, where multi-label is asked for")
    if wanted == "sigmoid" and multi_label is False:
        raise UsageError("activation: sigmoid is for several labels an image, where one is asked for")
    if wanted == "none":
        return bool(multi_label), ("logits", "log_odds" if multi_label else "log", "probabilities")
    return wanted == "sigmoid", ("probabilities", wanted, "logits")


def _sums_to_one(values: NDArray[Any]) -> bool:
    """Whether what should be raw scores are probabilities already, of a softmax that is written out in other nodes."""
    rows = values.reshape(len(values), -1).astype(np.float64)
    return bool(rows.min() >= 0 and np.abs(rows.sum(axis=1) - 1).max() < _SUM_TOLERANCE)


def _is_rows(values: NDArray[Any]) -> bool:
    """Whether a tensor is one row of numbers for each image, whatever further dimensions of size 1 it has."""
    sizes = values.shape[1:]
    return bool(sizes) and int(np.prod(sizes)) == max(sizes) and values.dtype.kind == "f"


def _tap(name: str, values: NDArray[Any]) -> Tap:
    if not _is_rows(values):
        shape = ", ".join(["N", *map(str, values.shape[1:])])
        raise InvalidModel(f"{name} must be one row of numbers for each image, found {values.dtype} [{shape}]")
    return Tap(name, max(values.shape[1:]), values.dtype == np.float32 and values.ndim == 2)
