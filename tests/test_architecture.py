"""The house: imports go down only, no family imports another, and nothing grows beyond what a reader can hold."""

import ast
import dataclasses
import importlib
import inspect
import textwrap
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_digits

import skvq

ROOT = Path(skvq.__file__).parent
# Floors from the bottom up; rooms of one floor do not import each other.
FLOORS = [
    {"_typing", "_version", "_warnings", "nn"},
    {"persistence", "metrics"},
    {"training"},
    {"core"},
    {"priors", "mlp", "autoencoder", "vae"},
    {"vqvae", "outliers"},
    {"display", "export", "_load"},
    {"__init__"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
# What a room may import of its own floor.
BESIDE = {("nn", "_warnings"), ("display", "export")}
# Bases that declare the parameters and hooks which they ask of their subclasses.
ASKING_BASES = {"NetworkEstimator", "GridDensity"}
MODULES = sorted(path for path in ROOT.rglob("*.py"))
MOST_FILES, MOST_CLASSES, MOST_NAMES, MOST_LINES, MOST_LINES_OF_A_FUNCTION = 20, 11, 5, 450, 60


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
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            yield from ((parts + ["__init__"])[1] for parts in names if parts[0] == "skvq")


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


def test_a_fit_on_images_enters_few_files():
    path = ROOT.parent / "benchmarks" / "files_entered.py"
    benchmark = module_from_spec(spec := spec_from_file_location(path.stem, path))
    spec.loader.exec_module(benchmark)
    images = load_digits().images[:100]
    entered = benchmark.files_entered(lambda: skvq.VQVAETransformer(prior=None, max_iter=1, channels=8).fit(images))
    assert {"vqvae/estimator.py", "core/estimator.py", "training/loop.py"} <= set(entered)
    assert len(entered) <= MOST_FILES, "\n".join(entered)


def classes_of(module):
    """Return the classes that a module defines."""
    return [kind for kind in vars(module).values() if inspect.isclass(kind) and kind.__module__ == module.__name__]


@pytest.mark.parametrize("name", [name for name in skvq.__all__ if inspect.isclass(getattr(skvq, name))])
def test_few_classes_stand_behind_an_estimator(name):
    assert len(getattr(skvq, name).__mro__) <= MOST_CLASSES


@cache
def names_of_self(kind, context):
    """Return the names of `self` that the body of a class reads (`ast.Load`) or sets (`ast.Store`)."""
    return {
        node.attr
        for node in ast.walk(body_of(kind))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
        and isinstance(node.ctx, context)
    }


@cache
def body_of(kind):
    return ast.parse(textwrap.dedent(inspect.getsource(kind)))


def declared_names(base):
    """Return the annotated names of a class whose annotations are a promise that somebody keeps.

    They are the fields of dataclasses, the buffers of networks, and the parameters that the bases of estimators ask of
    their subclasses.
    """
    kept = dataclasses.is_dataclass(base) or issubclass(base, torch.nn.Module) or base.__name__ in ASKING_BASES
    return set(vars(base).get("__annotations__", ())) if kept else set()


def borrowed_names(kind):
    """Return the names of `self` that a class reads, and that neither it nor a base of it has, sets or declares.

    Fitted attributes that a method returns in a dict count as set: so does the template of a fit set what was learned.
    """
    known = set(dir(kind))
    for base in kind.__mro__:
        if base.__module__.partition(".")[0] in ("skvq", __name__.partition(".")[0]):
            known |= names_of_self(base, ast.Store) | declared_names(base)
            dicts = [node for node in ast.walk(body_of(base)) if isinstance(node, ast.Dict)]
            keys = {key.value for node in dicts for key in node.keys if isinstance(key, ast.Constant)}
            known |= {key for key in keys if str(key).endswith("_") or key in kind.__dict__.get("_learned_beside", ())}
    return names_of_self(kind, ast.Load) - known


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_class_lives_off_the_attributes_of_another(path):
    name = ".".join(("skvq", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
    found = {kind.__name__: borrowed_names(kind) for kind in classes_of(importlib.import_module(name))}
    assert {kind: names for kind, names in found.items() if len(names) > MOST_NAMES} == {}


class _Host:
    declared: int

    def __init__(self):
        self.own = 1

    def learned(self):
        return {"learned_": 1}


class _LivesOffOthers(_Host):
    def use(self):
        self.set_here = self.declared + self.own + self.learned_ + self.use()
        return self.set_here, self.a, self.b, self.c.d, self.e()


def test_a_class_that_lives_off_another_is_found():
    assert borrowed_names(_LivesOffOthers) == {"a", "b", "c", "e", "declared"}
    assert borrowed_names(_Host) == set()


def lines_of_code(path):
    """Return how many lines of code a file has, and each of its functions, by name; docstrings are not counted."""
    text = path.read_text()
    tree, prose = ast.parse(text), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            prose.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines = enumerate(text.splitlines(), start=1)
    code = {number for number, line in lines if line.strip() and line.strip()[0] != "#" and number not in prose}
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return len(code), {node.name: len(code & {*range(node.lineno, node.end_lineno + 1)}) for node in functions}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_and_no_function_is_too_long_to_read(path):
    n_lines, functions = lines_of_code(path)
    assert n_lines <= MOST_LINES
    assert {name: n for name, n in functions.items() if n > MOST_LINES_OF_A_FUNCTION} == {}


def test_lines_of_code_are_those_that_are_neither_blank_nor_prose(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        textwrap.dedent(
            '''\
            """Two
            lines."""

            # a remark
            X = """not
            prose"""


            def f(
                x,
            ):
                """Prose."""
                return x
            '''
        )
    )
    assert lines_of_code(path) == (6, {"f": 4})
