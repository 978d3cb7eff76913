"""Fingerprints tell fits apart that would end differently, and no others."""

import numpy as np
import pytest
from scipy import sparse

from skvq import PixelCNN, VQVAETransformer
from skvq.core.fingerprint import describe, digest_of_arrays, digest_of_rows, fingerprint
from skvq.training.batches import Rows

X = np.arange(12.0).reshape(4, 3)


def differing(one, other):
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}


def test_parameters_count_and_those_of_estimators_among_them():
    model = VQVAETransformer(n_codes=16, prior=PixelCNN(channels=8))
    other = VQVAETransformer(n_codes=32, prior=PixelCNN(channels=16))
    assert differing(fingerprint(model), fingerprint(other)) == {"n_codes", "prior__channels"}
    assert differing(fingerprint(model), fingerprint(model.set_params(verbose=2, checkpoint="elsewhere"))) == set()


def test_data_have_the_name_that_a_message_gives_them():
    assert fingerprint(PixelCNN(), training_rows="digest 1")["training rows"] == "digest 1"


@pytest.mark.parametrize(
    ("value", "equal", "other"),
    [
        (np.arange(300), np.arange(300), np.arange(301)),
        (np.random.RandomState(0), np.random.RandomState(0), np.random.RandomState(1)),
        (np.sum, np.sum, np.mean),
        ([1] * 200, [1] * 200, [1] * 201),
    ],
    ids=["array", "generator", "function", "long list"],
)
def test_a_value_has_the_text_of_its_equals(value, equal, other):
    assert describe(value) == describe(equal) != describe(other)


@pytest.mark.parametrize(
    "other",
    [
        Rows(X[::-1].copy()),
        Rows(X, subset=np.arange(3)),
        Rows(X, shift=0.0, scale=2.0),
        Rows(X, shape=(3, 1)),
        Rows(2 * X, shift=0.0, scale=2.0),  # the same standardised rows, but not the same reconstructions
    ],
    ids=["order", "part", "scale", "shape", "unit"],
)
def test_rows_have_the_digest_of_what_the_network_sees(other):
    assert digest_of_rows(Rows(X)) == digest_of_rows(Rows(np.asfortranarray(X), subset=np.arange(4)))
    assert digest_of_rows(Rows(X)) != digest_of_rows(other)


def test_arrays_and_sparse_matrices_have_digests_of_their_values():
    rows = sparse.csr_matrix(X)
    assert digest_of_arrays(rows, None) == digest_of_arrays(rows.copy(), None)
    assert digest_of_arrays(rows) != digest_of_arrays(2 * rows)
    assert digest_of_arrays(X) != digest_of_arrays(X.ravel())
