"""Every error that Beholder raises on purpose.

    BeholderError
    ├── UsageError              an argument or option is wrong
    ├── MissingPackage          an optional package is needed for this
    ├── OutputExists            a file would be overwritten
    ├── OutputFailed            a file could not be written
    ├── ImageError              one image or its source cannot be used
    │   ├── SourceNotFound      no such file, folder or device
    │   ├── EmptySource         nothing there that looks like an image
    │   ├── UnreadableImage     damaged, cut short, or not an image
    │   ├── UnsupportedImage    a format that needs a plug-in, or that is refused
    │   ├── ImageTooLarge       over a limit on bytes, pixels or frames
    │   └── ImageTimeout        decoding took longer than allowed
    ├── ModelError              a model cannot be used
    │   ├── InvalidModel        the file is damaged, hostile, or breaks the contract
    │   │   └── InvalidCard     what the file says of itself breaks the schema
    │   ├── UnknownModel        no such name in the zoo
    │   └── WrongTask           the model does not do what was asked
    ├── DataError               a dataset cannot be used
    │   ├── DatasetNotFound     no such file or folder
    │   ├── NotADataset         something else, or nothing that is known
    │   ├── AmbiguousDataset    it can be read in more than one way
    │   ├── InvalidAnnotations  a file of annotations is damaged or contradicts itself
    │   ├── InvalidClasses      the classes cannot be used as they are
    │   ├── ImpossibleSplit     no split keeps every class on both sides
    │   └── RefusedCorrection   a correction cannot be made or undone
    ├── TrainingFailed          too little memory, or a loss that is no number
    └── HubError                a model or a dataset could not be fetched
        ├── Offline             the network may not be used
        └── DigestMismatch      what arrived is not what was announced

An error is one line: what must hold, what was found, what to do. `kind` names it in JSON.
"""

from __future__ import annotations

from typing import ClassVar


def one_line(text: str) -> str:
    """Text without the line breaks and control characters by which a file's name could steer a terminal."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


class BeholderError(Exception):
    """Any error that Beholder raises on purpose; its text is one line made for the person who reads it."""

    kind: ClassVar[str] = "error"


class UsageError(BeholderError):
    """An argument or option is wrong."""

    kind = "usage"


class MissingPackage(BeholderError):
    """An optional package is needed for what was asked."""

    kind = "missing_package"


class OutputExists(BeholderError):
    """A file would be overwritten."""

    kind = "output_exists"


class OutputFailed(BeholderError):
    """A file could not be written."""

    kind = "output_failed"


class ImageError(BeholderError):
    """One image, or the source it comes from, cannot be used.

    Attributes:
        source: the name of the image.
        reason: why, without the name.
    """

    kind = "image"

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(source, reason)
        self.source = source
        self.reason = reason

    def __str__(self) -> str:
        return one_line(f"{self.source}: {self.reason}")


class SourceNotFound(ImageError):
    """There is no such file, folder or device."""

    kind = "not_found"


class EmptySource(ImageError):
    """A folder, archive or pattern holds nothing that looks like an image."""

    kind = "no_images"


class UnreadableImage(ImageError):
    """The image is damaged, cut short, or not an image."""

    kind = "unreadable_image"


class UnsupportedImage(ImageError):
    """The format needs a plug-in, or is refused."""

    kind = "unsupported_image"


class ImageTooLarge(ImageError):
    """The image is over a limit on bytes, pixels or frames."""

    kind = "image_too_large"


class ImageTimeout(ImageError):
    """Decoding took longer than allowed."""

    kind = "image_timeout"


class ModelError(BeholderError):
    """A model cannot be used."""

    kind = "model"


class InvalidModel(ModelError):
    """A model file is damaged, hostile, or breaks the contract."""

    kind = "invalid_model"


class InvalidCard(InvalidModel):
    """A model card breaks its schema."""

    kind = "invalid_card"


class UnknownModel(ModelError):
    """No model of that name is in the zoo, and no such file exists."""

    kind = "unknown_model"


class WrongTask(ModelError):
    """The model does not do what was asked of it."""

    kind = "wrong_task"


class DataError(BeholderError):
    """A dataset cannot be used."""

    kind = "data"


class DatasetNotFound(DataError):
    """There is no such file or folder."""

    kind = "dataset_not_found"


class NotADataset(DataError):
    """Something else than a dataset, or nothing that is known."""

    kind = "not_a_dataset"


class AmbiguousDataset(DataError):
    """The dataset can be read in more than one way."""

    kind = "ambiguous_dataset"


class InvalidAnnotations(DataError):
    """A file of annotations is damaged or contradicts itself."""

    kind = "invalid_annotations"


class InvalidClasses(DataError):
    """The classes cannot be used as they are: one is empty, there is only one, or two have nearly the same name."""

    kind = "invalid_classes"


class ImpossibleSplit(DataError):
    """No split keeps every class on both sides."""

    kind = "impossible_split"


class RefusedCorrection(DataError):
    """A correction cannot be made or undone."""

    kind = "refused_correction"


class TrainingFailed(BeholderError):
    """A network cannot be trained so: too little memory, or a loss that is no number whatever is tried."""

    kind = "training_failed"


class HubError(BeholderError):
    """A model or a dataset could not be fetched."""

    kind = "hub"


class Offline(HubError):
    """The network may not be used."""

    kind = "offline"


class DigestMismatch(HubError):
    """What arrived is not what was announced."""

    kind = "digest_mismatch"
