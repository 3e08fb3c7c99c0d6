"""Every detector; another is one function, and one entry here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from beholder.auditing.detecting import classes, conditions, copies, pictures
from beholder.auditing.evidence import Evidence
from beholder.auditing.finding import Finding, Kind

Detector = Callable[[Evidence], Iterable[Finding]]

DETECTORS: Final[dict[Kind, Detector]] = {
    "unreadable": copies.unreadable,
    "duplicate_across_splits": copies.across_splits,
    "duplicate_across_classes": copies.across_classes,
    "label_issue": classes.label_issues,
    "exact_duplicate": copies.exact,
    "near_duplicate": copies.near,
    "small_class": classes.small_classes,
    "unbalanced": classes.unbalanced,
    "indistinguishable": classes.indistinguishable,
    "shortcut": conditions.shortcuts,
    "one_background": conditions.one_background,
    "one_light": conditions.one_light,
    "low_information": pictures.low_information,
    "blurred": pictures.blurred,
    "too_dark": pictures.too_dark,
    "too_bright": pictures.too_bright,
    "odd_size": pictures.odd_size,
}
"""Each kind with what finds it, in the order of the kinds."""
