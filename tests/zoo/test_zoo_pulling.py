"""Pulling a model from a hub that is served on this machine."""

import hashlib
import socket

import numpy as np
import pytest
from bird_repository import CONFIG, NAME, OPEN, PREPROCESSOR, files, graph
from loopback_hub import COMMIT
from onnx import TensorProto
from tiny_graphs import SIZE_HW, by_hand, classifier

from beholder.errors import HubError, InvalidModel, Offline, OutputExists, UsageError
from beholder.model import Geometry, load_file, read_card
from beholder.zoo import available, find, load
from beholder.zoo.hub.pulling import find_pulled, pull
from beholder.zoo.names import pulled_path


@pytest.fixture
def birds(hub_here, monkeypatch):
    hub_here.add(NAME, files())
    hub_here.card_data = {"license": "cc-by-4.0", "datasets": ["imagenet-1k"]}
    monkeypatch.setenv("HF_ENDPOINT", hub_here.url)
    return hub_here


def image():
    return np.random.default_rng(3).integers(0, 256, (*SIZE_HW, 3), np.uint8)


def test_a_pulled_model_answers_as_its_original(birds):
    path = pull(NAME)
    assert path == pulled_path(NAME) == find(NAME)
    model = load(NAME)
    scores = by_hand(classifier(**OPEN), image(), mean=PREPROCESSOR["image_mean"], std=PREPROCESSOR["image_std"])
    expected = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    found = {label.index: label.confidence for label in model.predict(image(), top=0).labels}
    assert [found[index] for index in range(4)] == pytest.approx(expected.tolist(), abs=2e-6)
    assert model.embed(image()).space == model.card.embedding.space


def test_the_card_says_where_it_is_from(birds):
    card = read_card(pull(NAME))
    host = birds.url.removeprefix("http://")
    assert card.name == NAME
    assert card.labels == ("wren", "robin", "crane (2)", "crane (3)")
    assert card.geometry == Geometry("squash", SIZE_HW, resample="bilinear")
    assert card.provenance.weights_source == f"{host}/{NAME}@{COMMIT}/onnx/model.onnx"
    assert card.provenance.weights_digest == f"sha256:{hashlib.sha256(graph()).hexdigest()}"
    assert card.provenance.weights_license == "cc-by-4.0"
    assert card.provenance.data_source == "imagenet-1k"
    assert "crane" in card.provenance.notes[0]
    assert [name for name, _ in available()][-1] == NAME


def test_nothing_else_stays_in_the_cache(birds, cache):
    path = pull(NAME)
    assert [found for found in cache.rglob("*") if found.is_file()] == [path]


def test_only_what_is_needed_is_fetched(birds):
    told = []
    pull(NAME, progress=lambda done, total: told.append((done, total)))
    assert [request.path.rpartition("/")[2] for request in birds.file_requests] == [
        "config.json",
        "preprocessor_config.json",
        "model.onnx",
    ]
    assert told[-1] == (len(graph()), len(graph()))


def test_a_second_pull_asks_nothing_and_works_offline(birds, monkeypatch):
    path = pull(NAME)
    asked = len(birds.requests)
    monkeypatch.setenv("BEHOLDER_OFFLINE", "1")
    monkeypatch.setattr(socket, "socket", lambda *_, **__: pytest.fail("a socket was opened"))
    assert pull(NAME) == path
    assert pull(NAME, revision=COMMIT) == path
    assert pull(NAME, file="onnx/model.onnx") == path
    assert len(birds.requests) == asked
    assert load(NAME).predict(image()).label


def test_offline_fetches_nothing(birds, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(socket, "socket", lambda *_, **__: pytest.fail("a socket was opened"))
    with pytest.raises(Offline, match=f"{NAME} is not here, and may not be fetched as HF_HUB_OFFLINE is set"):
        pull(NAME)
    assert birds.requests == []


def test_a_built_in_model_is_here_already(monkeypatch):
    monkeypatch.setenv("BEHOLDER_OFFLINE", "1")
    assert pull("efficientnet-lite0") == find("efficientnet-lite0")


def test_another_revision_does_not_replace_what_is_here_unasked(birds):
    path = pull(NAME)
    before = path.read_bytes()
    assert pull(NAME, revision="v1/with-slash") == path  # the same commit by another name
    birds.commit = "f" * 40
    birds.add(NAME, files(**{"onnx/model.onnx": graph(seed=1)}))
    assert find_pulled(NAME) == path
    assert find_pulled(NAME, revision=birds.commit) is None
    with pytest.raises(OutputExists, match="another revision or file of it is here already; pass --force"):
        pull(NAME, revision=birds.commit)
    assert path.read_bytes() == before
    assert pull(NAME, force=True) == path
    assert path.read_bytes() != before
    assert read_card(path).provenance.weights_source.endswith(f"@{birds.commit}/onnx/model.onnx")


def test_an_interrupted_pull_goes_on_where_it_broke(birds, client):
    size = len(graph())
    birds.drop_after.extend([10_000, 10_000, size // 2])  # the settings are shorter: they arrive whole
    path = pull(NAME, hub=client)
    assert birds.file_requests[-1].headers["range"] == f"bytes={size // 2}-"
    assert load_file(path)


# Which file


@pytest.mark.parametrize(
    ("paths", "chosen"),
    [
        (["model.onnx", "onnx/model.onnx", "onnx/model_int8.onnx"], "onnx/model.onnx"),
        (["model.onnx", "model_fp16.onnx"], "model.onnx"),
        (["weird/Name.ONNX"], "weird/Name.ONNX"),
    ],
)
def test_the_usual_file_is_taken(birds, paths, chosen):
    birds.add(NAME, files(**{"onnx/model.onnx": None, **dict.fromkeys(paths, graph())}))
    assert read_card(pull(NAME)).provenance.weights_source.endswith(f"@{COMMIT}/{chosen}")


def test_of_several_files_one_must_be_named(birds):
    birds.add(NAME, files(**{"onnx/model.onnx": None, "a.onnx": graph(), "b/c.onnx": graph(seed=1)}))
    with pytest.raises(HubError, match=r"several ONNX files; choose one with --file: a\.onnx, b/c\.onnx"):
        pull(NAME)
    with pytest.raises(HubError, match=r"has no ONNX file 'd\.onnx'; it has: a\.onnx, b/c\.onnx"):
        pull(NAME, file="d.onnx")
    assert read_card(pull(NAME, file="b/c.onnx")).provenance.weights_source.endswith("/b/c.onnx")
    with pytest.raises(OutputExists, match="another revision or file"):
        pull(NAME, file="a.onnx")


def test_a_file_that_no_import_could_take_is_not_fetched(birds, monkeypatch):
    monkeypatch.setattr("beholder.zoo.hub.pulling.MAX_FILE_BYTES", 1000)
    with pytest.raises(HubError, match=r"onnx/model\.onnx must be under 2 GiB"):
        pull(NAME)
    assert birds.file_requests == []


def test_settings_beside_the_file_come_first(birds):
    birds.add(NAME, files(**{"onnx/config.json": {**CONFIG, "id2label": {str(i): f"x{i}" for i in range(4)}}}))
    assert read_card(pull(NAME)).labels == ("x0", "x1", "x2", "x3")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"onnx/model.onnx": None}, "holds no ONNX file"),
        ({"onnx/model.onnx_data": b"x"}, "keeps its weights in onnx/model.onnx_data"),
        ({"config.json": None}, r"has no config\.json"),
        ({"preprocessor_config.json": None}, r"has no preprocessor_config\.json"),
        ({"config.json": b"{"}, r"config\.json: must be JSON"),
        ({"config.json": b" " * (4 * 2**20 + 1)}, r"config\.json must be at most 4,194,304 bytes"),
        ({"config.json": {**CONFIG, "architectures": ["CLIPModel"]}}, "ForImageClassification, found CLIPModel"),
        ({"config.json": {**CONFIG, "architectures": None}}, "ForImageClassification, found none"),
        ({"config.json": {**CONFIG, "architectures": 5}}, "architectures must be a list of strings"),
        ({"config.json": {**CONFIG, "problem_type": "regression"}}, "its problem_type is 'regression'"),
        ({"config.json": {**CONFIG, "id2label": None}}, "id2label must be an object, found null"),
        ({"config.json": {**CONFIG, "id2label": {}}}, "must have 1 to 100,000 labels, found 0"),
        (
            {"config.json": {**CONFIG, "id2label": {"0": "a", "2": "b"}}},
            "1 must be a string .*, found nothing",
        ),
        ({"config.json": {**CONFIG, "id2label": {"0": 5}}}, "0 must be a string of plain text, found 5"),
        ({"config.json": {**CONFIG, "id2label": {"0": " "}}}, "a label must not be blank"),
        ({"config.json": {**CONFIG, "id2label": {"0": "\x1b[2J"}}}, "0 must be a string of plain text"),
        ({"config.json": {**CONFIG, "id2label": {"0": "a", "1": "a", "2": "a (0)"}}}, "labels must differ"),
        ({"preprocessor_config.json": {**PREPROCESSOR, "size": "x"}}, r"preprocessor_config\.json: size must be"),
    ],
)
def test_repositories_that_hold_no_classifier_are_refused_before_the_weights_are_fetched(birds, changes, words):
    birds.add(NAME, files(**changes))
    with pytest.raises(HubError, match=words):
        pull(NAME)
    assert not any(".onnx" in request.path for request in birds.file_requests)
    assert not pulled_path(NAME).exists()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"not onnx at all, but long enough", r"someone/birds: onnx/model\.onnx: is text"),
        (graph(ending="Sigmoid"), "the graph ends in sigmoid, so several labels may hold"),
        (graph(kind=TensorProto.FLOAT, channels=4), "nchw needs 3 channels"),
    ],
)
def test_graphs_that_cannot_be_imported_are_refused(birds, data, words):
    birds.add(NAME, files(**{"onnx/model.onnx": data}))
    with pytest.raises(InvalidModel, match=words):
        pull(NAME)
    assert not pulled_path(NAME).exists()


def test_the_number_of_labels_must_be_that_of_the_graph(birds):
    birds.add(NAME, files(**{"config.json": {**CONFIG, "id2label": {"0": "a", "1": "b"}}}))
    with pytest.raises(InvalidModel, match=r"labels: must be 4, .* found 2"):
        pull(NAME)


def test_several_labels_may_hold_where_the_config_says_so(birds):
    birds.add(NAME, files(**{"config.json": {**CONFIG, "problem_type": "multi_label_classification"}}))
    pull(NAME)
    model = load(NAME)
    assert model.card.multi_label
    assert model.predict(image()).accepted is not None


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/../b", "birds", "https://huggingface.co/a/b"])
def test_names_that_are_none_are_refused(birds, name):
    with pytest.raises(UsageError, match="must be like organization/name"):
        pull(name)
    assert birds.requests == []
