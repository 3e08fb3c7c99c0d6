"""Classification: what an image shows as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, final

from beholder.errors import UsageError
from beholder.result import fields
from beholder.result.answer import Result
from beholder.result.fields import Pixels

_NAMED = 3
"""Labels in the one-line summary."""

_DRAWN = 5
"""Bars in the drawing, at most."""


@final
@dataclass(frozen=True, slots=True)
class Label:
    """A class with the confidence that it is the right one.

    Args:
        index: of the class in the model.
        name: of the class.
        confidence: from 0 to 1.

    Raises:
        UsageError: a field holds what it must not.
    """

    index: int
    name: str
    confidence: float

    def __post_init__(self) -> None:
        """Check all fields."""
        fields.settle(
            self,
            index=fields.whole(self.index, "the index of a label"),
            name=fields.text(self.name, "the name of a label"),
            confidence=fields.fraction(self.confidence, "the confidence of a label"),
        )

    def to_dict(self) -> dict[str, Any]:
        """The label as JSON's own types."""
        return {"index": self.index, "name": self.name, "confidence": self.confidence}

    def __str__(self) -> str:
        return f"{self.name} {fields.percent(self.confidence)}"


@final
@dataclass(frozen=True, slots=True)
class Group:
    """The broad group, such as animal or vehicle, that a classification falls back on when no single label is sure.

    Args:
        name: of the group.
        confidence: from 0 to 1.

    Raises:
        UsageError: a field holds what it must not.
    """

    name: str
    confidence: float

    def __post_init__(self) -> None:
        """Check all fields."""
        fields.settle(
            self,
            name=fields.text(self.name, "the name of a group"),
            confidence=fields.fraction(self.confidence, "the confidence of a group"),
        )

    def to_dict(self) -> dict[str, Any]:
        """The group as JSON's own types."""
        return {"name": self.name, "confidence": self.confidence}

    def __str__(self) -> str:
        return f"{self.name} {fields.percent(self.confidence)}"


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Classification(Result):
    """What an image shows as a whole.

    Args:
        labels: best first, at least one.
        accepted: names above their thresholds, where an image may have several labels; `None` where it has one.
        prediction_set: names that together contain the truth with the probability asked for; `None` when not asked.
        unknown: whether the image belongs to none of the classes; `None` when the model cannot tell.
        group: the narrowest group that is sure, when no single label is; `None` otherwise.
        sure: whether the best label, or the group, is as sure as the model asks; `None` when it does not ask.

    Raises:
        UsageError: a field holds what it must not.
    """

    labels: tuple[Label, ...]
    accepted: tuple[str, ...] | None = None
    prediction_set: tuple[str, ...] | None = None
    unknown: bool | None = None
    group: Group | None = None
    sure: bool | None = None

    task: ClassVar[str] = "classify"

    @property
    def label(self) -> str:
        """Name of the best label, also when the answer is *unknown*."""
        return self.labels[0].name

    @property
    def confidence(self) -> float:
        """Confidence of the best label, from 0 to 1."""
        return self.labels[0].confidence

    def _check(self) -> None:
        labels = tuple(fields.sequence(self.labels, "labels"))
        if not labels or not all(isinstance(label, Label) for label in labels):
            raise UsageError("labels must be at least one Label, found " + (repr(labels)[:60] if labels else "none"))
        if any(one.confidence < other.confidence for one, other in pairwise(labels)):
            raise UsageError("labels must be sorted by confidence, best first")
        if not (self.group is None or isinstance(self.group, Group)):
            raise UsageError(f"group must be a Group or None, found {type(self.group).__name__}")
        fields.settle(
            self,
            labels=labels,
            accepted=None if self.accepted is None else fields.texts(self.accepted, "accepted"),
            prediction_set=None if self.prediction_set is None else fields.texts(self.prediction_set, "prediction_set"),
            unknown=None if self.unknown is None else fields.flag(self.unknown, "unknown"),
            sure=None if self.sure is None else fields.flag(self.sure, "sure"),
        )

    def _content(self) -> dict[str, Any]:
        return {
            "labels": [label.to_dict() for label in self.labels],
            **({} if self.accepted is None else {"accepted": list(self.accepted)}),
            "prediction_set": None if self.prediction_set is None else list(self.prediction_set),
            "unknown": self.unknown,
            "group": None if self.group is None else self.group.to_dict(),
            "sure": self.sure,
        }

    @classmethod
    def _read(cls, content: Mapping[str, Any]) -> dict[str, Any]:
        labels = [
            Label(fields.item(label, "index"), fields.item(label, "name"), fields.item(label, "confidence"))
            for label in fields.items(content, "labels")
        ]
        group = content.get("group")
        return {
            "labels": labels,
            "accepted": content.get("accepted"),
            "prediction_set": content.get("prediction_set"),
            "unknown": content.get("unknown"),
            "sure": content.get("sure"),
            "group": None if group is None else Group(fields.item(group, "name"), fields.item(group, "confidence")),
        }

    def _draw(self, pixels: Pixels) -> Pixels:
        """What the model stands by is blue: the accepted labels, or the group, or the best label."""
        from beholder.result.drawing import Bar, draw_bars
        from beholder.result.palette import BLUE, GRAY, ORANGE

        if self.accepted is not None:
            return self._draw_accepted(pixels, self.accepted)
        labels = [Bar(label.name, label.confidence, GRAY) for label in self.labels[:_DRAWN]]
        if self.unknown or self.sure is False:
            return draw_bars(pixels, labels, "unknown" if self.unknown else "not sure", ORANGE)
        if self.group is not None:
            return draw_bars(pixels, [Bar(self.group.name, self.group.confidence, BLUE), *labels])
        return draw_bars(pixels, [Bar(self.label, self.confidence, BLUE), *labels[1:]])

    def _draw_accepted(self, pixels: Pixels, accepted: tuple[str, ...]) -> Pixels:
        from beholder.result.drawing import Bar, draw_bars
        from beholder.result.palette import BLUE, GRAY, ORANGE

        first = [label for label in self.labels if label.name in accepted and not self.unknown]
        others = [label for label in self.labels if label not in first]
        bars = [Bar(label.name, label.confidence, BLUE, key=BLUE) for label in first]
        bars += [Bar(label.name, label.confidence, GRAY, key=GRAY) for label in others]
        heading = "unknown" if self.unknown else "" if first else "none of the labels"
        return draw_bars(pixels, bars[:_DRAWN], heading, ORANGE)

    def _summary(self) -> str:
        best = ", ".join(map(str, self.labels[:_NAMED])) + (", …" if len(self.labels) > _NAMED else "")
        if self.unknown:
            return f"unknown (nearest: {best})"
        if self.accepted is not None:
            confidence = {label.name: str(label) for label in self.labels}
            accepted = ", ".join(confidence.get(name, name) for name in self.accepted)
            return accepted or f"none of the labels (nearest: {best})"
        if self.sure is False:
            return f"not sure (perhaps {best})"
        return best if self.group is None else f"{self.group} ({best})"
