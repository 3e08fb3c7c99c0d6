"""One small image for each color mode and format, with the color that a person would see all over it."""

import struct
from functools import cache
from typing import NamedTuple

import numpy as np
import PIL.Image
from encoding import SRGB_D50, chunk, encoded, gray_profile, png, rgb_profile, seen_through, tiff

Color = tuple[int, int, int]
SIZE_WH = (6, 4)
COUNT = SIZE_WH[0] * SIZE_WH[1]
SWAPPED = SRGB_D50[:, [1, 0, 2]]  # red where others have green
# Adobe RGB (1998), section 4.3.5.3, brought to D50
ADOBE = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])


class Golden(NamedTuple):
    """An encoded image of one color.

    Attributes:
        data: the file.
        rgb: what a person would see.
        tolerance: how far off a lossy format may be.
    """

    data: bytes
    rgb: Color
    tolerance: int = 0


def flat(mode: str, color: object) -> PIL.Image.Image:
    """An image of one color."""
    return PIL.Image.new(mode, SIZE_WH, color)


def samples(*values: int, dtype: type = np.uint16) -> np.ndarray:
    """The samples of an image of one color, `(height, width, channels)`."""
    return np.full((SIZE_WH[1], SIZE_WH[0], len(values)), values, dtype)


def gray_tiff(value: float, dtype: str, bits: int, sample_format: int = 1, photometric: int = 1) -> bytes:
    """A gray TIFF of one value, in the byte order of `dtype`."""
    strip = np.full(COUNT, value, dtype).tobytes()
    return tiff(strip, SIZE_WH, (bits,), photometric, sample_format=sample_format, order=dtype[0])


def palette_image() -> PIL.Image.Image:
    """Index 1 is green, index 0 red."""
    image = flat("P", 1)
    image.putpalette([255, 0, 0, 0, 255, 0])
    return image


def animation(format: str, **options: object) -> bytes:
    """Red, then blue."""
    return encoded(flat("RGB", (255, 0, 0)), format, save_all=True, append_images=[flat("RGB", (0, 0, 255))], **options)


def profiled(rgb: Color, primaries: np.ndarray, gamma: float, name: str = "made for a test") -> Golden:
    """A PNG tagged with a color profile."""
    data = encoded(flat("RGB", rgb), "PNG", icc_profile=rgb_profile(primaries, gamma, name))
    seen = seen_through(rgb, primaries, gamma)
    return Golden(data, (int(seen[0]), int(seen[1]), int(seen[2])), 2)


@cache
def goldens() -> dict[str, Golden]:
    """Every golden image by name."""
    return {**_formats(), **_plain_modes(), **_transparent(), **_wide(), **_floats(), **_other_spaces(), **_profiles()}


def _formats() -> dict[str, Golden]:
    color = (200, 60, 20)
    image = flat("RGB", color)
    return {
        "jpeg": Golden(encoded(image, "JPEG", quality=95), color, 3),
        "jpeg progressive": Golden(encoded(image, "JPEG", quality=95, progressive=True), color, 3),
        "mpo": Golden(encoded(image, "MPO", quality=95, save_all=True, append_images=[flat("RGB", 0)]), color, 3),
        "webp lossless": Golden(encoded(image, "WEBP", lossless=True), color),
        "webp": Golden(encoded(image, "WEBP", quality=95), color, 4),
        "avif": Golden(encoded(image, "AVIF", quality=95), color, 4),
        "jpeg 2000": Golden(encoded(image, "JPEG2000"), color),
        **{name.lower(): Golden(encoded(image, name), color) for name in ("PNG", "BMP", "TIFF", "PPM", "TGA", "QOI")},
        "tiff lzw": Golden(encoded(image, "TIFF", compression="tiff_lzw"), color),
        "gif animated": Golden(animation("GIF"), (255, 0, 0)),
        "webp animated": Golden(animation("WEBP", lossless=True), (255, 0, 0)),
        "png animated": Golden(animation("PNG"), (255, 0, 0)),
        "tiff of pages": Golden(animation("TIFF"), (255, 0, 0)),
        "avif animated": Golden(animation("AVIF", quality=95), (255, 0, 0), 5),
    }


def _plain_modes() -> dict[str, Golden]:
    return {
        "png 1 bit white": Golden(encoded(flat("1", 1), "PNG"), (255, 255, 255)),
        "png 1 bit black": Golden(encoded(flat("1", 0), "PNG"), (0, 0, 0)),
        "tiff 1 bit": Golden(encoded(flat("1", 1), "TIFF", compression="group4"), (255, 255, 255)),
        "png gray": Golden(encoded(flat("L", 77), "PNG"), (77, 77, 77)),
        "jpeg gray": Golden(encoded(flat("L", 77), "JPEG", quality=95), (77, 77, 77), 2),
        "png palette": Golden(encoded(palette_image(), "PNG"), (0, 255, 0)),
        "gif palette": Golden(encoded(palette_image(), "GIF"), (0, 255, 0)),
        "bmp palette": Golden(encoded(palette_image(), "BMP"), (0, 255, 0)),
        "tiff palette": Golden(encoded(palette_image(), "TIFF"), (0, 255, 0)),
        "tiff gray, white is zero": Golden(gray_tiff(255, "<u1", 8, photometric=0), (0, 0, 0)),
    }


def _transparent() -> dict[str, Golden]:
    white, half = (255, 255, 255), (255, 127, 127)
    return {
        "png alpha": Golden(encoded(flat("RGBA", (255, 0, 0, 128)), "PNG"), half, 1),
        "png fully transparent": Golden(encoded(flat("RGBA", (9, 9, 9, 0)), "PNG"), white),
        "png gray alpha": Golden(encoded(flat("LA", (0, 128)), "PNG"), (127, 127, 127), 1),
        "webp alpha": Golden(encoded(flat("RGBA", (255, 0, 0, 128)), "WEBP", lossless=True), half, 1),
        "avif alpha": Golden(encoded(flat("RGBA", (255, 0, 0, 128)), "AVIF", quality=95), half, 5),
        "png palette, index transparent": Golden(encoded(palette_image(), "PNG", transparency=1), white),
        "png palette with alphas": Golden(
            encoded(palette_image(), "PNG", transparency=b"\xff\x80"), (127, 255, 127), 1
        ),
        "gif transparent": Golden(encoded(palette_image(), "GIF", transparency=1), white),
        "png gray, value transparent": Golden(encoded(flat("L", 40), "PNG", transparency=40), white),
        "png color transparent": Golden(encoded(flat("RGB", (1, 2, 3)), "PNG", transparency=(1, 2, 3)), white),
        "tiff alpha": Golden(encoded(flat("RGBA", (255, 0, 0, 128)), "TIFF"), half, 1),
        "tiff gray, premultiplied alpha": Golden(
            tiff(bytes((64, 128)) * COUNT, SIZE_WH, (8, 8), 1, extra_samples=(1,)), (191, 191, 191), 2
        ),
    }


def _wide() -> dict[str, Golden]:
    middle, color = (128, 128, 128), (200, 60, 20)
    wide_color = samples(*(value * 257 for value in color))
    twelve_bits = int("800800", 16).to_bytes(3, "big") * (COUNT // 2)  # two samples of 0x800 in three bytes
    return {
        "png 16-bit gray": Golden(png(samples(0x8080), 0), middle),
        "png 16-bit gray, dark": Golden(png(samples(257), 0), (1, 1, 1)),
        "png 16-bit gray alpha": Golden(png(samples(0, 0x8080), 4), (127, 127, 127), 1),
        "png 16-bit color": Golden(png(wide_color, 2), color),
        "png 16-bit color alpha": Golden(png(samples(65535, 0, 0, 0x8080), 6), (255, 127, 127), 1),
        "png 16-bit gray, value transparent": Golden(
            png(samples(1000), 0, chunk(b"tRNS", struct.pack(">H", 1000))), (255, 255, 255)
        ),
        "png 16-bit color transparent": Golden(
            png(samples(1000, 2000, 3000), 2, chunk(b"tRNS", struct.pack(">3H", 1000, 2000, 3000))), (255, 255, 255)
        ),
        "ppm 16-bit": Golden(b"P5 6 4 65535\n" + b"\x80\x80" * COUNT, middle),
        "ppm 10-bit": Golden(b"P5 6 4 1023\n" + b"\x02\x00" * COUNT, middle),
        "tiff 16-bit": Golden(gray_tiff(0x8080, "<u2", 16), middle),
        "tiff 16-bit big-endian": Golden(gray_tiff(0x8080, ">u2", 16), middle),
        "tiff 16-bit, white is zero": Golden(gray_tiff(0xFFFF, "<u2", 16, photometric=0), (0, 0, 0)),
        "tiff 16-bit color": Golden(tiff(wide_color.tobytes(), SIZE_WH, (16,) * 3, 2), color),
        "tiff 12-bit": Golden(tiff(twelve_bits, SIZE_WH, (12,), 1), middle),
    }


def _floats() -> dict[str, Golden]:
    half = np.array([0.5] * (COUNT - 2) + [0, 1])
    byte, signed = half * 255, half * 4000 - 2000
    return {
        "tiff float, 0 to 1": Golden(tiff(np.float32(half).tobytes(), SIZE_WH, (32,), 1, sample_format=3), (128,) * 3),
        "tiff float, 0 to 255": Golden(
            tiff(np.float32(byte).tobytes(), SIZE_WH, (32,), 1, sample_format=3), (128,) * 3
        ),
        "tiff float, other range": Golden(
            tiff(np.float32(signed).tobytes(), SIZE_WH, (32,), 1, sample_format=3), (128,) * 3
        ),
        "tiff signed 16-bit": Golden(tiff(np.int16(signed).tobytes(), SIZE_WH, (16,), 1, sample_format=2), (128,) * 3),
        "tiff 32-bit": Golden(tiff(np.int32(signed * 1000).tobytes(), SIZE_WH, (32,), 1, sample_format=2), (128,) * 3),
    }


def _other_spaces() -> dict[str, Golden]:
    red = (0, 255, 255, 0)  # no cyan, all magenta and yellow
    lab_red, lab_gray = bytes((138, 81, 70)), bytes((128, 0, 0))  # L* 54.1, a* 81, b* 70 (D50); L* 50.2
    return {
        "jpeg cmyk": Golden(encoded(flat("CMYK", red), "JPEG", quality=95), (255, 0, 0), 6),
        "tiff cmyk": Golden(encoded(flat("CMYK", red), "TIFF"), (255, 0, 0)),
        "tiff lab red": Golden(tiff(lab_red * COUNT, SIZE_WH, (8, 8, 8), 8), (255, 0, 0), 8),
        "tiff lab gray": Golden(tiff(lab_gray * COUNT, SIZE_WH, (8, 8, 8), 8), (119, 119, 119), 2),
        "jpeg 2000 gray": Golden(encoded(flat("L", 77), "JPEG2000"), (77, 77, 77)),
    }


def _profiles() -> dict[str, Golden]:
    linear_gray = Golden(encoded(flat("L", 128), "PNG", icc_profile=gray_profile(1.0)), (188, 188, 188), 2)
    tagged_alpha = encoded(flat("RGBA", (255, 0, 0, 128)), "PNG", icc_profile=rgb_profile(SWAPPED, 2.2))
    swapped = rgb_profile(SWAPPED, 2.2)
    return {
        "profile with primaries swapped": profiled((255, 0, 0), SWAPPED, 2.2),
        "profile with primaries swapped, mixed": profiled((180, 90, 40), SWAPPED, 2.2),
        "profile adobe": profiled((180, 120, 90), ADOBE, 2.2),
        "profile linear, with srgb in its name": profiled((128, 64, 20), SRGB_D50, 1.0, "linear sRGB"),
        "profile gray": linear_gray,
        "profile gray, 16-bit": Golden(
            encoded(PIL.Image.fromarray(samples(0x8080)[:, :, 0]), "PNG", icc_profile=gray_profile(1.0)), (188,) * 3, 2
        ),
        "profile and alpha": Golden(tagged_alpha, (127, 255, 127), 2),
        "profile and palette": Golden(encoded(palette_image(), "PNG", icc_profile=swapped), (255, 0, 0), 2),
        "profile in a jpeg": Golden(
            encoded(flat("RGB", (255, 0, 0)), "JPEG", quality=95, icc_profile=swapped), (0, 255, 0), 5
        ),
        "profile in a webp": Golden(
            encoded(flat("RGB", (255, 0, 0)), "WEBP", lossless=True, icc_profile=swapped), (0, 255, 0), 2
        ),
        "profile in a tiff": Golden(encoded(flat("RGB", (255, 0, 0)), "TIFF", icc_profile=swapped), (0, 255, 0), 2),
        "profile in an avif": Golden(
            encoded(flat("RGB", (255, 0, 0)), "AVIF", quality=95, icc_profile=swapped), (0, 255, 0), 6
        ),
    }
