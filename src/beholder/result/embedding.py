"""Embeddings: an image as a vector, near to those of images like it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from beholder.errors import UsageError
from beholder.result import fields
from beholder.result.answer import Result
from beholder.result.fields import Pixels


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embedding(Result):
    """An image as a vector.

    Args:
        vector: float32 `(d,)`, at least one value.
        space: name of the space; only vectors of the same space may be compared. `None` when the model does not say.

    Raises:
        UsageError: a field holds what it must not.
    """

    vector: NDArray[np.float32] = dataclasses.field(repr=False)
    space: str | None = None

    task: ClassVar[str] = "embed"

    def _check(self) -> None:
        vector = fields.array(self.vector, np.float32, (None,), "vector")
        if len(vector) == 0:
            raise UsageError("vector must have at least one value, found none")
        fields.settle(self, vector=vector, space=None if self.space is None else fields.text(self.space, "space"))

    def _content(self) -> dict[str, Any]:
        return {"vector": fields.plain(self.vector), "space": self.space}

    @classmethod
    def _read(cls, content: Mapping[str, Any]) -> dict[str, Any]:
        return {"vector": fields.item(content, "vector"), "space": content.get("space")}

    def _draw(self, pixels: Pixels) -> Pixels:
        return np.array(pixels)

    def _summary(self) -> str:
        return f"{len(self.vector)} values" + ("" if self.space is None else f" in {self.space}")
