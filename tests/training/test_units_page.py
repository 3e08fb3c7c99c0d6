"""A look into a network, and its page."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from beholder.errors import ImageError, OutputExists
from beholder.training.units import Study, page_html, study, write_page
from beholder.training.units.responses import Observer
from beholder.zoo import find
from pictures import SHAPES, picture

EACH = 8
HOSTILE = "<script>alert('1')"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Textures of three kinds, of which one has a hostile name, and a file that is no image."""
    folder = tmp_path_factory.mktemp("units") / "set"
    random = np.random.default_rng(0)
    for kind in SHAPES:
        own = folder / (HOSTILE if kind == "dots" else kind)
        own.mkdir(parents=True)
        for number in range(EACH):
            picture(kind, random).save(own / f"{number}.png")
    (folder / "bars" / "broken.png").write_bytes(b"junk")
    return folder


@pytest.fixture(scope="module")
def seen(folder: Path) -> Study:
    return study("efficientnet-lite0", folder, units=2)


class Page(HTMLParser):
    """What a page loads, shows and links to; checks that its elements nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open, self.sources, self.anchors, self.targets, self.words = [], [], set(), set(), []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attributes) -> None:
        given = dict(attributes)
        assert not any(name.startswith("on") for name in given)
        if tag not in ("meta", "img"):
            self.open.append(tag)
        self.sources += [given[name] for name in ("src", "srcset") if name in given]
        self.anchors |= {given["href"]} if "href" in given else set()
        self.targets |= {f"#{given['id']}"} if "id" in given else set()

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.words += [data] if "style" not in self.open else []

    @property
    def shown(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_every_stage_is_measured(seen: Study) -> None:
    assert seen.images == len(SHAPES) * EACH
    assert list(seen.failures) == ["bars/broken.png"]
    assert len(seen.classes) == 3
    first, last = seen.stages[0], seen.stages[-1]
    assert last.selectivity > first.selectivity + 0.05
    assert last.probe.count == seen.images
    assert last.probe.value > 0.8
    for stage in seen.stages:
        assert len(stage.telling) == 2
        assert len(stage.active) == 6
        assert {unit.label for unit in stage.telling} <= set(seen.classes)
        assert all(len(unit.excited_by) == 9 for unit in stage.telling)
        assert all(max(unit.by_class) == 1 for unit in stage.telling)
        assert all(values.shape == stage.map_hw for _, values in stage.active)


def test_units_are_shown_with_what_excites_them_most(seen: Study, folder: Path) -> None:
    observer = Observer(find("efficientnet-lite0"), "cpu")
    paths = [path for path in sorted(folder.rglob("*.png")) if path.name != "broken.png"]
    maps = {path.relative_to(folder).as_posix(): observer.maps(observer.input_of(path)) for path in paths}
    for number in (4, 7):  # those of the first, cut off at 6, are often equal
        for unit in seen.stages[number].telling:
            peaks = {name: found[f"{number}/map"][unit.number].max() for name, found in maps.items()}
            ranked = sorted(maps, key=lambda name: (-peaks[name], -maps[name][f"{number}/mean"][unit.number]))
            assert [found.name for found in unit.excited_by] == ranked[:9]
            assert all(found.label == found.name.rsplit("/", 1)[0] for found in unit.excited_by)
    means = np.stack([found["7/mean"] for found in maps.values()])
    beyond = (maps[seen.image_name]["7/mean"] - means.mean(axis=0)) / (
        means.std(axis=0) + 1e-3 * means.std(axis=0).mean()
    )
    assert [unit for unit, _ in seen.stages[7].active] == np.argsort(-beyond)[:6].tolist()
    unit, values = seen.stages[7].active[0]
    np.testing.assert_allclose(values, maps[seen.image_name]["7/map"][unit], rtol=1e-4, atol=1e-5)


def test_the_same_look_gives_the_same_page(seen: Study, folder: Path) -> None:
    assert page_html(study("efficientnet-lite0", folder, units=2)) == page_html(seen)


def test_json(seen: Study) -> None:
    found = seen.stages[-1].to_dict()
    assert list(found) == ["stage", "tensor", "units", "map_hw", "sees_hw", "selectivity", "probe_top1"]
    assert (found["stage"], found["tensor"], found["units"]) == ("Embedding", "_conv_head.relu6", 1280)
    assert found["map_hw"] == [7, 7]
    assert found["probe_top1"]["low"] <= found["probe_top1"]["value"] <= found["probe_top1"]["high"]


def test_the_page_needs_nothing_else_and_escapes_names(seen: Study) -> None:
    html = page_html(seen, answer="<b>perhaps")
    page = Page(html)
    assert page.sources
    assert all(source.startswith("data:image/") for source in page.sources)
    assert page.anchors
    assert page.anchors <= page.targets
    assert "default-src 'none'" in html
    assert not re.search(r"https?://|url\(|@import|<script", html)
    assert HOSTILE in page.shown
    assert "<b>perhaps" in page.shown
    assert "1 image could not be read and left out." in page.shown
    assert "Early stages are general, late ones specific" in page.shown
    assert len(html) < 1_500_000


def test_a_given_image_without_labels(folder: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for number, path in enumerate(sorted((folder / "waves").iterdir())):
        (bare / f"{number}.png").write_bytes(path.read_bytes())
    own = tmp_path / "own.png"
    picture("bars", np.random.default_rng(5)).save(own)
    seen = study("efficientnet-lite0", bare, image=own, units=1)
    assert (seen.image_name, seen.image_path, seen.classes) == ("own.png", own, ())
    assert all(stage.selectivity is None and stage.probe.value is None for stage in seen.stages)
    page = Page(page_html(seen))
    assert "Which class a unit answers to is left out" in page.shown
    assert "selectivity" not in page.shown.replace("selectivity is", "")
    assert "#depth" not in page.anchors
    with pytest.raises(ImageError):
        study("efficientnet-lite0", bare, image=tmp_path / "none.png")


def test_an_earlier_page_is_kept(seen: Study, tmp_path: Path) -> None:
    out = write_page(seen, tmp_path / "page.html")
    before = out.read_bytes()
    with pytest.raises(OutputExists):
        write_page(seen, out, answer="another")
    assert out.read_bytes() == before
    write_page(seen, out, answer="another", overwrite=True)
    assert b"another" in out.read_bytes()


def test_a_class_without_images_that_can_be_read(folder: Path, tmp_path: Path) -> None:
    for kind in ("bars", "waves"):
        (tmp_path / "set" / kind).mkdir(parents=True)
        for number in range(4):
            data = (folder / kind / f"{number}.png").read_bytes()
            (tmp_path / "set" / kind / f"{number}.png").write_bytes(data if kind == "bars" else data[:200])
    seen = study("efficientnet-lite0", tmp_path / "set", units=1)
    assert (seen.images, len(seen.failures), seen.classes) == (4, 4, ())
    assert seen.notes[-1].startswith("Which class a unit answers to is left out: of one there are no two images")
    assert "left out" in Page(page_html(seen)).shown
