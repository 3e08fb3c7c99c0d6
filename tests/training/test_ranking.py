"""Several recipes on a part of the images: `beholder.training.ranking`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from beholder.data import ContentCache, Dataset, Sample, read
from beholder.errors import MissingPackage, UnknownModel, UsageError
from beholder.files import data_dir
from beholder.training import Recipe
from beholder.training.features import Backbone
from beholder.training.grouping import gathered
from beholder.training.history import list_unfinished
from beholder.training.learned import Learned, Report, Say
from beholder.training.learning import learn
from beholder.training.part import draw_part
from beholder.training.ranking import Ranking, rank_recipes, recipes_of
from beholder.zoo import DEFAULT_MODEL, find
from pictures import SHAPES, make_folder

pytest.importorskip("torch")
for needed in ("torchvision", "timm", "lightning_fabric"):
    pytest.importorskip(needed)


def ranked(folder: Path, names: list[str], *settings: str, part: float = 1.0) -> Ranking:
    recipes = recipes_of(names, Recipe().with_settings(settings))
    with ContentCache() as contents:
        return rank_recipes(read(folder), recipes, contents, part=part)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ranked") / "set"
    make_folder(root / "train", dict.fromkeys(SHAPES, 24))
    make_folder(root / "test", dict.fromkeys(SHAPES, 4), seed=5)
    return root


@pytest.fixture(scope="module")
def ranking(folder: Path) -> Ranking:
    return ranked(folder, ["mlp@0.01", "head"], "epochs=1", "size=16")


def test_the_best_comes_first_and_the_others_are_tested_against_it(ranking: Ranking) -> None:
    best, other = ranking.candidates
    assert (best.name, other.name) == ("head", "mlp@0.01")
    assert ranking.best.recipe == Recipe(), "of the head, without the keys of networks"
    assert (other.recipe.architecture, other.recipe.width, other.recipe.epochs) == ("mlp", 0.01, 1)
    assert best.beside_best is None
    assert other.beside_best is not None
    assert (other.beside_best.models, other.beside_best.first.value) == (("head", "mlp@0.01"), best.measured.value)
    assert other.beside_best.difference.value < 0
    assert best.measured.count == other.measured.count == ranking.held_out
    assert best.measured.value > 0.9 > other.measured.value


def test_all_are_measured_on_the_same_images_and_none_is_of_the_test_part(folder: Path, ranking: Ranking) -> None:
    assert ranking.fitted + ranking.held_out == 72, "the test part is left alone"
    assert 8 <= ranking.held_out <= 28, "about a quarter is held out; what looks alike stays together"
    assert [one["name"] for one in ranking.to_dict()["candidates"]] == ["head", "mlp@0.01"]


def test_a_part_holds_every_class(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beholder.training.part.LEAST_IMAGES", 3)
    found = ranked(folder, ["head", "mlp@0.01"], "epochs=1", "size=16", part=0.34)
    assert found.fitted + found.held_out == 3 * 8


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["head"], "must name at least two"),
        (["head", "head"], "must name at least two"),
        (["head", "resnet81"], "did you mean 'resnet18'"),
        (["head", "mlp@wide"], "mlp@wide"),
        (["head", "mlp@0"], "width: must lie between"),
    ],
)
def test_what_cannot_be_compared(names: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        recipes_of(names, Recipe())


def test_what_recipes_have_in_common_is_kept() -> None:
    recipes = recipes_of(["head", "lenet5"], Recipe(seed=7, test_share=0.3))
    assert {recipe.seed for recipe in recipes.values()} == {7}
    assert recipes["lenet5"].test_share == 0.3
    assert recipes["lenet5"].method == "network"


def test_a_network_without_torch_is_refused_before_anything_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beholder.training.networks.find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match=r"pip install 'beholder\[train\]'"):
        recipes_of(["head", "lenet5"], Recipe())


def silent(step: str, done: int, total: int) -> None:
    """A report that nobody hears."""


class Trainings:
    """Stands in for the training of networks: says what a head says, and remembers by which recipes."""

    def __init__(self) -> None:
        self.recipes: list[Recipe] = []
        self.stopped_at = ""

    def __call__(
        self, dataset: Dataset, recipe: Recipe, contents: ContentCache, name: str, report: Report, say: Say
    ) -> Learned:
        say("heard")
        if recipe.architecture == self.stopped_at:
            raise KeyboardInterrupt
        self.recipes.append(recipe)
        seen = Recipe(test_share=0.0, folds=4, layers="last")
        return learn(dataset, Backbone(find(DEFAULT_MODEL)), seen, contents, report, keep_version=False)[0]

    @property
    def names(self) -> list[str]:
        """What was trained."""
        return [recipe.architecture for recipe in self.recipes]


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Trainings:
    monkeypatch.setenv("BEHOLDER_DATA", str(tmp_path / "data"))
    made = Trainings()
    monkeypatch.setattr("beholder.training.networks.training.learn_network", made)
    return made


def test_the_head_keeps_its_own_keys() -> None:
    recipes = recipes_of(["head", "lenet5"], Recipe(backbone="hog", layers="last", seed=7))
    assert recipes["head"] == Recipe(backbone="hog", layers="last", seed=7)
    assert recipes["lenet5"] == Recipe(method="network", architecture="lenet5", seed=7)


def test_keys_of_a_head_are_not_dropped_where_none_is_compared() -> None:
    with pytest.raises(UsageError, match="backbone is a key of a head, and none is compared"):
        recipes_of(["mlp", "lenet5"], Recipe(backbone="hog"))


def test_a_part_gets_its_share_of_the_minutes_and_no_patience(folder: Path, trainings: Trainings) -> None:
    found = ranked(folder, ["lenet5", "mlp"], "minutes=30", "patience=2", part=0.25)
    assert [(one.minutes, one.patience) for one in trainings.recipes] == [(7.5, 0)] * 2
    assert (found.best.recipe.minutes, found.best.recipe.patience) == (30, 2), "on all images, all of them"


def test_a_comparison_that_was_interrupted_goes_on(folder: Path, trainings: Trainings) -> None:
    trainings.stopped_at = "mlp"
    with pytest.raises(KeyboardInterrupt):
        ranked(folder, ["head", "lenet5", "mlp"])
    (kept,) = list_unfinished()
    assert kept.may_be_running
    assert kept.byte_size > 0
    trainings.stopped_at = ""
    first = ranked(folder, ["head", "lenet5", "mlp"])
    assert trainings.names == ["lenet5", "mlp"]
    again = ranked(folder, ["mlp", "head", "lenet5"])
    assert trainings.names == ["lenet5", "mlp"], "nothing is trained twice"
    assert {one.name: (one.measured, one.seconds) for one in again.candidates} == {
        one.name: (one.measured, one.seconds) for one in first.candidates
    }
    assert (again.fitted, again.held_out) == (first.fitted, first.held_out)
    ranked(folder, ["head", "lenet5"], "epochs=3")
    assert trainings.names == ["lenet5", "mlp", "lenet5"], "by another recipe"
    again.outcomes.remove()
    assert list_unfinished() == ()


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 cut off"])
def test_a_damaged_outcome_counts_as_none(folder: Path, trainings: Trainings, data: bytes) -> None:
    found = ranked(folder, ["lenet5", "mlp"])
    for path in found.outcomes.folder.iterdir():
        path.write_bytes(data or path.read_bytes()[:-300])
    assert ranked(folder, ["lenet5", "mlp"]).held_out == found.held_out
    assert trainings.names == ["lenet5", "mlp"] * 2


def test_outcomes_that_are_not_of_their_form_count_as_none(folder: Path, trainings: Trainings) -> None:
    found = ranked(folder, ["lenet5", "mlp"])
    for path in found.outcomes.folder.iterdir():
        with np.load(path) as kept:
            arrays = dict(kept)
        np.savez(path, **{**arrays, "truth": arrays["truth"][1:]})
    ranked(folder, ["lenet5", "mlp"])
    assert len(trainings.names) == 4


def test_a_folder_in_use_is_marked(folder: Path, trainings: Trainings, monkeypatch: pytest.MonkeyPatch) -> None:
    found = ranked(folder, ["lenet5", "mlp"])
    touched: list[Path] = []
    monkeypatch.setattr("beholder.training.outcomes.os.utime", touched.append)
    told = found.outcomes.while_told(silent)
    told("fitting", 0, 1)
    assert touched == []
    monkeypatch.setattr("beholder.training.outcomes._MARKED_EVERY", 0.0)
    told("fitting", 1, 1)
    assert touched == [found.outcomes.folder]


@pytest.mark.parametrize(
    ("names", "settings", "error"),
    [
        (["lenet5", "googlenet@0.5"], [], UsageError),
        (["lenet5", "mlp"], ["progressive=0.5"], UsageError),
        (["lenet5", "head"], ["backbone=nothing-like-this"], UnknownModel),
    ],
)
def test_what_is_impossible_is_refused_before_anything_is_trained(
    folder: Path, trainings: Trainings, names: list[str], settings: list[str], error: type[Exception]
) -> None:
    told: list[str] = []
    with ContentCache() as contents, pytest.raises(error):
        recipes = recipes_of(names, Recipe().with_settings(settings))
        rank_recipes(read(folder), recipes, contents, report=lambda step, *_: told.append(step))
    assert (trainings.names, told) == ([], [])


def test_manifests_of_parts_are_not_kept(folder: Path, trainings: Trainings) -> None:
    ranked(folder, ["head", "lenet5"])
    assert [path.name for path in data_dir().iterdir()] == ["unfinished"]


def in_pairs(samples: list[Sample], facts: object, embeddings: object) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Groups that depend on whether a backbone has looked."""
    return np.arange(len(samples)) // (2 if embeddings is None else 1)


@pytest.fixture
def many_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A set that takes a test part, and counts as one of too many images for a backbone."""
    monkeypatch.setattr("beholder.training.grouping.COMPARED_BY_SIGHT", 10)
    monkeypatch.setattr("beholder.training.material.TEST_MINIMUM", 1)
    monkeypatch.setattr("beholder.training.material.groups_of", in_pairs)
    return read(make_folder(tmp_path / "set", dict.fromkeys(SHAPES, 16), seed=8))


def test_no_test_part_of_any_recipe_is_touched(many_images: Dataset, trainings: Trainings) -> None:
    recipes = recipes_of(["head", "lenet5"], Recipe())
    with ContentCache() as contents:
        parts = []
        for recipe in recipes.values():
            material = gathered(many_images, recipe, contents, silent)[1]
            parts.append({material.dataset.samples[row].name for row in np.flatnonzero(material.tested)})
        part = draw_part(many_images, list(recipes.values()), contents, 1.0, silent)
    of_head, of_network = parts
    assert of_head - of_network, "they are not the same"
    assert of_network - of_head
    assert {sample.name for sample in part.dataset.samples} == (
        {sample.name for sample in many_images.samples} - of_head - of_network
    )
    assert part.tested


def test_networks_alone_are_compared_without_a_look_through_the_backbone(
    many_images: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Callable[[], None]:
        raise AssertionError("a backbone was loaded")

    monkeypatch.setattr("beholder.training.part.Backbone", refuse)
    recipes = recipes_of(["mlp", "lenet5"], Recipe())
    with ContentCache() as contents:
        assert draw_part(many_images, list(recipes.values()), contents, 1.0, silent).dataset.samples


def test_it_is_told_whether_there_is_a_test_part(folder: Path, tmp_path: Path, trainings: Trainings) -> None:
    assert ranked(folder, ["mlp", "lenet5"]).tested
    small = make_folder(tmp_path / "small", dict.fromkeys(SHAPES, 12))
    assert not ranked(small, ["mlp", "lenet5"]).tested


def test_a_file_without_a_digest_is_a_failure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = read(folder)
    lost = dataset.samples[0]

    def all_but_one(self: ContentCache, paths: list[Path], progress: object = None) -> list[str | None]:
        return [None if path == lost.path else found for path, found in zip(paths, known(self, paths), strict=True)]

    known = ContentCache.digests
    monkeypatch.setattr(ContentCache, "digests", all_but_one)
    with ContentCache() as contents:
        material = gathered(dataset, Recipe(), contents, silent)[1]
    assert [(name, error.reason) for name, error in material.failures.items()] == [
        (lost.name, "the file cannot be read")
    ]
