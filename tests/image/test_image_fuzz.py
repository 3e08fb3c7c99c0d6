"""A thousand damaged images: each is answered or gives an error of one line, within bounds, and the others go on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutating import mutations, seeds

from beholder.errors import ImageError
from beholder.image import Limits, Reader, read
from beholder.image.formats import looks_like_image, webp_size, why_unreadable

COUNT = 1000


@pytest.mark.skipif(sys.platform == "win32", reason="measures memory as Unix does")
@pytest.mark.parametrize("isolation", ["auto", "always", "never"])
def test_mutated_images(isolation):
    """In a process of its own, where warnings are errors, so that a crash would be seen and memory can be measured."""
    program = Path(__file__).with_name("mutating.py")
    command = [sys.executable, "-W", "error", str(program), str(COUNT), "20260101", isolation]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["wrong"] == []
    assert told["slowest"][0] < 12
    assert told["good"] == COUNT // 10
    assert max(told["mebibytes"]) < 1500
    assert told["answered"] > COUNT / 10
    assert told["unreadable_image"] > COUNT / 10


def test_seeds_are_good_and_mutations_are_the_same_every_time():
    with Reader(isolation="never") as reader:
        for name, data in seeds().items():
            assert min(reader.read(data, name).size_hw) >= 40
    assert list(mutations(50, 3)) == list(mutations(50, 3))


@given(st.binary(max_size=300))
def test_random_bytes(data):
    try:
        read(data, isolation="never", limits=Limits(max_pixels=10_000))
    except ImageError as error:
        assert "\n" not in str(error)


MAGIC = (
    b"\xff\xd8\xff\xe0",
    b"\x89PNG\r\n\x1a\n",
    b"GIF89a",
    b"BM",
    b"RIFF\0\0\0\0WEBPVP8X",
    b"II*\0",
    b"\0\0\0\x20ftypavif",
)


@given(st.sampled_from(MAGIC), st.binary(max_size=200))
def test_random_bytes_after_a_good_beginning(magic, rest):
    try:
        read(magic + rest, isolation="never", limits=Limits(max_pixels=10_000))
    except ImageError as error:
        assert "\n" not in str(error)


@given(st.binary(max_size=64))
def test_sniffing_takes_any_bytes(head):
    assert looks_like_image(head) in (True, False)
    assert why_unreadable(head)
    assert webp_size(b"RIFF\0\0\0\0WEBP" + head) is None or min(webp_size(b"RIFF\0\0\0\0WEBP" + head)) >= 0
