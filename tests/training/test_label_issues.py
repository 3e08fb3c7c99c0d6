"""Wrong labels are found by a head that has not seen them, and ranked before others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from beholder.data import ContentCache, read
from beholder.training import Backbone, Learned, Recipe, find_label_issues, learn
from beholder.training.label_issues import convincing, implausible
from beholder.zoo import find
from pictures import SHAPES, make_folder


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return Backbone(find("efficientnet-lite0"))


def learned_from(folder: Path, backbone: Backbone, **settings: object) -> Learned:
    with ContentCache() as contents:
        return learn(read(folder), backbone, Recipe(**settings), contents)[0]


def test_an_image_in_the_wrong_folder_is_the_first_issue(tmp_path: Path, backbone: Backbone) -> None:
    folder = make_folder(tmp_path / "set", dict.fromkeys(SHAPES, 20), seed=3)
    (folder / "bars" / "0.png").rename(folder / "dots" / "moved.png")
    first, *others = find_label_issues(learned_from(folder, backbone, test_share=0.0))
    assert first.sample.name == "dots/moved.png"
    assert (first.issue.label, first.issue.proposal, first.labels) == ("dots", "bars", ("bars",))
    assert "looks like bars" in first.issue.reason
    assert first.probability < 0.1
    assert [other.probability for other in others] == sorted(other.probability for other in others)
    assert len(others) <= 3
    assert (first.sure, first.tested) == (True, False)


def test_a_test_image_in_the_wrong_folder_is_found_too(tmp_path: Path, backbone: Backbone) -> None:
    folder = make_folder(tmp_path / "set" / "train", dict.fromkeys(SHAPES, 16), seed=4).parent
    make_folder(folder / "test", dict.fromkeys(SHAPES, 6), seed=5)
    (folder / "test" / "waves" / "0.png").rename(folder / "test" / "dots" / "moved.png")
    found = {suspect.sample.name: suspect for suspect in find_label_issues(learned_from(folder, backbone))}
    assert found["test/dots/moved.png"].tested
    assert all(suspect.tested == name.startswith("test/") for name, suspect in found.items())


def test_a_missing_label_of_several_is_found(tmp_path: Path, backbone: Backbone) -> None:
    make_folder(tmp_path / "set", dict.fromkeys(SHAPES, 20), seed=6)
    rows = ["path,labels"]
    for kind in SHAPES:
        for number in range(20):
            labels = {"bars": "bars|straight", "dots": "dots|round", "waves": "waves|round"}[kind]
            if (kind, number) == ("waves", 3):
                labels = "waves"
            rows.append(f"{kind}/{number}.png,{labels}")
    table = tmp_path / "set" / "labels.csv"
    table.write_text("\n".join(rows))
    first = find_label_issues(learned_from(table, backbone, test_share=0.0))[0]
    assert first.sample.name == "waves/3.png"
    assert first.labels == ("round", "waves")
    assert first.sure
    assert "looks like round" in first.issue.reason


def test_a_label_is_implausible_beside_what_is_usual_for_its_class() -> None:
    """Of class 0 the mean is 0.6, of class 1, which is hard, 0.3."""
    of_given = np.array([0.9, 0.14, 0.76, 0.14, 0.4, 0.36])
    given = np.array([0, 0, 0, 1, 1, 1])
    assert implausible(of_given, given).tolist() == [False, True, False, False, False, False]


def test_another_label_is_convincing_beside_what_is_usual_for_it() -> None:
    """Of class 0 the mean is 0.6, of class 1 it is 0.4; no image is labelled 2: nothing is known of what is usual."""
    of_given, given = np.array([0.9, 0.05, 0.85, 0.76, 0.04]), np.array([0, 0, 0, 1, 1])
    of_other, other = np.array([0.05, 0.31, 0.1, 0.2, 0.44]), np.array([1, 1, 2, 0, 0])
    assert convincing(of_other, other, of_given, given).tolist() == [False, True, False, False, False]
    assert not convincing(of_other * 2, np.full(5, 2), of_given, given).any()
    assert not convincing(of_other, other, of_given + 0.04 * (of_given == 0.05), given).any()  # not refuted
