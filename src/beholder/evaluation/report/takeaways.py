"""What a person should take away from an evaluation, in sentences: for the page, and for whoever prints a summary."""

from __future__ import annotations

from typing import Final

from beholder.evaluation.evaluation import Evaluation
from beholder.evaluation.intervals import more_needed
from beholder.evaluation.parts import ReliabilityBin
from beholder.evaluation.report.headline import headlines
from beholder.evaluation.report.wording import STRANGER_WORDS, about, images, percent

_ELSEWHERE: Final = "“beholder evaluate” on other images tests it"


def measured_on(evaluation: Evaluation) -> str:
    """On what it was measured, in a sentence."""
    if evaluation.kind == "held-out":
        return (
            f"Measured on {images(evaluation.count)} that were held out of training, and that all about its confidence "
            "was made from."
        )
    if evaluation.kind == "cross-validated":
        return (
            f"Estimated by cross-validation on {images(evaluation.count)}: each was answered by a model that was "
            "fitted without it. The model itself was fitted on all of them."
        )
    if not evaluation.fitted_known:
        return f"Measured on {images(evaluation.count)}; whether the model has seen some of them is not known."
    if not evaluation.copies_apart:
        return f"Measured on {images(evaluation.count)} whose files the model was not fitted on."
    return f"Measured on {images(evaluation.count)} that the model has not seen."


def summary(evaluation: Evaluation) -> list[str]:
    """What a person should take away, in sentences."""
    said = (
        _cannot_tell(evaluation),
        _confused(evaluation),
        _weakest(evaluation),
        _tuned(evaluation),
        confidence_words(evaluation),
        _unknown(evaluation),
    )
    return [sentence for sentence in said if sentence]


def _cannot_tell(evaluation: Evaluation) -> str:
    measured = headlines(evaluation)[0].measured
    more = more_needed(measured)
    if not more or measured.half_width is None:
        return ""
    return (
        f"Cannot tell yet: the share is known to ±{round(measured.half_width * 100)} points only; "
        f"{about(more)} more test images would bring that to ±5."
    )


def _confused(evaluation: Evaluation) -> str:
    pairs = [pair for pair in evaluation.confusion or () if pair.truth != pair.predicted]
    if not pairs or pairs[0].count < 2:
        return ""
    counts = {one.name: one.count for one in evaluation.per_class}
    worst = pairs[0]
    taken = f"{worst.count} of {images(counts[worst.truth])} of “{worst.truth}”"
    return f"Most often confused: {taken} are taken for “{worst.predicted}”{_withheld_too(evaluation)}."


def _weakest(evaluation: Evaluation) -> str:
    known = [one for one in evaluation.per_class if one.recall.value is not None]
    perfect = [one for one in known if one.right == one.count]
    if len(known) > 2 and len(perfect) == len(known):
        return "The first answer is right for every image of every class."
    known.sort(key=lambda one: one.recall.value or 0.0)
    if len(known) < 2 or known[0].recall.value == known[1].recall.value:
        return ""
    weakest = known[0]
    if _withheld_too(evaluation):
        return f"Hardest class: “{weakest.name}”, the first answer is right on {weakest.right} of {weakest.count:,}."
    return f"Hardest class: “{weakest.name}”, {weakest.right} of its {images(weakest.count)} recognized."


def by_construction(evaluation: Evaluation) -> str:
    """That promises were kept on the answers they were made from, where it is so: that they were is no news."""
    if not evaluation.tuned_here:
        return ""
    return f"True by construction here: the thresholds were made from these answers; {_ELSEWHERE}."


def _tuned(evaluation: Evaluation) -> str:
    if not evaluation.multi_label or not evaluation.tuned_here:
        return ""
    return (
        "The thresholds of its labels were chosen on these same answers, so on new images expect somewhat fewer right "
        f"and found; {_ELSEWHERE}."
    )


def _withheld_too(evaluation: Evaluation) -> str:
    """That a count is of first answers, where some of these were withheld."""
    return ", answers withheld as “unknown” counted too" if evaluation.unanswered and not evaluation.multi_label else ""


def confidence_words(evaluation: Evaluation) -> str:
    """Whether the confidence can be taken at its word."""
    error, perfect = evaluation.metrics["ece"], evaluation.ece_if_calibrated
    if error.value is None or perfect is None:
        return ""
    if error.value <= perfect.high and evaluation.tuned_here:
        return f"Its confidence fits these answers by construction: it was made from them; {_ELSEWHERE}."
    if error.value <= perfect.high:
        return "Its confidence can be taken at its word, as far as so many images can tell."
    if all(in_band(one) for one in evaluation.reliability):
        return "Its confidence may be off; with so few images that cannot be told yet."
    gap = sum(one.right.count * (one.confidence - (one.right.value or 0.0)) for one in evaluation.reliability)
    return f"It is {'surer' if gap > 0 else 'less sure'} than it should be: do not take its confidence at its word."


def _unknown(evaluation: Evaluation) -> str:
    found = [
        f"{STRANGER_WORDS[one.kind][1][0].lower()}{STRANGER_WORDS[one.kind][1][1:]}: "
        f"{round((one.share.value or 0) * one.share.count)} of {one.share.count:,} found"
        for one in evaluation.strangers
        if one.share.value is not None
    ]
    left = evaluation.metrics["unanswered_share"]
    own = "" if left.value is None else f"{round(left.value * left.count)} of {images(left.count)} of known classes"
    after = _over_budget(evaluation)
    if evaluation.tuned_here:
        after = ", as many as its rule was set to on these answers." if own else "."
    if not found:
        return f"It answers “unknown” to {own}{after}{_counted_labels(evaluation)}" if own else ""
    words = "; ".join(found)
    return f"{words[0].upper()}{words[1:]}." + (
        f" In return {own} go unanswered{after}{_counted_labels(evaluation)}" if own else ""
    )


def _counted_labels(evaluation: Evaluation) -> str:
    """That labels are counted which were withheld: with several labels an answer is not right or wrong as a whole."""
    return " Their labels are counted all the same." if evaluation.multi_label and evaluation.unanswered else ""


def _over_budget(evaluation: Evaluation) -> str:
    """The end of a sentence: that more go unanswered than the rule may leave so, where that is clear."""
    low, budget = evaluation.metrics["unanswered_share"].low, evaluation.unknown_budget
    if low is None or budget is None or low <= budget:
        return "."
    return (
        f", clearly more than the {percent(budget, 0)} that its rule promises at most: to the model these images look "
        "unlike those it was fitted on."
    )


def in_band(one: ReliabilityBin) -> bool:
    """Whether a bin lies where a perfectly calibrated model's would."""
    return one.right.value is not None and one.calibrated_low <= one.right.value <= one.calibrated_high
