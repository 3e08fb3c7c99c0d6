"""Pages for a browser: filled from templates, all with the same colors and type."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Final

_PALETTE: Final = Path(__file__).with_name("palette.css")


def page_template(path: Path) -> str:
    """The text of a page's template, with the colors and type of all pages in the place of `$palette`."""
    return path.read_text(encoding="utf-8").replace("$palette", _PALETTE.read_text(encoding="utf-8").strip())


def fill_page(path: Path, values: dict[str, str]) -> str:
    """A page made of its template.

    Args:
        path: the template, with `$name` for each of the values.
        values: HTML, by name; what people chose is escaped already.
    """
    return Template(page_template(path)).substitute(values)
