"""Model files that mean harm, are damaged, or are something else."""

import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import graphs
from beholder.errors import InvalidModel
from beholder.model import inspection, load_file, wire
from beholder.model.file import card_of, with_card
from beholder.model.inspection import MAX_DEPTH, inspect
from beholder.model.loading import load_bytes

CARD = graphs.make_card("classify")


def plain():
    return graphs.build_graph("classify", (32, 48))


def refused(model, reason):
    """A file with this graph is refused for this reason, before ONNX Runtime sees it."""
    data = model if isinstance(model, bytes) else with_card(model.SerializeToString(), CARD)
    with pytest.raises(InvalidModel, match=reason):
        load_bytes(data)
    with pytest.raises(InvalidModel, match=reason):
        inspect(data)


def with_raw(number, payload):
    """A file whose graph ends with this field, as no ONNX library would write it."""
    model = plain()
    graph = model.graph.SerializeToString() + wire.encode_bytes(number, payload)
    model.ClearField("graph")
    return with_card(model.SerializeToString() + wire.encode_bytes(7, graph), CARD)


def elsewhere(location="weights.bin"):
    """A tensor whose values are in another file."""
    tensor = TensorProto(name="outside", data_type=TensorProto.FLOAT, dims=[3], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


def with_attribute(**attributes):
    model = plain()
    model.graph.node.append(helper.make_node("Constant", [], ["unused"], **attributes))
    return model


def subgraph(tensor=None, depth=1, domain=""):
    """An If whose branch holds an If, and so on; the innermost hold the tensor, or a node of the domain."""
    output = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3])]
    node = helper.make_node("Identity", ["embedding"], ["y"], domain=domain)
    leaf = branch = helper.make_graph([node], "inner", [], output, [tensor] if tensor else [])
    for _ in range(depth):
        node = helper.make_node("If", ["condition"], ["y"], then_branch=leaf, else_branch=branch)
        branch = helper.make_graph([node], "outer", [], output)
    model = plain()
    model.graph.node.append(node)
    return model


def sparse(values, dims):
    return onnx.SparseTensorProto(values=values, indices=numpy_helper.from_array(np.array([0, 1, 2]), "i"), dims=dims)


def in_initializer(tensor):
    model = plain()
    model.graph.initializer.append(tensor)
    return model


def in_sparse_initializer(tensor):
    model = plain()
    model.graph.sparse_initializer.append(sparse(tensor, [9]))
    return model


def in_function(tensor):
    model = plain()
    node = helper.make_node("Constant", [], ["y"], value=tensor)
    model.functions.append(helper.make_function("", "F", [], ["y"], [node], [helper.make_opsetid("", 17)]))
    return model


def in_function_default(tensor):
    model = plain()
    function = helper.make_function("", "F", [], [], [], [helper.make_opsetid("", 17)])
    function.attribute_proto.append(helper.make_attribute("default", tensor))
    model.functions.append(function)
    return model


PLACES = {
    "initializer": in_initializer,
    "attribute": lambda tensor: with_attribute(value=tensor),
    "list attribute": lambda tensor: with_attribute(values=[tensor]),
    "subgraph": subgraph,
    "deep subgraph": lambda tensor: subgraph(tensor, depth=5),
    "sparse initializer": in_sparse_initializer,
    "sparse attribute": lambda tensor: with_attribute(sparse_value=sparse(tensor, [9])),
    "function": in_function,
    "default of a function": in_function_default,
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("location", ["weights.bin", "../weights.bin", "/etc/passwd", "link", "hard link", ""])
def test_weights_outside_the_file(place, location, tmp_path):
    (tmp_path / "models").mkdir()
    secret = tmp_path / "weights.bin"
    secret.write_bytes(np.arange(3, dtype=np.float32).tobytes())
    os.symlink(secret, tmp_path / "models" / "link")
    os.link(secret, tmp_path / "models" / "hard link")
    path = tmp_path / "models" / "model.onnx"
    path.write_bytes(with_card(PLACES[place](elsewhere(location)).SerializeToString(), CARD))
    with pytest.raises(InvalidModel, match=r"model\.onnx: keeps weights in other files"):
        load_file(path)


def test_weights_outside_that_say_so_in_half():
    only_location = TensorProto(name="o", data_type=1, dims=[3], data_location=TensorProto.EXTERNAL)
    refused(in_initializer(only_location), "keeps weights in other files")
    only_entry = elsewhere()
    only_entry.ClearField("data_location")
    refused(in_initializer(only_entry), "keeps weights in other files")


def test_a_field_that_only_other_readers_see():
    """Protobuf in C++ drops the high bits of a tag: five bytes here, external data (field 13) there."""
    tag = bytes([13 << 3 | wire.BYTES | 128, 128, 128, 128, 16])
    refused(with_raw(5, b"\x08\x03\x10\x01" + tag + b"\x00"), "no field has the tag")


@pytest.mark.parametrize("domain", ["com.microsoft", "evil", "ai.onnx.preview.training", "\xff", "x" * 10_000])
def test_operators_that_are_not_stock(domain):
    model = plain()
    model.graph.node.append(helper.make_node("Identity", ["embedding"], ["unused"], domain=domain))
    refused(model, "must use stock ONNX operators only")
    model = plain()
    model.opset_import.append(helper.make_opsetid(domain, 1))
    refused(model, "must use stock ONNX operators only")
    refused(subgraph(depth=2, domain=domain), "must use stock ONNX operators only")
    node = helper.make_node("Identity", ["x"], ["y"], domain=domain)
    for opset in ("", domain):
        model = plain()
        model.functions.append(helper.make_function("", "F", ["x"], ["y"], [node], [helper.make_opsetid(opset, 17)]))
        refused(model, "must use stock ONNX operators only")


def test_imports_that_exporters_leave_behind():
    model = plain()
    model.opset_import.append(helper.make_opsetid("pkg.torch", 1))
    inspect(model.SerializeToString(), foreign_imports=True)
    model.graph.node.append(helper.make_node("Identity", ["embedding"], ["unused"], domain="pkg.torch"))
    with pytest.raises(InvalidModel, match=r"pkg\.torch"):
        inspect(model.SerializeToString(), foreign_imports=True)


@pytest.mark.parametrize(
    "dims", [[2**31], [-1], [2**62, 2**62], [2**20, 2**20], [0, 2**31, 2**31], [1] * 40, [2**30] * 32, [1] * 5000]
)
def test_shapes_beyond_any_use(dims):
    tensor = TensorProto(name="huge", data_type=1, dims=dims)
    for place in ("initializer", "attribute", "subgraph"):
        refused(PLACES[place](tensor), "absurd shape")
    refused(with_raw(5, wire.encode_bytes(1, b"".join(wire.encode_varint(size % 2**64) for size in dims))), "absurd")
    model = plain()
    model.graph.sparse_initializer.append(sparse(numpy_helper.from_array(np.zeros(3, np.float32), "s"), dims))
    refused(model, "absurd shape")
    for field in ("input", "output", "value_info"):
        model = plain()
        getattr(model.graph, field).append(helper.make_tensor_value_info("v", 1, dims))
        refused(model, "absurd shape")


def test_a_tensor_that_holds_less_than_it_claims():
    tensor = TensorProto(name="bomb", data_type=TensorProto.DOUBLE, dims=[2**30], raw_data=b"12345678")
    refused(in_initializer(tensor), r"claims the shape \[1073741824\], and holds")
    narrow = TensorProto(name="narrow", data_type=TensorProto.INT4, dims=[64], raw_data=bytes(32))
    inspect(in_initializer(narrow).SerializeToString())


def test_nesting_beyond_any_use():
    inspect(subgraph(depth=MAX_DEPTH - 1).SerializeToString())
    refused(subgraph(depth=MAX_DEPTH + 1), "nested deeper than 16")
    deep = nested((1, 5, 6), 30_000)  # node, attribute, graph, and again
    refused(with_card(b"\x08\x08" + wire.encode_bytes(7, deep), CARD), "nested deeper than 16")
    with pytest.raises(InvalidModel):
        load_bytes(with_raw(11, wire.encode_bytes(2, nested((4, 1), 20_000))))  # a sequence of sequences


def nested(numbers, depth):
    """Messages in messages, under these field numbers in turn, the first one outside."""
    heads, length = [], 0
    for level in reversed(range(depth)):  # from the inside, because each says how long it is
        head = wire.encode_varint(numbers[level % len(numbers)] << 3 | wire.BYTES) + wire.encode_varint(length)
        heads.append(head)
        length += len(head)
    return b"".join(reversed(heads))


def test_more_parts_than_any_use(monkeypatch):
    monkeypatch.setattr(wire, "MAX_FIELDS", 1000)
    monkeypatch.setattr(inspection, "MAX_FIELDS", 4000)
    for look in (card_of, inspect):
        with pytest.raises(InvalidModel, match="at most 1,000 fields in one message"):
            look(b"\x18\x00" * 1001)
    with pytest.raises(InvalidModel, match="at most 4,000 parts"):
        inspect(wire.encode_bytes(7, b"\x18\x00" * 900) * 5)


def test_training_and_two_graphs_and_none():
    model = plain()
    model.training_info.add()
    refused(model, "training program")
    data = plain().SerializeToString()
    refused(with_card(data + wire.encode_bytes(7, plain().graph.SerializeToString()), CARD), "one graph, found 2")
    refused(with_card(b"\x08\x08", CARD), "one graph, found 0")


def test_a_file_that_is_of_two_kinds_is_run_as_onnx():
    """Its first bytes also say that it is of ONNX Runtime's own format, which would not be what was inspected."""
    model = plain()
    data = wire.encode_bytes(2, b"abORTM" + b"x" * 58) + model.SerializeToString()
    assert data[4:8] == b"ORTM"
    tiny = load_bytes(with_card(data, CARD))
    assert tiny.predict(graphs.photo((9, 9), "red")).label == "red"


def test_what_onnx_runtime_refuses_is_said_in_one_line(capfd):
    model = plain()
    model.graph.node.append(helper.make_node("NoSuchOperator", ["embedding"], ["unused"]))
    with pytest.raises(InvalidModel, match=r"ONNX Runtime refuses the graph: .*NoSuchOperator") as caught:
        load_bytes(with_card(model.SerializeToString(), CARD))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


INPUTS = {
    "no input": lambda model: model.graph.ClearField("input"),
    "another name": lambda model: setattr(model.graph.input[0], "name", "pixels"),
    "float": lambda model: setattr(model.graph.input[0].type.tensor_type, "elem_type", TensorProto.FLOAT),
    "planes first": lambda model: _reshape(model, ["N", 3, 32, 48]),
    "no batch": lambda model: _reshape(model, [32, 48, 3]),
    "two inputs": lambda model: model.graph.input.append(helper.make_tensor_value_info("more", 1, [1])),
    "four channels": lambda model: _reshape(model, ["N", 32, 48, 4]),
    "one image only": lambda model: _reshape(model, [1, 32, 48, 3]),
    "another size": lambda model: _reshape(model, ["N", 32, 49, 3]),
}


def _reshape(model, shape):
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("image", TensorProto.UINT8, shape))


@pytest.mark.parametrize("change", INPUTS)
def test_inputs_that_break_the_contract(change):
    model = plain()
    INPUTS[change](model)
    with pytest.raises(InvalidModel):
        load_bytes(with_card(model.SerializeToString(), CARD))


SMALL_MACHINE = """
import os, sys
import numpy
os.sysconf = lambda name: {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 2**16}[name]  # 256 MiB, of which half may be used
from beholder.errors import InvalidModel
from beholder.model import load_file
for path in sys.argv[1:]:
    try:
        print(load_file(path).predict(numpy.full((9, 9, 3), 255, numpy.uint8)).vector)
    except InvalidModel as error:
        print("refused", error)
"""


def test_a_shape_that_is_computed_inside_the_graph(tmp_path):
    """No header tells of it; the memory that all graphs may have together is bounded."""
    for name, count in (("small", 2**20), ("large", 2**27), ("absurd", 2**45)):
        nodes = [
            helper.make_node("Shape", ["image"], ["images"], start=0, end=1),
            helper.make_node("Mul", ["images", "shape"], ["count"]),
            helper.make_node("ConstantOfShape", ["count"], ["much"]),
            helper.make_node("ReduceMax", ["much"], ["most"], keepdims=0),
            helper.make_node("ReduceMean", ["image_planes"], ["mean"], axes=[2, 3], keepdims=0),
            helper.make_node("Add", ["mean", "most"], ["embedding"]),
        ]
        model = graphs.make_model(nodes, (32, 48), {"embedding": (1, (3,))}, shape=np.array([count]))
        data = with_card(model.SerializeToString(), graphs.make_card("embed"))
        (tmp_path / f"{name}.onnx").write_bytes(data)
    paths = [tmp_path / f"{name}.onnx" for name in ("small", "large", "absurd", "small")]
    done = subprocess.run([sys.executable, "-c", SMALL_MACHINE, *paths], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout.splitlines()
    assert said[0] == said[3] == "[1. 1. 1.]"
    assert [line.split()[0] for line in said[1:3]] == ["refused", "refused"]
    assert "memory" in said[1]
