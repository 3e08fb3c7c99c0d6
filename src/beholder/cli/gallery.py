"""A page of images and what was said of them, which works without a network and without Beholder."""

from __future__ import annotations

import html
import os
import secrets
import shutil
from pathlib import Path
from string import Template
from types import TracebackType
from typing import TYPE_CHECKING, Final, NamedTuple, Self, TextIO

import PIL.Image

from beholder.cli.headline import headline
from beholder.errors import ImageError, OutputExists, OutputFailed, UsageError
from beholder.image import Isolation, Limits, Reader, expand
from beholder.result import Classification, Embedding, ImageFailure, Label, Result
from beholder.result.pages import page_template

if TYPE_CHECKING:
    from beholder.model import ModelCard

_THUMBNAIL_SIDE: Final = 480
_PLAIN: Final = (Classification, Embedding)
"""Results that say nothing about places in the image, so that it is shown as it is."""

_METRICS: Final = {"top1": "top-1", "top5": "top-5"}
_MARK: Final = '<meta name="generator" content="beholder gallery">'
_TEMPLATE: Final = Path(__file__).with_name("gallery.html")


class Gallery:
    """Writes a folder with `index.html` and thumbnails, an image at a time; nothing is left behind when it fails.

    Args:
        folder: to be made; must not exist, or be empty, or be an earlier gallery that `overwrite` allows to replace.
        card: of the model that answers.
        overwrite: whether an earlier gallery may be replaced.
        title: the page's heading.
        lead: a sentence under it.
        limits: what reading an image again for its thumbnail may cost.
        isolation: which images are read again in a worker.

    Raises:
        OutputExists: the folder holds something else.
        OutputFailed: it cannot be written.
    """

    def __init__(
        self,
        folder: str,
        card: ModelCard,
        *,
        overwrite: bool = False,
        title: str | None = None,
        lead: str | None = None,
        limits: Limits | None = None,
        isolation: Isolation = "auto",
    ) -> None:
        self._folder = Path(folder)
        self._card = card
        self._title = title or f"What {card.name} sees"
        self._lead = lead or card.description
        self._overwrite = overwrite
        self._count = 0
        self._reader = Reader(limits, isolation)
        _check_place(self._folder, overwrite)
        self._building = self._folder.with_name(f".{self._folder.name}.{secrets.token_hex(4)}.part")
        self._page: TextIO

    def __enter__(self) -> Self:
        try:
            (self._building / "images").mkdir(parents=True)
            self._page = (self._building / "index.html").open("w", encoding="utf-8")
        except OSError as error:
            raise OutputFailed(f"{self._folder}: cannot be written: {error.strerror or error}") from None
        head, self._tail = page_template(_TEMPLATE).split("$items")
        values = {"title": html.escape(self._title), "lead": html.escape(self._lead)}
        self._page.write(Template(head).substitute(values))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._page.write(Template(self._tail).substitute(about=_about(self._card)))
                self._page.close()
                self._move_into_place()
        except OSError as failure:
            raise OutputFailed(f"{self._folder}: cannot be written: {failure.strerror or failure}") from None
        finally:
            self._reader.close()
            self._page.close()
            shutil.rmtree(self._building, ignore_errors=True)

    def add(self, answer: Result | ImageFailure) -> None:
        """Add an image with what was said of it."""
        self._count += 1
        try:
            self._page.write(self._item(answer))
        except OSError as error:
            raise OutputFailed(f"{self._folder}: cannot be written: {error.strerror or error}") from None

    def _item(self, answer: Result | ImageFailure) -> str:
        name = _short(answer.source) if answer.frame is None else f"{_short(answer.source)} · frame {answer.frame}"
        if isinstance(answer, ImageFailure):
            said = _Said("failed", "could not be read", answer.message, 0.0)
        else:
            said = _said(answer)
        picture = None if isinstance(answer, ImageFailure) else self._thumbnail(answer)
        return _item_html(self._count, said, picture, not isinstance(answer, _PLAIN), name, answer.source)

    def _thumbnail(self, answer: Result) -> str | None:
        """Write the image, drawn on where that says more than words, as a small JPEG; its name on the page."""
        try:
            image = self._small(answer) if isinstance(answer, _PLAIN) else PIL.Image.fromarray(answer.plot())
        except (ImageError, UsageError):  # the file has gone or changed since it was answered
            return None
        image.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
        name = f"images/{self._count:06}.jpg"
        image.save(self._building / name, quality=82)
        return name

    def _small(self, answer: Result) -> PIL.Image.Image:
        """The image, decoded no larger than a thumbnail needs where its file is at hand."""
        if answer.frame is None and os.path.isfile(answer.source):
            (found,) = expand(answer.source, self._reader.limits)
            image = self._reader.read(found.load(), found.name, _needed_scale)
            if image.size_hw == answer.size_hw:
                return image.pil.copy()
        return PIL.Image.fromarray(answer.original())

    def _move_into_place(self) -> None:
        if self._folder.exists() and self._overwrite:
            shutil.rmtree(self._folder / "images", ignore_errors=True)
            (self._folder / "index.html").unlink(missing_ok=True)
        if self._folder.exists():
            for part in sorted(self._building.iterdir()):
                os.replace(part, self._folder / part.name)
        else:
            os.replace(self._building, self._folder)


def _check_place(folder: Path, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise OutputExists(f"{folder}: is a file; name a new folder for the report")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    index = folder / "index.html"
    is_gallery = index.is_file() and _MARK in index.read_text(encoding="utf-8", errors="replace")[:2000]
    if not is_gallery:
        raise OutputExists(f"{folder}: holds other files; name a new folder for the report")
    if not overwrite:
        raise OutputExists(f"{folder}: holds an earlier report; choose another name or pass --force")


def _short(source: str) -> str:
    """The last two parts of a path: enough to know a file by."""
    return "/".join(source.replace("\\", "/").split("/")[-2:])


def _needed_scale(size_hw: tuple[int, int]) -> float:
    """Twice the thumbnail, so that the rest of the way is a clean reduction."""
    return min(1.0, 2 * _THUMBNAIL_SIDE / max(size_hw))


class _Said(NamedTuple):
    """What the page says of one image, all of it plain text.

    Attributes:
        kind: class of the item in the page's style.
        headline: what is said first.
        note: a line under it.
        confidence: what the order by sureness goes by: the confidence of what is said first.
        bars: labels with their confidences.
    """

    kind: str
    headline: str
    note: str
    confidence: float
    bars: tuple[Label, ...] = ()


def _said(answer: Result) -> _Said:
    if not isinstance(answer, Classification):
        return _Said("", str(answer).split(": ", 1)[-1], "", 1.0)
    first = headline(answer)
    kind = "" if first.kind in ("label", "accepted") else "broad"
    return _Said(kind, first.text, first.note, first.confidence, answer.labels[:5])


def _item_html(order: int, said: _Said, picture: str | None, is_drawn: bool, name: str, source: str) -> str:
    """The HTML of one image. Whatever comes from a file, a model or a person is escaped here and nowhere else."""
    plain = {**said._asdict(), "alt": f"{said.headline}; {said.note}" if said.note else said.headline}
    text = {key: html.escape(value) for key, value in plain.items() if isinstance(value, str)}
    whole = ' class="whole"' if is_drawn else ""
    bars = "".join(_bar(label.name, label.confidence) for label in said.bars)
    parts = (
        f'<li class="{text["kind"]}" data-order="{order}" data-confidence="{said.confidence}" '
        f'data-label="{text["headline"]}">',
        f'<img src="{picture}" alt="{text["alt"]}" loading="lazy"{whole}>' if picture else "",
        f'<div class="body"><p class="answer">{text["headline"]}</p>',
        f'<p class="note">{text["note"]}</p>' if said.note else "",
        f"<dl>{bars}</dl>" if bars else "",
        f'<p class="file"><span title="{html.escape(source)}">{html.escape(name)}</span></p></div></li>\n',
    )
    return "".join(parts)


def _bar(name: str, confidence: float) -> str:
    percent = f"{confidence:.0%}" if confidence >= 0.01 else "<1%"
    return (
        f'<dt title="{html.escape(name)}">{html.escape(name)}</dt>'
        f'<dd class="bar"><i style="width:{confidence * 100:.1f}%"></i></dd>'
        f'<dd class="value">{html.escape(percent)}</dd>'
    )


def _about(card: ModelCard) -> str:
    """What a reader should know of the model: what it knows, how good it is said to be, whose weights these are."""
    facts = list(card.provenance.notes)
    if card.sure_from is not None:
        facts.append(
            f"Below a confidence of {card.sure_from:.0%} the page gives a group, such as cat or vehicle, "
            "in place of the exact label."
        )
    facts += [
        f"{_METRICS.get(measure.metric, measure.metric)} {measure.value:.1%} on {measure.dataset}, "
        f"{measure.origin} by {measure.by}."
        for measure in card.evaluation
    ]
    if card.provenance.weights_license:
        facts.append(f"Licence of the weights: {card.provenance.weights_license}.")
    items = "".join(f"<li>{html.escape(fact)}</li>" for fact in facts)
    return f"<h2>About {html.escape(card.name)}</h2><ul>{items}</ul>"
