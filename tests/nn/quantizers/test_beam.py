import numpy as np
import pytest
import torch

import skvq.nn.quantizers.beam
from skvq.nn.quantizers.beam import beam_codes
from skvq.nn.quantizers.nearest import nearest_codes


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float32)


def loop(vector, books, beam_size):
    """Codes of one vector, by a list of (error, prefix) that is sorted after each stage."""
    prefixes = [()]
    for _ in books:
        longer = [(*prefix, code) for prefix in prefixes for code in range(len(books[0]))]
        errors = {p: np.square(vector - sum(books[i][c] for i, c in enumerate(p))).sum() for p in longer}
        prefixes = sorted(longer, key=errors.get)[:beam_size]
    return prefixes[0]


@pytest.mark.parametrize("beam_size", [1, 2, 5, 1000])
@pytest.mark.parametrize("g", [1, 3])
def test_codes_are_those_of_a_sorted_list_of_prefixes(beam_size, g):
    z, books = normal(12, g, 3), normal(3, g, 6, 3, seed=1)
    codes = beam_codes(z, books, beam_size)
    assert codes.shape == (12, g, 3)
    for row, group in np.ndindex(12, g):
        expected = loop(z[row, group].double().numpy(), books[:, group].double().numpy(), beam_size)
        assert tuple(codes[row, group].tolist()) == expected


def test_one_stage_is_the_nearest_code():
    z, books = normal(300, 2, 3), normal(1, 2, 6, 3, seed=1)
    assert torch.equal(beam_codes(z, books, 4)[:, :, 0], nearest_codes(z, books[0]))


def test_a_wider_beam_never_leaves_more_on_average():
    z, books = normal(500, 1, 4), normal(4, 1, 6, 4, seed=1)
    errors = []
    for beam_size in (1, 2, 4, 16):
        codes = beam_codes(z, books, beam_size)[:, 0]
        errors.append(float((z[:, 0] - sum(books[i, 0][codes[:, i]] for i in range(4))).square().mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.8 * errors[0]


@pytest.mark.parametrize("chunk_bytes", [1, 1000])
def test_chunks_do_not_change_the_codes(chunk_bytes, monkeypatch):
    z, books = normal(31, 2, 3), normal(3, 2, 6, 3, seed=1)
    expected = beam_codes(z, books, 4)
    monkeypatch.setattr(skvq.nn.quantizers.beam, "_CACHE_BYTES", chunk_bytes)
    assert torch.equal(beam_codes(z, books, 4), expected)


def test_many_distances_are_searched_as_few_are(monkeypatch):
    z, books = normal(50, 1, 5), normal(3, 1, 40, 5, seed=1)
    expected = beam_codes(z, books, 8)
    monkeypatch.setattr(skvq.nn.quantizers.beam, "_FEW_DISTANCES", 0)
    assert torch.equal(beam_codes(z, books, 8), expected)


def test_data_far_from_the_origin_keep_their_digits():
    # 1e4 leaves about 1e-3 of each coordinate in float32; the expanded distance without centring is off by about 10.
    z, books = normal(200, 1, 8) + 1e4, torch.cat([normal(1, 1, 32, 8, seed=1) + 1e4, normal(1, 1, 32, 8, seed=2)])
    codes = beam_codes(z, books, 1)[:, 0]
    expected = [loop(row, books[:, 0].double().numpy(), 1) for row in z[:, 0].double().numpy()]
    assert np.mean(codes.numpy() == np.array(expected)) > 0.99


def test_no_vectors_give_no_codes():
    assert beam_codes(normal(0, 2, 3), normal(3, 2, 6, 3), 4).shape == (0, 2, 3)


def test_a_row_that_is_not_finite_disturbs_no_other_row():
    z, books = normal(20, 1, 3), normal(3, 1, 6, 3, seed=1)
    bad = z.clone()
    bad[7, 0, 1], bad[9] = torch.nan, torch.inf
    codes, expected = beam_codes(bad, books, 4), beam_codes(z, books, 4)
    others = [row for row in range(20) if row not in (7, 9)]
    assert torch.equal(codes[others], expected[others])
    assert 0 <= int(codes.min()) <= int(codes.max()) < 6
