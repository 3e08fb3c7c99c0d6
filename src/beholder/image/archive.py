"""Images in zip and tar archives, read in memory and never unpacked."""

from __future__ import annotations

import os
import re
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Self

from beholder.errors import EmptySource, ImageError, ImageTooLarge, UnreadableImage
from beholder.image.formats import IGNORED_FOLDERS, reason_of, suffix_names_image
from beholder.image.input import Input, LeftOut, Note, failing, loaded, read_stream, refuse_by_name
from beholder.image.limits import Limits, raise_it

Members = Iterator[tuple[str, Input | None]]
"""Names of members, each with its input, or None where the name is not that of an image."""


def begins_as_archive(head: bytes) -> bool:
    """Whether data begins as a zip or a tar, compressed or not; wants 262 bytes."""
    return head.startswith((b"PK", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")) or head[257:262] == b"ustar"


def archive_inputs(archive: str | BytesIO, name: str, limits: Limits, note: Note) -> Iterator[Input]:
    """The images in an archive, in its order.

    Args:
        archive: a path, or the archive itself.
        name: what its members are named after: `name!/member`.
        limits: what a member may cost, and how many there may be.
        note: told which members were left out.
    """
    count = 0
    left_out = LeftOut()
    try:
        members = _zip_members if _is_zip(archive) else _tar_members
        for index, (member, found) in enumerate(members(archive, name, limits)):
            if index >= limits.max_members:
                reason = f"more than the {limits.max_members:,} members allowed; {raise_it('max_members')}"
                yield failing(ImageTooLarge(name, reason))
                return
            if found is not None:
                count += 1
                yield found
            else:
                left_out.add(member)
    except Exception as error:  # zipfile, tarfile and their decompressors raise nearly anything on damage
        yield failing(UnreadableImage(name, f"not a readable archive: {reason_of(error)}; copy it again"))
        return
    if count:
        left_out.tell(note, name)
    else:
        yield failing(EmptySource(name, f"no images in this archive{left_out.found_only()}"))


def _is_zip(archive: str | BytesIO) -> bool:
    """By its first bytes; a zip may also follow a program, but a tar may end with a zip."""
    if isinstance(archive, BytesIO):
        return archive.getvalue().startswith(b"PK")
    with open(archive, "rb") as stream:
        head = stream.read(2)
    return head == b"PK" or (archive.lower().endswith(".zip") and zipfile.is_zipfile(archive))


def _zip_members(archive: str | BytesIO, name: str, limits: Limits) -> Members:
    opened = zipfile.ZipFile(archive)  # stays open for the inputs that read from it, and closes with the last one
    for info in opened.infolist():
        member = info.filename
        if info.is_dir() or _is_hidden(member):
            continue
        full_name = f"{name}!/{member}"
        if _is_unsafe(member):
            yield member, failing(UnreadableImage(full_name, "refused: its name points outside the archive"))
        elif not suffix_names_image(member):
            yield member, None
        else:
            yield member, Input(full_name, _ZipMember(opened, info, full_name, limits))


@dataclass(frozen=True, slots=True)
class _ZipMember:
    archive: zipfile.ZipFile
    info: zipfile.ZipInfo
    name: str
    limits: Limits

    def __call__(self) -> bytes:
        refuse_by_name(self.name)
        if self.info.flag_bits & 1:
            raise UnreadableImage(self.name, "encrypted; unpack the archive with its password first")
        if self.info.file_size > self.limits.max_bytes:
            raise _too_large(self.name, self.info.file_size, self.limits)
        try:
            with self.archive.open(self.info) as stream:
                return read_stream(stream, self.name, self.limits)
        except ImageError:
            raise
        except Exception as error:  # as above
            raise UnreadableImage(self.name, f"damaged in its archive: {reason_of(error)}") from None


class _StrictHeader(tarfile.TarInfo):
    """Makes an error of a damaged header inside an archive, where `tarfile` would take it for the end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read a header."""
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if not any(buf):  # the end of an archive is a block of zeros, or nothing
                raise
            raise tarfile.ReadError(f"damaged in the middle: {error}") from None


def _tar_members(archive: str | BytesIO, name: str, limits: Limits) -> Members:
    """Members read at once, because a compressed tar can only be read forward; damage ends it."""
    path, stream = (archive, None) if isinstance(archive, str) else (None, archive)
    try:
        opened = tarfile.open(path, fileobj=stream, tarinfo=_StrictHeader)  # noqa: SIM115 - closed below
    except tarfile.ReadError:
        raise tarfile.ReadError("neither a zip nor a tar, or damaged from its start") from None
    with opened:
        for info in opened:
            member = os.path.normpath(info.name) if info.name.startswith("./") else info.name
            if info.isdir() or _is_hidden(member):
                continue
            full_name = f"{name}!/{member}"
            if _is_unsafe(member) or not info.isfile():
                reason = "refused: a link or device, or a name that points outside the archive"
                yield member, failing(UnreadableImage(full_name, reason))
            elif info.size > limits.max_bytes:  # passing over it would mean to decompress it
                error = _too_large(full_name, info.size, limits, " and the archive was not read on")
                yield member, failing(error)
                return
            elif not suffix_names_image(member):
                yield member, None
            else:
                yield member, _tar_member(opened, info, full_name)


def _tar_member(opened: tarfile.TarFile, info: tarfile.TarInfo, name: str) -> Input:
    try:
        refuse_by_name(name)
    except ImageError as error:
        return failing(error)
    stream = opened.extractfile(info)  # kept while the input is, because nothing could read it again at its place
    return loaded(name, stream.read() if stream is not None else b"")


def _too_large(name: str, size: int, limits: Limits, then: str = "") -> ImageTooLarge:
    most = f"at most {limits.max_bytes:,} are allowed{then}; {raise_it('max_bytes')}"
    return ImageTooLarge(name, f"{size:,} bytes unpacked; {most}")


def _is_hidden(member: str) -> bool:
    """As in a folder: names that begin with a dot, and what systems add on their own."""
    parts = [part for part in re.split(r"[\\/]", member) if part not in ("", ".", "..")]
    return any(part.startswith(".") or part in IGNORED_FOLDERS for part in parts)


def _is_unsafe(member: str) -> bool:
    parts = re.split(r"[\\/]", member)
    return member.startswith(("/", "\\")) or ".." in parts or re.match(r"[A-Za-z]:", member) is not None
