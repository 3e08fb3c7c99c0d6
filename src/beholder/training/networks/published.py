"""Weights that others publish: from their caches, or fetched, or refused at once and in one line."""

from __future__ import annotations

import io
import os
import socket
import sys
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import torch
from torch import Tensor

from beholder.errors import HubError, Offline, UsageError, one_line
from beholder.training.networks.network import Network

_OFFLINE_VARIABLES: Final = ("BEHOLDER_OFFLINE", "HF_HUB_OFFLINE")
_PROBE_SECONDS: Final = 5.0
_HTTPS: Final = 443


def from_timm_hub(create: Callable[[], Any]) -> Any:
    """What timm makes with its weights. Without a connection its cache is asked only, which it would ask last.

    Raises:
        Offline: they are not in the cache, and cannot be fetched.
        HubError: fetching failed, or they do not fit.
    """
    host = urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co")).hostname or "huggingface.co"
    obstacle = _obstacle(host)
    settings: Any = sys.modules.get("huggingface_hub.constants")  # which timm has loaded
    before = getattr(settings, "HF_HUB_OFFLINE", False)
    if obstacle is not None and settings is not None:
        settings.HF_HUB_OFFLINE = True  # it would try for most of a minute otherwise
    try:
        return create()
    except RuntimeError as error:
        raise HubError(f"its pretrained weights do not fit: {_first_line(error)}") from error
    except (AssertionError, AttributeError, TypeError, ValueError):  # no network of that size; nothing was fetched
        raise
    except Exception as error:
        raise _failure(host, obstacle, error) from error
    finally:
        if settings is not None:
            settings.HF_HUB_OFFLINE = before


def fill(network: Network, name: str, *, last: str | None) -> None:
    """Put torchvision's weights into a network whose layers have its names.

    Args:
        network: with random weights.
        name: as torchvision names it.
        last: its name of the last layer, whose weights are taken where the number of classes is theirs; None where
            the network has another last layer.

    Raises:
        Offline: they cannot be fetched.
        HubError: fetching failed, or the file that was fetched before is damaged.
        UsageError: they are for a larger input.
    """
    from torchvision.models import get_model_weights

    weights: Any = get_model_weights(name).DEFAULT
    address = urlsplit(weights.url)
    host = address.hostname or ""
    here = Path(torch.hub.get_dir()) / "checkpoints" / Path(address.path).name
    was_here = here.is_file()
    obstacle = None if was_here else _obstacle(host)
    if obstacle is not None:
        raise _failure(host, obstacle, None)
    nowhere = io.StringIO()
    try:
        with redirect_stdout(nowhere), redirect_stderr(nowhere):  # where torch says what it downloads
            tensors = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except Exception as error:
        raise (_damaged(here) if was_here else _failure(host, None, error)) from error
    try:
        put(network, tensors, last)
    except (KeyError, TypeError, AttributeError) as error:
        raise _damaged(here) from error


def put(network: Network, tensors: Mapping[str, Tensor], last: str | None) -> None:
    """Copy tensors by the names of the body's layers; one channel gets the sum of the filters of three.

    Raises:
        UsageError: one has another shape.
    """
    with torch.no_grad():
        for key, target in network.body.state_dict().items():
            copy_tensor(target, tensors[key])
        if last is not None and tensors[f"{last}.bias"].shape[0] == network.head.get_parameter("1.bias").shape[0]:
            for key, target in network.head.get_submodule("1").state_dict().items():
                copy_tensor(target, tensors[f"{last}.{key}"])


def copy_tensor(target: Tensor, source: Tensor) -> None:
    """Copy weights; filters for one channel get the sum of those for red, green and blue.

    Raises:
        UsageError: they have another shape.
    """
    if target.ndim == 4 and target.shape[1] == 1 and source.shape[1] == 3:
        source = source.sum(dim=1, keepdim=True)
    if target.shape != source.shape:
        raise UsageError("its pretrained weights are for larger inputs; take a size above 64")
    target.copy_(source)


def _obstacle(host: str) -> str | None:
    """Why a host cannot be asked; None where it can."""
    for variable in _OFFLINE_VARIABLES:
        if os.environ.get(variable, "").lower() not in ("", "0", "false", "no", "off"):
            return f"{variable} is set"
    target, port = host, _HTTPS
    proxy = urllib.request.getproxies().get("https")
    if proxy and not urllib.request.proxy_bypass(host):
        parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
        target, port = parts.hostname or host, parts.port or _HTTPS
    try:
        socket.create_connection((target, port), timeout=_PROBE_SECONDS).close()
    except OSError:
        return "no connection"
    return None


def _failure(host: str, obstacle: str | None, error: Exception | None) -> HubError:
    if obstacle is not None:
        return Offline(f"its pretrained weights are not here, and cannot be fetched from {host}: {obstacle}")
    return HubError(f"its pretrained weights cannot be fetched from {host}: {_first_line(error)}")


def _damaged(path: Path) -> HubError:
    return HubError(
        f"its pretrained weights, fetched before, are damaged or something else: {path}; remove that file, and they "
        "are fetched anew"
    )


def _first_line(error: Exception | None) -> str:
    lines = str(error).strip().splitlines()
    return one_line(lines[0] if lines else type(error).__name__)[:300]
