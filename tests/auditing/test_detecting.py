"""Detectors as functions of evidence that is made up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from beholder.auditing import changes_of
from beholder.auditing.detecting import classes, conditions, copies, pictures
from beholder.auditing.evidence import Evidence, Judgement
from beholder.auditing.sameness import Copy
from beholder.data import Dataset, Facts, Sample
from beholder.evaluation.report import LabelIssue
from beholder.training import Suspect

PLAIN = {
    "size_hw": (300, 400),
    "format": "JPEG",
    "mode": "RGB",
    "byte_size": 1000,
    "brightness": 0.5,
    "contrast": 0.2,
    "sharpness": 800.0,
    "entropy": 7.0,
    "commonest_color": 0.1,
    "border_uniformity": 0.2,
    "mean_rgb": (0.5, 0.5, 0.5),
    "deviation_rgb": (0.2, 0.2, 0.2),
    "hash": None,
    "hash_mirrored": None,
}


def fact(**values):
    return Facts(**{**PLAIN, **values})


def evidence(labels, facts=None, borders=None, **more):
    """Evidence of as many samples as there are labels."""
    samples = [
        Sample(Path(f"{number}.jpg"), f"{number}.jpg", (label,) if label else (), digest=f"sha256:{number:064x}")
        for number, label in enumerate(labels)
    ]
    dataset = Dataset.of(samples, root=Path("set"), source=Path("set"), format="folder")
    facts = facts or [fact() for _ in samples]
    borders = np.random.default_rng(0).random((len(samples), 3)) if borders is None else borders
    return Evidence(dataset, tuple(samples), tuple(facts), np.asarray(borders, np.float32), **more)


def two(count):
    return ["cat"] * count + ["dog"] * count


def test_a_set_of_dark_pictures_has_no_dark_pictures():
    random = np.random.default_rng(1)
    night = [fact(brightness=float(value), contrast=0.03) for value in random.uniform(0.02, 0.08, 100)]
    assert not list(pictures.too_dark(evidence(two(50), night)))
    one = [fact(brightness=float(value)) for value in random.uniform(0.4, 0.6, 99)]
    (found,) = pictures.too_dark(evidence(two(50), [*one, fact(brightness=0.04, contrast=0.02)]))
    assert found.source == "99.jpg"
    assert "4%" in found.reason


def test_things_on_white_are_not_too_bright():
    photos = [fact(brightness=float(value)) for value in np.random.default_rng(2).uniform(0.4, 0.6, 98)]
    drawing = fact(brightness=0.97, contrast=0.05, commonest_color=0.93)
    washed = fact(brightness=0.96, contrast=0.02, commonest_color=0.4)
    assert [found.source for found in pictures.too_bright(evidence(two(50), [*photos, drawing, washed]))] == ["99.jpg"]


def test_small_images_are_not_blurred():
    sharp = [fact() for _ in range(98)]
    soft = fact(sharpness=8.0)
    assert [found.source for found in pictures.blurred(evidence(two(50), [*sharp, soft, soft]))] == ["98.jpg", "99.jpg"]
    tiny = fact(sharpness=8.0, size_hw=(40, 40))
    assert not list(pictures.blurred(evidence(two(50), [*sharp, tiny, tiny])))


def test_a_set_of_soft_pictures_has_no_blurred_ones():
    soft = [fact(sharpness=float(value)) for value in np.random.default_rng(3).uniform(8, 20, 100)]
    assert not list(pictures.blurred(evidence(two(50), soft)))


@pytest.mark.parametrize(
    ("size_hw", "word"), [((20, 24), "tiny"), ((100, 900), "as long as wide"), ((36, 48), "much smaller")]
)
def test_odd_sizes(size_hw, word):
    facts = [*(fact() for _ in range(29)), fact(size_hw=size_hw)]
    (found,) = pictures.odd_size(evidence(two(15), facts))
    assert word in found.reason


def test_classes_that_are_small_and_out_of_balance():
    given = evidence(["cat"] * 60 + ["dog"] * 3 + ["eel"])
    assert [(found.source, found.severity) for found in classes.small_classes(given)] == [
        ("dog", "warning"),
        ("eel", "error"),
    ]
    (found,) = classes.unbalanced(given)
    assert "60 times as many" in found.reason
    assert not list(classes.unbalanced(evidence(["cat"] * 60 + ["dog"] * 10)))


def judged(given, right):
    """Answers of which so many of each class are right."""
    unseen = np.full((len(given.samples), 2), 0.5)
    for number, sample in enumerate(given.samples):
        own = given.dataset.classes.index(sample.labels[0])
        place = number if own == 0 else number - 100
        unseen[number, own] = 0.9 if place < right else 0.1
    return Judgement(given.samples, unseen, given.dataset.classes)


@pytest.mark.parametrize(("right", "count"), [(50, 1), (55, 1), (62, 0), (90, 0)])
def test_classes_that_cannot_be_told_apart(right, count):
    given = evidence(two(100))
    found = list(classes.indistinguishable(evidence(two(100), judgement=judged(given, right))))
    assert len(found) == count
    if found:
        assert f"{right}% are told apart" in found[0].reason


def test_few_images_prove_nothing():
    given = evidence(two(6))
    judgement = Judgement(given.samples, np.full((12, 2), 0.5), given.dataset.classes)
    assert not list(classes.indistinguishable(evidence(two(6), judgement=judgement)))


def test_size_that_tells_the_class():
    facts = [fact(size_hw=(480, 640)) for _ in range(30)] + [fact(size_hw=(200 + n, 300)) for n in range(30)]
    (found,) = conditions.shortcuts(evidence(two(30), facts))
    assert "size of the image" in found.reason
    assert "100% of cat are 640 x 480" in found.reason


def test_background_that_tells_the_class():
    random = np.random.default_rng(4)
    sky, grass = random.normal((0.5, 0.7, 0.9), 0.03, (30, 3)), random.normal((0.3, 0.6, 0.2), 0.03, (30, 3))
    (found,) = conditions.shortcuts(evidence(two(30), borders=np.concatenate([sky, grass])))
    assert "The background alone tells the class of 100%" in found.reason


def test_what_differs_by_chance_is_no_shortcut():
    random = np.random.default_rng(5)
    facts = [
        fact(brightness=float(random.uniform(0.3, 0.7)), size_hw=(300, int(random.choice([400, 420, 450]))))
        for _ in range(80)
    ]
    assert not list(conditions.shortcuts(evidence(two(40), facts)))


def test_one_light_and_one_background():
    random = np.random.default_rng(6)
    facts = [fact(brightness=float(value), border_uniformity=0.99) for value in random.uniform(0.7, 0.75, 60)]
    given = evidence(two(30), facts, np.full((60, 3), 0.98))
    assert [found.kind for found in conditions.one_light(given)] == ["one_light"]
    (found,) = conditions.one_background(given)
    assert "#fafafa" in found.reason
    various = [fact(brightness=float(value)) for value in random.uniform(0.2, 0.8, 60)]
    assert not [*conditions.one_light(evidence(two(30), various)), *conditions.one_background(evidence(two(30)))]


def equal_files(rows):
    """Evidence of files that are all the same: label and split of each."""
    samples = tuple(
        Sample(Path(f"{n}.jpg"), f"{n}.jpg", (label,) if label else (), split, digest=f"sha256:{0:064x}")
        for n, (label, split) in enumerate(rows)
    )
    dataset = Dataset.of(samples, root=Path("set"), source=Path("set"), format="folder")
    return Evidence(dataset, samples, tuple(fact() for _ in rows), np.zeros((len(rows), 3), np.float32))


def test_every_copy_that_is_learned_from_goes_and_the_test_stays():
    given = equal_files([("cat", "train"), ("cat", "test"), ("cat", "train"), ("cat", "validation")])
    found = list(copies.across_splits(given))
    assert [one.source for one in found] == ["0.jpg", "2.jpg", "3.jpg"]
    assert all("1.jpg" in one.others for one in found)


def test_a_placeholder_that_is_there_thousands_of_times():
    given = equal_files([("cat", None)] * 5000)
    found = list(copies.exact(given))
    assert len(found) == 4999
    assert {one.others for one in found} == {("0.jpg",)}


def test_of_an_unlabeled_copy_and_a_labeled_one_the_latter_is_kept():
    (found,) = copies.exact(equal_files([(None, None), ("cat", None)]))
    assert (found.source, found.others) == ("0.jpg", ("1.jpg",))


def test_the_larger_of_near_copies_is_kept():
    facts = [fact(size_hw=(30, 40)), fact(), fact(size_hw=(60, 80))]
    chain = (Copy(0, 1, 0.9), Copy(1, 2, 0.95))
    found = list(copies.near(evidence(["cat"] * 3, facts, copies=chain)))
    assert {one.source: one.others for one in found} == {"0.jpg": ("1.jpg",), "2.jpg": ("1.jpg",)}


def suspect(sample, label, probability=0.05, *, sure=True, tested=False):
    issue = LabelIssue(sample.name, ", ".join(sample.labels), label, f"looks like {label}")
    return Suspect(sample, issue, (label,), probability, sure, tested)


@pytest.mark.parametrize(
    ("wrong", "source", "change"),
    [({1: "cat"}, "1.jpg", "exclude"), ({0: "dog"}, "0.jpg", "exclude"), ({}, "1.jpg", None)],
)
def test_of_two_labels_the_one_that_a_head_contradicts_goes(wrong, source, change):
    given = equal_files([("cat", None), ("dog", None)])
    suspects = tuple(suspect(given.samples[number], label) for number, label in wrong.items())
    (found,) = copies.across_classes(replace(given, judgement=Judgement(suspects=suspects)))
    assert (found.source, found.change and found.change.what) == (source, change)


def test_where_both_labels_are_contradicted_nobody_knows():
    given = evidence(["cat", "dog"], copies=(Copy(0, 1, 0.9),))
    suspects = (suspect(given.samples[0], "dog"), suspect(given.samples[1], "cat"))
    (found,) = copies.across_classes(replace(given, judgement=Judgement(suspects=suspects)))
    assert (found.source, found.change) == ("1.jpg", None)


def test_a_label_issue_says_what_the_label_should_be():
    given = evidence(["cat", "dog"])
    judgement = Judgement(suspects=(suspect(given.samples[0], "dog", 0.05),))
    (found,) = classes.label_issues(replace(given, judgement=judgement))
    assert found.proposed_label == "dog"
    assert (found.label, found.severity, found.score) == ("cat", "warning", 0.95)


@pytest.mark.parametrize(
    ("settings", "advice"),
    [({"sure": False}, "hard to tell"), ({"tested": True}, "only relabeled by a person")],
)
def test_a_label_is_left_to_a_person_where_it_is_unsure_or_measured_on(settings, advice):
    given = evidence(["cat", "dog"])
    judgement = Judgement(suspects=(suspect(given.samples[0], "dog", **settings),))
    (found,) = classes.label_issues(replace(given, judgement=judgement))
    assert (found.severity, found.change, found.proposed_label) == ("notice", None, "dog")
    assert advice in found.proposal


def test_no_label_is_changed_unasked():
    given = evidence(["cat", "dog"])
    judgement = Judgement(suspects=(suspect(given.samples[0], "dog"),))
    found = list(classes.label_issues(replace(given, judgement=judgement)))
    assert changes_of(found) == []
    assert [change.what for change in changes_of(found, ["label_issue"])] == ["relabel"]


def test_a_copy_that_models_are_measured_on_is_left_to_a_person():
    given = equal_files([("cat", None), ("dog", None)])
    judgement = Judgement(suspects=(suspect(given.samples[1], "cat", tested=True),))
    (found,) = copies.across_classes(replace(given, judgement=judgement))
    assert (found.source, found.change) == ("1.jpg", None)


def test_only_equal_files_are_said_to_be_the_same():
    facts = [fact(), fact(size_hw=(60, 80))]
    near = Copy(0, 1, 0.9, window=0.8)
    (found,) = copies.near(evidence(["cat"] * 2, facts, copies=(near,)))
    assert "looks like the same picture, cropped to 80% of its side" in found.reason
    (found,) = copies.across_classes(evidence(["cat", "dog"], facts, copies=(near,)))
    assert "0.jpg, labeled cat, looks like the same picture" in found.reason
    (found,) = copies.exact(equal_files([("cat", None)] * 2))
    assert "is the same file" in found.reason


def test_what_cannot_be_opened_ends_in_one_mark():
    unopened = (("a.jpg", "is it yours?", "Make it so."), ("b.jpg", "it is gone", "Put it back."))
    reasons = [found.reason for found in copies.unreadable(evidence(two(1), unopened=unopened))]
    assert reasons == ["Cannot be used: is it yours?", "Cannot be used: it is gone."]
