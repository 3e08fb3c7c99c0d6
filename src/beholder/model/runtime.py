"""The seam to whatever runs a graph: tensors in, tensors out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Protocol

from beholder.errors import InvalidModel, UsageError, one_line
from beholder.records import nearest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Tensors = Mapping[str, "NDArray[Any]"]

_GPU_PROVIDERS: Final = {
    "cuda": "CUDAExecutionProvider",
    "rocm": "ROCMExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}
_CPU_BATCH: Final = 2
_GPU_BATCH: Final = 32
_USUAL_MEMORY_BYTES: Final = 8 * 2**30


class Runtime(Protocol):
    """Runs one graph. `run` may be called from several threads at a time.

    Attributes:
        device: where it runs, such as `cpu` or `cuda`.
        batch_size: how many images a call should hold to be fast.
        threads: how many calls at a time make it fastest.
        outputs: the names of the graph's outputs.
    """

    device: str
    batch_size: int
    threads: int
    outputs: tuple[str, ...]

    def run(self, images: NDArray[np.uint8], outputs: Sequence[str]) -> Tensors:
        """Run a batch.

        Args:
            images: uint8 `(N, height, width, 3)`, RGB.
            outputs: the names of what is wanted.

        Returns:
            The wanted outputs, each with N as its first dimension.
        """
        ...


def available_cores() -> int:
    """How many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load_onnxruntime() -> Any:
    """ONNX Runtime, told before it is loaded to send nothing to its makers.

    Its wheels since 1.31 report usage over the network and keep a database of it in the home folder unless the
    environment says otherwise when it is loaded (see its `Privacy.md`). A program that has loaded it earlier must set
    `ORT_DISABLE_TELEMETRY=1` itself.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def available_devices() -> tuple[str, ...]:
    """The devices that ONNX Runtime can use here, the fastest first; always ends with `cpu`."""
    present = load_onnxruntime().get_available_providers()
    return (*(name for name, provider in _GPU_PROVIDERS.items() if provider in present), "cpu")


class OnnxRuntime:
    """ONNX Runtime.

    On the CPU each call runs in one thread and several calls run at a time: that is as fast as one call that uses all
    cores (measured; see benchmarks/README.md), and leaves no core idle while images are decoded. Batches of 2 cost as
    little time for each image as larger ones, and less memory.

    Args:
        model: the bytes of an inspected ONNX file with the one input `image`.
        device: `auto` for the fastest present, or one of `available_devices()`.

    Attributes:
        input_hw: height and width that the graph declares for its input; None where it leaves them open.
        output_shapes: the shapes that the graph declares for its outputs; None where it leaves a dimension open.

    Raises:
        InvalidModel: ONNX Runtime refuses the graph, or it breaks the contract.
        UsageError: the device is not present, or does not start.
    """

    def __init__(self, model: bytes, device: str = "auto") -> None:
        self._session, self.device = _open_session(model, device)
        try:
            shapes = {output.name: tuple(map(_size, output.shape)) for output in self._session.get_outputs()}
            _check_input(self._session.get_inputs())
            _, height, width, _ = self._session.get_inputs()[0].shape
        except UnicodeDecodeError:
            raise InvalidModel("the names in its graph must be text (UTF-8)") from None
        self.input_hw = _size(height), _size(width)
        self.output_shapes: Mapping[str, tuple[int | None, ...]] = shapes
        self.outputs = tuple(shapes)
        self.batch_size = _CPU_BATCH if self.device == "cpu" else _GPU_BATCH
        self.threads = available_cores()

    def run(self, images: NDArray[np.uint8], outputs: Sequence[str]) -> Tensors:
        """Run a batch; see `Runtime.run`.

        Raises:
            InvalidModel: the graph fails on this batch.
        """
        try:
            values = self._session.run(list(outputs), {"image": images})
        except Exception as error:  # ONNX Runtime has a dozen exceptions without a common class
            raise InvalidModel(f"the graph fails when it is run: {_first_line(error)}") from None
        return dict(zip(outputs, values, strict=True))


def open_cpu_session(model: bytes) -> Any:
    """A session of ONNX Runtime for an inspected graph that need not obey the contract, as when one is imported.

    Raises:
        InvalidModel: ONNX Runtime refuses the graph.
    """
    return _open_session(model, "cpu")[0]


def _open_session(model: bytes, wanted: str) -> tuple[Any, str]:
    """A session on the first of the wanted devices that starts, and that device."""
    reason = ""
    for device in _wanted_gpus(wanted):
        session, reason = _try_gpu(model, device)
        if session is not None:
            return session, device
    if wanted not in ("auto", "cpu"):
        raise UsageError(f"device {wanted!r} does not start here: {reason}; use auto")
    try:
        return _session(model, []), "cpu"
    except Exception as error:  # ONNX Runtime has a dozen exceptions without a common class
        raise InvalidModel(f"ONNX Runtime refuses the graph: {_first_line(error)}") from None


def _try_gpu(model: bytes, device: str) -> tuple[Any, str]:
    """A session on a GPU, or None and why not."""
    provider = _GPU_PROVIDERS[device]
    try:
        session = _session(model, [provider])
    except Exception as error:  # ONNX Runtime has a dozen exceptions without a common class
        return None, _first_line(error)
    if session.get_providers()[0] != provider:  # without its drivers ONNX Runtime goes on without it, in silence
        return None, "its drivers or libraries are missing"
    return session, ""


def _session(model: bytes, gpu_providers: list[str]) -> Any:
    onnxruntime = load_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised, and said once
    options.add_session_config_entry("session.load_model_format", "ONNX")  # what was inspected, and nothing else
    if _bound_memory():
        options.add_session_config_entry("session.use_env_allocators", "1")
    providers = [*gpu_providers, "CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(model, options, providers=providers, enable_fallback=0)
    session._model_bytes = None  # kept to open the session again elsewhere, which is never asked for
    return session


@cache
def _bound_memory() -> bool:
    """Let all sessions share an arena of half this machine's memory, where a graph that asks for more fails alone.

    A shape that is computed inside a graph cannot be seen before it runs, and the system would end the whole process.
    """
    onnxruntime = load_onnxruntime()
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows cannot tell
        total = _USUAL_MEMORY_BYTES
    place = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    try:
        onnxruntime.create_and_register_allocator(place, onnxruntime.OrtArenaCfg({"max_mem": total // 2}))
    except Exception:  # the program that this is a part of has registered its own
        return False
    return True


def _wanted_gpus(wanted: str) -> tuple[str, ...]:
    """The GPUs to try, best first."""
    if wanted == "cpu":
        return ()
    devices = available_devices()
    if wanted == "auto":
        return devices[:-1]
    if wanted not in devices:
        known = ("auto", *_GPU_PROVIDERS, "cpu")
        if wanted not in known:
            raise UsageError(f"device {wanted!r} is not known; {nearest(wanted, known)}")
        raise UsageError(f"device {wanted!r} is not present here; present: {', '.join(devices)}")
    return (wanted,)


def _check_input(inputs: Sequence[Any]) -> None:
    found = [(value.name, value.type, len(value.shape), value.shape[-1:]) for value in inputs]
    if found != [("image", "tensor(uint8)", 4, [3])]:
        described = one_line(", ".join(f"{value.name} {value.type} {value.shape}" for value in inputs)[:300]) or "none"
        raise InvalidModel(
            f"must have one input, image: uint8 [N, height, width, 3]; found {described}; "
            "make a model file of it with: beholder import FILE"
        )
    if isinstance(inputs[0].shape[0], int):
        raise InvalidModel(
            f"must take any number of images at a time; its input takes {inputs[0].shape[0]}: "
            "export it with a dynamic batch dimension"
        )


def _size(dimension: Any) -> int | None:
    return dimension if isinstance(dimension, int) else None


def _first_line(error: Exception) -> str:
    text = one_line(" ".join(str(error).split()))
    return text[:300] or type(error).__name__
