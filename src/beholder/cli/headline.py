"""What is said first of a classification, in a table and on a page."""

from __future__ import annotations

from typing import Literal, NamedTuple

from beholder.result import Classification


class Headline(NamedTuple):
    """What is said first.

    Attributes:
        kind: what it stands on: the best label, the accepted labels, a group of labels, or nothing.
        text: what is said.
        confidence: how sure that is, from 0 to 1.
        note: what is added to it, or nothing.
    """

    kind: Literal["label", "accepted", "group", "not sure", "unknown"]
    text: str
    confidence: float
    note: str = ""


def headline(answer: Classification) -> Headline:
    """What to say first of an answer."""
    if answer.unknown:
        return Headline("unknown", "unknown", 0.0, "unlike anything the model was taught")
    if answer.accepted is not None:
        return Headline("accepted", ", ".join(answer.accepted) or "none of the labels", answer.confidence)
    if answer.sure is False:
        return Headline("not sure", "not sure", answer.confidence, f"perhaps {answer.label}")
    if answer.group is not None:
        group = answer.group
        note = f"{group.confidence:.0%} together; not sure which one"
        return Headline("group", group.name, group.confidence, note)
    return Headline("label", answer.label, answer.confidence)
