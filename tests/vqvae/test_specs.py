"""Code specifications: what each kind says of its codes, against the arrays and the methods of fitted models."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_wine

from skvq import FiniteScalarCodes, ProductCodes, ResidualCodes, VectorCodes, VQVAETransformer
from skvq.core.parameters import to_json
from skvq.vqvae.defaults import Architecture
from skvq.vqvae.network import build_vqvae
from skvq.vqvae.specs import (
    CODEBOOKS,
    SPECS,
    CodebookSpec,
    FiniteScalarSpec,
    ProductSpec,
    ResidualSpec,
    TwoGridSpec,
    VectorSpec,
    spec_from_json,
)

WINE, IMAGES = load_wine().data, load_digits().images[:120, :7]
FAST = {"n_codes": 8, "max_iter": 1, "prior": None, "channels": 8, "n_blocks": 0, "random_state": 0}
GRIDS = {"code_shape": ((2, 3), (4, 4))}
# What is fitted, and what its specification says: codes of a row, their shape, the grid for a prior, the numbers of
# codes that can be decoded, the shape of the codebooks.
CASES = {
    "vector, image": (IMAGES, {}, VectorSpec, 16, (4, 4), (4, 4), [16], (8, 32)),
    "vector, image, own codebooks": (
        IMAGES,
        {"quantizer": VectorCodes(shared_codebook=False)},
        VectorSpec,
        *(16, (4, 4), (4, 4), [16], (16, 8, 32)),
    ),
    "vector, narrow search": (
        IMAGES,
        {"quantizer": VectorCodes(search_dim=2, code_dim=6), "code_shape": (2, 5)},
        VectorSpec,
        *(10, (2, 5), (2, 5), [10], (8, 6)),
    ),
    "vector, table": (WINE, {"quantizer": "vector"}, VectorSpec, 4, (4,), (1, 4), [4], (4, 8, 4)),
    "vector, table, one position": (
        WINE,
        {"quantizer": "vector", "code_shape": 1},
        VectorSpec,
        *(1, (1,), (1, 1), [1], (8, 13)),
    ),
    "residual, image": (
        IMAGES,
        {"quantizer": ResidualCodes(codes_per_position=3), "code_shape": (2, 2)},
        ResidualSpec,
        *(12, (2, 2, 3), (2, 6), [4, 8, 12], (3, 8, 32)),
    ),
    "residual, image, own codebooks": (
        IMAGES,
        {"quantizer": ResidualCodes(shared_codebook=False), "code_shape": (2, 2)},
        ResidualSpec,
        *(8, (2, 2, 2), (2, 4), [4, 8], (4, 2, 8, 32)),
    ),
    "residual, table": (WINE, {}, ResidualSpec, 4, (4,), (1, 4), [1, 2, 3, 4], (4, 8, 13)),
    "residual, table, several positions": (
        WINE,
        {"quantizer": ResidualCodes(codes_per_position=2), "code_shape": 3},
        ResidualSpec,
        *(6, (3, 2), (1, 6), [3, 6], (3, 2, 8, 4)),
    ),
    "product, image": (
        IMAGES,
        {"quantizer": ProductCodes(code_dim=10), "code_shape": (2, 2)},
        ProductSpec,
        *(8, (2, 2, 2), (2, 4), [8], (2, 8, 5)),
    ),
    "product, table": (WINE, {"quantizer": "product"}, ProductSpec, 4, (4,), (1, 4), [4], (4, 8, 4)),
    "product, table, several positions": (
        WINE,
        {"quantizer": ProductCodes(codes_per_position=2), "code_shape": 3},
        ProductSpec,
        *(6, (3, 2), (1, 6), [6], (3, 2, 8, 4)),
    ),
    "finite scalar, image": (
        IMAGES,
        {"quantizer": FiniteScalarCodes()},
        FiniteScalarSpec,
        *(16, (4, 4), (4, 4), [16], (8, 1)),
    ),
    "finite scalar, table": (
        WINE,
        {"quantizer": "finite_scalar"},
        FiniteScalarSpec,
        *(4, (4,), (1, 4), [4], (4, 8, 1)),
    ),
    "two grids": (IMAGES, GRIDS, TwoGridSpec, 22, ((2, 3), (4, 4)), (1, 22), [6, 22], (2, 8, 32)),
}
_fitted = {}


def fitted(name):
    """Return a fitted model, its X, its specification, and what that should say."""
    X, parameters, *expected = CASES[name]
    if name not in _fitted:
        _fitted[name] = VQVAETransformer(**FAST | parameters).fit(X)
    model = _fitted[name]
    return model, X, Architecture.from_json(model.architecture_).codes, expected


@pytest.fixture(params=CASES)
def case(request):
    return fitted(request.param)


def test_what_a_specification_says_is_what_the_model_has(case):
    model, X, spec, (kind, codes_per_row, code_shape, prior_shape, widths, codebooks_shape) = case
    assert type(spec) is kind
    assert spec.codes_per_row == codes_per_row == model.transform(X).shape[1]
    assert spec.code_shape == code_shape == model.code_shape_
    assert spec.prior_shape == prior_shape
    assert int(np.prod(prior_shape)) == codes_per_row
    assert list(spec.decodable_widths) == widths
    assert spec.codebooks_shape == codebooks_shape == model.codebook_.shape
    assert model.code_counts_.shape == codebooks_shape[:-1]
    assert spec.n_codes == model.n_codes_ == 8


def test_exactly_the_decodable_widths_are_decoded(case):
    model, X, spec, _ = case
    for width in range(1, spec.codes_per_row + 2):
        codes = np.zeros((2, width), dtype=int)
        if width in spec.decodable_widths:
            assert model.inverse_transform(codes).shape == (2, *X.shape[1:])
        else:
            with pytest.raises(ValueError, match=f"codes have {width} columns, but a row of this model has"):
                model.inverse_transform(codes)


def test_a_specification_goes_through_json_unchanged(case):
    _, _, spec, _ = case
    data = json.loads(json.dumps(to_json(spec)))
    assert data["kind"] == spec.kind
    assert spec_from_json(data) == spec
    assert spec_from_json(to_json(spec.with_codes(4))) == replace(spec, n_codes=4)


def test_an_architecture_goes_through_json_unchanged(case):
    model, _, _, _ = case
    architecture = Architecture.from_json(model.architecture_)
    assert json.loads(json.dumps(to_json(architecture))) == model.architecture_
    assert Architecture.from_json(to_json(architecture)) == architecture


def test_codebooks_and_counts_are_read_off_the_quantiser_in_the_order_of_the_codes(case):
    model, X, spec, _ = case
    network = build_vqvae(Architecture.from_json(model.architecture_), torch.Generator()).eval()
    network.load_state_dict({name: torch.from_numpy(array) for name, array in model.weights_.items()})
    np.testing.assert_array_equal(spec.codebooks(network.quantizer), model.codebook_)
    assert not np.shares_memory(spec.codebooks(network.quantizer), network.quantizer.codebook.detach().numpy())
    codes = model.transform(X)
    expected = np.zeros(model.code_counts_.shape, dtype=int)
    for row in codes:
        for column, code in enumerate(row):
            expected[(*codebook_of(spec, column), code)] += 1
    np.testing.assert_array_equal(spec.counts(network.quantizer, codes), expected)


def codebook_of(spec, column):
    """Return the index into the axes of the codebooks for a column of the codes, by the docs of `codebook_`."""
    if isinstance(spec, TwoGridSpec):
        return (int(column >= spec.n_coarse),)
    position, code = divmod(column, spec.stages)
    return ((position,) if spec.n_groups > 1 else ()) + ((code,) if spec.stages > 1 else ())


def test_the_module_of_a_specification_has_its_sizes_and_its_draws(case):
    _, _, spec, _ = case
    first, again, other = (spec.build(torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    z = torch.randn(2, spec.n_positions, spec.code_dim, generator=torch.Generator().manual_seed(5))
    codes = first.eval().encode(z)
    assert codes.flatten(1).shape == (2, spec.codes_per_row)
    assert (codes.dim() == 3) == (spec.side_by_side is not None)
    assert first.decode(codes).shape == z.shape
    states = [module.state_dict() for module in (first, again, other)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    drawn = [name for name in states[0] if not torch.equal(states[0][name], states[2][name])]
    assert bool(drawn) == (not isinstance(spec, FiniteScalarSpec))


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[0] is IMAGES])
def test_known_codes_are_those_of_known_cells(name):
    _, _, spec, _ = fitted(name)
    grids = [spec.coarse_grid, spec.grid] if isinstance(spec, TwoGridSpec) else [spec.grid]
    known = {grid: np.arange(2 * np.prod(grid)).reshape(2, -1) % 3 > 0 for grid in grids}
    found = spec.known_codes(known.__getitem__)
    assert found.shape == (2, spec.codes_per_row)
    expected = [cell for grid in grids for cell in known[grid][1] for _ in range(spec.stages)]
    np.testing.assert_array_equal(found[1], expected)


CODEBOOK = CodebookSpec("ema", "euclidean", "straight_through", 0.99, 0.1, follow_rate=0.1)
SIZES = {"n_codes": 8, "code_dim": 6, "codebook": CODEBOOK}


@pytest.mark.parametrize(("update", "similarity"), CODEBOOKS)
def test_a_codebook_is_built_as_it_says(update, similarity):
    spec = CodebookSpec(update, similarity, "rotation", 0.9, 0.3, follow_rate=0.2)
    module = spec.build(8, 6, 3, torch.Generator().manual_seed(0), codebook_weight=0.5)
    assert type(module) is CODEBOOKS[update, similarity]
    assert module.codebook.shape == (3, 8, 6)
    assert (module.decay, module.revival_threshold, module.codebook_weight) == (0.9, 0.3, 0.5)
    assert module.follow_rate == 0.2


def test_few_rows_for_the_residual_codes_of_a_table_alone_make_training_useless():
    table = ResidualSpec((4,), 1, shared_codebook=False, **SIZES, codes_per_position=4, beam_size=1)
    image = replace(table, grid=(2, 2), n_positions=4)
    assert [table.starts_at_its_best(n) for n in (1, 63, 64)] == [True, True, False]  # eight rows a code
    assert not image.starts_at_its_best(1)
    assert not VectorSpec((4,), 4, shared_codebook=False, **SIZES, search_dim=None).starts_at_its_best(1)


def test_each_codebook_starts_from_the_vectors_of_its_own_positions_and_parts():
    z = torch.arange(2 * 4 * 6.0).reshape(2, 4, 6)  # two rows, four positions, six dimensions
    shared = VectorSpec((2, 2), 4, shared_codebook=True, **SIZES, search_dim=None)
    np.testing.assert_array_equal(shared.clustered(z), z.reshape(8, 1, 6))
    own = replace(shared, shared_codebook=False)
    np.testing.assert_array_equal(own.clustered(z), z)
    product = ProductSpec((2, 2), 4, shared_codebook=True, **SIZES, codes_per_position=2)
    parts = product.clustered(z)
    np.testing.assert_array_equal(parts, z.reshape(8, 2, 3))
    cosine = replace(shared, codebook=replace(CODEBOOK, similarity="cosine"))
    twice = cosine.clustered(torch.cat([z + 1, 2 * (z + 1)]))
    np.testing.assert_allclose(twice.norm(dim=-1), 1.0, atol=1e-4)
    assert torch.equal(twice[:8], twice[8:])  # vectors of one direction are one
    assert FiniteScalarSpec((2, 2), 4, 8, 2, True, levels=(4, 2)).clustered(z) is None


def test_every_kind_has_a_name_of_its_own():
    assert {kind: spec.kind for kind, spec in SPECS.items()} == {kind: kind for kind in SPECS}
    assert set(SPECS) == {"vector", "residual", "product", "finite_scalar", "two_grids"}
