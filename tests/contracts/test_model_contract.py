"""What every implementation of `Model` must do: add it to `IMPLEMENTATIONS`."""

import json
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import PIL.Image
import pytest

import graphs
from beholder.errors import SourceNotFound, UnreadableImage, UsageError, WrongTask
from beholder.model import FileModel, Model, OnnxRuntime, load_file
from beholder.model.file import card_of
from beholder.model.loading import load_bytes
from beholder.result import (
    Caption,
    Classification,
    Detections,
    Embedding,
    ImageFailure,
    Segmentation,
    result_from_dict,
)

RESULTS = {
    "classify": Classification,
    "detect": Detections,
    "segment": Segmentation,
    "caption": Caption,
    "embed": Embedding,
}


def from_file(data, folder):
    path = folder / "model.onnx"
    path.write_bytes(data)
    return load_file(path)


def from_bytes(data, _):
    return load_bytes(data)


def from_parts(data, _):
    return FileModel(card_of(data), OnnxRuntime(data, "cpu"), isolation="always")


IMPLEMENTATIONS = {"file": from_file, "bytes": from_bytes, "parts": from_parts}


@pytest.fixture(scope="module", params=IMPLEMENTATIONS)
def implementation(request):
    return IMPLEMENTATIONS[request.param]


@pytest.fixture(scope="module", params=graphs.TASKS)
def model(request, implementation, tmp_path_factory) -> Model:
    return implementation(graphs.model_bytes(request.param), tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five photographs; the third is damaged."""
    found = tmp_path_factory.mktemp("photos")
    for index, color in enumerate(("red", "green", "blue", "red", "blue")):
        pixels = graphs.photo((60 + index, 90), **{color: (10, 20, 50 + index, 40)})
        PIL.Image.fromarray(pixels).save(found / f"{index}.png")
    (found / "2.png").write_bytes((found / "2.png").read_bytes()[:60])
    return found


def said(result):
    """What a result says, whatever its image is called."""
    return {**result.to_dict(), "source": ""}


def test_predict_gives_the_result_of_the_task(model, folder):
    result = model.predict(folder / "0.png")
    assert type(result) is RESULTS[model.card.task]
    assert result.source == str(folder / "0.png")
    assert result.size_hw == (60, 90)
    assert result.model == model.card.name
    assert (result.frame, result.time_seconds) == (None, None)


def test_results_survive_json(model, folder):
    result = model.predict(folder / "0.png", top=0)
    written = json.dumps(result.to_dict(), allow_nan=False)
    assert result_from_dict(json.loads(written)) == result


def test_results_draw_themselves_from_their_source(model, folder, tmp_path):
    for result in (model.predict(folder / "0.png"), next(model.predict_many(folder))):
        drawn = result.plot()
        assert drawn.shape == (60, 90, 3)
        assert drawn.dtype == np.uint8
        assert result._repr_png_().startswith(b"\x89PNG")
        result.save(tmp_path / "drawn.png", overwrite=True)
        with PIL.Image.open(tmp_path / "drawn.png") as saved:
            assert saved.size == (90, 60)


def test_every_form_of_an_image_gives_the_same_answer(model, folder):
    path = folder / "1.png"
    data = path.read_bytes()
    with PIL.Image.open(path) as opened:
        forms = [str(path), data, bytearray(data), BytesIO(data), opened, np.asarray(opened)]
        answers = [said(model.predict(form)) for form in forms]
    assert all(answer == said(model.predict(path)) for answer in answers)


def test_many_are_answered_in_order_past_a_bad_one(model, folder):
    answers = list(model.predict_many(folder))
    assert [answer.source for answer in answers] == [str(folder / f"{index}.png") for index in range(5)]
    assert isinstance(answers[2], ImageFailure)
    assert answers[2].kind == UnreadableImage.kind
    for index in (0, 1, 3, 4):
        assert answers[index] == model.predict(folder / f"{index}.png")


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_the_batch_does_not_change_the_answers(model, folder, batch_size):
    expected = [said(answer) for answer in model.predict_many(folder)]
    assert [said(answer) for answer in model.predict_many(folder, batch_size=batch_size)] == expected


def test_many_sources_of_many_kinds(model, folder):
    data = (folder / "0.png").read_bytes()
    sources = [
        folder / "0.png",
        data,
        graphs.photo((30, 40), red=(0, 0, 9, 9)),
        "missing.png",
        str(folder / "[34].png"),
    ]
    answers = list(model.predict_many(iter(sources)))
    assert len(answers) == 6
    assert said(answers[0]) == said(answers[1])
    assert [answer.size_hw for answer in (answers[2], *answers[4:])] == [(30, 40), (63, 90), (64, 90)]
    assert (answers[3].kind, answers[3].source) == (SourceNotFound.kind, "missing.png")


def test_many_is_a_stream(model, folder):
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield folder / "0.png"

    stream = model.predict_many(endless())
    assert type(next(stream)) is RESULTS[model.card.task]
    stream.close()
    assert len(taken) < 1000


def test_nothing_gives_no_answers(model):
    assert list(model.predict_many([])) == []


def test_one_image_that_cannot_be_had_raises(model, folder):
    with pytest.raises(SourceNotFound, match=r"missing\.png"):
        model.predict("missing.png")
    with pytest.raises(UnreadableImage, match=r"2\.png"):
        model.predict(folder / "2.png")
    with pytest.raises(UnreadableImage):
        model.predict(b"no image")
    for several in (folder, str(folder), [folder / "0.png"]):
        with pytest.raises(UsageError, match="predict_many"):
            model.predict(several)
    with pytest.raises(UsageError, match="found int"):
        model.predict(7)


@pytest.mark.parametrize("wrong", [{"top": -1}, {"top": 2.5}, {"threshold": 1.1}, {"threshold": float("nan")}])
def test_options_are_checked_before_anything_is_read(model, wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        model.predict("missing.png", **wrong)
    with pytest.raises(UsageError, match=next(iter(wrong))):
        model.predict_many("missing.png", **wrong)


@pytest.mark.parametrize("wrong", [0, -3, 1.5])
def test_the_batch_size_is_checked(model, wrong):
    with pytest.raises(UsageError, match="batch_size"):
        model.predict_many([], batch_size=wrong)


def test_embeddings(model, folder):
    if model.card.embedding is None:
        for ask in (model.embed, model.embed_many):
            with pytest.raises(WrongTask, match="gives no embedding"):
                ask(folder / "0.png")
        return
    one = model.embed(folder / "0.png")
    many = list(model.embed_many(folder))
    assert type(one) is Embedding
    assert one.vector.dtype == np.float32
    assert one.vector.shape == (model.card.embedding.dim,)
    assert one.space == model.card.embedding.space
    assert many[0] == one
    assert [type(answer) for answer in many] == [Embedding, Embedding, ImageFailure, Embedding, Embedding]


def test_threads_do_not_disturb_each_other(model, folder):
    paths = [folder / f"{index}.png" for index in (0, 1, 3, 4)]
    expected = {path: said(model.predict(path)) for path in paths}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda path: (path, said(model.predict(path))), paths * 10))
        streams = list(pool.map(lambda _: [said(answer) for answer in model.predict_many(paths)], range(8)))
    assert all(answer == expected[path] for path, answer in answers)
    assert all(stream == list(expected.values()) for stream in streams)
