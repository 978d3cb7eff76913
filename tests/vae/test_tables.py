"""The VAE on mixed tables: likelihoods that sum and integrate to 1, draws that follow them, frames in and out."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy.stats import norm

import skvq
from skvq import VAETransformer
from skvq.core.tables.columns import Columns
from skvq.core.tables.layout import TableLayout, TableRows
from skvq.export import to_onnx
from skvq.vae.cells import ScoredRows
from skvq.vae.likelihoods import build_likelihood
from skvq.vae.tables import CellLikelihood, log_interval, table_start

N = 400


def mixed_frame(n=N, seed=0):
    """Return a table of every kind whose columns depend on one another, with missing cells in three of them."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, n)
    real = rng.lognormal(size=n) * (1 + kind)
    count = rng.poisson(3 + 40 * kind) * 1.0
    return pd.DataFrame(
        {
            "kind": pd.Categorical.from_codes(kind, ["a", "b", "c"]),
            "real": np.where(rng.random(n) < 0.1, np.nan, real),
            "zeros": np.where(rng.random(n) < 0.4, 0.0, rng.normal(50, 5, n)),
            "count": pd.array(np.where(rng.random(n) < 0.2, np.nan, count), dtype="Int64"),
            "flag": pd.array(np.where(rng.random(n) < 0.1, None, kind > 0), dtype="boolean"),
            "day": pd.Timestamp("2024-02-20") + pd.to_timedelta(rng.integers(0, 400, n) + 100 * kind, unit="D"),
            "whole": rng.integers(0, 4, n),
        }
    )


@pytest.fixture(scope="module")
def frame():
    return mixed_frame()


@pytest.fixture(scope="module", params=["gaussian", "gaussian_per_feature"])
def model(request, frame):
    return VAETransformer(3, likelihood=request.param, max_iter=30, random_state=0).fit(frame)


def layout_of_columns(frame):
    columns, cells = Columns.fit(frame)
    moments = [(0.3, 0.9) if column.marginal is not None else (0.0, 0.7) for column in columns]
    shift, scale = np.array(moments).T
    return TableLayout(columns, "normal", shift, scale), cells


def log_prob_of(layout, cells, output, variance):
    """Return the log-likelihood of cells (b, p) at one output (F,)."""
    scores = [block for block in layout.blocks if block.has_score]
    likelihood = build_likelihood("gaussian_per_feature", None, layout.blocks)
    likelihood.set_features(layout)
    likelihood.set_variance(torch.full((max(1, len(scores)),), variance))
    (batch,) = ScoredRows(TableRows(cells, layout)).in_order(len(cells))
    return CellLikelihood(likelihood).log_prob(batch, torch.tensor(output).float().expand(len(cells), -1)).numpy()


@pytest.mark.parametrize("variance", [0.01, 0.5, 3.0])
@pytest.mark.parametrize("name", ["count", "whole", "flag", "kind", "day"])
def test_probabilities_of_all_values_of_a_discrete_column_sum_to_1(frame, name, variance):
    layout, _ = layout_of_columns(frame[[name]])
    column = layout.columns[0]
    if column.is_discrete:
        points = np.arange(len(column.levels)) * 1.0
    else:
        reach = 40 * column.std + 40
        points = np.arange(np.floor(column.marginal.low - reach), column.marginal.high + reach)
    cells = np.append(points, [np.nan] * (column.missing > 0))[:, None]
    for output in np.random.default_rng(1).normal(size=(3, layout.row_shape[0])):
        assert np.exp(log_prob_of(layout, cells, output, variance)).sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("variance", [0.01, 0.5, 3.0])
@pytest.mark.parametrize("name", ["real", "zeros"])
def test_the_density_of_a_real_column_and_the_probabilities_of_its_atoms_make_1(frame, name, variance):
    layout, _ = layout_of_columns(frame[[name]])
    column = layout.columns[0]
    marginal = column.marginal
    atoms = np.array(marginal.left)[marginal.is_atom]
    reach = 40 * marginal.spread
    ends = np.unique([*marginal.left, *marginal.right, marginal.low - reach, marginal.high + reach])
    nodes, weights = np.polynomial.legendre.leggauss(80)  # the density is smooth between these ends
    middle, half = (ends[1:] + ends[:-1]) / 2, np.diff(ends) / 2
    points = (middle[:, None] + half[:, None] * nodes).ravel()
    for output in np.random.default_rng(1).normal(size=(3, layout.row_shape[0])):
        density = np.exp(log_prob_of(layout, points[:, None], output, variance))
        integral = density @ (half[:, None] * weights).ravel()
        rest = np.append(atoms, [np.nan] * (column.missing > 0))
        whole = integral + np.exp(log_prob_of(layout, rest[:, None], output, variance)).sum()
        assert whole == pytest.approx(1, abs=1e-4)  # quadrature of a density with steep ends


def test_columns_are_independent_given_the_output(frame):
    layout, cells = layout_of_columns(frame)
    output = np.random.default_rng(1).normal(size=layout.row_shape[0])
    together = log_prob_of(layout, cells, output, 0.5)
    alone = 0.0
    for index, block in enumerate(layout.blocks):
        part = TableLayout(
            Columns(layout.columns.columns[index : index + 1], "pandas", ""),
            "normal",
            layout.shift[index : index + 1],
            layout.scale[index : index + 1],
        )
        own = output[block.start : block.stop].copy()
        own[: block.has_score] *= part.factor / layout.factor  # scores are in the units of the features
        alone = alone + log_prob_of(part, cells[:, index : index + 1], own, 0.5)
    np.testing.assert_allclose(together, alone, rtol=1e-4)


def test_the_training_form_is_that_of_scores_and_levels(frame):
    layout, cells = layout_of_columns(frame)
    likelihood = build_likelihood("gaussian", None, layout.blocks)
    likelihood.set_features(layout)
    likelihood.set_variance(torch.tensor([0.4]))
    output = torch.randn(len(cells), *layout.row_shape, generator=torch.Generator().manual_seed(0))
    x = TableRows(cells, layout).take(slice(None))
    found = likelihood.log_prob(x, output)
    expected = np.zeros(len(cells))
    outputs = output.double().numpy()
    for index, (column, block) in enumerate(zip(layout.columns, layout.blocks)):
        missing = np.isnan(cells[:, index])
        if block.has_score:
            filled = np.where(missing, column.marginal.low, cells[:, index])
            score = (column.marginal.to_normal(filled) - layout.shift[index]) / layout.scale[index]
            mean = outputs[:, block.start] / layout.factor
            expected += np.where(missing, 0.0, norm.logpdf(score, mean, np.sqrt(0.4)))
            if block.has_missing:
                expected += -np.logaddexp(0, np.where(missing, -1, 1) * outputs[:, block.stop - 1])
        else:
            logits = outputs[:, block.start : block.stop]
            level = np.where(missing, block.n_levels, cells[:, index]).astype(int)
            expected += logits[np.arange(len(cells)), level] - np.logaddexp.reduce(logits, axis=1)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-4)
    draws = likelihood.log_prob(x, torch.stack([output, output]))
    torch.testing.assert_close(draws, torch.stack([found, found]))


def test_statistics_give_the_best_variance_and_its_likelihood(frame):
    layout, cells = layout_of_columns(frame)
    x = TableRows(cells, layout).take(slice(None))
    output = torch.randn(len(cells), *layout.row_shape, generator=torch.Generator().manual_seed(0))
    for name in ("gaussian", "gaussian_per_feature"):
        likelihood = build_likelihood(name, None, layout.blocks)
        likelihood.set_features(layout)
        statistics = likelihood.statistics(x, output)
        best = likelihood.best_variance(statistics)
        likelihood.set_variance(best)
        nll = -float(likelihood.log_prob(x, output).mean())
        assert likelihood.best_nll(statistics, None) == pytest.approx(nll, rel=1e-5)
        for factor in (0.95, 1.05):
            likelihood.set_variance(best * factor)
            assert -float(likelihood.log_prob(x, output).mean()) > nll


def test_the_running_variance_approaches_the_best_one(frame):
    layout, cells = layout_of_columns(frame)
    x = TableRows(cells, layout).take(slice(None))
    output = torch.randn(len(cells), *layout.row_shape, generator=torch.Generator().manual_seed(0))
    for name in ("gaussian", "gaussian_per_feature"):
        likelihood = build_likelihood(name, None, layout.blocks)
        likelihood.set_features(layout)
        for _ in range(1500):
            likelihood.track(x, output)
        best = likelihood.best_variance(likelihood.statistics(x, output))
        torch.testing.assert_close(likelihood.variance, best, rtol=1e-3, atol=0)
        likelihood.eval().set_variance(torch.ones_like(best))
        likelihood.track(x, output)
        assert bool((likelihood.variance == 1).all())


@pytest.mark.parametrize("name", ["kind", "flag", "count", "whole", "zeros"])
def test_draws_have_the_probabilities_of_the_likelihood(frame, name):
    layout, _ = layout_of_columns(frame[[name]])
    likelihood = build_likelihood("gaussian", None, layout.blocks)
    likelihood.set_features(layout)
    likelihood.set_variance(torch.tensor([0.3]))
    output = torch.randn(layout.row_shape, generator=torch.Generator().manual_seed(3))
    n = 40_000
    features = likelihood.draw(output.expand(n, -1), torch.Generator().manual_seed(0))
    drawn = layout.cells_of(features.double().numpy())[:, 0]
    column = layout.columns[0]
    if column.is_discrete:
        points = np.arange(len(column.levels)) * 1.0
    elif name == "zeros":
        points = np.array([0.0])
    else:
        points = np.unique(drawn[~np.isnan(drawn)])[1:-1]  # what lies beyond the ends is cut to them
    points = np.append(points, [np.nan] * (column.missing > 0))
    shares = [np.isnan(drawn).mean() if np.isnan(point) else (drawn == point).mean() for point in points]
    expected = np.exp(log_prob_of(layout, points[:, None], output.numpy(), 0.3))
    spared = 3 / (N * 0.7)  # for values that fit did not see, and that are never drawn
    np.testing.assert_allclose(shares, expected, atol=5 * np.sqrt(0.25 / n) + spared)


def test_a_missing_cell_is_left_out_where_fit_saw_none(frame):
    layout, cells = layout_of_columns(frame[["kind", "zeros", "whole"]])
    output = np.random.default_rng(1).normal(size=layout.row_shape[0])
    blank = np.full((1, 3), np.nan)
    assert log_prob_of(layout, blank, output, 0.5)[0] == 0.0
    one = cells[:1].copy()
    one[0, :2] = np.nan
    alone, _ = layout_of_columns(frame[["whole"]])
    own = output[-1:] * alone.factor / layout.factor
    assert log_prob_of(layout, one, output, 0.5)[0] == pytest.approx(log_prob_of(alone, one[:, 2:], own, 0.5)[0])


def test_the_logarithm_of_an_interval_keeps_its_digits_in_both_tails_and_when_narrow():
    cases = [(-1.0, 2.0), (-np.inf, np.inf), (8.0, 9.0), (-9.0, -8.0), (30.0, 30.5), (-np.inf, -20.0), (3.0, np.inf)]
    lower, upper = torch.tensor(cases, dtype=torch.float64).T
    expected = []
    for low, high in cases:
        low, high = (-high, -low) if low > 0 else (low, high)
        above, below = norm.logcdf(high), norm.logcdf(low)
        expected.append(above + np.log1p(-np.exp(below - above)))
    np.testing.assert_allclose(log_interval(lower, upper).numpy(), expected, rtol=1e-12, atol=1e-15)
    middle = torch.tensor([0.0, 0.3, -5.0, 20.0], dtype=torch.float64)
    for width in (1e-3, 1e-5, 1e-9, 1e-14):
        found = log_interval(middle - width / 2, middle + width / 2).numpy()
        true_width = ((middle + width / 2) - (middle - width / 2)).numpy()
        x = middle.numpy()
        second_order = np.log1p((x**2 - 1) * true_width**2 / 24)
        np.testing.assert_allclose(found, norm.logpdf(x) + np.log(true_width) + second_order, atol=1e-7)
    np.testing.assert_allclose(log_interval(middle, middle).numpy(), norm.logpdf(middle.numpy()))


def test_the_start_is_no_worse_than_the_shares_of_the_levels(frame):
    layout, cells = layout_of_columns(frame)
    likelihood = build_likelihood("gaussian", None, layout.blocks)
    likelihood.set_features(layout)
    x = TableRows(cells, layout).take(slice(None))
    levels, absent = likelihood.levels(x), likelihood.absent(x)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    scores = []
    for deviations in (noise, x + 0.1 * noise, x):
        slope, bias = table_start(likelihood, deviations, x, len(x))
        scores.append(float(likelihood.log_indicators(levels, absent, slope * deviations + bias).mean()))
        constant = float(likelihood.log_indicators(levels, absent, bias.expand(len(x), -1)).mean())
        assert scores[-1] >= constant - 1e-6
    assert scores[0] < scores[1] - 1
    assert scores[2] > -0.5


def assert_like(found, frame):
    """Check that a frame has the columns, dtypes and values of another; missing cells where there were some."""
    assert list(found.columns) == list(frame.columns)
    assert list(found.dtypes) == list(frame.dtypes)
    assert found["kind"].isin(["a", "b", "c"]).all()
    assert found["zeros"].notna().all()
    assert found["whole"].isin(range(4)).all()
    assert found["day"].between(frame["day"].min(), frame["day"].max()).all()


def test_frames_come_back_with_values_that_can_occur(model, frame):
    z = model.transform(frame)
    assert z.shape == (N, 3)
    assert np.isfinite(z).all()
    assert_like(model.inverse_transform(z), frame)
    drawn = model.sample(2000, random_state=0)
    assert_like(drawn, frame)
    for name in ("real", "count", "flag"):
        # five standard errors, and what the mean of the posteriors misses
        assert drawn[name].isna().mean() == pytest.approx(frame[name].isna().mean(), abs=0.1)
    assert (drawn["zeros"] == 0).mean() == pytest.approx((frame["zeros"] == 0).mean(), abs=0.15)
    assert drawn.groupby("kind", observed=True)["count"].mean().is_monotonic_increasing


def test_the_mean_of_a_sample_has_less_variety_than_its_draws(model):
    by_default, drawn, mean = (
        model.sample(300, random_state=0, **chosen)
        for chosen in ({}, {"observation_noise": True}, {"observation_noise": False})
    )
    pd.testing.assert_frame_equal(by_default, drawn)
    assert mean["whole"].nunique() <= drawn["whole"].nunique()
    assert mean["count"].std() < drawn["count"].std()


def test_later_rows_may_have_missing_cells_anywhere(model, frame):
    later = frame.head(5).copy()
    later["zeros"] = np.nan
    later["kind"] = pd.Categorical([None] * 5, categories=["a", "b", "c"])
    assert np.isfinite(model.transform(later)).all()
    assert np.isfinite(model.score_samples(later)).all()


def test_score_is_better_than_that_of_independent_columns_and_bounds_are_ordered(model):
    held_out = mixed_frame(seed=1)
    elbo = model.score_samples(held_out)
    assert model.score(held_out) == pytest.approx(elbo.mean())
    assert elbo.mean() < model.score_samples(held_out, n_importance_samples=50).mean() < elbo.mean() + 3
    shuffled = held_out.apply(lambda column: column.sample(frac=1, random_state=len(column.name)).to_numpy())
    assert elbo.mean() > model.score_samples(shuffled.astype(dict(held_out.dtypes))).mean() + 1


def test_the_score_of_a_row_depends_on_no_other(model, frame):
    together = model.score_samples(frame.head(40))
    np.testing.assert_allclose(model.score_samples(frame.iloc[7:8]), together[7:8], rtol=1e-6)
    weighted = model.score_samples(frame.head(40), n_importance_samples=10)
    np.testing.assert_allclose(model.score_samples(frame.iloc[7:8], n_importance_samples=10), weighted[7:8], rtol=1e-6)


def test_the_density_of_a_real_column_is_in_its_units():
    frame = mixed_frame()[["kind", "real", "whole"]]
    scaled = frame.assign(real=frame["real"] * 1000)
    models = [VAETransformer(2, max_iter=5, random_state=0).fit(each) for each in (frame, scaled)]
    scores = [model.score_samples(each) for model, each in zip(models, (frame, scaled))]
    observed = frame["real"].notna().to_numpy()
    np.testing.assert_allclose(scores[1], scores[0] - np.log(1000) * observed, atol=1e-2)


def test_pandas_polars_and_objects_say_the_same(frame):
    part = frame[["kind", "real", "whole", "count"]].astype({"count": "float64"})
    model = VAETransformer(2, max_iter=3, random_state=0).fit(part)
    schema = {"kind": pl.Enum(["a", "b", "c"]), "real": pl.Float64, "whole": pl.Int64, "count": pl.Float64}
    columns = {name: [None if pd.isna(cell) else cell for cell in part[name]] for name in part}
    polars = pl.DataFrame(columns, schema=schema)
    other = VAETransformer(2, max_iter=3, random_state=0).fit(polars)
    np.testing.assert_allclose(other.score_samples(polars), model.score_samples(part), rtol=1e-6)
    drawn, expected = other.sample(50, random_state=0), model.sample(50, random_state=0)
    assert drawn.schema == polars.schema
    assert drawn["kind"].to_list() == expected["kind"].tolist()
    objects = part.astype(object).to_numpy()
    third = VAETransformer(2, max_iter=3, random_state=0).fit(objects)
    np.testing.assert_allclose(third.score_samples(objects), model.score_samples(part), rtol=1e-6)
    assert third.sample(5, random_state=0).dtype == object


def test_a_fitted_table_is_kept_in_files_and_pickles(model, frame, tmp_path):
    model.save(tmp_path / "model.safetensors")
    expected = model.score_samples(frame.head(20))
    for other in (skvq.load(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.score_samples(frame.head(20)), expected)
        pd.testing.assert_frame_equal(other.sample(10, random_state=0), model.sample(10, random_state=0))
        np.testing.assert_array_equal(other.noise_variance_, model.noise_variance_)


def test_noise_variances_are_those_of_the_columns_with_scores(frame):
    one, each = (
        VAETransformer(2, likelihood=name, max_iter=2, random_state=0).fit(frame).noise_variance_
        for name in ("gaussian", "gaussian_per_feature")
    )
    assert isinstance(one, float)
    assert np.isnan(each).tolist() == [True, False, False, False, True, False, False]
    only_levels = VAETransformer(2, max_iter=2, random_state=0).fit(frame[["kind", "flag"]])
    assert only_levels.noise_variance_ is None
    assert np.isfinite(only_levels.score(frame[["kind", "flag"]]))


@pytest.mark.parametrize("likelihood", ["bernoulli", "poisson"])
def test_a_likelihood_of_numbers_refuses_a_mixed_table(frame, likelihood):
    message = (
        f"likelihood='{likelihood}' takes values as they are, but column \"kind\" is of kind category; pass likelihood"
    )
    with pytest.raises(ValueError, match=message):
        VAETransformer(likelihood=likelihood).fit(frame)
    counts = np.where(np.eye(6) > 0, np.nan, 1.0)
    with pytest.raises(ValueError, match=f"likelihood='{likelihood}' .* has missing cells"):
        VAETransformer(likelihood=likelihood).fit(counts)


@pytest.mark.parametrize("likelihood", ["gaussian", "gaussian_per_feature"])
def test_a_table_of_numbers_has_the_same_score_as_its_array_and_leaves_later_gaps_out(frame, likelihood):
    numbers = frame[["zeros", "whole"]].astype(float)
    chosen = {"hidden_layer_sizes": (), "likelihood": likelihood, "prior": "normal", "max_iter": 2, "random_state": 0}
    model = VAETransformer(1, **chosen).fit(numbers)
    same = VAETransformer(1, **chosen).fit(numbers.to_numpy())
    expected = same.score_samples(numbers.to_numpy())
    np.testing.assert_allclose(model.score_samples(numbers), expected, rtol=1e-6)
    later = numbers.copy()
    later.loc[0, "zeros"] = np.nan
    found = model.score_samples(later)
    np.testing.assert_allclose(found[1:], expected[1:], rtol=1e-5)
    later.loc[0] = np.nan  # all that is left is the divergence
    divergence = -model.score_samples(later)[0]
    mean = model._network().posterior(torch.zeros(1, 2))
    assert divergence == pytest.approx(float(mean.kl_per_component().sum().detach()), rel=1e-5)


def test_held_out_rows_mixtures_and_unknown_levels(frame):
    model = VAETransformer(2, n_mixture_components=2, handle_unknown="ignore", max_iter=3, random_state=0).fit(
        frame, X_val=mixed_frame(100, seed=2)
    )
    assert len(model.validation_loss_curve_) > 0
    assert len(model.sample(20, random_state=0)) == 20
    other = frame.head(3).assign(kind=["a", "z", "b"])
    blank = frame.head(3).assign(kind=["a", None, "b"])
    np.testing.assert_array_equal(model.score_samples(other), model.score_samples(blank))


def test_skops_trusts_the_class_alone(model, frame):
    skops = pytest.importorskip("skops.io")
    data = skops.dumps(model)
    assert skops.get_untrusted_types(data=data) == ["skvq.vae.estimator.VAETransformer"]
    other = skops.loads(data, trusted=["skvq.vae.estimator.VAETransformer"])
    np.testing.assert_array_equal(other.score_samples(frame), model.score_samples(frame))


def test_a_mixed_table_is_not_exported(model):
    with pytest.raises(ValueError, match="ONNX has no form for"):
        to_onnx(model)
