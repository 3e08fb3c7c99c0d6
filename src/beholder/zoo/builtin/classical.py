"""Features from before networks as ONNX graphs: histograms of oriented gradients, edges and corners.

Nothing in them was trained. All that moves along rows and columns (derivatives, smoothing, pooling) is a product with a
constant band matrix, so that what happens at the borders is written down and a filter and its stride are one step.

Between pixels and embedding, tensors are `(N, channels, 1, height, width)`: of five dimensions, because training looks
for a network's layers among those of four (`beholder.training.layers`), and here there are none to look at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from beholder.model.card import EmbeddingSpace, ModelCard, Provenance
from beholder.model.file import embedding_space, graph_digest_of, with_card
from beholder.model.geometry import Geometry

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

Floats = NDArray[np.float64]
Voting = Literal["linear", "nearest"]

_OPSET: Final = 17
_IR_VERSION: Final = 8

_SIDE: Final = 64
_CELL: Final = 8
_HOG_BINS: Final = 9
_EDGE_BINS: Final = 8
_CORNER_CELL: Final = 4
_HYSTERESIS: Final = 0.2
_EPSILON: Final = 1e-5
_HARRIS_K: Final = 0.05
_HARRIS_SIGMA: Final = 1.0
_LUMA: Final = (0.299, 0.587, 0.114)

_GEOMETRY: Final = Geometry("squash", (_SIDE, _SIDE), resample="bicubic", draft=2.0)


def hog_graph(side: int = _SIDE, cell: int = _CELL, bins: int = _HOG_BINS, voting: Voting = "linear") -> ModelProto:
    """Histograms of oriented gradients: `image` uint8 `(N, side, side, 3)` in, `embedding` float32 `(N, d)` out.

    Unsigned orientations of the color channel with the strongest gradient, cells without smoothing, blocks of 2 x 2
    cells in all places, each of length 1, cut at 0.2 and brought to length 1 again. The order of the values is that of
    scikit-image: block row, block column, cell row, cell column, orientation.

    Args:
        side: of the input, pixels.
        cell: side of a cell, pixels.
        bins: orientations from 0 to 180 degrees.
        voting: whether a gradient votes for the two nearest orientations, or for the nearest alone.

    Source: N. Dalal and B. Triggs, "Histograms of oriented gradients for human detection", CVPR 2005.
    """
    graph = _Graph("hog", side)
    pixels = graph.planes()
    across = graph.separable(pixels, None, _derivative(side))
    down = graph.separable(pixels, _derivative(side), None)
    squares = graph.node("Add", graph.node("Mul", across, across), graph.node("Mul", down, down))
    strongest = graph.node("ArgMax", squares, axis=1, keepdims=1)
    across, down, square = (
        graph.node("GatherElements", values, strongest, axis=1) for values in (across, down, squares)
    )
    votes = graph.votes(across, down, graph.node("Sqrt", square), bins, voting)
    cells = graph.separable(votes, _means(side, cell), _means(side, cell))
    return graph.finished(graph.blocks(cells, side // cell), (side // cell - 1) ** 2 * 4 * bins)


def edges_graph(side: int = _SIDE, cell: int = _CELL, bins: int = _EDGE_BINS) -> ModelProto:
    """How strong edges are where and in which direction: `image` as in `hog_graph`, `embedding` float32 `(N, d)`.

    Sobel's gradients of the luma, their strengths averaged in cells for each orientation; square roots of that, with
    mean 0 and length 1 together, so that contrast does not count.
    """
    graph = _Graph("edges", side)
    luma = graph.luma()
    across, down = graph.sobel(luma, side)
    square = graph.node("Add", graph.node("Mul", across, across), graph.node("Mul", down, down))
    votes = graph.votes(across, down, graph.node("Sqrt", square), bins, "linear")
    cells = graph.separable(votes, _means(side, cell), _means(side, cell))
    return graph.finished(graph.standardized(graph.node("Sqrt", cells)), (side // cell) ** 2 * bins)


def corners_graph(side: int = _SIDE, cell: int = _CORNER_CELL) -> ModelProto:
    """How much of a corner is where: `image` as in `hog_graph`, `embedding` float32 `(N, d)`.

    Harris' response of the luma with a Gaussian window, its positive part (the negative is edges) averaged in cells;
    fourth roots of that, for the response grows with the fourth power of contrast, with mean 0 and length 1 together.

    Source: C. Harris and M. Stephens, "A combined corner and edge detector", Alvey Vision Conference 1988.
    """
    graph = _Graph("corners", side)
    across, down = graph.sobel(graph.luma(), side)
    window = _gaussian(side, _HARRIS_SIGMA)
    xx, yy, xy = (
        graph.separable(graph.node("Mul", first, second), window, window)
        for first, second in ((across, across), (down, down), (across, down))
    )
    determinant = graph.node("Sub", graph.node("Mul", xx, yy), graph.node("Mul", xy, xy))
    trace = graph.node("Add", xx, yy)
    penalty = graph.node("Mul", graph.node("Mul", trace, trace), graph.constant(_HARRIS_K))
    corners = graph.node("Relu", graph.node("Sub", determinant, penalty))
    cells = graph.separable(corners, _means(side, cell), _means(side, cell))
    roots = graph.node("Sqrt", graph.node("Sqrt", cells))
    return graph.finished(graph.standardized(roots), (side // cell) ** 2)


def build_classical(name: str) -> bytes:
    """Make the model file of `hog`, `edges` or `corners`."""
    make, description, source = _MODELS[name]
    model = make()
    graph: bytes = model.SerializeToString(deterministic=True)
    width = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    card = ModelCard(
        name=name,
        task="embed",
        description=description,
        geometry=_GEOMETRY,
        embedding=EmbeddingSpace(embedding_space(graph_digest_of(graph), _GEOMETRY), width, name != "hog", "cosine"),
        provenance=Provenance(
            weights_source=f"none, for nothing was trained: a fixed computation, {source}",
            weights_license="none needed, nothing was trained",
            notes=(
                "Knows nothing of what images show: it is there to be compared with, for what a network adds to it.",
            ),
        ),
    )
    return with_card(graph, card)


class _Graph:
    """Nodes and constants of a graph under construction."""

    def __init__(self, name: str, side: int) -> None:
        self._name, self._side = name, side
        self._nodes: list[NodeProto] = []
        self._constants: dict[tuple[Any, ...], TensorProto] = {}

    def node(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add a node with one output; returns the name of that."""
        from onnx import helper

        name = output or f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def constant(self, values: Any, dtype: type[np.generic] = np.float32) -> str:
        """The name of a constant; equal ones are kept once."""
        from onnx import numpy_helper

        array = np.asarray(values, dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = numpy_helper.from_array(array, f"constant_{len(self._constants)}")
        return self._constants[key].name

    def planes(self) -> str:
        """The pixels, float32 `(N, 3, 1, side, side)`, 0 to 255."""
        moved = self.node("Transpose", "image", perm=[0, 3, 1, 2])
        apart = self.node("Unsqueeze", moved, self.constant([2], np.int64))
        return self.node("Cast", apart, to=1)

    def luma(self) -> str:
        """The brightness, `(N, 1, 1, side, side)`, 0 to 255 (Rec. 601)."""
        weighted = self.node("Mul", self.planes(), self.constant(np.reshape(_LUMA, (1, 3, 1, 1, 1))))
        return self.node("ReduceSum", weighted, self.constant([1], np.int64), keepdims=1)

    def separable(self, values: str, rows: Floats | None, columns: Floats | None) -> str:
        """A filter for columns of pixels, `(height out, height)`, and one for rows of pixels, `(width out, width)`."""
        if columns is not None:
            values = self.node("MatMul", values, self.constant(columns.T))
        return values if rows is None else self.node("MatMul", self.constant(rows), values)

    def sobel(self, values: str, side: int) -> tuple[str, str]:
        """The derivatives to the right and down, each smoothed across its direction."""
        smooth, steep = _band(side, (0.25, 0.5, 0.25)), _derivative(side)
        return self.separable(values, smooth, steep), self.separable(values, steep, smooth)

    def votes(self, across: str, down: str, strength: str, bins: int, voting: Voting) -> str:
        """Each gradient's strength, `(N, bins, 1, side, side)`, in the bins of its direction from 0 to 180 degrees."""
        level = self.node("Equal", across, self.constant(0))
        slope = self.node("Div", down, self.node("Where", level, self.constant(1e-6), across))
        place = self.node("Mul", self.node("Atan", slope), self.constant(bins / np.pi))
        centers = np.reshape(np.arange(bins) + 0.5, (1, bins, 1, 1, 1))
        away = self.node("Sub", place, self.constant(centers))
        turns = self.node("Round", self.node("Div", away, self.constant(bins)))
        away = self.node("Sub", away, self.node("Mul", turns, self.constant(bins)))
        if voting == "linear":
            shares = self.node("Relu", self.node("Sub", self.constant(1), self.node("Abs", away)))
        else:
            from_half = self.node("GreaterOrEqual", away, self.constant(-0.5))
            shares = self.node("Cast", self.node("And", from_half, self.node("Less", away, self.constant(0.5))), to=1)
        return self.node("Mul", shares, strength)

    def blocks(self, cells: str, across: int) -> str:
        """Blocks of 2 x 2 cells, `(N, 4 * bins, 1, across - 1, across - 1)`, normalized."""
        corners = [
            self.node(
                "Slice",
                cells,
                self.constant([row, column], np.int64),
                self.constant([row + across - 1, column + across - 1], np.int64),
                self.constant([3, 4], np.int64),
            )
            for row in (0, 1)
            for column in (0, 1)
        ]
        blocks = self._unit(self.node("Concat", *corners, axis=1))
        blocks = self._unit(self.node("Min", blocks, self.constant(_HYSTERESIS)))
        return self.node("Transpose", blocks, perm=[0, 3, 4, 2, 1])

    def standardized(self, values: str) -> str:
        """All values of an image, `(N, d)`, with mean 0 and length 1 together; of one without any, 0.

        Without the mean, images that have nothing in common would have a high cosine: no value is below 0.
        """
        flat = self.node("Flatten", values, axis=1)
        return self._unit(self.node("Sub", flat, self.node("ReduceMean", flat, axes=[1], keepdims=1)))

    def _unit(self, values: str) -> str:
        """Values of length 1 along axis 1."""
        squares = self.node("Mul", values, values)
        square = self.node("ReduceSum", squares, self.constant([1], np.int64), keepdims=1)
        length = self.node("Sqrt", self.node("Add", square, self.constant(_EPSILON**2)))
        return self.node("Div", values, length)

    def finished(self, values: str, width: int) -> ModelProto:
        """The whole, with its values as `embedding`."""
        from onnx import TensorProto, checker, helper

        self.node("Flatten", values, output="embedding", axis=1)
        shape: list[str | int | None] = ["N", self._side, self._side, 3]
        model = helper.make_model(
            helper.make_graph(
                self._nodes,
                self._name,
                [helper.make_tensor_value_info("image", TensorProto.UINT8, shape)],
                [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", width])],
                list(self._constants.values()),
            ),
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
            producer_name="beholder",
        )
        checker.check_model(model)
        return model


def _derivative(side: int) -> Floats:
    """Central differences; 0 at the borders, where one neighbor is missing."""
    matrix = _band(side, (-1.0, 0.0, 1.0))
    matrix[[0, -1]] = 0
    return matrix


def _band(side: int, weights: tuple[float, ...]) -> Floats:
    """A filter of odd length; beyond the borders, the last pixel goes on."""
    matrix = np.zeros((side, side))
    reach = len(weights) // 2
    for step, weight in zip(range(-reach, reach + 1), weights, strict=True):
        np.add.at(matrix, (np.arange(side), np.clip(np.arange(side) + step, 0, side - 1)), weight)
    return matrix


def _gaussian(side: int, sigma: float) -> Floats:
    steps = np.arange(-round(3 * sigma), round(3 * sigma) + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    return _band(side, tuple(weights / weights.sum()))


def _means(side: int, cell: int) -> Floats:
    """Averages over cells side by side; what is left over at the end belongs to none."""
    count = side // cell
    matrix = np.zeros((count, side))
    matrix[:, : count * cell] = np.kron(np.eye(count), np.full((1, cell), 1 / cell))
    return matrix


_MODELS: Final[Mapping[str, tuple[Callable[[], ModelProto], str, str]]] = {
    "hog": (
        hog_graph,
        "Histograms of oriented gradients (HOG): shape by the directions of edges. Computed, not trained.",
        "after Dalal and Triggs, CVPR 2005",
    ),
    "edges": (
        edges_graph,
        "How strong edges are, where and in which direction (Sobel). Computed, not trained.",
        "from Sobel's gradients",
    ),
    "corners": (
        corners_graph,
        "How much of a corner is where (Harris). Computed, not trained.",
        "after Harris and Stephens, Alvey Vision Conference 1988",
    ),
}
