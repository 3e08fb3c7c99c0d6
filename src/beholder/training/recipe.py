"""The recipe of a training run: one frozen value, readable as one TOML page."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Literal, Self

from beholder.errors import UsageError
from beholder.records import RecordError, described, from_json, nearest, to_json


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is trained. Equal recipes and equal data give equal files on the same machine."""

    method: Literal["head"] = described("head: a linear head on a trained backbone, in seconds", default="head")
    backbone: str = described("model file, or name in the zoo, whose features are used", default="efficientnet-lite0")
    layers: Literal["auto", "last", "last-two", "all"] = described(
        "which layers of the backbone the head looks at; auto: several ways, by what cross-validation says",
        default="auto",
    )
    balance: Literal["auto", "none", "classes"] = described(
        "classes: rare classes count as much as common ones; auto: where the commonest has over 3 times the rarest",
        default="auto",
    )
    folds: int = described("parts of the cross-validation that everything about confidence comes from", default=5)
    test_share: float = described("share of the images that is kept for the test, where no split is given", default=0.2)
    unknown_budget: float = described("share of known images that may be answered unknown", default=0.05)
    threshold_aim: Literal["f1", "precision", "recall"] = described(
        "several labels per image: what each label's threshold is tuned for", default="f1"
    )
    threshold_value: float = described("the precision or recall aimed at", default=0.9)
    prototypes: int = described("how many points stand for the images that familiarity is measured to", default=64)
    seed: int = described("of everything that is drawn at random", default=0)

    def __post_init__(self) -> None:
        for name, low, high in (
            ("folds", 2, 50),
            ("test_share", 0.0, 0.5),
            ("unknown_budget", 0.0, 0.5),
            ("threshold_value", 0.0, 1.0),
            ("prototypes", 1, 4096),
            ("seed", 0, 2**32 - 1),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise RecordError(f"{name}: must lie between {low} and {high}, found {value}")

    @classmethod
    def from_toml(cls, text: str, place: str = "recipe") -> Self:
        """Read a recipe.

        Raises:
            UsageError: the text is not TOML, or a key or value is not known; the nearest key is named.
        """
        try:
            return from_json(cls, tomllib.loads(text))
        except (tomllib.TOMLDecodeError, RecordError) as error:
            raise UsageError(f"{place}: {error}") from None

    def to_toml(self) -> str:
        """The recipe as a TOML page, with what each key means."""
        lines = []
        for field, (name, value) in zip(fields(self), to_json(self).items(), strict=True):
            lines += [f"# {field.metadata['doc']}", f"{name} = {json.dumps(value)}"]
        return "\n".join(lines) + "\n"

    def with_settings(self, settings: Iterable[str]) -> Self:
        """The recipe with `key=value` settings applied.

        Raises:
            UsageError: a setting has no `=`, or its key or value is not known; the nearest key is named.
        """
        values: dict[str, Any] = to_json(self)
        for setting in settings:
            key, equals, text = setting.partition("=")
            key = key.strip()
            if not equals:
                raise UsageError(f"--set: must be key=value, found {setting!r}")
            if key not in values:
                raise UsageError(f"--set: {key!r} is not a key of a recipe; {nearest(key, list(values))}")
            values[key] = _value(text.strip())
        try:
            return from_json(type(self), values)
        except RecordError as error:
            raise UsageError(f"--set: {error}") from None


def _value(text: str) -> Any:
    """A TOML value; a bare word is a string, so that nobody has to quote on a command line."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
