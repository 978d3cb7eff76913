"""VAETransformer refuses or warns of what it cannot use, and says why."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_wine
from sklearn.exceptions import NotFittedError

from skvq import VAETransformer

WINE = load_wine().data
FAST = {"n_components": 2, "hidden_layer_sizes": (8,), "max_iter": 2}


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("n_components", 0, ("'auto'", "an int in the range [1, 2**63)")),
        ("n_components", 2.5, ("'auto'", "an int in the range [1, 2**63)")),
        ("likelihood", "laplace", ("'gaussian'", "'gaussian_per_feature'", "'bernoulli'", "'poisson'")),
        ("kl_weight", -1.0, ("a float in the range [0.0, 3.4028234663852886e+38]",)),
        ("kl_weight", float("nan"), ("a float in the range [0.0, 3.4028234663852886e+38]",)),
        ("kl_warmup", 2.0, ("a float in the range [0.0, 1.0]",)),
        ("free_bits", -0.1, ("a float in the range [0.0, 3.4028234663852886e+38]",)),
        ("network", "recurrent", ("'auto'", "'dense'", "'convolutional'")),
        ("prior", "mixture", ("'gaussian_mixture'", "'normal'")),
        ("n_mixture_components", 0, ("'auto'", "an int in the range [1, 2**63)")),
        ("hidden_layer_sizes", (0,), ("'auto'", "a positive integer or a sequence of positive integers")),
        ("dropout", 1.0, ("a float in the range [0.0, 1.0)",)),
        ("channels", 0, ("an int in the range [1, 2**63)",)),
        ("n_blocks", -1, ("an int in the range [0, 2**63)",)),
        ("precision", "half", ("'auto'", "'float32'", "'bfloat16'")),
        ("batch_size", 0, ("'auto'", "an int in the range [1, 2**63)")),
        ("max_iter", 0, ("'auto'", "an int in the range [1, 2**63)")),
        ("early_stopping", "yes", ("'auto'", "bool")),
    ],
)
def test_a_parameter_out_of_range_is_named(name, value, accepted, refusal):
    with pytest.raises(ValueError, match=refusal("VAETransformer", name, value, *accepted)):
        VAETransformer(**FAST | {name: value}).fit(WINE)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"image_shape": (3, 5)}, "15 values a row, but X has 13 features"),
        ({"device": "gpu"}, "device='gpu' is not a device; it must be 'cpu'"),
    ],
)
def test_a_shape_or_device_that_does_not_fit_is_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        VAETransformer(**FAST | parameters).fit(WINE)


@pytest.fixture(scope="module")
def fitted():
    return VAETransformer(random_state=0, **FAST).fit(WINE)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_rows_outside_the_range_of_a_likelihood_are_refused(form):
    with pytest.raises(ValueError, match=r"values from .* to 1680.0; likelihood='bernoulli' needs them in \[0, 1\]"):
        VAETransformer(likelihood="bernoulli", **FAST).fit(form(WINE))
    with pytest.raises(ValueError, match="that are no counts; likelihood='poisson' needs 0, 1, 2"):
        VAETransformer(likelihood="poisson", **FAST).fit(form(WINE))
    with pytest.raises(ValueError, match="from -3.0 to 5.0 that are no counts"):
        VAETransformer(likelihood="poisson", **FAST).fit(form([[5.0, -3.0], [1.0, 2.0]]))
    binary = VAETransformer(likelihood="bernoulli", **FAST).fit(form((WINE > 5).astype(float)))
    with pytest.raises(ValueError, match="needs them in"):
        VAETransformer(likelihood="bernoulli", **FAST).fit(form((WINE > 5).astype(float)), X_val=form(WINE))
    for method in (binary.transform, binary.score_samples, binary.reconstruct):
        with pytest.raises(ValueError, match="needs them in"):
            method(form(WINE))


def test_counts_that_are_all_zero_fit():
    X = np.zeros((20, 3))
    for likelihood in ("bernoulli", "poisson"):
        model = VAETransformer(likelihood=likelihood, **FAST).fit(sparse.csr_matrix(X))
        assert np.isfinite(model.score(X))


def test_posterior_collapse_draws_a_warning_that_says_what_to_do():
    with pytest.warns(
        UserWarning, match=r"posterior collapse: 0 of 2 .* use 2; .* Lower kl_weight=50.0, set free_bits"
    ):
        VAETransformer(kl_weight=50.0, random_state=0, **FAST).fit(WINE)


def test_noise_without_structure_is_no_collapse():
    X = np.random.default_rng(0).normal(size=(5_000, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = VAETransformer(1, hidden_layer_sizes=(), random_state=0).fit(np.repeat(X[:1], 50, axis=0))
    assert model.n_active_components_ == 0


def test_a_learning_rate_that_diverges_is_named():
    with pytest.raises(ValueError, match=r"in epoch \d+ at a learning rate of .*learning_rate_init=1e\+30"):
        VAETransformer(**FAST | {"learning_rate_init": 1e30, "max_iter": 50}).fit(WINE)


def test_another_number_of_columns_is_refused(fitted):
    for method in (fitted.transform, fitted.score, fitted.reconstruct):
        with pytest.raises(ValueError, match="X has 12 features, but VAETransformer is expecting 13"):
            method(WINE[:, 1:])
    with pytest.raises(ValueError, match="z has 3 columns, but this model has 2 components"):
        fitted.inverse_transform(np.zeros((2, 3)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(fitted, bad):
    X = WINE.copy()
    X[3, 4] = bad
    if not np.isnan(bad):  # NaN is a missing cell
        with pytest.raises(ValueError, match="X contains"):
            VAETransformer(**FAST).fit(X)
    with pytest.raises(ValueError, match="X contains"):
        fitted.score_samples(X)
    with pytest.raises(ValueError, match="z contains"):
        fitted.inverse_transform([[bad, 0.0]])


@pytest.mark.parametrize(
    ("method", "arguments", "accepted"),
    [
        ("sample", {"n_samples": 0}, "an int in the range [1, 2**63)"),
        ("sample", {"observation_noise": "yes"}, "bool"),
        ("traverse", {"component": 2}, "an int in the range [0, 1]"),
        ("reconstruct", {"X": WINE, "n_draws": 0}, "an int in the range [1, 2**63)"),
        ("score_samples", {"X": WINE, "n_importance_samples": 0}, "None or an int in the range [1, 2**63)"),
    ],
)
def test_arguments_out_of_range_are_named(fitted, method, arguments, accepted, refusal):
    name, value = list(arguments.items())[-1]
    with pytest.raises(ValueError, match=refusal(f"VAETransformer.{method}", name, value, accepted)):
        getattr(fitted, method)(**arguments)


def test_values_to_traverse_must_be_numbers(fitted):
    with pytest.raises(ValueError, match="values contains NaN"):
        fitted.traverse(0, values=[np.nan])


def test_rows_far_from_those_of_fit_score_badly_but_finitely(fitted):
    scores = [fitted.score(WINE + shift) for shift in (0, 1e4, 1e6)]
    assert np.isfinite(scores).all()
    assert scores[0] > scores[1] > scores[2]


def test_a_model_of_a_table_takes_no_images(fitted):
    with pytest.raises(ValueError, match="fit saw the rows of a table"):
        fitted.transform(np.zeros((2, 13, 1)))


@pytest.mark.parametrize(
    "method", ["transform", "inverse_transform", "score", "score_samples", "reconstruct", "sample", "traverse"]
)
def test_before_fit_there_is_nothing(method):
    with pytest.raises(NotFittedError):
        getattr(VAETransformer(), method)(*([] if method == "sample" else [WINE]))


def test_a_fit_that_fails_forgets_the_one_before():
    model = VAETransformer(random_state=0, **FAST).fit(WINE)
    with pytest.raises(ValueError, match="became"):
        model.set_params(learning_rate_init=1e30, max_iter=50).fit(WINE)
    with pytest.raises(NotFittedError):
        model.transform(WINE)


def test_columns_that_a_likelihood_does_not_model_are_refused():
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0], "c": ["a", "b", "a"]})
    message = "likelihood='poisson' takes values as they are, but column \"c\" is of kind category"
    with pytest.raises(ValueError, match=message):
        VAETransformer(likelihood="poisson", **FAST).fit(frame)


@pytest.mark.filterwarnings("ignore:VAETransformer.* training diverged")
def test_a_noise_variance_that_is_not_finite_is_an_error():
    r = np.random.default_rng(468)
    X = r.normal(size=(40, 5)) @ r.normal(size=(5, 5))
    model = VAETransformer(2, hidden_layer_sizes=(4,), alpha=2**31, max_iter=2, random_state=0)
    with pytest.raises(ValueError, match="noise_variance_ holds values that are not finite.*lower learning_rate_init"):
        model.fit(X)
