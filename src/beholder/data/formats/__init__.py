"""Every format that datasets are read in and written as: one entry here, and one file.

A format says what it finds at a place, reads it, and may write it; see `Format`. Adding one is a file with the same
small form, and its entry.
"""

from typing import Final

from beholder.data.formats import coco, folder, idx, pattern, table
from beholder.data.formats.format import Claim, Format, Options, Writing

FORMATS: Final[dict[str, Format]] = {
    form.name: form for form in (folder.FORMAT, table.FORMAT, coco.FORMAT, pattern.FORMAT, idx.FORMAT)
}

__all__ = ["FORMATS", "Claim", "Format", "Options", "Writing"]
