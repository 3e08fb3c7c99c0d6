"""Records to and from JSON values, strictly."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beholder.records import RecordError, described, from_json, json_schema, nearest, to_json


@dataclass(frozen=True)
class Point:
    x: float
    y: float = 0.0

    def __post_init__(self):
        if self.x < 0:
            raise RecordError(f"x: must not be negative, found {self.x:g}")


@dataclass(frozen=True)
class Shape:
    name: str = described("what it is called")
    kind: Literal["line", "area"] = "line"
    points: tuple[Point, ...] = ()
    size: tuple[int, int] | None = None
    closed: bool = False
    tags: dict[str, str] | None = None
    words: tuple[str, ...] = ()


points = st.builds(Point, st.floats(0, 1e6), st.floats(-1e6, 1e6))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
shapes = st.builds(
    Shape,
    name=texts,
    kind=st.sampled_from(["line", "area"]),
    points=st.lists(points, max_size=3).map(tuple),
    size=st.none() | st.tuples(st.integers(), st.integers()),
    closed=st.booleans(),
    tags=st.none() | st.dictionaries(texts, texts, max_size=3),
    words=st.lists(texts, max_size=3).map(tuple),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
keys = st.sampled_from(["name", "kind", "points", "size", "closed", "tags", "words", "nmae", ""])


@given(shapes)
def test_there_and_back_again(shape):
    written = json.loads(json.dumps(to_json(shape)))
    assert from_json(Shape, written) == shape
    jsonschema.validate(written, json_schema(Shape))


@given(anything | st.dictionaries(keys, anything, max_size=4))
def test_whatever_is_read_is_a_record_or_an_error(value):
    try:
        made = from_json(Shape, value)
    except RecordError as error:
        assert "\n" not in str(error)
    else:
        assert from_json(Shape, to_json(made)) == made
        jsonschema.validate(value, json_schema(Shape))


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (None, "it: must be an object, found null"),
        ([], "it: must be an object, found []"),
        ({}, "name: is missing"),
        ({"nmae": "a"}, "nmae: is not known; did you mean 'name'?"),
        ({"name": "a", "zzz": 1}, "zzz: is not known; known: name, kind, points, size, closed, tags, words"),
        ({"a\nb": 1}, '"a\\nb": is not known; known: name, kind, points, size, closed, tags, words'),
        ({"x" * 10**6: 1}, '"' + "x" * 56 + "...: is not known; known: name, kind, points, size, closed, tags, words"),
        ({"name": 1}, "name: must be a string, found 1"),
        ({"name": "a", "kind": "dot"}, 'kind: must be one of line, area, found "dot"'),
        ({"name": "a", "kind": ["line"]}, 'kind: must be one of line, area, found ["line"]'),
        ({"name": "a", "points": {}}, "points: must be a list, found {}"),
        ({"name": "a", "points": [{"x": 1}, {"y": 1}]}, "points[1].x: is missing"),
        ({"name": "a", "points": [{"x": 1, "z": 2}]}, "points[0].z: is not known; known: x, y"),
        ({"name": "a", "points": [{"x": "1"}]}, 'points[0].x: must be a number, found "1"'),
        ({"name": "a", "points": [{"x": True}]}, "points[0].x: must be a number, found true"),
        ({"name": "a", "points": [{"x": float("nan")}]}, "points[0].x: must be a number, found NaN"),
        ({"name": "a", "points": [{"x": -1}]}, "points[0].x: must not be negative, found -1"),
        ({"name": "a", "size": [1]}, "size: must have 2 items, found 1"),
        ({"name": "a", "size": [1, 2.0]}, "size[1]: must be an integer, found 2.0"),
        ({"name": "a", "size": [1, True]}, "size[1]: must be an integer, found true"),
        ({"name": "a", "closed": 1}, "closed: must be true or false, found 1"),
        ({"name": "a", "closed": None}, "closed: must be true or false, found null"),
        ({"name": "a", "tags": {"b": 1}}, 'tags: must be an object of strings, found {"b": 1}'),
        ({"name": "a", "words": ["b", 2]}, "words[1]: must be a string, found 2"),
        ({"name": "\ud800"}, 'name: must be whole Unicode characters, found "\\ud800"'),
        ({"name": "a", "words": ["\udfff"]}, 'words: must be whole Unicode characters, found "\\udfff"'),
        ({"name": "a", "tags": {"b": "\ud800"}}, 'tags: must be whole Unicode characters, found "b\\ud800"'),
        ({"name": ["x" * 100]}, 'name: must be a string, found ["' + "x" * 55 + "..."),
    ],
)
def test_errors_name_the_place_and_what_must_hold(value, error):
    with pytest.raises(RecordError) as caught:
        from_json(Shape, value)
    assert str(caught.value) == error


def test_a_place_can_be_given():
    with pytest.raises(RecordError, match=r"^recipe\.shape\.name: is missing$"):
        from_json(Shape, {}, "recipe.shape")


def test_integers_are_numbers_and_numbers_are_not_integers():
    assert from_json(Point, {"x": 3}) == Point(3.0)
    assert type(from_json(Point, {"x": 3}).x) is float


def test_descriptions_are_published():
    assert json_schema(Shape)["properties"]["name"] == {"type": "string", "description": "what it is called"}
    assert json_schema(Shape)["required"] == ["name"]
    assert json_schema(Shape)["properties"]["points"]["items"]["additionalProperties"] is False


def test_the_nearest_name():
    assert nearest("resnt18", ["resnet18", "vgg"]) == "did you mean 'resnet18'?"
    assert nearest("zzz", ["resnet18", "vgg"]) == "known: resnet18, vgg"
