"""An image in: from a path, bytes, a file object, an array, a folder, an archive, a video or a camera."""

from beholder.image.input import Input
from beholder.image.limits import Limits
from beholder.image.metadata import Location, Metadata
from beholder.image.reader import Image, Isolation, Reader, read
from beholder.image.sources import expand

__all__ = ["Image", "Input", "Isolation", "Limits", "Location", "Metadata", "Reader", "expand", "read"]
