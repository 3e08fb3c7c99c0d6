"""What a field of a result may hold: checked on the way in, plain Python for JSON on the way out."""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from beholder.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Pixels = NDArray[np.uint8]
"""RGB uint8 `(height, width, 3)`."""

_SIDES = ("height", "width")


def text(value: object, what: str) -> str:
    """A string."""
    if not isinstance(value, str):
        raise UsageError(f"{what} must be a string, found {_shown(value)}")
    return value


def texts(value: object, what: str) -> tuple[str, ...]:
    """A tuple of strings, made from any sequence of them."""
    found = tuple(sequence(value, what))
    for item in found:
        if not isinstance(item, str):
            raise UsageError(f"each of {what} must be a string, found {_shown(item)}")
    return found


def sequence(value: object, what: str) -> Sequence[Any]:
    """A sequence that is not a string."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise UsageError(f"{what} must be a list, found {_shown(value)}")
    return value


def whole(value: object, what: str, *, least: int = 0, most: int = 2**63 - 1) -> int:
    """A whole number from `least` to `most`, as a Python integer."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or not least <= number <= most:
        span = f"from {least} up" if most == 2**63 - 1 else f"from {least} to {most}"
        raise UsageError(f"{what} must be a whole number {span}, found {_shown(value)}")
    return number


def finite(value: object, what: str, *, least: float = -math.inf, most: float = math.inf) -> float:
    """A finite number from `least` to `most`, as a Python float."""
    try:
        number = math.nan if isinstance(value, str) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or not least <= number <= most:
        span = "" if math.isinf(least) else f" from {least:g} {'up' if math.isinf(most) else f'to {most:g}'}"
        raise UsageError(f"{what} must be a number{span}, found {_shown(value)}")
    return number


def fraction(value: object, what: str) -> float:
    """A number from 0 to 1, as a Python float."""
    return finite(value, what, least=0, most=1)


def flag(value: object, what: str) -> bool:
    """True or false."""
    if not isinstance(value, (bool, np.bool_)):
        raise UsageError(f"{what} must be true or false, found {_shown(value)}")
    return bool(value)


def size_hw(value: object, what: str = "size_hw") -> tuple[int, int]:
    """Height and width, both at least 1, and fewer than 2**32 pixels, which is what the masks of COCO can count."""
    pair = sequence(value, what)
    if len(pair) != 2:
        raise UsageError(f"{what} must be a height and a width, found {_shown(value)}")
    height, width = (whole(side, f"the {name} in {what}", least=1) for side, name in zip(pair, _SIDES, strict=True))
    if height * width >= 2**32:
        raise UsageError(f"{what} must be of fewer than 2**32 pixels, found {height} x {width}")
    return height, width


def array(value: ArrayLike, dtype: DTypeLike, shape: tuple[int | None, ...], what: str) -> NDArray[Any]:
    """A read-only array of exactly this dtype, with finite values only.

    Args:
        value: numbers; a read-only array that already is right is taken as it is, anything else is copied.
        dtype: the dtype of the answer. Floating point input is refused where an integer dtype is asked for.
        shape: length of each dimension, `None` where any will do. An empty list fits when a dimension may be 0.
        what: name of the field, for the message.

    Raises:
        UsageError: another shape, values that do not fit the dtype, NaN or infinity.
    """
    wanted = np.dtype(dtype)
    try:
        given = np.asarray(value)
    except ValueError as error:
        raise UsageError(f"{what} must be an array of numbers, found {_shown(value)}") from error
    smallest = tuple(length or 0 for length in shape)
    if given.shape == (0,) and 0 in smallest:
        given = np.empty(smallest, wanted)
    if given.ndim != len(shape) or any(n not in (None, m) for n, m in zip(shape, given.shape, strict=True)):
        expected = ", ".join("any" if length is None else str(length) for length in shape)
        raise UsageError(f"{what} must have the shape ({expected}), found {given.shape}")
    if given.dtype.kind not in ("iuf" if wanted.kind == "f" else "iu"):
        raise UsageError(f"{what} must be numbers that fit {wanted}, found {given.dtype}")
    if given.dtype == wanted and given.flags.owndata and given.flags.c_contiguous and not given.flags.writeable:
        return given
    with np.errstate(over="ignore", invalid="ignore"):
        made = np.array(given, dtype=wanted, order="C")
    if not (np.isfinite(made).all() if wanted.kind == "f" else np.array_equal(made, given)):
        raise UsageError(f"{what} must be finite and fit {wanted}, found values that are not")
    made.setflags(write=False)
    return made


def plain(values: NDArray[np.float32]) -> Any:
    """Float32 values as nested lists of the shortest decimals that read back as exactly the same float32."""
    decimals = np.array([float(str(value)) for value in values.ravel()], np.float64)
    inexact = decimals.astype(np.float32) != values.ravel()
    decimals[inexact] = values.ravel()[inexact]
    return decimals.reshape(values.shape).tolist()


def percent(share: float) -> str:
    """A share of 1 for people: never 0% or 100% for what is only close to it."""
    if 0 < share < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= share < 1 else f"{share:.0%}"


def settle(instance: object, **values: object) -> None:
    """Set fields of a frozen dataclass while it is being made."""
    for name, value in values.items():
        object.__setattr__(instance, name, value)


def same(one: DataclassInstance, other: DataclassInstance) -> bool:
    """Whether two dataclasses of the same type hold equal fields, arrays included."""
    names = [field.name for field in dataclasses.fields(one) if field.compare]
    return all(_equal(getattr(one, name), getattr(other, name)) for name in names)


def item(content: Mapping[str, Any], key: str) -> Any:
    """The value of a key that must be there."""
    if not isinstance(content, Mapping):
        raise UsageError(f"a result in JSON must be an object where {key!r} is read, found {_shown(content)}")
    if key not in content:
        raise UsageError(f"a result in JSON must have {key!r}, found only {_shown(list(content))}")
    return content[key]


def items(content: Mapping[str, Any], key: str) -> Sequence[Any]:
    """The list under a key that must be there."""
    return sequence(item(content, key), f"{key!r} of a result in JSON")


def _equal(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    return bool(one == other) if not isinstance(one, np.ndarray) and not isinstance(other, np.ndarray) else False


def _shown(value: object) -> str:
    """A value as it is shown in a message: one short line."""
    line = " ".join(repr(value).split())
    return line if len(line) <= 60 else f"{line[:57]}..."
