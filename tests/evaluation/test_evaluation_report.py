"""The page and its JSON twin."""

import json
import math
import re

import numpy as np
import pytest
from evaluated import evaluated, everything, one_label, several_labels
from report_page import Page

from beholder.errors import ImageError, OutputExists, OutputFailed, UnreadableImage
from beholder.evaluation import Evaluation, LeftOut
from beholder.evaluation.report import LabelIssue, ReportExtras, headlines, report_html, summary, write_report
from beholder.evaluation.report.markup import text
from beholder.evaluation.report.wording import about, of_hundred, percent

JPEG = b"\xff\xd8 not really \xff\xd9"
EXTRAS = ReportExtras(
    label_issues=(LabelIssue("photos/brick/001.jpg", "brick", "gravel", "looks like gravel"),),
    recipe='method = "head"\nseed = 0\n',
    facts={"Measured": "2026-05-04"},
)
KINDS = ("sure", "likely", "maybe", "not")
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "$model ${sections} $$",
    "\u202egnp.exe",
    "half \udc80",
    "a' onmouseover='alert(1)",
)


def estimates(values):
    """Every estimate in JSON values."""
    if isinstance(values, dict):
        if set(values) == {"value", "low", "high", "count"}:
            yield values
        for value in values.values():
            yield from estimates(value)
    elif isinstance(values, list):
        for value in values:
            yield from estimates(value)


SUBJECTS = {
    "everything": everything(),
    "two": one_label(("cat", "dog")),
    "many": one_label([f"class {index}" for index in range(60)], each=4),
    "several": several_labels(columns={"light": ["day", "night"] * 20}),
    "perfect": one_label(each=5, skill=9.0),
    "one class": one_label(("brick",)),
}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_number_of_the_page_stands_in_the_twin(subject, tmp_path):
    page = write_report(evaluated(SUBJECTS[subject]), tmp_path, lambda _: JPEG, EXTRAS)
    twin = json.loads(page.with_suffix(".json").read_text())
    shown = Page(page.read_text()).numbers
    for name, measured in twin["metrics"].items():
        if measured["value"] is not None:
            assert {json.dumps(measured[key]) for key in ("value", "low", "high", "count")} <= shown, name
    for one in twin["per_class"]:
        for key in ("precision", "recall"):
            if one[key]["value"] is not None:
                assert {json.dumps(one[key][part]) for part in one[key]} <= shown, (one["name"], key)
    known = set(numbers(twin))
    assert {float(number) for number in shown} <= known


def numbers(values):
    """Every number in JSON values."""
    if isinstance(values, dict | list):
        for value in values.values() if isinstance(values, dict) else values:
            yield from numbers(value)
    elif isinstance(values, int | float):
        yield float(values)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_twin_is_the_evaluation(subject, tmp_path):
    found = evaluated(SUBJECTS[subject])
    page = write_report(found, tmp_path / "here", None, EXTRAS)
    twin = json.loads(page.with_suffix(".json").read_text())
    assert Evaluation.from_dict(twin) == found
    assert twin["extras"]["label_issues"][0]["proposal"] == "gravel"
    assert len(list(estimates(twin))) > 10


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_page_needs_nothing_else(subject):
    html = report_html(evaluated(SUBJECTS[subject]), lambda _: JPEG, EXTRAS)
    page = Page(html)
    assert "http:" not in html
    assert "https:" not in html
    for tag, name, value in page.attributes:
        assert name not in ("href", "src") or value.startswith(("#", "data:image/jpeg;base64,")), (tag, value)
    assert not {"link", "iframe", "object", "embed"} & set(page.tags)
    assert "default-src 'none'" in html
    anchors = {value for tag, name, value in page.attributes if (tag, name) == ("section", "id")}
    assert {value[1:] for tag, name, value in page.attributes if (tag, name) == ("a", "href")} <= anchors


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_are_only_names(hostile, tmp_path):
    classes = (hostile, "grass", "gravel")
    plain = everything(classes)
    columns = {hostile: [hostile, "other"] * 18}
    said = everything(classes, sources=tuple(f"{hostile}/{index}" for index in range(36)), columns=columns)
    assert plain.classes[0] == hostile
    found = evaluated(said, model=hostile, dataset=hostile, left_out=[LeftOut(hostile, 1)], notes=[hostile])
    issues = (LabelIssue(hostile, hostile, hostile, hostile),)
    extras = ReportExtras(label_issues=issues, recipe=hostile, facts={hostile: hostile})
    page = write_report(found, tmp_path / "r.html", lambda _: None, extras)
    harmless = Page(page.read_text(encoding="utf-8"))
    assert harmless.tags.count("script") == 1
    assert "img" not in harmless.tags
    assert not [name for _, name, _ in harmless.attributes if name.startswith("on")]
    assert "\u202e" not in page.read_text(encoding="utf-8")
    assert text(hostile) in page.read_text(encoding="utf-8")
    assert json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))["model"] == hostile


def test_text_keeps_what_words_are_made_of():
    assert text("a & b <i>") == "a &amp; b &lt;i&gt;"
    assert text("می\u200cخواهم") == "می\u200cخواهم"
    assert text("line\nfeed") == "line\\nfeed"


@pytest.mark.parametrize("multi_label", [False, True])
def test_what_was_not_measured_is_said_so(multi_label):
    said = several_labels() if multi_label else one_label(("cat", "dog"))
    page = Page(report_html(evaluated(said)))
    assert "Strangers: not measured" in page.shown
    assert "Images of known classes, answered “unknown” not measured" in page.shown
    assert multi_label or "not measured : the model promises no sets" in page.shown
    for metric in ("unknown_auroc", "unknown_share", "unanswered_share"):
        assert re.search(rf"{metric} ?not measured", page.shown)
    assert "None" not in page.shown
    assert "nan" not in page.shown.lower().split()


def test_sets_for_each_class_stand_beside_the_others():
    said = everything()
    assert "for each class by itself" not in Page(report_html(evaluated(said))).shown
    best = said.probabilities == said.probabilities.max(axis=1, keepdims=True)
    found = evaluated(everything(class_sets={90: best, 95: np.ones_like(best)}))
    shown = Page(report_html(found)).shown
    assert "The same promise for each class by itself" in shown
    assert {"class_coverage_90", "class_set_size_95"} <= set(shown.split())


def test_of_no_images_the_page_says_so():
    nothing = one_label(sources=(), probabilities=np.zeros((0, 3)), truth=np.zeros(0, int))
    page = Page(report_html(evaluated(nothing)))
    assert "Right on … not measured" in page.shown
    assert "None" not in page.shown
    assert {number for number in page.numbers if number not in ("0", "3")} == set()


def test_a_class_without_images_is_not_measured():
    plain = one_label(each=12)
    said = one_label(truth=np.minimum(plain.truth, 1))
    assert "1 class has no images here: not measured" in Page(report_html(evaluated(said))).shown


def test_thumbnails_are_asked_for_what_is_shown_only():
    asked = []

    def thumbnails(source):
        asked.append(source)
        return JPEG

    found = evaluated(one_label([f"class {index}" for index in range(20)], each=20, skill=1.0))
    page = Page(report_html(found, thumbnails))
    assert len(found.mistakes) > 100
    assert asked == [one.source for one in found.mistakes[:24]]
    assert page.tags.count("img") == 24
    assert f"and {len(found.mistakes) - 24:,} more, in the JSON file" in page.shown


@pytest.mark.parametrize("error", [FileNotFoundError("gone"), UnreadableImage("x.jpg", "cut short"), None])
def test_an_image_that_has_gone_leaves_its_place_empty(error):
    def thumbnails(_):
        if error is not None:
            raise error

    page = Page(report_html(evaluated(one_label(skill=1.0)), thumbnails))
    assert "img" not in page.tags
    assert "no picture" in page.shown
    assert isinstance(error, ImageError | OSError | None)


def test_a_folder_or_a_file(tmp_path):
    found = evaluated()
    assert write_report(found, tmp_path / "a" / "b") == tmp_path / "a" / "b" / "report.html"
    assert write_report(found, str(tmp_path / "mine.html")) == tmp_path / "mine.html"
    assert (tmp_path / "a" / "b" / "report.json").exists()
    assert (tmp_path / "mine.json").exists()


@pytest.mark.parametrize("existing", ["report.html", "report.json"])
def test_nothing_is_overwritten_unasked(existing, tmp_path):
    (tmp_path / existing).write_text("mine")
    with pytest.raises(OutputExists, match=f"{existing}: exists already"):
        write_report(evaluated(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [existing]
    assert (tmp_path / existing).read_text() == "mine"
    write_report(evaluated(), tmp_path, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]
    assert (tmp_path / existing).read_text() != "mine"


def test_nothing_half_written_is_left(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputFailed):
        write_report(evaluated(), tmp_path / "file")

    def thumbnails(_):
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        write_report(evaluated(one_label(skill=1.0)), tmp_path / "new", thumbnails)
    (tmp_path / "r.json").mkdir()
    with pytest.raises(OutputFailed, match="is a folder"):
        write_report(evaluated(), tmp_path / "r.html", overwrite=True)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["file"]


def test_the_headline_counts_images_where_there_are_few_and_hundredths_where_there_are_many():
    few, many = evaluated(one_label(each=4)), evaluated(one_label(each=100))
    right = sum(one.right for one in few.per_class)
    low, high = round(few.top1.low * 100), round(few.top1.high * 100)
    wanted = f"Right on {right} of 12 images (on new images of the same kind expect between {low} and {high} of 100)"
    assert str(headlines(few)[0]) == wanted
    low, high = round(many.top1.low * 100), round(many.top1.high * 100)
    value = round(many.top1.value * 100)
    assert str(headlines(many)[0]) == f"Right on {value} of 100 new images (between {low} and {high})"
    first, second = headlines(evaluated(several_labels()))
    assert str(first).startswith("Of the labels it gives, ")
    assert " are found (between " in str(second)


def test_a_hundred_squares_show_the_headline():
    found = evaluated(one_label(each=100))
    squares = [html.count(f'<rect class="{kind}"') for html in [report_html(found)] for kind in KINDS]
    low, value, high = (round(part * 100) for part in (found.top1.low, found.top1.value, found.top1.high))
    assert squares == [low, value - low, high - value, 100 - high]


def test_the_summary_says_when_it_cannot_tell_yet():
    sentences = " ".join(summary(evaluated(one_label(each=8))))
    assert "Cannot tell yet: the share is known to ±" in sentences
    assert "more test images would bring that to ±5" in sentences
    assert "Cannot tell" not in " ".join(summary(evaluated(one_label(each=400, skill=3.0))))


def test_the_hardest_class_is_named_when_there_is_one():
    truth, said = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 0, 1, 2, 2, 2])
    sources = tuple("abcdef")
    found = evaluated(one_label(each=2, sources=sources, probabilities=np.eye(3)[said], truth=truth))
    assert "Hardest class: “grass”, 1 of its 2 images recognized." in summary(found)
    found = evaluated(one_label(each=2, sources=sources, probabilities=np.eye(3)[truth], truth=truth))
    assert summary(found)[1] == "The first answer is right for every image of every class."


def test_cross_validated_is_named_as_such():
    assert "Estimated by cross-validation on 36 images" in report_html(evaluated(kind="cross-validated"))
    assert "Measured on 36 images that the model has not seen" in report_html(evaluated(copies_apart=True))
    assert "Measured on 36 images whose files the model was not fitted on" in report_html(evaluated())


def test_left_out_images_and_provenance_are_shown():
    page = Page(report_html(evaluated(), None, EXTRAS))
    assert "Left out: 3 images, the model was fitted on them" in page.shown
    assert 'method = "head"' in page.shown
    assert "sha256:3f3f" in page.shown
    assert "2026-05-04" in page.shown


def test_few_classes_have_a_matrix_and_many_have_pairs_only():
    assert 'class="matrix"' in report_html(evaluated(one_label(skill=1.0)))
    many = report_html(evaluated(one_label([f"class {index}" for index in range(60)], each=4, skill=1.0)))
    assert 'class="matrix"' not in many
    assert "taken for" in many
    assert "40 more classes" in many


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.0, "0%"), (1.0, "100%"), (0.9996, ">99.9%"), (0.0004, "<0.1%"), (0.94086, "94.1%"), (0.999, "99.9%")],
)
def test_a_percentage_is_never_all_or_nothing_unless_it_is(share, shown):
    assert percent(share) == shown


def test_numbers_in_words():
    assert [of_hundred(share) for share in (0.94, 0.999, 1.0, 0.001, 0.0)] == [
        *("94 of 100", "more than 99 of 100", "100 of 100", "fewer than 1 of 100", "0 of 100")
    ]
    assert [about(number) for number in (7, 47, 183, 1234)] == ["about 7", "about 47", "about 190", "about 1,300"]
    assert math.isclose(float(percent(0.5).rstrip("%")), 50)
