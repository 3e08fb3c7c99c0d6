"""Many inputs through one function: order, bounds, failures, and an early end."""

import gc
import itertools
import random
import threading
import time
import tracemalloc

import numpy as np
import pytest

import graphs
from beholder.errors import UsageError
from beholder.image import Input
from beholder.model import FileModel
from beholder.model.pipeline import run_batches
from numpy_runtime import mean_color


def inputs(count, live=False):
    return [Input(str(index), bytes, live=live) for index in range(count)]


def names(batch):
    return [found.name for found in batch]


def own_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("beholder")]


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_order_is_kept(threads, batch_size):
    chance = random.Random(0)
    delays = {str(index): chance.random() / 500 for index in range(60)}

    def slowly(batch):
        time.sleep(sum(delays[found.name] for found in batch))
        return names(batch)

    assert list(run_batches(inputs(60), slowly, batch_size, threads)) == names(inputs(60))
    assert own_threads() == []


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_inputs(count):
    assert list(run_batches(inputs(count), names, 4, 2)) == names(inputs(count))


def test_one_input_needs_no_thread():
    seen = []
    list(run_batches(inputs(1), lambda batch: seen.append(threading.current_thread()) or batch, 4, 2))
    assert seen == [threading.main_thread()]


def test_batches_grow():
    sizes = []
    list(run_batches(inputs(30), lambda batch: sizes.append(len(batch)) or batch, 4, 1))
    assert sizes == [1, 2, 4, 4, 4, 4, 4, 4, 3]
    sizes.clear()
    list(run_batches(inputs(8), lambda batch: sizes.append(len(batch)) or batch, 1, 2))
    assert sizes == [1] * 8


@pytest.mark.parametrize(("batch_size", "threads"), [(1, 1), (4, 2), (4, 8)])
def test_look_ahead_is_bounded(batch_size, threads):
    taken = given = most = 0

    def counted():
        nonlocal taken, most
        for found in inputs(400):
            taken += 1
            most = max(most, taken - given)
            yield found

    hold = threading.Event()
    for answer in run_batches(counted(), lambda batch: [hold.wait(0.002), *names(batch)][1:], batch_size, threads):
        given += 1
        assert answer == str(given - 1)
    assert most <= (2 * threads + 2) * batch_size


def test_a_slow_reader_stops_the_rest():
    """Nobody asks for the next answer, so nothing more is taken."""
    taken = 0

    def counted():
        nonlocal taken
        for found in inputs(1000):
            taken += 1
            yield found

    stream = run_batches(counted(), names, 2, 2)
    next(stream)
    time.sleep(0.05)
    before = taken
    time.sleep(0.05)
    assert taken == before <= 12
    stream.close()


def test_closing_early_ends_the_threads():
    closed = []

    def endless():
        try:
            yield from (Input(str(index), bytes) for index in itertools.count())
        finally:
            closed.append(True)

    stream = run_batches(endless(), names, 2, 3)
    assert list(itertools.islice(stream, 20)) == names(inputs(20))
    assert own_threads()
    stream.close()
    assert own_threads() == []
    del stream
    gc.collect()
    assert closed == [True]


@pytest.mark.parametrize("place", [0, 1, 7, 29])
def test_what_the_function_raises_comes_through(place):
    def fail(batch):
        if str(place) in names(batch):
            raise RuntimeError("on purpose")
        return names(batch)

    stream = run_batches(inputs(30), fail, 2, 2)
    given = []
    with pytest.raises(RuntimeError, match="on purpose"):
        given.extend(stream)
    assert given == names(inputs(30))[: len(given)]
    assert own_threads() == []


def test_what_the_inputs_raise_comes_through():
    def broken():
        yield from inputs(9)
        raise OSError("unplugged")

    with pytest.raises(OSError, match="unplugged"):
        list(run_batches(broken(), names, 2, 2))
    assert own_threads() == []


@pytest.mark.parametrize("count", [0, 1, 2, 9, 40])
@pytest.mark.parametrize("live", [False, True])
def test_what_came_before_is_answered_when_the_inputs_raise(count, live):
    def broken():
        yield from inputs(count, live)
        raise OSError("unplugged")

    given = []
    with pytest.raises(OSError, match="unplugged"):
        for answer in run_batches(broken(), names, 4, 2):
            given.append(answer)
    assert given == names(inputs(count))
    assert own_threads() == []


def test_what_is_no_image_at_all_ends_the_run_after_the_answers_before():
    model = FileModel(graphs.make_card("classify"), mean_color())
    answers = model.predict_many([graphs.photo((25, 40)), 5])
    assert next(answers).size_hw == (25, 40)
    with pytest.raises(UsageError, match="found int"):
        next(answers)


@pytest.mark.parametrize("before", [0, 1, 5])
def test_a_live_source_is_answered_before_it_gives_the_next(before):
    given = []

    def camera():
        for index in range(before):
            yield Input(f"file {index}", bytes)
        for index in range(6):
            if index:
                assert given[-1] == f"frame {index - 1}"
            yield Input(f"frame {index}", bytes, live=True)

    for answer in run_batches(camera(), names, 4, 2):
        given.append(answer)
    assert given == [f"file {index}" for index in range(before)] + [f"frame {index}" for index in range(6)]


def test_batches_are_worked_on_at_the_same_time():
    together = threading.Barrier(3, timeout=20)
    assert list(run_batches(inputs(3), lambda batch: [together.wait() >= 0], 1, 3)) == [True] * 3


def test_memory_does_not_grow_with_the_number_of_images():
    """300 images of 300 kB, of which a handful is held at a time."""
    model = FileModel(graphs.make_card("classify"), mean_color())

    def pictures():
        for index in range(300):
            yield graphs.photo((250, 400), red=(0, 0, 100 + index, 100))

    def peak(stream, skip):
        for _ in itertools.islice(stream, skip):
            pass
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        for _ in stream:
            pass
        return tracemalloc.get_traced_memory()[1] - before

    tracemalloc.start()
    try:
        assert peak(model.predict_many(pictures(), batch_size=2), 30) < 15e6
    finally:
        tracemalloc.stop()


def test_results_of_a_video_do_not_hold_its_frames(tmp_path):
    """200 frames of 230 kB, all of whose results are kept, and can still be drawn."""
    cv2 = pytest.importorskip("cv2", reason="needs OpenCV: pip install 'beholder[video]'")
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25.0, (320, 240))
    if not writer.isOpened():
        pytest.skip("this build of OpenCV writes no Motion JPEG")
    for index in range(200):
        writer.write(np.full((240, 320, 3), index, np.uint8))
    writer.release()
    model = FileModel(graphs.make_card("classify"), mean_color())
    tracemalloc.start()
    try:
        kept = list(model.predict_many(str(path)))
        assert tracemalloc.get_traced_memory()[0] < 10e6
    finally:
        tracemalloc.stop()
    assert len(kept) == 200
    assert abs(int(kept[150]._pixels()[120, 160, 0]) - 150) < 5
