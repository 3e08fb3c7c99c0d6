"""The model file: its card read and rewritten without running or loading anything."""

import os
import subprocess
import sys
import threading

import onnx
import pytest

import graphs
from beholder.errors import InvalidCard, InvalidModel, OutputExists, OutputFailed
from beholder.files import file_digest
from beholder.model import graph_digest, load_file, read_card, wire, write_card
from beholder.model.file import CARD_KEY, card_of, embedding_space, graph_digest_of, read_model, with_card
from beholder.model.inspection import inspect

PLAIN = graphs.build_graph("classify", (32, 48)).SerializeToString()
CARD = graphs.make_card("classify")


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "model.onnx"
    found.write_bytes(graphs.model_bytes("classify"))
    return found


@pytest.mark.parametrize("task", graphs.TASKS)
def test_a_card_comes_back_as_it_was_written(task, tmp_path):
    found = tmp_path / "model.onnx"
    found.write_bytes(graphs.model_bytes(task))
    assert read_card(found) == graphs.make_card(task)
    assert card_of(found.read_bytes()) == graphs.make_card(task)


def test_the_card_is_stock_metadata(path):
    model = onnx.load(path)
    onnx.checker.check_model(model)
    (entry,) = (entry for entry in model.metadata_props if entry.key == CARD_KEY)
    assert entry.value == CARD.to_json()
    assert model.graph == onnx.load_from_string(PLAIN).graph


def test_rewriting_the_card_leaves_the_graph_to_the_byte(path):
    before, digest, whole = path.read_bytes(), graph_digest(path), file_digest(path)
    other = graphs.make_card("classify", name="other", description="naïve 🐦")
    write_card(path, other)
    assert read_card(path) == other
    assert graph_digest(path) == digest == graph_digest_of(PLAIN)
    assert path.read_bytes().startswith(PLAIN)
    assert file_digest(path) != whole
    write_card(path, CARD)
    assert path.read_bytes() == before
    assert load_file(path).predict(graphs.photo((9, 9), "red")).label == "red"


def test_other_metadata_stays(tmp_path):
    model = onnx.load_from_string(PLAIN)
    for key, value in (("author", "somebody"), (CARD_KEY, "an old card"), ("beholder2", "{}")):
        model.metadata_props.add(key=key, value=value)
    (tmp_path / "a.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(InvalidCard, match="must be JSON"):
        read_card(tmp_path / "a.onnx")
    write_card(tmp_path / "a.onnx", CARD)
    found = {entry.key: entry.value for entry in onnx.load(tmp_path / "a.onnx").metadata_props}
    assert found == {"author": "somebody", "beholder2": "{}", CARD_KEY: CARD.to_json()}


def test_a_copy_with_another_card(path, tmp_path):
    write_card(path, graphs.make_card("classify", name="copy"), tmp_path / "copies" / "copy.onnx")
    assert read_card(tmp_path / "copies" / "copy.onnx").name == "copy"
    assert read_card(path) == CARD
    with pytest.raises(OutputExists):
        write_card(path, CARD, tmp_path / "copies" / "copy.onnx")
    with pytest.raises(OutputFailed, match="is a folder"):
        write_card(path, CARD, tmp_path / "copies")


def test_a_failed_rewrite_leaves_nothing(tmp_path):
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"no model")
    with pytest.raises(InvalidModel, match=r"bad\.onnx: is text"):
        write_card(bad, CARD)
    with pytest.raises(InvalidModel, match=r"missing\.onnx: cannot be read"):
        write_card(tmp_path / "missing.onnx", CARD, tmp_path / "out.onnx")
    assert os.listdir(tmp_path) == ["bad.onnx"]
    assert bad.read_bytes() == b"no model"


def test_graph_digest_is_of_the_graph(path):
    assert graph_digest(path) == graph_digest_of(with_card(PLAIN, graphs.make_card("classify", name="x")))
    assert graph_digest_of(graphs.model_bytes("embed")) != graph_digest_of(PLAIN)
    assert graph_digest_of(graphs.build_graph("classify", (32, 47)).SerializeToString()) != graph_digest_of(PLAIN)
    changed = onnx.load_from_string(PLAIN)
    changed.producer_name, changed.doc_string = "somebody", "about"
    assert graph_digest_of(changed.SerializeToString()) == graph_digest_of(PLAIN)
    changed.opset_import[0].version = 18
    assert graph_digest_of(changed.SerializeToString()) != graph_digest_of(PLAIN)
    with pytest.raises(InvalidModel, match="must hold one graph, found 0"):
        graph_digest_of(onnx.ModelProto(ir_version=8).SerializeToString())


def test_embedding_space_is_of_the_graph_and_what_decides_the_pixels():
    geometry = graphs.Geometry("squash", (8, 8))
    space = embedding_space("sha256:1", geometry)
    assert space == embedding_space("sha256:1", graphs.Geometry("squash", (8, 8), draft=2.0))
    assert space != embedding_space("sha256:2", geometry)
    assert space != embedding_space("sha256:1", graphs.Geometry("squash", (8, 8), resample="box"))


class CountingBuffer:
    """Bytes that count what is read of them."""

    def __init__(self, data):
        self.data, self.seen = data, 0

    def __len__(self):
        return len(self.data)

    def __getitem__(self, key):
        found = self.data[key]
        self.seen += len(found)
        return found


def heavy(size):
    model = onnx.load_from_string(PLAIN)
    model.graph.initializer.add(name="weights", data_type=1, dims=[size // 4], raw_data=bytes(size))
    return with_card(model.SerializeToString(), CARD)


def test_weights_are_skipped():
    counting = CountingBuffer(heavy(2**22))
    assert card_of(counting) == CARD
    assert counting.seen < 2**13
    inspect(counting)
    assert counting.seen < 2**16


def test_weights_are_skipped_in_a_file_of_200_megabytes(tmp_path):
    """A sparse file: 200 MB of zeros that lie on no disk, inside the graph's last field."""
    size = 200 * 2**20
    graph = onnx.load_from_string(PLAIN).graph.SerializeToString()
    values = b"\x08" + wire.encode_varint(size // 4) + b"\x10\x01" + b"\x4a" + wire.encode_varint(size)
    tensor = b"\x2a" + wire.encode_varint(len(values) + size) + values
    weights = b"\x3a" + wire.encode_varint(len(graph) + len(tensor) + size) + graph + tensor
    found = tmp_path / "large.onnx"
    with open(found, "wb") as stream:
        stream.write(b"\x08\x08" + b"\x42\x04\x0a\x00\x10\x11" + weights)
        stream.seek(size, os.SEEK_CUR)
        stream.write(with_card(b"", CARD))
    assert read_card(found) == CARD


def test_reading_a_card_loads_neither_runtime_nor_onnx(path):
    program = (
        "import sys; from beholder.model import read_card, graph_digest, write_card\n"
        f"card = read_card({str(path)!r}); graph_digest({str(path)!r}); write_card({str(path)!r}, card)\n"
        "print([name for name in ('onnxruntime', 'onnx', 'google.protobuf', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_two_cards_are_one_too_many(tmp_path):
    found = tmp_path / "two.onnx"
    found.write_bytes(with_card(PLAIN, CARD) + with_card(b"", CARD))
    for look in (read_card, load_file):
        with pytest.raises(InvalidModel, match=r"two\.onnx: must hold one model card, found 2"):
            look(found)
    write_card(found, CARD)
    assert read_card(found) == CARD


def test_a_card_that_is_too_long(tmp_path):
    entry = wire.encode_bytes(1, CARD_KEY.encode()) + wire.encode_bytes(2, b" " * (16 * 2**20))
    found = tmp_path / "long.onnx"
    found.write_bytes(PLAIN + wire.encode_bytes(14, entry))
    for look in (read_card, load_file):
        with pytest.raises(InvalidModel, match=r"long\.onnx: its metadata must be under 16,777,216 bytes"):
            look(found)
    with pytest.raises(InvalidCard, match="must be under"):
        write_card(found, graphs.make_card("classify", description="x" * (17 * 2**20)))


def test_a_file_that_is_replaced_while_its_model_runs(path):
    """The bytes that were inspected are the bytes that run."""
    model = load_file(path)
    expected = model.predict(graphs.photo((9, 9), "red"))
    stop = threading.Event()

    def replace():
        while not stop.is_set():
            path.write_bytes(b"")
            path.write_bytes(graphs.model_bytes("caption"))

    other = threading.Thread(target=replace)
    other.start()
    try:
        for _ in range(50):
            assert model.predict(graphs.photo((9, 9), "red")) == expected
            try:
                assert read_card(path).task in ("classify", "caption")
                assert read_model(path)[1].task in ("classify", "caption")
            except InvalidModel:
                pass  # empty, or cut short while it was read
    finally:
        stop.set()
        other.join()
