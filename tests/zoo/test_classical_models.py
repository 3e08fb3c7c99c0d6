"""HOG, edges and corners as graphs: against scikit-image, on drawings, and as models of the zoo."""

from __future__ import annotations

from typing import get_args

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from skimage.feature import hog

from beholder.model.runtime import open_cpu_session
from beholder.zoo import find, load
from beholder.zoo.builtin.classical import Voting, corners_graph, edges_graph, hog_graph

NAMES = ("hog", "edges", "corners")


def embedded(model: onnx.ModelProto, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    (values,) = open_cpu_session(model.SerializeToString()).run(["embedding"], {"image": images})
    return np.asarray(values)


def smooth_noise(count: int, side: int) -> NDArray[np.uint8]:
    random = np.random.default_rng(5)
    coarse = random.integers(0, 256, (count, side // 4, side // 4, 3))
    fine = random.integers(-20, 20, (count, side, side, 3))
    return np.clip(coarse.repeat(4, axis=1).repeat(4, axis=2) + fine, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("side", "cell", "bins"), [(64, 8, 9), (48, 16, 5), (50, 8, 7)])
def test_hog_is_that_of_scikit_image(side: int, cell: int, bins: int) -> None:
    """Which lets a gradient vote for the nearest orientation only."""
    images = smooth_noise(4, side) if side % 4 == 0 else smooth_noise(4, 52)[:, :side, :side]
    expected = [
        hog(image, bins, (cell, cell), (2, 2), block_norm="L2-Hys", channel_axis=2) for image in images.astype(float)
    ]
    np.testing.assert_allclose(embedded(hog_graph(side, cell, bins, "nearest"), images), expected, atol=1e-5)


@pytest.mark.parametrize("voting", get_args(Voting))
def test_a_gradient_votes_for_its_direction(voting: Voting) -> None:
    """A ramp downwards has its gradient in the middle of the bin of 90 degrees, one across on the border of two."""
    ramp = np.broadcast_to(np.arange(64, dtype=np.uint8)[:, None, None], (64, 64, 3))
    down, across = embedded(hog_graph(voting=voting), np.stack([ramp, ramp.transpose(1, 0, 2)])).reshape(2, -1, 9)
    assert set(np.flatnonzero(down.sum(axis=0) > 1e-3)) == {4}
    votes = across.sum(axis=0)
    assert set(np.flatnonzero(votes > 1e-3)) == ({0, 8} if voting == "linear" else {0})
    if voting == "linear":
        assert votes[0] == pytest.approx(votes[8])


def test_blocks_have_length_one() -> None:
    blocks = embedded(hog_graph(), smooth_noise(2, 64)).reshape(2, 49, 36)
    np.testing.assert_allclose(np.linalg.norm(blocks, axis=2), 1, atol=1e-4)


def square() -> NDArray[np.uint8]:
    image = np.full((1, 64, 64, 3), 40, np.uint8)
    image[:, 18:46, 18:46] = 200
    return image


def test_corners_are_at_the_corners_of_a_square_and_not_at_its_sides() -> None:
    cells = embedded(corners_graph(), square()).reshape(16, 16)
    strongest = {tuple(map(int, np.unravel_index(place, cells.shape))) for place in np.argsort(cells, axis=None)[-4:]}
    assert strongest == {(4, 4), (4, 11), (11, 4), (11, 11)}
    assert cells[8, 4] == pytest.approx(cells[8, 8])  # its left side, and its inside


def test_edges_are_at_the_sides_of_a_square_in_their_direction() -> None:
    cells = embedded(edges_graph(), square()).reshape(8, 8, 8)  # orientation, row, column
    left, top = cells[:, 4, 2], cells[:, 2, 4]
    assert set(np.argsort(left)[-2:]) == {0, 7}  # a gradient across, between the first bin and the last
    assert set(np.argsort(top)[-2:]) == {3, 4}
    assert np.ptp(cells[:, 4, 4]) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("make", [hog_graph, edges_graph, corners_graph])
def test_contrast_hardly_counts_and_a_blank_image_has_nothing(make: type) -> None:
    images = smooth_noise(1, 64)
    softer = (images // 2 + 50).astype(np.uint8)
    first, second, blank = embedded(make(), np.concatenate([images, softer, np.full_like(images, 90)]))
    assert first @ second / np.linalg.norm(first) / np.linalg.norm(second) > 0.99
    assert not blank.any()


@pytest.mark.parametrize("name", NAMES)
def test_they_are_models_of_the_zoo(name: str) -> None:
    with load(name) as model:
        vector = model.embed(smooth_noise(1, 64)[0]).vector
        card = model.card
    assert card.task == "embed"
    assert card.embedding is not None
    assert vector.shape == (card.embedding.dim,)
    assert card.embedding.normalized == bool(np.isclose(np.linalg.norm(vector), 1, atol=1e-4))
    assert "nothing was trained" in (card.provenance.weights_license or "")
    graph = onnx.load(find(name)).graph
    assert not {node.op_type for node in graph.node} & {"Conv", "Gemm"}
    assert sum(len(tensor.raw_data) for tensor in graph.initializer) < 100_000
