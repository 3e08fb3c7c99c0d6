"""What it gets right and what it confuses, class by class; what to collect next; parts of the images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from beholder.evaluation.collecting import CLASS_HALF_WIDTH
from beholder.evaluation.evaluation import Evaluation
from beholder.evaluation.intervals import Estimate, more_needed
from beholder.evaluation.parts import ClassResult, CollectNext, Confused
from beholder.evaluation.report.markup import (
    NOT_MEASURED,
    bar,
    exact,
    folded,
    name,
    section,
    share,
    share_range,
    share_value,
    table,
    text,
    track,
)
from beholder.evaluation.report.wording import about, images, percent
from beholder.evaluation.slices import Slice

_SHOWN_CLASSES: Final = 20
"""So many rows are shown at once; the others are folded."""

_MATRIX_CLASSES: Final = 24
_SHOWN_PAIRS: Final = 12
_SHOWN_ADVICE: Final = 8


def per_class(evaluation: Evaluation) -> str:
    """A row for each class, the hardest first."""
    overall = _overall(evaluation)
    known = [one for one in evaluation.per_class if one.count]
    known.sort(key=lambda one: (one.recall.value or 0.0, -one.count))
    empty = [one.name for one in evaluation.per_class if not one.count]
    shown = _class_table(known[:_SHOWN_CLASSES], overall, evaluation.multi_label)
    rest = known[_SHOWN_CLASSES:]
    more = folded(f"{len(rest)} more classes", _class_table(rest, overall, evaluation.multi_label)) if rest else ""
    lead = (
        "The hardest first. The dot is the share of its images that is recognized, the bar what the share may be on "
        "new images, the thin line the share over all classes. F1 is the two shares in one number, low where either is."
    )
    if evaluation.multi_label:
        lead += " AP, average precision, says whether images of the class get more confidence in it than others do."
    elif evaluation.unanswered:
        lead += " First answers are counted, those withheld as “unknown” too."
    return section("classes", "Class by class", lead, shown, more, _empty_classes(empty))


def _overall(evaluation: Evaluation) -> Estimate:
    return evaluation.metrics["micro_recall" if evaluation.multi_label else "top1"]


def _class_table(shown: Sequence[ClassResult], overall: Estimate, multi_label: bool) -> str:
    heads = ["class", "recognized", "", "right when it says so", "F1"] + (["AP"] if multi_label else [])
    rows = []
    for one in shown:
        row = [name(one.name), track(one.recall, mark=overall.value)]
        row += [_of_count(one.right, one.recall), _of_count(one.right, one.precision), share(one.f1, "")]
        if one.average_precision is not None:
            row.append(share(one.average_precision, ""))
        rows.append(row)
    return table(heads, rows, "classes") if rows else f"<p>{NOT_MEASURED}</p>"


def _of_count(part: int, measured: Estimate) -> str:
    if measured.value is None:
        return NOT_MEASURED
    return f"{share_value(measured)} {share_range(measured, of=part)}"


def _empty_classes(empty: Sequence[str]) -> str:
    if not empty:
        return ""
    names = ", ".join(name(one) for one in empty)
    counted = "1 class has" if len(empty) == 1 else f"{len(empty):,} classes have"
    return folded(f"{counted} no images here: {NOT_MEASURED}", f"<p>{names}</p>")


def confusions(evaluation: Evaluation) -> str:
    """Which classes are taken for which: as a matrix where there are few, and the most frequent pairs."""
    if evaluation.confusion is None:
        return ""
    wrong = [pair for pair in evaluation.confusion if pair.truth != pair.predicted]
    counts = {one.name: one.count for one in evaluation.per_class}
    if not evaluation.count:
        return section("confusions", "What it confuses", "", f"<p>{NOT_MEASURED}</p>")
    if not wrong:
        return section("confusions", "What it confuses", "Nothing: every first answer is right.")
    withheld = ", answers withheld as “unknown” counted too" if evaluation.unanswered else ""
    lead = (
        f"{images(sum(pair.count for pair in wrong))} of {evaluation.count:,} were taken for another class{withheld}."
    )
    matrix = _matrix(evaluation, counts) if len(evaluation.classes) <= _MATRIX_CLASSES else ""
    return section("confusions", "What it confuses", lead, f'<div class="two">{_pairs(wrong, counts)}{matrix}</div>')


def _pairs(wrong: Sequence[Confused], counts: dict[str, int]) -> str:
    rows = [
        (
            f"{name(pair.truth)} <span class=as>taken for</span> {name(pair.predicted)}",
            bar(pair.count / counts[pair.truth]),
            f"{exact(pair.count, f'{pair.count:,}')} of {counts[pair.truth]:,}",
        )
        for pair in wrong[:_SHOWN_PAIRS]
    ]
    rest = len(wrong) - len(rows)
    more = (
        f'<p class="note">and {rest:,} rarer {"pair" if rest == 1 else "pairs"}, in the JSON file</p>' if rest else ""
    )
    return f"<div>{table(('most often', '', ''), rows, 'pairs')}{more}</div>"


def _matrix(evaluation: Evaluation, counts: dict[str, int]) -> str:
    cells = {(pair.truth, pair.predicted): pair.count for pair in evaluation.confusion or ()}
    heads = "".join(f"<th scope=col><span>{name(one)}</span></th>" for one in evaluation.classes)
    rows = []
    for truth in evaluation.classes:
        row = "".join(_cell(truth, said, cells.get((truth, said), 0), counts[truth]) for said in evaluation.classes)
        rows.append(f"<tr><th scope=row>{name(truth)}</th>{row}</tr>")
    return (
        '<div class="wide"><p class="note">A row for what an image is, a column for what it was called.</p>'
        f'<table class="matrix"><thead><tr><td></td>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
        '<output class="said" aria-live="polite"></output></div>'
    )


def _cell(truth: str, said: str, count: int, total: int) -> str:
    if not count:
        return "<td></td>"
    part = count / total
    kind = "right" if truth == said else "wrong"
    words = f"{count} of {images(total)} of {truth} called {said} ({percent(part, 0)})"
    strong = " strong" if part > 0.55 else ""
    shade = max(0.12, part) * 100
    return f'<td class="{kind}{strong}" style="--part:{shade:.0f}%" title="{text(words)}">{count}</td>'


def collect_next(evaluation: Evaluation) -> str:
    """What more images would help most."""
    overall = _overall(evaluation)
    if overall.value is None:
        return section("collect", "What to collect next", "", f"<p>{NOT_MEASURED}</p>")
    rows = [
        (name(one.name), track(one.recall, mark=overall.value), share(one.recall), _advice(one))
        for one in evaluation.collect_next[:_SHOWN_ADVICE]
    ]
    more = more_needed(overall)
    enough = "The share over all classes is known to ±5 points."
    told = f"To know the share over all classes to ±5 points: {about(more)} more test images." if more else enough
    lead = "Where the share recognized may be lowest: because it is low, or because too few images tell."
    if not rows:
        lead = "No class stands out: none may be more than 10 points below the share over all classes."
    shown = table(("class", "recognized", "", "what would help"), rows, "collect") if rows else ""
    return section("collect", "What to collect next", lead, shown, f'<p class="told">{told}</p>')


def _advice(one: CollectNext) -> str:
    parts = []
    if one.confused_with is not None:
        taken = exact(one.confused_count, f"{one.confused_count:,}")
        parts.append(f"{taken} are taken for {name(one.confused_with)}: more images of both, where they look alike.")
    if one.more_images:
        wanted = round(CLASS_HALF_WIDTH * 100)
        shown = exact(one.more_images, about(one.more_images))
        parts.append(f"Cannot tell yet: {shown} more test images would make it ±{wanted} points.")
    if parts:
        return " ".join(parts)
    if one.recall.value == 1.0:
        return "Nothing was wrong so far; more test images would tell more."
    return "More images like those it gets wrong."


def slices(evaluation: Evaluation) -> str:
    """The share right by the values of each column."""
    if not evaluation.slices:
        return ""
    metric = evaluation.slices[0].metric
    overall = evaluation.metrics[metric]
    columns: dict[str, list[Slice]] = {}
    for one in evaluation.slices:
        columns.setdefault(one.column, []).append(one)
    tables = "".join(_slice_table(column, parts, overall) for column, parts in columns.items())
    what = "F1 over all labels" if evaluation.multi_label else "The share of right first answers"
    by_chance = round(0.05 * len(evaluation.slices))
    chance = f" Of {len(evaluation.slices)} parts about {by_chance} would by chance alone." if by_chance else ""
    lead = f"{what}, for parts of the images. Marked are parts whose whole interval lies off the overall share.{chance}"
    return section("slices", "Where it does better or worse", lead, f'<div class="two">{tables}</div>')


def _slice_table(column: str, parts: Sequence[Slice], overall: Estimate) -> str:
    rows = []
    for one in parts:
        value = '<span class="none">no value</span>' if one.value is None else name(one.value)
        mark = "" if one.differs is None else f' <span class="flag {one.differs}">{one.differs} overall</span>'
        rows.append((f"{value}{mark}", track(one.estimate, mark=overall.value), share(one.estimate)))
    return f"<div>{table((text(column), '', ''), rows, 'slices')}</div>"
