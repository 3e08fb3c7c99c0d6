"""A table with a path and labels in each row, as CSV or TSV with a header.

    path,label,split            path,labels                 path,cat,dog
    a.jpg,cat,train             a.jpg,cat|dog               a.jpg,1,0
    b.jpg,dog,test              b.jpg,                      b.jpg,0,0

Paths are relative to the table. Several labels stand in one cell with `|` or `;` between them, or in a column each,
with 0 and 1. An empty cell means that nobody has said; zeros mean that no class applies. Any other column is metadata.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Final

from beholder.data.formats.columns import NO, YES, Columns, find_columns, path_column
from beholder.data.formats.format import Claim, Format, Options
from beholder.data.formats.locating import Locator, is_there, name_below
from beholder.data.formats.writing_table import write_table
from beholder.data.listing import counted, look, natural
from beholder.data.sample import SPLIT_NAMES, Dataset, Sample, Split
from beholder.errors import DatasetNotFound, InvalidAnnotations, UsageError

_SUFFIXES: Final = (".csv", ".tsv")
_DELIMITERS: Final = (",", "\t", ";", "|")
_MARKS: Final = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"), (codecs.BOM_UTF8, "utf-8-sig"))
_TRIED_ROWS: Final = 50

Row = tuple[int, list[str]]
"""The line that a row ends on, and its cells."""


def _detect(path: Path, options: Options) -> list[Claim]:
    if path.is_file():
        return [Claim(path, path.name, certain=True)] if path.suffix.lower() in _SUFFIXES else []
    if not path.is_dir():
        return []
    found = (path / name for name in look(path).files if name.lower().endswith(_SUFFIXES))
    return [claim for file in found if (claim := _claim(file, options)) is not None]


def _claim(file: Path, options: Options) -> Claim | None:
    """Of a table that lies in a folder among other files: whether it names images there, and labels them."""
    try:
        with _opened(file) as (header, rows):
            number = path_column(header)
            if number is None:
                return None
            names = [cells[number] for _, cells in islice(rows, _TRIED_ROWS)]
        folder = Locator.of(file, names, options).folder
        if not any(is_there(folder, name) for name in names):
            return None
        find_columns(header, options.label, _binary_columns(file, _TRIED_ROWS), str(file))
    except InvalidAnnotations as error:
        return Claim(file, f"{file.name} ({str(error).removeprefix(f'{file}: ')})", certain=False)
    except UsageError:  # another table may have the column that was chosen
        return None
    return Claim(file, file.name, certain=True)


def _read(path: Path, options: Options) -> Dataset:
    if not path.is_file():
        raise DatasetNotFound(f"{path}: a table must be a file, found a folder; name the file in it")
    with _opened(path) as (header, rows):
        binary = [] if options.label else _binary_columns(path, None)
        columns = find_columns(header, options.label, binary, str(path))
        first = [cells[columns.path] for _, cells in islice(rows, _TRIED_ROWS)]
    reading = _Reading(path, columns, Locator.of(path, first, options))
    with _opened(path) as (_, rows):
        for line, cells in rows:
            reading.add(line, cells)
    notes = [f"read as a table: {columns.says()}", *reading.locator.notes(), *reading.notes()]
    if not reading.samples:
        raise InvalidAnnotations(f"{path}: must have a row for each image, found none")
    return Dataset.of(
        reading.samples.values(),
        root=reading.locator.folder,
        source=path,
        format="csv",
        view=options.label or "",
        multi_label=reading.several,
        notes=notes,
        missing=tuple(reading.locator.missing),
    )


@dataclass
class _Reading:
    """A table that is being read, row by row."""

    file: Path
    columns: Columns
    locator: Locator
    samples: dict[str, Sample] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    repeated: int = 0
    unlabelled: int = 0
    several: bool = False

    def add(self, line: int, cells: list[str]) -> None:
        """Read one row."""
        named = cells[self.columns.path].strip()
        if not named:
            raise InvalidAnnotations(f"{self.file}, line {line}: must name an image, found an empty cell")
        path = self.locator.path_of(named)
        if path is None:
            return
        labels, negative = self._labels(line, cells)
        name = name_below(self.locator.folder, path)
        header = self.columns.header
        metadata = {header[number]: cells[number] for number in self.columns.metadata}
        sample = Sample(path, name, labels, self._split(line, cells), metadata, negative)
        if name in self.samples:
            self._check_repeated(line, sample)
            return
        self.several = self.several or len(labels) > 1 or negative
        self.unlabelled += not sample.labelled
        self.samples[name] = sample
        self.lines[name] = line

    def notes(self) -> Iterator[str]:
        """What to say about the rows."""
        if self.unlabelled:
            yield f"{counted(self.unlabelled, 'image')} without a label"
        if self.repeated:
            yield f"{counted(self.repeated, 'row')} repeated and counted once"

    def _labels(self, line: int, cells: Sequence[str]) -> tuple[tuple[str, ...], bool]:
        """The labels of a row, and whether it says that none applies."""
        if not self.columns.one_hot:
            found = {label for number in self.columns.labels for label in _parts(cells[number])}
            return tuple(sorted(found, key=natural)), False
        chosen: set[str] = set()
        said = 0
        for number in self.columns.one_hot:
            cell = cells[number].strip().lower()
            said += bool(cell)
            if cell in YES:
                chosen.add(self.columns.header[number])
        if said not in (0, len(self.columns.one_hot)):
            raise InvalidAnnotations(f"{self.file}, line {line}: must have 0 or 1 for every class, found an empty cell")
        return tuple(sorted(chosen, key=natural)), bool(said) and not chosen

    def _split(self, line: int, cells: Sequence[str]) -> Split | None:
        if self.columns.split is None:
            return None
        cell = cells[self.columns.split].strip()
        if cell and cell.lower() not in SPLIT_NAMES:
            raise InvalidAnnotations(
                f"{self.file}, line {line}: a split must be train, validation or test, found {cell[:40]!r}; "
                "correct it, or give the column another name"
            )
        return SPLIT_NAMES[cell.lower()] if cell else None

    def _check_repeated(self, line: int, sample: Sample) -> None:
        """Refuse a second row for an image unless it says the same."""
        other, first = self.samples[sample.name], self.lines[sample.name]
        self.repeated += 1
        if (other.labels, other.negative) != (sample.labels, sample.negative):
            raise InvalidAnnotations(
                f"{self.file}, line {line}: {sample.name} is {_said(sample)} here, but {_said(other)} on line {first}; "
                "remove one, or write several labels in one cell with | between them"
            )
        if other.split != sample.split:
            raise InvalidAnnotations(
                f"{self.file}, line {line}: {sample.name} must be in one split, found {sample.split} here and "
                f"{other.split} on line {first}"
            )


def _said(sample: Sample) -> str:
    return repr("|".join(sample.labels)) if sample.labels else "not labelled"


def _parts(cell: str) -> list[str]:
    """The labels in a cell. One that stands alone is kept as it is written, so that a stray space is not overlooked."""
    if "|" in cell or ";" in cell:
        return [part.strip() for part in cell.replace(";", "|").split("|") if part.strip()]
    return [cell] if cell.strip() else []


def _binary_columns(path: Path, most: int | None) -> list[int]:
    """Columns with nothing but 0 and 1 in them, or nothing at all in some rows; `most` limits the rows looked at."""
    with _opened(path) as (header, rows):
        candidates = set(range(len(header)))
        seen: set[int] = set()
        for _, cells in islice(rows, most):
            for number in list(candidates):
                cell = cells[number].strip().lower()
                if cell in YES or cell in NO:
                    seen.add(number)
                elif cell:
                    candidates.discard(number)
            if not candidates:
                break
    return sorted(candidates & seen)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[list[str], Iterator[Row]]]:
    """Open a table: its header, and its rows with the line that each ends on.

    Raises:
        InvalidAnnotations: it cannot be read; also while the rows are.
    """
    try:
        with open(path, encoding=_encoding(path), newline="") as stream:
            delimiter = _delimiter(stream, path)
            reader = csv.reader(stream, delimiter=delimiter, skipinitialspace=True, strict=True)
            try:
                header = next(reader, [])
                if not any(cell.strip() for cell in header):
                    raise InvalidAnnotations(f"{path}: must begin with a header, found an empty line")
                yield header, _rows(reader, len(header), path)
            except csv.Error as error:
                raise InvalidAnnotations(f"{path}, line {reader.line_num}: not a table: {error}") from None
            except UnicodeDecodeError:
                line = reader.line_num + 1
                raise InvalidAnnotations(f"{path}, about line {line}: must be UTF-8; save it as CSV UTF-8") from None
    except OSError as error:
        raise InvalidAnnotations(f"{path}: cannot be read: {error.strerror or error}") from None


def _rows(reader: Iterator[list[str]], width: int, path: Path) -> Iterator[Row]:
    for cells in reader:
        if not any(cells):
            continue
        line: int = getattr(reader, "line_num", 0)
        if len(cells) != width:
            raise InvalidAnnotations(
                f"{path}, line {line}: must have {width} cells as the header has, found {len(cells)}"
            )
        yield line, cells


def _encoding(path: Path) -> str:
    with open(path, "rb") as stream:
        head = stream.read(4)
    return next((encoding for mark, encoding in _MARKS if head.startswith(mark)), "utf-8")


def _delimiter(stream: IO[str], path: Path) -> str:
    """What stands between the cells of the header most often; a tab in a file that is named so."""
    try:
        line = stream.readline(2**16)
    except UnicodeDecodeError:
        raise InvalidAnnotations(f"{path}, line 1: must be UTF-8; save it as CSV UTF-8") from None
    stream.seek(0)
    if path.suffix.lower() == ".tsv":
        return "\t"
    return max(_DELIMITERS, key=line.count)


FORMAT: Final = Format("csv", "a table of paths and labels, CSV or TSV", _detect, _read, write_table)
