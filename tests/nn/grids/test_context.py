"""Sums over earlier codes, and the gradient that is written by hand, beside loops over pairs of positions."""

import pytest
import torch

from skvq.nn.grids import context
from skvq.nn.grids.context import EarlierCodes


def looped(sums, table, codes, weights):
    """Return the sums (b, h, w, channels), pair by pair."""
    n_codes, shape = sums.n_codes, codes.shape
    codes, found = codes.flatten(1), []
    for target in range(codes.shape[1]):
        total = table.new_zeros(len(codes), sums.channels)
        for pair in range(sums.starts[target], sums.starts[target + 1]):
            source, offset = int(sums.sources[pair]), int(sums.offsets[pair]) // n_codes
            vectors = table.view(-1, n_codes, sums.channels)[offset, codes[:, source]]
            total = total + (vectors if weights is None else weights[:, source, None] * vectors)
        found.append(total)
    return torch.stack(found, dim=1).view(*shape, sums.channels)


GRIDS = {
    "grid": {"grid_shape": (4, 6), "whole_rows_only": False, "reach": 7},
    "rows above": {"grid_shape": (4, 6), "whole_rows_only": True, "reach": 7},
    "near ones": {"grid_shape": (5, 7), "whole_rows_only": False, "reach": 2},
    "column": {"grid_shape": (6, 1), "whole_rows_only": False, "reach": 3},
    "long row": {"grid_shape": (1, 9), "whole_rows_only": False, "reach": 4},
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", GRIDS)
def test_sums_and_their_gradient_are_those_of_a_loop_over_pairs(name, weighted, monkeypatch):
    monkeypatch.setattr(context, "OFFSETS_AT_ONCE", 3)
    generator = torch.Generator().manual_seed(0)
    sums = EarlierCodes(5, embedding_dim=3, channels=4, shared=True, **GRIDS[name])
    embedding = torch.randn(5, 3, generator=generator)
    torch.nn.init.normal_(sums.weight, generator=generator)
    codes = torch.randint(4, (3, *GRIDS[name]["grid_shape"]), generator=generator)  # one code is never there
    weights = torch.rand(3, codes[0].numel(), generator=generator) if weighted else None
    direction = torch.randn(*codes.shape, 4, generator=generator)
    expected = looped(sums, sums.table(embedding), codes, weights)
    torch.testing.assert_close(sums(codes, embedding, weights), expected)
    found, wanted = (
        torch.autograd.grad((output * direction).sum(), sums.weight)[0]
        for output in (sums(codes, embedding, weights), expected)
    )
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)  # sums of floats in another order


def test_of_many_codes_those_that_are_not_there_have_no_gradient(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    sums = EarlierCodes(12, (3, 4), 3, 4, 7, whole_rows_only=False, shared=True)
    torch.nn.init.normal_(sums.weight, generator=generator)
    codes = 2 * torch.randint(6, (5, 3, 4), generator=generator)
    found = []
    for many in (1024, 8):
        monkeypatch.setattr(context, "MANY_CODES", many)
        embedding = torch.randn(12, 3, generator=torch.Generator().manual_seed(1), requires_grad=True)
        found.append(torch.autograd.grad(sums(codes, embedding).square().sum(), (embedding, sums.weight)))
    for whole, used in zip(*found):
        torch.testing.assert_close(used, whole)
    assert not found[1][0][1::2].any()
