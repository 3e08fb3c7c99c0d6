"""Colors: one per class, told apart by color-blind people too, and what is readable on them."""

from __future__ import annotations

Color = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

WHITE: Color = (255, 255, 255)
BLACK: Color = (0, 0, 0)
PANEL: Color = (16, 18, 22)
BLUE: Color = (0, 114, 178)
GREEN: Color = (0, 158, 115)
ORANGE: Color = (230, 159, 0)
GRAY: Color = (110, 116, 126)

_CYCLE: tuple[Color, ...] = (
    ORANGE,
    (86, 180, 233),  # sky blue
    GREEN,
    (240, 228, 66),  # yellow
    BLUE,
    (213, 94, 0),  # vermilion
    (204, 121, 167),  # reddish purple
)
"""Okabe and Ito, "Color Universal Design", 2008, without its black."""


def class_color(index: int) -> Color:
    """The color of a class: seven that are easy to tell apart, then paler and darker ones of the same.

    Args:
        index: of the class. The 22nd has the color of the first.
    """
    around, position = divmod(index % (3 * len(_CYCLE)), len(_CYCLE))
    color = _CYCLE[position]
    return (color, mix(color, WHITE, 0.5), mix(color, BLACK, 0.4))[around]


def mix(color: Color, other: Color, share: float) -> Color:
    """A color with a share, 0 to 1, of another in it."""
    red, green, blue = (round(a * (1 - share) + b * share) for a, b in zip(color, other, strict=True))
    return red, green, blue


def text_color(background: Color) -> Color:
    """Black or white, whichever stands out more on a color.

    By relative luminance: Web Content Accessibility Guidelines 2.1, "contrast ratio". Both stand out equally at 0.179.
    """
    linear = [part / 3294.6 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in background]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return BLACK if luminance > 0.179 else WHITE
