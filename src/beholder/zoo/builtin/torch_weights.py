"""Read the tensors of a legacy `torch.save` file without torch and without running what is in it.

The format is a sequence of pickles (magic number, protocol version, system facts, the state dict, the storage keys)
followed by the raw storages. A pickle can name any function to call, so the unpickler here knows three names and
refuses every other one before anything is called.

Source of the format: `torch/serialization.py` (`_legacy_save`), PyTorch 1.0 to 1.5.
"""

from __future__ import annotations

import math
import pickle
import struct
from collections import OrderedDict
from io import BytesIO
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from beholder.errors import InvalidModel

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL_VERSION = 1001
_STORAGE_DTYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}

_DAMAGE: Final = (
    pickle.UnpicklingError,
    struct.error,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OverflowError,
    TypeError,
    ValueError,
)
"""What reading a damaged file raises."""


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype[Any]
    length: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _StorageType(NamedTuple):
    dtype: np.dtype[Any]


def _tensor(storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


class _TensorUnpickler(pickle.Unpickler):
    """Knows ordered dictionaries, tensors and storages; everything else is refused by name."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in _STORAGE_DTYPES:
            return _StorageType(_STORAGE_DTYPES[name])
        raise InvalidModel(f"the weights ask for {module}.{name}, which is not a tensor; nothing was run")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, storage_type, key, _location, count, _view = pid
        if kind != "storage" or not isinstance(storage_type, _StorageType):
            raise InvalidModel(f"the weights hold a {kind!r} where a storage must be")
        return _Storage(str(key), storage_type.dtype, int(count))


def read_tensors(data: bytes) -> dict[str, NDArray[Any]]:
    """Read a legacy `torch.save` file that holds a dictionary of tensors.

    Args:
        data: the bytes of the file.

    Returns:
        The tensors by name, each a contiguous array of its stored dtype and shape.

    Raises:
        InvalidModel: the file is damaged, of another format, or holds anything but tensors.
    """
    stream = BytesIO(data)
    try:
        if _TensorUnpickler(stream).load() != _MAGIC_NUMBER:
            raise InvalidModel("the weights are not a legacy torch file: its magic number is missing")
        if _TensorUnpickler(stream).load() != _PROTOCOL_VERSION:
            raise InvalidModel("the weights have an unknown torch protocol version")
        if not _TensorUnpickler(stream).load()["little_endian"]:
            raise InvalidModel("the weights were written on a big-endian machine, which is not supported")
        tensors = _checked(_TensorUnpickler(stream).load())
        keys: list[str] = _TensorUnpickler(stream).load()
        storages = _read_storages(data, stream.tell(), keys, tensors)
        return {name: _materialize(tensor, storages) for name, tensor in tensors.items()}
    except _DAMAGE as error:
        raise InvalidModel(f"the weights are damaged: {error}") from error


def _checked(tensors: Any) -> dict[str, _Tensor]:
    if not isinstance(tensors, dict) or not all(isinstance(tensor, _Tensor) for tensor in tensors.values()):
        raise InvalidModel("the weights must be a dictionary of tensors, and hold something else")
    return tensors


def _read_storages(data: bytes, start: int, keys: list[str], tensors: dict[str, _Tensor]) -> dict[str, NDArray[Any]]:
    """Each storage is its element count (int64) and then its elements, in the order of `keys`."""
    declared = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    storages: dict[str, NDArray[Any]] = {}
    for key in keys:
        storage = declared[key]
        (count,) = struct.unpack_from("<q", data, start)
        if count != storage.length:
            raise InvalidModel(f"storage {key} holds {count} values where {storage.length} are declared")
        storages[key] = np.frombuffer(data, storage.dtype, count, start + 8)
        start += 8 + count * storage.dtype.itemsize
    return storages


def _materialize(tensor: _Tensor, storages: dict[str, NDArray[Any]]) -> NDArray[Any]:
    values = storages[tensor.storage.key]
    last = tensor.offset + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.strides, strict=True))
    too_many = math.prod(tensor.shape) > len(values)  # strides of 0 can claim any number
    if min((tensor.offset, *tensor.strides, *tensor.shape), default=0) < 0 or last >= len(values) or too_many:
        raise InvalidModel("a tensor reaches outside its storage")
    byte_strides = [stride * values.itemsize for stride in tensor.strides]
    view = np.lib.stride_tricks.as_strided(values[tensor.offset :], tensor.shape, byte_strides)
    return np.ascontiguousarray(view)
