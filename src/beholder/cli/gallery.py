"""A page of images and what was said of them, which works without a network and without Beholder."""

from __future__ import annotations

import html
import os
import secrets
import shutil
from pathlib import Path
from string import Template
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TextIO

import PIL.Image

from beholder.errors import ImageError, OutputExists, OutputFailed
from beholder.result import Classification, Embedding, ImageFailure, Result

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from beholder.model import ModelCard

_THUMBNAIL_SIDE: Final = 480
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
    ) -> None:
        self._folder = Path(folder)
        self._card = card
        self._title = title or f"What {card.name} sees"
        self._lead = lead or card.description
        self._overwrite = overwrite
        self._count = 0
        _check_place(self._folder, overwrite)
        self._building = self._folder.with_name(f".{self._folder.name}.{secrets.token_hex(4)}.part")
        self._page: TextIO

    def __enter__(self) -> Self:
        try:
            (self._building / "images").mkdir(parents=True)
            self._page = (self._building / "index.html").open("w", encoding="utf-8")
        except OSError as error:
            raise OutputFailed(f"{self._folder}: cannot be written: {error.strerror or error}") from None
        head, self._tail = _TEMPLATE.read_text(encoding="utf-8").split("$items")
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
        source = f'<span title="{html.escape(answer.source)}">{html.escape(name)}</span>'
        if isinstance(answer, ImageFailure):
            message = html.escape(answer.message)
            return _card_html(self._count, "failed", "", "could not be read", message, "", source, 0.0)
        picture = self._thumbnail(answer)
        if not isinstance(answer, Classification):
            said = html.escape(str(answer).split(": ", 1)[-1])
            return _card_html(self._count, "", picture, said, "", "", source, 1.0)
        bars = "".join(_bar(label.name, label.confidence) for label in answer.labels[:5])
        kind, headline, note = _headline(answer, self._card.sure_from)
        return _card_html(self._count, kind, picture, html.escape(headline), note, bars, source, answer.confidence)

    def _thumbnail(self, answer: Result) -> str:
        """The image, drawn on where that says more than words, as a small JPEG; its `img` element."""
        try:
            plain = isinstance(answer, Classification | Embedding)
            image = PIL.Image.fromarray(_pixels(answer) if plain else answer.plot())
        except ImageError:  # the file has gone since it was answered
            return ""
        image.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
        name = f"images/{self._count:06}.jpg"
        image.save(self._building / name, quality=82)
        whole = "" if plain else ' class="whole"'
        return f'<img src="{name}" alt="" loading="lazy"{whole}>'

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


def _pixels(answer: Result) -> NDArray[np.uint8]:
    return answer.original()


def _short(source: str) -> str:
    """The last two parts of a path: enough to know a file by."""
    return "/".join(source.replace("\\", "/").split("/")[-2:])


def _headline(answer: Classification, sure_from: float | None) -> tuple[str, str, str]:
    """The kind of a card, what it says first, and a note under it."""
    if answer.unknown:
        return "broad", "unknown", "unlike anything the model was taught"
    if answer.accepted is not None:
        return "", ", ".join(answer.accepted) or "none of the labels", ""
    if answer.group is None:
        return "", answer.label, ""
    if sure_from is not None and answer.group.confidence < sure_from:
        return "broad", "not sure", f"perhaps {html.escape(answer.group.name)}, {answer.group.confidence:.0%}"
    return "broad", answer.group.name, f"{answer.group.confidence:.0%} together; not sure which one"


def _bar(name: str, confidence: float) -> str:
    percent = f"{confidence:.0%}" if confidence >= 0.01 else "<1%"
    return (
        f'<dt title="{html.escape(name)}">{html.escape(name)}</dt>'
        f'<dd class="bar"><i style="width:{confidence * 100:.1f}%"></i></dd>'
        f'<dd class="value">{html.escape(percent)}</dd>'
    )


def _card_html(
    order: int, kind: str, picture: str, headline: str, note: str, bars: str, source: str, confidence: float
) -> str:
    return (
        f'<li class="{kind}" data-order="{order}" data-confidence="{confidence}" data-label="{headline}">{picture}'
        f'<div class="body"><p class="answer">{headline}</p>'
        + (f'<p class="note">{note}</p>' if note else "")
        + (f"<dl>{bars}</dl>" if bars else "")
        + f'<p class="file">{source}</p></div></li>\n'
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
        f"{measure.metric} {measure.value:.1%} on {measure.dataset}, {measure.origin} by {measure.by}."
        for measure in card.evaluation
    ]
    if card.provenance.weights_license:
        facts.append(f"Licence of the weights: {card.provenance.weights_license}.")
    items = "".join(f"<li>{html.escape(fact)}</li>" for fact in facts)
    return f"<h2>About {html.escape(card.name)}</h2><ul>{items}</ul>"
