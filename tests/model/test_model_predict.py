"""From a source to an answer: photographs, reduced decoding, limits, frames, and the seam itself."""

import numpy as np
import PIL.Image
import pytest

import graphs
from beholder.errors import ImageTooLarge, InvalidModel, UnreadableImage, WrongTask
from beholder.image import Input, Limits
from beholder.model import FileModel, Geometry, Model, load_file
from beholder.model.loading import load_bytes
from beholder.result import Classification, Embedding, ImageFailure, Label
from numpy_runtime import NumpyRuntime, constant

DRAFTED = Geometry("resize_crop", (48, 48), resize=56, draft=2.0)
RED = (500, 300, 900, 700)
SIZE_HW = (1000, 1400)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Large JPEGs of the same thing, upright and turned by each of the eight ways that EXIF knows."""
    folder = tmp_path_factory.mktemp("photos")
    upright = PIL.Image.fromarray(graphs.photo(SIZE_HW, red=RED))
    turns = (None, 0, 3, 1, 5, 4, 6, 2)  # Image.Transpose that the camera did: the inverse of what EXIF asks for
    for orientation, turn in enumerate(turns, start=1):
        exif = PIL.Image.Exif()
        exif[274] = orientation
        stored = upright if turn is None else upright.transpose(PIL.Image.Transpose(turn))
        stored.save(folder / f"{orientation}.jpg", exif=exif, quality=95)
    return folder


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_large_photograph_is_read_reduced_and_answered_in_its_own_pixels(photos, orientation):
    model = load_bytes(graphs.model_bytes("detect", DRAFTED))
    found = model.predict(photos / f"{orientation}.jpg", threshold=0.5)
    assert found.size_hw == SIZE_HW
    assert len(found) == 1
    one_pixel_of_the_input = 1000 / 56
    assert np.allclose(found.boxes_xyxy, [RED], atol=one_pixel_of_the_input)
    assert found[0].mask.size_hw == SIZE_HW
    assert found.plot().shape == (*SIZE_HW, 3)


def test_reduced_or_whole(photos):
    """A file and its bytes always agree; an array is whole, and so is everything with `exact`."""
    path, data = photos / "1.jpg", graphs.model_bytes("embed", DRAFTED)
    array = np.asarray(PIL.Image.open(path))
    reduced, exact = load_bytes(data), load_bytes(data, exact=True)
    assert np.array_equal(reduced.embed(path).vector, reduced.embed(path.read_bytes()).vector)
    assert np.array_equal(exact.embed(path).vector, exact.embed(array).vector)
    assert np.array_equal(exact.embed(array).vector, reduced.embed(array).vector)
    assert np.allclose(reduced.embed(path).vector, exact.embed(path).vector, atol=0.02)


def test_arrays_of_other_shapes_and_types():
    model = load_bytes(graphs.model_bytes("embed"))
    gray = np.full((30, 40), 51, np.uint8)
    for array in (gray, gray[:, :, None], np.repeat(gray[:, :, None], 3, axis=2), gray / 255.0):
        assert model.embed(array).vector == pytest.approx([0.2, 0.2, 0.2], abs=1e-6)
        assert model.embed(array).size_hw == (30, 40)


def test_limits_hold(photos):
    strict = load_bytes(graphs.model_bytes("classify"), limits=Limits(max_pixels=10_000))
    with pytest.raises(ImageTooLarge, match=r"1\.jpg"):
        strict.predict(photos / "1.jpg")
    (answer,) = strict.predict_many([photos / "1.jpg"])
    assert isinstance(answer, ImageFailure)
    assert answer.kind == ImageTooLarge.kind


def test_frames_keep_their_number_and_time():
    def broken():
        raise UnreadableImage("film.mp4", "frame 2 cannot be decoded")

    frames = [
        Input("film.mp4", lambda: graphs.photo((20, 30), "red"), frame=0, time_seconds=0.0),
        Input("film.mp4", lambda: graphs.photo((20, 30), "blue"), frame=1, time_seconds=0.04, live=True),
        Input("film.mp4", broken, frame=2),
    ]
    answers = list(load_bytes(graphs.model_bytes("classify")).predict_many(frames))
    assert [answer.frame for answer in answers] == [0, 1, 2]
    assert [answer.time_seconds for answer in answers[:2]] == [0.0, 0.04]
    assert [answer.label for answer in answers[:2]] == ["red", "blue"]
    assert isinstance(answers[2], ImageFailure)


def test_a_changed_file_is_not_drawn_on(tmp_path):
    path = tmp_path / "a.png"
    PIL.Image.fromarray(graphs.photo((20, 30), "red")).save(path)
    result = load_bytes(graphs.model_bytes("classify")).predict(path)
    path.write_bytes(b"gone")
    assert result._repr_png_() is None
    with pytest.raises(UnreadableImage):
        result.plot()
    assert result.plot(graphs.photo((20, 30), "red")).shape == (20, 30, 3)


def test_a_model_says_what_it_is(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(graphs.model_bytes("classify"))
    model = load_file(path)
    assert repr(model) == f"<tiny-classify: classify, 3 labels, {model.runtime.device}>"
    assert model.card == graphs.make_card("classify")


def test_only_what_is_needed_is_computed():
    asked = []

    class Watched(NumpyRuntime):
        def run(self, images, outputs):
            asked.append(outputs)
            return super().run(images, outputs)

    rows = {"probabilities": [0.5, 0.3, 0.2], "embedding": [0.0, 0.0, 1.0], "logits": [1.0, 2.0, 3.0]}
    model = FileModel(graphs.make_card("classify"), Watched({name: constant(row) for name, row in rows.items()}))
    model.predict(graphs.photo((9, 9)))
    model.embed(graphs.photo((9, 9)))
    assert asked == [("probabilities",), ("embedding",)]


def test_a_broken_model_ends_the_stream():
    """It is no image's fault, so it is raised, and not once for each image."""
    model = FileModel(graphs.make_card("embed"), NumpyRuntime({"embedding": constant([0.0, np.nan, 0.0])}))
    with pytest.raises(InvalidModel, match="not numbers"):
        list(model.predict_many([graphs.photo((9, 9))] * 20))


class Canned(Model):
    """A model behind the seam that is no file."""

    card = graphs.make_card("classify")

    def answer_one(self, source, options, *, embed):
        best = tuple(Label(index, name, 0.5 - index / 10) for index, name in enumerate(graphs.LABELS))
        return Classification(source=str(source), size_hw=(1, 1), model="canned", labels=best[: options.top or None])

    def answer_many(self, sources, options, *, embed, batch_size):
        return (self.answer_one(source, options, embed=embed) for source in sources)


def test_another_model_behind_the_seam():
    canned = Canned()
    assert len(canned.predict("a").labels) == 3
    assert [len(answer.labels) for answer in canned.predict_many("abc", top=1)] == [1, 1, 1]
    with pytest.raises(WrongTask, match="gave classify where an embedding was asked for"):
        canned.embed("a")
    assert isinstance(load_bytes(graphs.model_bytes("embed")).embed(graphs.photo((5, 5))), Embedding)
