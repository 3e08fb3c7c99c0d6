"""Encoders of images that Pillow cannot write, and of the color profiles that it cannot make."""

import struct
import zlib
from io import BytesIO

import numpy as np
import PIL.Image

# sRGB's primaries as seen under D50, the white of ICC profiles (columns: red, green, blue).
SRGB_D50 = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])


def encoded(image: PIL.Image.Image, format: str, **options: object) -> bytes:
    """What Pillow writes."""
    stream = BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG with its checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(samples: np.ndarray, color_type: int, *before_pixels: bytes) -> bytes:
    """A PNG of samples `(height, width, channels)`, uint8 or uint16."""
    height, width, _ = samples.shape
    header = struct.pack(">IIBBBBB", width, height, samples.dtype.itemsize * 8, color_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(row.dtype.newbyteorder(">")).tobytes() for row in samples)
    parts = (chunk(b"IHDR", header), *before_pixels, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(
    strip: bytes,
    size_wh: tuple[int, int],
    bits: tuple[int, ...],
    photometric: int,
    *,
    sample_format: int = 1,
    extra_samples: tuple[int, ...] = (),
    orientation: int | None = None,
    order: str = "<",
) -> bytes:
    """An uncompressed TIFF of one strip."""
    width, height = size_wh
    tags: dict[int, tuple[int, tuple[int, ...]]] = {
        256: (4, (width,)),
        257: (4, (height,)),
        258: (3, bits),
        259: (3, (1,)),
        262: (3, (photometric,)),
        273: (4, (8,)),
        277: (3, (len(bits),)),
        278: (4, (height,)),
        279: (4, (len(strip),)),
        339: (3, (sample_format,) * len(bits)),
    }
    if orientation is not None:
        tags[274] = (3, (orientation,))
    if extra_samples:
        tags[338] = (3, extra_samples)
    strip += b"\0" * (len(strip) % 2)
    directory_at = 8 + len(strip)
    far_at = directory_at + 2 + 12 * len(tags) + 4
    entries, far = b"", b""
    for number, (kind, values) in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(packed) > 4:
            packed, far = struct.pack(f"{order}I", far_at + len(far)), far + packed
        entries += struct.pack(f"{order}HHI", number, kind, len(values)) + packed.ljust(4, b"\0")
    mark = b"II*\0" if order == "<" else b"MM\0*"
    start = mark + struct.pack(f"{order}I", directory_at)
    return start + strip + struct.pack(f"{order}H", len(tags)) + entries + struct.pack(f"{order}I", 0) + far


def rgb_profile(primaries: np.ndarray, gamma: float, name: str = "made for a test") -> bytes:
    """An ICC profile (version 2) of three primaries, XYZ under D50, and one exponent."""
    curve = b"curv" + struct.pack(">IIH", 0, 1, round(gamma * 256)) + b"\0\0"
    tags = {b"desc": _description(name), b"cprt": b"text\0\0\0\0none\0\0\0\0", b"wtpt": _xyz(0.9642, 1.0, 0.8249)}
    for index, letter in enumerate((b"r", b"g", b"b")):
        tags[letter + b"XYZ"] = _xyz(*primaries[:, index])
        tags[letter + b"TRC"] = curve
    return _profile(b"RGB ", tags)


def gray_profile(gamma: float) -> bytes:
    """An ICC profile (version 2) of a gray scale with one exponent."""
    curve = b"curv" + struct.pack(">IIH", 0, 1, round(gamma * 256)) + b"\0\0"
    tags = {b"desc": _description("gray"), b"cprt": b"text\0\0\0\0none\0\0\0\0", b"wtpt": _xyz(0.9642, 1.0, 0.8249)}
    return _profile(b"GRAY", {**tags, b"kTRC": curve})


def _xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def _description(name: str) -> bytes:
    text = name.encode() + b"\0"
    data = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + b"\0" * 8 + b"\0" * 70
    return data + b"\0" * (-len(data) % 4)


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    at = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    white = struct.pack(">3i", 63190, 65536, 54061)
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"test", 0x02400000, b"mntr", space, b"XYZ ")
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28 + white
    return head.ljust(128, b"\0") + table + body


def seen_through(rgb: tuple[int, int, int], primaries: np.ndarray, gamma: float) -> np.ndarray:
    """What a color of such a profile is in sRGB (IEC 61966-2-1), computed by its definition."""
    light = np.linalg.solve(SRGB_D50, primaries @ (np.array(rgb) / 255) ** gamma).clip(0, 1)
    coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(coded * 255)
