"""Two processes that share the rows of a call get, both of them, what one process gets."""

import os
import re
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

sys.path.insert(0, str(Path(__file__).parent))
import sharing_rows

from skvq import AutoEncoderTransformer, MLPClassifier, OrderlessNADE, PixelCNN, VAETransformer, VQVAETransformer

DIGITS, LABELS = load_digits(return_X_y=True)
DIGITS, LABELS = DIGITS[:201], LABELS[:201]
IMAGES = DIGITS.reshape(-1, 8, 8)
FRAME = pd.DataFrame(
    {
        "amount": DIGITS[:, 20],
        "kind": pd.Categorical(np.where(DIGITS[:, 30] > 3, "left", "right")),
        "place": np.where(DIGITS[:, 36] > 3, "north", "south"),
    },
    index=np.arange(1000, 1201),
)
SHORT = {"max_iter": 1, "random_state": 0}
# Random rows, which depend on the number of processes.
DRAWN = ["sample", "sample without a seed", "sample of a frame", "sample of classes", "drawn reconstructions"]


def fitted_models():
    classes = PixelCNN(channels=8, n_layers=1, class_conditional=True, **SHORT)
    vqvae = VQVAETransformer(8, channels=8, n_blocks=1, prior=classes, **SHORT).fit(IMAGES, LABELS)
    of_frame = VQVAETransformer(8, prior=OrderlessNADE(**SHORT), **SHORT).fit(FRAME).set_output(transform="pandas")
    return (
        AutoEncoderTransformer(4, **SHORT).fit(DIGITS),
        VAETransformer(3, prior="normal", **SHORT).fit(DIGITS),
        vqvae,
        MLPClassifier((8,), solver="lbfgs", max_iter=500, random_state=0).fit(DIGITS, LABELS),
        make_pipeline(vqvae, OneHotEncoder(handle_unknown="ignore").fit(vqvae.transform(IMAGES))),
        of_frame,
    )


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The results of two processes, and those of plain calls."""
    folder = tmp_path_factory.mktemp("shared")
    models, rows = fitted_models(), (DIGITS, IMAGES, LABELS, FRAME, pl.from_pandas(FRAME))
    joblib.dump(models, folder / "models")
    joblib.dump(rows, folder / "rows")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    command = [sys.executable, sharing_rows.__file__, str(folder)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    found = subprocess.run(command, env=environment, timeout=120, **pipes)
    assert found.returncode == 0, found.stdout
    return [joblib.load(folder / f"results {rank}") for rank in (0, 1)], sharing_rows.results(models, rows)


def assert_equal(one, other, rtol=0.0):
    """Fail where two results differ in kind, dtype, index or, by more than `rtol`, in a value."""
    assert type(one) is type(other)
    if isinstance(one, list):
        assert len(one) == len(other)
        for pair in zip(one, other):
            assert_equal(*pair, rtol)
    elif isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, rtol=rtol, check_exact=rtol == 0)
    elif sparse.issparse(one):
        assert one.format == other.format
        np.testing.assert_array_equal(one.toarray(), other.toarray())
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol) if one.dtype.kind == "f" else (
            np.testing.assert_array_equal(one, other)
        )
    else:
        assert one == other


def test_all_processes_get_the_same_bits(both):
    (one, other), _ = both
    assert one.keys() == other.keys()
    for name in one:
        assert_equal(one[name], other[name])


@pytest.mark.parametrize(
    "name",
    [
        "components",
        "components, few",
        "scores",
        "bounds",
        "codes",
        "images",
        "codes and classes",
        "codes and one class",
        "labels",
        "sparse rows",
        "frame of components",
        "frame back",
        "frame of components, polars",
    ],
)
def test_what_has_no_chance_in_it_is_what_one_process_gets(name, both):
    (found, _), plain = both
    assert_equal(found[name], plain[name], rtol=1e-5)


@pytest.mark.parametrize("name", DRAWN)
def test_drawn_rows_are_as_many_and_of_the_same_kind_and_other_ones_in_each_process(name, both):
    (found, _), plain = both
    assert type(found[name]) is type(plain[name])
    assert found[name].shape == plain[name].shape
    rows = np.asarray(found[name])
    assert not np.array_equal(rows[:37], rows[64:101])  # the runs of the two processes


def test_a_seed_gives_the_same_rows_again_and_a_random_state_others(both):
    (found, _), _ = both
    np.testing.assert_array_equal(found["sample"], found["sample again"])
    first, second = found["sample and sample"]
    assert not np.isin(first[:, 20], second[:, 20]).any()


def test_a_drawn_frame_is_indexed_from_0_and_keeps_its_dtypes(both):
    (found, _), _ = both
    drawn = found["sample of a frame"]
    pd.testing.assert_index_equal(drawn.index, pd.RangeIndex(101))
    assert drawn.dtypes.to_dict() == FRAME.dtypes.to_dict()


def test_errors_of_one_process_are_errors_of_all(both):
    (found, _), plain = both
    assert found["error"] == plain["error"]
    assert "contains NaN" in found["error"][1]
    assert found["error, no rows"] == plain["error, no rows"]
    kind, message = found["error, no result of rows"]
    assert (kind, message) == (
        "TypeError",
        "shared needs a method that returns something for each row, but this one returned float",
    )


def test_without_a_group_it_is_the_plain_call(both):
    _, plain = both
    _, vae, *_ = fitted_models()
    np.testing.assert_array_equal(plain["sample"], vae.sample(101, random_state=0))
    np.testing.assert_array_equal(plain["bounds"], vae.score_samples(DIGITS, n_importance_samples=2))


def test_what_is_fitted_to_shards_is_what_one_process_fits_to_their_chunks(both):
    (found, _), plain = both
    for one, other in zip(found["shards"], plain["shards"]):
        if one.dtype.kind == "i":
            assert (one == other).mean() >= 0.995
        else:
            np.testing.assert_allclose(one, other, atol=1e-5 * other.std())


def test_shards_of_arrays_come_in_the_order_of_the_processes(both):
    (found, _), plain = both
    np.testing.assert_array_equal(np.vstack(found["shards, of arrays"]), np.vstack([DIGITS[::2], DIGITS[1::2]]))
    np.testing.assert_array_equal(np.vstack(plain["shards, of arrays"]), DIGITS)


def test_a_process_may_have_no_rows_of_its_own(both):
    (found, _), plain = both
    np.testing.assert_array_equal(np.vstack(found["shards, none here"]), DIGITS[:100])
    assert plain["shards, none here"] == []


def test_what_is_wrong_with_one_shard_is_raised_in_all_processes(both):
    (found, other), plain = both
    assert found["error, a shard"] == other["error, a shard"] == plain["error, a shard"]
    assert found["error, a shard"] == ("OSError", "the file is gone")
    kind, message = found["error, rows of a shard"]
    assert (kind, message) == other["error, rows of a shard"] == plain["error, rows of a shard"]
    assert "chunk 0 of X" in message


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("error, no shard", ("ValueError", r"X has shape \(\); from_shards takes rows")),
        ("error, sparse", ("TypeError", r"X is sparse.*toarray\(\)")),
        ("error, that does not pickle", ("RuntimeError", "LocalError: of this process alone")),
    ],
)
def test_what_is_no_part_of_X_leaves_no_process_waiting(name, expected, both):
    (found, other), _ = both
    assert found[name] == other[name]
    assert found[name][0] == expected[0]
    assert re.search(expected[1], found[name][1])
