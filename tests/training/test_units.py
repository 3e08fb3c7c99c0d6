"""The stages of a network, what their places see, and how specific their units are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import PIL.Image
import pytest
from onnx import TensorProto, helper

import beholder
from beholder.data import ContentCache, Dataset, read
from beholder.errors import DataError, InvalidModel, WrongTask
from beholder.model import read_card
from beholder.model.card import fitting_mark
from beholder.model.file import embedding_space
from beholder.training.units.drawing import TILE_SIDE, exciting_part, map_png, palette, shown_hw
from beholder.training.units.layout import channel_axes
from beholder.training.units.probing import probe
from beholder.training.units.responses import Observer
from beholder.training.units.sampling import MOST_IMAGES, draw, numbers_of
from beholder.training.units.selectivity import most_telling, selectivity_of, sparseness_of
from beholder.training.units.sight import Sight, sights_of
from beholder.training.units.stages import find_stages
from beholder.zoo import find
from graphs import make_model, model_bytes
from pictures import make_folder


@pytest.fixture(scope="module")
def observer() -> Observer:
    return Observer(find("efficientnet-lite0"), "cpu")


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)


def test_stages_go_from_the_first_convolution_to_the_embedding(observer: Observer, noise: np.ndarray) -> None:
    tensors = observer.maps(observer.input_of(noise))
    sides = [tensors[f"{number}/map"].shape[1] for number in range(len(observer.stages))]
    assert [stage.name for stage in observer.stages] == [*(f"Stage {n}" for n in range(1, 8)), "Embedding"]
    assert sides == [112, 56, 28, 14, 14, 7, 7, 7]
    for number in range(len(sides)):
        values = tensors[f"{number}/map"]
        assert values.min() == 0  # after an activation, where a unit can be silent
        np.testing.assert_allclose(tensors[f"{number}/mean"], values.mean(axis=(1, 2)), rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(tensors[f"{number}/peak"], values.max(axis=(1, 2)))
    embedding = beholder.load("efficientnet-lite0").embed(noise).vector
    np.testing.assert_allclose(tensors[f"{len(sides) - 1}/pooled"], embedding, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_place_sees_its_area_and_nothing_else(observer: Observer, noise: np.ndarray, number: int) -> None:
    sight = observer.stages[number].sight
    side = (112, 56, 28)[number]
    place = (side // 2 + 1, side // 2 - 2)
    left, top, right, bottom = (round(bound) for bound in sight.area(place))
    before = observer.maps(noise)[f"{number}/map"][:, *place]
    outside = 255 - noise
    outside[top:bottom, left:right] = noise[top:bottom, left:right]
    np.testing.assert_allclose(observer.maps(outside)[f"{number}/map"][:, *place], before, atol=1e-4)
    for row, column in ((top, left), (bottom - 1, right - 1)):
        touched = noise.copy()
        touched[row : row + 1, left:right] = 255 - touched[row : row + 1, left:right]
        touched[top:bottom, column : column + 1] = 255 - touched[top:bottom, column : column + 1]
        assert np.abs(observer.maps(touched)[f"{number}/map"][:, *place] - before).max() > 1e-6


def nodes_of(*rows: tuple) -> list:
    return [helper.make_node(kind, inputs, outputs, **more) for kind, inputs, outputs, more in rows]


def test_sight_by_hand() -> None:
    kernel = np.zeros((4, 3, 3, 3), np.float32)
    wide = np.zeros((4, 4, 3, 3), np.float32)
    model = make_model(
        nodes_of(
            ("Conv", ["image_planes", "kernel"], ["a"], {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
            ("Relu", ["a"], ["b"], {}),
            ("Conv", ["b", "wide"], ["c"], {"dilations": [2, 2], "pads": [2, 2, 2, 2]}),
            ("GlobalAveragePool", ["c"], ["gate"], {}),
            ("Mul", ["c", "gate"], ["gated"], {}),
            ("Add", ["gated", "b"], ["d"], {}),
            ("MaxPool", ["d"], ["e"], {"kernel_shape": [2, 2], "strides": [2, 2]}),
            ("ReduceMean", ["e"], ["f"], {"axes": [2, 3]}),
        ),
        (32, 32),
        {"f": (TensorProto.FLOAT, (4, 1, 1))},
        kernel=kernel,
        wide=wide,
    )
    sights = sights_of(model)
    assert sights["b"] == Sight((-1, -1), (3, 3), (2, 2))
    assert sights["d"] == Sight((-5, -5), (11, 11), (2, 2))
    assert sights["e"] == Sight((-5, -5), (13, 13), (4, 4))
    assert sights["e"].area((2, 0)) == (-5, 3, 8, 16)
    assert not {"gate", "f"} & set(sights)


def residual(*, embedding: bool) -> onnx.ModelProto:
    """Two convolutions whose sum has no activation, and the one that reads it."""
    outputs = {"probabilities": (TensorProto.FLOAT, (4,))}
    if embedding:
        outputs["embedding"] = (TensorProto.FLOAT, (4,))
    random = np.random.default_rng(1)
    return make_model(
        nodes_of(
            ("Conv", ["image_planes", "stem"], ["a"], {}),
            ("Relu", ["a"], ["b"], {}),
            ("Conv", ["b", "block"], ["c"], {"pads": [1, 1, 1, 1]}),
            ("Add", ["b", "c"], ["sum"], {}),
            ("Conv", ["sum", "block"], ["d"], {}),
            ("Sigmoid", ["d"], ["gate"], {}),
            ("Mul", ["d", "gate"], ["active"], {}),
            ("Conv", ["active", "block"], ["e"], {}),
            ("Conv", ["e", "block"], ["f"], {}),
            ("Relu", ["f"], ["g"], {}),
            ("ReduceMean", ["g"], ["mean"], {"axes": [2, 3], "keepdims": 1}),
            ("Flatten", ["mean"], ["embedding"], {}),
            ("Softmax", ["embedding"], ["probabilities"], {}),
        ),
        (32, 32),
        outputs,
        stem=random.normal(size=(4, 3, 3, 3)).astype(np.float32),
        block=random.normal(size=(4, 4, 3, 3)).astype(np.float32),
    )


@pytest.mark.parametrize(("embedding", "tensors"), [(True, ["b", "active", "g"]), (False, ["b", "active", "g"])])
def test_blocks_are_looked_at_where_they_are_active(embedding: bool, tensors: list[str]) -> None:
    model = residual(embedding=embedding)
    before = model.SerializeToString()
    stages = find_stages(model, "tiny")
    assert [stage.tensor for stage in stages] == tensors
    assert (stages[-1].name == "Embedding") == embedding
    assert model.SerializeToString() == before


def test_what_cannot_be_looked_into_is_refused(tmp_path: Path) -> None:
    for task, error, reason in (
        ("segment", WrongTask, "must classify for its feature maps to be shown, and it can segment"),
        ("classify", InvalidModel, "must have convolutional stages for its feature maps to be shown"),
    ):
        (tmp_path / f"{task}.onnx").write_bytes(model_bytes(task))
        with pytest.raises(error, match=f"tiny-{task}: {reason}"):
            Observer(tmp_path / f"{task}.onnx")


def test_selectivity_by_hand() -> None:
    classes = np.repeat([0, 1, 2], 4)
    only = np.where(classes == 1, 2.0, 0.0)
    alike = np.ones(12)
    twice = np.where(classes == 2, 4.0, 2.0)
    found = selectivity_of(np.stack([only, alike, twice, np.zeros(12)], axis=1).astype(np.float32), classes, 3)
    np.testing.assert_allclose(found.index, [1, 0, 1 / 3, np.nan])
    assert (found.preferred[0], found.preferred[2]) == (1, 2)
    np.testing.assert_allclose(found.by_class[:, 2], [2, 2, 4])


def test_chance_is_no_preference() -> None:
    random = np.random.default_rng(2)
    classes = np.repeat(np.arange(10), 24)
    noise = random.exponential(size=(240, 400)).astype(np.float32)
    means = np.stack([noise[classes == number].mean(axis=0) for number in range(10)])
    best = means.max(axis=0)
    others = (means.sum(axis=0) - best) / 9
    assert ((best - others) / (best + others)).mean() > 0.1  # as on the same images
    assert abs(selectivity_of(noise, classes, 10).index.mean()) < 0.03


def test_sparseness_by_hand() -> None:
    one = np.zeros(10)
    one[3] = 5
    found = sparseness_of(np.stack([np.ones(10), one, np.zeros(10)], axis=1).astype(np.float32))
    np.testing.assert_allclose(found, [0, 1, np.nan], atol=1e-6)


def test_units_of_different_classes_are_shown_and_faint_ones_are_not() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.99, np.nan])
    preferred = np.array([0, 0, 1, 2, 1, 0])
    mean = np.tile(np.array([1.0, 1.0, 1.0, 1.0, 0.01, 0.0], np.float32), (12, 1))
    assert most_telling(scores, preferred, mean, mean, 3) == [0, 2, 3]
    assert most_telling(scores, preferred, mean, mean, 10) == [0, 1, 2, 3]
    assert most_telling(scores, None, mean, mean, 2) == [0, 1]
    rare = mean.copy()
    rare[4:, 0] = 0
    assert most_telling(scores, None, mean, rare, 2) == [1, 2]


def test_a_probe_tells_what_a_line_can_tell() -> None:
    random = np.random.default_rng(3)
    classes = np.tile(np.arange(3), 40)
    folds = np.arange(120) // 3 % 5
    apart = (np.eye(3)[classes] + random.normal(0, 0.1, (120, 3))).astype(np.float32)
    found = probe(apart, classes, folds, 3, 0)
    assert (found.value, found.count) == (1.0, 120)
    chance = probe(random.normal(size=(120, 40)).astype(np.float32), classes, folds, 3, 0)
    assert chance.low < 1 / 3 < chance.high
    assert chance.value < 0.5


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return read(make_folder(tmp_path_factory.mktemp("units") / "set", {"bars": 30, "dots": 12, "waves": 3}))


def test_every_class_with_enough_images_is_drawn(shapes: Dataset) -> None:
    card = read_card(find("efficientnet-lite0"))
    with ContentCache() as contents:
        drawn = draw(shapes, card, contents, 0)
        assert draw(shapes, card, contents, 0) == drawn
        other = draw(shapes, card, contents, 1)
    assert drawn.classes == ("bars", "dots")
    assert drawn.notes == ("1 class of fewer than 4 images left out.",)
    assert np.bincount(numbers_of(drawn.samples, drawn.classes)).tolist() == [30, 12]
    assert [sample.name for sample in other.samples] != [sample.name for sample in drawn.samples]


def test_many_images_are_not_all_looked_at(shapes: Dataset) -> None:
    many = [replace(s, name=f"{n}/{s.name}") for n in range(40) for s in shapes.samples if s.labels != ("waves",)]
    with ContentCache() as contents:
        drawn = draw(shapes.with_samples(many), read_card(find("efficientnet-lite0")), contents, 0)
    assert np.bincount(numbers_of(drawn.samples, drawn.classes)).tolist() == [MOST_IMAGES // 2] * 2


def fitted(shapes: Dataset, count: int) -> tuple:
    """A card that was fitted on so many images of each class."""
    card = read_card(find("efficientnet-lite0"))
    with ContentCache() as contents:
        digests = {sample.name: contents.digest_of(sample.path) for sample in shapes.samples}
    marks = tuple(fitting_mark(found) for name, found in digests.items() if int(Path(name).stem) < count)
    return replace(card, provenance=replace(card.provenance, fitted_on=marks)), digests


def test_images_that_the_network_was_trained_on_are_avoided_or_told(shapes: Dataset) -> None:
    card, _ = fitted(shapes, 2)
    with ContentCache() as contents:
        drawn = draw(shapes, card, contents, 0)
        assert {int(Path(sample.name).stem) for sample in drawn.samples} == set(range(2, 30))
        card, _ = fitted(shapes, 6)
        told = draw(shapes, card, contents, 0)
    assert len(told.samples) == 42
    assert told.notes[-1].startswith("12 of the 42 images were used to fit this model;")


def test_what_only_the_head_was_fitted_on_is_as_good_as_any(shapes: Dataset) -> None:
    card, _ = fitted(shapes, 6)
    origin = replace(card.provenance, parent="sha256:0123")
    head = replace(card, provenance=origin)
    with ContentCache() as contents:
        assert "were used to fit" in draw(shapes, head, contents, 0).notes[-1]
        head = replace(head, embedding=replace(card.embedding, space=embedding_space("sha256:0123", card.geometry)))
        assert "were used to fit" not in draw(shapes, head, contents, 0).notes[-1]


def test_without_labels_it_is_said(shapes: Dataset) -> None:
    bare = [replace(sample, labels=()) for sample in shapes.samples]
    card = read_card(find("efficientnet-lite0"))
    with ContentCache() as contents:
        drawn = draw(replace(shapes.with_samples(bare), classes=()), card, contents, 0)
        assert (len(drawn.samples), drawn.classes) == (45, ())
        assert drawn.notes[0].startswith("Which class a unit answers to is left out")
        with pytest.raises(DataError, match="must hold images"):
            draw(shapes.with_samples([]), card, contents, 0)


def test_a_map_in_color(tmp_path: Path) -> None:
    values = np.array([[-3.0, 0.0], [1.0, 2.0]], np.float32)
    (tmp_path / "map.png").write_bytes(map_png(values))
    with PIL.Image.open(tmp_path / "map.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    colors = palette()
    assert pixels[5, 5].tolist() == pixels[5, -5].tolist() == colors[0].tolist()
    assert pixels[-5, 5].tolist() == colors[128].tolist()
    assert pixels[-5, -5].tolist() == colors[255].tolist()
    brightness = colors @ np.array([0.299, 0.587, 0.114])
    assert (np.diff(brightness) > -0.5).all()


def test_the_exciting_part_is_what_is_seen_at_the_peak() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[32:40, 16:24] = (250, 10, 20)
    values = np.zeros((16, 16), np.float32)
    values[8, 4] = 1
    part = exciting_part(pixels, values, Sight((0, 0), (8, 8), (4, 4)))
    assert part.shape == (TILE_SIDE, TILE_SIDE, 3)
    assert (part == (250, 10, 20)).all()
    values[0, 15] = 2  # at the border the part is moved into the image
    assert (exciting_part(pixels, values, Sight((-2, -2), (8, 8), (4, 4))) == 0).all()


def test_where_most_is_seen_the_answering_place_keeps_its_colors() -> None:
    pixels = np.full((64, 64, 3), (200, 40, 40), np.uint8)
    values = np.zeros((4, 4), np.float32)
    values[0, 0] = 1
    for sight in (None, Sight((-9, -9), (80, 80), (16, 16))):
        assert shown_hw(sight, (64, 64)) is None
        part = exciting_part(pixels, values, sight)
        assert part[4, 4].tolist() == [200, 40, 40]
        assert len(set(part[-4, -4].tolist())) == 1  # gray
    assert shown_hw(Sight((-9, -9), (40, 40), (4, 4)), (64, 64)) == (24, 24)  # the middle of what is seen


def test_channels_are_followed_where_they_come_last() -> None:
    """As in ConvNeXt: a block computes with its channels last, and nothing of it is taken for a map."""
    random = np.random.default_rng(2)
    model = make_model(
        nodes_of(
            ("Conv", ["image_planes", "stem"], ["a"], {"strides": [4, 4]}),
            ("Conv", ["a", "depth"], ["b"], {"pads": [3, 3, 3, 3], "group": 4}),
            ("Transpose", ["b"], ["c"], {"perm": [0, 2, 3, 1]}),
            ("LayerNormalization", ["c", "gain"], ["d"], {"axis": -1}),
            ("MatMul", ["d", "wide"], ["e"], {}),
            ("Sigmoid", ["e"], ["gate"], {}),
            ("Mul", ["e", "gate"], ["f"], {}),
            ("MatMul", ["f", "narrow"], ["g"], {}),
            ("Transpose", ["g"], ["h"], {"perm": [0, 3, 1, 2]}),
            ("Add", ["a", "h"], ["sum"], {}),
            ("Conv", ["sum", "depth"], ["i"], {"pads": [3, 3, 3, 3], "group": 4}),
            ("Reshape", ["i", "shape"], ["j"], {}),
            ("ReduceMean", ["j"], ["embedding"], {"axes": [2], "keepdims": 0}),
            ("Softmax", ["embedding"], ["probabilities"], {}),
        ),
        (32, 32),
        {"probabilities": (TensorProto.FLOAT, (4,)), "embedding": (TensorProto.FLOAT, (4,))},
        stem=random.normal(size=(4, 3, 4, 4)).astype(np.float32),
        depth=random.normal(size=(4, 1, 7, 7)).astype(np.float32),
        gain=np.ones(4, np.float32),
        wide=random.normal(size=(4, 16)).astype(np.float32),
        narrow=random.normal(size=(16, 4)).astype(np.float32),
        shape=np.array([0, 4, 64], np.int64),
    )
    axes = channel_axes(model)
    assert (axes["a"], axes["c"], axes["g"], axes["sum"]) == (1, 3, 3, 1)
    assert "j" not in axes
    stages = find_stages(model, "tiny")
    assert [(stage.tensor, stage.is_map) for stage in stages] == [("a", True), ("sum", True), ("embedding", False)]
    assert sights_of(model)["sum"] == Sight((-12, -12), (28, 28), (4, 4))
