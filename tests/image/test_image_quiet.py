"""Reading says nothing of its own, changes nothing in the process, and works from many threads at once."""

import io
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import PIL.Image
import pytest
from encoding import encoded
from goldens import flat, goldens

from beholder.image import Reader, read
from beholder.image.quiet import QuietPillow, quiet_pillow


def damaged_exif() -> bytes:
    """A JPEG that makes Pillow warn of its EXIF."""
    exif = PIL.Image.Exif()
    exif[271] = "Maker"
    data = encoded(flat("RGB", (9, 9, 9)), "JPEG", exif=exif)
    start = data.index(b"Exif") + 6
    return data[: start + 8] + b"\xc8\xc8" + data[start + 10 :]  # it claims 51,400 tags


def test_damage_makes_pillow_warn():
    """Otherwise the next tests would show nothing."""
    with pytest.warns(UserWarning, match="EXIF"), PIL.Image.open(io.BytesIO(damaged_exif())) as opened:
        opened.getexif()


@pytest.mark.parametrize("isolation", ["never", "always"])
def test_damaged_exif_gives_the_same_answer_where_warnings_are_errors(isolation):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = read(damaged_exif(), isolation=isolation)
    assert image.size_hw == (4, 6)
    assert image.metadata.format == "JPEG"


def test_filters_of_warnings_are_as_before():
    before = list(warnings.filters)
    read(damaged_exif())
    assert list(warnings.filters) == before


def test_filter_stays_while_any_thread_is_inside_and_others_may_change_theirs():
    quiet = QuietPillow()
    before = list(warnings.filters)
    inside, leave = threading.Event(), threading.Event()

    def other():
        with quiet:
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with quiet:
        thread.start()
        assert inside.wait(10)
    assert warnings.filters[0] not in before
    warnings.filterwarnings("ignore", "mine")
    leave.set()
    thread.join()
    assert warnings.filters[0][1].pattern == "mine"
    assert list(warnings.filters[1:]) == before


def test_context_may_be_nested():
    before = list(warnings.filters)
    with quiet_pillow, quiet_pillow:
        assert len(warnings.filters) == len(before) + 1
    assert list(warnings.filters) == before


THREADS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from beholder.image import Reader
data = open(sys.argv[1], "rb").read()
with Reader(isolation="never") as reader, ThreadPoolExecutor(16) as threads:
    print(sum(threads.map(lambda _: reader.read(data, "x").pil.width, range(64))))
"""


def test_plug_ins_of_pillow_are_loaded_by_many_threads_at_once(tmp_path):
    (tmp_path / "a.tif").write_bytes(goldens()["tiff lzw"].data)
    command = [sys.executable, "-c", THREADS, str(tmp_path / "a.tif")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == (f"{6 * 64}\n", "")


def test_one_reader_in_many_threads():
    named = [(name, golden.data) for name, golden in goldens().items()] * 3
    with Reader() as reader, ThreadPoolExecutor(8) as threads:
        many = list(threads.map(lambda each: reader.read(each[1], each[0]).pixels.tobytes(), named))
    with Reader() as reader:
        assert many == [reader.read(data, name).pixels.tobytes() for name, data in named]
