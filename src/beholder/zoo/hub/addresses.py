"""Which addresses may be asked at all."""

from __future__ import annotations

import ipaddress
import os
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

OFFLINE_VARIABLES: Final = ("BEHOLDER_OFFLINE", "HF_HUB_OFFLINE")


def offline_variable() -> str | None:
    """The environment variable that forbids the network; None when none does."""
    for name in OFFLINE_VARIABLES:
        if os.environ.get(name, "").strip().lower() not in ("", "0", "no", "off", "false"):
            return name
    return None


def split(url: str) -> SplitResult | None:
    """The parts of a URL; None when it is not a plain one with a host."""
    try:
        parts = urlsplit(url)
        usable = parts.port != 0 and bool(parts.hostname) and parts.username is None
    except ValueError:
        return None
    return parts if usable and url.isascii() and url.isprintable() and " " not in url else None


def joined(url: str, location: str) -> str:
    """Where a location leads from a URL; as it stands where it cannot be joined, which `split` then refuses."""
    try:
        return urljoin(url, location)
    except ValueError:
        return location


def is_here(parts: SplitResult) -> bool:
    """Whether a URL leads to this machine, by http."""
    host = parts.hostname or ""
    try:
        return parts.scheme == "http" and (host == "localhost" or ipaddress.ip_address(host).is_loopback)
    except ValueError:
        return False


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Whom a URL leads to: what a token may be sent to is equal in all three."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def host(url: str) -> str:
    """What to call the other side in a message."""
    return urlsplit(url).netloc
