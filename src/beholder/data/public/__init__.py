"""Well-known public sets by name, fetched where the network may be used, and made into a folder per split and class."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from beholder.data.public.download import fetched
from beholder.data.public.sets import PUBLIC_SETS, PublicFile, PublicSet
from beholder.data.writing import Progress, new_folder, refuse_existing
from beholder.errors import UsageError
from beholder.records import nearest

__all__ = ["PUBLIC_SETS", "PublicFile", "PublicSet", "fetch"]

_ABOUT: Final = "ABOUT.txt"


def fetch(name: str | PublicSet, out: str | Path, *, progress: Progress | None = None) -> PublicSet:
    """Fetch a public set and unpack it into a folder; what arrived before a cut is kept and not fetched again.

    Args:
        name: a name in `PUBLIC_SETS`, or a set that is not in that table.
        out: the folder to make; beside the images it holds a page on the set, with its license.
        progress: told how it goes, first in bytes of each file, then in images.

    Returns:
        What is known of the set.

    Raises:
        UsageError: no set has this name.
        OutputExists: there is something at `out`.
        Offline: the network may not be used; no connection was made.
        DigestMismatch: what arrived is not what was announced.
        HubError: it cannot be had.
        OutputFailed: it cannot be written.
    """
    found = name if isinstance(name, PublicSet) else PUBLIC_SETS.get(name.lower())
    if found is None:
        raise UsageError(f"no public set is named {name!r}; {nearest(str(name), list(PUBLIC_SETS))}")
    target = Path(out)
    refuse_existing(target)
    files = {file.name: fetched(file, found.elsewhere, progress) for file in found.files}
    with new_folder(target) as folder:
        found.unpack(files, folder, progress)
        (folder / _ABOUT).write_text(found.about(), encoding="utf-8")
    for file in files.values():
        file.unlink(missing_ok=True)  # the images are in the folder now
    return found
