"""Both loss weights act in every mode: how far the codebook moves, and how near to it the vectors stay."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.model_selection import GridSearchCV, KFold

from skvq import ProductCodes, ResidualCodes, VectorCodes, VQVAETransformer

IMAGES, WINE = load_digits().images[:150], load_wine().data
FAST = {"n_codes": 8, "max_iter": 2, "prior": None, "random_state": 0, "early_stopping": False}
IMAGE = FAST | {"channels": 8, "n_blocks": 1, "batch_size": 50}
MODES = {
    "ema": (IMAGE, IMAGES),
    "ema, per position": (IMAGE | {"quantizer": VectorCodes(shared_codebook=False)}, IMAGES),
    "gradient": (IMAGE | {"quantizer": VectorCodes(codebook_update="gradient")}, IMAGES),
    "simvq": (IMAGE | {"quantizer": VectorCodes(codebook_update="simvq")}, IMAGES),
    "cosine": (IMAGE | {"quantizer": VectorCodes(similarity="cosine")}, IMAGES),
    "cosine, gradient": (IMAGE | {"quantizer": VectorCodes(similarity="cosine", codebook_update="gradient")}, IMAGES),
    "projected": (IMAGE | {"quantizer": VectorCodes(search_dim=4)}, IMAGES),
    "residual": (IMAGE | {"quantizer": "residual"}, IMAGES),
    "residual, gradient": (IMAGE | {"quantizer": ResidualCodes(codebook_update="gradient")}, IMAGES),
    "product": (IMAGE | {"quantizer": ProductCodes(codes_per_position=2)}, IMAGES),
    "two grids": (IMAGE | {"code_shape": ((2, 2), (4, 4))}, IMAGES),
    "table": (FAST, WINE),
    "table, gradient": (FAST | {"quantizer": ResidualCodes(codebook_update="gradient")}, WINE),
    "table, vectors": (FAST | {"quantizer": VectorCodes(codebook_update="simvq")}, WINE),
}
EACH = pytest.mark.parametrize(("parameters", "X"), MODES.values(), ids=MODES.keys())


def fitted(parameters, X, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return VQVAETransformer(**parameters | more).fit(X)


def codebooks(model):
    """What the codebooks of a fitted model are made of; the maps beside a narrow search belong to the networks."""
    weights = {name: array for name, array in model.weights_.items() if name.startswith("quantizer.")}
    return {name: array for name, array in weights.items() if ".up." not in name and ".down." not in name}


def distance(first, second):
    return np.sqrt(sum(np.square(first[name] - second[name]).sum() for name in first if "mass" not in name))


@EACH
def test_weight_zero_leaves_the_codebook_at_its_start_and_a_larger_one_moves_it_further(parameters, X):
    start, later = (codebooks(fitted(parameters, X, codebook_weight=0.0, max_iter=n)) for n in (1, 2))
    assert start.keys() == later.keys()
    for name, array in start.items():
        np.testing.assert_array_equal(array, later[name])
    moved = [distance(codebooks(fitted(parameters, X, codebook_weight=w)), start) for w in (0.01, 0.1, 1.0)]
    assert 0 < 2 * moved[0] < moved[1] < moved[2] / 2


@pytest.mark.parametrize("name", ["ema", "gradient", "simvq", "cosine", "cosine, gradient"])
def test_over_four_decades_the_codebook_of_a_fit_is_nearer_to_its_vectors(name):
    parameters, X = MODES[name]
    codes = clone(parameters.get("quantizer", VectorCodes())).set_params(revival_threshold=0.0)
    # One batch an epoch of the same rows: what is left is the way that a codebook has still to go.
    options = {"batch_size": 150, "max_iter": 8, "quantizer": codes, "learning_rate_init": 0.01}
    terms = [
        fitted(parameters, X, codebook_weight=weight, **options).history_["codebook"][-1]
        for weight in (0.01, 0.1, 1.0, 10.0, 100.0)
    ]
    assert sorted(set(terms), reverse=True) == terms


@EACH
def test_a_larger_commitment_weight_keeps_vectors_nearer_to_their_codes(parameters, X):
    linear = {"hidden_layer_sizes": ()} if X is WINE else {}
    terms = [
        fitted(parameters, X, commitment_weight=w, max_iter=4, **linear).history_["commitment"][-1]
        for w in (0.01, 100.0)
    ]
    assert terms[0] > terms[1]


@pytest.mark.parametrize("update", ["ema", "gradient", "simvq"])
def test_the_reported_loss_is_the_weighted_sum_of_the_unweighted_terms(update):
    weights = {"codebook_weight": 2.0, "commitment_weight": 0.5}
    terms = fitted(IMAGE, IMAGES, quantizer=VectorCodes(codebook_update=update), **weights).history_
    terms = {name: np.array(values) for name, values in terms.items()}
    np.testing.assert_array_equal(terms["codebook"], terms["commitment"])  # one distance, seen from both ends
    expected = terms["reconstruction"] + 2.0 * terms["codebook"] + 0.5 * terms["commitment"]
    np.testing.assert_allclose(terms["loss"], expected, rtol=1e-6)


@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_a_search_over_both_weights_has_different_scores_and_no_warning(update):
    grid = {"codebook_weight": [0.0, 1.0, 10.0], "commitment_weight": [0.1, 1.0]}
    model = VQVAETransformer(**IMAGE | {"quantizer": VectorCodes(codebook_update=update)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search = GridSearchCV(model, grid, cv=KFold(2)).fit(IMAGES)
    scores = search.cv_results_["mean_test_score"]
    assert len(set(scores)) == 6
