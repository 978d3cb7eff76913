"""Kinds of codes: what each parameter that is "auto" becomes, for rows of every size."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits

from skvq import CausalTransformer, FiniteScalarCodes, ProductCodes, ResidualCodes, VectorCodes, VQVAETransformer
from skvq.vqvae import defaults
from skvq.vqvae.codes import KINDS, Codes, Request, automatic_n_codes
from skvq.vqvae.specs import CodebookSpec, FiniteScalarSpec, ProductSpec, ResidualSpec, TwoGridSpec, VectorSpec

# Rows of every size: (row_shape, number of rows, grid).
SMALL_IMAGE = Request((8, 8, 1), 1_000, (4, 4))
IMAGE = Request((28, 28, 1), 60_000, (7, 7))
LARGE_CELLS = Request((64, 64, 3), 500, (8, 8))  # 192 values a cell
TABLE = Request((13,), 178, (4,))
LONG_TABLE = Request((20,), 20_000, (5,))
ONE_POSITION = Request((13,), 1_000, (1,))
NARROW = Request((2,), 100, (1,))

AUTO = [
    # kind, request, then what follows: vectors of a row, codes of a vector, codes of a codebook, length, shared.
    (VectorCodes, SMALL_IMAGE, (16, 1, 256, 32, True)),
    (VectorCodes, IMAGE, (49, 1, 256, 32, True)),
    (VectorCodes, replace(SMALL_IMAGE, n_rows=30), (16, 1, 32, 32, True)),
    (VectorCodes, TABLE, (4, 1, 16, 4, False)),
    (VectorCodes, LONG_TABLE, (5, 1, 256, 4, False)),
    (VectorCodes, ONE_POSITION, (1, 1, 64, 13, False)),
    (VectorCodes, NARROW, (1, 1, 8, 2, False)),
    (VectorCodes, replace(ONE_POSITION, row_shape=(784,)), (1, 1, 64, 64, False)),
    (ResidualCodes, SMALL_IMAGE, (16, 2, 256, 32, True)),
    (ResidualCodes, LARGE_CELLS, (64, 2, 256, 128, True)),
    (ResidualCodes, TABLE, (1, 4, 16, 13, False)),
    (ResidualCodes, LONG_TABLE, (1, 5, 256, 20, False)),
    (ProductCodes, SMALL_IMAGE, (16, 2, 256, 4, True)),  # two values for each part
    (ProductCodes, LARGE_CELLS, (64, 2, 256, 32, True)),
    (ProductCodes, TABLE, (1, 4, 16, 16, False)),
    (FiniteScalarCodes, SMALL_IMAGE, (16, 1, 252, 3, True)),
    (FiniteScalarCodes, TABLE, (4, 1, 16, 2, False)),
]


@pytest.mark.parametrize(("kind", "asked", "expected"), AUTO)
def test_auto_becomes_what_suits_the_rows(kind, asked, expected):
    spec = kind().spec(asked)
    assert (spec.n_positions, spec.stages, spec.n_codes, spec.code_dim, spec.shared_codebook) == expected
    assert spec.grid == asked.grid


@pytest.mark.parametrize(
    ("asked", "beam_size"),
    [
        (SMALL_IMAGE, 5),
        (replace(IMAGE, grid=(4, 5)), 1),
        (IMAGE, 1),
        (TABLE, 64),
        (replace(TABLE, n_rows=9_999), 64),
        (replace(TABLE, n_rows=10_000), 16),
    ],
)
def test_the_search_for_residual_codes_is_as_wide_as_it_pays(asked, beam_size):
    assert ResidualCodes().spec(asked).beam_size == beam_size
    assert ResidualCodes(beam_size=3).spec(asked).beam_size == 3


@pytest.mark.parametrize("asked", [SMALL_IMAGE, TABLE])
@pytest.mark.parametrize("kind", [ResidualCodes, ProductCodes])
def test_the_number_of_codes_of_a_position_is_that_of_the_user_or_of_the_budget(kind, asked):
    chosen = kind(codes_per_position=3).spec(asked)
    cells = asked.grid[0] if asked is TABLE else 16
    assert (chosen.n_positions, chosen.stages, chosen.codes_per_row) == (cells, 3, 3 * cells)
    budgeted = kind().spec(replace(asked, codes_per_position=5))
    assert (budgeted.n_positions, budgeted.stages) == (cells, 5)


@pytest.mark.parametrize("kind", [VectorCodes, ResidualCodes, ProductCodes])
def test_what_the_user_says_is_what_is_specified(kind):
    given = {"ema_decay": 0.9, "revival_threshold": 0, "gradient_estimator": "rotation", "codebook_update": "gradient"}
    for asked, follow_rate in ((SMALL_IMAGE, 0.1), (TABLE, 0.0 if kind is ResidualCodes else 0.1)):
        spec = kind(code_dim=12, shared_codebook=not asked.is_image, **given).spec(replace(asked, n_codes=9))
        assert (spec.code_dim, spec.n_codes, spec.shared_codebook) == (12, 9, not asked.is_image)
        assert spec.codebook == CodebookSpec("gradient", "euclidean", "rotation", 0.9, 0.0, follow_rate)


def test_every_kind_has_its_specification():
    grids = replace(SMALL_IMAGE, coarse_grid=(2, 2))
    found = [type(kind().spec(SMALL_IMAGE)) for kind in (VectorCodes, ResidualCodes, ProductCodes, FiniteScalarCodes)]
    assert found == [VectorSpec, ResidualSpec, ProductSpec, FiniteScalarSpec]
    assert type(VectorCodes().spec(grids)) is TwoGridSpec
    assert VectorCodes(search_dim=3, similarity="cosine").spec(SMALL_IMAGE).search_dim == 3
    assert [kind().spec(SMALL_IMAGE).kind for kind in KINDS.values()] == list(KINDS)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (ResidualCodes(), r"code_shape=\(\(2, 2\), \(4, 4\)\) have one code a position; .* not ResidualCodes\(\)"),
        (ProductCodes(code_dim=8), r"have one code a position; .* not ProductCodes\(code_dim=8\)"),
        (FiniteScalarCodes(), r"need codebooks; pass quantizer='vector' or VectorCodes\(\)"),
        (VectorCodes(similarity="cosine"), "similarity='cosine' does not go with .*; pass 'euclidean'"),
        (VectorCodes(shared_codebook=False), "shared_codebook=False does not go with .*; pass 'auto' or True"),
        (VectorCodes(search_dim=4), "search_dim=4 does not go with .*; pass None"),
    ],
)
def test_two_grids_have_vector_codes_with_one_codebook_each(codes, message):
    codes.check()
    with pytest.raises(ValueError, match=message):
        codes.spec(replace(SMALL_IMAGE, coarse_grid=(2, 2)))


@pytest.mark.parametrize("n_vectors", [1, 15, 16, 100, 1_000, 2_047, 2_048, 10**6])
def test_a_code_gets_eight_vectors_and_there_are_no_more_than_256(n_vectors):
    largest = max((2**bits for bits in range(1, 9) if 8 * 2**bits <= n_vectors), default=2)
    assert automatic_n_codes(n_vectors) == largest


@pytest.mark.parametrize("kind", [VectorCodes, ProductCodes])
def test_cosine_codes_are_learned_by_running_means_or_gradients(kind):
    for update in ("ema", "gradient"):
        kind(similarity="cosine", codebook_update=update).check()
    with pytest.raises(ValueError, match="codebook_update='simvq' and similarity='cosine' do not go together"):
        kind(similarity="cosine", codebook_update="simvq").check()


@pytest.mark.parametrize("kind", KINDS.values())
def test_codes_are_cloned_with_their_parameters(kind):
    codes = kind(shared_codebook=True)
    copied = clone(codes)
    assert copied is not codes
    assert copied.get_params() == codes.get_params() == kind().get_params() | {"shared_codebook": True}
    assert repr(copied) == f"{kind.__name__}(shared_codebook=True)"
    assert copied.set_params(shared_codebook="auto").spec(TABLE) == kind().spec(TABLE)


def test_a_kind_without_a_specification_cannot_be_made():
    with pytest.raises(TypeError, match="abstract"):
        Codes()


@pytest.mark.parametrize(
    ("n_rows", "network", "parameters", "shared"),
    [
        (60_000, "aligned", {}, False),
        (60_000, "aligned", {"max_bits": 392}, False),
        (25_600, "aligned", {}, False),
        (25_599, "aligned", {}, True),
        (60_000, "convolutional", {}, True),
        (60_000, "aligned", {"n_codes": 512}, False),
        (60_000, "aligned", {"n_codes": 1_024}, True),
        (60_000, "aligned", {"quantizer": "vector"}, True),
        (60_000, "aligned", {"code_shape": ((4, 4), (7, 7))}, True),
        (60_000, "aligned", {"max_bits": 64}, True),  # residual codes
    ],
)
def test_positions_have_codebooks_of_their_own_where_many_images_are_aligned(n_rows, network, parameters, shared):
    spec = defaults.plan_codes(VQVAETransformer(**parameters), (28, 28, 1), n_rows, network=network)
    assert spec.shared_codebook is shared


def test_many_aligned_images_are_fitted_and_drawn_with_codebooks_of_their_own(monkeypatch):
    monkeypatch.setattr(defaults, "ENOUGH_TO_MIX_POSITIONS", 500)
    monkeypatch.setattr(defaults, "IMAGES_OF_AN_OWN_CODE", 50)
    images = np.kron(load_digits().images[:600], np.ones((2, 2)))
    prior = CausalTransformer(d_model=16, n_layers=1, max_iter=2)
    model = VQVAETransformer(8, channels=8, n_blocks=1, max_iter=2, prior=prior, random_state=0).fit(images)
    assert model.aligned_
    assert model.codebook_.shape[:2] == (64, 8)
    drawn = model.sample(300, random_state=0)
    assert abs(drawn.mean(axis=0) - images.mean(axis=0)).mean() < 0.3 * images.mean(axis=0).std()
