"""Codes of cells: the way there and back, and densities that integrate to 1."""

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad

from skvq import OrderlessNADE
from skvq.core.tables.codes import MOST_WITHOUT_FINE, TableCodes
from skvq.core.tables.columns import Columns


@pytest.fixture
def table():
    random = np.random.RandomState(0)
    n = 2000
    income = np.where(random.rand(n) < 0.3, 0.0, random.lognormal(10, 1, n).round(2))
    income[::10] = np.nan
    return pd.DataFrame(
        {
            "income": income,
            "sex": pd.Categorical(random.choice(["f", "m"], n)),
            "children": random.poisson(1.2, n),
            "member": random.rand(n) < 0.4,
        }
    )


def test_cells_drawn_for_the_codes_of_cells_have_the_same_codes(table):
    columns, cells = Columns.fit(table)
    codes = TableCodes(columns, 16)
    rows = codes.rows(cells)
    assert rows.dtype == np.int32
    drawn = codes.cells(rows, np.random.RandomState(0).rand(*rows.shape))
    np.testing.assert_array_equal(codes.rows(drawn), rows)
    np.testing.assert_array_equal(np.isnan(drawn), np.isnan(cells))
    np.testing.assert_array_equal(drawn[:, 1:], cells[:, 1:])
    assert (drawn[cells[:, 0] == 0, 0] == 0).all()


def test_codes_lie_below_their_number_and_coarse_codes_ascend(table):
    columns, cells = Columns.fit(table)
    table_codes = TableCodes(columns, 16)
    rows, codes = table_codes.rows(cells), table_codes.codes
    assert codes.n_fine[0] > 1  # an income has more pieces than are told apart at once
    assert codes.n_fine[1:] == (1, 1, 1)
    assert len(columns[0].marginal.mass) > MOST_WITHOUT_FINE
    sizes = np.array(codes.n_coarse) * np.array(codes.n_fine)
    assert (rows >= 0).all()
    assert (rows < sizes).all()
    seen = ~np.isnan(cells[:, 0])
    order = np.argsort(cells[seen, 0])
    assert (np.diff(rows[seen, 0][order]) >= 0).all()


def test_values_of_codes_are_standard_normal_over_the_rows(table):
    columns, cells = Columns.fit(table)
    codes = TableCodes(columns, 16)
    values = codes.parts[0].values()[codes.rows(cells)[~np.isnan(cells[:, 0]), 0]]
    assert values.mean() == pytest.approx(0, abs=0.01)
    assert values.std() == pytest.approx(1, abs=0.01)


def test_densities_integrate_to_1_whatever_the_probabilities_of_the_codes():
    cells = np.concatenate([np.zeros(100), np.random.RandomState(0).gamma(2.0, 1.0, 200)])[:, None]
    columns, cells = Columns.fit(pd.DataFrame({"x": cells[:, 0]}))
    codes = TableCodes(columns, 8)
    pieces = codes.parts[0]
    shares = np.random.RandomState(1).dirichlet(np.ones(len(columns[0].marginal.mass)))
    log_probs = np.full(codes.codes.n_coarse[0] * codes.codes.n_fine[0], -np.inf)
    log_probs[pieces.code_of_piece] = np.log(shares)

    def density(x):
        at = np.array([[x]])
        return float(np.exp(codes.log_density(at, log_probs[codes.rows(at)], np.zeros((1, 1))))[0, 0])

    marginal = columns[0].marginal
    edges = np.unique([*marginal.left, *marginal.right])
    total = density(0.0)  # the atom
    for low, high in zip(edges[:-1], edges[1:]):
        total += quad(density, low, high, points=[(low + high) / 2])[0]
    far = 40 * marginal.spread
    total += quad(density, edges[0] - far, edges[0])[0] + quad(density, edges[-1], edges[-1] + far)[0]
    assert total == pytest.approx(1, abs=1e-4)


def test_probabilities_of_integers_sum_to_1_whatever_those_of_their_codes():
    columns, cells = Columns.fit(pd.DataFrame({"n": [1, 1, 2, 7, 7, 7, 9]}))
    codes = TableCodes(columns, 8)
    points = np.arange(-400.0, 400.0)[:, None]
    log_probs = np.log(np.array([0.1, 0.2, 0.3, 0.4]))[codes.rows(points)]
    assert np.exp(codes.log_density(points, log_probs, np.zeros(points.shape))).sum() == pytest.approx(1, abs=1e-9)


def test_probabilities_sum_to_1_where_cells_may_be_missing():
    columns, cells = Columns.fit(pd.DataFrame({"n": pd.array([1, 1, 2, 7, None, None, 9], dtype="Int64")}))
    codes = TableCodes(columns, 8)
    points = np.append(np.arange(-400.0, 400.0), np.nan)[:, None]
    shares = np.array([0.05, 0.1, 0.05, 0.1, 0.7])  # the last is that of a missing cell
    log_probs, log_present = np.log(shares)[codes.rows(points)], np.full(points.shape, np.log(0.3))
    assert np.exp(codes.log_density(points, log_probs, log_present)).sum() == pytest.approx(1, abs=1e-9)


def test_a_missing_cell_has_the_probability_of_its_code(table):
    columns, cells = Columns.fit(table)
    log_probs = np.full(cells.shape, -1.25)
    found = TableCodes(columns, 16).log_density(cells, log_probs, np.zeros(cells.shape))
    assert (found[np.isnan(cells)] == -1.25).all()
    assert (found[:, 1] == -1.25).all()


def test_levels_and_atoms_have_scores_in_a_copula_and_missing_cells_have_none(table):
    holes = table.astype({"children": "Int64", "member": "boolean"})[:1000].mask(
        np.random.default_rng(0).random((1000, 4)) < 0.2
    )
    columns, cells = Columns.fit(holes)
    codes = TableCodes(columns, 16)
    found = codes.copula(len(cells))
    assert found["copula"]
    assert {column for column, _ in found["levels"]} == {1, 3}
    assert all(code in (0, 1) for _, code in found["levels"])
    assert {column for column, _ in found["atoms"]} == {0, 2}


def test_holes_by_chance_hide_nothing_of_correlated_numbers():
    random = np.random.default_rng(0)
    mixing = random.normal(size=(2, 12))
    X = random.normal(size=(360, 2)) @ mixing + 0.5 * random.normal(size=(360, 12))
    known = random.random(X.shape) > 0.2
    holes = np.where(known, X, np.nan)
    filled = OrderlessNADE(max_iter=1, random_state=0).fit(holes[:180]).transform(holes[180:])
    covariance = mixing.T @ mixing + 0.25 * np.eye(12)
    best = X.copy()
    for row, is_known in zip(best[180:], known[180:]):
        of_known = np.linalg.solve(covariance[np.ix_(is_known, is_known)], row[is_known])
        row[~is_known] = covariance[np.ix_(~is_known, is_known)] @ of_known
    errors = [np.square(guess - X[180:])[~known[180:]].mean() ** 0.5 for guess in (filled, best[180:])]
    assert errors[0] < 1.2 * errors[1]
