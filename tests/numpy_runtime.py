"""A `Runtime` that runs numpy functions in place of a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import graphs


class NumpyRuntime:
    """Each output is a function of the batch, uint8 `(N, h, w, 3)`."""

    device = "cpu"
    batch_size = 4
    threads = 2

    def __init__(self, functions: Mapping[str, Callable[[np.ndarray], Any]]) -> None:
        self.outputs = tuple(functions)
        self.functions = functions

    def run(self, images: np.ndarray, outputs: Sequence[str]) -> dict[str, Any]:
        return {name: self.functions[name](images) for name in outputs}


def constant(row: Any) -> Callable[[np.ndarray], np.ndarray]:
    """The same values for every image."""
    return lambda images: np.repeat(np.asarray(row)[None], len(images), axis=0)


def mean_color() -> NumpyRuntime:
    """What `graphs.build_graph("classify", …)` computes."""
    return NumpyRuntime({"probabilities": lambda x: _softmax(_mean(x)), "embedding": _mean})


def _mean(images: np.ndarray) -> np.ndarray:
    return (images.mean(axis=(1, 2), dtype=np.float64) / 255).astype(np.float32)


def _softmax(means: np.ndarray) -> np.ndarray:
    return graphs.softmax(graphs.SHARPNESS * means).astype(np.float32)
