"""Failures: the answer for an image that could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, final

from beholder.errors import ImageError
from beholder.result import fields
from beholder.result.answer import RESULT_SCHEMA_VERSION, check_schema


@final
@dataclass(frozen=True, slots=True)
class ImageFailure:
    """The answer for an image that could not be read, so that the others get theirs.

    Args:
        source: name of the image.
        kind: of the error, as in JSON: `unreadable_image`, `not_found`, …
        message: why, without the name.
        frame: number of the frame, from 0, for images from a video.

    Raises:
        UsageError: a field holds what it must not.
    """

    source: str
    kind: str
    message: str
    frame: int | None = None

    def __post_init__(self) -> None:
        """Check all fields."""
        fields.text(self.source, "source")
        fields.text(self.kind, "kind")
        fields.text(self.message, "message")
        fields.settle(self, frame=None if self.frame is None else fields.whole(self.frame, "frame"))

    @classmethod
    def from_error(cls, error: ImageError, *, frame: int | None = None) -> Self:
        """The answer that says what this error says."""
        return cls(error.source, error.kind, error.reason, frame)

    def to_dict(self) -> dict[str, Any]:
        """The failure as JSON's own types. `result_from_dict` gives an equal one back."""
        return {
            "schema": RESULT_SCHEMA_VERSION,
            "source": self.source,
            **({} if self.frame is None else {"frame": self.frame}),
            "error": {"kind": self.kind, "message": self.message},
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The failure that `to_dict` wrote.

        Raises:
            UsageError: another schema version, or a key that is missing or holds what it must not.
        """
        check_schema(content)
        error = fields.item(content, "error")
        return cls(
            fields.item(content, "source"),
            fields.item(error, "kind"),
            fields.item(error, "message"),
            content.get("frame"),
        )

    def __str__(self) -> str:
        moment = "" if self.frame is None else f" frame {self.frame}"
        return f"{self.source}{moment}: {self.message}"
