"""README's blocks of Python run, one after the other, with small networks and a small table in place of people.csv."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

import skvq

README = Path(__file__).parents[1] / "README.md"
SMALL = {"max_iter": 1, "channels": 8, "n_blocks": 0, "n_layers": 1, "n_units": 16}


@pytest.fixture
def _small_fits(monkeypatch):
    """Let the fits of the README take one epoch of small networks: what is tested is that its lines run."""
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
def _people(tmp_path, monkeypatch):
    """The files that the README calls yours."""
    random = np.random.RandomState(0)
    people = pd.DataFrame(
        {
            "sex": random.choice(["female", "male"], 60),
            "age": random.randint(20, 60, 60),
            "income": np.where(random.rand(60) < 0.2, np.nan, random.lognormal(8, 1, 60).round()),
        }
    )
    people.to_csv(tmp_path / "people.csv", index=False)
    people[::2].to_csv(tmp_path / "later.csv", index=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("_small_fits", "_people")
def test_the_blocks_of_the_readme_run_in_order(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 6
    names = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
        if "X" in names and names["X"].ndim == 3:
            names["X"], names["y"] = names["X"][:200], names["y"][:200]
    assert (tmp_path / "new_people.csv").exists()
    names["classifier"].fit(names["X"].reshape(-1, 64), names["y"])
    assert names["new"].shape == (10, 8, 8)
