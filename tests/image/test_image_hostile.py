"""Files made to crash, hang or exhaust decoders: an answer or an error of one line, and the others answered."""

import csv
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from beholder.errors import ImageError
from beholder.image import Limits, Reader, expand

MOST_SECONDS = 20.0
MOST_MEBIBYTES = 1024

# Reads every file under a folder, and says what came of each and what all of it cost.
PROGRAM = """
import json, resource, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from beholder.errors import ImageError
from beholder.image import Limits, Reader, expand

root, seconds, isolation = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30, 8 * 2**30))
reader = Reader(Limits(timeout_seconds=seconds), isolation)

def answer(path):
    for found in expand(path, reader.limits):
        started = time.monotonic()
        said = {"file": str(path.relative_to(root)), "name": found.name, "error": None}
        try:
            reader.read(found.load(), found.name).metadata
        except ImageError as error:
            said["error"] = str(error)
        yield {**said, "seconds": time.monotonic() - started}

files = sorted(path for path in root.rglob("*") if path.is_file())
with reader, ThreadPoolExecutor(2) as threads:
    for lines in threads.map(lambda path: list(answer(path)), files):
        for line in lines:
            print(json.dumps(line))
of = lambda who: resource.getrusage(who).ru_maxrss // 1024
print(json.dumps({"mebibytes": [of(resource.RUSAGE_SELF), of(resource.RUSAGE_CHILDREN)]}))
"""

# Names the files under a folder that Pillow alone reads.
PILLOW = """
import sys, warnings
from pathlib import Path
import PIL.Image
warnings.simplefilter("ignore")
for path in sorted(Path(sys.argv[1]).rglob("*")):
    try:
        with PIL.Image.open(path) as opened:
            opened.convert("RGB")
        print(path.relative_to(sys.argv[1]))
    except Exception:
        pass
"""


@pytest.fixture(scope="module", params=["auto", "always"])
def told(request, test_images) -> list[dict]:
    """What the program said of all files, one line for each image."""
    if sys.platform == "win32":
        pytest.skip("limits on a process are those of Unix")
    command = [sys.executable, "-c", PROGRAM, str(test_images / "hostile_files"), str(MOST_SECONDS), request.param]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def pillow_reads(test_images) -> set[str]:
    command = [sys.executable, "-c", PILLOW, str(test_images / "hostile_files")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=True)
    return set(done.stdout.splitlines())


def answers(told: list[dict]) -> Iterator[dict]:
    return (line for line in told if "file" in line)


def test_every_file_gives_an_answer_or_an_error_of_one_line(told, test_images):
    files = [path for path in (test_images / "hostile_files").rglob("*") if path.is_file()]
    assert len({line["file"] for line in answers(told)}) == len(files) > 150
    for line in answers(told):
        if line["error"] is not None:
            assert line["error"].startswith(line["name"])
            assert "\n" not in line["error"]
            assert len(line["error"]) < len(line["name"]) + 220


def test_no_file_takes_longer_than_allowed(told):
    slowest = max(answers(told), key=lambda line: line["seconds"])
    assert slowest["seconds"] < MOST_SECONDS + 2, slowest


def test_memory_is_bounded(told):
    (line,) = (line for line in told if "mebibytes" in line)
    assert max(line["mebibytes"]) < MOST_MEBIBYTES


def test_what_pillow_reads_is_answered(told, pillow_reads):
    assert len(pillow_reads) > 70
    assert pillow_reads <= {line["file"] for line in answers(told) if line["error"] is None}


def test_every_expectation_is_met(told, test_images):
    with open(test_images / "hostile_files" / "expected.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 26
    for row in rows:
        errors = [line["error"] for line in answers(told) if line["file"] == row["file"]]
        assert errors, row
        if row["expected"] == "refuse":
            assert None not in errors, row
        elif row["expected"] == "decode":
            assert errors == [None], row
        elif row["expected"] == "refuse members":
            assert len([error for error in errors if error]) == 2, row
        else:
            assert row["expected"] in ("may decode", "no memory blow-up", "bounded work", "no hang")


def test_valid_files_of_many_formats_are_answered(told):
    valid = [line for line in answers(told) if line["file"].startswith("formats_ok")]
    assert len(valid) == 53
    assert [line for line in valid if line["error"]] == []


def test_members_of_a_hostile_archive(test_images):
    archive = test_images / "hostile_files" / "made" / "zip_path_traversal.zip"
    good, refused = [], []
    with Reader() as reader:
        for found in expand(archive, Limits()):
            try:
                good.append((found.name.partition("!/")[2], reader.read(found.load(), found.name).size_hw))
            except ImageError as error:
                refused.append(error.reason)
    assert good == [("ok/a.jpg", (240, 320))]
    assert refused == ["refused: its name points outside the archive"] * 2
