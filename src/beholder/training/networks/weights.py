"""The weights of a network as a file of their own, for a later training to start from. No pickle, no code in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import safetensors.torch
from safetensors import SafetensorError

from beholder.errors import UsageError
from beholder.training.networks.network import Network

_CHANNELS: Final = "channels"
_FITTED_ON: Final = "fitted_on"

WEIGHTS: Final = ("auto", "none", "pretrained")
"""What the key `weights` of a recipe may say, beside the name of a file."""


def weights_bytes(network: Network, channels: int, marks: Iterable[str]) -> bytes:
    """The weights and statistics of a network, in the format of safetensors.

    Args:
        network: whose they are.
        channels: of its images.
        marks: of the images that it was fitted on, as `beholder.model.card.fitting_mark` makes them.
    """
    state = {name: tensor.detach().contiguous().clone() for name, tensor in network.state_dict().items()}
    return safetensors.torch.save(state, {_CHANNELS: str(channels), _FITTED_ON: " ".join(sorted(marks))})


def channels_of(path: str) -> int:
    """For images of how many channels weights are that an earlier run left: 1 or 3.

    Raises:
        UsageError: there is no such file, or it is damaged.
    """
    return 1 if _told(path).get(_CHANNELS) == "1" else 3


def marks_of(path: str) -> frozenset[str]:
    """Marks of the images that weights were fitted on that an earlier run left; raises as `channels_of`."""
    return frozenset(_told(path).get(_FITTED_ON, "").split())


def _told(path: str) -> dict[str, str]:
    """What a file of weights says beside them."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise _no_weights(path, error) from None


def load_weights(network: Network, path: str) -> bool:
    """Give a network the weights that an earlier run left.

    Args:
        network: of the same architecture and width, and where its weights depend on the size, of the same size.
        path: the file, `weights.safetensors` of a run.

    Returns:
        Whether its last layer came too: where the classes are others in number, it stays as it is.

    Raises:
        UsageError: there is no such file, it is damaged, or the weights are of another network.
    """
    try:
        state = safetensors.torch.load_file(path)
    except (OSError, SafetensorError) as error:
        raise _no_weights(path, error) from None
    own = network.state_dict()
    other = [name for name, tensor in own.items() if name not in state or state[name].shape != tensor.shape]
    if any(not name.startswith("head.") for name in other) or set(state) - set(own):
        first = next((name for name in other if not name.startswith("head.")), None) or min(set(state) - set(own))
        raise UsageError(
            f"{path}: its weights are of another network: {first} differs; "
            "set architecture, width and size as they were"
        )
    network.load_state_dict({**own, **{name: tensor for name, tensor in state.items() if name not in other}})
    return not other


def _no_weights(path: str, error: Exception) -> UsageError:
    words = "weights: must be auto, none, pretrained or a file such as a run's weights.safetensors"
    return UsageError(f"{words}; {path}: {error}")
