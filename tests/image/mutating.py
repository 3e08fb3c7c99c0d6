"""A seeded fuzzer: valid images of every common format, damaged at random.

Run as a program it reads a number of them and says what came of it: `python mutating.py COUNT SEED ISOLATION`.
"""

import json
import random
import struct
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
from encoding import encoded, png, rgb_profile

NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF)
WORDS = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\xff\xff\xff\x7f", b"\0\0\xff\xff")


def seeds() -> dict[str, bytes]:
    """Valid images, small and not flat, with EXIF and a color profile where the format has them."""
    rng = np.random.default_rng(0)
    image = PIL.Image.fromarray(np.kron(rng.integers(0, 256, (8, 8, 3), np.uint8), np.ones((6, 6, 1), np.uint8)))
    clear, palette, turned = image.convert("RGBA"), image.quantize(16), image.rotate(90)
    exif = PIL.Image.Exif()
    exif[271], exif[274] = "Maker", 6
    exif.get_ifd(0x8825).update({1: "N", 2: (1.0, 2.0, 3.0), 3: "E", 4: (1.0, 2.0, 3.0)})
    tagged = {"exif": exif, "icc_profile": rgb_profile(np.eye(3), 2.2)}
    frames = {"save_all": True, "append_images": [turned]}
    return {
        "jpeg": encoded(image, "JPEG", **tagged),
        "jpeg progressive": encoded(image, "JPEG", progressive=True),
        "jpeg cmyk": encoded(image.convert("CMYK"), "JPEG"),
        "mpo": encoded(image, "MPO", **frames),
        "png": encoded(image, "PNG", **tagged),
        "png palette": encoded(palette, "PNG", transparency=3),
        "png 16-bit": png(rng.integers(0, 65536, (40, 40, 1), np.uint16), 0),
        "png animated": encoded(clear, "PNG", **frames),
        "gif": encoded(image, "GIF", **frames),
        "webp": encoded(image, "WEBP", **tagged),
        "webp lossless": encoded(clear, "WEBP", lossless=True),
        "webp animated": encoded(image, "WEBP", **frames),
        "bmp": encoded(image, "BMP"),
        "bmp palette": encoded(palette, "BMP"),
        "tiff": encoded(image, "TIFF", **tagged),
        "tiff lzw": encoded(image, "TIFF", compression="tiff_lzw"),
        "tiff jpeg": encoded(image, "TIFF", compression="jpeg"),
        "avif": encoded(image, "AVIF", **tagged),
        "ppm": encoded(image, "PPM"),
        "jpeg 2000": encoded(image, "JPEG2000"),
        "ico": encoded(image, "ICO"),
        "tga": encoded(image, "TGA", compression="tga_rle"),
        "qoi": encoded(image, "QOI"),
    }


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The data with bits flipped, cut, parts repeated or left out, or numbers in its header made extreme."""
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(damaged) or 1)
        kind = rng.choice(("flip", "cut", "repeat", "omit", "header", "word"))
        if kind == "flip":
            for place in rng.choices(range(len(damaged)), k=rng.randint(1, 12)) if damaged else ():
                damaged[place] ^= 1 << rng.randrange(8)
        elif kind == "cut":
            del damaged[at:]
        elif kind == "repeat":
            damaged[at:at] = damaged[at : at + rng.randint(1, 200)]
        elif kind == "omit":
            del damaged[at : at + rng.randint(1, 64)]
        elif kind == "header":
            damaged[at % 64 : at % 64 + 1] = bytes([rng.choice((*NUMBERS, rng.randrange(256)))])
        else:
            damaged[at : at + 4] = rng.choice(WORDS)
    return bytes(damaged)


def with_checksums(data: bytes) -> bytes:
    """A PNG whose checksums fit its damaged chunks, so that the damage reaches the decoder."""
    mended, at = bytearray(data), 8
    while at + 12 <= len(mended):
        (size,) = struct.unpack(">I", mended[at : at + 4])
        if at + size + 12 > len(mended):
            break
        body = bytes(mended[at + 4 : at + 8 + size])
        mended[at + 8 + size : at + 12 + size] = struct.pack(">I", zlib.crc32(body))
        at += size + 12
    return bytes(mended)


def mutations(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """So many damaged images, the formats in turn."""
    rng = random.Random(seed)
    named = list(seeds().items())
    for index in range(count):
        name, data = named[index % len(named)]
        damaged = mutated(data, rng)
        if name.startswith("png") and rng.random() < 0.7:
            damaged = with_checksums(damaged)
        yield name, damaged


def main() -> None:
    """Read mutations, with a good image after every ten; print what came of it as JSON."""
    import resource

    from beholder.errors import ImageError
    from beholder.image import Limits, Reader

    count, seed, isolation = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    good = seeds()
    kinds: Counter[str] = Counter()
    wrong, slowest, good_answers = [], (0.0, ""), 0
    with Reader(Limits(timeout_seconds=10), isolation) as reader:
        for index, (name, data) in enumerate(mutations(count, seed)):
            started = time.monotonic()
            try:
                image = reader.read(data, f"{index}.{name}")
                height, width, channels = image.pixels.shape
                if (height, width) != image.size_hw or channels != 3 or image.metadata.byte_size != len(data):
                    wrong.append(f"{index} {name}: {image}")
                kinds["answered"] += 1
            except ImageError as error:
                kinds[error.kind] += 1
                if "\n" in str(error) or len(str(error)) > 250 or "crashed" in str(error):
                    wrong.append(str(error))
            slowest = max(slowest, (time.monotonic() - started, f"{index} {name}"))
            if index % 10 == 0:
                good_answers += reader.read(good[name], name).pixels.size > 0
    mebibytes = [own_peak(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024]
    told = {**kinds, "wrong": wrong, "slowest": slowest, "good": good_answers, "mebibytes": mebibytes}
    sys.stdout.write(json.dumps(told))


def own_peak():
    """The most memory that this process has had, MiB; by `getrusage` it would be that of whoever started it too."""
    status = Path("/proc/self/status")
    if not status.exists():
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) // 1024


if __name__ == "__main__":
    main()
