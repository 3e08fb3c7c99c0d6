"""Parts of the images by the values of columns."""

import numpy as np
from evaluated import evaluated, everything, several_labels

from beholder.evaluation import proportion
from beholder.evaluation.slices import differs, slice_by

RIGHT = np.array([True] * 30 + [False] * 10)


def measure(indices):
    return proportion(int(RIGHT[indices].sum()), len(indices))


OVERALL = measure(np.arange(40))


def sliced(**columns):
    return slice_by(columns, measure, "top1", OVERALL)


def test_the_smallest_part_comes_first_and_those_that_differ_are_marked():
    slices, left_out = sliced(light=["day"] * 25 + ["dusk"] * 7 + ["night"] * 8)
    assert [(one.value, one.estimate.count) for one in slices] == [("dusk", 7), ("night", 8), ("day", 25)]
    assert [one.differs for one in slices] == [None, "below", "above"]
    assert [round(one.estimate.value, 3) for one in slices] == [round(5 / 7, 3), 0, 1]
    assert {(one.column, one.metric) for one in slices} == {("light", "top1")}
    assert left_out == ()


def test_images_without_a_value_are_a_part_too():
    slices, _ = sliced(light=["day"] * 35 + [None] * 5)
    assert [one.value for one in slices] == [None, "day"]


def test_many_numbers_become_four_ranges():
    slices, _ = sliced(temperature=[str(number) for number in range(40)])
    assert [one.value for one in slices] == ["0 to 9", "10 to 19", "20 to 29", "30 to 39"]
    assert [one.estimate.count for one in slices] == [10] * 4
    assert slices[-1].differs == "below"


def test_few_numbers_stay_as_they_are():
    slices, _ = sliced(camera=["1", "2"] * 20)
    assert [one.value for one in slices] == ["1", "2"]


def test_columns_that_name_images_or_say_nothing_are_left_out():
    slices, left_out = slice_by(
        {"file": [f"a{index}" for index in range(60)], "place": ["here"] * 60, "none": [None] * 60},
        lambda indices: proportion(len(indices), len(indices)),
        "top1",
        OVERALL,
    )
    assert (slices, left_out) == ((), ("file", "place", "none"))


def test_what_is_not_numbers_is_not_put_into_ranges():
    values = ["nan", "inf", *map(str, range(38))]
    slices, _ = sliced(mixed=values)
    assert len(slices) == 40


def test_a_part_differs_when_its_interval_excludes_the_whole():
    assert differs(proportion(0, 20), proportion(10, 20)) == "below"
    assert differs(proportion(20, 20), proportion(10, 20)) == "above"
    assert differs(proportion(9, 20), proportion(10, 20)) is None
    assert differs(proportion(0, 0), proportion(10, 20)) is None


def test_an_evaluation_has_slices_of_its_columns():
    found = evaluated(everything(columns={"light": ["day", "night"] * 18, "id": [f"x{k}" for k in range(36)]}))
    assert {one.value for one in found.slices if one.column == "light"} == {"day", "night"}
    unsliced = evaluated(everything(each=20, columns={"id": [f"x{k}" for k in range(60)]}))
    assert unsliced.slices == ()
    assert "column id" in unsliced.notes[0]


def test_slices_of_several_labels_are_of_micro_f1():
    found = evaluated(several_labels(columns={"light": ["day"] * 30 + ["night"] * 10}))
    assert [(one.value, one.metric, one.estimate.count) for one in found.slices] == [
        ("night", "micro_f1", 10),
        ("day", "micro_f1", 30),
    ]
