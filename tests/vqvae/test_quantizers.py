"""Each kind of codes inside VQVAETransformer: codes and codebooks against numpy, copies from disk, the prior."""

import json
import pickle

import numpy as np
import pytest
import skops.io
import torch
from scipy.spatial.distance import cdist
from scipy.stats import entropy
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

from skvq import FiniteScalarCodes, PixelCNN, ProductCodes, ResidualCodes, VectorCodes, VQVAETransformer
from skvq.nn.quantizers.base import rotation
from skvq.nn.quantizers.vector import CodebookQuantizer
from skvq.vqvae.defaults import Architecture, codes_for_bits
from skvq.vqvae.network import build_vqvae

WINE = load_wine().data
IMAGES = load_digits().images[:300]
FAST = {
    "n_codes": 8,
    "max_iter": 3,
    "prior": PixelCNN(channels=4, n_layers=1, max_iter=1),
    "channels": 8,
    "n_blocks": 1,
    "early_stopping": False,
    "random_state": 0,
}
KINDS = {
    "vector": "vector",
    "gradient": VectorCodes(codebook_update="gradient"),
    "simvq": VectorCodes(codebook_update="simvq"),
    "cosine": VectorCodes(similarity="cosine"),
    "rotation": VectorCodes(gradient_estimator="rotation"),
    "low-dimensional": VectorCodes(search_dim=2),
    "residual": "residual",
    "residual, greedy": ResidualCodes(codes_per_position=3, beam_size=1),
    "product": "product",
    "finite scalar": "finite_scalar",
}
DATA = {"wine": WINE, "digits": IMAGES}
_fitted = {}


def _fit(kind, data):
    if (kind, data) not in _fitted:
        _fitted[kind, data] = VQVAETransformer(**FAST, quantizer=KINDS[kind]).fit(DATA[data])
    return _fitted[kind, data]


@pytest.fixture(params=[(kind, data) for kind in KINDS for data in DATA], ids=lambda pair: f"{pair[0]}, {pair[1]}")
def fitted(request):
    """A fitted model, the name of its kind, and its X."""
    kind, data = request.param
    return _fit(kind, data), kind, DATA[data]


def network_of(model):
    """Return the network that the fitted attributes describe."""
    network = build_vqvae(Architecture.from_json(model.architecture_), torch.Generator()).eval()
    network.load_state_dict({name: torch.from_numpy(array) for name, array in model.weights_.items()})
    return network


def encoded(model, X):
    """What the encoder makes of X: (n, m, d), float64."""
    rows = (np.asarray(X).reshape(len(X), -1) - model.shift_) / model.scale_
    shape = (-1, 8, 8, 1) if X.ndim == 3 else (-1, X.shape[1])
    with torch.no_grad():
        return network_of(model).encoder(torch.from_numpy(rows).float().view(shape)).double().numpy()


def by_position(model, codes):
    """Codes as (n, positions, codes of a position)."""
    return codes.reshape(len(codes), model.architecture_["codes"]["n_positions"], -1)


def codebooks(model, codes):
    """`codebook_` with all its axes: (positions, codes of a position, n_codes, d)."""
    _, m, s = by_position(model, codes).shape
    shared = model.architecture_["codes"]["shared_codebook"]
    shape = (1 if shared else m, s, *model.codebook_.shape[-2:])
    return np.broadcast_to(model.codebook_.reshape(shape), (m, *shape[1:])).astype(np.float64)


def vectors(model, codes):
    """The codebook vectors of codes: (n, positions, codes of a position, d)."""
    grid = by_position(model, codes)
    _, m, s = grid.shape
    return codebooks(model, codes)[np.arange(m)[:, None], np.arange(s), grid]


def test_codes_have_the_shape_and_range_that_they_say(fitted):
    model, _, X = fitted
    codes = model.transform(X)
    assert codes.dtype == np.int32
    assert codes.shape == (len(X), np.prod(model.code_shape_))
    assert codes.min() >= 0
    assert codes.max() < model.n_codes_ <= 8
    assert len(model.get_feature_names_out()) == codes.shape[1]


def test_the_codebook_array_is_what_the_network_decodes(fitted):
    model, kind, X = fitted
    codes = model.transform(X[:40])
    own = vectors(model, codes)
    expected = {"residual": own.sum(axis=2), "product": own.reshape(*own.shape[:2], -1)}
    expected = expected.get(model.architecture_["codes"]["kind"], own[:, :, 0])
    layout = by_position(model, codes) if kind.startswith(("residual", "product")) else codes
    found = network_of(model).quantizer.decode(torch.from_numpy(layout.astype(np.int64))).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)  # float32


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("kind", ["vector", "gradient", "simvq", "rotation"])
def test_a_vector_gets_the_nearest_code(kind, data):
    model, X = _fit(kind, data), DATA[data][:40]
    z, codes = encoded(model, X), model.transform(X)
    for position, (codebook,) in enumerate(codebooks(model, codes)):
        distances = cdist(z[:, position], codebook)
        chosen = np.take_along_axis(distances, codes[:, [position]], axis=1)[:, 0]
        np.testing.assert_allclose(chosen, distances.min(axis=1), rtol=1e-4, atol=1e-5)  # float32 distances


@pytest.mark.parametrize("data", DATA)
def test_cosine_codes_are_those_at_the_smallest_angle(data):
    model, X = _fit("cosine", data), DATA[data][:40]
    z, codes = encoded(model, X), model.transform(X)
    for position, (codebook,) in enumerate(codebooks(model, codes)):
        np.testing.assert_allclose(np.linalg.norm(codebook, axis=1), 1.0, rtol=1e-5)
        distances = cdist(z[:, position], codebook, "cosine")
        chosen = np.take_along_axis(distances, codes[:, [position]], axis=1)[:, 0]
        np.testing.assert_allclose(chosen, distances.min(axis=1), atol=1e-5)


@pytest.mark.parametrize("data", DATA)
def test_greedy_residual_codes_take_what_the_earlier_ones_leave(data):
    model, X = _fit("residual, greedy", data), DATA[data][:40]
    left, codes = encoded(model, X), model.transform(X)
    grid, books = by_position(model, codes), codebooks(model, codes)
    for stage in range(grid.shape[2]):
        for position in range(grid.shape[1]):
            distances = cdist(left[:, position], books[position, stage])
            chosen = np.take_along_axis(distances, grid[:, position, [stage]], axis=1)[:, 0]
            np.testing.assert_allclose(chosen, distances.min(axis=1), rtol=1e-4, atol=1e-5)
            left[:, position] -= books[position, stage][grid[:, position, stage]]


def test_a_beam_finds_better_sums_than_the_greedy_search():
    model = _fit("residual", "wine")
    z, codes = encoded(model, WINE), model.transform(WINE)
    quantizer = network_of(model).quantizer
    quantizer.beam_size = 1
    greedy = quantizer.encode(torch.from_numpy(z).float())
    by_beam = np.square(z - vectors(model, codes).sum(axis=2)).mean()
    by_greed = np.square(z - vectors(model, greedy.flatten(1).numpy()).sum(axis=2)).mean()
    assert by_beam < by_greed


def test_product_codes_are_nearest_split_by_split():
    model = _fit("product", "digits")
    X = IMAGES[:40]
    z, codes = encoded(model, X), model.transform(X)
    grid, books = by_position(model, codes), codebooks(model, codes)
    splits = z.reshape(*z.shape[:2], grid.shape[2], -1)
    for position in range(grid.shape[1]):
        for split in range(grid.shape[2]):
            distances = cdist(splits[:, position, split], books[position, split])
            chosen = np.take_along_axis(distances, grid[:, position, [split]], axis=1)[:, 0]
            np.testing.assert_allclose(chosen, distances.min(axis=1), rtol=1e-4, atol=1e-5)


def test_counts_usage_and_bits_are_those_of_the_codes_of_the_training_rows(fitted):
    model, _, X = fitted
    codes = model.transform(X)
    grid = by_position(model, codes)
    if model.architecture_["codes"]["shared_codebook"]:
        columns = [grid[:, :, stage].ravel() for stage in range(grid.shape[2])]
    else:
        columns = list(codes.T)
    counts = np.array([np.bincount(column, minlength=model.n_codes_) for column in columns])
    np.testing.assert_array_equal(model.code_counts_.reshape(counts.shape), counts)
    assert model.code_counts_.shape == model.codebook_.shape[:-1]
    assert model.codebook_usage_ == pytest.approx((counts > 0).mean())
    bits = [entropy(count, base=2) for count in counts]
    assert model.bits_per_row_ == pytest.approx(np.mean(bits) * codes.shape[1])
    assert model.perplexity_ == pytest.approx(2 ** np.mean(bits))


def test_a_copy_from_disk_gives_the_same_codes_and_rows(fitted):
    model, _, X = fitted
    again = pickle.loads(pickle.dumps(model))
    codes = model.transform(X)
    np.testing.assert_array_equal(again.transform(X), codes)
    np.testing.assert_array_equal(again.inverse_transform(codes), model.inverse_transform(codes))
    assert json.loads(json.dumps(model.architecture_)) == model.architecture_


def test_skops_needs_trust_in_the_estimators_alone(fitted):
    model, _, X = fitted
    file = skops.io.dumps(model)
    trusted = skops.io.get_untrusted_types(data=file)
    own = {"skvq.priors.pixelcnn.PixelCNN", "skvq.vqvae.estimator.VQVAETransformer"}
    if not isinstance(model.quantizer, str):
        own.add(f"skvq.vqvae.codes.{type(model.quantizer).__name__}")
    assert set(trusted) == own
    np.testing.assert_array_equal(skops.io.loads(file, trusted=trusted).transform(X[:9]), model.transform(X[:9]))


def test_the_prior_draws_rows_and_scores_them(fitted):
    model, _, X = fitted
    drawn = model.sample(3, random_state=0)
    assert drawn.shape == (3, *X.shape[1:])
    assert np.isfinite(drawn).all()
    scores = model.score_samples(X[:20])
    assert np.isfinite(scores).all()
    assert model.bits_per_dim(X[:20]) == pytest.approx(-scores.mean() / (np.log(2) * X[0].size))


def test_every_kind_is_cloned_with_its_parameters(fitted):
    model, kind, _ = fitted
    codes, copied = KINDS[kind], clone(model).quantizer
    if isinstance(codes, str):
        assert copied == codes
    else:
        assert type(copied) is type(codes)
        assert copied is not codes
        assert copied.get_params() == codes.get_params()


@pytest.mark.parametrize("data", DATA)
def test_a_prefix_of_residual_codes_is_decoded_and_the_next_stage_adds_to_it(data):
    model, X = _fit("residual, greedy", data), DATA[data]
    codes = model.transform(X)
    grid = by_position(model, codes)
    errors = []
    for t in range(1, grid.shape[2] + 1):
        restored = model.inverse_transform(grid[:, :, :t].reshape(len(X), -1))
        errors.append(np.square((X - restored).reshape(len(X), -1) / model.scale_).mean())
    assert errors[0] > errors[1] > errors[2]
    np.testing.assert_array_equal(restored, model.inverse_transform(codes))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"quantizer": VectorCodes(similarity="cosine", codebook_update="simvq")}, "'simvq' and .* do not go together"),
        (
            {"quantizer": "finite_scalar", "commitment_weight": 0.25},
            "commitment_weight=0.25 has no effect on codes without a codebook",
        ),
        (
            {"quantizer": FiniteScalarCodes(), "codebook_weight": 2.0},
            "codebook_weight=2.0 has no effect on codes without a codebook",
        ),
        ({"quantizer": "fsq"}, "must be one of 'auto', 'vector'.* such as VectorCodes.* Got 'fsq' instead"),
        ({"quantizer": 3}, "must be one of 'auto', 'vector', 'residual', 'product', 'finite_scalar'.* Got 3 instead"),
        ({"quantizer": "finite_scalar", "n_codes": 1}, "n_codes must be at least 2, got 1"),
        ({"quantizer": ProductCodes(code_dim=7), "code_shape": 2}, "code_dim=7 must be a multiple of the 2 codes"),
    ],
)
def test_parameters_that_mean_nothing_together_are_refused_before_anything_is_trained(parameters, message):
    with pytest.raises(ValueError, match=message):
        VQVAETransformer(**FAST | {"max_iter": 10**9} | parameters).fit(WINE)


@pytest.mark.parametrize(
    ("kind", "parameter"),
    [
        (VectorCodes, "codes_per_position"),
        (VectorCodes, "beam_size"),
        (ResidualCodes, "search_dim"),
        (ResidualCodes, "similarity"),
        (FiniteScalarCodes, "code_dim"),
    ],
)
def test_a_kind_of_codes_has_no_parameter_that_means_nothing_to_it(kind, parameter):
    with pytest.raises(ValueError, match=f"Invalid parameter '{parameter}' for estimator {kind.__name__}"):
        VQVAETransformer(quantizer=kind()).set_params(**{f"quantizer__{parameter}": 2})


def test_a_shared_codebook_of_a_table_is_one():
    model = VQVAETransformer(**FAST | {"quantizer": VectorCodes(shared_codebook=True), "prior": None}).fit(WINE)
    assert model.codebook_.shape == (8, 4)


def test_positions_of_images_can_have_a_codebook_each():
    model = VQVAETransformer(**FAST | {"quantizer": VectorCodes(shared_codebook=False), "prior": None}).fit(IMAGES)
    assert model.codebook_.shape == (16, 8, 32)
    assert model.transform(IMAGES).shape == (300, 16)


@pytest.mark.parametrize(
    ("X", "max_bits", "code_shape", "n_codes"),
    [
        (WINE, 16, (4,), 16),
        (WINE, 3, (1,), 8),
        (load_diabetes().data, 16, (2,), 256),
        (IMAGES, 128, (4, 4), 256),
        (IMAGES, 60, (2, 2, 2), 128),
        (IMAGES, 20, (1, 1, 4), 32),
        (IMAGES, 1, (1, 1), 2),
    ],
)
def test_a_budget_of_bits_is_used_and_kept(X, max_bits, code_shape, n_codes):
    model = VQVAETransformer(**FAST | {"n_codes": "auto", "max_bits": max_bits, "prior": None}).fit(X)
    assert model.code_shape_ == code_shape
    assert model.n_codes_ == n_codes
    assert 0.9 * max_bits < np.log2(model.n_codes_) * np.prod(model.code_shape_) <= max_bits
    assert model.bits_per_row_ <= max_bits


def test_max_bits_of_a_table_finds_the_better_width():
    X = load_breast_cancer().data[np.random.default_rng(0).permutation(569)]
    found = VQVAETransformer(max_bits=16, prior=None, random_state=0).fit(X[:400])
    narrow = VQVAETransformer(16, 4, max_iter=50, prior=None, random_state=0).fit(X[:400])
    assert found.n_codes_ == 256
    assert found.score(X[400:]) > narrow.score(X[400:]) + 0.005


@pytest.mark.parametrize("quantizer", ["vector", "product", "residual"])
def test_a_width_that_few_rows_cannot_fill_is_not_taken(quantizer):
    X = np.random.default_rng(0).normal(size=(60, 8))  # nothing in common: every width overfits, the longest most
    model = VQVAETransformer(max_bits=24, prior=None, quantizer=quantizer, random_state=0).fit(X)
    assert model.n_codes_ < 64


@pytest.mark.parametrize("n_rows", [100, 500, 5_000])
def test_a_larger_budget_of_a_table_never_gives_fewer_bits(n_rows):
    used = []
    for max_bits in range(1, 8 * 13 + 20):
        found = codes_for_bits(max_bits, (13,), n_rows)
        used.append(found.grid[0] * np.log2(found.n_codes))
        useful = min(max_bits, 8 * 13)
        assert 0.6 * useful < used[-1] <= useful
    assert used == sorted(used)
    assert used[-1] == 8 * 13


def test_residual_codes_of_a_table_with_few_rows_for_each_are_hardly_trained_and_need_all_rows():
    X = load_diabetes().data[np.random.default_rng(0).permutation(442)]
    model = VQVAETransformer(256, 2, prior=None, random_state=0).fit(X[:300])
    assert model.n_iter_ == 3
    assert model.score(X[300:]) > 0.91
    digits = load_digits().data[:600]  # of which a tenth would be held out, had its codes more rows
    few, enough = (VQVAETransformer(k, 2, max_iter=m, prior=None).fit(digits) for k, m in ((128, "auto"), (64, 1)))
    assert (few.n_iter_, few.validation_loss_curve_) == (10, [])  # enough rows for a network, which learns a little
    assert len(enough.validation_loss_curve_) == 1


def test_what_says_how_codebooks_learn_reaches_each_of_them():
    given = {"ema_decay": 0.9, "revival_threshold": 0.3, "gradient_estimator": "rotation"}
    options = FAST | {"prior": None, "max_iter": 1}
    for kind in (VectorCodes, ResidualCodes, ProductCodes):
        quantizer = network_of(VQVAETransformer(**options, quantizer=kind(**given)).fit(IMAGES)).quantizer
        learning = [part for part in quantizer.modules() if isinstance(part, CodebookQuantizer)]
        assert learning
        assert all((part.decay, part.revival_threshold, part.follow_rate) == (0.9, 0.3, 0.1) for part in learning)
        outer = quantizer.quantizer if kind is ProductCodes else quantizer
        assert outer.estimate is rotation
    model = VQVAETransformer(**options, code_shape=((2, 2), (4, 4)), quantizer=VectorCodes(**given)).fit(IMAGES)
    assert network_of(model).quantizer.estimate is rotation


def test_a_budget_beyond_any_use_is_cut_and_trains():
    X = WINE[::2]
    codes = ResidualCodes(beam_size=1)
    model = VQVAETransformer(max_bits=400, quantizer=codes, max_iter=3, prior=None, random_state=0).fit(X)
    assert 0.95 * 8 * 13 < np.log2(model.n_codes_) * model.code_shape_[0] <= 8 * 13
    assert model.score(X) > 0.99


def test_directions_are_counted_where_nearness_is_an_angle():
    codes = VectorCodes(similarity="cosine", code_dim=1)
    with pytest.warns(UserWarning, match="more than the 2 different vectors"):
        model = VQVAETransformer(**FAST | {"quantizer": codes, "n_codes": 16, "prior": None}).fit(WINE)
    assert model.n_codes_ == 2


@pytest.mark.parametrize(
    ("X", "codes", "shape"),
    [
        (IMAGES, "vector", (2, 2)),
        (IMAGES, VectorCodes(code_dim=8), (2, 2)),
        (IMAGES, "residual", (2, 2, 2)),
        (IMAGES, "product", (2, 2, 2)),
        (IMAGES, "finite_scalar", (2, 2)),
        (WINE, "vector", None),
        (WINE, ResidualCodes(beam_size=1), None),
        (WINE, "product", None),
        (WINE, "finite_scalar", (15,)),
    ],
)
def test_a_budget_of_bits_goes_with_every_kind_of_codes(X, codes, shape):
    model = VQVAETransformer(**FAST | {"n_codes": "auto", "max_bits": 60, "quantizer": codes, "prior": None}).fit(X)
    shape = shape or (60 // round(np.log2(model.n_codes_)),)  # with a codebook, of a table: the width that is best
    assert model.code_shape_ == shape
    assert model.transform(X).shape == (len(X), np.prod(shape))
    assert 0 < np.log2(model.n_codes_) * np.prod(shape) <= 60


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_codes": 8}, "decides code_shape and n_codes; leave n_codes=8 at 'auto', or max_bits at None"),
        ({"code_shape": (4,)}, r"decides code_shape and n_codes; leave code_shape=\(4,\) at 'auto'"),
        (
            {"quantizer": ResidualCodes(codes_per_position=2)},
            "decides how many codes a position has; leave codes_per_position=2 of the quantizer at 'auto'",
        ),
    ],
)
def test_a_budget_does_not_go_with_what_it_decides(parameters, message):
    with pytest.raises(ValueError, match=f"max_bits=16 {message}"):
        VQVAETransformer(max_bits=16, **parameters).fit(WINE)


NAMES = {"vector": VectorCodes, "residual": ResidualCodes, "product": ProductCodes, "finite_scalar": FiniteScalarCodes}


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("name", NAMES)
def test_a_name_stands_for_an_instance_with_its_defaults(name, data):
    by_name = _fit(name.replace("_", " "), data)
    by_instance = VQVAETransformer(**FAST, quantizer=NAMES[name]()).fit(DATA[data])
    assert by_instance.architecture_ == by_name.architecture_
    np.testing.assert_array_equal(by_instance.codebook_, by_name.codebook_)
    np.testing.assert_array_equal(by_instance.transform(DATA[data]), by_name.transform(DATA[data]))


def test_auto_is_vector_codes_for_images_and_residual_ones_for_tables():
    for data, name in (("digits", "vector"), ("wine", "residual")):
        model = VQVAETransformer(**FAST).fit(DATA[data])
        assert model.architecture_ == _fit(name, data).architecture_
        np.testing.assert_array_equal(model.codebook_, _fit(name, data).codebook_)


def test_parameters_of_the_codes_are_reached_through_the_estimator():
    model = VQVAETransformer(quantizer=ResidualCodes(beam_size=3))
    assert model.get_params()["quantizer__beam_size"] == 3
    assert "quantizer__beam_size" not in model.get_params(deep=False)
    assert "quantizer__beam_size" not in VQVAETransformer(quantizer="residual").get_params()
    copied = clone(model).set_params(quantizer__beam_size=5, quantizer__codes_per_position=2)
    assert (copied.quantizer.beam_size, copied.quantizer.codes_per_position) == (5, 2)
    assert model.quantizer.beam_size == 3
    copied.set_params(quantizer=ProductCodes(), quantizer__code_dim=8)  # the new instance, then its parameter
    assert copied.quantizer.get_params() == ProductCodes(code_dim=8).get_params()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"quantizer__beam_size": 3},
            "quantizer='auto' has no parameter 'beam_size': pass an instance, quantizer=",
        ),
        (
            {"quantizer": "residual", "quantizer__beam_size": 3},
            "'residual' has no parameter 'beam_size': pass",
        ),
        ({"quantizer": ResidualCodes, "quantizer__beam_size": 3}, "has no parameter 'beam_size': pass an instance"),
        ({"prior__channels": 8}, r"prior='auto' has no parameter 'channels': pass an instance, prior=PixelCNN\(\)"),
        (
            {"prior": None, "prior__channels": 8},
            r"prior=None has no parameter 'channels': pass an",
        ),
    ],
)
def test_a_parameter_of_a_name_cannot_be_set_and_the_message_says_what_to_pass(parameters, message):
    nested = next(name for name in parameters if "__" in name)
    with pytest.raises(ValueError, match=f"{message}.* and set {nested} on that"):
        VQVAETransformer().set_params(**parameters)


def test_the_codes_that_were_passed_are_left_alone_and_may_serve_several_estimators():
    codes = ResidualCodes(codes_per_position=2)
    before = dict(vars(codes))
    first, second = (VQVAETransformer(**FAST | {"quantizer": codes, "prior": None}).fit(WINE) for _ in range(2))
    assert vars(codes) == before
    np.testing.assert_array_equal(first.codebook_, second.codebook_)


def test_every_part_of_a_tables_product_codes_has_components_to_stand_for():
    options = {"n_codes": 16, "code_shape": (8,), "quantizer": ProductCodes(), "max_iter": 1, "random_state": 0}
    model = VQVAETransformer(**options, prior=None).fit(WINE)  # 13 columns for eight parts
    assert ((model.code_counts_ > 0).sum(axis=1) > 8).all()


def test_the_class_of_codes_in_place_of_an_instance_is_refused_by_name():
    with pytest.raises(
        TypeError, match=r"quantizer=ResidualCodes is a class; pass an instance, quantizer=ResidualCodes\(\)"
    ):
        VQVAETransformer(quantizer=ResidualCodes, prior=None).fit(WINE)
