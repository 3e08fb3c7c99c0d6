"""Which files are images, by name and by their first bytes."""

from __future__ import annotations

import importlib.util
import os
from typing import Final

# Pillow formats that are never opened: they run other programs, or only Windows can draw them, or hold no raster.
REFUSED_FORMATS: Final = frozenset({"EPS", "WMF", "PDF", "BUFR", "GRIB", "HDF5", "MPEG"})

# Formats whose decoders are bounded by the size in the header, and are opened and decoded in this process. All other
# files are opened and decoded in a worker that can be killed: their decoders are rarer, older, or call large libraries.
BOUNDED_FORMATS: Final = frozenset({"JPEG", "MPO", "PNG", "GIF", "BMP", "WEBP"})
_BOUNDED_MAGIC: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM")

IMAGE_SUFFIXES: Final = frozenset(
    ".apng .avif .avifs .bmp .blp .cur .dcx .dds .dib .fli .flc .ftc .ftu .gbr .gif .heic .heif .hif .icns .ico .im "  # noqa: SIM905
    ".j2c .j2k .jfif .jp2 .jpc .jpe .jpeg .jpf .jpg .jpx .mpo .msp .pbm .pcd .pcx .pfm .pgm .png .pnm .ppm .psd .qoi "
    ".ras .sgi .rgb .rgba .bw .tga .tif .tiff .vda .vst .webp .xbm .xpm".split()
)
"""File names that are taken for images in a folder or archive, whatever is in the file."""

UNREADABLE_SUFFIXES: Final = {
    ".svg": "a drawing in SVG, not pixels; export it as PNG",
    ".jxl": "JPEG XL is not supported; export it as JPEG or PNG",
    ".cr2": "a camera's raw file; export it as JPEG or TIFF",
    ".cr3": "a camera's raw file; export it as JPEG or TIFF",
    ".nef": "a camera's raw file; export it as JPEG or TIFF",
    ".arw": "a camera's raw file; export it as JPEG or TIFF",
    ".dng": "a camera's raw file; export it as JPEG or TIFF",
    ".raf": "a camera's raw file; export it as JPEG or TIFF",
    ".orf": "a camera's raw file; export it as JPEG or TIFF",
    ".rw2": "a camera's raw file; export it as JPEG or TIFF",
}
"""Images that cannot be read, and what to do: they are named as failures, never left out in silence."""

VIDEO_SUFFIXES: Final = frozenset(
    ".mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .wmv .flv .ts .mts .3gp .ogv".split()  # noqa: SIM905
)
ARCHIVE_SUFFIXES: Final = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

IGNORED_FOLDERS: Final = frozenset({"__MACOSX", "__pycache__", "node_modules"})
IGNORED_FILES: Final = frozenset({"Thumbs.db", "desktop.ini"})

_MAGIC: Final = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"II*\0",
    b"MM\0*",
    b"8BPS",
    b"DDS ",
    b"\xff\x4f\xff\x51",
    b"\0\0\0\x0cjP  ",
    b"qoif",
)
_PLUGINS: Final = (
    (b"\xff\xd8\xff", "Jpeg"),
    (b"\x89PNG\r\n\x1a\n", "Png"),
    (b"GIF8", "Gif"),
    (b"BM", "Bmp"),
    (b"II*\0", "Tiff"),
    (b"MM\0*", "Tiff"),
)
_BRANDS: Final = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"heif")
MODEL_FILE: Final = "a model file where an image is expected; pass it with --model"
MAGIC_BYTES: Final = 32
"""How many bytes `looks_like_image` wants to see."""


def suffix_names_image(name: str) -> bool:
    """Whether a file's name says that it is an image, or one of those that cannot be read."""
    suffix = os.path.splitext(name)[1].lower()
    return suffix in IMAGE_SUFFIXES or suffix in UNREADABLE_SUFFIXES


def looks_like_image(head: bytes) -> bool:
    """Whether a file begins as a common image format does."""
    if head.startswith(_MAGIC):
        return True
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return True
    return head[4:8] == b"ftyp" and head[8:12] in _BRANDS


def begins_bounded(head: bytes) -> bool:
    """Whether a file begins as the formats of `BOUNDED_FORMATS` do."""
    return head.startswith(_BOUNDED_MAGIC) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def likely_plugin(head: bytes) -> str | None:
    """The plug-in of Pillow for a file that begins so, as in `PIL.…ImagePlugin`; None where all must be asked."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    return next((name for magic, name in _PLUGINS if head.startswith(magic)), None)


def is_heif(head: bytes) -> bool:
    """Whether a file begins as HEIC does, and not as its relative AVIF."""
    return head[4:8] == b"ftyp" and head[8:12] in _BRANDS and head[8:11] != b"avi"


def webp_size(head: bytes) -> tuple[int, int] | None:
    """Width and height that the header of a WebP claims (RFC 9649, section 2); None where it is none or is damaged."""
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP" or len(head) < 30:
        return None
    chunk = head[12:16]
    if chunk == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if chunk == b"VP8L" and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    return None


def why_unreadable(head: bytes) -> str:
    """What a file that no decoder recognizes seems to be, and what to do."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        return "the file is empty; copy it again"
    if is_heif(head) and heif_plugin() is None:
        return "HEIC needs its plug-in; install it with: pip install pillow-heif"
    if looks_like_image(head):
        return "its header is damaged; copy the file again"
    if text.startswith((b"<svg", b"<?xml")) and b"<svg" in text:
        return UNREADABLE_SUFFIXES[".svg"]
    if text.startswith((b"<!doctype html", b"<html", b"<!doc")):
        return "a web page saved under an image's name; download the image itself"
    if head[:2] == b"\xff\x0a" or head[4:8] == b"JXL ":
        return UNREADABLE_SUFFIXES[".jxl"]
    if head[:4] == b"%PDF":
        return "a PDF document, not an image; export its pages as PNG"
    if head[:2] == b"PK" or head[:2] == b"\x1f\x8b":
        return "an archive, not an image; name it .zip or .tar.gz to read what is in it"
    if head[:5] == b"\x80\x02\x8a\nl" or head[:2] == b"\x08\x08" or b"onnx" in head[:64]:
        return MODEL_FILE
    if head[:64].isascii() and b"\0" not in head:
        return "text, not an image"
    return "not an image of any known format, or its first bytes are damaged"


def heif_plugin() -> str | None:
    """The name of an installed HEIC plug-in, which registers itself with Pillow when imported."""
    return "pillow_heif" if importlib.util.find_spec("pillow_heif") else None


def reason_of(error: Exception) -> str:
    """What a foreign error says, as the short end of one line."""
    text = "".join(character if character.isprintable() else " " for character in str(error))
    return " ".join(text.split())[:120] or type(error).__name__
