"""What the page and the terminal claim: no more than was measured."""

import numpy as np
import pytest
from evaluated import evaluated, everything, one_label, several_labels
from report_page import Page

from beholder.evaluation import Evaluation
from beholder.evaluation.report import headlines, measured_on, report_html, summary
from beholder.evaluation.report.headline import Outcomes, outcomes
from beholder.evaluation.report.pictures import short_name

MADE_SO = "True by construction here: the thresholds were made from these answers"
AS_PROMISED = "As promised, as far as so many images can tell"


def shown(found):
    return Page(report_html(found)).shown


def perfect(each=40, **changed):
    """Every first answer is right, and the sets that promise 90% hold it alone."""
    truth = np.repeat(np.arange(3), each)
    probabilities = np.where(np.eye(3)[truth] > 0, 0.98, 0.01)
    names = {"sources": tuple(map(str, range(len(truth)))), "probabilities": probabilities, "truth": truth}
    return one_label(each=each, **names, **changed)


def test_sets_are_no_test_of_the_answers_they_were_made_from():
    said = everything(class_sets={90: np.ones((36, 3), bool)})
    tested, crossed = shown(evaluated(said)), shown(evaluated(said, kind="cross-validated"))
    assert MADE_SO not in tested
    assert "by construction" not in tested
    assert "As promised" in tested or "than promised" in tested
    assert MADE_SO in crossed
    assert "“beholder evaluate” on other images tests it" in crossed
    assert "As promised" not in crossed
    assert "than promised" not in crossed


def test_each_promise_that_was_made_from_these_answers_says_so():
    page = shown(evaluated(everything(), kind="cross-validated"))
    assert page.count("true by construction: made from these answers") == 3, "two tiles of sets, one of unknown"
    assert "The share of known images that go unanswered: true by construction here" in page
    sentences = summary(evaluated(everything(), kind="cross-validated"))
    assert any("as many as its rule was set to on these answers" in sentence for sentence in sentences)


def test_confidence_that_was_made_from_these_answers_is_not_praised():
    said = one_label(each=100, skill=2.5)
    praise, made = "can be taken at its word", "fits these answers by construction"
    truth, probabilities = np.arange(100) % 4 // 3, np.tile([0.75, 0.25], (100, 1))
    calibrated = one_label(("a", "b"), sources=said.sources[:100], probabilities=probabilities, truth=truth)
    assert praise in " ".join(summary(evaluated(calibrated)))
    crossed = " ".join(summary(evaluated(calibrated, kind="cross-validated")))
    assert made in crossed
    assert praise not in crossed


def test_tuned_thresholds_of_several_labels_are_told():
    words = "thresholds of its labels were chosen on these same answers"
    assert words not in " ".join(summary(evaluated(several_labels())))
    crossed = evaluated(several_labels(), kind="cross-validated")
    assert words in " ".join(summary(crossed))
    assert shown(crossed).count("thresholds were chosen on these answers") == 2
    assert words not in " ".join(summary(evaluated(kind="cross-validated"))), "one label has no such thresholds"


def test_sets_of_one_name_are_not_said_to_be_too_large():
    alone = np.eye(3, dtype=bool)[np.repeat(np.arange(3), 40)]
    could = "more than promised: the sets could be smaller"
    found = evaluated(perfect(sets={90: alone, 95: np.ones_like(alone)}))
    assert found.coverage_90.low > 0.9
    page = shown(found)
    first, second = page.split("Promised: 90 of 100")[1].split("Promised: 95 of 100")
    assert could not in first
    assert "hardly more than one name in a set" in first
    assert could in second


def test_a_withheld_answer_is_not_counted_as_right():
    found = evaluated(perfect(each=16, unanswered=np.arange(48) % 8 == 0), unknown_budget=0.05)
    assert found.top1.value == 1.0
    assert outcomes(found) == Outcomes(right=42, unknown=6, wrong=0)
    assert str(headlines(found)[0]).startswith("Right on 42 of 48, unknown on 6, wrong on 0 (of 100 new images")
    assert "Right on 42 of 48 unknown on 6, wrong on 0" in shown(found)
    assert headlines(found)[0].measured == found.right_share


def test_a_wrong_answer_that_was_withheld_is_not_wrong():
    said = one_label(skill=1.0)
    found = evaluated(one_label(skill=1.0, unanswered=~said.right))
    assert outcomes(found) == Outcomes(int(said.right.sum()), int((~said.right).sum()), 0)
    page = shown(found)
    assert page.count("withheld: answered “unknown”") == min(24, len(found.mistakes))
    assert "answers withheld as “unknown” counted too" in page
    given = shown(evaluated(one_label(skill=1.0, unanswered=np.zeros(36, bool))))
    assert "withheld: answered" not in given
    assert "counted too" not in given


def test_without_a_rule_for_unknown_there_are_no_three_counts():
    assert outcomes(evaluated(one_label())) is None
    assert outcomes(evaluated(several_labels(unanswered=np.zeros(40, bool)))) is None
    assert "unknown on" not in str(headlines(evaluated(one_label()))[0])


def test_withheld_labels_are_said_to_be_counted():
    words = "Their labels are counted all the same."
    assert words in " ".join(summary(evaluated(several_labels(unanswered=np.arange(40) == 3))))
    assert words not in " ".join(summary(evaluated(several_labels(unanswered=np.zeros(40, bool)))))
    assert words not in " ".join(summary(evaluated()))


@pytest.mark.parametrize(("withheld", "said"), [(3, False), (30, True)])
def test_more_unanswered_than_the_rule_promises_is_said(withheld, said):
    found = evaluated(perfect(unanswered=np.arange(120) < withheld), unknown_budget=0.05)
    words = "clearly more than the 5% that its rule promises at most"
    assert (words in " ".join(summary(found))) is said
    assert words not in " ".join(summary(evaluated(perfect(unanswered=np.arange(120) < withheld))))


def test_images_are_unseen_only_where_copies_were_kept_apart():
    assert measured_on(evaluated()) == "Measured on 36 images whose files the model was not fitted on."
    assert measured_on(evaluated(copies_apart=True)) == "Measured on 36 images that the model has not seen."


def test_wrong_labels_are_grouped_by_image():
    probabilities = np.array([[0.9, 0.2, 0.97], [0.9, 0.1, 0.1], [0.1, 0.8, 0.1]])
    truth = np.array([[True, True, False], [True, False, False], [False, False, False]])
    said = several_labels(
        count=3,
        sources=("a.jpg", "b.jpg", "c.jpg"),
        probabilities=probabilities,
        truth=truth,
        accepted=probabilities > 0.5,
    )
    page = Page(report_html(evaluated(said), lambda _: b"jpeg"))
    assert page.tags.count("img") == 2, "b has no wrong label"
    part = page.shown.split("Images with wrong labels")[1]
    first, second = part.index("a.jpg"), part.index("c.jpg")
    assert "says, and it is not labeled car 97%" in part[:first]
    assert "misses, and it is labeled dog 80%" in part[:first]
    assert "says, and it is not labeled dog 80%" in part[first:second]
    assert "misses" not in part[first:second]


def test_a_long_list_of_wrong_labels_is_cut():
    classes = tuple(f"class {index}" for index in range(9))
    said = several_labels(classes, count=1, truth=np.zeros((1, 9), bool), accepted=np.ones((1, 9), bool))
    assert "and 5 more" in shown(evaluated(said))


def test_a_name_keeps_its_folders_and_its_end():
    assert short_name("test/dress/0001.jpg") == "test/dress/0001.jpg"
    assert short_name("a/b/test/dress/0001.jpg") == "test/dress/0001.jpg"
    assert short_name("C:\\photos\\test\\dress\\1.jpg") == "test/dress/1.jpg"
    assert short_name("test/long-sleeved shirt/58a5f6ee-1b0a-4b52-a3ea-5f7e1a20.jpg") == (
        "test/long-sl…ed shirt/58a5f6e…1a20.jpg"
    )


def test_the_page_shows_the_folder_and_keeps_the_whole_name():
    long = "photos/brick/" + "x" * 60 + "end.jpg"
    said = one_label(skill=1.0)
    wrong = next(index for index in range(36) if not said.right[index])
    sources = tuple(long if index == wrong else str(index) for index in range(36))
    page = Page(report_html(evaluated(one_label(skill=1.0, sources=sources))))
    assert ("small", "title", long) in page.attributes
    assert "brick/ xxxxxxx…xend.jpg" in page.shown


def test_sets_and_their_promise_are_named():
    page = shown(evaluated(everything()))
    assert "90% sets hold the truth" in page
    assert "95% sets hold the truth" in page
    assert "Larger sets" not in page
    assert "F1 is the two shares in one number" in page
    assert "AP, average precision, says" in shown(evaluated(several_labels()))


def test_a_class_without_a_wrong_answer_has_none_to_collect_more_of():
    page = shown(evaluated(perfect(each=16)))
    assert "Nothing was wrong so far" in page
    assert "More images like those it gets wrong" not in page


def test_an_evaluation_of_before_can_be_read():
    values = evaluated().to_dict()
    del values["copies_apart"], values["unknown_budget"]
    assert not Evaluation.from_dict(values).copies_apart
