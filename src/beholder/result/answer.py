"""What every result has: where it comes from, its JSON, its drawing."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from os import PathLike, fspath
from os.path import splitext
from typing import Any, ClassVar, Self

import numpy as np

from beholder.errors import BeholderError, OutputFailed, UsageError
from beholder.result import fields
from beholder.result.fields import Pixels

RESULT_SCHEMA_VERSION = 1
"""Of the JSON of results. Keys are only ever added within a version; readers ignore those they do not know."""

_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".gif": "GIF",
}
_NOTEBOOK_SIDE = 512


def check_schema(content: Mapping[str, Any]) -> None:
    """Refuse JSON of a schema version that is not known."""
    version = fields.item(content, "schema")
    if version != RESULT_SCHEMA_VERSION:
        raise UsageError(f"a result in JSON must have schema {RESULT_SCHEMA_VERSION}, found {version!r}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Result(ABC):
    """What a model says of one image. Immutable; equal to another with the same content.

    Args:
        source: name of the image: a path, `archive.zip!/member.jpg`, a URL, or what the caller called it.
        size_hw: height and width of the original, upright image, pixels. Everything in a result is in these pixels.
        model: name of the model that said it.
        frame: number of the frame, from 0, for images from a video.
        time_seconds: time of the frame from the start of the video.
        _pixels: gives the image's RGB uint8 `(h, w, 3)` when it is to be drawn. Not part of the value: it is left out
            of comparison, JSON and what goes to another process.

    Raises:
        UsageError: a field holds what it must not.
    """

    source: str
    size_hw: tuple[int, int]
    model: str
    frame: int | None = None
    time_seconds: float | None = None
    _pixels: Callable[[], Pixels] | None = dataclasses.field(default=None, repr=False, compare=False)

    task: ClassVar[str]
    """What the model was asked to do, as written in JSON."""

    def __post_init__(self) -> None:
        """Check all fields and bring them to their exact types."""
        fields.settle(
            self,
            source=fields.text(self.source, "source"),
            size_hw=fields.size_hw(self.size_hw),
            model=fields.text(self.model, "model"),
            frame=None if self.frame is None else fields.whole(self.frame, "frame"),
            time_seconds=None if self.time_seconds is None else fields.finite(self.time_seconds, "time_seconds"),
        )
        if not (self._pixels is None or callable(self._pixels)):
            raise UsageError(f"_pixels must be a function that gives the pixels, found {type(self._pixels).__name__}")
        self._check()

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON's own types. `result_from_dict` gives an equal result back."""
        moment = {"frame": self.frame, "time_seconds": self.time_seconds}
        return {
            "schema": RESULT_SCHEMA_VERSION,
            "source": self.source,
            **{key: value for key, value in moment.items() if value is not None},
            "size_hw": list(self.size_hw),
            "model": self.model,
            "task": self.task,
            **self._content(),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The result that `to_dict` of this type wrote. See `result_from_dict` for any type.

        Raises:
            UsageError: another schema version or task, or a key that is missing or holds what it must not.
        """
        check_schema(content)
        if fields.item(content, "task") != cls.task:
            raise UsageError(f"the task of a {cls.__name__} must be {cls.task!r}, found {content['task']!r}")
        return cls(
            source=fields.item(content, "source"),
            size_hw=fields.item(content, "size_hw"),
            model=fields.item(content, "model"),
            frame=content.get("frame"),
            time_seconds=content.get("time_seconds"),
            **cls._read(content),
        )

    def original(self) -> Pixels:
        """The pixels of the image itself, RGB uint8 `(h, w, 3)`, read again.

        Raises:
            UsageError: the pixels were not kept with the result, or the image has changed since.
            ImageError: the image cannot be read any more.
        """
        return self._own_pixels(None)

    def plot(self, pixels: Pixels | None = None) -> Pixels:
        """Draw the result on its image.

        Args:
            pixels: the image, RGB uint8 `(h, w, 3)` of the size `size_hw`, upright; fetched when left out.

        Returns:
            A drawn copy of the same size.

        Raises:
            UsageError: the pixels were not kept, or are not those of this image.
        """
        return self._draw(self._own_pixels(pixels))

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Draw the result on its image and write that as an image file.

        Args:
            path: where to; the suffix says the format.
            overwrite: whether an existing file may be replaced.

        Raises:
            UsageError: no image format has this suffix, or the pixels were not kept.
            OutputExists: the file exists and `overwrite` is false.
            OutputFailed: the file cannot be written, or the format cannot hold an image of this size.
        """
        from beholder.files import write_atomic
        from beholder.result.drawing import encode

        file_format = _FORMATS.get(splitext(fspath(path))[1].lower())
        if file_format is None:
            raise UsageError(f"{path}: a drawing must be saved as one of {', '.join(_FORMATS)}")
        drawn = self.plot()
        try:
            data = encode(drawn, file_format)
        except (OSError, ValueError) as error:
            raise OutputFailed(f"{path}: cannot be written as {file_format}: {error}; save it as .png") from error
        with write_atomic(path, overwrite=overwrite) as stream:
            stream.write(data)

    def __eq__(self, other: object) -> bool:
        return fields.same(self, other) if isinstance(other, Result) and type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), self.source, self.size_hw, self.model, self.frame))

    def __str__(self) -> str:
        moment = "" if self.frame is None else f" frame {self.frame}"
        if self.time_seconds is not None:
            moment += f" at {self.time_seconds:.2f} s"
        return f"{self.source}{moment}: {self._summary()}"

    def __reduce__(self) -> tuple[Callable[[], Self], tuple[()]]:
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.compare}
        return partial(type(self), **values), ()

    def _repr_png_(self) -> bytes | None:
        """The drawing, for a notebook; none when the pixels cannot be had."""
        from beholder.result.drawing import encode

        if self._pixels is None:
            return None
        try:
            return encode(self.plot(), "PNG", longer_side=_NOTEBOOK_SIDE)
        except (BeholderError, OSError):  # the file has gone or changed; the notebook shows the text instead
            return None

    def _own_pixels(self, pixels: Pixels | None) -> Pixels:
        if pixels is None and self._pixels is None:
            raise UsageError(f"{self.source}: the pixels were not kept with this result; pass them: plot(pixels=…)")
        found = np.asarray(self._pixels() if pixels is None and self._pixels is not None else pixels)
        if found.dtype != np.uint8 or found.shape != (*self.size_hw, 3):
            expected = f"uint8 ({self.size_hw[0]}, {self.size_hw[1]}, 3)"
            raise UsageError(
                f"{self.source}: the pixels must be {expected}, upright RGB, found {found.dtype} {found.shape}"
            )
        return found

    @abstractmethod
    def _check(self) -> None:
        """Check the fields of the concrete type, bring them to their exact types."""

    @abstractmethod
    def _content(self) -> dict[str, Any]:
        """The keys in JSON of the concrete type."""

    @classmethod
    @abstractmethod
    def _read(cls, content: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of the concrete type from what `_content` wrote."""

    @abstractmethod
    def _draw(self, pixels: Pixels) -> Pixels:
        """A drawn copy of the pixels, which have the right size."""

    @abstractmethod
    def _summary(self) -> str:
        """What it says, in one line."""
