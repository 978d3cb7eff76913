"""The house: imports go down only, and a family imports no other family."""

import ast
from pathlib import Path

import pytest

import skvq

ROOT = Path(skvq.__file__).parent
# Floors from the bottom up; rooms of one floor do not import each other.
FLOORS = [
    {"_typing", "_version", "_warnings", "nn"},
    {"training", "persistence", "metrics"},
    {"core"},
    {"priors", "mlp", "autoencoder", "vae"},
    {"vqvae"},
    {"display", "export", "_load"},
    {"__init__"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
# What a room may import of its own floor.
BESIDE = {("nn", "_warnings"), ("display", "export")}
MODULES = sorted(path for path in ROOT.rglob("*.py"))


def room_of(path):
    """Return the room of a file: the folder in `skvq`, or the module itself where it lies directly there."""
    return path.relative_to(ROOT).with_suffix("").parts[0]


def rooms_imported(path):
    """Yield the rooms from which a file imports something."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            names = [node.module] if node.module else [alias.name for alias in node.names]
            yield from (".".join([*base, name]).split(".")[0] for name in names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("skvq"):
            yield (node.module.split(".") + ["__init__"])[1]


def test_every_room_has_a_floor():
    assert {room_of(path) for path in MODULES} <= FLOOR.keys()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_only(path):
    room = room_of(path)
    for other in rooms_imported(path):
        below = FLOOR.get(other, len(FLOORS)) < FLOOR[room]
        assert below or other == room or (room, other) in BESIDE, f"{room} imports {other}"


def test_few_modules_lie_outside_of_the_rooms():
    assert len(list(ROOT.glob("*.py"))) <= 8


@pytest.mark.parametrize("path", [path for path in MODULES if "nn" in path.parts], ids=lambda path: path.stem)
def test_networks_know_no_scikit_learn(path):
    text = path.read_text()
    assert "import sklearn" not in text
    assert "from sklearn" not in text
