"""Images with missing regions, completed; classes of a prior; two levels of codes."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits, load_wine

from skvq import HierarchicalPixelCNN, PixelCNN, ProductCodes, VectorCodes, VQVAETransformer
from skvq.vqvae.completion import check_mask, known_codes
from skvq.vqvae.specs import CodebookSpec, ResidualSpec, TwoGridSpec, VectorSpec

DIGITS = load_digits()
IMAGES, LABELS = DIGITS.images, DIGITS.target
FAST = {"channels": 16, "n_blocks": 1, "max_iter": 8, "precision": "float32", "random_state": 0}
CODEBOOK = CodebookSpec("ema", "euclidean", "straight_through", 0.99, 0.1, follow_rate=0.1)
GRID = {"grid": (4, 4), "n_positions": 16, "n_codes": 16, "code_dim": 4, "shared_codebook": True, "codebook": CODEBOOK}
UPPER = np.arange(8)[:, None].repeat(8, axis=1) < 4


@pytest.fixture(scope="module")
def model():
    prior = PixelCNN(channels=32, class_conditional=True, learning_rate_init=0.01, max_iter=12, random_state=0)
    return VQVAETransformer(16, (4, 4), prior=prior, **FAST).fit(IMAGES[:1000], LABELS[:1000])


def test_known_values_are_kept_exactly_and_the_rest_is_filled_in(model):
    X = np.where(UPPER, IMAGES[1500:1530], np.nan)
    completed = model.complete(X, UPPER, random_state=0)
    assert completed.shape == X.shape
    assert completed.dtype == np.float64
    np.testing.assert_array_equal(completed[:, UPPER], IMAGES[1500:1530][:, UPPER])
    assert np.isfinite(completed).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_images_of_bytes_are_drawn_as_bytes_and_completed_in_the_dtype_of_x(dtype):
    X = (IMAGES[:300] * 15).astype(np.uint8)
    model = VQVAETransformer(16, (4, 4), prior=PixelCNN(max_iter=1, random_state=0), **FAST | {"max_iter": 1}).fit(X)
    assert model.sample(2, random_state=0).dtype == model.inverse_transform(model.transform(X[:2])).dtype == np.uint8
    partly = np.where(UPPER, X[:5], np.nan) if dtype == np.float64 else X[:5]
    completed = model.complete(partly, UPPER, random_state=0)
    assert completed.dtype == dtype
    np.testing.assert_array_equal(completed[:, UPPER], X[:5][:, UPPER])


def test_a_completion_is_nearer_to_the_truth_than_another_image_and_than_a_draw(model):
    for mask in (UPPER, ~UPPER):
        X = IMAGES[1500:1580]
        completed = model.complete(X, mask, random_state=0)
        error = np.square(completed - X)[:, ~mask].mean()
        # a draw, not the best guess: were the halves of a digit independent, all three would have the same error
        assert error < 0.9 * np.square(np.roll(X, 7, axis=0) - X)[:, ~mask].mean()
        drawn_without = model.sample(len(X), random_state=0)
        assert error < 0.9 * np.square(drawn_without - X)[:, ~mask].mean()


def test_several_draws_differ_and_their_mean_is_nearer_to_the_truth_than_one(model):
    X = IMAGES[1500:1540]
    one = model.complete(X, UPPER, random_state=0)
    draws = model.complete(X, UPPER, n_draws=8, random_state=0)
    np.testing.assert_array_equal(draws[0], one)
    assert len(draws) == 8
    assert (draws[0] != draws[1])[:, ~UPPER].any()
    mean = model.complete(X, UPPER, strategy="mean", random_state=0)
    np.testing.assert_allclose(mean, np.mean(draws, axis=0))
    assert np.square(mean - X).mean() < 0.8 * np.square(one - X).mean()


def test_the_mean_of_completions_of_bytes_is_rounded():
    X = (IMAGES[:40] * 15).astype(np.uint8)
    model = VQVAETransformer(4, (4, 4), prior=PixelCNN(max_iter=1, random_state=0), **FAST | {"max_iter": 1}).fit(X)
    draws = model.complete(X[:5], UPPER, n_draws=3, random_state=0)
    mean = model.complete(X[:5], UPPER, n_draws=3, strategy="mean", random_state=0)
    assert mean.dtype == np.uint8
    np.testing.assert_array_equal(mean, np.rint(np.mean(draws, axis=0)))


def test_more_candidates_fit_what_is_known_below_better(model):
    X = IMAGES[1500:1580]
    errors = [
        np.square(model.complete(X, ~UPPER, random_state=0, n_candidates=n) - X)[:, UPPER].mean() for n in (1, 32)
    ]
    assert errors[1] < 0.9 * errors[0]


def test_masks_may_be_given_for_rows_images_and_without_channels():
    rng = np.random.default_rng(0)
    whole = rng.random((5, 4, 6)) < 0.5
    colour = np.repeat(whole.reshape(5, -1), 3, axis=1)
    np.testing.assert_array_equal(check_mask(whole, (5, 4, 6, 3), (4, 6, 3)), colour)
    np.testing.assert_array_equal(check_mask(whole[0], (5, 4, 6, 3), (4, 6, 3)), colour[:1].repeat(5, axis=0))
    np.testing.assert_array_equal(check_mask(colour, (5, 72), (4, 6, 3)), colour)
    np.testing.assert_array_equal(check_mask(colour[0], (5, 72), (4, 6, 3)), colour[:1].repeat(5, axis=0))


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (UPPER.astype(float), "must be boolean"),
        (UPPER[:4], r"mask has shape \(4, 8\)"),
        (UPPER[None].repeat(3, axis=0), r"mask has shape \(3, 8, 8\)"),
    ],
)
def test_masks_that_are_none_are_refused(model, mask, message):
    with pytest.raises(ValueError, match=message):
        model.complete(IMAGES[:2], mask)


def test_a_code_is_known_where_its_whole_patch_is():
    mask = np.ones((1, 8, 8), dtype=bool)
    mask[0, 3, 5] = False
    expected = np.ones((4, 4), dtype=bool)
    expected[1, 2] = False
    known, row_shape = mask.reshape(1, -1), (8, 8, 1)
    one = known_codes(known, row_shape, VectorSpec(**GRID, search_dim=None))
    np.testing.assert_array_equal(one, expected.reshape(1, -1))
    twice = known_codes(known, row_shape, ResidualSpec(**GRID, codes_per_position=2, beam_size=1))
    np.testing.assert_array_equal(twice, expected.reshape(1, -1).repeat(2, axis=1))
    two = known_codes(known, row_shape, TwoGridSpec(**GRID, coarse_grid=(2, 2)))
    np.testing.assert_array_equal(two[0, :4], [True, False, True, True])
    np.testing.assert_array_equal(two[0, 4:], expected.ravel())


def test_a_prior_of_codes_cannot_complete_tables():
    X = load_wine().data
    model = VQVAETransformer(4, 2, max_iter=1, prior=PixelCNN(channels=4, max_iter=1), random_state=0).fit(X)
    with pytest.raises(ValueError, match="complete needs a prior of rows"):
        model.complete(X, np.ones(X.shape, dtype=bool))


class NothingGiven:
    """A prior that draws zeros and cannot keep known codes."""

    def get_params(self, deep=True):
        return {}

    def set_params(self):
        return self

    def fit(self, codes):
        self.m = codes.shape[1]
        return self

    def sample(self, n_samples, random_state=None):
        return np.zeros((n_samples, self.m), dtype=int)

    def score_samples(self, codes):
        return np.zeros(len(codes))


def test_a_prior_that_keeps_nothing_says_so():
    model = VQVAETransformer(4, (2, 2), prior=NothingGiven(), **FAST | {"max_iter": 1}).fit(IMAGES[:50])
    with pytest.raises(TypeError, match="must take given, mask and n_candidates"):
        model.complete(IMAGES[:2], UPPER)


def test_classes_are_drawn_as_they_are_asked_for(model):
    drawn = model.sample(300, y=np.arange(300) % 10, random_state=0)
    nearest = np.square(drawn.reshape(300, 1, -1) - IMAGES[:1000].reshape(1, 1000, -1)).sum(axis=2).argmin(axis=1)
    assert (LABELS[nearest] == np.arange(300) % 10).mean() > 0.6  # 0.1 by chance


def test_the_right_class_has_the_higher_likelihood(model):
    X, y = IMAGES[1500:1600], LABELS[1500:1600]
    assert (model.score_samples(X, y) > model.score_samples(X, (y + 1) % 10)).mean() > 0.9


def test_the_likelihood_without_classes_averages_over_them(model):
    X = IMAGES[1500:1510]
    per_class = np.stack([model.score_samples(X, np.full(10, k)) for k in range(10)], axis=1)
    expected = np.log((np.exp(per_class - per_class.max()) * model.prior_.class_prior_).sum(axis=1)) + per_class.max()
    np.testing.assert_allclose(model.score_samples(X), expected, rtol=1e-5)


@pytest.mark.parametrize("kind", [list, pd.DataFrame])
def test_any_array_like_is_completed(model, kind):
    rows, mask = IMAGES[1500:1503].reshape(3, -1), np.tile(UPPER.reshape(1, -1), (3, 1))
    flat = VQVAETransformer(
        4, (2, 2), image_shape=(8, 8), prior=PixelCNN(channels=4, max_iter=1), **FAST | {"max_iter": 1}
    )
    completed = flat.fit(IMAGES[:60].reshape(60, -1)).complete(kind(rows), kind(mask), random_state=0)
    np.testing.assert_array_equal(completed[mask], rows[mask])
    with pytest.raises(ValueError, match=r"X must be numeric, of shape \(n, 64\) or \(n, 8, 8\)"):
        model.complete(kind(rows[:, 1:]), kind(mask))


@pytest.mark.parametrize("labels", [np.full(200, np.nan), np.zeros((200, 2)), np.array([0, "a"] * 100, dtype=object)])
def test_labels_that_are_none_are_said_before_anything_is_trained(labels):
    with pytest.raises((ValueError, TypeError), match="y|1d array|label"):
        VQVAETransformer(prior=PixelCNN(class_conditional=True), max_iter=10**9).fit(IMAGES[:200], labels)


def test_a_prior_out_of_range_is_said_before_anything_is_trained():
    with pytest.raises(ValueError, match=r"The 'channels' parameter of PixelCNN must be .* Got -1 instead"):
        VQVAETransformer(prior=PixelCNN(channels=-1), max_iter=10**9).fit(IMAGES[:200])


def test_missing_classes_are_said_before_anything_is_trained():
    X, y = IMAGES[:200], LABELS[:200]
    model = VQVAETransformer(prior=PixelCNN(class_conditional=True), max_iter=10**9)
    with pytest.raises(ValueError, match="requires y, but y is None"):
        model.fit(X)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, y[:5])
    with pytest.raises(ValueError, match="X_val and y_val must be passed together"):
        model.fit(X, y, X_val=X[:5])


def test_classes_of_held_out_rows_reach_the_prior():
    prior = PixelCNN(channels=4, n_layers=1, class_conditional=True, max_iter=15)
    model = VQVAETransformer(4, (2, 2), prior=prior, **FAST).fit(
        IMAGES[:200], LABELS[:200], X_val=IMAGES[200:300], y_val=LABELS[200:300]
    )
    log_prob = model.prior_.score(model.transform(IMAGES[200:300]), LABELS[200:300])
    assert min(model.prior_.validation_loss_curve_) == pytest.approx(-log_prob / 4, rel=1e-4)


def test_sampling_options_reach_the_prior(model):
    with pytest.raises(ValueError, match="top_k"):
        model.sample(2, top_k=0)
    likeliest = [model.sample(2, top_k=1, y=3, random_state=seed) for seed in (0, 1)]
    np.testing.assert_array_equal(likeliest[0], likeliest[1])  # nothing is left to chance
    narrow = [model.sample(2, top_p=1e-6, y=3, random_state=seed) for seed in (0, 1)]
    np.testing.assert_array_equal(narrow[0], likeliest[0])
    np.testing.assert_array_equal(narrow[1], likeliest[0])


@pytest.fixture(scope="module")
def two():
    """A model with codes on two grids."""
    prior = HierarchicalPixelCNN(((2, 2), (4, 4)), channels=8, n_layers=1, max_iter=3)
    return VQVAETransformer(16, ((2, 2), (4, 4)), prior=prior, **FAST).fit(IMAGES[:500])


def test_codes_of_two_levels_are_those_of_both_grids(two):
    codes = two.transform(IMAGES[:500])
    assert codes.shape == (500, 4 + 16)
    assert two.code_shape_ == ((2, 2), (4, 4))
    assert two.codebook_.shape == (2, 16, 32)
    counts = [np.bincount(part.ravel(), minlength=16) for part in (codes[:, :4], codes[:, 4:])]
    np.testing.assert_array_equal(two.code_counts_, counts)


def test_bits_are_weighted_by_the_positions_of_each_grid(two):
    share = two.code_counts_ / two.code_counts_.sum(axis=1, keepdims=True)
    bits = -(share * np.log2(np.where(share > 0, share, 1))).sum(axis=1)
    assert two.bits_per_row_ == pytest.approx(4 * bits[0] + 16 * bits[1])


def test_the_fine_codes_add_to_what_the_coarse_ones_decode(two):
    codes = two.transform(IMAGES[:500])
    errors = [np.square(two.inverse_transform(c) - IMAGES[:500]).mean() for c in (codes[:, :4], codes)]
    assert errors[1] < 0.6 * errors[0] < IMAGES.var()


def test_new_images_are_drawn_from_two_levels_and_completed(two):
    assert two.sample(2, random_state=0).shape == (2, 8, 8)
    assert np.isfinite(two.score_samples(IMAGES[:5])).all()
    completed = two.complete(IMAGES[:5], UPPER, random_state=0)
    np.testing.assert_array_equal(completed[:, UPPER], IMAGES[:5][:, UPPER])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"code_shape": ((4, 4), (2, 2))}, "the coarse grid comes first"),
        ({"code_shape": ((2, 2), (4, 4), (8, 8))}, "two grids .*, no more"),
        ({"quantizer": "residual"}, "have one code a position; pass quantizer='vector' or VectorCodes"),
        ({"quantizer": ProductCodes()}, "have one code a position; .*, not ProductCodes"),
        ({"quantizer": "finite_scalar"}, "need codebooks; pass quantizer='vector' or VectorCodes"),
        ({"quantizer": VectorCodes(similarity="cosine")}, "similarity='cosine' does not go with .* pass 'euclidean'"),
        ({"quantizer": VectorCodes(search_dim=2)}, "search_dim=2 does not go with .* pass None"),
        ({"quantizer": VectorCodes(shared_codebook=False)}, "shared_codebook=False .* pass 'auto' or True"),
    ],
)
def test_what_does_not_go_with_two_grids_is_refused_before_anything_is_trained(parameters, message):
    options = FAST | {"code_shape": ((2, 2), (4, 4)), "max_iter": 10**9}
    with pytest.raises(ValueError, match=message):
        VQVAETransformer(**options | parameters).fit(IMAGES[:50])


def test_tables_have_no_two_grids():
    with pytest.raises(ValueError, match="are for images"):
        VQVAETransformer(4, ((1, 2), (2, 2))).fit(load_wine().data)
