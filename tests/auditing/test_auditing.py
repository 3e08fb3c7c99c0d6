"""An audit finds what was planted, says nothing of what is clean, and what it fixes stays fixed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from faulty_set import HOSTILE, make_clean, make_faulty, picture

import beholder
from beholder.auditing import KINDS, SAFE, Audit, audit, changes_of, in_one_line, quick_findings
from beholder.auditing.detecting.every import DETECTORS
from beholder.auditing.finding import WORDS
from beholder.auditing.page import page_html, write_page
from beholder.data import ContentCache, CorrectionLog, read
from beholder.errors import OutputExists
from beholder.training import Backbone, Recipe, learn
from beholder.zoo import find


def sources(found: Audit, kind: str) -> set[str]:
    return {finding.source for finding in found.of_kind(kind)}


def test_every_kind_has_its_detector_and_its_words():
    assert tuple(DETECTORS) == KINDS
    assert tuple(WORDS) == KINDS
    assert set(KINDS) > SAFE


def test_a_clean_set_has_no_findings(clean: Path):
    found = audit(clean)
    assert found.findings == ()
    assert found.summary == "nothing found: 36 images, 3 classes"


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("unreadable", {"train/bars/broken.png", "train/bars/empty.jpg"}),
        ("duplicate_across_splits", {"train/bars/leak.png"}),
        ("exact_duplicate", {"train/bars/twice.png"}),
        ("low_information", {"train/bars/flat.png"}),
        ("blurred", {"train/rings/blurred.png"}),
        ("too_dark", {"train/rings/dark.png"}),
        ("too_bright", {"train/rings/bright.png"}),
        ("odd_size", {"train/bars/tiny.png"}),
        ("small_class", {"lone"}),
    ],
)
def test_what_was_planted_is_found_and_nothing_else(found: Audit, kind: str, names: set[str]):
    assert sources(found, kind) == names


def test_near_duplicates_of_each_sort_are_found(found: Audit):
    pairs = {finding.source: finding for finding in found.of_kind("near_duplicate")}
    assert set(pairs) >= {f"train/spots/{name}" for name in ("resized.png", "cropped.png", "mirrored.jpg")}
    assert "mirrored" in pairs["train/spots/mirrored.jpg"].reason
    assert "cropped" in pairs["train/spots/cropped.png"].reason
    assert "train/spots/1.png" in pairs["train/spots/resized.png"].others
    assert all(name.startswith("train/spots/") for name in pairs)


def test_the_same_picture_under_two_labels(found: Audit):
    (finding,) = found.of_kind("duplicate_across_classes")
    assert {finding.source, *finding.others} == {"train/bars/2.png", f"train/rings/{HOSTILE}"}
    assert finding.severity == "error"
    assert "labeled bars" in finding.reason
    assert "labeled rings" in finding.reason
    if finding.change is not None:
        assert finding.change.name == f"train/rings/{HOSTILE}"


def test_a_wrong_label_is_found_and_never_corrected_unasked(found: Audit):
    issues = {finding.source: finding for finding in found.of_kind("label_issue")}
    assert "looks like spots" in issues["train/rings/mislabeled.png"].reason
    assert all(finding.change is None for name, finding in issues.items() if name.startswith("test/"))
    assert all((finding.change is None) == (finding.severity == "notice") for finding in issues.values())
    assert all(change.what != "relabel" for change in changes_of(found.findings))


def test_findings_are_ordered_by_kind_and_by_suspicion(found: Audit):
    places = [(KINDS.index(finding.kind), -finding.score) for finding in found.findings]
    assert places == sorted(places)
    assert list(found.counts()) == [kind for kind in KINDS if found.of_kind(kind)]
    assert sum(found.counts().values()) == len(found.findings)


def test_json_says_everything(found: Audit):
    value = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert value["schema"] == 1
    assert value["dataset"].startswith("sha256:")
    assert value["counts"]["unreadable"] == 2
    for finding in value["findings"]:
        assert list(finding) == [
            *("kind", "severity", "source", "label", "reason", "proposal"),
            *("proposed_label", "others", "change", "score"),
        ]
        assert finding["reason"].endswith(".")
    changes = {finding["source"]: finding["change"] for finding in value["findings"]}
    assert changes["train/bars/leak.png"]["what"] == "exclude"


def test_what_is_fixed_is_not_found_again_and_undo_brings_it_back(tmp_path: Path):
    folder = make_faulty(tmp_path / "own")
    before = audit(folder)
    dataset = read(folder)
    made = CorrectionLog.of(dataset).add(changes_of(before.findings))
    after = audit(folder)
    names = {correction.change.name for correction in made}
    fixed = {(finding.kind, finding.source) for finding in before.findings if finding.source in names}
    assert {"train/bars/broken.png", "train/bars/leak.png", "train/bars/twice.png"} <= names
    assert not fixed & {(finding.kind, finding.source) for finding in after.findings}
    assert "train/bars/broken.png" not in {sample.name for sample in read(folder).samples}
    for correction in reversed(made):
        CorrectionLog.of(dataset).undo(correction.id)
    assert audit(folder).to_dict()["findings"] == before.to_dict()["findings"]


def test_an_image_is_changed_once_and_leaving_out_comes_first(found: Audit):
    changes = changes_of(found.findings, KINDS)
    names = [change.name for change in changes]
    assert len(names) == len(set(names))
    out = {finding.source for finding in found.findings if finding.change and finding.change.what == "exclude"}
    assert all(change.what == "exclude" for change in changes if change.name in out)


def test_unlabelled_images_are_audited_without_their_labels(tmp_path: Path):
    random = np.random.default_rng(3)
    for number in range(6):
        picture("bars", random).save(tmp_path / f"{number}.png")
    shutil.copy(tmp_path / "0.png", tmp_path / "twice.png")
    with PIL.Image.open(tmp_path / "1.png") as image:
        image.crop((0, 0, 143, 107)).save(tmp_path / "crop.png")
    found = audit(tmp_path)
    assert found.counts() == {"exact_duplicate": 1, "near_duplicate": 1}
    assert any("labels were not checked" in note for note in found.notes)


def test_one_class_alone_is_audited(tmp_path: Path):
    (tmp_path / "cats").mkdir()
    random = np.random.default_rng(4)
    for number in range(10):
        picture("rings", random).save(tmp_path / "cats" / f"{number}.png")
    (tmp_path / "cats" / "bad.png").write_text("no image")
    found = audit(tmp_path)
    assert found.counts() == {"unreadable": 1}
    assert any("at least two classes" in note for note in found.notes)


def test_a_quick_look_does_without_the_backbone(faulty: Path):
    found = audit(faulty, quick=True)
    assert sources(found, "exact_duplicate") == {"train/bars/twice.png"}
    assert not found.of_kind("label_issue")
    assert any("quick look" in note for note in found.notes)


def test_what_training_knows_already(faulty: Path):
    with ContentCache() as contents:
        learned, _ = learn(read(faulty), Backbone(find("efficientnet-lite0")), Recipe(), contents)
    findings = quick_findings(learned)
    kinds = {finding.kind for finding in findings}
    assert {"unreadable", "duplicate_across_splits", "exact_duplicate", "label_issue"} <= kinds
    line = in_one_line(findings, "my photos/")
    assert line is not None
    assert line.startswith("audit: 2 unreadable files, 1 duplicate across splits, ")
    assert line.endswith("; see them: beholder audit 'my photos/'")
    assert in_one_line((), "photos/") is None


def test_files_that_are_gone_or_named_and_missing(tmp_path: Path):
    make_clean(tmp_path / "images", 4)
    rows = [f"{kind}/{number}.png,{kind}" for kind in ("bars", "rings") for number in range(4)]
    (tmp_path / "labels.csv").write_text("\n".join(["path,label", *rows, "gone.png,bars"]))
    found = audit(tmp_path / "labels.csv", quick=True)
    (missing,) = found.of_kind("unreadable")
    assert missing.source.endswith("gone.png")
    assert "no such file" in missing.reason
    assert missing.change is None


def test_the_audit_is_public(clean: Path):
    assert beholder.audit is audit
    assert isinstance(beholder.audit(clean, quick=True), beholder.Audit)


def test_the_page_escapes_what_names_hold(found: Audit, tmp_path: Path):
    page = page_html(found, lambda name: b"jpeg" if name.endswith(".png") else None)
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;&amp;&#x27;.png" in page
    assert page.count('<section id="') == len(found.counts())
    assert "data:image/jpeg;base64,anBlZw==" in page
    assert "http" not in page.replace("http-equiv", "")


def test_the_page_and_its_twin(found: Audit, tmp_path: Path):
    path = write_page(found, tmp_path / "page")
    assert path == tmp_path / "page" / "audit.html"
    assert json.loads((tmp_path / "page" / "audit.json").read_text(encoding="utf-8")) == found.to_dict()
    with pytest.raises(OutputExists):
        write_page(found, tmp_path / "page")
    assert write_page(found, tmp_path / "other.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_page_of_a_clean_set(clean: Path):
    page = page_html(audit(clean, quick=True))
    assert "Nothing found" in page
    assert "<section" not in page


def test_a_set_seen_before_is_not_compared_again(faulty: Path, found: Audit, monkeypatch: pytest.MonkeyPatch):
    def never(*_: object) -> None:
        raise AssertionError("was compared again")

    monkeypatch.setattr("beholder.auditing.sameness.resemblance", never)
    monkeypatch.setattr("beholder.auditing.sameness.agreement", never)
    assert audit(faulty).to_dict() == found.to_dict()
