"""Captions: an image in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

from beholder.result import fields
from beholder.result.answer import Result
from beholder.result.drawing import draw_strip
from beholder.result.fields import Pixels


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Caption(Result):
    """An image in words.

    Args:
        text: one or more sentences.

    Raises:
        UsageError: a field holds what it must not.
    """

    text: str

    task: ClassVar[str] = "caption"

    def _check(self) -> None:
        fields.text(self.text, "text")

    def _content(self) -> dict[str, Any]:
        return {"text": self.text}

    @classmethod
    def _read(cls, content: Mapping[str, Any]) -> dict[str, Any]:
        return {"text": fields.item(content, "text")}

    def _draw(self, pixels: Pixels) -> Pixels:
        return draw_strip(pixels, self.text)

    def _summary(self) -> str:
        return " ".join(self.text.split()) or "no caption"
