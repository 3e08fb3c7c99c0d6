"""The dictionary of networks: every entry keeps the same contract, and is as large as its paper says."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from beholder.errors import HubError, MissingPackage, Offline, UsageError  # noqa: E402
from beholder.training.networks import architectures, published  # noqa: E402
from beholder.training.networks.architectures import ARCHITECTURES, Spec, find_architecture  # noqa: E402
from beholder.training.networks.counting import count, count_network, own_spec  # noqa: E402
from beholder.training.networks.network import Network, build  # noqa: E402

PAGE = Path(__file__).parents[3] / "docs" / "architectures.md"
LIGHT = ("mlp", "lenet5", "resnet18", "mobilenet-v2", "squeezenet-1.1", "vit-tiny", "capsnet")
MOBILENETS = [name for name in ARCHITECTURES if name.startswith("mobilenet")]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def narrow(name: str, size: int = 32, channels: int = 3, classes: int = 5) -> Network:
    """A small variant, with weights that are always the same."""
    torch.manual_seed(7)
    return build(name, Spec(classes, size, width=0.25 if ARCHITECTURES[name].widths else 1.0, channels=channels))


def assert_stages_are_a_partition(network: Network) -> None:
    names = [name for name, _ in network.body.named_parameters()]
    for name in names:
        holders = [
            index
            for index, stage in enumerate(network.stages)
            if any(name == prefix or name.startswith(f"{prefix}.") for prefix in stage)
        ]
        assert holders == [network.stage_of(name)], name
    norms = [id(layer) for layer in network.body.modules() if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm)]
    staged = [id(layer) for index, _ in enumerate(network.stages) for layer in network.modules_of_stage(index)]
    assert all(staged.count(norm) == 1 for norm in norms)
    assert all(network.parameters_by_stage())
    assert sum(map(len, network.parameters_by_stage())) == len(names)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_network_at_its_own_size(name: str) -> None:
    spec = own_spec(find_architecture(name))
    with torch.device("meta"):
        network = build(name, spec)
        logits, embedding = network(torch.zeros(2, 3, spec.size, spec.size))
    assert logits.shape == (2, spec.classes)
    assert embedding.ndim == 2 and embedding.shape[0] == 2
    assert 3 <= len(network.stages) <= 8
    assert_stages_are_a_partition(network)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    row = next(line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{name}` "))
    assert f" {spec.size} | " in row and f"| {parameters / 1e6:,.2f} M |" in row
    assert all(0 <= value <= 255 for value in network.mean) and all(0 < value <= 255 for value in network.std)


def test_the_page_lists_every_network_and_its_source() -> None:
    page = PAGE.read_text(encoding="utf-8")
    listed = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert listed == list(ARCHITECTURES)
    for name, architecture in ARCHITECTURES.items():
        assert any(f"`{name}`" in line and line.endswith(architecture.source) for line in page.splitlines()), name


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_network_takes_small_grey_images(name: str) -> None:
    network = narrow(name, channels=1)
    maps: list[tuple[int, ...]] = []
    for stage in network.stages:
        network.body.get_submodule(stage[-1]).register_forward_hook(lambda *call: maps.append(tuple(call[2].shape)))
    logits, embedding = network(torch.randn(2, 1, 32, 32))
    assert logits.shape == (2, 5) and embedding.shape[0] == 2
    assert torch.isfinite(logits).all()
    assert_stages_are_a_partition(network)
    assert len(maps) == len(network.stages), "the last prefix of each stage names the module that makes its map"
    sides = [shape[2] for shape in maps if len(shape) == 4 and shape[2] > 1]
    assert sides == sorted(sides, reverse=True)
    assert not sides or 2 <= sides[-1] <= 8, "small inputs keep a map"
    assert len(set(network.mean)) == 1 and len(set(network.std)) == 1


@pytest.mark.parametrize("name", LIGHT)
def test_gradients_reach_every_parameter(name: str) -> None:
    network = narrow(name)
    logits, _ = network(torch.randn(4, 3, 32, 32))
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 3])).backward()
    without = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert not without
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters())


@pytest.mark.parametrize("name", LIGHT)
def test_the_same_seed_gives_the_same_weights(name: str) -> None:
    first, second = narrow(name).state_dict(), narrow(name).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_the_dictionary_loads_no_torch() -> None:
    program = "import sys, beholder.training.networks.architectures; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"


@pytest.mark.parametrize(
    ("name", "parameters", "multiply_adds"),
    [  # millions, as their papers or their authors say
        ("resnet50", 25.6, 4100),
        ("vgg16", 138, 15500),
        ("mobilenet-v1", 4.2, 569),
        ("mobilenet-v2", 3.5, 300),
        ("mobilenet-v3-small", 2.5, 56),
        ("mobilenet-v3-large", 5.4, 219),
        ("nasnet-mobile", 5.3, 564),
        ("nasnet-large", 88.9, 23800),
        ("efficientnet-b0", 5.3, 390),
        ("efficientnet-lite0", 4.7, 407),
        ("vit-base", 86, 17600),
        ("convnext-tiny", 28.6, 4500),
        ("capsnet", 6.8, None),  # without the reconstruction
    ],
)
def test_counts_are_those_of_the_papers(name: str, parameters: float, multiply_adds: float | None) -> None:
    counts = count(name)
    assert counts.parameters / 1e6 == pytest.approx(parameters, rel=0.03)
    assert multiply_adds is None or counts.multiply_adds / 1e6 == pytest.approx(multiply_adds, rel=0.06)
    assert counts.byte_size == 4 * counts.parameters


def test_small_networks_are_small_beside_large_ones() -> None:
    alexnet = count("alexnet").parameters
    assert alexnet > 60e6
    assert alexnet >= 48 * count("squeezenet-1.0").parameters
    assert count("googlenet").parameters <= count("vgg16").parameters / 10


def test_counting_does_not_depend_on_the_device() -> None:
    spec = Spec(5, 32, width=0.25)
    assert count_network(narrow("resnet18"), spec) == count("resnet18", spec)


@pytest.mark.parametrize("name", MOBILENETS)
def test_half_the_width_is_about_a_quarter_of_the_parameters(name: str) -> None:
    def trunk(width: float) -> int:
        with torch.device("meta"):
            network = build(name, Spec(1000, 224, width=width))
        head = network.body.conv_head.weight.numel() if "v3" in name or "v4" in name else 0  # behind the mean
        return sum(parameter.numel() for parameter in network.body.parameters()) - head

    assert 0.2 < trunk(0.5) / trunk(1.0) < 0.35


@pytest.mark.parametrize("name", ["mobilenet-v1", "mobilenet-v2", "mobilenet-v4-small", "vgg11", "resnet18"])
def test_narrow_networks_keep_multiples_of_eight(name: str) -> None:
    with torch.device("meta"):
        network = build(name, Spec(5, 224, width=0.35))
    convolutions = [layer for layer in network.modules() if isinstance(layer, torch.nn.Conv2d)]
    assert all(layer.out_channels % 8 == 0 for layer in convolutions)


@pytest.mark.parametrize(
    ("name", "spec", "says"),
    [
        ("resnet18", Spec(5, 15), "at least 16 pixels, found 15"),
        ("capsnet", Spec(5, 19), "at least 20 pixels, found 19"),
        ("googlenet", Spec(5, 32, width=0.5), "one width only, found width 0.5"),
        ("resnet18", Spec(5, 32, width=0), "width must be above 0"),
        ("resnet18", Spec(5, 32, channels=4), "1 channel or 3, found 4"),
        ("resnet18", Spec(0, 32), "at least 1 class, found 0"),
        ("resnet18", Spec(5, 32, dropout=1.0), "dropout must lie from 0 to below 1, found 1"),
        ("capsnet", Spec(5, 28, dropout=0.5), "no dropout"),
        ("resnet81", Spec(5, 32), "did you mean 'resnet18'?"),
        ("timm/resnet10x", Spec(5, 32), "did you mean 'timm/resnet10t'?"),
        ("maxvit_tiny_tf_224", Spec(5, 100), "timm cannot make it for 100 pixels"),
    ],
)
def test_what_cannot_be_built_says_why(name: str, spec: Spec, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        build(name, spec)
    assert says in str(raised.value) and "\n" not in str(raised.value)


def test_dropout_is_before_the_last_layer() -> None:
    for asked, expected in ((None, 0.2), (0.0, 0.0), (0.4, 0.4)):
        network = build("mobilenet-v2", Spec(5, 32, width=0.25, dropout=asked))
        assert [layer.p for layer in network.modules() if isinstance(layer, torch.nn.Dropout)] == [expected]


@pytest.mark.parametrize("name", ["resnet10t", "timm/resnet10t", "deit_tiny_patch16_224"])
def test_any_network_of_timm_can_be_built(name: str) -> None:
    network = build(name, Spec(5, 64))
    logits, embedding = network(torch.randn(2, 3, 64, 64))
    assert logits.shape == (2, 5) and embedding.shape[0] == 2
    assert_stages_are_a_partition(network)
    assert find_architecture(name).year is None


def test_without_torch_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(architectures, "find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match=r"pip install 'beholder\[train\]'"):
        ARCHITECTURES["mlp"].build(Spec(5, 28))
    with pytest.raises(MissingPackage):
        find_architecture("timm/resnet10t")
    with pytest.raises(UsageError, match="resnet18"):
        find_architecture("resnet81")


def test_embedded_weights_answer_like_the_model_of_the_zoo() -> None:
    import onnxruntime

    from beholder.zoo.builtin import build_efficientnet_lite0

    network = build("efficientnet-lite0", Spec(1000, 224), pretrained=True).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    images = (torch.from_numpy(pixels).permute(0, 3, 1, 2) - network.mean[0]) / network.std[0]
    with torch.no_grad():
        logits, embedding = network(images)
    session = onnxruntime.InferenceSession(build_efficientnet_lite0(), providers=["CPUExecutionProvider"])
    theirs = session.run(["logits", "embedding"], {"image": pixels})
    assert np.abs(theirs[0] - logits.numpy()).max() < 1e-3
    assert np.abs(theirs[1] - embedding.numpy()).max() < 1e-3


def test_embedded_weights_for_other_classes_and_one_channel() -> None:
    color = build("efficientnet-lite0", Spec(7, 64), pretrained=True).eval()
    grey = build("efficientnet-lite0", Spec(7, 64, channels=1), pretrained=True).eval()
    image = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        assert color(image.expand(-1, 3, -1, -1))[0].shape == (1, 7)
        assert torch.allclose(color.body(image.expand(-1, 3, -1, -1)), grey.body(image), atol=1e-4)


def test_weights_of_torchvision_fit_by_name() -> None:
    from torchvision.models import googlenet, vgg16_bn
    from torchvision.models.squeezenet import squeezenet1_0, squeezenet1_1

    pairs = {
        "googlenet": googlenet,
        "vgg16-bn": vgg16_bn,
        "squeezenet-1.0": squeezenet1_0,
        "squeezenet-1.1": squeezenet1_1,
    }
    for name, function in pairs.items():
        with torch.device("meta"):
            theirs = (function(init_weights=False) if name == "googlenet" else function()).state_dict()
            ours = build(name, Spec(1000, 224)).body.state_dict()
        assert {key: tensor.shape for key, tensor in ours.items()}.items() <= {
            key: tensor.shape for key, tensor in theirs.items()
        }.items()


def test_weights_of_torchvision_answer_alike() -> None:
    from torchvision.models import alexnet

    theirs = alexnet().eval()
    ours = build("alexnet", Spec(1000, 224)).eval()
    published.put(ours, theirs.state_dict(), "classifier.6")
    images = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        assert torch.allclose(theirs(images), ours(images)[0], atol=1e-5)
    with pytest.raises(UsageError, match="for larger inputs"):
        published.put(build("alexnet", Spec(5, 32)), theirs.state_dict(), "classifier.6")


@pytest.mark.parametrize("name", ["resnet18", "alexnet", "timm/resnet10t"])
def test_without_a_connection_pretrained_weights_are_refused_at_once(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("BEHOLDER_OFFLINE", "1")
    before = huggingface_hub.constants.HF_HUB_OFFLINE
    start = time.monotonic()
    with pytest.raises(Offline) as raised:
        build(name, Spec(5, 224), pretrained=True)
    text = str(raised.value)
    assert time.monotonic() - start < 15
    assert text.startswith(f"{name}: ") and "BEHOLDER_OFFLINE is set" in text and "\n" not in text
    assert "--set weights=none" in text and "efficientnet-lite0" in text
    assert before == huggingface_hub.constants.HF_HUB_OFFLINE


def test_a_host_that_does_not_answer_is_an_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("BEHOLDER_OFFLINE", "HF_HUB_OFFLINE", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)

    def refuse(*args: object, **options: object) -> None:
        raise OSError

    monkeypatch.setattr("socket.create_connection", refuse)
    assert published._obstacle("example.org") == "no connection"


class Planted:
    """What runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path(os.environ["PLANTED_AT"]),)


@pytest.mark.parametrize("kind", ["cut short", "planted", "of another network"])
def test_a_file_that_was_fetched_before_is_not_trusted(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from torchvision.models import SqueezeNet1_1_Weights

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("PLANTED_AT", str(tmp_path / "planted"))
    path = tmp_path / "hub" / "checkpoints" / Path(SqueezeNet1_1_Weights.DEFAULT.url).name
    path.parent.mkdir(parents=True)
    torch.save({"other.weight": torch.zeros(1) if kind == "of another network" else Planted()}, path)
    if kind == "cut short":
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(HubError, match=r"damaged or something else: .*; remove that file") as raised:
        build("squeezenet-1.1", Spec(5, 224), pretrained=True)
    assert "cannot be fetched" not in str(raised.value) and not (tmp_path / "planted").exists()


def test_what_torch_says_of_fetching_is_not_among_the_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fetch(*_: object, **__: object) -> Any:
        sys.stdout.write("Downloading")
        sys.stderr.write("Downloading")
        raise OSError("Tunnel connection failed: 403 Forbidden")

    monkeypatch.setattr(published, "_obstacle", lambda _: None)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fetch)
    with pytest.raises(HubError, match=r"cannot be fetched from download\.pytorch\.org: Tunnel .* 403 Forbidden"):
        build("alexnet", Spec(5, 224), pretrained=True)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["mlp", "nasnet-mobile"])
def test_what_nobody_publishes_is_said(name: str) -> None:
    with pytest.raises(UsageError, match="nobody publishes pretrained weights"):
        build(name, Spec(5, 224), pretrained=True)


def test_pretrained_weights_have_one_width() -> None:
    with pytest.raises(UsageError, match=r"pretrained weights are of width 1, found width 0\.5"):
        build("efficientnet-lite0", Spec(5, 224, width=0.5), pretrained=True)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
@pytest.mark.parametrize("width", [1.0, 0.25])
def test_a_resnet_begins_without_a_stride_where_images_are_tiny(name: str, width: float) -> None:
    tiny, small = (build(name, Spec(10, size, width=width, channels=1)).eval() for size in (32, 33))
    first = tiny.body.get_submodule("conv1")
    assert first.stride == (1, 1) and first.kernel_size == (3, 3) and first.out_channels == round(64 * width)
    assert small.body.get_submodule("conv1").stride == (2, 2)
    with torch.inference_mode():
        assert tiny(torch.zeros(2, 1, 32, 32))[0].shape == (2, 10)


def test_a_resnet_for_tiny_images_has_as_many_parameters_as_is_usual() -> None:
    """11,173,962 for ten classes in color, as implementations for CIFAR-10 have."""
    assert sum(weight.numel() for weight in build("resnet18", Spec(10, 32)).parameters()) == 11_173_962
