"""`beholder predict`: forms of output, exit statuses, what goes where."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import PIL.Image
import pytest
from running import Command

import beholder as package


def test_json_is_one_object_a_line_in_natural_order(beholder: Command, photos: Path) -> None:
    done = beholder("predict", "photos", "--json")
    assert done.status == 0
    assert [answer["source"] for answer in done.lines] == ["photos/a2.png", "photos/a10.jpg", "photos/b.webp"]
    first = done.lines[0]
    assert first["schema"] == 1
    assert first["size_hw"] == [60, 80]
    assert (first["model"], first["task"]) == ("efficientnet-lite0", "classify")
    assert len(first["labels"]) == 5
    assert first["prediction_set"] is None
    assert first["unknown"] is None
    assert "left out 1 file that is not an image: 1 .txt" in done.err
    for answer in done.lines:
        assert package.result_from_dict(answer).to_dict() == answer


def test_top_zero_gives_all_labels(beholder: Command, photos: Path) -> None:
    (answer,) = beholder("predict", "photos/a2.png", "--json", "--top", "0").lines
    confidences = [label["confidence"] for label in answer["labels"]]
    assert len(confidences) == 1000
    assert confidences == sorted(confidences, reverse=True)
    assert sum(confidences) == pytest.approx(1, abs=1e-3)


def test_table_has_a_line_for_each_image(beholder: Command, photos: Path) -> None:
    done = beholder("predict", "photos/a2.png", "photos/b.webp")
    assert done.status == 0
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines] == ["photos/a2.png", "photos/b.webp"]
    assert "%" in lines[0]
    assert "2 images in" in done.err
    assert "not people" in done.err


def test_csv_can_be_read_back(beholder: Command, photos: Path) -> None:
    done = beholder("predict", "photos", "--csv", "--top", "2")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [row["rank"] for row in rows] == ["1", "2"] * 3
    assert all(0 <= float(row["confidence"]) <= 1 for row in rows)
    assert {row["model"] for row in rows} == {"efficientnet-lite0"}
    assert {row["unknown"] for row in rows} == {""}


def test_options_stand_anywhere_and_two_dashes_end_them(beholder: Command, photos: Path, tmp_path: Path) -> None:
    shutil.copy(photos / "a2.png", tmp_path / "-b.png")
    assert len(beholder("predict", "photos/a2.png", "--json", "photos/a10.jpg").lines) == 2
    assert beholder("predict", "--json", "--", "-b.png").lines[0]["source"] == "-b.png"


def test_a_name_is_cut_on_a_terminal_only(beholder: Command, photos: Path) -> None:
    name = f"{'long' * 30}.png"
    shutil.copy(photos / "a2.png", photos / name)
    assert f"photos/{name} " in beholder("predict", f"photos/{name}").out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
@pytest.mark.parametrize("words", [["predict", "photos/a2.png"], ["predict", "photos", "--csv"], ["--help"]])
def test_a_full_disk_is_told_in_one_line(photos: Path, cache: Path, words: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "beholder", *words],
            cwd=photos.parent,
            env={**os.environ, "BEHOLDER_CACHE": str(cache)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 2
    assert done.stderr == "beholder: the output cannot be written: No space left on device\n"


def test_an_unreadable_image_is_named_and_the_others_are_answered(beholder: Command, photos: Path) -> None:
    (photos / "bad.jpg").write_bytes((photos / "a10.jpg").read_bytes()[:600])
    done = beholder("predict", "photos", "--json")
    assert done.status == 1
    assert len(done.lines) == 4
    (failure,) = [answer for answer in done.lines if "error" in answer]
    assert failure["source"] == "photos/bad.jpg"
    assert failure["error"]["kind"] == "unreadable_image"
    (line,) = [line for line in done.err.splitlines() if "bad.jpg" in line]
    assert line == f"photos/bad.jpg: {failure['error']['message']}"


def test_only_unreadable_images_is_still_an_answer(beholder: Command, photos: Path) -> None:
    (photos / "bad.jpg").write_bytes(b"\xff\xd8\xff")
    done = beholder("predict", "photos/bad.jpg", "--json")
    assert (done.status, len(done.lines)) == (1, 1)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["empty"], "no images in this folder"),
        (["nowhere.jpg"], "no such file or folder"),
        (["*.nothing"], "no file matches this pattern"),
        (["https://example.org/cat.jpg"], "addresses are not fetched"),
    ],
)
def test_nothing_to_do_exits_2(beholder: Command, tmp_path: Path, words: list[str], reason: str) -> None:
    (tmp_path / "empty").mkdir()
    done = beholder("predict", *words)
    assert done.status == 2
    assert reason in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["photos", "--model", "efficientnet-lite1"], "did you mean 'efficientnet-lite0'?"),
        (["photos", "--model", "photos"], "is a folder where a model is expected"),
        (["photos", "--model", "photos/a2.png"], "photos/a2.png"),
        (["photos", "--threshold", "1.5"], "--threshold: must lie between 0 and 1, found 1.5"),
        (["photos", "--top", "-1"], "--top: must be at least 0, found -1; see: beholder predict --help"),
        (["photos", "--device", "cuda"], "device 'cuda' is not present here"),
        (["photos", "--batch", "0"], "--batch: must be at least 1, found 0"),
        (["photos", "--max-pixels", "0"], "--max-pixels: must be at least 1"),
        (["photos", "--every", "0"], "--every: must be at least 1"),
        (["photos", "--top", "many"], "--top: must be a whole number, found 'many'"),
        (["photos", "--jsn"], "--jsn is not an option; did you mean '--json'?"),
        (["photos", "--json", "--csv"], "--csv: cannot go with --json"),
        (["photos", "--model"], "--model: needs a value"),
        ([], "SOURCE: must be given"),
        (["efficientnet-lite0"], "is a model where images are expected; pass it with --model"),
    ],
)
def test_wrong_usage_is_one_line_and_exits_2(beholder: Command, photos: Path, words: list[str], reason: str) -> None:
    done = beholder("predict", *words)
    assert done.status == 2
    assert reason in done.err
    assert len(done.err.splitlines()) == 1
    assert done.out == ""


def test_debug_shows_the_traceback(beholder: Command, photos: Path) -> None:
    assert "Traceback" in beholder("predict", "photos", "--model", "nothing", "--debug").err


def test_standard_input_and_archives(beholder: Command, photos: Path, tmp_path: Path) -> None:
    piped = beholder("predict", "-", "--json", stdin=(photos / "a2.png").read_bytes())
    assert piped.lines[0]["source"] == "-"
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.write(photos / "a2.png", "inner/a2.png")
        archive.writestr("../evil.png", b"")
    done = beholder("predict", "all.zip", "--json")
    assert done.status == 1
    assert [answer["source"] for answer in done.lines] == ["all.zip!/inner/a2.png", "all.zip!/../evil.png"]
    assert done.lines[0]["labels"] == piped.lines[0]["labels"]


def test_limits_can_be_set(beholder: Command, photos: Path) -> None:
    done = beholder("predict", "photos/a2.png", "--json", "--max-pixels", "100")
    assert done.lines[0]["error"]["kind"] == "image_too_large"
    assert "60" in done.lines[0]["error"]["message"]


def test_isolated_images_get_the_same_answers(beholder: Command, photos: Path) -> None:
    assert beholder("predict", "photos", "--json", "--isolate").lines == beholder("predict", "photos", "--json").lines


def test_a_hostile_file_name_cannot_steer_the_terminal(beholder: Command, photos: Path) -> None:
    name = "\x1b[31mred\n.png"
    shutil.copy(photos / "a2.png", photos / name)
    (photos / "\x1b[2Jbad.jpg").write_bytes(b"junk")
    done = beholder("predict", "photos")
    assert "\x1b" not in done.out + done.err
    assert len(done.out.splitlines()) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="file names of any bytes are a matter of Linux")
def test_a_file_name_that_is_no_text_is_answered(beholder: Command, photos: Path) -> None:
    shutil.copy(photos / "a2.png", os.fsencode(str(photos)) + b"/\xff\xfe.png")
    done = beholder("predict", "photos", "--json")
    assert done.status == 0
    assert len(done.lines) == 4


def test_a_reader_that_goes_away_is_no_error(photos: Path, cache: Path) -> None:
    command = f"{sys.executable} -m beholder predict photos photos photos --json | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=photos.parent,
        env={**os.environ, "BEHOLDER_CACHE": str(cache)},
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in done.stderr
    assert "Broken pipe" not in done.stderr
    assert json.loads(done.stdout)["source"] == "photos/a2.png"


def test_report_is_a_page_of_its_own(beholder: Command, photos: Path, tmp_path: Path) -> None:
    (photos / "<b>&.png").write_bytes((photos / "a2.png").read_bytes())
    (photos / "bad.jpg").write_bytes(b"junk")
    done = beholder("predict", "photos", "--report", "page")
    assert done.status == 1
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert page.count("<li ") == 5
    assert "<b>&" not in page
    assert "&lt;b&gt;&amp;.png" in page
    assert "could not be read" in page
    assert "http://" not in page
    assert "https://" not in page
    for thumbnail in (tmp_path / "page" / "images").iterdir():
        with PIL.Image.open(thumbnail) as image:
            assert max(image.size) <= 480
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page", "photos"]


def test_a_report_is_never_overwritten_unasked(beholder: Command, photos: Path, tmp_path: Path) -> None:
    assert beholder("predict", "photos", "--report", "page").status == 0
    again = beholder("predict", "photos", "--report", "page")
    assert (again.status, again.out) == (2, "")
    assert "holds an earlier report; choose another name or pass --force" in again.err
    assert beholder("predict", "photos/a2.png", "--report", "page", "--force").status == 0
    assert len(list((tmp_path / "page" / "images").iterdir())) == 1
    refused = beholder("predict", "photos", "--report", "photos", "--force")
    assert refused.status == 2
    assert "holds other files" in refused.err


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a signal")
def test_an_interrupted_report_shows_what_is_done(photos: Path, cache: Path, tmp_path: Path) -> None:
    words = ["predict", *["photos"] * 500, "--json", "--report", "page"]
    with subprocess.Popen(
        [sys.executable, "-m", "beholder", *words],
        cwd=tmp_path,
        env={**os.environ, "BEHOLDER_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # what runs the tests may ignore it
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert b"interrupted; page shows what was answered until then" in err
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    answered = len(lines) + len(out.splitlines())
    assert answered - 1 <= page.count("<li ") <= answered < 1500
    assert page.rstrip().endswith("</html>")


@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare (util-linux) is not installed")
def test_works_without_any_network(photos: Path, cache: Path) -> None:
    command = ["unshare", "--map-root-user", "--net", sys.executable, "-m", "beholder", "predict", "photos", "--json"]
    done = subprocess.run(
        command,
        cwd=photos.parent,
        env={**os.environ, "BEHOLDER_CACHE": str(cache)},
        capture_output=True,
        text=True,
    )
    if "unshare" in done.stderr:
        pytest.skip("this system lets nobody cut a process off the network")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 3
