"""Batches of predictors against plain indexing."""

import tracemalloc

import numpy as np
import pytest
import torch
from scipy import sparse

from skvq.mlp import gather
from skvq.mlp.gather import Gather, Samples, rows_per_pass

ORDER = np.array([5, 0, 5, 11, 3])
TYPES = [bool, "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "g", ">f4", ">f8", ">i4"]
BOTH_TYPES = pytest.mark.parametrize("wanted", [torch.float32, torch.float64])
CACHED = pytest.mark.parametrize("cached", [True, False], ids=["small", "large"])


def numbers(dtype=float, shape=(12, 4)):
    """Integers from 0 to 9, or truths, which every type holds."""
    return np.random.default_rng(0).integers(0, 10, size=shape).astype(dtype)


def mostly_zeros(density, shape=(60, 50)):
    return sparse.random(*shape, density=density, format="csr", random_state=np.random.RandomState(0))


@pytest.fixture
def never_cached(monkeypatch):
    monkeypatch.setattr(gather, "CACHE_BYTES", 0)


@pytest.mark.parametrize("dtype", TYPES)
@BOTH_TYPES
@CACHED
def test_rows_of_every_dtype_are_cast(dtype, wanted, cached, monkeypatch):
    if not cached:
        monkeypatch.setattr(gather, "CACHE_BYTES", 0)
    X = numbers(dtype)
    batch = Gather(X, wanted).take(ORDER)
    assert batch.dtype == wanted
    np.testing.assert_array_equal(batch, X[ORDER].astype(float))


@CACHED
def test_class_indices_of_any_integer_type_become_int64(cached, monkeypatch):
    if not cached:
        monkeypatch.setattr(gather, "CACHE_BYTES", 0)
    for dtype in ("u1", "i4", "i8"):
        batch = Gather(numbers(dtype, (12, 1)), torch.int64).take(ORDER)
        assert batch.dtype == torch.int64
        np.testing.assert_array_equal(batch, numbers(dtype, (12, 1))[ORDER])


@pytest.mark.parametrize("layout", [np.asfortranarray, lambda X: np.repeat(X, 2, axis=1)[:, ::2], lambda X: X[::-1]])
@BOTH_TYPES
@pytest.mark.usefixtures("never_cached")
def test_rows_of_every_layout_are_found(layout, wanted):
    X = layout(numbers())
    np.testing.assert_array_equal(Gather(X, wanted).take(ORDER), X[ORDER])


@BOTH_TYPES
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_read_only_memory_map_is_read(tmp_path, dtype, wanted):
    numbers(dtype).tofile(tmp_path / "rows")
    X = np.memmap(tmp_path / "rows", dtype=dtype, mode="r", shape=(12, 4))
    found = Gather(X, wanted)
    np.testing.assert_array_equal(found.take(ORDER), X[ORDER])
    found.take(ORDER).zero_()  # does not reach the file
    np.testing.assert_array_equal(X, numbers(dtype))


@CACHED
@BOTH_TYPES
def test_a_batch_never_shares_memory_with_the_array(cached, wanted, monkeypatch):
    if not cached:
        monkeypatch.setattr(gather, "CACHE_BYTES", 0)
    X = numbers()
    found = Gather(X, wanted)
    found.take(np.arange(12)).zero_()
    np.testing.assert_array_equal(X, numbers())
    np.testing.assert_array_equal(found.take(ORDER), X[ORDER])


@BOTH_TYPES
def test_the_memory_of_a_batch_is_used_again(wanted):
    found = Gather(numbers(), wanted)
    first = found.take(ORDER)
    assert found.take(ORDER[:2]).data_ptr() != first.data_ptr()  # the last batch of an epoch is shorter
    second = found.take(ORDER[::-1])
    assert second.data_ptr() == first.data_ptr()
    np.testing.assert_array_equal(first, numbers()[ORDER[::-1]])


def test_only_two_sizes_of_batches_are_kept():
    found = Gather(numbers(), torch.float32)
    one, two, three = (found.take(np.arange(size)) for size in (1, 2, 3))  # held on to, so that no memory comes twice
    assert found.take(np.arange(2)).data_ptr() == two.data_ptr()
    assert found.take(np.arange(3)).data_ptr() == three.data_ptr()
    assert found.take(np.arange(1)).data_ptr() != one.data_ptr()
    for size in (1, 2, 3, 4, 3, 2):
        np.testing.assert_array_equal(found.take(np.arange(size)), numbers()[:size])


@BOTH_TYPES
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
@pytest.mark.usefixtures("never_cached")
def test_a_large_array_is_not_copied(dtype, wanted):
    X = numbers(dtype, (20_000, 100))
    tracemalloc.start()
    found = Gather(X, wanted)
    for start in range(0, 20_000, 1000):
        found.take(np.arange(start, start + 100))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.array is X
    assert peak < X.nbytes / 4  # a batch is a 200th of X


def test_a_small_array_is_cast_once_and_one_of_the_right_type_not_at_all():
    X = numbers(np.float64)
    assert Gather(X, torch.float64).array is X
    assert Gather(X, torch.float32).array.dtype == np.float32


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@BOTH_TYPES
def test_sparse_rows_of_many_values_become_dense(make, dtype, wanted):
    X = make((10 * mostly_zeros(2 * gather.SPARSE_DENSITY)).astype(dtype))
    found = Gather(X, wanted)
    for indices in (ORDER, ORDER + 20, ORDER):  # nothing of one batch is left in the next
        batch = found.take(indices)
        assert batch.dtype == wanted
        np.testing.assert_array_equal(batch, X.toarray()[indices].astype(gather.NUMPY_TYPES[wanted]))


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csr_array])
@BOTH_TYPES
def test_sparse_rows_of_few_values_stay_sparse(make, wanted):
    X = make(mostly_zeros(gather.SPARSE_DENSITY / 2))
    batch = Gather(X, wanted).take(ORDER)
    assert sparse.issparse(batch)
    assert batch.dtype == gather.NUMPY_TYPES[wanted]
    np.testing.assert_array_equal(batch.toarray(), X.toarray()[ORDER].astype(batch.dtype))


@pytest.mark.parametrize(
    "X", [numbers(), sparse.csr_matrix(numbers()), mostly_zeros(gather.SPARSE_DENSITY / 2)], ids=type
)
def test_a_subset_stands_for_its_rows_in_its_order(X):
    subset = np.array([11, 2, 7, 7])
    found = Gather(X, torch.float64, subset)
    assert len(found) == 4
    batch = found.take(np.array([3, 0, 1]))
    rows = X[np.array([7, 11, 2])]
    np.testing.assert_array_equal(
        batch.toarray() if sparse.issparse(batch) else batch, rows.toarray() if sparse.issparse(rows) else rows
    )


def test_values_beyond_single_precision_become_infinite_and_no_other_number():
    batch = Gather(np.array([[1e300, -1e300, 1.0]]), torch.float32).take(np.array([0]))
    np.testing.assert_array_equal(batch, [[np.inf, -np.inf, 1.0]])


def test_samples_are_rows_transposed_targets_and_weights():
    X, y, weight = numbers(), numbers(shape=(12, 2)), np.arange(12.0)
    samples = Samples(X, y, weight, torch.float32, torch.float64)
    rows, targets, weights = samples.take(ORDER)
    np.testing.assert_array_equal(rows, X[ORDER])
    np.testing.assert_array_equal(targets, y[ORDER].T)
    np.testing.assert_array_equal(weights, weight[ORDER])
    assert (rows.dtype, targets.dtype, weights.dtype) == (torch.float32, torch.float64, torch.float32)
    assert targets.is_contiguous()
    assert len(samples) == 12


def test_a_single_target_is_one_row_and_no_weights_are_none():
    y = np.arange(12).reshape(-1, 1)
    _, targets, weights = Samples(numbers(), y, None, torch.float32, torch.int64).take(ORDER)
    np.testing.assert_array_equal(targets, ORDER.reshape(1, -1))
    assert weights is None


def test_a_subset_of_samples_takes_its_targets_and_weights_along():
    X, y, weight = numbers(), np.arange(12.0).reshape(-1, 1), np.arange(12.0)
    subset = np.array([11, 2, 7])
    samples = Samples(X, y, weight, torch.float64, torch.float64, subset)
    assert len(samples) == 3
    np.testing.assert_array_equal(samples.weight, weight[subset])
    rows, targets, weights = samples.take(np.array([2, 0]))
    np.testing.assert_array_equal(rows, X[[7, 11]])
    np.testing.assert_array_equal(targets, [[7.0, 11.0]])
    np.testing.assert_array_equal(weights, [7.0, 11.0])


def test_a_pass_in_order_gives_every_row_once(monkeypatch):
    monkeypatch.setattr(gather, "PASS_VALUES", 4 * 32)
    X = numbers(shape=(100, 4))
    pieces = [rows.numpy().copy() for rows, _, _ in Samples(X, X, None, torch.float64, torch.float64).in_order()]
    assert [len(piece) for piece in pieces] == [32, 32, 32, 4]
    np.testing.assert_array_equal(np.concatenate(pieces), X)


@pytest.mark.parametrize("n_columns", [1, 10, 784, 50_000, 10_000_000])
def test_a_pass_takes_many_rows_but_not_much_memory(n_columns):
    assert 32 <= rows_per_pass(n_columns) <= 2048
    assert rows_per_pass(n_columns) * n_columns <= max(4_000_000, 32 * n_columns)


@pytest.mark.parametrize("layout", [np.asfortranarray, lambda X: X[:, ::2], lambda X: X.astype(">f8")])
@CACHED
def test_a_batch_copies_its_own_rows_only(layout, cached, monkeypatch):
    if not cached:
        monkeypatch.setattr(gather, "CACHE_BYTES", 0)
    X = layout(np.zeros((20_000, 10)))
    rows = Gather(X, torch.float64)
    rows.take(ORDER)
    tracemalloc.start()
    rows.take(ORDER)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000
