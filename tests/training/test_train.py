"""From a folder to a model file that answers as it was measured."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import beholder
from beholder.errors import InvalidClasses, InvalidModel, OutputExists, UsageError
from beholder.model import read_card
from beholder.training import Recipe, run_training
from pictures import SHAPES, make_folder, picture


@pytest.fixture(scope="module")
def run(textures: Path, tmp_path_factory: pytest.TempPathFactory):
    return run_training(textures, tmp_path_factory.mktemp("out") / "textures.onnx")


def test_the_model_answers_its_own_kind_of_image(run, tmp_path: Path) -> None:
    new = make_folder(tmp_path / "new", dict.fromkeys(SHAPES, 4), seed=5)
    model = beholder.load(run.model)
    answers = list(model.predict_many(new))
    right = [answer.label == Path(answer.source).parent.name for answer in answers]
    assert sum(right) >= 10
    assert all(answer.prediction_set is not None for answer in answers)
    assert {answer.unknown for answer in answers} <= {True, False}
    assert sum(answer.unknown for answer in answers) <= 4  # of 12 known ones
    covered = [Path(answer.source).parent.name in answer.prediction_set for answer in answers]
    assert sum(covered) >= 10


def test_strangers_are_unknown(run, tmp_path: Path) -> None:
    gradient = np.tile(np.linspace(0, 255, 64, dtype=np.uint8), (64, 1))
    assert beholder.load(run.model).predict(gradient).unknown


def test_small_classes_are_measured_by_cross_validation(run) -> None:
    assert run.evaluation.kind == "cross-validated"
    assert run.evaluation.count == 36
    assert run.evaluation.metrics["top1"].value >= 0.8
    assert run.evaluation.metrics["unknown_auroc"].count == 4


def test_the_card_says_what_was_measured_and_on_what(run, textures: Path) -> None:
    card = read_card(run.model)
    assert card.labels == SHAPES
    (top1,) = [measure for measure in card.evaluation if measure.metric == "top1"]
    assert (top1.origin, top1.value) == ("measured", run.evaluation.metrics["top1"].value)
    assert len(card.provenance.fitted_on) == 36
    assert card.provenance.data_digest == run.evaluation.dataset
    assert Recipe.from_toml(card.provenance.recipe) == Recipe()
    assert card.calibration.count == 36


def test_the_embedding_is_comparable_with_the_backbones(run, textures: Path) -> None:
    image = textures / "bars" / "0.png"
    ours, theirs = beholder.load(run.model).embed(image), beholder.load().embed(image)
    assert ours.space == theirs.space
    np.testing.assert_allclose(ours.vector, theirs.vector, atol=1e-4)


def test_a_run_leaves_its_recipe_report_and_model(run) -> None:
    names = {path.name for path in run.folder.iterdir()}
    files = {"recipe.toml", "run.json", "log.txt", "metrics.json", "report.html", "report.json", "textures.onnx"}
    assert names == files
    log = (run.folder / "log.txt").read_text(encoding="utf-8").splitlines()
    steps = [line.split(" s  ")[1] for line in log[1:]]
    assert steps[0] == "reading: 40 images"
    assert steps.index("fitting") < steps.index("exporting") < steps.index("done")
    assert "read as a folder per class: 3 classes" in steps
    metrics = json.loads((run.folder / "metrics.json").read_text())
    assert metrics == run.to_dict()["metrics"]
    assert (run.folder / "textures.onnx").read_bytes() == run.model.read_bytes()
    twin = json.loads((run.folder / "report.json").read_text())
    assert twin["metrics"]["top1"]["value"] == run.to_dict()["metrics"]["top1"]["value"]


def test_the_same_recipe_and_data_give_the_same_file(run, textures: Path, tmp_path: Path) -> None:
    again = run_training(textures, tmp_path / "textures.onnx")
    assert again.model.read_bytes() == run.model.read_bytes()


def test_an_image_is_looked_at_once(textures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    original = beholder.image.Reader.read

    def watched(self, raw, name, *rest):
        seen.append(name)
        return original(self, raw, name, *rest)

    shutil.copytree(textures, tmp_path / "more")
    picture("bars", np.random.default_rng(77)).save(tmp_path / "more" / "bars" / "new.png")
    monkeypatch.setattr("beholder.image.Reader.read", watched)
    run_training(tmp_path / "more", tmp_path / "a.onnx")
    looked = [name for name in seen if not Path(name).is_absolute()]  # others: the check of the file, the report
    assert looked == ["bars/new.png"]


def test_a_file_that_answers_otherwise_is_refused(
    textures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its probabilities are right; only its familiarity is measured to other points."""
    from beholder.training import heads

    def other(backbone, head):
        return original(backbone, dataclasses.replace(head, prototypes=-head.prototypes))

    original = heads.export_head
    monkeypatch.setattr(heads, "export_head", other)
    with pytest.raises(InvalidModel, match="must answer as the trained model does"):
        run_training(textures, tmp_path / "a.onnx")
    assert not (tmp_path / "a.onnx").exists()


def test_a_split_given_by_its_owner_is_respected(tmp_path: Path) -> None:
    make_folder(tmp_path / "data" / "train", dict.fromkeys(SHAPES, 8))
    make_folder(tmp_path / "data" / "test", dict.fromkeys(SHAPES, 5), seed=3)
    done = run_training(tmp_path / "data", tmp_path / "m.onnx")
    assert (done.evaluation.kind, done.evaluation.count) == ("test", 15)
    assert len(read_card(done.model).provenance.fitted_on) == 24


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_images_per_class_are_enough_to_begin(tmp_path: Path, count: int) -> None:
    done = run_training(make_folder(tmp_path / "few", dict.fromkeys(SHAPES, count)), tmp_path / "few.onnx")
    card = read_card(done.model)
    if count == 1:
        assert card.calibration is None
        assert done.evaluation.metrics["top1"].value is None
    assert beholder.load(done.model).predict(tmp_path / "few" / "dots" / "0.png").label == "dots"


def test_several_labels_per_image(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "images", dict.fromkeys(SHAPES, 10))
    rows = ["path,labels"]
    for kind in SHAPES:
        rows += [f"{kind}/{n}.png,{kind}{'|even' if n % 2 == 0 else ''}" for n in range(10)]
    (folder / "labels.csv").write_text("\n".join(rows))
    done = run_training(beholder_data(folder / "labels.csv"), tmp_path / "multi.onnx")
    card = read_card(done.model)
    assert card.multi_label
    assert len(card.thresholds) == 4
    assert done.evaluation.metrics["map"].value > 0.6
    answer = beholder.load(done.model).predict(folder / "bars" / "0.png")
    assert "bars" in answer.accepted


def beholder_data(path: Path):
    from beholder.data import read

    return read(path)


def test_refusals(textures: Path, tmp_path: Path) -> None:
    (tmp_path / "there.onnx").write_bytes(b"mine")
    with pytest.raises(OutputExists):
        run_training(textures, tmp_path / "there.onnx")
    assert (tmp_path / "there.onnx").read_bytes() == b"mine"
    one = make_folder(tmp_path / "one", {"bars": 3})
    with pytest.raises(InvalidClasses):
        run_training(one, tmp_path / "one.onnx")
    assert not (tmp_path / "one.onnx").exists()


def test_an_unreadable_image_is_left_out_and_counted(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data", dict.fromkeys(SHAPES, 12))
    (folder / "bars" / "broken.png").write_bytes(b"junk")
    done = run_training(folder, tmp_path / "m.onnx")
    assert done.evaluation.count == 36
    assert [(part.reason, part.count) for part in done.evaluation.left_out] == [("could not be read", 1)]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("fold=3", "'fold' is not a key of a recipe; did you mean 'folds'?"),
        ("folds", "must be key=value"),
        ("folds=1", "folds: must lie between 2 and 50"),
        ("layers=most", "layers: must be one of auto, last, last-two, all"),
        ("seed=soon", "seed: must be an integer"),
    ],
)
def test_wrong_settings_name_what_is_right(setting: str, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        Recipe().with_settings([setting])


def test_a_recipe_survives_its_page() -> None:
    recipe = Recipe(layers="last", seed=7, unknown_budget=0.1)
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert Recipe().with_settings(["layers=last", "seed=7", "unknown_budget=0.1"]) == recipe


def test_the_command(textures: Path, tmp_path: Path) -> None:
    shutil.copytree(textures, tmp_path / "textures")
    command = [sys.executable, "-W", "error", "-m", "beholder", "train", "textures", "--json", "--set", "layers=last"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (answer,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert answer["model"] == "textures.onnx"
    assert answer["metrics"]["top1"]["count"] == 36
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert again.returncode == 2
    assert "exists already" in again.stderr


def test_a_class_that_cannot_be_read_at_all_is_named(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "set", dict.fromkeys(SHAPES, 8), seed=3)
    for path in (folder / SHAPES[0]).iterdir():
        path.write_bytes(b"\xff\xd8\xff\xe0 cut")
    made = run_training(folder, tmp_path / "net.onnx", recipe=Recipe(test_share=0.0))
    said = f"not one image can be read of {SHAPES[0]!r}, which is therefore not learned"
    assert said in made.evaluation.notes and len(made.learned.material.dataset.classes) == len(SHAPES) - 1
