"""From images to a model file by a network: what is in it, what a run keeps, and what becomes of one that is killed."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

torch = pytest.importorskip("torch")
for needed in ("torchvision", "timm", "lightning_fabric", "onnxscript", "onnxslim"):
    pytest.importorskip(needed)

import beholder  # noqa: E402
from beholder.cli import main  # noqa: E402
from beholder.data import ContentCache, read  # noqa: E402
from beholder.errors import InvalidModel, MissingPackage, Offline, OutputFailed, UnreadableImage, UsageError  # noqa: E402
from beholder.files import cache_dir, data_dir  # noqa: E402
from beholder.model.file import read_card  # noqa: E402
from beholder.training import Recipe, Run, run_training  # noqa: E402
from beholder.training.networks import finishing, preparing, processes  # noqa: E402
from beholder.training.networks.answering import Said  # noqa: E402
from beholder.training.networks.fitting import Fitting  # noqa: E402
from beholder.training.networks.preparing import Work, prepare  # noqa: E402
from beholder.training.networks.training import learn_network, train_network  # noqa: E402
from pictures import SHAPES, make_folder  # noqa: E402

QUICK = ("architecture=lenet5", "size=24", "epochs=2", "cross_validate=no", "precision=fp32")


def recipe(*settings: str) -> Recipe:
    return Recipe().with_settings([*QUICK, *settings])


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of 24 pictures."""
    return make_folder(tmp_path_factory.mktemp("sets") / "many", dict.fromkeys(SHAPES, 24), seed=5)


@pytest.fixture(scope="module")
def run(many: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A small network that has learned the textures."""
    chosen = ("architecture=resnet18", "width=0.125", "epochs=10", "folds=2", "cross_validate=yes", "augment=flip")
    said: list[str] = []
    made = run_training(
        many,
        tmp_path_factory.mktemp("run") / "net.onnx",
        recipe=recipe(*chosen, "size=64", "test_share=0"),
        say=said.append,
    )
    assert any("trained from random weights" in line for line in said)
    return made


def test_the_file_recognizes_what_the_network_has_learned(run: Run, many: Path) -> None:
    with beholder.load(run.model) as model:
        answers = model.predict_many([str(many / name / "3.png") for name in SHAPES])
        assert [answer.label for answer in answers] == list(SHAPES)
    top1 = run.evaluation.metrics["top1"]
    assert top1.low is not None and top1.low > 1 / 3 and top1.count == 72


def test_the_card_says_all_that_a_card_of_a_head_says(run: Run) -> None:
    card = read_card(run.model)
    assert card.labels == SHAPES and card.geometry.size_hw == (64, 64) and card.geometry.method == "squash"
    assert card.calibration is not None and card.unknown is not None and card.prediction_sets is not None
    assert card.embedding is not None and card.embedding.dim == 64
    assert {measure.metric for measure in card.evaluation} >= {"top1", "balanced_accuracy", "ece", "coverage_90"}
    assert all(measure.origin == "measured" and "cross-validated" in measure.dataset for measure in card.evaluation)
    made = card.provenance
    assert made.recipe is not None and Recipe.from_toml(made.recipe).architecture == "resnet18"
    assert "\nbackbone = " not in made.recipe
    assert {"beholder", "torch", "numpy"} <= made.versions.keys()
    assert any("resnet18, trained from random weights" in note for note in made.notes)
    assert made.parent is None


def test_a_run_keeps_how_it_went(run: Run) -> None:
    kept = {path.name for path in run.folder.iterdir()}
    assert kept == {
        "recipe.toml", "run.json", "log.txt", "metrics.json", "report.html", "report.json", "net.onnx", "curve.json",
        "augmentations.jpg", "weights.safetensors",
    }  # fmt: skip
    assert (run.folder / "net.onnx").read_bytes() == run.model.read_bytes()
    facts = json.loads((run.folder / "run.json").read_text())
    assert facts["method"] == "network" and facts["agreeing"] == facts["compared"] == 72
    assert facts["steps"] == 10 * (72 // 8) and facts["parameters"] > 10_000 and facts["seconds"].keys() >= {"fit"}
    curve = json.loads((run.folder / "curve.json").read_text())
    assert len(curve) == 10 and curve[-1]["loss"] < curve[0]["loss"]
    assert Recipe.from_toml((run.folder / "recipe.toml").read_text()).architecture == "resnet18"
    with PIL.Image.open(run.folder / "augmentations.jpg") as sheet:
        assert sheet.width > 1000 and sheet.height > 900
    assert not any((data_dir() / "unfinished").glob("*/*")), "nothing unfinished is left"


def test_a_later_run_starts_from_the_weights_of_an_earlier_one(run: Run, many: Path, tmp_path: Path) -> None:
    file = run.folder / "weights.safetensors"
    chosen = ("architecture=resnet18", "width=0.125", "size=64", "epochs=1", f"weights={file}", "learning_rate=1e-9")
    after = run_training(many, tmp_path / "after.onnx", recipe=recipe(*chosen))
    first, loss = (json.loads((one.folder / "curve.json").read_text())[0]["loss"] for one in (run, after))
    assert loss < 0.8 * first
    assert any("fine-tuned from weights of an earlier run" in note for note in read_card(after.model).provenance.notes)
    known = [note for note in after.evaluation.notes if "was made with" in note]
    assert len(known) == 1 and known[0].startswith("weights.safetensors was made with ")
    assert set(read_card(after.model).provenance.fitted_on or ()) == set(
        read_card(run.model).provenance.fitted_on or ()
    )
    with pytest.raises(UsageError, match="its weights are of another network"):
        run_training(many, tmp_path / "other.onnx", recipe=recipe("architecture=resnet18", f"weights={file}"))


def test_what_was_trained_is_not_forgotten_before_it_is_written(
    textures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk while the run is written does not cost the training."""

    def full(*_: object) -> None:
        raise OutputFailed("cannot be written: No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("beholder.training.runs.write_report", full)
        with pytest.raises(OutputFailed, match="No space left"):
            run_training(textures, tmp_path / "net.onnx", recipe=recipe())
    steps: list[str] = []
    run_training(textures, tmp_path / "net.onnx", recipe=recipe(), report=lambda step, *_: steps.append(step))
    assert not [step for step in steps if step.startswith("training")]
    assert not any((data_dir() / "unfinished").glob("*/*"))


def test_what_is_kept_is_not_gone_on_with_where_the_plan_or_the_images_are_others(textures: Path) -> None:
    """The same recipe plans otherwise where weights can be had that could not be before."""

    def folder_of(change: Callable[[Work], Work]) -> list[str]:
        with ContentCache() as contents:
            work = change(prepare(read(textures), recipe(), contents, "net", lambda *_: None, lambda _: None))
        return preparing._makers(work.plan, work.material)

    same = folder_of(lambda work: work)
    assert same == folder_of(lambda work: work)
    assert same != folder_of(lambda work: replace(work, plan=replace(work.plan, pretrained=True)))
    sample = next(iter(read(textures).samples)).name
    left_out = {0: UnreadableImage(sample, "is gone")}
    assert same != folder_of(lambda work: replace(work, material=work.material.without(left_out)))


def test_a_network_of_timm_that_cannot_be_exported_is_refused_before_it_is_trained(
    textures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deciding(torch.nn.Module):
        def forward(self, values: torch.Tensor) -> torch.Tensor:
            return values if values.sum() > 0 else -values  # which no graph can say

    made = preparing.build

    def unexportable(*given: Any, **named: Any) -> Any:
        network = made(*given, **named)
        network.body.add_module("act1", Deciding())
        return network

    monkeypatch.setattr(preparing, "build", unexportable)
    told: list[str] = []
    chosen = recipe("architecture=timm/resnet10t", "weights=none", "size=32")
    with pytest.raises(UsageError, match="architecture: this network cannot be exported; choose another: "):
        run_training(textures, tmp_path / "net.onnx", recipe=chosen, report=lambda step, *_: told.append(step))
    assert not [step for step in told if step.startswith("training")]


def test_equal_recipes_and_data_give_equal_files(textures: Path, tmp_path: Path) -> None:
    one, other = (run_training(textures, tmp_path / name / "net.onnx", recipe=recipe()) for name in ("one", "other"))
    assert one.model.read_bytes() == other.model.read_bytes()
    different = run_training(textures, tmp_path / "third" / "net.onnx", recipe=recipe("seed=1"))
    assert different.model.read_bytes() != one.model.read_bytes()


KILLED = """
import sys
import torch
from beholder.training import Recipe, run_training

torch.set_num_threads(1)
recipe = Recipe.from_toml(open(sys.argv[3]).read())
run_training(sys.argv[1], sys.argv[2], recipe=recipe, report=lambda *told: print(*told))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a signal that cannot be caught")
def test_a_training_that_is_killed_again_and_again_ends_with_the_same_file(
    textures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = recipe("epochs=40", "folds=2", "cross_validate=yes")
    (tmp_path / "recipe.toml").write_text(chosen.to_toml())
    monkeypatch.setenv("BEHOLDER_DATA", str(tmp_path / "data"))
    out = tmp_path / "net.onnx"
    for moment, lines in (("training", random.Random(4).randint(2, 200)), ("exporting", 1)):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(textures), str(out), str(tmp_path / "recipe.toml")],
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, text=True,
        ) as killed:  # fmt: skip
            assert killed.stdout is not None
            for line in killed.stdout:
                lines -= line.startswith(moment)
                if lines == 0:
                    break
            killed.kill()
        assert killed.returncode == -signal.SIGKILL
        assert not list(tmp_path.glob("*net.onnx*"))
    steps: list[str] = []
    again = run_training(textures, out, recipe=chosen, report=lambda step, *_: steps.append(step))
    assert not [step for step in steps if step.startswith("training")], "all was trained before the last end"
    monkeypatch.setenv("BEHOLDER_DATA", str(tmp_path / "other"))
    undisturbed = run_training(textures, tmp_path / "undisturbed" / "net.onnx", recipe=chosen)
    assert undisturbed.model.read_bytes() == again.model.read_bytes()


def test_grey_images_make_a_network_of_one_channel(textures: Path, tmp_path: Path) -> None:
    for path in textures.glob("*/*.png"):
        target = tmp_path / "grey" / path.relative_to(textures)
        target.parent.mkdir(parents=True, exist_ok=True)
        with PIL.Image.open(path) as picture:
            picture.convert("L").save(target)
    made = run_training(tmp_path / "grey", tmp_path / "grey.onnx", recipe=recipe())
    facts = json.loads((made.folder / "run.json").read_text())
    assert facts["channels"] == 1 and facts["clean"] == ["grey"]
    file = made.folder / "weights.safetensors"
    after = run_training(tmp_path / "grey", tmp_path / "after.onnx", recipe=recipe(f"weights={file}", "epochs=1"))
    assert json.loads((after.folder / "run.json").read_text())["channels"] == 1
    with beholder.load(made.model) as model:
        seen = np.random.default_rng(0).integers(0, 256, (24, 24, 1), np.uint8)
        one, other = model.predict_many([seen.repeat(3, axis=2), seen[..., 0]])
    assert one.label == other.label and one.confidence == pytest.approx(other.confidence, abs=1e-4)


def test_several_labels_for_an_image(textures: Path, tmp_path: Path) -> None:
    lines = ["image,labels"]
    for number in range(12):
        for kind in SHAPES:
            extra = ";even" if number % 2 == 0 else ""
            lines.append(f"{textures / kind / f'{number}.png'},{kind}{extra}")
    table = tmp_path / "several.csv"
    table.write_text("\n".join(lines) + "\n")
    made = run_training(table, tmp_path / "several.onnx", recipe=recipe())
    card = read_card(made.model)
    assert card.multi_label and card.thresholds is not None and len(card.labels) == 4
    assert "macro_map" in made.evaluation.metrics or "map" in " ".join(made.evaluation.metrics)


def test_a_file_that_differs_is_refused_and_not_written(
    textures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = finishing.answers

    def other(*given: Any) -> Said:
        said = told(*given)
        return Said(said.logits + np.float32(0.1), said.embeddings)

    monkeypatch.setattr(finishing, "answers", other)
    with pytest.raises(InvalidModel, match="must answer as the trained model does"):
        run_training(textures, tmp_path / "net.onnx", recipe=recipe())
    assert not list(tmp_path.iterdir())


def test_a_stranger_that_has_gone_since_does_not_spoil_a_training(tmp_path: Path, textures: Path) -> None:
    folder = shutil.copytree(textures, tmp_path / "set")

    def vanish(step: str, done: int, total: int) -> None:
        if step == "training":
            (folder / "_unknown" / "0.png").unlink(missing_ok=True)

    said: list[str] = []
    made = run_training(folder, tmp_path / "net.onnx", recipe=recipe("size=25"), report=vanish, say=said.append)
    assert made.model.is_file()
    assert any(line.startswith("nothing was measured on images of nothing known: ") for line in said)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("architecture=lenet55", "did you mean 'lenet5'"),
        ("arcitecture=lenet5", "did you mean 'architecture'"),
        ("augment=flipp", "did you mean 'flip'"),
        ("augment=crop:7", "crop takes a strength from 0 to 1"),
        ("clean=denoize", "did you mean 'denoise'"),
        ("weights=nowhere.safetensors", "weights: must be auto, none, pretrained or a file"),
        ("weights=pretrained", "nobody publishes pretrained weights"),
        ("size=8", "must have at least 16 pixels"),
        ("frozen=60", "stages, found 60"),
        ("backbone=other", "is a key of method 'head'"),
        ("ema=1.5", "must lie between 0.0 and 0.99999"),
    ],
)
def test_what_a_recipe_cannot_ask_for_is_said_before_any_image_is_read(
    setting: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_folder(tmp_path / "set", dict.fromkeys(SHAPES, 2))
    for path in tmp_path.glob("set/*/*.png"):
        path.write_bytes(b"no image")  # looking at it would be told
    out = tmp_path / "net.onnx"
    status = main(["train", str(tmp_path / "set"), "--out", str(out), "--set", "architecture=lenet5", "--set", setting])
    said = capsys.readouterr()
    assert status == 2 and said.out == ""
    assert words in said.err.splitlines()[-1] and "no image" not in said.err and "Traceback" not in said.err
    assert not out.exists()


def test_without_torch_one_line_says_what_to_install(
    textures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = beholder.training.networks.find_spec
    missing = ("torch", "timm")
    monkeypatch.setattr(beholder.training.networks, "find_spec", lambda name: None if name in missing else found(name))
    with pytest.raises(MissingPackage, match=r"^networks need torch, timm; .*pip install 'beholder\[train\]'$"):
        run_training(textures, tmp_path / "net.onnx", recipe=recipe())


def test_weights_that_cannot_be_fetched_are_said_and_done_without(
    textures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = preparing.build

    def offline(name: str, spec: object, *, pretrained: bool = False) -> object:
        if pretrained:
            raise Offline("the weights are not here")
        return built(name, spec, pretrained=False)  # type: ignore[arg-type]

    monkeypatch.setattr(preparing, "build", offline)
    monkeypatch.setattr(preparing, "plan_for", _as_if_large(preparing.plan_for))
    said: list[str] = []
    with ContentCache() as contents:
        made = train_network(
            read(textures), recipe("architecture=resnet18", "epochs=1"), contents, "net", say=said.append
        )
    assert any("so it is trained from random weights" in line for line in said)
    assert made.facts["pretrained"] is False


def _as_if_large(plan_for):  # type: ignore[no-untyped-def]
    from dataclasses import replace

    def planned(recipe, material, device):  # type: ignore[no-untyped-def]
        plan = plan_for(recipe, material, device)
        return replace(plan, pretrained=recipe.weights == "auto")

    return planned


def test_minutes_are_those_of_all_networks_together(
    textures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    minutes: list[float] = []

    class Recorded(Fitting):
        def __init__(self, recognizer: Any, plan: Any, *others: Any) -> None:
            minutes.append(plan.recipe.minutes)
            super().__init__(recognizer, plan, *others)

    monkeypatch.setattr(processes, "Fitting", Recorded)
    chosen = recipe("minutes=0.03", "folds=2", "cross_validate=yes", "epochs=100000")
    made = run_training(textures, tmp_path / "net.onnx", recipe=chosen)
    assert minutes == pytest.approx([0.01, 0.01, 0.01])
    assert "minutes = 0.03" in (made.folder / "recipe.toml").read_text()


def test_decoded_images_are_kept_for_the_next_training(textures: Path, tmp_path: Path) -> None:
    run_training(textures, tmp_path / "one.onnx", recipe=recipe("epochs=1"))
    told: list[str] = []
    run_training(textures, tmp_path / "two.onnx", recipe=recipe("epochs=1"), report=lambda step, *_: told.append(step))
    assert "decoding" not in told and "training" in told
    assert any((cache_dir() / "pixels").iterdir())


def test_an_image_that_vanishes_in_training_is_named_and_the_rest_goes_on(
    textures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("beholder.training.networks.storing._MOST_BYTES", 0)  # so that images are decoded each time
    folder = shutil.copytree(textures, tmp_path / "set")
    gone = sorted(path.name for path in (folder / "bars").iterdir())[0]

    def vanish(step: str, done: int, total: int) -> None:
        if step == "training":
            (folder / "bars" / gone).unlink(missing_ok=True)

    made = run_training(folder, tmp_path / "net.onnx", recipe=recipe("epochs=4"), report=vanish)
    assert list(made.learned.material.failures) == [f"bars/{gone}"]
    assert f"bars/{gone}" not in {sample.name for sample in made.learned.material.dataset.samples}
    assert gone in (made.folder / "log.txt").read_text()
    assert len(read_card(made.model).provenance.fitted_on or ()) == len(made.learned.material.dataset.samples)


def test_patience_of_the_folds_says_how_long_the_last_network_is_trained(
    textures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs: list[int] = []

    class Recorded(Fitting):
        def __init__(self, recognizer: Any, plan: Any, *others: Any) -> None:
            super().__init__(recognizer, plan, *others)
            epochs.append(plan.epochs)

        def looked_at(self) -> dict[str, float]:
            best = len(epochs) + 1  # the second epoch in the first fold, the third in the second
            epoch = len(self.progress.curve) + 1
            return {"held_out_loss": 1.0, "held_out": 1.0 if epoch == best else 0.5}

    monkeypatch.setattr(processes, "Fitting", Recorded)
    chosen = recipe("patience=3", "folds=3", "cross_validate=yes", "epochs=9")
    run_training(textures, tmp_path / "net.onnx", recipe=chosen)
    assert epochs == [9, 9, 9, 3], "the median of 2, 3 and 4"


def test_what_is_only_learned_needs_no_last_network(
    textures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []

    class Recorded(Fitting):
        def __init__(self, recognizer: Any, plan: Any, lesson: Any, keeper: Any, *others: Any) -> None:
            trained.append(keeper.folder.name)
            super().__init__(recognizer, plan, lesson, keeper, *others)

    monkeypatch.setattr(processes, "Fitting", Recorded)
    chosen = recipe("folds=3", "cross_validate=yes", "epochs=1")
    with ContentCache() as contents:
        learned = learn_network(read(textures), chosen, contents, "learned")
    assert trained == ["fold-0", "fold-1", "fold-2"]
    assert learned.calibrating.all() and not np.isnan(learned.familiarity).any()
