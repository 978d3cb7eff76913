import numpy as np
import pytest
import torch

from skvq import AutoEncoderTransformer
from skvq.training import batches
from skvq.training.orders import PIECE, AllBut, ComputedOrder


def order(n_rows, seed=0):
    return ComputedOrder(n_rows, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("n_rows", [1, 2, 3, 1000, 1024, 1025, 3 * PIECE + 7])
def test_a_computed_order_holds_each_position_once(n_rows):
    np.testing.assert_array_equal(np.sort(order(n_rows)[:]), np.arange(n_rows))


def test_a_computed_order_is_read_as_an_array_in_any_pieces():
    drawn, whole = order(2 * PIECE + 100), order(2 * PIECE + 100)[:]
    for start in (0, PIECE - 50, PIECE + 1, 3, 2 * PIECE):
        np.testing.assert_array_equal(drawn[start : start + 90], whole[start : start + 90])
    np.testing.assert_array_equal(drawn[2 * PIECE + 50 : 9 * PIECE], whole[2 * PIECE + 50 :])
    np.testing.assert_array_equal(drawn[np.array([5, 1, PIECE])], whole[[5, 1, PIECE]])
    assert len(drawn[7:7]) == 0


def test_a_computed_order_cannot_be_told_from_a_drawn_one():
    n_rows, n_seeds, n_ranges = 1000, 400, 10
    orders = np.stack([order(n_rows, seed)[:] for seed in range(n_seeds)])
    # Where a position stands: ten ranges alike, over the seeds. 9 degrees of freedom, so a mean of 9 and sd of 4.2.
    counts = np.stack([np.bincount(column * n_ranges // n_rows, minlength=n_ranges) for column in orders.T])
    expected = n_seeds / n_ranges
    chi2 = ((counts - expected) ** 2 / expected).sum(axis=1)
    assert abs(chi2.mean() - 9) < 0.6
    # Neighbours: no correlation beyond chance, at distances of 1, 2 and 64.
    for distance in (1, 2, 64):
        pairs = [np.corrcoef(each[:-distance], each[distance:])[0, 1] for each in orders]
        assert abs(np.mean(pairs)) < 4 / np.sqrt(n_seeds * n_rows) + 1 / n_rows
        assert 0.9 < np.std(pairs) * np.sqrt(n_rows) < 1.1
    # Means of batches of 50 spread as those of batches drawn without replacement.
    means = orders.reshape(n_seeds, -1, 50).mean(axis=2)
    drawn = np.sqrt((n_rows**2 - 1) / 12 / 50 * (1 - 49 / 999))
    assert abs(means.std() / drawn - 1) < 0.04


def test_other_keys_give_another_order_and_the_same_seed_the_same():
    np.testing.assert_array_equal(order(1000, 3)[:], order(1000, 3)[:])
    assert np.mean(order(1000, 3)[:] == order(1000, 4)[:]) < 0.02


def test_all_but_a_few_reads_what_numpy_deletes():
    left_out = np.array([0, 1, 5, 8, 9])
    rest = AllBut(12, left_out)
    stays = np.delete(np.arange(12), left_out)
    assert len(rest) == 7
    np.testing.assert_array_equal(rest[:], stays)
    np.testing.assert_array_equal(rest[2:5], stays[2:5])
    np.testing.assert_array_equal(rest[np.array([6, 0])], stays[[6, 0]])


def test_split_of_very_many_rows_stores_the_held_out_ones_alone(monkeypatch):
    monkeypatch.setattr(batches, "MOST_STORED", 100)
    training, held_out = batches.split_rows(1001, 0.1, torch.Generator().manual_seed(0))
    assert isinstance(training, AllBut)
    assert len(held_out) == 100
    np.testing.assert_array_equal(np.sort(np.concatenate([training[:], held_out])), np.arange(1001))


def test_a_fit_in_a_computed_order_learns_as_in_a_stored_one(monkeypatch):
    X = np.random.default_rng(0).normal(size=(1500, 3)) @ np.random.default_rng(1).normal(size=(3, 8))
    model = AutoEncoderTransformer(2, max_iter=5, early_stopping=True, random_state=0)
    stored = model.fit(X).score(X)
    monkeypatch.setattr(batches, "MOST_STORED", 100)
    computed = model.fit(X).score(X)
    assert computed != stored
    assert abs(computed - stored) < 0.02
