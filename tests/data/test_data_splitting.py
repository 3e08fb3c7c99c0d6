"""Groups of what shows the same, and splits that keep classes and part no group."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from beholder.data import Fingerprints, folds, group, grouping, groups_per_class, near_hashes, near_vectors, take_test
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


def nearest_pairs(distances: np.ndarray, most: float, nearest: int, once: bool) -> set[tuple[int, int]]:
    """Of each row the nearest columns, of equally near ones the first."""
    found = set()
    for row, line in enumerate(distances):
        near = [column for column in range(len(line)) if line[column] <= most and not (once and column == row)]
        for column in sorted(near, key=lambda column: (line[column], column))[:nearest]:
            found.add((min(row, column), max(row, column)) if once else (row, column))
    return found


@pytest.fixture
def small_blocks(monkeypatch):
    for name, value in {"_BLOCK": 16, "_BLOCK_ROWS": 4, "_WAITING": 8, "_MANY": 1}.items():
        monkeypatch.setattr(f"beholder.data.near.{name}", value)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CLUSTERED, CLUSTERED, st.integers(0, 8), st.integers(1, 4), st.sampled_from([1, 10]))
def test_nearest_hashes_are_found(small_blocks, left, right, distance, nearest, crowded):
    hashes = np.array([int(flipped(base, *bits), 16) for base, bits in left], np.uint64)
    others = np.array([int(flipped(base, *bits), 16) for base, bits in right], np.uint64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("beholder.data.near._CROWDED", crowded)
        for second in (None, others):
            compared = hashes if second is None else second
            exact = np.bitwise_count(hashes[:, None] ^ compared[None, :])
            found = near_hashes(hashes, second, distance=distance, nearest=nearest)
            pairs = list(zip(found[0].tolist(), found[1].tolist(), strict=True))
            assert pairs == sorted(nearest_pairs(exact, distance, nearest, second is None))
            assert found[2].tolist() == [exact[pair] for pair in pairs]


@pytest.mark.parametrize("nearest", [1, 3, 100])
def test_nearest_vectors_are_found(small_blocks, nearest):
    random = np.random.default_rng(nearest)
    vectors = np.r_[random.normal(0, 1, (30, 5)), random.normal(0, 0.2, (30, 5)) + 2, np.zeros((3, 5))]
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = (vectors / np.maximum(lengths, 1e-9)).astype(np.float32)[random.permutation(63)]
    first, second, cosines = near_vectors(vectors, similarity=0.7, nearest=nearest)
    exact = vectors @ vectors.T
    pairs = list(zip(first.tolist(), second.tolist(), strict=True))
    assert pairs == sorted(nearest_pairs(-exact, -0.7, nearest, once=True))
    np.testing.assert_allclose(cosines, [exact[pair] for pair in pairs], atol=1e-6)


def test_near_pairs_of_thousands_of_near_images_are_few(monkeypatch):
    """Frames of one scene: all 3,124,750 pairs are near by hash and by embedding."""
    random, count = np.random.default_rng(0), 2500
    vectors = random.normal(0, 0.02, (count, 32)) + np.eye(32)[0]
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    hashes = random.permutation(2**12)[:count].astype(np.uint64)
    considered = []
    pairs = grouping._Nearness.pairs

    def counted(self, *arguments):
        found = list(pairs(self, *arguments))
        considered.append(len(found))
        return iter(found)

    monkeypatch.setattr(grouping._Nearness, "pairs", counted)
    assert set(group(marks(hexadecimal(hashes), vectors=vectors), hash_distance=12).tolist()) == {0}
    assert considered
    assert sum(considered) <= 32 * count  # of each 10 by hash, 11 by mirrored hash, 10 by embedding; few again


def test_bursts_of_one_scene_are_a_group():
    """Every frame has more near ones in its burst than it is paired with; the bursts are near to each other too."""
    random = np.random.default_rng(0)
    bursts = (random.normal(0, 0.02, (20, 32)) + np.eye(32)[0]).repeat(30, axis=0)
    vectors = bursts + random.normal(0, 0.0005, bursts.shape)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    assert set(group(marks([None] * 600, vectors=vectors)).tolist()) == {0}


def exact_groups(fingerprints: Fingerprints, distance: int, cosine: float) -> list[int]:
    """Complete linkage of all pairs and all members, by brute force."""
    hashes = np.array([int(value, 16) for value in fingerprints.hashes], np.uint64)
    mirrored = np.array([int(value, 16) for value in fingerprints.mirrored], np.uint64)
    straight, turned = (np.bitwise_count(some[:, None] ^ hashes[None, :]).astype(float) for some in (hashes, mirrored))
    cosines = fingerprints.vectors @ fingerprints.vectors.T
    within = (straight <= 2 * distance) | (turned <= 2 * distance) | (cosines >= 1 - 2 * (1 - cosine))
    within |= 2 * distance >= turned.T
    either = np.minimum(straight, np.minimum(turned, turned.T)) / distance
    nearness = np.minimum(either, np.where(cosines >= cosine, (1 - cosines) / (1 - cosine), np.inf))
    groups = {number: {number} for number in range(len(hashes))}
    group_of, apart = list(range(len(hashes))), set()
    pairs = zip(*np.nonzero(np.triu(nearness <= 1, 1)), strict=True)
    for i, j in sorted(pairs, key=lambda pair: (nearness[pair], pair)):
        left, right = groups[group_of[i]], groups[group_of[j]]
        if left is right or any(frozenset((a, b)) in apart for a in left for b in right):
            continue
        if not within[np.ix_(sorted(left), sorted(right))].all():
            apart.add(frozenset((i, j)))
            continue
        for number in right:
            group_of[number] = group_of[i]
        left |= right
    firsts: dict[int, int] = {}
    return [firsts.setdefault(number, len(firsts)) for number in group_of]


@pytest.mark.parametrize("seed", range(4))
def test_ordinary_images_are_grouped_exactly(seed):
    random = np.random.default_rng(seed)
    scenes = random.integers(0, 130, 300)  # 2 or 3 images of each; the farthest are too far from each other
    hashes, mirrored = (random.integers(0, 2**63, 130, np.uint64)[scenes] for _ in range(2))
    for _ in range(5):
        moved = random.random(300) < 0.9
        hashes[moved] ^= np.uint64(1) << random.integers(0, 63, int(moved.sum()), np.uint64)
    turned = random.random(300) < 0.3
    hashes[turned], mirrored[turned] = mirrored[turned], hashes[turned]
    vectors = random.normal(0, 1, (130, 24))[scenes] + random.normal(0, 0.35, (300, 24))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    fingerprints = marks(hexadecimal(hashes), hexadecimal(mirrored), vectors)
    exact = exact_groups(fingerprints, 6, 0.9)
    assert group(fingerprints).tolist() == exact
    assert 100 < len(set(exact)) < 290


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
    five_times = np.arange(400) // 5
    assert take_test(singles({"cat": 200, "dog": 200}), five_times, share=0.2) is None  # 40 images show 8 things
    assert take_test(singles({"cat": 200, "dog": 200}), five_times, share=0.5) is not None
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
