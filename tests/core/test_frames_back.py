"""Frames that come back have the index of the rows that they stand for."""

import numpy as np
import pandas as pd
import pytest

from skvq import AutoEncoderTransformer, OrderlessNADE, VAETransformer, VQVAETransformer

FRAME = pd.DataFrame({"a": np.arange(30.0), "b": np.arange(30.0) ** 2, "c": list("xyz") * 10}, index=range(100, 130))
SHORT = {"max_iter": 1, "random_state": 0}
MODELS = [AutoEncoderTransformer(2, **SHORT), VAETransformer(2, **SHORT), VQVAETransformer(4, prior=None, **SHORT)]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_restored_rows_have_the_index_of_their_codes(model):
    codes = model.set_output(transform="pandas").fit_transform(FRAME)
    assert list(model.inverse_transform(codes).index) == list(FRAME.index)


def test_reconstructed_rows_have_the_index_of_x():
    model = VAETransformer(2, **SHORT).fit(FRAME)
    assert list(model.reconstruct(FRAME.iloc[3:7], random_state=0).index) == [103, 104, 105, 106]


def test_drawn_rows_have_the_index_of_the_rows_that_are_given():
    model = OrderlessNADE(n_units=4, n_blocks=1, **SHORT).fit(FRAME)
    given = FRAME[["a"]].iloc[3:6]
    assert list(model.sample(3, given=given).index) == [103, 104, 105]
    assert list(model.sample(2, given={"a": 3.0}).index) == [0, 1]
