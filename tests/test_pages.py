"""Blocks of Python without prompts, in README and docs, run in order, with small networks and few rows.

Blocks with prompts are doctests.
"""

import re
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path
from unittest.mock import MagicMock

import dask.array as da
import dask.distributed
import joblib
import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import datasets
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.utils import Bunch

import skvq
from skvq import AutoEncoderTransformer, MLPClassifier, VQVAETransformer

ROOT = Path(__file__).parents[1]
SMALL = {"max_iter": 1, "channels": 8, "n_blocks": 0, "n_layers": 1, "n_units": 16}
PLAIN = re.compile(r"^```python\n((?:(?!>>>|```).*\n)+)```", re.MULTILINE)
RANDOM = np.random.RandomState(0)
ROWS = RANDOM.normal(size=(40, 6))


def blocks_of(page):
    """Return the blocks of Python without prompts of a page of the documentation, or of the README."""
    return PLAIN.findall((ROOT / page).read_text(encoding="utf-8"))


def doctest_of(page, first_line):
    """Return the source of one statement of a page's doctests, such as a class."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.search(rf"^>>> ({re.escape(first_line)}\n(?:\.\.\..*\n)+)", text, re.MULTILINE)
    return re.sub(r"^\.\.\. ?", "", found[1], flags=re.MULTILINE)


@pytest.fixture
def _small_fits(monkeypatch):
    """Let fits take one epoch of small networks, to 200 digits: what is tested is that the lines run."""
    digits = datasets.load_digits()
    few = Bunch(**{name: digits[name][:200] for name in ("data", "images", "target")})
    monkeypatch.setattr(datasets, "load_digits", lambda: few)
    for name in skvq.__all__:
        estimator = getattr(skvq, name)
        if not (isinstance(estimator, type) and issubclass(estimator, BaseEstimator) and hasattr(estimator, "fit")):
            continue

        def fit(self, *args, _fit=estimator.fit, **kwargs):
            known = self.get_params(deep=False)
            return _fit(
                self.set_params(**{key: value for key, value in SMALL.items() if key in known}), *args, **kwargs
            )

        monkeypatch.setattr(estimator, "fit", fit)


@pytest.fixture
def _folder(tmp_path, monkeypatch):
    """A folder with the files that pages call yours."""
    monkeypatch.chdir(tmp_path)
    people = pd.DataFrame(
        {
            "sex": RANDOM.choice(["female", "male"], 60),
            "age": RANDOM.randint(20, 60, 60),
            "income": np.where(RANDOM.rand(60) < 0.2, np.nan, RANDOM.lognormal(8, 1, 60).round()),
            "joined": pd.date_range("2020-01-01", periods=60),
        }
    )
    people.to_csv("people.csv", index=False)
    people[::2].to_csv("later.csv", index=False)
    pd.DataFrame(ROWS, columns=list("abcdef")).rename_axis("id").to_csv("measurements.csv")


def model_of_rows(**parameters):
    return AutoEncoderTransformer(2, max_iter=1, random_state=0, **parameters).fit(ROWS)


def of_dask(monkeypatch):
    """What runs where the script is started, with workers that are threads."""
    model_of_rows().save("model.safetensors")
    da.to_npy_stack("X", da.from_array(ROWS, chunks=(20, 6)))
    client = partial(dask.distributed.Client, processes=False, dashboard_address=None)
    monkeypatch.setattr(dask.distributed, "Client", client)
    return {"__name__": "__main__"}


def of_gpu(monkeypatch):
    joblib.dump(model_of_rows(device="cpu"), "fitted_on_cuda.joblib")
    return {"joblib": joblib}


def of_loss_weights(monkeypatch):
    return {
        "VQVAETransformer": VQVAETransformer,
        "GridSearchCV": partial(GridSearchCV, error_score="raise"),
        "table": pd.DataFrame(ROWS[:30, :2]),
        "labels": np.arange(30) % 2,
    }


def of_plots(monkeypatch):
    matplotlib.use("agg")
    images = RANDOM.random_sample((20, 8, 8))
    return {"model": VQVAETransformer(4, prior=None).fit(images), "X_test": images}


def of_callbacks(monkeypatch):
    """The loggers are stood in for by objects that take any call."""
    for name in ("torch.utils.tensorboard", "mlflow", "wandb"):
        monkeypatch.setitem(sys.modules, name, MagicMock())
    names = {"skvq": skvq, "VQVAETransformer": VQVAETransformer, "MLPClassifier": MLPClassifier}
    exec(doctest_of("docs/how_to/progress_and_callbacks.md", "class Log:"), names)
    prior = skvq.PixelCNN(channels=4, n_layers=1)
    return names | {"X": ROWS, "y": np.arange(40) % 2, "model": VQVAETransformer(4, prior=prior).fit(ROWS)}


def of_processes(monkeypatch):
    """A group of one process, which no block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free.getsockname()[1], "RANK": 0, "WORLD_SIZE": 1}
    for name, value in address.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(torch.distributed, "destroy_process_group", lambda: None)
    np.save("rows.npy", ROWS)
    return {"np": np, "load": lambda: ROWS, "paths": ["rows.npy"], "X": ROWS}


def of_flights(monkeypatch):
    destinations = RANDOM.choice(["SEA", "PDX"], 60)
    flights = pd.DataFrame({"destination": destinations, "distance": np.where(destinations == "SEA", 2400, 2450)})
    for name in ("departure_delay", "arrival_delay"):
        flights[name] = np.where(RANDOM.rand(60) < 0.2, np.nan, RANDOM.normal(0, 9, 60).round())
    return {"flights": flights}


# What a page takes for granted, by its name: a function that returns the names, within `_folder`.
GIVEN = {
    "docs/how_to/dask.md": of_dask,
    "docs/how_to/gpu.md": of_gpu,
    "docs/how_to/loss_weights.md": of_loss_weights,
    "docs/how_to/plots.md": of_plots,
    "docs/how_to/progress_and_callbacks.md": of_callbacks,
    "docs/how_to/several_processes.md": of_processes,
    "docs/how_to/synthetic_tables.md": of_flights,
}
# Its block sets a variable before anything is imported.
IN_A_PROCESS = "docs/how_to/images_and_tables.md"
PAGES = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if page != IN_A_PROCESS and blocks_of(page)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("_small_fits", "_folder")
@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_run_in_order(page, monkeypatch):
    destroy = torch.distributed.destroy_process_group
    names = GIVEN.get(page, lambda monkeypatch: {})(monkeypatch)
    try:
        for block in blocks_of(page):
            exec(compile(block, page, "exec"), names)
    finally:
        if torch.distributed.is_initialized():
            destroy()


def test_pages_that_take_something_for_granted_have_blocks():
    assert set(GIVEN) <= set(PAGES)


def test_a_block_that_sets_up_its_process_runs_in_one():
    (block,) = blocks_of(IN_A_PROCESS)
    check = "\nassert isinstance(labels, torch.Tensor) and len(labels) == 200"
    subprocess.run([sys.executable, "-W", "ignore", "-c", block + check], check=True)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("_small_fits", "_folder")
def test_the_blocks_of_the_readme_run_in_order(tmp_path):
    blocks, names = blocks_of("README.md"), {}
    assert len(blocks) == 6
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert (tmp_path / "new_people.csv").exists()
    names["classifier"].fit(names["X"].reshape(-1, 64), names["y"])
    assert names["new"].shape == (10, 8, 8)


def test_blocks_with_prompts_are_left_to_the_doctests():
    text = "```python\na = 1\n```\n\n```python\n>>> b = 1\n```\n\n```text\nc\n```\n\n```python\nd = 1\n\ne = 2\n```\n"
    assert PLAIN.findall(text) == ["a = 1\n", "d = 1\n\ne = 2\n"]
