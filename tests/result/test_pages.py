"""Pages for a browser share their colors and type."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import beholder
from beholder.result.pages import fill_page, page_template

ROOT = Path(beholder.__file__).parent
TEMPLATES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.html"))


def test_there_are_templates() -> None:
    assert len(TEMPLATES) >= 5


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_page_has_the_colors_of_all(name: str) -> None:
    own = (ROOT / name).read_text(encoding="utf-8")
    assert own.count("$palette") == 1
    assert "--page:" not in own
    assert "--ink:" not in own
    styled = page_template(ROOT / name)
    assert "$palette" not in styled
    colors = set(re.findall(r"var\((--[a-z]+)\)", styled))
    writers = "".join(path.read_text(encoding="utf-8") for path in (ROOT / name).parent.glob("*.py"))
    assert colors <= set(re.findall(r"(--[a-z]+):", styled + writers))
    assert {"--page", "--ink", "--sure"} <= colors | set(re.findall(r"(--[a-z]+):", styled))


def test_a_page_is_filled(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<style>$palette</style><p>$said</p>", encoding="utf-8")
    page = fill_page(tmp_path / "page.html", {"said": "$palette costs 5$"})
    assert page.startswith("<style>:root {")
    assert page.endswith("</style><p>$palette costs 5$</p>")
    with pytest.raises(KeyError):
        fill_page(tmp_path / "page.html", {})
