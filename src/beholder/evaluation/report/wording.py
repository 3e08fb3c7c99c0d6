"""What metrics are called and mean, and numbers as people read them."""

from __future__ import annotations

from typing import Final

from beholder.evaluation.intervals import Estimate

METRIC_WORDS: Final[dict[str, tuple[str, str]]] = {
    "top1": ("Top-1", "the first answer is right, whether it was given or withheld as unknown"),
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
    "map": (
        "mAP",
        "mean average precision: whether images of a class rank before all others; 100% is best",
    ),
    "micro_precision": ("Micro precision", "of all labels given, the share that is right"),
    "micro_recall": ("Micro recall", "of all labels to be given, the share that was"),
    "exact_match": ("Exact match", "all labels of an image are right"),
    "ece": ("ECE", "expected calibration error: how far confidence and reality are apart, 0 is best"),
    "aurc": (
        "AURC",
        "area under risk against coverage: the share of wrong answers, averaged over answering few images, the surest, "
        "up to answering all; 0 is best",
    ),
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
    "right_share": ("Right and answered", "of all images, those whose answer is right and was not withheld as unknown"),
    "unanswered_share": ("Unanswered", "images of known classes that are answered unknown"),
    "answered_top1": ("Top-1 of the answered", "of the images not answered unknown, those whose first answer is right"),
    "unknown_auroc": ("Unknown AUROC", "how often a known image looks more familiar than a stranger"),
    "unknown_share": ("Unknown found", "strangers that are answered unknown"),
}
"""Title and meaning of each metric."""

STRANGER_WORDS: Final = {
    "far": ("another kind of image", "Strangers of another kind"),
    "near": ("an unseen class of the same kind", "Strangers of the same kind"),
    "given": ("given as unknown", "Strangers that were given"),
}


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
