"""`beholder audit`: what it prints, what it fixes, what it refuses."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from running import Command


def stripes(random: np.random.Generator, *, upright: bool) -> PIL.Image.Image:
    """Stripes of some pitch, over colors that no other has."""
    wave = np.sin(np.arange(96) * random.uniform(0.4, 0.8) + random.uniform(0, 6))
    value = np.broadcast_to(wave if upright else wave[:, None], (96, 96))
    coarse = PIL.Image.fromarray(random.integers(30, 226, (7, 7, 3)).astype(np.uint8))
    scene = np.asarray(coarse.resize((96, 96), PIL.Image.Resampling.BICUBIC)).astype(np.float64)
    return PIL.Image.fromarray(np.clip(scene + 40 * value[..., None], 0, 255).astype(np.uint8))


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Two classes of four pictures, one of them twice, one broken."""
    random = np.random.default_rng(0)
    for kind, color in (("cats", (190, 90, 60)), ("dogs", (60, 110, 190))):
        (tmp_path / "pets" / kind).mkdir(parents=True)
        for number in range(4):
            coarse = np.clip(random.normal(color, 60, (6, 6, 3)), 0, 255).astype(np.uint8)
            picture = PIL.Image.fromarray(coarse).resize((96, 96), PIL.Image.Resampling.NEAREST)
            picture.save(tmp_path / "pets" / kind / f"{number}.png")
    shutil.copy(tmp_path / "pets" / "cats" / "0.png", tmp_path / "pets" / "cats" / "twice.png")
    (tmp_path / "pets" / "dogs" / "bad.jpg").write_bytes(b"\xff\xd8\xff")
    return tmp_path / "pets"


def test_findings_are_printed_with_what_to_do(beholder: Command, pets: Path, tmp_path: Path) -> None:
    done = beholder("audit", "pets", "--quick", BEHOLDER_DATA=str(tmp_path / "data"))
    assert done.status == 0
    assert done.out.startswith("4 findings in 10 images, 2 classes: 1 unreadable file, 1 file that is there twice, ")
    assert "error: 1 unreadable file (unreadable)" in done.out
    assert "  dogs/bad.jpg\n" in done.out
    assert "beholder audit pets --fix  would leave out 2 images" in done.err
    assert not (tmp_path / "data" / "corrections").exists()


def test_json_is_one_finding_a_line(beholder: Command, pets: Path, tmp_path: Path) -> None:
    done = beholder("audit", "pets", "--quick", "--json", "--only", "unreadable", BEHOLDER_DATA=str(tmp_path / "data"))
    (finding,) = done.lines
    assert (finding["kind"], finding["severity"], finding["source"]) == ("unreadable", "error", "dogs/bad.jpg")
    assert finding["label"] == "dogs"
    assert finding["change"]["what"] == "exclude"


def test_fix_is_kept_beside_the_files_and_can_be_undone(beholder: Command, pets: Path, tmp_path: Path) -> None:
    own = {"BEHOLDER_DATA": str(tmp_path / "data")}
    files = sorted(pets.rglob("*"))
    done = beholder("audit", "pets", "--quick", "--fix", **own)
    assert "fixed   leave out 2 images" in done.err
    assert done.err.endswith("undo    beholder dataset undo pets 1-2\n")
    assert sorted(pets.rglob("*")) == files
    again = beholder("audit", "pets", "--quick", "--json", **own)
    assert {finding["kind"] for finding in again.lines} == {"small_class"}
    assert "2 excluded" in again.err
    entries = beholder("dataset", "corrections", "pets", "--json", **own).lines
    assert all(entry["by"].startswith("beholder audit (") for entry in entries)
    assert beholder("dataset", "undo", "pets", "1-2", **own).status == 0
    assert len(beholder("audit", "pets", "--quick", "--json", **own).lines) == 4


def test_labels_are_left_alone_unless_they_are_asked_for(beholder: Command, tmp_path: Path) -> None:
    own = {"BEHOLDER_DATA": str(tmp_path / "data")}
    random = np.random.default_rng(1)
    for kind in ("columns", "rows"):
        (tmp_path / "stripes" / kind).mkdir(parents=True)
        for number in range(16):
            stripes(random, upright=kind == "columns").save(tmp_path / "stripes" / kind / f"{number}.png")
    (tmp_path / "stripes" / "rows" / "0.png").rename(tmp_path / "stripes" / "columns" / "wrong.png")
    plain = beholder("audit", "stripes", "--fix", **own)
    assert "nothing to fix" in plain.err
    assert "labels  1 label is left as given; one by one: beholder dataset relabel stripes IMAGE LABEL\n" in plain.err
    assert "beholder audit stripes --fix --only label_issue" in plain.err
    knowingly = beholder("audit", "stripes", "--fix", "--only", "label_issue", **own)
    assert "fixed   relabel 1 image;" in knowingly.err
    assert knowingly.err.endswith("undo    beholder dataset undo stripes 1\n")
    shown = beholder("dataset", "show", "stripes", "--quick", "--json", **own).lines[0]
    assert shown["statistics"]["classes"] == {"columns": 16, "rows": 16}
    assert any(note.startswith("1 label is what an audit proposed") for note in shown["notes"])


def test_only_names_what_is_fixed(beholder: Command, pets: Path, tmp_path: Path) -> None:
    own = {"BEHOLDER_DATA": str(tmp_path / "data")}
    done = beholder("audit", "pets", "--quick", "--fix", "--only", "exact_duplicate", **own)
    assert "fixed   leave out 1 image;" in done.err
    assert "nothing to fix" in beholder("audit", "pets", "--quick", "--fix", "--only", "small_class", **own).err


def test_the_page_is_not_overwritten(beholder: Command, pets: Path, tmp_path: Path) -> None:
    own = {"BEHOLDER_DATA": str(tmp_path / "data")}
    words = ("audit", "pets", "--quick", "--report", "page")
    assert beholder(*words, **own).status == 0
    page = (tmp_path / "page" / "audit.html").read_text(encoding="utf-8")
    assert "data:image/jpeg;base64," in page
    assert "beholder audit pets --fix" in page
    refused = beholder(*words, **own)
    assert refused.status == 2
    assert "exists" in refused.err
    assert beholder(*words, "--force", **own).status == 0


def test_wrong_words_are_told_in_one_line(beholder: Command, pets: Path) -> None:
    unknown = beholder("audit", "pets", "--only", "blured")
    assert unknown.status == 2
    assert "no kind 'blured'" in unknown.err
    assert "blurred" in unknown.err
    assert "needs --report" in beholder("audit", "pets", "--force").err
    assert beholder("audit", "nowhere").status == 2
