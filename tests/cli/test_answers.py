"""Forms of answers, and the page, without running a model."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from beholder.cli.answers import CSV_COLUMNS, printer
from beholder.cli.gallery import Gallery
from beholder.cli.headline import headline
from beholder.model import Geometry, ModelCard
from beholder.result import Classification, Detections, Embedding, Group, Label, Segmentation

COMMON = {"source": "a.png", "size_hw": (4, 6), "model": "m"}
LABELS = (Label(0, "tabby cat", 0.4), Label(1, "tiger cat", 0.3))


def said(**fields):
    return headline(Classification(**COMMON, labels=LABELS, **fields))


def rows(capsys, *answers):
    show = printer("csv")
    for answer in answers:
        show(answer)
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def test_what_is_said_first():
    group = Group("cat", 0.7)
    assert said().text == "tabby cat"
    assert said(group=group, sure=True)[:3] == ("group", "cat", 0.7)
    assert said(sure=False)[:2] == ("not sure", "not sure")
    assert said(sure=False).note == "perhaps tabby cat"
    assert said(unknown=True, sure=False).text == "unknown"
    assert said(accepted=("tabby cat", "tiger cat")).text == "tabby cat, tiger cat"
    assert said(accepted=()).text == "none of the labels"


def test_csv_has_a_row_for_each_label(capsys):
    answer = Classification(
        **COMMON, labels=LABELS, time_seconds=0.5, frame=3, group=Group("cat", 0.7), unknown=False, accepted=("a", "b")
    )
    first, second = rows(capsys, answer)
    assert list(first) == list(CSV_COLUMNS)
    assert (first["frame"], first["time_seconds"], first["model"], second["rank"]) == ("3", "0.5", "m", "2")
    assert (first["group"], first["unknown"], first["accepted"]) == ("cat", "false", "a; b")


def test_csv_has_a_row_where_nothing_was_found(capsys):
    nothing = Detections(
        **COMMON, boxes_xyxy=np.zeros((0, 4)), scores=np.zeros(0), classes=np.zeros(0, int), names=("cat",)
    )
    ignored = Segmentation(**COMMON, class_map=np.full((4, 6), 255, np.uint8), names=("cat",), ignore_index=255)
    found = rows(capsys, nothing, ignored)
    assert [(row["source"], row["label"], row["rank"]) for row in found] == [("a.png", "", "")] * 2


def test_csv_and_json_have_the_same_numbers(capsys):
    answer = Embedding(**COMMON, vector=np.array([0.1, 1 / 3, 1e-8], np.float32))
    (row,) = rows(capsys, answer)
    assert row["text"].split() == [str(value) for value in answer.to_dict()["vector"]]
    assert len(row["text"]) < 40


@pytest.fixture
def card():
    geometry = Geometry("resize_crop", (4, 4), resize=4, resample="bicubic")
    return ModelCard(name="m", task="classify", geometry=geometry, labels=("tabby cat", "tiger cat"))


def test_page_orders_by_the_figure_that_it_shows_and_escapes_once(tmp_path: Path, card):
    photo = tmp_path / "a<&.jpg"
    PIL.Image.new("RGB", (1200, 800), "red").save(photo)
    common = {"source": str(photo), "size_hw": (800, 1200), "model": "m"}
    with Gallery(str(tmp_path / "page"), card) as gallery:
        gallery.add(Classification(**common, labels=LABELS, group=Group("<cats> & more", 0.7), sure=True))
        gallery.add(Classification(**common, labels=(Label(0, 'a "b" <c>', 0.2),), sure=False))
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert 'data-confidence="0.7" data-label="&lt;cats&gt; &amp; more"' in page
    assert 'alt="&lt;cats&gt; &amp; more; 70% together; not sure which one"' in page
    assert '<p class="note">perhaps a &quot;b&quot; &lt;c&gt;</p>' in page
    assert "&amp;lt;" not in page
    with PIL.Image.open(tmp_path / "page" / "images" / "000001.jpg") as thumbnail:
        assert thumbnail.size == (480, 320)


def test_page_does_not_show_another_image_than_was_answered(tmp_path: Path, card):
    photo = tmp_path / "a.jpg"
    PIL.Image.new("RGB", (20, 10)).save(photo)
    with Gallery(str(tmp_path / "page"), card) as gallery:
        gallery.add(Classification(source=str(photo), size_hw=(800, 1200), model="m", labels=LABELS))
    assert "<img" not in (tmp_path / "page" / "index.html").read_text(encoding="utf-8")


def test_a_prediction_set_is_told_with_its_coverage(capsys):
    several = Classification(**COMMON, labels=LABELS, prediction_set=("tabby cat", "tiger cat"))
    alone = Classification(**COMMON, labels=LABELS, prediction_set=("tabby cat",))
    many = Classification(**COMMON, labels=LABELS, prediction_set=tuple("abcdefg"))
    unknown = Classification(**COMMON, labels=LABELS, prediction_set=("tabby cat", "tiger cat"), unknown=True)
    show = printer("table", 0.9)
    for answer in (several, alone, many, unknown):
        show(answer)
    first, second, third, fourth = capsys.readouterr().out.splitlines()
    assert " 40% tabby cat  " in first
    assert first.endswith("  one of: tabby cat, tiger cat (90%)")
    assert second.endswith("tiger cat 30%")
    assert third.endswith("one of 7 labels: a, b, c, d, e, … (90%)")
    assert "one of" not in fourth
