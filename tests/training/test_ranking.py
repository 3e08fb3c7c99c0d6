"""Several recipes on a part of the images: `beholder.training.ranking`."""

from __future__ import annotations

from pathlib import Path

import pytest

from beholder.data import ContentCache, read
from beholder.errors import MissingPackage, UsageError
from beholder.training import Recipe
from beholder.training.ranking import Ranking, rank_recipes, recipes_of
from pictures import SHAPES, make_folder

pytest.importorskip("torch")


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
    monkeypatch.setattr("beholder.training.ranking.LEAST_IMAGES", 3)
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
