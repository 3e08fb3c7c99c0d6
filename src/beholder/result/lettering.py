"""Lettering: text that fits a space, in a font that has its letters."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, final

from beholder.errors import MissingPackage

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

_OTHER_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "Arial Unicode.ttf",
    "arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "wqy-zenhei.ttc",
    "msyh.ttc",
    "malgun.ttf",
)
"""Looked for, in this order, on the computer when text has letters that Pillow's own font lacks: it is plain ASCII."""

_UNASSIGNED = "\U0010fffd"
"""No font has this; what is drawn for it is what is drawn for anything that is missing."""


@final
@dataclass(frozen=True, slots=True)
class Lettering:
    """Measures and shortens text in one font at one size.

    Args:
        size: of the letters, pixels: from the top of an Á to the bottom of a g it is about 1.2 times this.
        font_name: file name of a font on this computer; empty for Pillow's own.
    """

    size: int
    font_name: str = ""

    @classmethod
    def of(cls, text: str, size: int) -> Lettering:
        """Lettering in the font that has the most letters of a text."""
        letters = set(text)
        if all(_has("", letter) for letter in letters):
            return cls(size)
        return cls(size, max(("", *_OTHER_FONTS), key=lambda name: sum(_has(name, letter) for letter in letters)))

    @property
    def font(self) -> FreeTypeFont:
        """The font, as Pillow knows it."""
        return _font(self.font_name, self.size)

    def width(self, line: str) -> float:
        """Width of one line as it is, pixels."""
        return self.font.getlength(line)

    def fit(self, text: str, width: float) -> str:
        """The text in one line at most this wide, shortened with an ellipsis; empty when not one letter fits."""
        line = self._drawable(text)
        if self.width(line) <= width:
            return line
        low = self._most(line, width - self.width("…"))
        return line[:low].rstrip() + "…" if low else ""

    def wrap(self, text: str, width: float, most: int) -> list[str]:
        """The text in at most `most` lines, broken between words where it can be, shortened with an ellipsis."""
        lines: list[str] = []
        rest = self._drawable(text)
        while rest and len(lines) < most - 1:
            line = self._first_line(rest, width)
            lines.append(line.rstrip())
            rest = rest[len(line) :].lstrip()
        return [*lines, self.fit(rest, width)] if rest else lines

    def _first_line(self, line: str, width: float) -> str:
        """As many words as fit, or as many letters of the first word, at least one."""
        most = max(1, self._most(line, width))
        space = line.rfind(" ", 0, most + 1)
        return line if most == len(line) else line[: space if space > 0 else most]

    def _most(self, line: str, width: float) -> int:
        """How many letters from the start fit."""
        low, high = 0, len(line) + 1  # so many fit; so many do not
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.width(line[:middle]) <= width else (low, middle)
        return low

    def _drawable(self, text: str) -> str:
        """The text as one line, without the accents that the font lacks."""
        line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
        if all(_has(self.font_name, letter) for letter in set(line)):
            return line
        split = [letter if _has(self.font_name, letter) else unicodedata.normalize("NFKD", letter) for letter in line]
        return "".join(letter for letter in "".join(split) if not unicodedata.combining(letter))


@lru_cache(maxsize=16384)
def _has(font_name: str, letter: str) -> bool:
    if letter.isspace():
        return True
    if not _installed(font_name):
        return False
    font = _font(font_name, 16)
    return bytes(font.getmask(letter)) != bytes(font.getmask(_UNASSIGNED))


@lru_cache(maxsize=64)
def _installed(font_name: str) -> bool:
    try:
        _font(font_name, 16)
    except OSError:
        return False
    return True


@lru_cache(maxsize=64)
def _font(font_name: str, size: int) -> FreeTypeFont:
    from PIL import ImageFont

    if font_name:
        return ImageFont.truetype(font_name, size)
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise MissingPackage("drawing text needs a Pillow with FreeType; install Pillow from its own wheels")
    return font
