"""Passes of many rows through a network: blocks, codes, reconstructions and R²."""

import numpy as np
import pytest
import torch
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import r2_score
from sklearn.model_selection import LeaveOneOut, cross_val_score
from torch import nn

from skvq import AutoEncoderTransformer, VQVAETransformer
from skvq.core.inference import ROW_BLOCK, decode, encode, fill_block, r_squared, reconstruct
from skvq.training.batches import Rows, pass_size


class Signs(nn.Module):
    """Encodes rows (b, 2, 3) to whether their first two values are positive, and decodes these as ±1."""

    def __init__(self):
        super().__init__()
        self.heights = []

    def encode(self, x):
        self.heights.append(len(x))
        return (x.flatten(1)[:, :2] > 0).long()

    def decode(self, codes):
        rows = torch.zeros(len(codes), 6)
        rows[:, :2] = 2.0 * codes - 1
        return rows.unflatten(1, (2, 3))


SIZE = pass_size((2, 3))
X = np.random.default_rng(0).normal(5.0, 2.0, size=(2 * SIZE + 7, 6))
ROWS = Rows(X, shift=X.mean(axis=0), scale=X.std(axis=0), shape=(2, 3))
STANDARDISED = ((X - X.mean(axis=0)) / X.std(axis=0)).astype(np.float32).astype(np.float64)
CODES = (STANDARDISED[:, :2] > 0).astype(int)


def test_batches_are_filled_up_to_whole_blocks():
    assert len(fill_block(torch.ones(1, 3))) == ROW_BLOCK
    assert fill_block(torch.ones(ROW_BLOCK, 3)).sum() == 3 * ROW_BLOCK
    assert fill_block(torch.ones(ROW_BLOCK + 1, 3)).sum() == 3 * (ROW_BLOCK + 1)


def test_all_rows_are_encoded_in_order_in_whole_blocks():
    network = Signs()
    codes = encode(network, ROWS, 2, np.int32)
    assert codes.dtype == np.int32
    np.testing.assert_array_equal(codes, CODES)
    assert network.heights == [SIZE, SIZE, ROW_BLOCK]


def test_large_images_are_decoded_few_at_a_time():
    pieces = [len(piece) for _, piece in decode(Signs(), CODES, "cpu", (224, 224, 3))]
    assert pieces == [32] * 16 + [7]


@pytest.mark.parametrize("dtype", [np.int32, np.float64])
def test_codes_are_decoded_to_rows_with_their_places(dtype):
    rows = np.empty((len(CODES), 6))
    for start, piece in decode(Signs(), CODES.astype(dtype), "cpu", (2, 3)):
        assert piece.dtype == np.float64
        rows[start : start + len(piece)] = piece
    np.testing.assert_array_equal(rows, np.hstack([2 * CODES - 1, np.zeros((len(X), 4))]))


def test_a_reconstruction_comes_with_its_errors_and_the_variation_of_the_rows():
    codes, squared_error, variation = reconstruct(Signs(), ROWS, 2, np.int32)
    restored = np.hstack([2 * CODES - 1, np.zeros((len(X), 4))])
    np.testing.assert_array_equal(codes, CODES)
    np.testing.assert_allclose(squared_error, ((STANDARDISED - restored) ** 2).sum(axis=1), rtol=1e-5)
    assert variation == pytest.approx(X.size)
    expected = r2_score(STANDARDISED, restored, multioutput="variance_weighted")
    assert r_squared(squared_error, variation) == pytest.approx(expected, rel=1e-5)


def test_rows_that_are_all_the_same_have_exactly_no_variation():
    rows = Rows(np.full((SIZE + 3, 6), 0.1), shape=(2, 3))
    assert reconstruct(Signs(), rows, 2, np.int32)[2] == 0.0
    assert (r_squared(np.zeros(2), 0.0), r_squared(np.full(2, 1e-12), 0.0)) == (1.0, 0.0)


def test_one_row_has_no_r_squared():
    with pytest.warns(UndefinedMetricWarning, match="less than two rows"):
        assert np.isnan(r_squared(np.ones(1), 0.0))


@pytest.mark.parametrize(
    "model", [AutoEncoderTransformer(2, max_iter=1), VQVAETransformer(4, max_iter=1, prior=None)], ids=["ae", "vq"]
)
def test_a_search_that_leaves_one_row_out_warns(model):
    X = np.random.default_rng(0).normal(size=(8, 3))
    with pytest.warns(UndefinedMetricWarning, match="less than two rows"):
        scores = cross_val_score(model, X, cv=LeaveOneOut())
    assert np.isnan(scores).all()


def test_rows_far_from_zero_keep_the_digits_of_their_variation():
    values = np.arange(12.0).reshape(2, 6)
    far = Rows(1e6 + values, shape=(2, 3))
    assert reconstruct(Signs(), far, 2, np.int32)[2] == pytest.approx(6 * 18.0)  # columns of two values, 6 apart
