"""The model card: what it may say, what its errors say, and that its published schema agrees with its parser."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

import beholder.model.card
import graphs
from beholder.errors import InvalidCard, InvalidModel
from beholder.model import Calibration, EmbeddingSpace, Geometry, Measure, ModelCard, Provenance
from beholder.model.card import PredictionSets, UnknownRule, card_json_schema

ROOT = Path(__file__).parents[2]
FULL = graphs.make_card(
    "classify",
    Geometry("letterbox", (32, 48), resample="hamming", fill=(1, 2, 3), draft=1.5),
    description="All that a card can say.",
    label_ids=("n01", "n02", "n03"),
    label_groups=("warm", "cold", "cold"),
    thresholds=(0.1, 0.2, 0.3),
    sure_from=0.5,
    calibration=Calibration("temperature", 1.5, 100),
    unknown=UnknownRule(0.4, 1.5, 0.05, 100),
    prediction_sets=PredictionSets((0.9, 0.95), (0.2, 0.1), ((0.1, 0.2, 0.3), (0.05, 0.1, 0.2)), 100),
    embedding=EmbeddingSpace("sha256:1", 3, True, "cosine"),
    evaluation=(
        Measure("top1", 0.9, "measured", "Beholder 0.1", "birds", low=0.85, high=0.94, count=330),
        Measure("top5", 0.99, "stated", "its authors", "ImageNet-1k"),
    ),
    provenance=Provenance(
        "hub", "Apache-2.0", "sha256:2", "photos", "CC-BY", "sha256:3", "x = 1", "p", {"a": "1"}, ("n",), ("0f" * 8,)
    ),
)
CARDS = [FULL, *(graphs.make_card(task) for task in graphs.TASKS)]
VALIDATOR = jsonschema.Draft202012Validator(card_json_schema())


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_card_survives_json(card):
    assert ModelCard.from_json(card.to_json()) == card
    assert ModelCard.from_json(card.to_json().encode()) == card
    assert next(iter(card.to_dict())) == "schema"
    VALIDATOR.validate(json.loads(card.to_json()))


def test_the_published_schema_is_up_to_date():
    published = Path(beholder.model.card.__file__).with_name("card.schema.json")
    assert json.loads(published.read_text(encoding="utf-8")) == card_json_schema()
    jsonschema.Draft202012Validator.check_schema(card_json_schema())
    check = [sys.executable, ROOT / "scripts" / "write_schema.py", "--check"]
    assert subprocess.run(check).returncode == 0


def test_every_field_is_described():
    def undescribed(schema, place="card"):
        for name, part in schema.get("properties", {}).items():
            if "description" not in part and "$schema" not in schema:
                yield f"{place}.{name}"
            for inner in (part, part.get("items", {}), *part.get("anyOf", ())):
                yield from undescribed(inner, f"{place}.{name}")

    assert list(undescribed(card_json_schema())) == []


def places(value, path=()):
    """Every place in a card."""
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def changed(value, path, new):
    whole = copy.deepcopy(value)
    parent = whole
    for key in path[:-1]:
        parent = parent[key]
    if path:
        parent[path[-1]] = new
    return whole if path else new


WRONG_TYPES = (None, True, "text", 1.5, -1, [], ["a"], [[1]], {}, {"a": 1}, "squash", 10**40)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_schema_and_parser_agree(card):
    """On every place of every card, with values of every type: what the schema refuses the parser refuses.

    What the schema takes the parser takes too, but for what only code can say: lengths and ranges that depend on each
    other, which a card breaks with an error that names the field.
    """
    whole = json.loads(card.to_json())
    for path in places(whole):
        for new in WRONG_TYPES:
            mutated = changed(whole, path, new)
            try:
                ModelCard.from_json(json.dumps(mutated))
                accepted, reason = True, ""
            except InvalidCard as error:
                accepted, reason = False, str(error)
            valid = VALIDATOR.is_valid(mutated)
            assert valid or not accepted, (path, new)
            assert accepted or not valid or _is_about_meaning(reason), (path, new, reason)


def test_schema_and_parser_agree_on_keys():
    whole = json.loads(FULL.to_json())
    for path in places(whole):
        part = whole
        for key in path:
            part = part[key]
        if not isinstance(part, dict) or path[-1:] == ("versions",):
            continue
        for key in part:
            less = changed(whole, path, {other: value for other, value in part.items() if other != key})
            assert VALIDATOR.is_valid(less) == _is_accepted(less), (path, key)
        more = changed(whole, path, {**part, "extra": 1})
        assert not VALIDATOR.is_valid(more) and not _is_accepted(more)


def _is_accepted(value):
    try:
        return bool(ModelCard.from_json(json.dumps(value)))
    except InvalidCard as error:
        return _is_about_meaning(str(error))


_OF_FORM = ("must be a string", "must be a number", "must be a list", "must be an ", "must be true", "must be one of")


def _is_about_meaning(reason):
    place, _, problem = reason.removeprefix("model card: ").partition(": ")
    return bool(place and problem) and not problem.startswith((*_OF_FORM, "is missing", "is not known"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"nmae": 1}, "nmae: is not known; did you mean 'name'?"),
        ({"geometry.size_wh": 1}, "geometry.size_wh: is not known; did you mean 'size_hw'?"),
        ({"geometry.size_hw": [8, "9"]}, r"geometry.size_hw[1]: must be an integer, found \"9\""),
        ({"geometry.size_hw": [8]}, "geometry.size_hw: must have 2 items, found 1"),
        ({"geometry.size_hw": [0, 8]}, "geometry.size_hw: must lie between 1 and 4096"),
        ({"geometry.method": "stretch"}, "geometry.method: must be one of resize_crop, squash, letterbox"),
        ({"geometry": None}, "geometry: must be an object, found null"),
        ({"task": "clasify"}, "task: must be one of classify, detect, segment, caption, embed"),
        ({"labels": ["a", "b", 3]}, "labels[2]: must be a string, found 3"),
        ({"labels": ["a", "a", "b"]}, "labels: must differ from each other"),
        ({"labels": []}, "labels: a model that can classify must have labels"),
        ({"labels": ["a", "b", "\ud800"]}, "labels: must be whole Unicode characters"),
        ({"labels": ["a", "b", "c\n"]}, "labels: must hold no control characters"),
        ({"name": "\x1b[2J"}, "name: must hold no control characters"),
        ({"name": "  "}, "name: must not be empty"),
        ({"label_ids": ["x"]}, "label_ids: must have one entry per label (3), found 1"),
        ({"thresholds": [0.1, 0.2, 1.2]}, "thresholds: must lie between 0 and 1"),
        ({"overlap": 0.5}, "overlap: holds for detect only"),
        ({"sure_from": 1.5}, "sure_from: must lie between 0 and 1"),
        ({"label_groups": None}, "sure_from: needs label_groups"),
        ({"multi_label": True}, "sure_from: needs label_groups, and one label per image"),
        ({"vocabulary": ["a"]}, "vocabulary: is for caption"),
        ({"calibration.temperature": 0}, "calibration.temperature: must be above 0"),
        ({"unknown.budget": 2}, "unknown.budget: must lie between 0 and 1, found 2"),
        ({"prediction_sets.coverages": [0.9, 1]}, "prediction_sets.coverages: must lie in 0 to 1"),
        ({"prediction_sets.thresholds": [0.9]}, "prediction_sets.thresholds: must be one for each coverage"),
        ({"prediction_sets.class_thresholds": [[0.1], [0.1]]}, "class_thresholds: must have one entry per label"),
        ({"calibration.count": 0}, "calibration.count: must be above 0"),
        ({"embedding.dim": 0}, "embedding.dim: must be above 0"),
        ({"evaluation": [{"metric": "top1"}]}, "evaluation[0].value: is missing"),
        ({"provenance.versions": {"a": 1}}, "provenance.versions: must be an object of strings"),
        ({"schema": 2}, "schema version must be 1, found 2; a newer Beholder may read it"),
        ({"schema": True}, "schema version must be 1, found True"),
        ({"schema": "1"}, "schema version must be 1, found '1'"),
        ({"schema": None}, "schema version must be 1, found None"),
    ],
)
def test_errors_name_the_place(change, reason):
    whole = json.loads(FULL.to_json())
    for place, value in change.items():
        whole = changed(whole, tuple(place.split(".")), value)
    with pytest.raises(InvalidCard) as caught:
        ModelCard.from_json(json.dumps(whole))
    assert reason.replace("\\", "") in str(caught.value)
    assert str(caught.value).startswith("model card: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "7", '"card"', b"\xff\xfe\xff", "[" * 100_000, '{"schema": 1, "name": NaN}', "1" * 5000],
)
def test_what_is_no_card(text):
    with pytest.raises(InvalidCard, match="model card: "):
        ModelCard.from_json(text)
    assert issubclass(InvalidCard, InvalidModel)


@pytest.mark.parametrize(
    ("task", "changes", "reason"),
    [
        ("embed", {"labels": ("a",)}, "labels: a model that can embed must have none"),
        ("embed", {"embedding": None}, "embedding: must be described"),
        ("caption", {"vocabulary": None}, "vocabulary"),
        ("detect", {"multi_label": True}, "multi_label: holds for classify only"),
        ("detect", {"overlap": -0.1}, "overlap: must lie between 0 and 1"),
        ("segment", {"labels": tuple(map(str, range(65_536)))}, "at most 65,535 to segment"),
        ("classify", {"labels": tuple(map(str, range(100_001)))}, "labels: must be at most 100,000, found 100,001"),
    ],
)
def test_what_depends_on_the_task(task, changes, reason):
    with pytest.raises(InvalidCard, match=reason):
        graphs.make_card(task, **changes)


def test_numbers_are_not_coerced():
    whole = json.loads(FULL.to_json())
    assert ModelCard.from_json(json.dumps({**whole, "sure_from": 1})).sure_from == 1.0  # an integer is a number
    for wrong in ("0.5", True, [0.5]):
        with pytest.raises(InvalidCard, match="sure_from: must be a number"):
            ModelCard.from_json(json.dumps({**whole, "sure_from": wrong}))
    with pytest.raises(InvalidCard, match="sure_from: must be a number"):
        ModelCard.from_json(json.dumps({**whole, "sure_from": float("inf")}))
