"""Graphs that do not give what their card promises."""

import numpy as np
import pytest
from onnx import TensorProto, helper

import graphs
from beholder.errors import InvalidModel
from beholder.model import EmbeddingSpace, FileModel, Geometry
from beholder.model.card import UnknownRule
from beholder.model.file import with_card
from beholder.model.loading import load_bytes
from numpy_runtime import NumpyRuntime, constant

GEOMETRY = Geometry("squash", (4, 4))
GOOD = {
    "classify": {"probabilities": [0.5, 0.3, 0.2], "embedding": [0.1, 0.2, 0.3]},
    "detect": {"boxes": [[0, 0, 2, 2], [0, 0, 0, 0]], "scores": [0.9, 0], "classes": [1, -1]},
    "segment": {"probabilities": np.full((3, 2, 2), 0.25)},
    "caption": {"tokens": [1, 2, 0]},
    "embed": {"embedding": [0.1, 0.2, 0.3]},
}
PICTURE = graphs.photo((8, 8))


def model(task, **outputs):
    """A model whose outputs are those of `GOOD` but for some."""
    rows = {**GOOD[task], **outputs}
    functions = {name: row if callable(row) else constant(row) for name, row in rows.items()}
    return FileModel(graphs.make_card(task, GEOMETRY), NumpyRuntime(functions))


@pytest.mark.parametrize("task", GOOD)
def test_the_good_ones_are_good(task):
    assert model(task).predict(PICTURE).task == task


@pytest.mark.parametrize(
    ("task", "outputs", "reason"),
    [
        ("classify", {"probabilities": [0.5, 0.5]}, r"must have the shape \[1, 3\], found \[1, 2\]"),
        ("classify", {"probabilities": [[0.5, 0.3, 0.2]]}, r"must have the shape \[1, 3\], found \[1, 1, 3\]"),
        ("classify", {"probabilities": [7.0, 0.3, 0.2]}, "must lie between 0 and 1, found 0.2 to 7"),
        ("classify", {"probabilities": [np.nan, 0.3, 0.2]}, "not numbers"),
        ("classify", {"probabilities": [np.inf, 0.3, 0.2]}, "not numbers"),
        ("classify", {"probabilities": ["a", "b", "c"]}, "must be a tensor of numbers, found <U1"),
        ("classify", {"probabilities": [True, False, False]}, "must be a tensor of numbers, found bool"),
        ("classify", {"probabilities": lambda images: [[0.5, 0.3, 0.2]]}, "must be a tensor of numbers, found list"),
        ("classify", {"probabilities": lambda images: np.full((2, 3), 0.1)}, r"must have the shape \[1, 3\]"),
        ("classify", {"probabilities": lambda images: np.float32(0.5)}, "must be a tensor"),
        ("detect", {"boxes": [0, 0, 2, 2]}, r"boxes must have the shape \[1, M, 4\]"),
        ("detect", {"boxes": [[0, 0, 2, 2, 0]]}, r"boxes must have the shape \[1, M, 4\]"),
        ("detect", {"scores": [0.9]}, r"scores must have the shape \[1, 2\], found \[1, 1\]"),
        ("detect", {"scores": [900, 0]}, "scores must lie between 0 and 1"),
        ("detect", {"classes": [3, -1]}, "classes must lie between -1 and 2, found -1 to 3"),
        ("detect", {"classes": [-7, -1]}, "classes must lie between -1 and 2, found -7 to -1"),
        ("detect", {"boxes": [[2, 2, 0, 0], [0, 0, 0, 0]]}, "must be x1, y1, x2, y2"),
        ("detect", {"masks": np.zeros((2, 4))}, r"masks must have the shape \[1, 2, h, w\]"),
        ("detect", {"masks": np.zeros((1, 4, 4))}, r"masks must have the shape \[1, 2, h, w\]"),
        ("detect", {"masks": np.zeros((2, 0, 0))}, r"masks must have the shape \[1, 2, "),
        ("segment", {"probabilities": np.full((2, 2, 2), 0.5)}, r"must have the shape \[1, 3, h, w\]"),
        ("segment", {"probabilities": [0.5, 0.3, 0.2]}, r"must have the shape \[1, 3, h, w\]"),
        ("segment", {"probabilities": np.zeros((3, 0, 2))}, r"must have the shape \[1, 3, "),
        ("caption", {"tokens": [1, 6, 0]}, "tokens must be integers between 0 and 5, found 0 to 6"),
        ("caption", {"tokens": [1, -2, 0]}, "tokens must be integers between 0 and 5, found -2 to 1"),
        ("caption", {"tokens": [1.0, 2.0]}, "tokens must be integers"),
        ("embed", {"embedding": [0.1, 0.2]}, r"must have the shape \[1, 3\]"),
        ("embed", {"embedding": [0.1, 0.2, -np.inf]}, "not numbers"),
    ],
)
def test_outputs_that_break_the_contract(task, outputs, reason):
    broken = model(task, **outputs)
    with pytest.raises(InvalidModel, match=reason):
        broken.predict(PICTURE)
    with pytest.raises(InvalidModel, match=reason.replace(r"\[1, ", r"\[\d, ")):
        list(broken.predict_many([PICTURE] * 9))


RULE = UnknownRule(familiarity_from=0.5, evidence_from=1.0, budget=0.05, count=10)


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        ({"logits": [1.0, 2.0]}, r"logits must have the shape \[1, 3\], found \[1, 2\]"),
        ({"familiarity": [0.5]}, r"familiarity must have the shape \[1\], found \[1, 1\]"),
        ({"familiarity": np.nan}, "not numbers"),
    ],
)
def test_outputs_of_the_unknown_rule(outputs, reason):
    rows = {**GOOD["classify"], "logits": [1.0, 2.0, 3.0], "familiarity": 0.7}
    card = graphs.make_card("classify", GEOMETRY, unknown=RULE)
    good = FileModel(card, NumpyRuntime({name: constant(row) for name, row in rows.items()}))
    assert good.predict(PICTURE).unknown is False
    broken = FileModel(card, NumpyRuntime({name: constant(row) for name, row in {**rows, **outputs}.items()}))
    with pytest.raises(InvalidModel, match=reason):
        broken.predict(PICTURE)


def test_outputs_beyond_the_contract():
    tiny = model("classify", extra=np.ones((2, 5)), wrong=lambda images: np.ones((7, 2)))
    (row,) = tiny.outputs_many([PICTURE], ("extra", "embedding"))
    assert row["extra"].shape == (2, 5)
    with pytest.raises(InvalidModel, match=r"wrong must have the shape \[1, "):
        list(tiny.outputs_many([PICTURE], ("wrong",)))


def test_outputs_that_are_missing():
    for task, outputs in GOOD.items():
        for name in outputs:
            rest = {other: constant(row) for other, row in outputs.items() if other != name}
            with pytest.raises(InvalidModel, match=rf"must give {name}; it gives"):
                FileModel(graphs.make_card(task, GEOMETRY), NumpyRuntime(rest))


def test_edges_that_are_allowed():
    nothing = model("detect", boxes=np.zeros((0, 4)), scores=np.zeros(0), classes=np.zeros(0, np.int64))
    assert len(nothing.predict(PICTURE)) == 0
    assert model("caption", tokens=np.zeros(0, np.int64)).predict(PICTURE).text == ""
    assert model("caption", tokens=[0, 2, 3]).predict(PICTURE).text == ""
    assert model("caption", tokens=np.array([1, 2], np.uint8)).predict(PICTURE).text == "mostly red"
    half = model("classify", probabilities=np.array([1.0005, -0.0005, 0], np.float16)).predict(PICTURE)
    assert (half.confidence, half.labels[2].confidence) == (1.0, 0.0)
    assert model("detect", classes=[1.0, -1.0]).predict(PICTURE)[0].name == "green"


def test_boxes_are_clipped_to_the_image_and_those_beside_it_are_left_out():
    letterbox = graphs.make_card("detect", Geometry("letterbox", (40, 20), fill=(0, 0, 0)))
    rows = {
        "boxes": [[-5, 5, 10, 15], [2, 0, 8, 9], [4, 31, 9, 38], [0, 9, 1e38, 3e38], [3, 12, 3, 14]],
        "scores": [0.9, 0.8, 0.7, 0.6, 0.5],
        "classes": [0, 1, 1, 2, 1],
    }
    tiny = FileModel(letterbox, NumpyRuntime({name: constant(row) for name, row in rows.items()}))
    found = tiny.predict(graphs.photo((40, 40)))  # lies in rows 10 to 30 of the input, at half its size
    assert found.boxes_xyxy.tolist() == [[0, 0, 20, 10], [0, 0, 40, 40]]
    assert [thing.name for thing in found] == ["red", "blue"]


def onnx_file(kind=TensorProto.FLOAT, shape=(3,), to=TensorProto.FLOAT, size_hw=(4, 4), card=None):
    nodes = [
        helper.make_node("ReduceMean", ["image_planes"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("Cast", ["mean"], ["probabilities"], to=to),
    ]
    graph = graphs.make_model(nodes, size_hw, {"probabilities": (kind, shape)})
    return with_card(graph.SerializeToString(), card or graphs.make_card("classify", GEOMETRY, embedding=None))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (onnx_file(size_hw=(4, 5)), r"its input is \(4, 5\), where its card says \(4, 4\)"),
        (onnx_file(card=graphs.make_card("classify", GEOMETRY)), "must give embedding; it gives probabilities"),
        (onnx_file(card=graphs.make_card("detect", GEOMETRY)), "must give boxes, scores, classes"),
        (
            onnx_file(card=graphs.make_card("classify", GEOMETRY, embedding=None, labels=("a", "b"))),
            r"probabilities has shape \[None, 3\], where its card needs \[N, 2\]",
        ),
        (
            graphs.model_bytes("embed", embedding=EmbeddingSpace("s", 4, False, "dot")),
            r"embedding has shape \[None, 3\], where its card needs \[N, 4\]",
        ),
        (onnx_file(shape=("K",), card=graphs.make_card("segment", GEOMETRY)), r"shape \[1, 3, h, w\], found \[1, 3\]"),
        (onnx_file(TensorProto.STRING, to=TensorProto.STRING), "must be a tensor of numbers, found object"),
    ],
)
def test_files_whose_graph_and_card_disagree(data, reason):
    with pytest.raises(InvalidModel, match=reason):
        load_bytes(data).predict(PICTURE)


def test_a_graph_that_fails_when_it_is_run(capfd):
    nodes = [
        helper.make_node("Reshape", ["image_planes", "two_rows"], ["rows"]),
        helper.make_node("ReduceMean", ["rows"], ["mean"], axes=[2], keepdims=0),
        helper.make_node("Identity", ["mean"], ["probabilities"]),
    ]
    graph = graphs.make_model(
        nodes, (4, 4), {"probabilities": (TensorProto.FLOAT, (3,))}, two_rows=np.array([2, 3, -1])
    )
    broken = load_bytes(with_card(graph.SerializeToString(), graphs.make_card("classify", GEOMETRY, embedding=None)))
    with pytest.raises(InvalidModel, match=r"must have the shape \[1, 3\], found \[2, 3\]"):
        broken.predict(PICTURE)
    graph = graphs.make_model(
        nodes, (4, 4), {"probabilities": (TensorProto.FLOAT, (3,))}, two_rows=np.array([5, 3, -1])
    )
    broken = load_bytes(with_card(graph.SerializeToString(), graphs.make_card("classify", GEOMETRY, embedding=None)))
    with pytest.raises(InvalidModel, match="the graph fails when it is run"):
        broken.predict(PICTURE)
    assert capfd.readouterr() == ("", "")  # said once, by the error
