"""Trainings that teach nothing are warned of, with what was kept; others are not."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import GridSearchCV

from skvq import AutoEncoderTransformer, CausalTransformer, OrderlessNADE, PixelCNN, VAETransformer, VQVAETransformer
from skvq.autoencoder.network import AutoEncoderObjective
from skvq.training.batches import Rows
from skvq.training.loop import History, Settings
from skvq.training.outcome import explained, lower, warn_of_nothing_learned
from skvq.vqvae.network import VQObjective

RANDOM = np.random.default_rng(0)
CANCER = load_breast_cancer().data
DIGITS = load_digits().images[:600]


def test_a_start_that_training_only_makes_worse_is_warned_of():
    model = VQVAETransformer(
        4, (2,), prior=None, learning_rate_init=1.0, max_iter=5, early_stopping=True, random_state=0
    )
    with pytest.warns(UserWarning, match="network as it was before training is kept .*Lower learning_rate_init=1.$"):
        model.fit(CANCER)
    assert model.best_iter_ == 0


class FakeAutoEncoder(torch.nn.Module):
    loss = None


def said(objective, settings):
    """Return what is said of a training that has kept its start."""
    history = History({"validation_loss": [2.0, 3.0, 4.0, 4.0, 4.0]}, 5, best_iter=0, at_start=1.0)
    with pytest.warns(UserWarning, match="^an estimator: ") as caught:
        warn_of_nothing_learned(history, settings, objective.way_out, 0.65)
    return str(caught[0].message)


def test_a_way_out_names_what_the_estimator_has_in_two_sentences():
    settings = Settings(5, 32, 2e-3, described="an estimator")
    module, generator = torch.nn.Linear(1, 1), torch.Generator()
    autoencoder = AutoEncoderObjective(FakeAutoEncoder(), generator=generator)
    weights = {"codebook_weight": 1.0, "commitment_weight": 1.0, "input_noise": 0.0, "generator": generator}
    table, images = (VQObjective(module, **weights, has_layers=has_layers) for has_layers in (True, False))
    assert said(autoencoder, settings) == (
        "an estimator: training has taught it nothing, so the network as it was before training is kept (R² 0.65). "
        "Raise n_components, or hold more rows out (validation_fraction), or none (early_stopping=False): the held-out "
        "rows are few or unlike the others."
    )
    assert "Try hidden_layer_sizes=(), a lower learning_rate_init, or more bits" in said(table, settings)
    assert "Try a lower learning_rate_init, or more bits" in said(images, settings)
    assert said(table, replace(settings, learning_rate_init=0.1)).endswith(
        "kept (R² 0.65). Lower learning_rate_init=0.1."
    )


def test_loss_weights_are_named_where_they_act():
    module, generator = FakeAutoEncoder(), torch.Generator()
    assert AutoEncoderObjective(module, generator=generator).loss_weights == ()
    sparse = AutoEncoderObjective(module, sparsity="l1", contractive_weight=0.1, generator=generator)
    assert sparse.loss_weights == ("sparsity_weight", "contractive_weight")
    assert lower("Lower", "learning_rate_init", "alpha", *sparse.loss_weights) == (
        "Lower learning_rate_init, alpha, sparsity_weight or contractive_weight"
    )
    assert lower("Lower", "alpha") == "Lower alpha"


def test_a_prior_of_codes_that_cannot_be_foreseen_is_warned_of():
    said = r"^PixelCNN\(\): .* taught it nothing.*smaller model.*series network='convolutional'"
    with pytest.warns(UserWarning, match=said):
        PixelCNN(random_state=0).fit(RANDOM.integers(0, 64, (120, 4, 4)))


def test_a_warning_in_a_search_names_the_candidate():
    search = GridSearchCV(
        AutoEncoderTransformer(2, batch_size=10, random_state=0), {"learning_rate_init": [1e-3, 1.0]}, cv=2
    )
    with pytest.warns(UserWarning, match="taught it nothing") as caught:
        search.fit(CANCER)
    named = {str(warning.message).partition(": ")[0] for warning in caught}
    assert named == {"AutoEncoderTransformer(batch_size=10, learning_rate_init=1.0, n_components=2)"}


def test_models_that_learn_are_not_warned_of():
    stripes = np.tile(RANDOM.integers(0, 4, (200, 1, 3)), (1, 3, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert PixelCNN(channels=8, max_iter=5, random_state=0).fit(stripes).best_iter_ > 1
        assert OrderlessNADE(max_iter=20, random_state=0).fit(CANCER[:, :4]).best_iter_ > 1
        VQVAETransformer(max_iter=5, prior=None, random_state=0).fit(CANCER)


def test_an_unchanged_loss_is_no_failure():
    flat = History({"validation_loss": [1.0, 1.001, 1.002, 1.003, 1.004]}, 5, best_iter=0, at_start=1.0)
    assert not flat.learned_nothing("loss")
    one_good_epoch = History({"validation_loss": [0.5, 0.9, 1.2, 1.4, 1.5]}, 5, best_iter=1, at_start=1.0)
    assert not one_good_epoch.learned_nothing("loss")


def test_what_is_explained_is_one_minus_the_error_over_the_variance():
    X = RANDOM.normal(5.0, 2.0, (50, 3))
    assert explained(1.0, Rows(X)) == pytest.approx(1 - 1.0 / X.var(axis=0).mean(), rel=1e-6)
    assert explained(1.0, Rows(np.ones((4, 2)))) is None


def test_few_epochs_are_a_failure_only_if_all_of_them_are_far_worse_than_the_start():
    def learned_nothing(*losses, best_iter=0):
        return History({"validation_loss": list(losses)}, best_iter=best_iter, at_start=1.0).learned_nothing("loss")

    assert learned_nothing(2.0, 3.0, 4.0)
    assert learned_nothing(1.1, 1.08)
    assert learned_nothing(2.0)
    assert not learned_nothing(1.3)
    assert not learned_nothing(2.0, 1.02, 1.2)
    assert not learned_nothing(0.999, 3.0, best_iter=1)
    assert learned_nothing(2.0, 3.0, 4.0, 4.0, 4.0)


@pytest.mark.parametrize("max_iter", [1, 2, 4])
def test_a_short_training_that_diverged_is_warned_of(max_iter):
    model = VQVAETransformer(8, prior=None, channels=8, n_blocks=1, learning_rate_init=1.0, random_state=0)
    with pytest.warns(UserWarning, match="taught it nothing.*before training is kept.*Lower learning_rate_init=1"):
        model.set_params(max_iter=max_iter).fit(DIGITS)


def test_codes_drawn_at_random_are_said_to_leave_nothing_to_learn():
    for model in (PixelCNN(max_iter=10, random_state=0), CausalTransformer(max_iter=10, random_state=0)):
        with pytest.warns(UserWarning, match="taught it nothing.*independent of each other leave nothing to learn"):
            model.fit(np.random.default_rng(0).integers(0, 16, (200, 4, 4)))
        assert model.best_iter_ <= 1


SHORT_FITS = {
    "digits": lambda **short: VQVAETransformer(8, prior=None, channels=8, n_blocks=1, **short).fit(DIGITS),
    "whole digits": lambda **short: VQVAETransformer(8, prior=None, **short).fit(DIGITS),
    "components of digits": lambda **short: AutoEncoderTransformer(8, **short).fit(DIGITS),
    "table": lambda **short: AutoEncoderTransformer(4, **short).fit(CANCER),
    "codes of a table": lambda **short: VQVAETransformer(prior=None, **short).fit(CANCER),
    "variational": lambda **short: VAETransformer(4, **short).fit(CANCER),
    "rows": lambda **short: OrderlessNADE(**short).fit(CANCER),
    "pixels": lambda **short: PixelCNN(channels=8, **short).fit(DIGITS.astype(int)),
}


@pytest.mark.parametrize("max_iter", [1, 2])
@pytest.mark.parametrize("name", SHORT_FITS)
def test_short_fits_of_what_can_be_learned_are_silent(name, max_iter):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SHORT_FITS[name](max_iter=max_iter, random_state=0)
