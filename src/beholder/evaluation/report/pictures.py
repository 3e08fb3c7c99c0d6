"""Images to look at: the most confident mistakes, labels to check, images unanswered, strangers answered."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from beholder.errors import ImageError
from beholder.evaluation.evaluation import Evaluation
from beholder.evaluation.parts import Mistake
from beholder.evaluation.report.markup import exact, name, section, text
from beholder.evaluation.report.wording import percent

Thumbnails = Callable[[str], bytes | None]
"""From the name of an image to a small JPEG of it; `None` where there is none."""

_SHOWN: Final = 24
_SHOWN_OTHERS: Final = 12


@dataclass(frozen=True, slots=True)
class LabelIssue:
    """A label in the dataset that looks wrong.

    Attributes:
        source: name of the image.
        label: what it is labeled.
        proposal: what it looks like; `None` where nothing fits.
        reason: why.
    """

    source: str
    label: str
    proposal: str | None
    reason: str


def mistakes(evaluation: Evaluation, thumbnails: Thumbnails | None) -> str:
    """The wrong answers, the most confident first."""
    if not evaluation.count:
        return ""
    shown = evaluation.mistakes[:_SHOWN]
    cards = [_card(one.source, thumbnails, _mistake_words(one), "wrong") for one in shown]
    lead = (
        "The surest first: either the model is wrong, or the label is. Look at these before anything else."
        if cards
        else "There are none: every image was answered rightly."
    )
    return section("mistakes", "Its most confident mistakes", lead, _grid(cards, len(evaluation.mistakes)))


def label_issues(issues: Sequence[LabelIssue], thumbnails: Thumbnails | None) -> str:
    """Labels that look wrong, the most suspicious first."""
    if not issues:
        return ""
    cards = [_card(one.source, thumbnails, _issue_words(one), "check") for one in issues[:_SHOWN_OTHERS]]
    return section(
        "labels", "Labels to check", "These labels look wrong, the most suspicious first.", _grid(cards, len(issues))
    )


def unanswered(evaluation: Evaluation, thumbnails: Thumbnails | None) -> str:
    """Images of known classes that were answered *unknown*, and strangers that were not."""
    own = [
        _card(
            one.source,
            thumbnails,
            f"<b>{name(one.truth)}</b><span>nearest to {name(one.nearest)}, {_sure(one.confidence)}</span>",
            "check",
        )
        for one in evaluation.unanswered[:_SHOWN_OTHERS]
    ]
    taken = [
        _card(
            one.source,
            thumbnails,
            f"<b>{name(one.predicted)} {_sure(one.confidence)}</b><span>is none of the classes</span>",
            "wrong",
        )
        for one in evaluation.answered_strangers[:_SHOWN_OTHERS]
    ]
    parts = []
    if own:
        lead = "Images of known classes that were answered “unknown”: the price of finding strangers."
        parts.append(section("unanswered", "Left unanswered", lead, _grid(own, len(evaluation.unanswered))))
    if taken:
        lead = "Images of no class that were taken for one, the most confident first."
        cards = _grid(taken, len(evaluation.answered_strangers))
        parts.append(section("taken", "Strangers taken for known", lead, cards))
    return "".join(parts)


def _mistake_words(one: Mistake) -> str:
    if one.truth is None:
        return f"<b>{name(one.predicted or '')} {_sure(one.confidence)}</b><span>is not labeled so</span>"
    if one.predicted is None:
        return f"<b>not {name(one.truth)} {_sure(one.confidence)}</b><span>is labeled so</span>"
    return f"<b>{name(one.predicted)} {_sure(one.confidence)}</b><span>is labeled {name(one.truth)}</span>"


def _issue_words(one: LabelIssue) -> str:
    proposal = "" if one.proposal is None else f"<span>perhaps {name(one.proposal)}</span>"
    return f"<b>labeled {name(one.label)}</b>{proposal}<span>{text(one.reason)}</span>"


def _sure(confidence: float) -> str:
    return exact(confidence, percent(confidence, 0))


def _card(source: str, thumbnails: Thumbnails | None, words: str, kind: str) -> str:
    short = source.replace("\\", "/").rstrip("/").split("/")[-1]
    return (
        f'<li class="{kind}">{_picture(source, thumbnails)}<div class="words">{words}'
        f'<small title="{text(source)}">{name(short)}</small></div></li>'
    )


def _picture(source: str, thumbnails: Thumbnails | None) -> str:
    if thumbnails is None:
        return ""
    try:
        jpeg = thumbnails(source)
    except (ImageError, OSError):  # the file has gone since it was answered
        jpeg = None
    if not jpeg:
        return '<div class="nothing">no picture</div>'
    return f'<img src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}" alt="{text(source)}" loading="lazy">'


def _grid(cards: Sequence[str], total: int) -> str:
    if not cards:
        return ""
    rest = total - len(cards)
    more = f'<p class="note">and {rest:,} more, in the JSON file</p>' if rest > 0 else ""
    return f'<ul class="pictures">{"".join(cards)}</ul>{more}'
