"""One thread for torch: sums in another order are other sums, and a busy machine is slow enough."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def one_thread_for_torch() -> None:
    """Where torch is installed."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
