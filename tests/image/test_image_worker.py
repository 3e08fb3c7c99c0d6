"""Decoding in a process that can be killed without harm to the rest."""

import gc
import io
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import PIL.Image
import pytest
from encoding import encoded
from goldens import Golden, flat, goldens

from beholder.errors import ImageTimeout, ImageTooLarge, UnreadableImage
from beholder.image import Limits, Reader, read, worker
from beholder.image.worker import _decoded, _receive, _send

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and /proc are those of Unix")

GOOD = encoded(flat("RGB", (1, 2, 3)), "PNG")


def slow_jpeg() -> bytes:
    """Valid, small, and many seconds to decode: most of it are scans that change nothing."""
    data = encoded(PIL.Image.new("L", (6000, 6000), 9), "JPEG", progressive=True, quality=1)
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + scan * 600 + b"\xff\xd9"


@pytest.fixture
def reader():
    with Reader(Limits(timeout_seconds=20), isolation="always") as reader:
        yield reader


def worker_pid(reader: Reader) -> int:
    """The process id of the reader's only idle worker, started if there is none."""
    reader.read(GOOD, "good")
    (worker,) = reader._workers()._idle.queue
    return worker._process.pid


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stream:
            return stream.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ends_within(seconds: float, pid: int) -> bool:
    until = time.monotonic() + seconds
    while is_running(pid):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def test_worker_and_this_process_agree_on_every_golden(reader):
    with Reader(isolation="never") as here:
        for name, golden in goldens().items():
            there, mine = reader.read(golden.data, name), here.read(golden.data, name)
            assert np.array_equal(there.pixels, mine.pixels), name
            assert there.size_hw == mine.size_hw, name
            assert there.metadata == mine.metadata, name


def test_errors_of_worker_and_this_process_agree(reader):
    with Reader(isolation="never") as here:
        for data in (b"", b"text", GOOD[:45], goldens()["tiff"].data[:40], goldens()["avif"].data[:80]):
            with pytest.raises(UnreadableImage) as there:
                reader.read(data, "bad")
            with pytest.raises(UnreadableImage) as mine:
                here.read(data, "bad")
            assert str(there.value) == str(mine.value)


def test_worker_is_used_again(reader):
    assert worker_pid(reader) == worker_pid(reader)


def test_real_image_that_takes_too_long_is_given_up_and_the_next_is_answered():
    data = slow_jpeg()
    with Reader(Limits(timeout_seconds=1), isolation="always") as reader:
        reader.read(GOOD, "good")
        started = time.monotonic()
        with pytest.raises(ImageTimeout, match=r"slow.jpg: not decoded within 1 seconds"):
            reader.read(data, "slow.jpg")
        assert time.monotonic() - started < 5
        assert reader.read(GOOD, "good").size_hw == (4, 6)


def test_worker_that_hangs_is_killed_and_the_next_image_is_answered():
    with Reader(Limits(timeout_seconds=1), isolation="always") as reader:
        pid = worker_pid(reader)
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(ImageTimeout):
            reader.read(GOOD, "good")
        assert ends_within(5, pid)
        assert reader.read(GOOD, "good").size_hw == (4, 6)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_worker_that_died_while_idle_harms_no_image(reader, number):
    pid = worker_pid(reader)
    os.kill(pid, number)
    assert ends_within(5, pid)
    assert reader.read(GOOD, "good").size_hw == (4, 6)


def test_crash_of_a_decoder_harms_only_its_image(reader):
    pid = worker_pid(reader)
    killer = threading.Timer(0.5, os.kill, (pid, signal.SIGSEGV))
    killer.start()
    with pytest.raises(UnreadableImage, match=r"slow: .*its decoder crashed \(status -11\); only this image is lost"):
        reader.read(slow_jpeg(), "slow")
    killer.join()
    assert reader.read(GOOD, "good").size_hw == (4, 6)


def test_memory_is_limited_and_the_next_image_is_answered():
    large = encoded(PIL.Image.new("L", (8000, 8000), 9), "PNG")
    with Reader(Limits(worker_memory_bytes=100 * 2**20), isolation="always") as reader:
        with pytest.raises(
            ImageTooLarge, match=r"8,000 x 8,000 pixels needs too much memory; a worker may use 104,857"
        ):
            reader.read(large, "large")
        assert reader.read(GOOD, "good").size_hw == (4, 6)
    assert read(large, isolation="always").size_hw == (8000, 8000)


def test_jpeg_that_may_be_reduced_is_sent_once(reader, monkeypatch):
    data = encoded(flat("RGB", (9, 9, 9)).resize((640, 480)), "JPEG")
    sent = []
    monkeypatch.setattr(
        worker, "_send", lambda stream, head, payload: (sent.append(payload), _send(stream, head, payload))
    )
    image = reader.read(data, "a", lambda _: 0.25)
    assert (image.size_hw, image.pil.size) == ((480, 640), (160, 120))
    assert sent == [data, b""]


def test_nothing_is_left_of_the_image_before(reader):
    """Not of one whose size was asked for and whose pixels never were."""
    worker_pid(reader)
    good = encoded(flat("RGB", (9, 9, 9)), "JPEG")
    with pytest.raises(ZeroDivisionError):
        reader.read(good, "good", lambda _: 1 // 0)
    with pytest.raises(UnreadableImage, match="the file is empty"):
        reader.read(b"", "empty")
    with pytest.raises(UnreadableImage):
        reader.read(good[:10], "cut", lambda _: 0.5)
    assert len(reader._workers()._idle.queue) == 1


def test_interrupt_from_the_keyboard_is_left_to_the_parent(reader):
    pid = worker_pid(reader)
    os.kill(pid, signal.SIGINT)
    assert worker_pid(reader) == pid


def test_many_threads_share_a_reader(reader):
    images = [encoded(flat("RGB", (index, 0, 0)), "PNG") for index in range(40)]
    with ThreadPoolExecutor(4) as threads:
        seen = list(threads.map(lambda data: int(reader.read(data, "x").pixels[0, 0, 0]), images))
    assert seen == list(range(40))
    assert len(reader._workers()._idle.queue) <= 4


def test_other_limits_need_another_worker(reader):
    pid = worker_pid(reader)
    reader.limits = Limits(max_pixels=5)
    with pytest.raises(ImageTooLarge, match="at most 5"):
        reader.read(GOOD, "good")
    assert ends_within(5, pid)


def test_no_process_is_left_when_closed(reader):
    pid = worker_pid(reader)
    reader.close()
    assert not is_running(pid)


def test_no_process_is_left_when_forgotten():
    reader = Reader(isolation="always")
    pid = worker_pid(reader)
    del reader
    gc.collect()
    assert not is_running(pid)


PARENT = """
import sys, threading
from beholder.image import Limits, Reader
reader = Reader(Limits(timeout_seconds=2), isolation="always")
reader.read(open(sys.argv[1], "rb").read(), "good")
(worker,) = reader._workers()._idle.queue
print(worker._process.pid, flush=True)
data = sys.stdin.buffer.read()
reader.read(data, "slow") if data else threading.Event().wait()
"""


@pytest.mark.parametrize("busy", [False, True])
def test_worker_ends_when_its_parent_is_killed(busy, tmp_path):
    (tmp_path / "good.png").write_bytes(GOOD)
    command = [sys.executable, "-c", PARENT, str(tmp_path / "good.png")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        if busy:
            parent.stdin.write(slow_jpeg())
        parent.stdin.close()
        time.sleep(0.5)
        parent.kill()
    assert ends_within(10, pid)


def test_modules_in_the_current_folder_are_not_run(tmp_path, monkeypatch):
    for name in ("json", "struct", "PIL", "datetime", "beholder"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('hostile')")
    monkeypatch.chdir(tmp_path)
    assert read(GOOD, isolation="always").size_hw == (4, 6)


@pytest.mark.parametrize(("program", "why"), [("/nowhere/python", "No such file"), ("/bin/false", "it ends at once")])
def test_worker_that_cannot_be_started_is_an_error_of_the_image(program, why, monkeypatch):
    monkeypatch.setattr(sys, "executable", program)
    with pytest.raises(UnreadableImage, match=f"its decoding worker cannot be started: .*{why}"):
        read(GOOD, isolation="always")


def test_answers_of_a_worker_are_not_believed_unchecked():
    stream = io.BytesIO()
    _send(stream, {"a": 1}, b"12345")
    assert _receive(io.BytesIO(stream.getvalue()), 5) == ({"a": 1}, b"12345")
    for data, most in ((stream.getvalue(), 4), (b"\xff" * 50, 5), (stream.getvalue()[:-1], 5), (b"", 5)):
        with pytest.raises(EOFError):
            _receive(io.BytesIO(data), most)
    golden: Golden = goldens()["png"]
    said = read(golden.data).metadata
    head = {"size_hw": [4, 6], "pixels_wh": [6, 4], "metadata": {**vars_of(said)}}
    assert _decoded(head, bytes(72)).size_hw == (4, 6)
    for wrong in ({"pixels_wh": [600, 4]}, {"pixels_wh": [-1, 4]}, {"size_hw": 3}, {"metadata": {"x": 1}}):
        with pytest.raises((ValueError, TypeError, KeyError)):
            _decoded({**head, **wrong}, bytes(72))


def vars_of(metadata) -> dict:
    return dict(vars(metadata))
