"""Corrections applied to a dataset that has just been read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import cast

from beholder.data.contents import ContentCache
from beholder.data.corrections import AUDIT, Change, Correction, CorrectionLog
from beholder.data.listing import counted, natural, some
from beholder.data.sample import Dataset, Sample, Split

_PAST = {
    "relabel": "relabelled",
    "exclude": "excluded",
    "include": "included again",
    "move": "moved to another split",
    "merge": "merged",
    "rename": "renamed",
}


def corrected(dataset: Dataset, contents: ContentCache | None = None) -> Dataset:
    """Apply the log of a dataset, if there is one; the notes say what was done, and what no longer fits.

    Args:
        dataset: as it was read, without corrections.
        contents: the cache that knows the digests of files; None for the person's own.

    Raises:
        DataError: the log cannot be read.
    """
    log = CorrectionLog.of(dataset)
    if not log.path.exists():
        return dataset
    content = log.read()
    entries = content.effective()
    dataset = dataset.with_notes(*content.notes)
    if not entries:
        return dataset
    if contents is not None:
        return apply(dataset, entries, contents)
    with ContentCache() as own:
        return apply(dataset, entries, own)


def apply(dataset: Dataset, entries: Sequence[Correction], contents: ContentCache) -> Dataset:
    """Apply corrections in their order.

    Args:
        dataset: what to correct.
        entries: those that hold (`LogContent.effective`).
        contents: the cache that knows the digests of files.
    """
    state = _State(dataset.everything(), contents)
    applied: Counter[str] = Counter()
    misfits: list[str] = []
    for entry in entries:
        misfit = state.apply(entry)
        if misfit is None:
            applied[entry.change.what] += 1
        else:
            misfits.append(f"{entry.id} ({misfit})")
    notes = []
    if applied:
        parts = ", ".join(f"{count:,} {_PAST[what]}" for what, count in applied.items())
        notes.append(f"{counted(sum(applied.values()), 'correction')} applied: {parts}")
    if state.proposed:
        notes.append(_of_audit(state.proposed))
    if misfits:
        notes.append(f"{counted(len(misfits), 'correction')} no longer fit and were left out: {some(misfits)}")
    return dataset.regathered(state.remaining(), notes)


def _of_audit(count: int) -> str:
    labels, those = ("1 label is", "it") if count == 1 else (f"{count:,} labels are", "them")
    said = f"{labels} what an audit proposed, not what a person said"
    return f"{said}: numbers measured on {those} count {those} as right"


class _State:
    """A dataset while it is corrected."""

    def __init__(self, samples: Iterable[Sample], contents: ContentCache) -> None:
        self._samples = {sample.name: sample for sample in samples}
        self._excluded: set[str] = set()
        self._proposed: set[str] = set()
        self._contents = contents
        self._names_of: dict[str, list[str]] | None = None

    def remaining(self) -> list[Sample]:
        """What is left, corrected."""
        return [sample for name, sample in self._samples.items() if name not in self._excluded]

    @property
    def proposed(self) -> int:
        """How many of what is left have labels that an audit proposed."""
        return len(self._proposed - self._excluded)

    def apply(self, entry: Correction) -> str | None:
        """Make one correction; says why where it does not fit."""
        change = entry.change
        if change.name is None:
            return self._rename_classes(change)
        found = self._find(change)
        if found is None:
            return f"{change.name} is gone or has changed"
        if change.what == "exclude":
            self._excluded.add(found.name)
        elif change.what == "include":
            self._excluded.discard(found.name)
        elif change.what == "relabel":
            return self._relabel(found, entry)
        else:
            return self._move(found, change)
        return None

    def _relabel(self, sample: Sample, entry: Correction) -> str | None:
        change = entry.change
        if sorted(sample.said) not in (sorted(change.before), sorted(change.after)):
            return f"{sample.name} is labelled {', '.join(sample.said) or 'nothing'} now"
        labels = tuple(sorted(change.after, key=natural))
        self._samples[sample.name] = replace(sample, labels=labels, negative=False)
        (self._proposed.add if entry.by.startswith(AUDIT) else self._proposed.discard)(sample.name)
        return None

    def _move(self, sample: Sample, change: Change) -> str | None:
        now = (sample.split,) if sample.split else ()
        if now not in (change.before, change.after):
            return f"{sample.name} is in {sample.split or 'no split'} now"
        self._samples[sample.name] = replace(sample, split=cast(Split, change.after[0]) if change.after else None)
        return None

    def _rename_classes(self, change: Change) -> str | None:
        ending, (into,) = set(change.before), change.after
        changed = 0
        for name, sample in self._samples.items():
            if not ending.isdisjoint(sample.labels):
                labels = {into if label in ending else label for label in sample.labels}
                self._samples[name] = replace(sample, labels=tuple(sorted(labels, key=natural)))
                changed += 1
        return None if changed else f"no image is labelled {some(sorted(ending))} now"

    def _find(self, change: Change) -> Sample | None:
        """The image of a change: of its name and content, or the only one of its content."""
        named = self._samples.get(change.name or "")
        if named is not None and self._contents.digests([named.path])[0] == change.digest:
            return named
        if self._names_of is None:
            self._names_of = {}
            paths = [sample.path for sample in self._samples.values()]
            for name, digest in zip(self._samples, self._contents.digests(paths), strict=True):
                self._names_of.setdefault(digest or "", []).append(name)
        names = self._names_of.get(change.digest or "", [])
        return self._samples[names[0]] if len(names) == 1 else None
