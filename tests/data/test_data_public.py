"""Public sets: fetched only where allowed, trusted only by digest, unpacked only where we decide; and IDX files."""

import gzip
import hashlib
import http.server
import io
import struct
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from made import said

from beholder.data import holds_idx, read, read_idx, unpack_idx
from beholder.data.public import PUBLIC_SETS, PublicFile, PublicSet, download, fetch
from beholder.data.public.matlab import read_matlab
from beholder.errors import (
    DatasetNotFound,
    DigestMismatch,
    HubError,
    InvalidAnnotations,
    NotADataset,
    Offline,
    OutputExists,
    UsageError,
)
from beholder.files import cache_dir


class Server(http.server.ThreadingHTTPServer):
    """A server on this machine that can be told to misbehave."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.cut_after: list[int] = []
        self.statuses: list[int] = []
        self.ranges = True
        self.moved_to: str | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers.get("Range")
        server.asked.append((self.path, wanted))
        if server.statuses:
            self.send_error(server.statuses.pop(0))
            return
        if server.moved_to is not None:
            self.send_response(302)
            self.send_header("Location", server.moved_to)
            self.end_headers()
            return
        data = server.files[self.path.rpartition("/")[2]]
        start = int(wanted[6:-1]) if wanted and server.ranges else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        most = server.cut_after.pop(0) if server.cut_after else len(data)
        self.wfile.write(data[start : start + most])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def quick_and_online(monkeypatch) -> None:
    monkeypatch.setattr(download.time, "sleep", lambda _: None)
    for name in (*download.OFFLINE_VARIABLES, "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def served(server: Server, name: str, files: dict[str, bytes]) -> PublicSet:
    """A public set whose files lie on our server."""
    server.files = files
    made = tuple(
        PublicFile(f"{server.url}/{file}", len(data), f"sha256:{hashlib.sha256(data).hexdigest()}")
        for file, data in files.items()
    )
    return replace(PUBLIC_SETS[name], files=made)


def archive(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as opened:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            opened.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def jpeg(seed: int) -> bytes:
    stream = io.BytesIO()
    PIL.Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)).save(stream, "JPEG")
    return stream.getvalue()


def idx(values: np.ndarray) -> bytes:
    kind = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}[values.dtype.str[1:]]
    shape = struct.pack(f">{values.ndim}I", *values.shape)
    return bytes([0, 0, kind, values.ndim]) + shape + values.astype(values.dtype.newbyteorder(">")).tobytes()


PIXELS = np.random.default_rng(0).integers(0, 256, (6, 28, 28), np.uint8)
LABELS = np.array([0, 9, 0, 1, 1, 9], np.uint8)
FASHION = {
    "train-images-idx3-ubyte.gz": gzip.compress(idx(PIXELS[:4])),
    "train-labels-idx1-ubyte.gz": gzip.compress(idx(LABELS[:4])),
    "t10k-images-idx3-ubyte.gz": gzip.compress(idx(PIXELS[4:])),
    "t10k-labels-idx1-ubyte.gz": gzip.compress(idx(LABELS[4:])),
}


def test_every_set_says_what_it_is():
    assert set(PUBLIC_SETS) == {"cifar10", "cifar100", "fashion-mnist", "imagenette", "flowers102", "pets"}
    for name, found in PUBLIC_SETS.items():
        assert name == found.name
        for file in found.files:
            kind, _, digits = file.digest.partition(":")
            assert (kind, len(digits)) in (("sha256", 64), ("md5", 32))
            assert file.url.startswith("https://")
        sizes = [f"{file.size:,} bytes" for file in found.files]
        assert found.size == sum(file.size for file in found.files)
        for part in (found.license, found.not_represented, found.citation, *sizes):
            assert part in found.about()


def test_documentation_lists_every_set():
    page = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")
    for found in PUBLIC_SETS.values():
        assert f"| `{found.name}` | {found.images:,} | {found.classes} | {found.size:,} |" in page


def test_fetched_set_is_a_folder_per_class(server, tmp_path):
    told = []
    found = fetch(served(server, "fashion-mnist", FASHION), tmp_path / "out", progress=lambda a, b: told.append((a, b)))
    assert found.title == "Fashion-MNIST"
    dataset = read(tmp_path / "out")
    assert dataset.classes == ("Ankle boot", "T-shirt or top", "Trouser")
    assert len(dataset.in_split("train")) == 4
    assert said(dataset)["test/Trouser/00000.png"] == (("Trouser",), "test")
    pixels = np.asarray(PIL.Image.open(tmp_path / "out/train/Ankle boot/00001.png"))
    assert np.array_equal(pixels, PIXELS[1])
    assert "MIT" in (tmp_path / "out" / "ABOUT.txt").read_text()
    assert told[-1] == (6, 6)
    assert list((cache_dir() / "datasets").iterdir()) == []


@pytest.mark.parametrize("name", ["BEHOLDER_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_makes_no_connection(server, tmp_path, monkeypatch, name):
    monkeypatch.setenv(name, "1")
    with pytest.raises(Offline, match=rf"as {name} is set.*dataset-fashion-mnist"):
        fetch(served(server, "fashion-mnist", FASHION), tmp_path / "out")
    assert server.asked == []
    assert list(tmp_path.iterdir()) == []


def test_what_is_here_needs_no_network(server, tmp_path, monkeypatch):
    public = served(server, "fashion-mnist", FASHION)
    for file in public.files:
        download.fetched(file, "")
    server.asked.clear()
    monkeypatch.setenv("BEHOLDER_OFFLINE", "1")
    fetch(public, tmp_path / "out")
    assert server.asked == []


def test_cut_connection_is_resumed(server):
    data = bytes(range(256)) * 400
    server.files, server.cut_after, server.statuses = {"a.bin": data}, [1000, 5000], [503]
    file = PublicFile(f"{server.url}/a.bin", len(data), f"md5:{hashlib.md5(data).hexdigest()}")
    assert download.fetched(file, "").read_bytes() == data
    assert [wanted for _, wanted in server.asked] == [None, None, "bytes=1000-", "bytes=6000-"]


def test_server_that_cannot_resume_starts_again(server):
    data = bytes(range(256)) * 40
    server.files, server.cut_after, server.ranges = {"a.bin": data}, [1000], False
    file = PublicFile(f"{server.url}/a.bin", len(data), f"sha256:{hashlib.sha256(data).hexdigest()}")
    assert download.fetched(file, "").read_bytes() == data


def test_what_arrived_is_kept_for_the_next_time(server):
    data = bytes(range(256)) * 40
    server.files, server.cut_after, server.statuses = {"a.bin": data}, [], []
    server.cut_after = [1000, 0, 0, 0, 0, 0]
    file = PublicFile(f"{server.url}/a.bin", len(data), f"sha256:{hashlib.sha256(data).hexdigest()}")
    with pytest.raises(HubError, match="times; try again later: what has arrived is kept"):
        download.fetched(file, "")
    server.cut_after, server.asked = [], []
    assert download.fetched(file, "").read_bytes() == data
    assert server.asked[0][1] == "bytes=1000-"


def test_other_content_is_refused_and_not_kept(server, tmp_path):
    public = served(server, "fashion-mnist", FASHION)
    server.files = {name: data[:-1] + b"x" for name, data in FASHION.items()}
    with pytest.raises(DigestMismatch, match=r"must be sha256:.*, found sha256:.*; nothing was kept"):
        fetch(public, tmp_path / "out")
    assert list((cache_dir() / "datasets").iterdir()) == []
    assert list(tmp_path.iterdir()) == []


def test_answer_that_is_no(server):
    server.statuses = [404]
    with pytest.raises(HubError, match="the server answers 404"):
        download.fetched(PublicFile(f"{server.url}/a.bin", 3, "sha256:00"), "")
    with pytest.raises(HubError, match=r"cannot be reached: .*5 times"):
        download.fetched(PublicFile("http://127.0.0.1:9/a.bin", 3, "sha256:00"), "")
    with pytest.raises(HubError, match="unknown url type: file"):
        download.fetched(PublicFile("file:///etc/passwd", 3, "sha256:00"), "")


@pytest.mark.parametrize("target", ["http://example.com/a.bin", "ftp://example.com/a.bin", "file:///etc/passwd"])
def test_redirect_to_anything_but_https_is_not_followed(server, target):
    server.moved_to = target
    with pytest.raises(HubError, match=r"redirects to|not https|cannot be reached|answers 302"):
        download.fetched(PublicFile(f"{server.url}/a.bin", 3, "sha256:00"), "")


def test_unknown_set_and_existing_folder(tmp_path):
    with pytest.raises(UsageError, match="no public set is named 'cifar'; did you mean 'cifar10'"):
        fetch("cifar", tmp_path / "out")
    with pytest.raises(OutputExists):
        fetch("pets", tmp_path)


def test_cifar(server, tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (12, 32, 32, 3), np.uint8)
    planes = pixels.transpose(0, 3, 1, 2).reshape(12, -1)
    ten = np.c_[np.arange(12, dtype=np.uint8) % 3, planes].astype(np.uint8)
    files = {f"cifar-10-batches-bin/data_batch_{n}.bin": ten[2 * n - 2 : 2 * n].tobytes() for n in range(1, 6)}
    files["cifar-10-batches-bin/test_batch.bin"] = ten[10:].tobytes()
    files["cifar-10-batches-bin/batches.meta.txt"] = b"airplane\nautomobile\nbird\n\n"
    fetch(served(server, "cifar10", {"cifar-10-binary.tar.gz": archive(files)}), tmp_path / "ten")
    assert read(tmp_path / "ten").counts() == {"airplane": 4, "automobile": 4, "bird": 4}
    found = np.asarray(PIL.Image.open(tmp_path / "ten/test/automobile/00010.png"))
    assert np.array_equal(found, pixels[10])
    hundred = np.c_[np.full(12, 9, np.uint8), ten].astype(np.uint8)
    files = {
        "cifar-100-binary/train.bin": hundred[:9].tobytes(),
        "cifar-100-binary/test.bin": hundred[9:].tobytes(),
        "cifar-100-binary/fine_label_names.txt": b"apple\naquarium_fish\nbaby\n",
    }
    fetch(served(server, "cifar100", {"cifar-100-binary.tar.gz": archive(files)}), tmp_path / "hundred")
    assert read(tmp_path / "hundred").in_split("test").counts() == {"apple": 1, "aquarium fish": 1, "baby": 1}
    del files["cifar-100-binary/test.bin"]
    with pytest.raises(InvalidAnnotations, match=r"must hold test\.bin"):
        fetch(served(server, "cifar100", {"cifar-100-binary.tar.gz": archive(files)}), tmp_path / "less")
    assert not (tmp_path / "less").exists()


def test_pets(server, tmp_path):
    lists = {
        "annotations/trainval.txt": b"Abyssinian_1 1 1 1\namerican_bulldog_10 2 2 1\n",
        "annotations/test.txt": b"Abyssinian_2 1 1 1\n",
        "annotations/._test.txt": b"rubbish",
    }
    images = {
        f"images/{name}.jpg": jpeg(3) for name in ("Abyssinian_1", "american_bulldog_10", "Abyssinian_2", "other_3")
    }
    images["../../escape.jpg"] = jpeg(4)
    files = {"images.tar.gz": archive(images), "annotations.tar.gz": archive(lists)}
    fetch(served(server, "pets", files), tmp_path / "a" / "b")
    dataset = read(tmp_path / "a" / "b")
    assert said(dataset) == {
        "train/abyssinian/Abyssinian_1.jpg": (("abyssinian",), "train"),
        "train/american bulldog/american_bulldog_10.jpg": (("american bulldog",), "train"),
        "test/abyssinian/Abyssinian_2.jpg": (("abyssinian",), "test"),
    }
    assert not list(tmp_path.rglob("escape.jpg"))
    del images["images/Abyssinian_2.jpg"]
    files["images.tar.gz"] = archive(images)
    with pytest.raises(InvalidAnnotations, match="must hold 3 images, found 2"):
        fetch(served(server, "pets", files), tmp_path / "less")


def matlab(arrays: dict[str, list[int]], compressed: bool) -> bytes:
    """A MATLAB file by the format's description; SciPy writes the same."""

    def element(kind: int, data: bytes) -> bytes:
        return struct.pack("<II", kind, len(data)) + data + b"\0" * (-len(data) % 8)

    import zlib

    body = b""
    for name, values in arrays.items():
        flags = element(6, struct.pack("<II", 9, 0))
        sizes = element(5, struct.pack("<ii", 1, len(values)))
        small = struct.pack("<HH", 1, len(name)) + name.encode().ljust(4, b"\0") if len(name) <= 4 else None
        matrix = flags + sizes + (small or element(1, name.encode()))
        matrix += element(4, struct.pack(f"<{len(values)}H", *values))
        whole = element(14, matrix)
        packed = zlib.compress(whole)
        body += struct.pack("<II", 15, len(packed)) + packed if compressed else whole
    return b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM" + body


def test_flowers(server, tmp_path):
    files = {
        "102flowers.tgz": archive({f"jpg/image_{number:05d}.jpg": jpeg(number) for number in range(1, 5)}),
        "imagelabels.mat": matlab({"labels": [77, 1, 77, 102]}, compressed=True),
        "setid.mat": matlab({"trnid": [1, 2], "valid": [3], "tstid": [4]}, compressed=True),
    }
    fetch(served(server, "flowers102", files), tmp_path / "out")
    assert said(read(tmp_path / "out")) == {
        "train/passion flower/image_00001.jpg": (("passion flower",), "train"),
        "train/pink primrose/image_00002.jpg": (("pink primrose",), "train"),
        "validation/passion flower/image_00003.jpg": (("passion flower",), "validation"),
        "test/blackberry lily/image_00004.jpg": (("blackberry lily",), "test"),
    }


@pytest.mark.parametrize("compressed", [False, True])
def test_matlab_files_as_scipy_writes_them(tmp_path, compressed):
    scipy_io = pytest.importorskip("scipy.io")
    arrays = {
        "labels": np.arange(1, 9000, dtype=np.uint8),
        "x": np.array([[3.0, 250.0]]),
        "n": np.array([[-5, 7]], np.int32),
    }
    scipy_io.savemat(tmp_path / "a.mat", arrays, do_compression=compressed)
    assert read_matlab(tmp_path / "a.mat") == {
        name: tuple(values.ravel().astype(int)) for name, values in arrays.items()
    }
    (tmp_path / "b.mat").write_bytes(matlab({"labels": [1, 2], "ab": [3]}, compressed))
    assert read_matlab(tmp_path / "b.mat") == {"labels": (1, 2), "ab": (3,)}
    data = (tmp_path / "a.mat").read_bytes()
    for cut in (0, 100, 130, len(data) // 2, len(data) - 3):
        (tmp_path / "c.mat").write_bytes(data[:cut])
        with pytest.raises(InvalidAnnotations):
            read_matlab(tmp_path / "c.mat")


def test_imagenette_with_images_missing(server, tmp_path):
    files = {"imagenette2-320/train/n01440764/a.JPEG": jpeg(1), "imagenette2-320/val/n03888257/b.JPEG": jpeg(2)}
    with pytest.raises(InvalidAnnotations, match="must hold 13,394 images, found 2"):
        fetch(served(server, "imagenette", {"imagenette2-320.tgz": archive(files)}), tmp_path / "out")


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("zipped", [False, True])
def test_idx_files(tmp_path, dtype, zipped):
    values = np.arange(24).reshape(2, 3, 4).astype(dtype)
    data = idx(values)
    (tmp_path / "a").write_bytes(gzip.compress(data) if zipped else data)
    found = read_idx(tmp_path / "a")
    assert found.dtype == np.dtype(dtype)
    assert np.array_equal(found, values)


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\x08", b"\0\0\x07\x01\0\0\0\0", idx(LABELS)[:-1], idx(LABELS) + b"x", b"\x1f\x8bno"]
)
def test_idx_file_that_is_damaged(tmp_path, data):
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(InvalidAnnotations):
        read_idx(tmp_path / "a")
    with pytest.raises(DatasetNotFound):
        read_idx(tmp_path / "b")


def test_packed_images_are_unpacked_first(tmp_path):
    folder = tmp_path / "packed"
    folder.mkdir()
    for name, data in FASHION.items():
        (folder / name).write_bytes(data)
    assert holds_idx(folder) and holds_idx(folder / "train-images-idx3-ubyte.gz") and not holds_idx(tmp_path)
    for path in (folder, folder / "train-images-idx3-ubyte.gz"):
        with pytest.raises(NotADataset, match="unpack them first: beholder dataset convert"):
            read(path)
    unpack_idx(folder, tmp_path / "out")
    assert read(tmp_path / "out").counts() == {"0": 2, "1": 2, "9": 2}
    unpack_idx(folder, tmp_path / "named", names=[f"class {number}" for number in range(10)])
    assert read(tmp_path / "named").classes == ("class 0", "class 1", "class 9")
    with pytest.raises(UsageError, match="class 9 must have a name"):
        unpack_idx(folder, tmp_path / "few", names=["a", "b"])
    assert not (tmp_path / "few").exists()
    (folder / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(NotADataset, match="with train-labels-idx1-ubyte beside it"):
        unpack_idx(folder, tmp_path / "more")
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(LABELS))
    with pytest.raises(InvalidAnnotations, match="a gray image for each label"):
        unpack_idx(folder, tmp_path / "more")
    with pytest.raises(NotADataset, match="must hold files named like"):
        unpack_idx(tmp_path / "out", tmp_path / "more")


DEBIAN = Path("/usr/share/datasets/fashion-mnist")


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_fashion_mnist_of_debian_has_its_names():
    from beholder.data.formats.idx import FASHION_MNIST_NAMES, names_known_by

    assert names_known_by(read_idx(DEBIAN / "train-labels-idx1-ubyte.gz")) == FASHION_MNIST_NAMES
    assert names_known_by(read_idx(DEBIAN / "t10k-labels-idx1-ubyte.gz")) == FASHION_MNIST_NAMES
