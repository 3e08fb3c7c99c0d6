"""What is left out in turn, what is tested on, and what is said of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from beholder.data import Dataset, Facts, Sample
from beholder.training import Material, Recipe, material
from beholder.training.layers import LAST

BLANK = Facts((64, 64), "PNG", "RGB", 1, 0.5, 0.1, 1.0, 1.0, 0.1, 0.1, (0.5,) * 3, (0.1,) * 3, None, None)
SCENES = np.eye(400, dtype=np.float32)
HASHES = np.random.default_rng(0).integers(0, 2**63, 400)


class Seer:
    """A backbone that has seen every image already: what is in it, and what its hash is."""

    def __init__(self, scenes: dict[str, int], hashes: dict[str, int | None]) -> None:
        self.vectors = {name: SCENES[scene] for name, scene in scenes.items()}
        bits = {name: None if value is None else f"{int(HASHES[value]):016x}" for name, value in hashes.items()}
        self.facts = {name: dataclasses.replace(BLANK, hash=value, hash_mirrored=value) for name, value in bits.items()}
        self.failures: dict[str, Exception] = {}
        self.layers = [dataclasses.make_dataclass("Width", [("width", int, 400)])()]

    def see(self, samples, contents, progress=None):
        return self

    def split(self, stacked):
        return {LAST: stacked}


def seen(*rows: tuple[str, str, int, int | None] | tuple[str, str, int, int | None, str], **recipe) -> Material:
    """Labels by letters, content, what the picture shows, which hash it has, and the split of each image."""
    samples = [
        Sample(
            path=Path(f"{number}.png"),
            name=f"{number}.png",
            labels=tuple(labels),
            split=split[0] if split else None,
            digest=content,
        )
        for number, (labels, content, _, _, *split) in enumerate(rows)
    ]
    dataset = Dataset.of(samples, root=Path(), source="made", format="made", view="made")
    seer = Seer({row[1]: row[2] for row in rows}, {row[1]: row[3] for row in rows})
    return material.gather(dataset, seer, Recipe(**recipe), None)


def different(label: str, count: int, start: int) -> list[tuple[str, str, int, int]]:
    return [(label, f"{label}{number}", start + number, start + number) for number in range(count)]


def test_ordinary_classes_keep_their_groups_and_nothing_is_said() -> None:
    made = seen(*different("a", 6, 0), *different("b", 6, 10), ("b", "copy", 10, 10))
    assert made.dataset.notes == ()
    assert not made.never_left_out.any()
    assert made.folds[6] == made.folds[12]
    assert made.distinct(np.arange(13)) == 12
    assert made.distinct(np.array([False] * 6 + [True] * 7)) == 6


def test_a_class_of_one_scene_is_told_apart_by_hashes() -> None:
    """To the network all frames look the same; two of them are the same by their hash."""
    frames = [("b", f"b{number}", 20, 100 + number % 3) for number in range(6)]
    made = seen(*different("a", 6, 0), *frames)
    assert made.dataset.notes == (
        "class 'b': all its images look alike, so that only near copies are kept together; its numbers may flatter",
    )
    assert not made.never_left_out.any()
    assert len(set(made.folds[6:].tolist())) > 1
    assert made.folds[6:9].tolist() == made.folds[9:].tolist()
    assert made.distinct(np.arange(6, 12)) == 3  # by their hashes


@pytest.mark.parametrize("hashed", [100, None])
def test_a_class_of_equal_looks_is_told_apart_as_files(hashed: int | None) -> None:
    frames = [("b", f"b{number % 3}", 20, hashed) for number in range(6)]
    made = seen(*different("a", 6, 0), *frames, *different("c", 4, 30), ("c", "copy", 30, 30))
    (note,) = made.dataset.notes
    kind = "equal files" if hashed else "near copies"  # without a hash, near copies are equal files
    assert note.startswith(f"class 'b': all its images look alike, so that only {kind} are kept together")
    assert not made.never_left_out.any()
    assert made.folds[6:9].tolist() == made.folds[9:12].tolist()
    assert made.folds[12] == made.folds[16]  # another class keeps its groups


def test_several_classes_are_named_in_one_line() -> None:
    frames = [(label, f"{label}{number}", 20, 100) for label in "bc" for number in range(3)]
    made = seen(*different("a", 6, 0), *frames)
    assert made.dataset.notes == (
        "classes 'b', 'c': all images of each look alike, so that only equal files are kept together; "
        "their numbers may flatter",
    )
    assert not made.never_left_out.any()


def test_equal_files_of_two_classes_stay_together() -> None:
    frames = [("b", f"b{number}", 20, 100) for number in range(4)]
    made = seen(*different("a", 6, 0), *frames, ("a", "b1", 20, 100), ("a", "other", 20, 100))
    assert made.folds[10] == made.folds[7]
    assert not made.never_left_out.any()


def test_copies_of_one_file_cannot_be_left_out() -> None:
    made = seen(*different("a", 6, 0), ("b", "same", 20, 100), ("b", "same", 20, 100))
    assert made.dataset.notes == ()
    assert made.never_left_out.tolist() == [False] * 6 + [True] * 2
    assert not made.tested.any()


def test_a_label_that_is_left_in_one_group_does_not_cost_the_others_their_folds() -> None:
    """Half of class c goes with the image of b, which cannot be left out; the rest of c is then one thing."""
    made = seen(*different("a", 6, 0), ("bc", "both", 20, 100), ("c", "c", 21, 101))
    assert made.never_left_out.tolist() == [False] * 6 + [True] * 2


def test_given_test_images_do_not_hide_that_the_others_are_alike() -> None:
    fitted = [*different("a", 6, 0), *[("b", f"b{number}", 20, 100) for number in range(3)]]
    tested = [("a", "a-test", 40, 40), ("b", "b-test", 41, 41)]
    made = seen(*[(*row, "train") for row in fitted], *[(*row, "test") for row in tested])
    assert made.given_split
    assert "class 'b'" in made.dataset.notes[0]
    assert not made.never_left_out.any()
    assert made.folds[made.tested].tolist() == [-1, -1]


def test_a_test_part_takes_different_things() -> None:
    """40 pictures, each 5 times: a fifth of them is 40 images, which show 8 things."""
    few = [
        (label, f"{label}{at}-{copy}", at, at)
        for label, first in (("a", 0), ("b", 200))
        for at in range(first, first + 40)
        for copy in range(5)
    ]
    assert not seen(*few, test_share=0.2).tested.any()
    many = [*different("a", 150, 0), *different("b", 150, 200)]
    made = seen(*many, test_share=0.2)
    assert made.tested.sum() == 60
    assert made.distinct(made.tested) == 60
    assert not (made.never_left_out & made.tested).any()


def test_a_class_that_is_absent_does_not_make_the_others_unbalanced() -> None:
    targets = np.array([[True, False, False]] * 8 + [[False, True, False]] * 6)
    assert material.image_weights(targets, "auto").tolist() == [1.0] * 14
    rare = np.array([[True, False, False]] * 8 + [[False, True, False]] * 2)
    weights = material.image_weights(rare, "auto")
    assert weights[:8].sum() == pytest.approx(weights[8:].sum()) and weights.mean() == pytest.approx(1)
    assert material.image_weights(np.zeros((3, 2), bool), "auto").tolist() == [1.0] * 3


def test_a_class_that_looks_alike_is_measured(tmp_path: Path) -> None:
    """With the real network: frames of one scene that differ in noise only."""
    from beholder.training import run_training
    from pictures import make_folder

    folder = make_folder(tmp_path / "set", {"bars": 8, "dots": 8})
    random = np.random.default_rng(1)
    scene = random.integers(0, 255, (8, 8, 3)).repeat(8, 0).repeat(8, 1)
    (folder / "frames").mkdir()
    for number in range(8):
        frame = np.clip(scene + random.normal(0, 3, scene.shape), 0, 255).astype(np.uint8)
        PIL.Image.fromarray(frame).save(folder / "frames" / f"{number}.png")
    run = run_training(folder, tmp_path / "frames.onnx")
    assert run.evaluation.count == 24
    assert any("'frames'" in note and "look alike" in note for note in run.evaluation.notes)
