"""What is said of numbers whose images also chose the epoch."""

from __future__ import annotations

from pathlib import Path

import pytest

for needed in ("torch", "torchvision", "timm", "lightning_fabric", "onnxscript", "onnxslim"):
    pytest.importorskip(needed)

from beholder.training import Recipe, run_training  # noqa: E402
from beholder.training.measuring import CHOSEN_HERE  # noqa: E402
from pictures import SHAPES, make_folder  # noqa: E402

QUICK = ("architecture=mlp", "width=0.01", "size=16", "epochs=1", "cross_validate=no", "precision=fp32")


@pytest.mark.parametrize(("patience", "test_part", "noted"), [(1, False, True), (0, False, False), (1, True, False)])
def test_numbers_of_images_that_chose_the_epoch_say_so(
    textures: Path, tmp_path: Path, patience: int, test_part: bool, noted: bool
) -> None:
    folder = textures
    if test_part:
        folder = tmp_path / "set"
        make_folder(folder / "train", dict.fromkeys(SHAPES, 8))
        make_folder(folder / "test", dict.fromkeys(SHAPES, 3), seed=5)
    made = run_training(folder, tmp_path / "net.onnx", recipe=Recipe().with_settings([*QUICK, f"patience={patience}"]))
    assert (CHOSEN_HERE in made.evaluation.notes) == noted
