"""Devices: which are tried, and what is said when one is not there."""

import numpy as np
import onnxruntime
import pytest

import graphs
from beholder.errors import InvalidModel, UsageError
from beholder.model import OnnxRuntime, available_devices, load_file

GRAPH = graphs.build_graph("classify", (8, 8)).SerializeToString()
CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"


@pytest.fixture
def machine(monkeypatch):
    """A machine that says it has some providers, of which some start, some are left out in silence, some fail."""
    started = []
    real = onnxruntime.InferenceSession

    def pretend(providers, *, failing=(), silent=()):
        def session(model, options, providers, **others):
            if set(failing) & set(providers):
                raise RuntimeError("no driver\nfound")
            started.append(providers)
            found = real(model, options, providers=[CPU], **others)
            kept = [name for name in providers if name not in silent]
            monkeypatch.setattr(type(found), "get_providers", lambda self: kept)
            return found

        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(providers))
        monkeypatch.setattr(onnxruntime, "InferenceSession", session)
        return started

    return pretend


def test_the_processor_is_always_there():
    assert available_devices()[-1] == "cpu"
    assert OnnxRuntime(GRAPH, "cpu").device == "cpu"
    assert OnnxRuntime(GRAPH).device in available_devices()


def test_a_device_that_is_not_here():
    for device in {"cuda", "rocm", "directml", "coreml"} - set(available_devices()):
        with pytest.raises(UsageError, match=f"device '{device}' is not present here; present: .*cpu"):
            OnnxRuntime(GRAPH, device)


@pytest.mark.parametrize(("wrong", "right"), [("cdua", "cuda"), ("CPU", "known: auto, cuda"), ("corml", "coreml")])
def test_a_device_that_nobody_knows(wrong, right):
    with pytest.raises(UsageError, match=f"device '{wrong}' is not known; .*{right}"):
        OnnxRuntime(GRAPH, wrong)


def test_the_device_is_passed_on_by_load(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(graphs.model_bytes("classify"))
    with pytest.raises(UsageError, match="did you mean 'cuda'"):
        load_file(path, device="cdua")
    assert load_file(path, device="cpu").runtime.device == "cpu"


def test_a_gpu_is_chosen_when_present(machine):
    started = machine([CUDA, CPU])
    assert available_devices() == ("cuda", "cpu")
    for wanted in ("auto", "cuda"):
        runtime = OnnxRuntime(GRAPH, wanted)
        assert runtime.device == "cuda"
        assert runtime.batch_size > OnnxRuntime(GRAPH, "cpu").batch_size
    assert started == [[CUDA, CPU], [CPU]] * 2


def test_a_gpu_that_does_not_start_is_passed_over(machine, capfd):
    for how in ("failing", "silent"):
        machine(["DmlExecutionProvider", CUDA, CPU], **{how: [CUDA]})
        assert available_devices() == ("cuda", "directml", "cpu")
        assert OnnxRuntime(GRAPH).device == "directml"
        machine([CUDA, CPU], **{how: [CUDA]})
        assert OnnxRuntime(GRAPH).device == "cpu"
        with pytest.raises(UsageError, match=r"device 'cuda' does not start here: .*; use auto$") as caught:
            OnnxRuntime(GRAPH, "cuda")
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_graph_that_is_refused_is_the_graphs_fault(machine):
    machine([CUDA, CPU])
    with pytest.raises(InvalidModel, match="ONNX Runtime refuses the graph"):
        OnnxRuntime(b"\x08\x08:\x00")


def test_what_the_graph_declares():
    runtime = OnnxRuntime(GRAPH)
    assert runtime.input_hw == (8, 8)
    assert runtime.output_shapes["probabilities"] == (None, 3)
    assert runtime.output_shapes["familiarity"] == (None,)
    assert set(runtime.outputs) == {"probabilities", "logits", "embedding", "familiarity"}
    open_size = OnnxRuntime(graphs.build_graph("embed", ("h", "w")).SerializeToString())
    assert open_size.input_hw == (None, None)
    for size in ((4, 4), (7, 3)):
        found = open_size.run(np.full((1, *size, 3), 255, np.uint8), ("embedding",))
        assert found["embedding"].tolist() == [[1, 1, 1]]


def test_a_wrong_request_is_an_error_of_one_line():
    runtime = OnnxRuntime(GRAPH)
    for images, outputs in ((np.zeros((1, 9, 9, 3), np.uint8), ("embedding",)), (np.zeros((1, 8, 8, 3)), ("logits",))):
        with pytest.raises(InvalidModel, match="the graph fails when it is run: ") as caught:
            runtime.run(images, outputs)
        assert "\n" not in str(caught.value)
    with pytest.raises(InvalidModel):
        runtime.run(np.zeros((1, 8, 8, 3), np.uint8), ("no such output",))
