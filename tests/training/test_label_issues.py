"""Wrong labels are found by a head that has not seen them, and ranked before others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pictures import SHAPES, make_folder

from beholder.data import ContentCache, read
from beholder.training import Backbone, Learned, Recipe, find_label_issues, learn
from beholder.training.label_issues import implausible
from beholder.zoo import find


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return Backbone(find("efficientnet-lite0"))


def learned_from(folder: Path, backbone: Backbone, **settings: object) -> Learned:
    with ContentCache() as contents:
        return learn(read(folder), backbone, Recipe(**settings), contents)


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


def test_a_test_image_in_the_wrong_folder_is_found_too(tmp_path: Path, backbone: Backbone) -> None:
    folder = make_folder(tmp_path / "set" / "train", dict.fromkeys(SHAPES, 16), seed=4).parent
    make_folder(folder / "test", dict.fromkeys(SHAPES, 6), seed=5)
    (folder / "test" / "waves" / "0.png").rename(folder / "test" / "dots" / "moved.png")
    names = [suspect.sample.name for suspect in find_label_issues(learned_from(folder, backbone))]
    assert "test/dots/moved.png" in names


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
    assert "looks like round" in first.issue.reason


def test_a_label_is_implausible_beside_what_is_usual_for_its_class() -> None:
    """Of class 0 the mean is 0.6, of class 1, which is hard, 0.3."""
    of_given = np.array([0.9, 0.14, 0.76, 0.14, 0.4, 0.36])
    given = np.array([0, 0, 0, 1, 1, 1])
    assert implausible(of_given, given).tolist() == [False, True, False, False, False, False]
