"""Models by name: the one that comes with Beholder, imported ones, and those pulled from a hub."""

from beholder.zoo.names import BUILTIN, DEFAULT_MODEL, available, find, load

__all__ = ["BUILTIN", "DEFAULT_MODEL", "available", "find", "load"]
