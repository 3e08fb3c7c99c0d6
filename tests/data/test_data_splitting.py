"""Groups of what shows the same, and splits that keep classes and part no group."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from beholder.data import Fingerprints, folds, group, groups_per_class, near_hashes, near_vectors, take_test
from beholder.errors import ImpossibleSplit, UsageError


def hexadecimal(values: np.ndarray) -> list[str]:
    return [f"{int(value):016x}" for value in values]


def marks(hashes: list[str | None], mirrored: list[str | None] | None = None, vectors=None) -> Fingerprints:
    digests = [f"sha256:{number}" for number in range(len(hashes))]
    return Fingerprints(digests, hashes, mirrored or [None] * len(hashes), vectors)


def flipped(value: int, *bits: int) -> str:
    for bit in bits:
        value ^= 1 << bit
    return f"{value:016x}"


CLUSTERED = st.lists(
    st.tuples(st.sampled_from([0, 0xFFFFFFFFFFFFFFFF, 0x0F0F0F0F0F0F0F0F]), st.sets(st.integers(0, 63), max_size=5)),
    max_size=25,
)


@settings(deadline=None)
@given(CLUSTERED, CLUSTERED, st.integers(0, 8))
def test_near_hashes_are_all_found(left, right, distance):
    hashes = np.array([int(flipped(base, *bits), 16) for base, bits in left], np.uint64)
    others = np.array([int(flipped(base, *bits), 16) for base, bits in right], np.uint64)
    first, second, bits = near_hashes(hashes, distance=distance)
    expected = {
        (i, j): (int(hashes[i]) ^ int(hashes[j])).bit_count()
        for i in range(len(hashes))
        for j in range(i + 1, len(hashes))
    }
    found = dict(zip(zip(first.tolist(), second.tolist(), strict=True), bits.tolist(), strict=True))
    assert found == {pair: count for pair, count in expected.items() if count <= distance}
    first, second, _ = near_hashes(hashes, others, distance=distance)
    pairs = {
        (i, j) for i, a in enumerate(hashes) for j, b in enumerate(others) if (int(a) ^ int(b)).bit_count() <= distance
    }
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == pairs


@given(arrays.arrays(np.float32, st.tuples(st.integers(0, 12), st.just(3)), elements=st.floats(-1, 1, width=16)))
def test_near_vectors_are_all_found(values):
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    vectors = np.divide(values, lengths, out=np.zeros_like(values), where=lengths > 1e-3)
    first, second, cosines = near_vectors(vectors, similarity=0.9)
    exact = vectors @ vectors.T
    clear = {(i, j) for i in range(len(vectors)) for j in range(i + 1, len(vectors)) if exact[i, j] > 0.9 + 1e-5}
    found = set(zip(first.tolist(), second.tolist(), strict=True))
    assert clear <= found
    assert (cosines >= 0.9).all()


def test_groups_by_content_and_by_hash():
    base = 0x123456789ABCDEF0
    hashes = [f"{base:016x}", flipped(base, 1, 2), flipped(~base & 2**64 - 1), None, None]
    assert group(marks(hashes)).tolist() == [0, 0, 1, 2, 3]
    same = Fingerprints(["sha256:a", "sha256:b", "sha256:a"], [None] * 3, [None] * 3)
    assert group(same).tolist() == [0, 1, 0]
    assert group(marks([])).tolist() == []


def test_mirrored_images_are_a_group():
    base, turned = 0x123456789ABCDEF0, 0x0FEDCBA987654321
    hashes = [f"{base:016x}", flipped(turned, 3), flipped(~base & 2**64 - 1)]
    mirrored = [f"{turned:016x}", flipped(base, 3), flipped(base, *range(20))]
    assert group(marks(hashes, mirrored)).tolist() == [0, 0, 1]


def test_groups_by_embedding():
    angles = np.radians([0, 10, 90, 0])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    vectors[3] = 0  # none
    assert group(marks([None] * 4, vectors=vectors), cosine=0.95).tolist() == [0, 0, 1, 2]


def test_chain_does_not_go_on_for_ever():
    chain = [flipped(0x5555555555555555, *range(length)) for length in range(0, 61, 3)]
    groups = group(marks(list(chain)), hash_distance=6)
    sizes = np.bincount(groups)
    assert sizes.max() <= 5  # 12 bits across, in steps of 3
    assert len(sizes) >= 5
    assert groups.tolist() == group(marks(list(chain)), hash_distance=6).tolist()


@settings(deadline=None)
@given(CLUSTERED)
def test_images_of_a_group_are_near_to_each_other(marked):
    hashes = [flipped(base, *bits) for base, bits in marked]
    groups = group(marks(list(hashes)), hash_distance=4)
    for left, first in enumerate(hashes):
        for right, second in enumerate(hashes):
            bits = (int(first, 16) ^ int(second, 16)).bit_count()
            if groups[left] == groups[right]:
                assert bits <= 8
            if bits == 0:
                assert groups[left] == groups[right]


def test_twenty_thousand_images():
    random = np.random.default_rng(0)
    hashes = random.integers(0, 2**63, 20_000, np.uint64)
    hashes[10_000:] = hashes[:10_000] ^ np.uint64(0b101)
    groups = group(marks(list(hexadecimal(hashes))))
    assert len(set(groups.tolist())) == 10_000
    assert groups[:10_000].tolist() == groups[10_000:].tolist()


def test_ten_thousand_frames_of_one_scene():
    random = np.random.default_rng(0)
    frames = [flipped(0x123456789ABCDEF0, *random.choice(12, 2)) for _ in range(10_000)]
    assert len(set(group(marks(list(frames))).tolist())) == 1


def test_fingerprints_must_belong_together():
    with pytest.raises(UsageError, match="one of each kind for an image"):
        Fingerprints(["sha256:a"], [], [])


def singles(counts: dict[str, int]) -> list[tuple[str, ...]]:
    return [(name,) for name, count in counts.items() for _ in range(count)]


def test_test_split_keeps_the_shares():
    labels = singles({"cat": 300, "dog": 200, "bird": 100})
    chosen = take_test(labels, np.arange(600), share=0.2, seed=3)
    assert chosen is not None
    counts = {name: sum(labels[number] == (name,) for number in chosen) for name in ("cat", "dog", "bird")}
    assert counts == {"cat": 60, "dog": 40, "bird": 20}
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    assert chosen.tolist() == take_test(labels, np.arange(600), share=0.2, seed=3).tolist()
    assert chosen.tolist() != take_test(labels, np.arange(600), share=0.2, seed=4).tolist()


def test_no_test_split_where_a_class_would_keep_too_few():
    assert take_test(singles({"cat": 300, "dog": 95}), np.arange(395), share=0.2) is None
    assert take_test(singles({"cat": 300, "dog": 95}), np.arange(395), share=0.2, minimum_per_class=10) is not None
    assert take_test([()] * 50, np.arange(50)) is None
    with pytest.raises(UsageError, match="share: must be between 0 and 1, found 1"):
        take_test(singles({"a": 3}), np.arange(3), share=1)
    with pytest.raises(UsageError, match="one for each image, found 3 and 2"):
        take_test(singles({"a": 3}), np.arange(2))


def test_folds_keep_the_shares():
    labels = singles({"cat": 50, "dog": 25, "bird": 10}) + [()] * 15
    found = folds(labels, np.arange(100), 5, seed=1)
    for number in range(5):
        held = [labels[place] for place in np.flatnonzero(found == number)]
        assert [held.count((name,)) for name in ("cat", "dog", "bird")] == [10, 5, 2]
        assert len(held) == 20
    assert found.tolist() == folds(labels, np.arange(100), 5, seed=1).tolist()


def test_folds_of_several_labels_are_even():
    random = np.random.default_rng(0)
    shares = {"a": 0.5, "b": 0.3, "c": 0.1, "d": 0.05}
    labels = [tuple(name for name, share in shares.items() if random.random() < share) for _ in range(400)]
    found = folds(labels, np.arange(400), 4, seed=0)
    for name in shares:
        counts = [sum(name in labels[place] for place in np.flatnonzero(found == number)) for number in range(4)]
        assert max(counts) - min(counts) <= 2, name


def test_groups_are_not_parted():
    random = np.random.default_rng(0)
    labels = singles({"cat": 200, "dog": 200})
    groups = random.integers(0, 120, 400)
    found = folds(labels, groups, 5)
    for number in set(groups.tolist()):
        assert len(set(found[groups == number].tolist())) == 1
    chosen = take_test(labels, groups, share=0.3)
    assert chosen is not None
    assert not set(groups[chosen].tolist()) & set(np.delete(groups, chosen).tolist())


def test_class_in_one_group_only_is_refused():
    labels = singles({"cat": 10, "dog": 10})
    groups = np.r_[np.zeros(10, int), np.arange(1, 11)]
    with pytest.raises(ImpossibleSplit, match=r"class 'cat': .* 10 images that all show the same; add others"):
        folds(labels, groups, 2)
    with pytest.raises(ImpossibleSplit, match="class 'cat': must have images in two folds at least, but has one image"):
        folds(singles({"cat": 1, "dog": 10}), np.arange(11), 2)
    with pytest.raises(UsageError, match="k: must be between 2 and the 11 images, found 12"):
        folds(singles({"cat": 1, "dog": 10}), np.arange(11), 12)
    assert groups_per_class(labels, groups) == {"cat": 1, "dog": 10}


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_every_class_can_be_learned_outside_every_fold(data):
    count = data.draw(st.integers(2, 40))
    names = st.lists(st.sampled_from("abcd"), max_size=2, unique=True).map(tuple)
    labels = data.draw(st.lists(names, min_size=count, max_size=count))
    groups = np.array(data.draw(st.lists(st.integers(0, 30), min_size=count, max_size=count)))
    k = data.draw(st.integers(2, min(5, count)))
    try:
        found = folds(labels, groups, k, seed=data.draw(st.integers(0, 3)))
    except ImpossibleSplit:
        return
    assert found.shape == (count,)
    assert set(found.tolist()) <= set(range(k))
    for name in {label for some in labels for label in some}:
        assert len({fold for fold, some in zip(found.tolist(), labels, strict=True) if name in some}) > 1
    for number in set(groups.tolist()):
        assert len(set(found[groups == number].tolist())) == 1
