"""Frozen dataclasses to and from plain JSON values, strictly.

A record is a frozen dataclass whose fields are strings, numbers, booleans, `None`, tuples, literals, string
dictionaries and other records. Nothing is coerced, unknown keys are refused with the nearest known one, and an error
names the place: `geometry.size_hw[1]: must be an integer, found "224"`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")

_PLAIN_NAMES = {str: "a string", int: "an integer", float: "a number", bool: "true or false"}
_JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


class RecordError(ValueError):
    """A value does not have the form of its record; the text names the place and what must hold."""


def nearest(name: str, known: Sequence[str]) -> str:
    """A hint that suggests the known name nearest to a wrong one, or lists what is known when none is near."""
    import difflib

    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"


def to_json(value: Any) -> Any:
    """Turn a record into dictionaries, lists and scalars that `json.dumps` writes; fields that are `None` stay."""
    if dataclasses.is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [to_json(item) for item in value]
    return dict(value) if isinstance(value, dict) else value


def from_json(record: type[T], value: Any, place: str = "") -> T:
    """Make a record of JSON values.

    Args:
        record: the dataclass to make.
        value: what `json.loads` gave.
        place: where the value stands, for the error.

    Raises:
        RecordError: a key is missing or unknown, or a value has the wrong type or is refused by the record.
    """
    if not isinstance(value, dict):
        raise RecordError(f"{place or 'it'}: must be an object, found {_shown(value)}")
    hints = _hints(cast(Any, record))
    for key in value:
        if key not in hints:
            name = key if isinstance(key, str) and key.isprintable() and len(key) <= 60 else _shown(key)
            raise RecordError(f"{_join(place, name)}: is not known; {nearest(name, list(hints))}")
    fields = {field.name: field for field in dataclasses.fields(record)}  # type: ignore[arg-type]
    missing = [name for name, field in fields.items() if name not in value and _is_required(field)]
    if missing:
        raise RecordError(f"{_join(place, missing[0])}: is missing")
    values = {key: _convert(hints[key], item, _join(place, key)) for key, item in value.items()}
    try:
        return record(**values)
    except RecordError as error:
        raise RecordError(_join(place, str(error))) from None


def json_schema(record: type[Any]) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a record; a field's `metadata["doc"]` becomes its description."""
    hints = _hints(cast(Any, record))
    properties: dict[str, Any] = {}
    for field in dataclasses.fields(record):
        properties[field.name] = _schema_of(hints[field.name])
        if "doc" in field.metadata:
            properties[field.name]["description"] = field.metadata["doc"]
    required = [field.name for field in dataclasses.fields(record) if _is_required(field)]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def described(doc: str, **keywords: Any) -> Any:
    """A dataclass field with a description that the published schema shows."""
    return dataclasses.field(metadata={"doc": doc}, **keywords)


def _convert(hint: Any, value: Any, place: str) -> Any:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _convert_union(hint, value, place)
    if origin is Literal:
        if value not in get_args(hint) or isinstance(value, bool):
            raise RecordError(f"{place}: must be one of {', '.join(map(str, get_args(hint)))}, found {_shown(value)}")
        return value
    if origin is tuple:
        return _convert_tuple(hint, value, place)
    if origin is dict:
        if not isinstance(value, dict) or not all(type(item) is str for item in (*value, *value.values())):
            raise RecordError(f"{place}: must be an object of strings, found {_shown(value)}")
        _check_text("".join((*value, *value.values())), place)
        return value
    if dataclasses.is_dataclass(hint):
        return from_json(hint, value, place)  # type: ignore[arg-type]
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint or (hint is float and not math.isfinite(value)):
        raise RecordError(f"{place}: must be {_PLAIN_NAMES[hint]}, found {_shown(value)}")
    if hint is str:
        _check_text(value, place)
    return value


def _check_text(text: str, place: str) -> None:
    """Refuse half a character, which JSON can spell and no file or terminal can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RecordError(f"{place}: must be whole Unicode characters, found {_shown(text)}") from None


def _convert_union(hint: Any, value: Any, place: str) -> Any:
    """One of several forms, such as `float | None` or `int | Literal["auto"]`."""
    options = get_args(hint)
    if value is None and type(None) in options:
        return None
    words = [word for option in options if get_origin(option) is Literal for word in get_args(option)]
    if value in words:
        return value
    (inner,) = (option for option in options if option is not type(None) and get_origin(option) is not Literal)
    try:
        return _convert(inner, value, place)
    except RecordError as error:
        asked = f"must be {', '.join(words)} or" if words else "must be"
        raise RecordError(str(error).replace("must be", asked, 1)) from None


def _convert_tuple(hint: Any, value: Any, place: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise RecordError(f"{place}: must be a list, found {_shown(value)}")
    items = get_args(hint)
    if items[-1] is Ellipsis:
        if items[0] is str and all(type(item) is str for item in value):
            _check_text("".join(value), place)  # a thousand labels, without a thousand calls
            return tuple(value)
        items = (items[0],) * len(value)
    if len(items) != len(value):
        raise RecordError(f"{place}: must have {len(items)} items, found {len(value)}")
    return tuple(_convert(item, part, f"{place}[{i}]") for i, (item, part) in enumerate(zip(items, value, strict=True)))


def _schema_of(hint: Any) -> dict[str, Any]:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        inner = [_schema_of(option) for option in get_args(hint) if option is not type(None)]
        nothing = [{"type": "null"}] if type(None) in get_args(hint) else []
        return {"anyOf": [*inner, *nothing]}
    if origin is Literal:
        return {"enum": list(get_args(hint))}
    if origin is tuple:
        items = get_args(hint)
        if items[-1] is Ellipsis:
            return {"type": "array", "items": _schema_of(items[0])}
        prefix = [_schema_of(item) for item in items]
        return {"type": "array", "prefixItems": prefix, "minItems": len(items), "maxItems": len(items)}
    if origin is dict:
        return {"type": "object", "additionalProperties": {"type": "string"}}
    if dataclasses.is_dataclass(hint):
        return json_schema(hint)  # type: ignore[arg-type]
    return {"type": _JSON_TYPES[hint]}


@cache
def _hints(record: type[Any]) -> dict[str, Any]:
    return get_type_hints(record)


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _join(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
