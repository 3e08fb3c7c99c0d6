"""Which pairs of images are looked at, and which need no look."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from faulty_set import picture

from beholder.auditing import sameness
from beholder.data import ContentCache, look_at, read, with_digests

BURST = 7


def test_what_follows_from_earlier_looks_is_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "set" / "one").mkdir(parents=True)
    shot = picture("rings", np.random.default_rng(4))
    for number in range(BURST):
        shot.save(tmp_path / "set" / "one" / f"{number}.jpg", quality=95 - 3 * number)
    looks = []
    compare = sameness.agreement

    def counted(*pair: object) -> object:
        looks.append(pair)
        return compare(*pair)

    monkeypatch.setattr(sameness, "agreement", counted)
    monkeypatch.setattr(sameness, "_TOGETHER", 1)
    with ContentCache(tmp_path / "contents") as contents:
        samples = with_digests(read(tmp_path / "set"), contents).samples
        facts = look_at(samples, contents).facts
        pairs = list(combinations(range(BURST), 2))
        monkeypatch.setattr(sameness, "_candidates", lambda *_: pairs)
        found = sameness.near_copies(samples, facts, None, contents)
        assert len(looks) == BURST - 1  # each look joins one more to the family
        assert {number for copy in found for number in (copy.first, copy.second)} == set(range(BURST))
        again = sameness.near_copies(samples, facts, None, contents)
    assert (again, len(looks)) == (found, BURST - 1)
