"""What every implementation of `Runtime` must do: add it to `IMPLEMENTATIONS`. All run the same small classifier."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import graphs
from beholder.model import FileModel, OnnxRuntime, Runtime, available_devices
from beholder.result import Classification
from numpy_runtime import mean_color

SIZE_HW = (8, 12)


def onnx_runtime(device):
    return lambda: OnnxRuntime(graphs.build_graph("classify", SIZE_HW).SerializeToString(), device)


IMPLEMENTATIONS = {"numpy": mean_color, **{device: onnx_runtime(device) for device in (*available_devices(), "auto")}}


@pytest.fixture(scope="module", params=IMPLEMENTATIONS)
def runtime(request) -> Runtime:
    return IMPLEMENTATIONS[request.param]()


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (9, *SIZE_HW, 3), np.uint8)


def expected(images):
    return images.mean(axis=(1, 2)) / 255


def test_it_says_what_it_is(runtime):
    assert runtime.device in available_devices()
    assert isinstance(runtime.batch_size, int) and runtime.batch_size >= 1
    assert isinstance(runtime.threads, int) and runtime.threads >= 1
    assert isinstance(runtime.outputs, tuple)
    assert {"probabilities", "embedding"} <= set(runtime.outputs)


def test_it_gives_what_is_wanted_and_nothing_else(runtime, images):
    assert list(runtime.run(images, ("embedding",))) == ["embedding"]
    both = runtime.run(images, ("probabilities", "embedding"))
    assert set(both) == {"probabilities", "embedding"}
    assert np.allclose(both["embedding"], expected(images), atol=1e-5)
    assert np.allclose(both["probabilities"], graphs.softmax(graphs.SHARPNESS * expected(images)), atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 4, 9])
def test_any_number_of_images(runtime, images, count):
    for name, values in runtime.run(images[:count], ("probabilities", "embedding")).items():
        assert isinstance(values, np.ndarray)
        assert values.dtype == np.float32
        assert values.shape == (count, 3), name


def test_rows_are_in_the_order_of_the_images(runtime, images):
    together = runtime.run(images, ("embedding",))["embedding"]
    alone = np.concatenate([runtime.run(image[None], ("embedding",))["embedding"] for image in images])
    assert np.allclose(together, alone, atol=1e-6)
    reversed_ = runtime.run(images[::-1], ("embedding",))["embedding"]  # also when the images lie elsewhere in memory
    assert np.allclose(reversed_[::-1], together, atol=1e-6)


def test_images_are_left_as_they_are(runtime, images):
    fixed = images.copy()
    fixed.setflags(write=False)
    runtime.run(fixed, ("embedding",))
    assert np.array_equal(fixed, images)


def test_what_it_gave_stays(runtime, images):
    """Results are decoded while the next batch runs, so no buffer may be used twice."""
    first = runtime.run(images[:1], ("embedding",))["embedding"]
    kept = first.copy()
    runtime.run(images[1:2], ("embedding",))
    assert np.array_equal(first, kept)


def test_several_threads_at_a_time(runtime, images):
    whole = runtime.run(images, ("embedding",))["embedding"]
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda index: runtime.run(images[index % 9, None], ("embedding",)), range(90)))
    assert np.allclose([row["embedding"][0] for row in rows], np.tile(whole, (10, 1)), atol=1e-6)


def test_a_model_runs_on_it(runtime):
    model = FileModel(graphs.make_card("classify", graphs.Geometry("squash", SIZE_HW)), runtime)
    result = model.predict(graphs.photo((20, 20), "green"))
    assert isinstance(result, Classification)
    assert result.label == "green"
    assert model.embed(graphs.photo((20, 20), "green")).vector == pytest.approx([0, 1, 0])
