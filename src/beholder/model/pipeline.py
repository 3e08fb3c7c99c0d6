"""Many inputs through one function, in order, with bounded memory.

Each thread takes a small batch through everything: it reads, decodes, computes and gives back results. While one thread
decodes, another computes, so no core waits, and there is no queue between stages that could fill up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from typing import TYPE_CHECKING, TypeVar

from beholder.image import Input

if TYPE_CHECKING:
    from concurrent.futures import Future

Out = TypeVar("Out")


def run_batches(
    inputs: Iterable[Input], process: Callable[[list[Input]], list[Out]], batch_size: int, threads: int
) -> Iterator[Out]:
    """Apply `process` to batches of inputs in several threads; yield what it gives in the order of the inputs.

    An input from a live source is answered before the next one is asked for, which may take long to come. When the
    inputs raise, those before are answered first.

    Args:
        inputs: taken one at a time, never more than are being worked on and two batches per thread ahead.
        process: from a batch to as many results; must not raise for a bad input.
        batch_size: inputs in a batch; the first ones are smaller, so that the first answer comes soon.
        threads: how many batches are worked on at a time.
    """
    failures: list[Exception] = []
    yield from _run(_batches(_until_failure(inputs, failures), batch_size, threads), process, threads)
    if failures:
        raise failures.pop()


def _until_failure(inputs: Iterable[Input], failures: list[Exception]) -> Iterator[Input]:
    try:
        yield from inputs
    except Exception as error:
        failures.append(error)


def _run(batches: Iterator[list[Input]], process: Callable[[list[Input]], list[Out]], threads: int) -> Iterator[Out]:
    head = next(batches, None)
    while head is not None and head[0].live:  # answered before the next is waited for
        yield from process(head)
        head = next(batches, None)
    if head is None:
        return
    following = next(batches, None)
    if following is None:  # one small batch: no threads, so that a single image has no cost of its own
        yield from process(head)
        return
    from concurrent.futures import ThreadPoolExecutor

    pending: deque[Future[list[Out]]] = deque()
    executor = ThreadPoolExecutor(threads, thread_name_prefix="beholder")
    try:
        for batch in chain((head, following), batches):
            pending.append(executor.submit(process, batch))
            while len(pending) > 2 * threads or (pending and (batch[-1].live or pending[0].done())):
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _batches(inputs: Iterator[Input], batch_size: int, threads: int) -> Iterator[list[Input]]:
    """Batches of 1, then 2, then full; one at a time from a live source, where waiting for more would be delay."""
    ramp = chain(repeat(1, threads), repeat(min(2, batch_size), threads), repeat(batch_size))
    for size in ramp:
        batch: list[Input] = []
        for found in inputs:
            batch.append(found)
            if found.live or len(batch) == size:
                break
        if not batch:
            return
        yield batch
