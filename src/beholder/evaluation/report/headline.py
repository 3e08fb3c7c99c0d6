"""The first thing that is said of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from beholder.evaluation.evaluation import Evaluation
from beholder.evaluation.intervals import Estimate
from beholder.evaluation.report.wording import of_hundred

_FEW: Final = 50
"""Below so many images the images themselves are counted, not hundredths."""


@dataclass(frozen=True, slots=True)
class Headline:
    """The first thing that is said: a number in a sentence, and how sure it is."""

    before: str
    number: str
    after: str
    between: str
    measured: Estimate

    def __str__(self) -> str:
        comma = "," if self.after.startswith("unknown") else ""
        return f"{self.before} {self.number}{comma} {self.after} ({self.between or 'not measured'})"


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of the images where the model may answer *unknown*: how many of each."""

    right: int
    unknown: int
    wrong: int

    @property
    def count(self) -> int:
        """All images."""
        return self.right + self.unknown + self.wrong


def outcomes(evaluation: Evaluation) -> Outcomes | None:
    """How many images were answered rightly, with *unknown* and wrongly; `None` without a rule for *unknown*.

    An image may have several labels: then too, for its answer is neither right nor wrong as a whole.
    """
    share, right = evaluation.metrics["unanswered_share"].value, evaluation.metrics.get("right_share")
    if share is None or right is None or right.value is None:
        return None
    unknown, answered = round(share * evaluation.count), round(right.value * evaluation.count)
    return Outcomes(answered, unknown, evaluation.count - unknown - answered)


def headlines(evaluation: Evaluation) -> tuple[Headline, ...]:
    """What is said first: what became of the images where they have one label, two numbers where they may have several.

    An answer that was withheld counts as *unknown*, not as right: whoever uses the model does not get it.
    """
    if not evaluation.multi_label:
        found = outcomes(evaluation)
        if found is None:
            return (_headline_top1(evaluation.metrics["top1"]),)
        return (_headline_outcomes(found, evaluation.metrics["right_share"]),)
    said = _headline("Of the labels it gives,", "are right", evaluation.metrics["micro_precision"])
    found_labels = _headline("Of the labels it should give,", "are found", evaluation.metrics["micro_recall"])
    return said, found_labels


def _headline_outcomes(found: Outcomes, measured: Estimate) -> Headline:
    number, after = f"{found.right:,} of {found.count:,}", f"unknown on {found.unknown:,}, wrong on {found.wrong:,}"
    low, high = (round((end or 0.0) * 100) for end in (measured.low, measured.high))
    between = f"of 100 new images of the same kind expect between {low} and {high} right"
    return Headline("Right on", number, after, between, measured)


def _headline_top1(measured: Estimate) -> Headline:
    headline = _headline("Right on", "new images", measured)
    if measured.value is None or measured.count >= _FEW:
        return headline
    number = f"{round(measured.value * measured.count)} of {measured.count}"
    between = f"on new images of the same kind expect {headline.between} of 100"
    return Headline(headline.before, number, "images", between, measured)


def _headline(before: str, after: str, measured: Estimate) -> Headline:
    if measured.value is None or measured.low is None or measured.high is None:
        return Headline(before, "an unknown share", f"of {after}" if after == "new images" else after, "", measured)
    between = f"between {round(measured.low * 100)} and {round(measured.high * 100)}"
    return Headline(before, of_hundred(measured.value), after, between, measured)
