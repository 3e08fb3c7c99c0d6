"""The cache by content: nothing is read twice, nothing that was kept is lost, and damage only costs time."""

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from made import image, tree

import beholder.data.contents as module
from beholder.data import ContentCache
from beholder.errors import OutputFailed, SourceNotFound, UnreadableImage


def digest(number: int) -> str:
    return f"sha256:{hashlib.sha256(str(number).encode()).hexdigest()}"


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """Files that were read, with fresh files relied on too."""
    monkeypatch.setattr(module, "_FRESH_NANOSECONDS", 0)
    read: list[str] = []

    def spied(path: str) -> str:
        read.append(path)
        return f"sha256:{hashlib.sha256(Path(path).read_bytes()).hexdigest()}"

    monkeypatch.setattr(module, "file_digest", spied)
    return read


def test_unchanged_file_is_read_once(tmp_path, contents, reads):
    path = image(tmp_path / "a.png")
    first = contents.digest_of(path)
    assert first == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    time.sleep(0.02)
    assert contents.digest_of(path) == contents.digest_of(str(path)) == first
    with ContentCache() as again:
        assert again.digest_of(path) == first
    assert reads == [str(path)]


@pytest.mark.parametrize("change", ["content", "time", "size", "replaced with the same size and time"])
def test_changed_file_is_read_again(tmp_path, contents, reads, change):
    path = tmp_path / "a.png"
    path.write_bytes(b"before")
    before = contents.digest_of(path)
    status = path.stat()
    time.sleep(0.02)
    if change == "time":
        os.utime(path, ns=(0, 0))
    else:
        other = tmp_path / "b.png"
        other.write_bytes(b"longer after" if change == "size" else b"after!")
        if change.startswith("replaced"):
            os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
        other.replace(path)
    after = contents.digest_of(path)
    assert len(reads) == 2
    assert (after == before) == (change == "time")


def test_fresh_file_is_not_relied_on(tmp_path, contents):
    path = tmp_path / "a.png"
    for number in range(20):  # as fast as it goes, so that some fall into the same tick of the file system's clock
        path.write_text(f"{number:04}")
        assert contents.digest_of(path) == f"sha256:{hashlib.sha256(f'{number:04}'.encode()).hexdigest()}"


def test_many_files_at_once(tmp_path, contents):
    tree(tmp_path, *(f"{number}.png" for number in range(20)))
    paths = [tmp_path / f"{number}.png" for number in range(20)]
    told = []
    found = contents.digests(
        [*paths, tmp_path / "nowhere.png", *paths[:2]], lambda done, total: told.append((done, total))
    )
    assert found[:20] == [contents.digest_of(path) for path in paths]
    assert found[20] is None
    assert found[21:] == found[:2]
    assert told[-1] == (23, 23)
    with pytest.raises(SourceNotFound):
        contents.digest_of(tmp_path / "nowhere.png")
    with pytest.raises(UnreadableImage):
        contents.digest_of(tmp_path)


def test_values_by_kind(contents):
    contents.put("facts/1", [(digest(1), b"one"), (digest(2), b"two")])
    contents.put("features/x", [(digest(1), b"x")])
    contents.put("facts/1", [(digest(1), b"new")])
    assert contents.get("facts/1", [digest(1), digest(2), digest(3)]) == {digest(1): b"new", digest(2): b"two"}
    assert contents.get("features/x", [digest(2)]) == {}
    assert contents.missing("features/x", [digest(2), digest(1), digest(2)]) == [digest(2)]
    contents.clear("facts/1")
    assert contents.get("facts/1", [digest(1)]) == {}
    assert contents.get("features/x", [digest(1)]) == {digest(1): b"x"}
    contents.clear()
    assert contents.get("features/x", [digest(1)]) == {}


def test_twenty_thousand_values(contents):
    random = np.random.default_rng(0)
    block = random.bytes(12_288)
    digests = [digest(number) for number in range(20_000)]
    contents.put("features/x", ((found, number.to_bytes(4, "big") + block[4:]) for number, found in enumerate(digests)))
    assert contents.missing("features/x", digests) == []
    found = contents.get("features/x", digests)
    assert len(found) == 20_000
    assert all(found[name][:4] == number.to_bytes(4, "big") for number, name in enumerate(digests))


def test_what_was_made_is_kept_when_making_the_next_fails(contents):
    def items():
        for number in range(300):
            yield digest(number), b"value"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        contents.put("x", items())
    assert len(contents.get("x", map(digest, range(300)))) == 300


def test_several_threads(contents):
    errors: list[BaseException] = []

    def work(start: int) -> None:
        try:
            for number in range(start, start + 50):
                contents.put("x", [(digest(number), str(number).encode())])
                assert contents.get("x", [digest(number)])[digest(number)] == str(number).encode()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(50 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(contents.get("x", map(digest, range(200)))) == 200


PUTS = """
import hashlib, sys
from pathlib import Path
from beholder.data import ContentCache
def items():
    for number in range(int(sys.argv[2]), int(sys.argv[3])):
        if number % 256 == 0 and number:
            print(number, flush=True)
        yield f"sha256:{hashlib.sha256(str(number).encode()).hexdigest()}", str(number).encode() * 1000
with ContentCache(Path(sys.argv[1])) as cache:
    cache.put("x", items())
"""


def putting(path: Path, start: int, stop: int) -> subprocess.Popen:
    words = [sys.executable, "-c", PUTS, str(path), str(start), str(stop)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def test_two_processes(tmp_path):
    path = tmp_path / "contents.sqlite"
    processes = [putting(path, start, start + 2000) for start in (0, 2000)]
    for process in processes:
        process.communicate(timeout=120)
        assert process.returncode == 0
    with ContentCache(path) as cache:
        assert cache.missing("x", map(digest, range(4000))) == []


def test_many_may_make_it_at_once(tmp_path):
    """None of them goes on in memory because another has just begun."""
    for number in range(25):
        path, start, notes = tmp_path / f"{number}.sqlite", threading.Barrier(6), []

        def opened(path=path, start=start, notes=notes):
            start.wait()
            with ContentCache(path) as cache:
                notes.extend(cache.notes)

        threads = [threading.Thread(target=opened) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert notes == []


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_killed_process_loses_the_current_batch_at_most(tmp_path):
    path = tmp_path / "contents.sqlite"
    process = putting(path, 0, 10_000_000)
    for _ in range(5):
        told = int(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    process.stdout.close()
    process.wait(timeout=30)
    with ContentCache(path) as cache:
        assert cache.notes == []
        # one batch is being made when its first item is told, so that all before it are kept
        found = cache.get("x", map(digest, range(told)))
        assert len(found) == told
        assert all(
            value == str(number).encode() * 1000 for number in (0, told - 1) for value in [found[digest(number)]]
        )


def damage(path: Path, how: str) -> None:
    if how == "no database":
        path.write_bytes(b"nothing that SQLite knows" * 1000)
    elif how == "middle overwritten":
        data = bytearray(path.read_bytes())
        data[4096:] = os.urandom(len(data) - 4096)
        path.write_bytes(data)
    elif how == "cut off":
        path.write_bytes(path.read_bytes()[:5000])
    else:
        with sqlite3.connect(path) as database:
            database.execute("PRAGMA user_version = 99")
        database.close()


@pytest.mark.parametrize("how", ["no database", "middle overwritten", "cut off", "another version"])
def test_damaged_cache_is_set_aside(tmp_path, how):
    path = tmp_path / "contents.sqlite"
    with ContentCache(path) as cache:
        cache.put("x", [(digest(number), b"value" * 1000) for number in range(100)])
    damage(path, how)
    with ContentCache(path) as cache:
        cache.get("x", [digest(1)])
        cache.put("x", [(digest(1), b"again")])
        assert cache.get("x", [digest(1)]) == {digest(1): b"again"}
        assert len(cache.notes) == 1
        assert "begun anew" in cache.notes[0]
    assert [found.name for found in tmp_path.glob("*damaged*") if "-wal" not in found.name and "-shm" not in found.name]
    with ContentCache(path) as cache:
        assert cache.notes == []
        assert cache.get("x", [digest(1)]) == {digest(1): b"again"}


def test_cache_that_cannot_be_written_only_costs_time(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with ContentCache(tmp_path / "file" / "contents.sqlite") as cache:
        assert "what is learned now is not kept" in cache.notes[0]
        cache.put("x", [(digest(1), b"value")])
        assert cache.get("x", [digest(1)]) == {digest(1): b"value"}


def test_full_disk_is_one_clear_line(tmp_path):
    with ContentCache(tmp_path / "contents.sqlite") as cache:
        cache.put("x", [(digest(1), b"value")])
        pages = cache._database.execute("PRAGMA page_count").fetchone()[0]
        cache._database.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(OutputFailed, match="the cache cannot be used: database or disk is full"):
            cache.put("x", [(digest(2), b"value" * 10_000)])
        assert cache.get("x", [digest(1)]) == {digest(1): b"value"}
