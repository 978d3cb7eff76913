import numpy as np
import pytest
import torch
from scipy import sparse

from skvq.training.batches import Rows, TermMeans, as_array, n_training_rows, split_rows


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(5.0, 3.0, size=(23, 4))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_batch_is_standardised_in_float64_before_it_is_cast():
    X = 1e9 + np.arange(10.0)[:, None]  # float32 cannot tell these values apart
    batch = Rows(X, shift=np.array([1e9]), scale=np.array([2.0])).take(np.array([3, 7]))
    assert batch.dtype == torch.float32
    np.testing.assert_array_equal(batch.numpy(), [[1.5], [3.5]])


def test_rows_of_a_sparse_matrix_equal_those_of_the_dense_one(X):
    X[X < 4] = 0
    shift, scale = X.mean(axis=0), X.std(axis=0)
    dense, csr = (Rows(A, shift=shift, scale=scale) for A in (X, sparse.csr_matrix(X)))
    np.testing.assert_array_equal(dense.take(np.array([5, 0, 5])), csr.take(np.array([5, 0, 5])))


@pytest.mark.parametrize("dtype", [np.uint8, bool, np.int64, np.float32])
def test_rows_of_every_numeric_dtype_are_cast(dtype):
    X = np.array([[0, 1], [1, 1]], dtype=dtype)
    np.testing.assert_array_equal(
        Rows(X, shift=np.ones(2), scale=np.full(2, 2.0)).take(slice(0, 2)), [[-0.5, 0], [0, 0]]
    )


def test_every_row_comes_once_per_epoch_and_none_is_dropped(X):
    batches = list(Rows(X).shuffled(5, generator()))
    assert [len(b) for b in batches] == [5, 5, 5, 5, 3]
    drawn = torch.cat(batches).numpy()
    expected = X.astype(np.float32)
    np.testing.assert_array_equal(np.sort(drawn, axis=0), np.sort(expected, axis=0))
    assert not np.array_equal(drawn, expected)


def test_the_order_comes_from_the_generator_alone(X):
    before = torch.random.get_rng_state()
    first, again, other = (torch.cat(list(Rows(X).shuffled(5, generator(seed)))) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_batch_never_shares_memory_with_x(X):
    X = X.astype(np.float32)
    before = X.copy()
    for batch in Rows(X).in_order(10):
        batch.zero_()
    np.testing.assert_array_equal(X, before)


def test_restricted_rows_are_the_chosen_ones_in_order(X):
    rows = Rows(X).restrict(np.array([4, 8, 15])).restrict(np.array([0, 2]))
    np.testing.assert_array_equal(rows.take(slice(0, 2)), X[[4, 15]].astype(np.float32))
    assert len(rows) == 2


def test_a_batch_takes_the_shape_of_a_row():
    X = np.arange(24).reshape(2, 12)
    batch = Rows(X, shape=(2, 3, 2)).take(slice(0, 2))
    np.testing.assert_array_equal(batch, X.reshape(2, 2, 3, 2))


def test_split_is_disjoint_complete_and_of_the_wanted_size():
    training, validation = split_rows(50, 0.2, generator())
    assert len(validation) == 10
    np.testing.assert_array_equal(np.sort(np.concatenate([training, validation])), np.arange(50))


@pytest.mark.parametrize("validation_fraction", [0.01, 0.1, 0.5, 0.9])
def test_the_rows_left_to_train_on_can_be_counted_before_the_split(validation_fraction):
    for n_rows in (2, 3, 7, 50):
        if n_rows > max(1, round(n_rows * validation_fraction)):
            training, _ = split_rows(n_rows, validation_fraction, generator())
            assert n_training_rows(n_rows, validation_fraction) == len(training)


def test_a_split_that_leaves_nothing_to_train_on_is_an_error():
    with pytest.raises(ValueError, match="holds all rows out .n_samples = 1., and none is left"):
        split_rows(1, 0.1, generator())


def test_long_rows_are_passed_few_at_a_time():
    sizes = [
        Rows(np.zeros((1, 1)), shape=shape).pass_size for shape in ((20,), (64, 64, 3), (128, 128, 3), (999, 999, 3))
    ]
    assert sizes == [256, 64, 32, 32]


TENSOR = torch.arange(6.0).reshape(3, 2)


@pytest.mark.parametrize(
    "tensor",
    [
        TENSOR.clone().requires_grad_(), TENSOR.bfloat16(), TENSOR.half(), TENSOR.to(torch.float8_e4m3fn), TENSOR.T.T,
        torch._neg_view(-TENSOR), TENSOR.to(torch.uint8),
    ],
)  # fmt: skip
def test_tensors_of_every_kind_are_taken(tensor):
    found = as_array(tensor)
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, np.arange(6).reshape(3, 2))


def test_what_is_no_tensor_is_returned_as_it_is():
    rows = [[1, 2], [3, 4]]
    assert as_array(rows) is rows


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (TENSOR.to("meta"), "X is a torch tensor on the device 'meta', which has no values"),
        (TENSOR.to_sparse(), r"X is a sparse_coo torch tensor; pass a dense one, X.to_dense\(\)"),
        (torch.quantize_per_tensor(TENSOR, 0.1, 0, torch.quint8), r"quantized torch tensor.*X.dequantize\(\)"),
    ],
)
def test_tensors_without_dense_values_are_refused(tensor, message):
    with pytest.raises(TypeError, match=message):
        as_array(tensor)


def test_means_of_terms_are_those_over_rows_whenever_they_are_fetched():
    losses, sizes = [1.0, 2.0, 6.0], [4, 4, 2]
    for every in (1, 2, 5):
        means = TermMeans(every)
        for loss, size in zip(losses, sizes):
            means.add({"loss": torch.tensor(loss), "other": torch.tensor(loss, dtype=torch.float64) ** 2}, size)
        assert means.n_rows == 10
        assert means.values() == {"loss": 2.4, "other": pytest.approx(9.2)}


def test_a_loss_that_is_not_finite_is_refused_with_the_note_of_its_batch_when_it_is_fetched():
    refused = []
    means = TermMeans(3, lambda loss, note: refused.append((loss, note)))
    for number, loss in enumerate([1.0, float("inf"), 2.0]):
        assert refused == []
        means.add({"loss": torch.tensor(loss)}, 1, number)
    assert refused == [(float("inf"), 1)]
