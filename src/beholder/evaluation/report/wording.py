"""An evaluation in plain words: for the page, and for whoever prints a summary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from beholder.evaluation.evaluation import Evaluation
from beholder.evaluation.intervals import Estimate, more_needed
from beholder.evaluation.parts import ReliabilityBin

_FEW: Final = 50
"""Below so many images the images themselves are counted, not hundredths."""

METRIC_WORDS: Final[dict[str, tuple[str, str]]] = {
    "top1": ("Top-1", "the first answer is right"),
    "top5": ("Top-5", "the truth is among the first five answers; says something from six classes up"),
    "balanced_accuracy": (
        "Balanced accuracy",
        "the mean over the classes, a rare class counting as much as a common one",
    ),
    "macro_f1": ("Macro F1", "precision and recall in one, the mean over the classes"),
    "micro_f1": (
        "Micro F1",
        "precision and recall in one, over all labels; with one label per image the same as top-1",
    ),
    "map": ("mAP", "mean average precision: how well the images of each class are ranked before all others"),
    "micro_precision": ("Micro precision", "of all labels given, the share that is right"),
    "micro_recall": ("Micro recall", "of all labels to be given, the share that was"),
    "exact_match": ("Exact match", "all labels of an image are right"),
    "ece": ("ECE", "expected calibration error: how far confidence and reality are apart, 0 is best"),
    "aurc": ("AURC", "area under risk against coverage: the mean share of wrong answers over all coverages, 0 is best"),
    "coverage_90": ("Coverage, 90% sets", "the prediction set that promises 90% contains the truth"),
    "set_size_90": ("Size, 90% sets", "the mean number of classes in it"),
    "coverage_95": ("Coverage, 95% sets", "the prediction set that promises 95% contains the truth"),
    "set_size_95": ("Size, 95% sets", "the mean number of classes in it"),
    "class_coverage_90": (
        "Coverage, 90% sets for each class",
        "the set that promises 90% for each class by itself contains the truth, the mean over the classes",
    ),
    "class_set_size_90": ("Size, 90% sets for each class", "the mean number of classes in it"),
    "class_coverage_95": (
        "Coverage, 95% sets for each class",
        "the set that promises 95% for each class by itself contains the truth, the mean over the classes",
    ),
    "class_set_size_95": ("Size, 95% sets for each class", "the mean number of classes in it"),
    "unanswered_share": ("Unanswered", "images of known classes that are answered unknown"),
    "answered_top1": ("Top-1 of the answered", "the first answer is right, on images not answered unknown"),
    "unknown_auroc": ("Unknown AUROC", "how often a known image looks more familiar than a stranger"),
    "unknown_share": ("Unknown found", "strangers that are answered unknown"),
}
"""Title and meaning of each metric."""

STRANGER_WORDS: Final = {
    "far": ("another kind of image", "Strangers of another kind"),
    "near": ("an unseen class of the same kind", "Strangers of the same kind"),
    "given": ("given as unknown", "Strangers that were given"),
}


@dataclass(frozen=True, slots=True)
class Headline:
    """The first thing that is said: a number in a sentence, and how sure it is."""

    before: str
    number: str
    after: str
    between: str
    measured: Estimate

    def __str__(self) -> str:
        return f"{self.before} {self.number} {self.after} ({self.between or 'not measured'})"


def percent(share: float, places: int = 1) -> str:
    """A share for people: never 0% or 100% for what is only close to it."""
    least = 10.0**-places
    shown = round(share * 100, places)
    if share > 0 and shown < least:
        return f"<{least:g}%"
    if share < 1 and shown > 100 - least:
        return f">{100 - least:g}%"
    return f"{shown:.{places}f}%" if 0 < share < 1 else f"{shown:.0f}%"


def decimals(measured: Estimate) -> int:
    """How many decimals of a percentage mean something."""
    return 0 if measured.half_width is None or measured.half_width >= 0.01 else 1


def of_hundred(share: float) -> str:
    """A share as a number of 100."""
    shown = round(share * 100)
    if share < 1 and shown == 100:
        return "more than 99 of 100"
    return "fewer than 1 of 100" if share > 0 and shown == 0 else f"{shown} of 100"


def about(number: int) -> str:
    """A number that is not known better than to two digits."""
    if number < 10:
        return f"about {number}"
    unit = 10 ** (len(str(number)) - 2)
    return f"about {-(-number // unit) * unit:,}"


def images(count: int, what: str = "image") -> str:
    """A count of something."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def headlines(evaluation: Evaluation) -> tuple[Headline, ...]:
    """What is said first: one number where images have one label, two where they may have several."""
    if not evaluation.multi_label:
        return (_headline_top1(evaluation.metrics["top1"]),)
    said = _headline("Of the labels it gives,", "are right", evaluation.metrics["micro_precision"])
    found = _headline("Of the labels it should give,", "are found", evaluation.metrics["micro_recall"])
    return said, found


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


def measured_on(evaluation: Evaluation) -> str:
    """On what it was measured, in a sentence."""
    if evaluation.kind == "cross-validated":
        return (
            f"Estimated by cross-validation on {images(evaluation.count)}: each was answered by a model that was "
            "fitted without it. The model itself was fitted on all of them."
        )
    if not evaluation.fitted_known:
        return f"Measured on {images(evaluation.count)}; whether the model has seen some of them is not known."
    return f"Measured on {images(evaluation.count)} that the model has not seen."


def summary(evaluation: Evaluation) -> list[str]:
    """What a person should take away, in sentences."""
    said = (
        _cannot_tell(evaluation),
        _confused(evaluation),
        _weakest(evaluation),
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
    return f"Most often confused: {taken} are taken for “{worst.predicted}”."


def _weakest(evaluation: Evaluation) -> str:
    known = [one for one in evaluation.per_class if one.recall.value is not None]
    perfect = [one for one in known if one.right == one.count]
    if len(known) > 2 and len(perfect) == len(known):
        return "Every image of every class is recognized."
    known.sort(key=lambda one: one.recall.value or 0.0)
    if len(known) < 2 or known[0].recall.value == known[1].recall.value:
        return ""
    weakest = known[0]
    return f"Hardest class: “{weakest.name}”, {weakest.right} of its {images(weakest.count)} recognized."


def confidence_words(evaluation: Evaluation) -> str:
    """Whether the confidence can be taken at its word."""
    error, perfect = evaluation.metrics["ece"], evaluation.ece_if_calibrated
    if error.value is None or perfect is None:
        return ""
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
    if not found:
        return f"It answers “unknown” to {own}." if own else ""
    words = "; ".join(found)
    return f"{words[0].upper()}{words[1:]}." + (f" In return {own} go unanswered." if own else "")


def in_band(one: ReliabilityBin) -> bool:
    """Whether a bin lies where a perfectly calibrated model's would."""
    return one.right.value is not None and one.calibrated_low <= one.right.value <= one.calibrated_high
