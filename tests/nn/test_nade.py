"""The orderless network against enumeration, on tables so small that all rows can be listed."""

import itertools

import numpy as np
import pytest
import torch

from skvq.nn.nade import NUMBERS_TOGETHER, ColumnCodes, OrderlessNetwork, hidden_columns, orderless_loss

# A category of 3 levels, a boolean, and a number of 2 coarse codes with 2 fine ones each.
CODES = ColumnCodes((3, 2, 2), (1, 1, 2), (False, False, True))
SIZES = [3, 2, 4]
ALL_ROWS = torch.tensor(list(itertools.product(*map(range, SIZES))))


@pytest.fixture(params=[False, True], ids=["smooth", "free"])
def network(request):
    generator = torch.Generator().manual_seed(0)
    network = OrderlessNetwork(
        CODES,
        width=8,
        n_blocks=1,
        embedding_dim=4,
        degree=2,
        free_codes=request.param,
        copula=False,
        dropout=0.5,
        generator=generator,
    ).eval()
    values = [torch.full((3,), torch.nan), torch.full((2,), torch.nan), torch.tensor([-1.5, -0.5, 0.5, 1.5])]
    network.start_from(ALL_ROWS, values, [torch.ones(size, dtype=torch.bool) for size in SIZES])
    for parameter in network.parameters():
        parameter.data += torch.empty_like(parameter).normal_(generator=generator)
    return network


def untrained(rows, present=None):
    network = OrderlessNetwork(
        CODES,
        width=8,
        n_blocks=1,
        embedding_dim=4,
        degree=2,
        free_codes=True,
        copula=False,
        dropout=0.0,
        generator=torch.Generator(),
    ).eval()
    present = [torch.ones(size, dtype=torch.bool) for size in SIZES] if present is None else present
    network.start_from(rows, [torch.zeros(size) for size in SIZES], present)
    return network


def test_an_untrained_network_knows_the_marginals():
    rows = torch.tensor([[0, 1, 0], [0, 1, 0], [2, 0, 3], [0, 1, 1]])
    terms = untrained(rows).log_prob_terms(ALL_ROWS, torch.zeros(len(ALL_ROWS), 3)).exp().detach()
    levels = torch.tensor([3 + 1 / 3, 1 / 3, 1 + 1 / 3]) / 5  # one row is added to the four
    torch.testing.assert_close(terms[:, 0], levels[ALL_ROWS[:, 0]])
    coarse = torch.tensor([3.5, 1.5]) / 5
    fine = torch.tensor([[2.5, 1.5], [0.5, 1.5]])  # half a row is added to each fine code
    expected = (coarse[:, None] * fine / fine.sum(dim=1, keepdim=True)).flatten()
    torch.testing.assert_close(terms[:, 2], expected[ALL_ROWS[:, 2]])


def test_a_fine_code_that_is_not_there_is_never_drawn():
    present = [
        torch.ones(3, dtype=torch.bool),
        torch.ones(2, dtype=torch.bool),
        torch.tensor([True, False, True, True]),
    ]
    network = untrained(ALL_ROWS[ALL_ROWS[:, 2] != 1], present)
    terms = network.log_prob_terms(torch.tensor([[0, 0, 1]]), torch.zeros(1, 3))
    assert terms[0, 2] < -29


@torch.no_grad()
def log_prob(network, rows, order):
    """Return log p(row), in nats, with its columns in one order: (b,), float64."""
    known, total = torch.zeros(len(rows), 3), torch.zeros(len(rows), dtype=torch.float64)
    for column in order:
        total += network.log_prob_of(rows, known, column)[0]
        known[:, column] = 1.0
    return total


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_probabilities_of_all_rows_sum_to_1_in_any_order(network, order):
    assert log_prob(network, ALL_ROWS, order).exp().sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("column", range(3))
def test_what_is_unknown_changes_nothing(network, column):
    known = torch.ones(2, 3)
    known[:, column] = 0
    rows = torch.tensor([[0, 1, 2], [0, 1, 2]])
    rows[1, column] = 0 if rows[0, column] else 1
    # One row at a time: some processors compute the second row of a batch in another order than the first.
    first, second = (network.context(rows[i : i + 1], known[:1]).h for i in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    known[:, column] = 1
    first, second = network.context(rows, known).h
    assert (first - second).abs().max() > 1e-3


def test_one_column_alone_has_the_probability_that_it_has_among_all(network):
    known = hidden_columns(len(ALL_ROWS), 3, torch.Generator().manual_seed(1))
    terms = network.log_prob_terms(ALL_ROWS, known)
    for column in range(3):
        torch.testing.assert_close(network.log_prob_of(ALL_ROWS, known, column)[0], terms[:, column])


@pytest.mark.parametrize("column", range(3))
@torch.no_grad()
def test_the_probabilities_of_one_column_are_those_of_its_codes(network, column):
    rows = ALL_ROWS[::5]
    known = hidden_columns(len(rows), 3, torch.Generator().manual_seed(1))
    known[:, column] = 0
    context = network.context(rows, known)
    found = network.probabilities_of(context, column)
    assert found.shape == (len(rows), SIZES[column])
    for code in range(SIZES[column]):
        asked = torch.where(torch.arange(3) == column, code, rows)
        torch.testing.assert_close(found[:, code], network.log_prob_of(asked, known, column)[0].exp())
    n_fine = network.codes.n_fine[column]
    without = network.probabilities_of(context, column, never=0)
    assert (without[:, :n_fine] == 0).all()
    torch.testing.assert_close(without[:, n_fine:], found[:, n_fine:] / found[:, n_fine:].sum(dim=1, keepdim=True))


def test_hidden_columns_are_any_number_of_any_columns_alike():
    known = hidden_columns(60_000, 3, torch.Generator().manual_seed(0))
    numbers, counts = np.unique(known.sum(dim=1).numpy(), return_counts=True)
    assert numbers.tolist() == [0, 1, 2]
    np.testing.assert_allclose(counts / 60_000, 1 / 3, atol=0.01)  # five standard errors
    np.testing.assert_allclose(known.mean(dim=0).numpy(), 1 / 3, atol=0.01)


def test_the_expected_loss_is_the_mean_over_all_orders(network):
    rows, total = ALL_ROWS[:5], 0.0
    for n_known in range(3):
        subsets = list(itertools.combinations(range(3), n_known))
        for subset in subsets:
            known = torch.zeros(5, 3)
            known[:, list(subset)] = 1
            total += orderless_loss(network, rows, known).item() / len(subsets) / 3
    orders = [log_prob(network, rows, order).mean() for order in itertools.permutations(range(3))]
    assert total == pytest.approx(-float(torch.stack(orders).mean()) / 3, rel=1e-5)


def test_rows_are_drawn_with_the_probabilities_that_they_have(network):
    n, order = 200_000, (2, 0, 1)
    uniform = torch.rand(n, 3, 2, generator=torch.Generator().manual_seed(0))
    drawn = network.draw(torch.zeros(n, 3, dtype=torch.int64), torch.zeros(n, 3), order, uniform)
    index = drawn @ torch.tensor([8, 4, 1])
    shares = torch.bincount(index, minlength=24) / n
    expected = log_prob(network, ALL_ROWS, order).exp().float()
    torch.testing.assert_close(shares, expected, rtol=0, atol=5 * (0.25 / n) ** 0.5)  # five standard errors


def test_what_is_given_is_kept_and_the_rest_is_drawn_given_it(network):
    n = 100_000
    rows = torch.tensor([[0, 1, 0]]).repeat(n, 1)
    known = torch.tensor([[0.0, 1.0, 1.0]])
    expected = network.log_prob_terms(ALL_ROWS[ALL_ROWS[:, 1:].eq(rows[0, 1:]).all(dim=1)], known.repeat(3, 1))[:, 0]
    uniform = torch.rand(n, 3, 2, generator=torch.Generator().manual_seed(0))
    drawn = network.draw(rows, known.repeat(n, 1), (2, 1, 0), uniform)
    assert drawn[:, 1:].unique(dim=0).tolist() == [[1, 0]]
    shares = torch.bincount(drawn[:, 0], minlength=3) / n
    torch.testing.assert_close(shares, expected.exp().detach(), rtol=0, atol=5 * (0.25 / n) ** 0.5)


def test_a_code_can_be_ruled_out(network):
    uniform = torch.rand(1000, 3, 2, generator=torch.Generator().manual_seed(0))
    for never, there in ([None] * 3, True), ([2, None, None], False):
        empty = torch.zeros(1000, 3, dtype=torch.int64), torch.zeros(1000, 3)
        drawn = network.draw(*empty, (0, 1, 2), uniform, never=never)
        assert (2 in drawn[:, 0].tolist()) == there


def test_columns_that_become_known_one_by_one_add_up_to_what_all_of_them_say(network):
    known = torch.zeros(len(ALL_ROWS), 3)
    entry = network.entry(ALL_ROWS, known)
    for column in (2, 0, 1):
        known[:, column] = 1.0
        entry = entry + network.entry_of(ALL_ROWS[:, column], column)
        torch.testing.assert_close(entry, network.entry(ALL_ROWS, known))


def test_more_numbers_than_are_multiplied_together_say_what_each_says_alone():
    n = 2 * NUMBERS_TOGETHER + 3  # numbers, with a category before and among them
    is_number = (False, *(column != n // 2 for column in range(n + 1)))
    codes = ColumnCodes(tuple(3 + column % 3 for column in range(n + 2)), (1,) * (n + 2), is_number)
    generator = torch.Generator().manual_seed(0)
    options = {"width": 8, "n_blocks": 1, "embedding_dim": 4, "degree": 2, "free_codes": False, "copula": False}
    network = OrderlessNetwork(codes, **options, dropout=0.0, generator=generator).eval()
    rows = torch.stack([torch.arange(60) % size for size in codes.n_coarse], dim=1)
    values = [
        torch.linspace(-1, 1, size) if number else torch.full((size,), torch.nan)
        for size, number in zip(codes.n_coarse, is_number)
    ]
    network.start_from(rows, values, [torch.ones(size, dtype=torch.bool) for size in codes.n_coarse])
    for parameter in network.parameters():
        parameter.data += torch.empty_like(parameter).normal_(generator=generator)
    assert len(network.together) == 3
    known = hidden_columns(len(rows), n + 2, generator)
    terms = network.log_prob_terms(rows, known)
    for column in range(n + 2):
        torch.testing.assert_close(terms[:, column], network.log_prob_of(rows, known, column)[0])


@pytest.mark.parametrize("column", [0, 1, 2])
def test_what_a_column_is_not_has_the_probability_of_all_other_codes(network, column):
    known = hidden_columns(len(ALL_ROWS), 3, torch.Generator().manual_seed(1))
    log_probs, log_rest = network.log_prob_of(ALL_ROWS, known, column, never=1)
    codes = network.probabilities_of(network.context(ALL_ROWS, known), column)
    n_fine = CODES.n_fine[column]
    is_never = torch.arange(codes.shape[1]) // n_fine == 1
    torch.testing.assert_close(log_rest.exp(), codes[:, ~is_never].sum(dim=1))
    torch.testing.assert_close(log_probs, network.log_prob_of(ALL_ROWS, known, column)[0])
    assert (network.log_prob_of(ALL_ROWS, known, column)[1] == 0).all()
