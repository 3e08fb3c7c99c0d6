"""Archives are read in memory, never unpacked, and nothing in one harms the others of its members."""

import io
import random
import stat
import struct
import tarfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL.Image
import pytest
from encoding import encoded
from goldens import flat

from beholder.errors import ImageError
from beholder.image import Limits, Reader, expand

PNG = encoded(flat("RGB", (1, 2, 3)), "PNG")
NOISE = encoded(PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90), dtype=np.uint8)), "PNG")


class Failure(NamedTuple):
    kind: str
    reason: str


def zipped(members: dict[str, bytes], **options) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **options) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def tarred(members: dict[str, bytes], mode: str = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def answers(archive: bytes, folder: Path, name: str = "a.zip", limits: Limits | None = None, notes=None):
    """For each member its size, or the error that it gives."""
    path = folder / name
    path.write_bytes(archive)
    found = {}
    with Reader(limits) as reader:
        for each in expand(path, limits or Limits(), note=(notes if notes is not None else []).append):
            try:
                answer = reader.read(each.load(), each.name).size_hw
            except ImageError as error:
                assert "\n" not in str(error)
                assert error.source == each.name
                answer = Failure(error.kind, error.reason)
            found[each.name.removeprefix(f"{path}!/")] = answer
    return found


KINDS = {
    "a.zip": lambda members: zipped(members, compression=zipfile.ZIP_DEFLATED),
    "stored.zip": zipped,
    "bz2.zip": lambda members: zipped(members, compression=zipfile.ZIP_BZIP2),
    "a.tar": tarred,
    "a.tar.gz": lambda members: tarred(members, "w:gz"),
    "a.tgz": lambda members: tarred(members, "w:gz"),
    "a.tar.bz2": lambda members: tarred(members, "w:bz2"),
    "a.TAR.XZ": lambda members: tarred(members, "w:xz"),
    "tar-inside.zip": tarred,
    "zip-inside.tar": zipped,
}


@pytest.mark.parametrize("name", KINDS)
def test_members_are_answered_in_their_order(name, tmp_path):
    archive = KINDS[name]({"b.png": PNG, "dir/ä 图.png": PNG, "a.png": PNG})
    assert list(answers(archive, tmp_path, name).items()) == [
        ("b.png", (4, 6)),
        ("dir/ä 图.png", (4, 6)),
        ("a.png", (4, 6)),
    ]


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_names_that_point_outside_are_refused_and_the_others_answered(pack, tmp_path):
    bad = ["../evil.png", "/abs/evil.png", "a/../../evil.png", "..\\evil.png", "C:\\evil.png", "C:evil.png"]
    found = answers(pack({**dict.fromkeys(bad, PNG), "ok/a.png": PNG}), tmp_path)
    assert found.pop("ok/a.png") == (4, 6)
    assert set(found) == set(bad)
    assert all("points outside the archive" in error.reason for error in found.values())
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_what_is_hidden_or_no_image(pack, tmp_path):
    notes = []
    members = ["__MACOSX/._a.png", ".hidden/a.png", "dir/.b.png", "notes.txt", "movie.mp4", "raw.cr2", "a.png"]
    found = answers(pack(dict.fromkeys(members, PNG)), tmp_path, notes=notes)
    assert found.pop("a.png") == (4, 6)
    assert "raw file" in found.pop("raw.cr2").reason
    assert found == {}
    assert notes == [f"{tmp_path / 'a.zip'}: left out 2 files that are not images: 1 .mp4, 1 .txt"]


def test_encrypted_member(tmp_path):
    archive = bytearray(zipped({"a.png": PNG, "b.png": PNG}))
    archive[6] |= 1  # general purpose flag, in the member's own header and in the directory
    archive[archive.index(b"PK\x01\x02") + 8] |= 1
    found = answers(bytes(archive), tmp_path)
    assert "encrypted; unpack the archive with its password first" in found["a.png"].reason
    assert found["b.png"] == (4, 6)


def test_damaged_member(tmp_path):
    archive = bytearray(zipped({"a.png": NOISE, "b.png": PNG}, compression=zipfile.ZIP_DEFLATED))
    archive[500:520] = bytes(20)
    found = answers(bytes(archive), tmp_path)
    assert "damaged in its archive" in found["a.png"].reason
    assert found["b.png"] == (4, 6)


def test_unknown_compression(tmp_path):
    archive = bytearray(zipped({"a.png": PNG, "b.png": PNG}))
    archive[8] = archive[archive.index(b"PK\x01\x02") + 10] = 77
    found = answers(bytes(archive), tmp_path)
    assert "damaged in its archive: That compression method is not supported" in found["a.png"].reason
    assert found["b.png"] == (4, 6)


def test_zip_bomb_is_refused_by_what_it_says_of_itself(tmp_path):
    archive = zipped({"bomb.png": bytes(5_000_000), "a.png": PNG}, compression=zipfile.ZIP_DEFLATED)
    found = answers(archive, tmp_path, limits=Limits(max_bytes=1_000_000))
    assert (
        found["bomb.png"].reason
        == "5,000,000 bytes unpacked; at most 1,000,000 are allowed; raise the limit max_bytes (--max-bytes)"
    )
    assert found["a.png"] == (4, 6)


def test_zip_bomb_that_lies_about_its_size_is_not_unpacked(tmp_path):
    archive = bytearray(zipped({"bomb.png": bytes(5_000_000)}, compression=zipfile.ZIP_DEFLATED))
    at = archive.index(b"PK\x01\x02") + 24
    archive[at : at + 4] = struct.pack("<I", 50)
    found = answers(bytes(archive), tmp_path, limits=Limits(max_bytes=1_000_000))
    assert found["bomb.png"].kind == "unreadable_image"


def test_tar_bomb_ends_the_archive(tmp_path):
    archive = tarred({"a.png": PNG, "bomb.png": bytes(5_000_000), "b.png": PNG}, "w:gz")
    found = answers(archive, tmp_path, "a.tgz", limits=Limits(max_bytes=1_000_000))
    assert found["a.png"] == (4, 6)
    assert found["bomb.png"].reason.endswith(
        "are allowed and the archive was not read on; raise the limit max_bytes (--max-bytes)"
    )
    assert len(found) == 2


def test_links_and_devices_are_refused(tmp_path):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, kind in (("link.png", tarfile.SYMTYPE), ("hard.png", tarfile.LNKTYPE), ("null.png", tarfile.CHRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("./a.png")
        info.size = len(PNG)
        archive.addfile(info, io.BytesIO(PNG))
    found = answers(stream.getvalue(), tmp_path, "a.tar")
    assert found.pop("a.png") == (4, 6)
    assert [error.reason.split(",")[0] for error in found.values()] == ["refused: a link or device"] * 3


def test_link_in_a_zip_is_no_image(tmp_path):
    info = zipfile.ZipInfo("link.png")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert "text, not an image" in answers(stream.getvalue(), tmp_path)["link.png"].reason


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_number_of_members_is_limited(pack, tmp_path):
    archive = pack({f"{index}.png": PNG for index in range(5)})
    *good, last = answers(archive, tmp_path, limits=Limits(max_members=3)).values()
    assert good == [(4, 6)] * 3
    assert last == ("image_too_large", "more than the 3 members allowed; raise the limit max_members")


@pytest.mark.parametrize("archive", [b"", b"no archive", b"PK\x03\x04", zipped({"a.png": PNG})[:-30], b"\x1f\x8b" * 9])
@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_what_is_no_archive(archive, name, tmp_path):
    (error,) = answers(archive, tmp_path, name).values()
    assert error.reason.startswith("not a readable archive: ")


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_archive_without_images(pack, tmp_path):
    (error,) = answers(pack({"a.txt": b"x"}), tmp_path).values()
    assert error == ("no_images", "no images in this archive; found only 1 .txt")


def noises() -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (6, 90, 90), dtype=np.uint8)
    return {f"{index}.png": encoded(PIL.Image.fromarray(each), "PNG") for index, each in enumerate(pixels)}


@pytest.mark.parametrize("name", ["a.tar", "a.tgz", "a.tar.bz2", "a.tar.xz"])
def test_truncated_tar_answers_what_came_before(name, tmp_path):
    whole = KINDS.get(name, KINDS["a.TAR.XZ"])(noises())
    *good, last = answers(whole[: len(whole) * 4 // 7], tmp_path, name).values()
    assert set(good) == ({(90, 90)} if "bz2" not in name else set())  # bzip2 packs all of this into one block
    assert last.kind == "unreadable_image"


def test_damaged_header_in_a_tar_is_not_its_end(tmp_path):
    archive = bytearray(tarred(noises()))
    at = archive.index(b"3.png")
    archive[at : at + 100] = b"\xff" * 100
    *good, last = answers(bytes(archive), tmp_path, "a.tar").values()
    assert good == [(90, 90)] * 3
    assert "damaged in the middle: bad checksum" in last.reason


def test_members_are_loaded_by_many_threads_at_once(tmp_path):
    colors = [encoded(flat("RGB", (index, 0, 0)), "PNG") for index in range(60)]
    (tmp_path / "a.zip").write_bytes(zipped({f"{index}.png": data for index, data in enumerate(colors)}))
    found = list(expand(tmp_path / "a.zip", Limits()))
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda each: each.load(), found)) == colors


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz"])
def test_mutated_archives_give_answers_or_errors(name, tmp_path):
    rng = random.Random(name)
    members = {"a.png": PNG, "b/c.png": NOISE, "d.txt": b"text", "e.png": PNG}
    good = KINDS[name](members)
    started = time.monotonic()
    for _ in range(150):
        data = bytearray(good)
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        if rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        assert answers(bytes(data), tmp_path, name)
    assert time.monotonic() - started < 60
