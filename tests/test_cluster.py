"""On a cluster of two processes: lazy results of a large model, and a search that survives the death of a worker."""

import os
import signal
import threading
import time
import warnings

import dask
import dask.array as da
import joblib
import numpy as np
import pytest
from distributed import Client, LocalCluster
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from skvq import AutoEncoderTransformer
from skvq.core import lazy

DIGITS = load_digits().data[:300]


@pytest.fixture(scope="module")
def client():
    environment = {"OMP_NUM_THREADS": "1"}
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ": environment}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client


def test_a_large_model_reaches_the_workers_without_a_warning(client, monkeypatch):
    model = AutoEncoderTransformer(4, max_iter=1, random_state=0).fit(DIGITS)
    limit = sum(array.nbytes for array in model.weights_.values()) // 2
    monkeypatch.setattr(lazy, "LARGEST_IN_GRAPH", limit)
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": limit}), warnings.catch_warnings():
        warnings.simplefilter("error")
        Z = model.transform(da.from_array(DIGITS, chunks=(50, 64)))
        found = Z.compute()
    np.testing.assert_allclose(found, model.transform(DIGITS), rtol=1e-5, atol=1e-6)


def test_a_small_model_is_part_of_the_graph(client):
    model = AutoEncoderTransformer(4, max_iter=1, random_state=0).fit(DIGITS)
    error = model.reconstruction_error(da.from_array(DIGITS, chunks=(50, 64)))
    np.testing.assert_allclose(error.compute(), model.reconstruction_error(DIGITS), rtol=1e-5)


def test_a_search_survives_the_death_of_a_worker(client):
    grid = {"n_components": [2, 3, 4]}
    search = GridSearchCV(AutoEncoderTransformer(max_iter=40, early_stopping=False, random_state=0), grid, cv=2)
    expected = clone(search).fit(DIGITS).cv_results_["mean_test_score"]
    workers, moments = list(client.run(os.getpid).values()), []

    def kill():
        while not any(client.processing().values()):
            time.sleep(0.05)
        time.sleep(0.5)
        os.kill(workers[0], signal.SIGKILL)
        moments.append(time.monotonic())

    killer = threading.Thread(target=kill)
    killer.start()
    with joblib.parallel_backend("dask"):
        search.fit(DIGITS)
    ended = time.monotonic()
    killer.join()
    assert moments[0] < ended
    assert workers[0] not in client.run(os.getpid).values()
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected, rtol=1e-4)
