"""Learning rates of stages, what is decayed, frozen stages, the moving average, memory, and what is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from small_lessons import plan_of  # noqa: E402

from beholder.errors import OutputFailed, TrainingFailed  # noqa: E402
from beholder.training.networks import memory  # noqa: E402
from beholder.training.networks.architectures import Spec  # noqa: E402
from beholder.training.networks.keeping import Keeper, unfinished_folder  # noqa: E402
from beholder.training.networks.memory import bytes_for_image, free_bytes, parts_that_fit  # noqa: E402
from beholder.training.networks.network import Network, build  # noqa: E402
from beholder.training.networks.optimizing import Average, freeze, make_optimizer  # noqa: E402

CPU = torch.device("cpu")


def small() -> Network:
    torch.manual_seed(0)
    return build("resnet18", Spec(3, 32, width=0.125))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_each_stage_has_its_share_and_only_what_is_multiplied_with_is_decayed(optimizer: str) -> None:
    network = small()
    plan = plan_of("resnet18", optimizer=optimizer, stage_decay=0.5, weight_decay=0.03)
    made = make_optimizer(network, plan)
    groups = {id(weight): group for group in made.param_groups for weight in group["params"]}
    assert groups.keys() == {id(weight) for weight in network.parameters()}
    stages = [*network.parameters_by_stage(), list(network.head.parameters())]
    for back, stage in enumerate(reversed(stages)):
        for weight in stage:
            assert groups[id(weight)]["share"] == 0.5**back
            assert groups[id(weight)]["weight_decay"] == (0.03 if weight.ndim > 1 else 0.0)
    assert all(group.get("nesterov", True) for group in made.param_groups)


def test_frozen_stages_are_not_optimized_and_their_norms_are_used_as_they_are() -> None:
    network = small()
    freeze(network, 2)
    made = make_optimizer(network, plan_of("resnet18"))
    optimized = {id(weight) for group in made.param_groups for weight in group["params"]}
    for stage, weights in enumerate(network.parameters_by_stage()):
        assert all((id(weight) in optimized) == (stage >= 2) for weight in weights)
        norms = [part for part in network.modules_of_stage(stage) if isinstance(part, torch.nn.BatchNorm2d)]
        assert norms and all(norm.training == (stage >= 2) for norm in norms)


def test_the_average_is_of_what_it_was_shown() -> None:
    network = torch.nn.Module()
    network.weight = torch.nn.Parameter(torch.zeros(1))
    network.register_buffer("seen", torch.zeros((), dtype=torch.int64))
    average = Average(network)  # type: ignore[arg-type]
    expected = 0.0
    for step in range(200):
        with torch.no_grad():
            network.weight.fill_(step)
            network.seen.add_(1)
        average.update(0.95)
        keep = min(0.95, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * step
        assert float(average.network.weight) == pytest.approx(expected, abs=1e-3)
    assert int(average.network.seen) == 200
    assert 180 - 2 < expected < 180 + 2, "0.95 looks back over 19 steps in the mean"
    again = Average(network)  # type: ignore[arg-type]
    again.load_state_dict(average.state_dict())
    for one in (average, again):
        one.update(0.95)
    assert torch.equal(again.network.weight, average.network.weight)
    average.update(0.0)
    assert torch.equal(average.network.weight, network.weight)


def test_what_an_image_takes_is_counted_without_computing() -> None:
    class Squares(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(100, 50, bias=False)

        def forward(self, values: torch.Tensor) -> torch.Tensor:
            return self.layer(values.flatten(1)).exp()

    assert bytes_for_image(Squares(), (1, 10, 10)) == 4 * (100 + 50)  # the layer's input, and the exponential
    one, other = (bytes_for_image(small(), (3, side, side)) for side in (32, 64))
    assert one is not None and other is not None and 3.5 < other / one < 4.1
    network = small()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    bytes_for_image(network, (3, 32, 32))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(("images", "parts"), [(1000.0, 1), (33.0, 1), (20.0, 2), (8.5, 4), (1.5, 32)])
def test_a_batch_is_cut_into_as_many_parts_as_memory_asks_for(
    images: float, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = small()
    each = bytes_for_image(network, (3, 32, 32)) or 0
    weights = sum(weight.nbytes for weight in network.parameters())
    monkeypatch.setattr(memory, "free_bytes", lambda _: int((5 * weights + images * each) / 0.85) + 1)
    assert parts_that_fit(network, (3, 32, 32), 32, CPU) == parts


def test_too_little_memory_for_one_image_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda _: 1000)
    with pytest.raises(TrainingFailed, match=r"^too little memory: .* 32 x 32 pixels .*choose a smaller size"):
        parts_that_fit(small(), (3, 32, 32), 8, CPU)
    monkeypatch.setattr(memory, "free_bytes", lambda _: None)
    assert parts_that_fit(small(), (3, 32, 32), 8, CPU) == 1


def test_free_memory_is_some_of_what_there_is() -> None:
    free = free_bytes(CPU)
    assert free is None or 2**20 < free < 2**50


GROUPS = {
    "2": ("0::/app", "app", ("memory.max", "memory.current"), ("inactive_file", "active_file")),
    "1": (
        "5:cpu:/other\n4:memory:/app",
        "memory/app",
        ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ("total_inactive_file", "total_active_file"),
    ),
    "2, seen from within a container": (
        "0::/outside/of/it",
        "",
        ("memory.max", "memory.current"),
        ("inactive_file", "active_file"),
    ),
}


@pytest.mark.parametrize("version", GROUPS)
def test_pages_of_files_are_free_memory_where_a_control_group_has_a_limit(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines, place, (limit, used), cached = GROUPS[version]
    (tmp_path / "own").write_text(f"{lines}\n")
    monkeypatch.setattr(memory, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "groups")
    group = tmp_path / "groups" / place
    group.mkdir(parents=True)
    (group / limit).write_text("20000000\n")
    (group / used).write_text("19000000\n")
    (group / "memory.stat").write_text(f"anon 5\n{cached[0]} 11000000\n{cached[1]} 500000\nmapped_file 7\n")
    assert free_bytes(CPU) == 12_500_000
    (group / limit).write_text("max\n")
    assert (free_bytes(CPU) or 0) > 20_000_000


def test_the_limit_of_a_group_around_counts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own").write_text("0::/user/app\n")
    monkeypatch.setattr(memory, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(memory, "_GROUPS", tmp_path)
    (tmp_path / "user" / "app").mkdir(parents=True)
    for group, limit in (("user", "9000000"), ("user/app", "max")):
        (tmp_path / group / "memory.max").write_text(limit)
        (tmp_path / group / "memory.current").write_text("2000000")
    assert free_bytes(CPU) == 7_000_000


def test_processes_on_a_cpu_share_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    network = small()
    each = bytes_for_image(network, (3, 32, 32)) or 0
    weights = sum(weight.nbytes for weight in network.parameters())
    monkeypatch.setattr(memory, "free_bytes", lambda _: 2 * (int((5 * weights + 20 * each) / 0.85) + 1))
    assert parts_that_fit(network, (3, 32, 32), 32, CPU) == 1
    assert parts_that_fit(network, (3, 32, 32), 32, CPU, processes=2) == 2
    assert parts_that_fit(network, (3, 32, 32), 32, torch.device("cuda"), processes=2) == 1


def test_a_state_comes_back_bit_for_bit(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "kept")
    assert keeper.load("checkpoint") is None and keeper.get("fold-0") is None
    state = {"weights": torch.randn(3, 4), "best": (-np.inf, -1), "notes": ["a"], "curve": [{"loss": 0.1}], "step": 3}
    keeper.save("checkpoint", state)
    found = Keeper(tmp_path / "kept").load("checkpoint")
    assert found is not None and torch.equal(found.pop("weights"), state.pop("weights"))
    assert found == state
    arrays = {"logits": np.array([[1.5, np.nan]], np.float32), "rows": np.arange(3)}
    keeper.put("fold-0", arrays)
    back = keeper.get("fold-0")
    assert back is not None and all(np.array_equal(back[name], arrays[name], equal_nan=True) for name in arrays)
    keeper.remove()
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 cut", b"\x80\x04K\x01."], ids=["empty", "cut", "other"])
def test_what_is_damaged_counts_as_not_there(data: bytes, tmp_path: Path) -> None:
    keeper = Keeper(tmp_path)
    for name in ("checkpoint.pt", "fold-0.npz"):
        (tmp_path / name).write_bytes(data)
    assert keeper.load("checkpoint") is None and keeper.get("fold-0") is None


def test_a_checkpoint_runs_no_code(tmp_path: Path) -> None:
    torch.save({"weights": Path("evil")}, tmp_path / "checkpoint.pt")
    assert Keeper(tmp_path).load("checkpoint") is None


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = Keeper(tmp_path)
    keeper.save("checkpoint", {"step": 1})

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputFailed, match="No space left on device"):
        keeper.save("checkpoint", {"step": 2})
    assert keeper.load("checkpoint") == {"step": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_checkpoints_are_not_due_all_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("beholder.training.networks.keeping.time.monotonic", lambda: now)
    keeper = Keeper(tmp_path)
    assert not keeper.due()
    now += 31
    assert keeper.due()
    keeper.save("checkpoint", {"step": 1})
    assert not keeper.due()


def test_equal_trainings_have_one_folder() -> None:
    one = unfinished_folder("a", "b")
    assert one == unfinished_folder("a", "b") != unfinished_folder("ab", "") != unfinished_folder("b", "a")
