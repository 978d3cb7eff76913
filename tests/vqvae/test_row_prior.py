"""The prior of rows that tables get: samples, given columns, completions and likelihoods of a VQ-VAE."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits, load_wine

import skvq
from skvq import CausalTransformer, OrderlessNADE, PixelCNN, VQVAETransformer

NADE = OrderlessNADE(n_units=32, max_iter=80)
FAST = {"max_iter": 2, "hidden_layer_sizes": (), "random_state": 0}


def shop(n=300):
    random = np.random.RandomState(0)
    size = random.choice(["S", "L"], n)
    price = np.where(size == "L", 20, 10) + random.randint(0, 5, n)
    table = pd.DataFrame({"size": size, "price": price, "sold": random.rand(n) < 0.5, "note": random.rand(n).round(1)})
    return table.assign(note=table.note.mask(random.rand(n) < 0.3))


@pytest.fixture(scope="module")
def model():
    return VQVAETransformer(prior=NADE, **FAST).fit(shop())


@pytest.mark.parametrize(
    ("X", "kind"),
    [
        (shop(50), OrderlessNADE),
        (load_wine().data[:50], OrderlessNADE),
        (load_digits().images[:50], CausalTransformer),
        (np.random.RandomState(0).rand(20, 501), PixelCNN),
    ],
    ids=["frame", "array", "images", "many columns"],
)
def test_auto_is_a_prior_of_rows_for_tables_and_one_of_codes_otherwise(X, kind, monkeypatch):
    monkeypatch.setattr(kind, "fit", lambda self, X, y=None, X_val=None: self)  # only the choice matters here
    assert type(VQVAETransformer(max_iter=1, channels=4).fit(X).prior_) is kind


def test_rows_are_frames_like_that_of_fit(model):
    X, drawn = shop(), model.sample(200, random_state=0)
    assert (drawn.dtypes == X.dtypes).all()
    assert drawn.groupby("size").price.mean().diff().iloc[-1] < -5
    assert drawn.note.isna().mean() == pytest.approx(0.3, abs=0.15)


def test_columns_can_be_given_and_missing_cells_completed(model):
    drawn = model.sample(50, given={"size": "L"}, random_state=0)
    assert set(drawn["size"]) == {"L"}
    assert drawn.price.mean() > 18
    X = shop()
    complete = model.complete(X.assign(size=None), strategy="mean", random_state=0)
    assert (complete["size"] == X["size"]).mean() > 0.95
    hidden = np.ones(X.shape, dtype=bool)
    hidden[:, 0] = False
    complete = model.complete(X, hidden, random_state=0)
    assert not complete.isna().any().any()
    assert (complete["size"] == X["size"]).mean() > 0.9


def test_likelihoods_are_those_of_the_prior_and_low_for_odd_rows(model):
    X = shop()
    np.testing.assert_array_equal(model.score_samples(X), model.prior_.score_samples(X))
    odd = X.assign(size=np.where(X["size"] == "L", "S", "L"))
    assert model.score_samples(odd).mean() < model.score_samples(X).mean() - 1
    assert model.bits_per_dim(X) == pytest.approx(-model.score_samples(X).mean() / np.log(2) / 4)


def test_codes_do_not_depend_on_the_prior(model):
    np.testing.assert_array_equal(model.transform(shop()), VQVAETransformer(prior=None, **FAST).fit_transform(shop()))


def test_a_prior_can_be_added(model):
    X = shop()
    later = VQVAETransformer(prior=None, **FAST).fit(X).set_params(prior=NADE).fit_prior(X)
    assert later.sample(3, random_state=0).columns.tolist() == X.columns.tolist()


def test_categories_are_those_of_the_estimator():
    X = load_wine().data[:, :3].round()
    model = VQVAETransformer(prior=NADE, categorical_features=[0], **FAST).fit(X)
    assert model.prior_.categorical_features == [0]
    assert model.prior_.columns_[0]["kind"] == "category"
    assert set(model.sample(100, random_state=0)[:, 0]) <= set(X[:, 0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: model.sample(2, y="L"), "y is of no use to a prior of rows"),
        (lambda model: model.score_samples(shop(), y="L"), "y is of no use to a prior of rows"),
        (lambda model: model.complete(shop(), np.ones(3, dtype=bool)), "of the shape of X"),
        (lambda model: model.complete(shop(), np.ones((300, 4))), "it must be of bool"),
    ],
)
def test_what_makes_no_sense_for_rows_is_refused(model, call, message):
    with pytest.raises(ValueError, match=message):
        call(model)


def test_a_prior_of_codes_cannot_be_given_columns():
    model = VQVAETransformer(prior=PixelCNN(channels=4, max_iter=1), **FAST).fit(load_wine().data)
    with pytest.raises(ValueError, match="given needs a prior of rows"):
        model.sample(2, given={0: 1.0})


def test_images_get_no_prior_of_rows():
    with pytest.raises(ValueError, match="models the columns of tables"):
        VQVAETransformer(prior="nade", **FAST).fit(load_digits().images[:20])


def test_a_model_is_the_same_from_its_file(model, tmp_path):
    model.save(tmp_path / "model.safetensors")
    again = skvq.load(tmp_path / "model.safetensors")
    pd.testing.assert_frame_equal(again.sample(20, random_state=1), model.sample(20, random_state=1))
    np.testing.assert_array_equal(again.score_samples(shop()), model.score_samples(shop()))


@pytest.mark.parametrize("method", ["score_samples", "complete", "transform"])
def test_no_rows_at_all_are_refused(method, model):
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
        getattr(model, method)([])
