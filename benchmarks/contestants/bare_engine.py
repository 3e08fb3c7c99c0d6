"""ONNX Runtime alone, on tensors that lie ready in memory: the bound. Arguments: FOLDER CALLS THREADS BATCH.

So many calls run at a time, of so many threads each. The tensors are those that Beholder makes of the folder, the file
is Beholder's; nothing is decoded, resized or sorted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
from turns import Answer, take_turns

import beholder
from beholder.image import Limits, expand
from beholder.zoo import find

OUTPUT = "probabilities"


def load(folder: str) -> Callable[[], Iterable[Answer]]:
    calls, threads, batch = map(int, sys.argv[2:5])
    model = beholder.load()
    tensors = np.stack([model.prepare(found).pixels for found in expand(folder, Limits())])
    batches = [tensors[start : start + batch] for start in range(0, len(tensors), batch)]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(find("efficientnet-lite0"), options, providers=["CPUExecutionProvider"])
    executor = ThreadPoolExecutor(calls)

    def run(images: np.ndarray) -> np.ndarray:
        return session.run([OUTPUT], {"image": images})[0]

    def work() -> Iterator[Answer]:
        for probabilities in executor.map(run, batches):
            for _ in probabilities:
                yield "", []

    return work


if __name__ == "__main__":
    take_turns(load)
