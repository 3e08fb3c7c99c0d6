"""`beholder train` with networks: what the command says, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import PIL.Image
import pytest
from in_process import command
from running import Command

from pictures import SHAPES, make_folder

pytest.importorskip("torch")


@pytest.fixture
def train(capsys: pytest.CaptureFixture[str]) -> Command:
    return command(capsys, "train")


@pytest.fixture(scope="module")
def textures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("networks") / "textures", dict.fromkeys(SHAPES, 12))


def test_a_preview_trains_nothing(train: Command, textures: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.jpg"
    done = train(textures, "--set", "architecture=lenet5", "--preview", sheet)
    assert (done.status, done.out) == (0, f"{sheet}\n")
    with PIL.Image.open(sheet) as picture:
        assert picture.format == "JPEG"
        assert picture.width > 1000
    again = train(textures, "--set", "architecture=lenet5", "--preview", sheet)
    assert (again.status, "--force" in again.err) == (2, True)
    head = train(textures, "--preview", tmp_path / "other.jpg")
    assert (head.status, "architecture=NAME" in head.err) == (2, True)
    as_json = train(textures, "--set", "architecture=lenet5", "--preview", sheet, "--force", "--json")
    assert as_json.lines == [{"preview": str(sheet)}]
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.jpg"]


def test_several_are_compared_and_the_best_is_trained(
    train: Command, textures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEHOLDER_DATA", str(tmp_path / "data"))
    out = tmp_path / "best.onnx"
    done = train(
        *(textures, "--out", out, "--json", "--compare", "mlp@0.01,head", "--part", "1", "--set", "epochs=1"),
        *("--set", "size=16"),
    )
    assert done.status == 0
    told = json.loads(done.out)
    assert "training head on all images" in done.err
    assert done.err.index("  head ") < done.err.index("  mlp@0.01 ")
    facts = json.loads((Path(told["run"]) / "run.json").read_text())
    assert facts["method"] == "head"
    ranking = told["ranking"]
    assert ranking == json.loads((Path(told["run"]) / "ranking.json").read_text())
    assert [one["name"] for one in ranking["candidates"]] == ["head", "mlp@0.01"]
    assert [one["beside_best"] and one["beside_best"]["verdict"] for one in ranking["candidates"]] == [None, "worse"]
    assert ranking["metric"] == "top1"
    assert not list((tmp_path / "data" / "unfinished").iterdir()), (
        "the run is written, so nothing is left to go on with"
    )
    chosen_here = "The recipe was chosen among several on images that are measured on too"
    assert chosen_here in done.err
    report = json.loads((Path(told["run"]) / "report.json").read_text())
    assert [note for note in report["notes"] if note.startswith(chosen_here)]


def interrupted(*args: object, **options: object) -> None:
    """As Ctrl-C does."""
    raise KeyboardInterrupt


def test_a_comparison_that_was_interrupted_at_its_end_goes_on_there(
    train: Command, textures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEHOLDER_DATA", str(tmp_path / "data"))
    settings = ("--set", "epochs=1", "--set", "size=16", "--set", "minutes=1")
    words = (textures, "--out", tmp_path / "best.onnx", "--compare", "mlp@0.01,head", *settings)

    with monkeypatch.context() as patch:
        patch.setattr("beholder.training.run_training", interrupted)
        stopped = train(*words)
    assert stopped.status == 130
    assert "what is done so far is kept: the same command goes on from there" in stopped.err
    assert len(list((tmp_path / "data" / "unfinished").iterdir())) == 1

    with monkeypatch.context() as patch:
        patch.setattr("beholder.training.ranking._learned", interrupted)
        done = train(*words)
    assert done.status == 0, "no recipe was tried again"
    for name in ("mlp@0.01", "head"):
        assert f"{name}: what it came to on the same images was kept" in done.err
    assert "training head on all images" in done.out


def test_an_interrupted_candidate_is_told_to_be_gone_on_with(
    train: Command, textures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEHOLDER_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("beholder.training.networks.training.learn_network", interrupted)
    done = train(textures, "--out", tmp_path / "best.onnx", "--compare", "lenet5,head")
    assert done.status == 130
    assert "the same command goes on from there" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "architecture=resnet81"), "did you mean 'resnet18'"),
        (("--set", "architectur=resnet18"), "did you mean 'architecture'"),
        (("--set", "epochs=3", "--set", "augment=flop"), "did you mean 'flip'"),
        (("--set", "epochs=3", "--set", "clean=denoize"), "did you mean 'denoise'"),
        (("--set", "epochs=3", "--backbone", "hog"), "backbone: is a key of method 'head'"),
        (("--set", "architecture=mlp", "--set", "progressive=0.5"), "takes images of 28 pixels only"),
        (("--compare", "head"), "must name at least two"),
        (("--compare", "head,lenet5", "--part", "2"), "--part: must be above 0"),
        (("--compare", "head,lenet5", "--part", "nan"), "--part: must be above 0"),
        (("--compare", "lenet5,googlenet@0.5"), "leave the width out"),
        (("--compare", "lenet5,head", "--preview", "sheet.jpg"), "--preview: trains nothing, and --compare"),
        (("--part", "0.5"), "--part: is the share of the images that --compare compares on"),
        (("--set", "architecture=googlenet", "--set", "width=0.5"), "leave the width out"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    train: Command, textures: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    done = train(textures, "--out", tmp_path / "no.onnx", *words)
    assert done.status == 2
    assert said in done.err.splitlines()[-1]
    assert "Traceback" not in done.err
    assert not list(tmp_path.iterdir())
