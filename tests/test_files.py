"""Where files are kept, and how they are written."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from beholder.errors import OutputExists, OutputFailed
from beholder.files import cache_dir, digest, file_digest, write_atomic


def write(path, data=b"new", *, overwrite=False):
    with write_atomic(path, overwrite=overwrite) as stream:
        stream.write(data)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_and_its_folders_are_made(tmp_path):
    target = tmp_path / "a" / "b" / "c.txt"
    write(target)
    write(str(tmp_path / "plain.txt"))
    assert target.read_bytes() == b"new"
    assert names(target.parent) == ["c.txt"]
    assert target.stat().st_mode & 0o777 == (tmp_path / "plain.txt").stat().st_mode & 0o777


def test_nothing_is_replaced_unless_asked(tmp_path):
    target = tmp_path / "c.txt"
    target.write_bytes(b"old")
    with pytest.raises(OutputExists, match=r"c\.txt: exists already; choose another name or pass --force"):
        write(target)
    assert target.read_bytes() == b"old"
    write(target, overwrite=True)
    assert target.read_bytes() == b"new"
    assert names(tmp_path) == ["c.txt"]


def test_nothing_is_left_behind_when_the_block_fails(tmp_path):
    target = tmp_path / "c.txt"
    target.write_bytes(b"old")
    for overwrite, path in ((True, target), (False, tmp_path / "d.txt")):
        with pytest.raises(ZeroDivisionError), write_atomic(path, overwrite=overwrite) as stream:
            stream.write(b"half")
            raise ZeroDivisionError
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["c.txt"]


def test_the_old_file_is_whole_until_the_new_one_is(tmp_path):
    target = tmp_path / "c.txt"
    target.write_bytes(b"old")
    with write_atomic(target, overwrite=True) as stream:
        stream.write(b"new")
        stream.flush()
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"


def test_a_name_that_is_taken_meanwhile_is_left_alone(tmp_path):
    target = tmp_path / "c.txt"
    with pytest.raises(OutputExists), write_atomic(target, overwrite=False) as stream:
        stream.write(b"new")
        target.write_bytes(b"of another")
    assert target.read_bytes() == b"of another"
    assert names(tmp_path) == ["c.txt"]


def test_of_many_at_a_time_one_wins(tmp_path):
    def attempt(number):
        try:
            write(tmp_path / "c.txt", str(number).encode() * 1000)
        except OutputExists:
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        won = [number for number in pool.map(attempt, range(8)) if number is not None]
    assert len(won) == 1
    assert (tmp_path / "c.txt").read_bytes() == str(won[0]).encode() * 1000
    assert names(tmp_path) == ["c.txt"]


def test_links_are_not_followed_to_write(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    for name, goal in (("link", "real"), ("dangling", "nowhere")):
        (tmp_path / name).symlink_to(tmp_path / goal)
        with pytest.raises(OutputExists):
            write(tmp_path / name)
    write(tmp_path / "link", overwrite=True)
    assert (tmp_path / "real").read_bytes() == b"old"
    assert not (tmp_path / "nowhere").exists()


def test_a_file_system_without_hard_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    write(tmp_path / "c.txt")
    assert names(tmp_path) == ["c.txt"]


def test_places_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    for place in ("file/c.txt", "folder", "file/deeper/c.txt", "x" * 300):
        with pytest.raises(OutputFailed) as caught:
            write(tmp_path / place)
        assert str(tmp_path / place) in str(caught.value)
    assert names(tmp_path) == ["file", "folder"]


def test_names_of_the_longest_length(tmp_path):
    for name in ("x" * 255, "é" * 127, "\U0001f426" * 63):
        write(tmp_path / name)
    assert len(names(tmp_path)) == 3


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_is_read_only(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputFailed, match="Permission denied"):
        write(tmp_path / "c.txt")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc here")
def test_a_folder_that_takes_no_files():
    with pytest.raises(OutputFailed, match=r"/proc/c\.txt: cannot be written: "):
        write("/proc/c.txt")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("builtins.open", lambda path, mode: os.fdopen(os.open("/dev/full", os.O_WRONLY), "wb"))
    with pytest.raises(OutputFailed, match="No space left"):
        write(tmp_path / "c.txt", b"x" * 100_000)
    assert names(tmp_path) == []


def test_a_process_that_is_killed_leaves_no_half_file(tmp_path):
    program = (
        "import os\nfrom beholder.files import write_atomic\n"
        f"with write_atomic({str(tmp_path / 'c.txt')!r}, overwrite=False) as stream:\n"
        "    stream.write(b'half'); stream.flush(); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == -9
    assert not (tmp_path / "c.txt").exists()


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {"BEHOLDER_CACHE": "/a/b"}, "/a/b"),
        ("win32", {"BEHOLDER_CACHE": "/a/b"}, "/a/b"),
        ("linux", {"BEHOLDER_CACHE": "~/mine"}, "/home/me/mine"),
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/beholder"),
        ("linux", {"XDG_CACHE_HOME": "", "BEHOLDER_CACHE": ""}, "/home/me/.cache/beholder"),
        ("linux", {}, "/home/me/.cache/beholder"),
        ("darwin", {}, "/home/me/Library/Caches/beholder"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/beholder/cache"),
        ("win32", {}, "/home/me/AppData/Local/beholder/cache"),
    ],
)
def test_the_cache(monkeypatch, platform, environment, expected):
    for name in ("BEHOLDER_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/me", **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_dir() == Path(expected)


def test_digests(tmp_path):
    empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert digest(b"") == digest(memoryview(b"")) == empty
    write(tmp_path / "c.bin", bytes(10**6))
    assert file_digest(tmp_path / "c.bin") == digest(bytes(10**6))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "picture.jpg")
    with pytest.raises(OSError, match="is not a regular file"):
        file_digest(tmp_path / "picture.jpg")
