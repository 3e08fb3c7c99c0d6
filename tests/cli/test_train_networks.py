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
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.jpg"]


def test_several_are_compared_and_the_best_is_trained(train: Command, textures: Path, tmp_path: Path) -> None:
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
