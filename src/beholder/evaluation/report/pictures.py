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
_SHOWN_LABELS: Final = 4

_LONGEST_NAME: Final = 40
_LONGEST_PART: Final = 16


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
    if evaluation.multi_label:
        return _wrong_labels(evaluation, thumbnails)
    withheld = {one.source for one in evaluation.unanswered}
    cards = [
        _card(one.source, thumbnails, _mistake_words(one, one.source in withheld), "wrong")
        for one in evaluation.mistakes[:_SHOWN]
    ]
    lead = (
        "The surest first: either the model is wrong, or the label is. Look at these before anything else."
        if cards
        else "There are none: every first answer is right."
    )
    return section("mistakes", "Its most confident mistakes", lead, _grid(cards, len(evaluation.mistakes)))


def _wrong_labels(evaluation: Evaluation, thumbnails: Thumbnails | None) -> str:
    """A card for each image that has wrong labels: those that are too much, and those that are missing."""
    found: dict[str, list[Mistake]] = {}
    for one in evaluation.mistakes:
        found.setdefault(one.source, []).append(one)
    worst = sorted(found.items(), key=lambda item: -sum(one.confidence for one in item[1]))
    cards = [_card(source, thumbnails, _label_words(wrong), "wrong") for source, wrong in worst[:_SHOWN]]
    lead = (
        "Images with the most and the surest wrong labels first: either the model is wrong, or the labels are. The "
        "percentage is how sure it was that a label applies, or that it does not."
        if cards
        else "There are none: the labels of every image are right."
    )
    return section("mistakes", "Images with wrong labels", lead, _grid(cards, len(found), "labels"))


def _label_words(wrong: Sequence[Mistake]) -> str:
    """What is wrong with the labels of one image, the surest of each kind first."""
    extra = [f"{name(one.predicted)} {_sure(one.confidence)}" for one in wrong if one.predicted is not None]
    missing = [f"{name(one.truth)} {_sure(one.confidence)}" for one in wrong if one.truth is not None]
    parts = []
    if extra:
        parts.append(f"<span><b>says, and it is not labeled</b> {_some(extra)}</span>")
    if missing:
        parts.append(f"<span><b>misses, and it is labeled</b> {_some(missing)}</span>")
    return "".join(parts)


def _some(listed: Sequence[str]) -> str:
    rest = len(listed) - _SHOWN_LABELS
    return ", ".join(listed[:_SHOWN_LABELS]) + (f" and {rest:,} more" if rest > 0 else "")


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


def _mistake_words(one: Mistake, withheld: bool) -> str:
    truth = f"<span>is labeled {name(one.truth or '')}</span>"
    known = "<span>withheld: answered “unknown”</span>" if withheld else ""
    return f"<b>{name(one.predicted or '')} {_sure(one.confidence)}</b>{truth}{known}"


def _issue_words(one: LabelIssue) -> str:
    proposal = "" if one.proposal is None else f"<span>perhaps {name(one.proposal)}</span>"
    return f"<b>labeled {name(one.label)}</b>{proposal}<span>{text(one.reason)}</span>"


def _sure(confidence: float) -> str:
    return exact(confidence, percent(confidence, 0))


def _card(source: str, thumbnails: Thumbnails | None, words: str, kind: str) -> str:
    shown = text(short_name(source)).replace("/", "/<wbr>")
    return (
        f'<li class="{kind}">{_picture(source, thumbnails)}<div class="words">{words}'
        f'<small title="{text(source)}"><bdi>{shown}</bdi></small></div></li>'
    )


def short_name(source: str) -> str:
    """The name of an image with the folders it lies in, each part shortened in the middle where all would be long.

    The folders say of which split and class it is, the end of a file's name tells it from its neighbors.
    """
    parts = source.replace("\\", "/").rstrip("/").split("/")[-3:]
    whole = "/".join(parts)
    return whole if len(whole) <= _LONGEST_NAME else "/".join(_shortened(part) for part in parts)


def _shortened(part: str) -> str:
    half = _LONGEST_PART // 2
    return part if len(part) <= _LONGEST_PART else f"{part[: half - 1]}…{part[-half:]}"


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


def _grid(cards: Sequence[str], total: int, kind: str = "") -> str:
    if not cards:
        return ""
    rest = total - len(cards)
    more = f'<p class="note">and {rest:,} more, in the JSON file</p>' if rest > 0 else ""
    return f'<ul class="{f"pictures {kind}".strip()}">{"".join(cards)}</ul>{more}'
