"""Imports go one way: nn and training know nothing of the estimators."""

import ast
from pathlib import Path

import pytest

import skvq

ROOT = Path(skvq.__file__).parent
RANKS = {"nn": 0, "training": 1, "_layout": 2, "_scaling": 2, "_codes": 2, "_kmeans": 2, "metrics": 2, "_base": 3}
RANKS |= {"_callbacks": 2, "_progress": 2, "_saving": 2, "_version": 0, "_typing": 0, "_warnings": 0}
RANKS |= {"_passes": 4, "_reconstruction": 4, "_grid_arguments": 4, "_grid_passes": 4, "_grid_density": 4}


def rank(module):
    """Return the floor of a module below skvq: estimators, and what belongs to one of them, are on the fifth."""
    return RANKS.get(module.split(".")[0], 5)


def imports(path):
    """Yield the modules of skvq, as dotted names below it, that a file imports."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            if node.module:
                yield ".".join([*base, node.module])
            else:
                yield from (".".join([*base, alias.name]) for alias in node.names)


FILES = [path for path in ROOT.rglob("*.py") if path.name != "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_imports_from_a_floor_above(path):
    own = rank(".".join(path.relative_to(ROOT).with_suffix("").parts))
    assert all(rank(module) <= own for module in imports(path))


@pytest.mark.parametrize("path", [path for path in FILES if "nn" in path.parts], ids=lambda path: path.stem)
def test_networks_know_no_scikit_learn(path):
    text = path.read_text()
    assert "import sklearn" not in text
    assert "from sklearn" not in text
