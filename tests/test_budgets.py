"""The budgets of "auto": more rows are hardly trained on for fewer steps, and beyond 20,000 rows for few more."""

import functools
import math
from dataclasses import replace

import numpy as np
import pytest

from skvq import AutoEncoderTransformer, OrderlessNADE, VAETransformer, VQVAETransformer
from skvq.autoencoder import defaults as autoencoder
from skvq.nn.bottleneck import BottleneckSizes
from skvq.priors import defaults as priors
from skvq.training.loop import Settings
from skvq.vae import defaults as vae
from skvq.vqvae import defaults as vqvae

TABLE, LINEAR = BottleneckSizes((20,), (256, 256)), BottleneckSizes((20,), ())
IMAGES = BottleneckSizes((28, 28, 1), (1024, 512))
TABLES = {
    "autoencoder": functools.partial(autoencoder.automatic_training, TABLE, at_optimum=False),
    "autoencoder, linear": functools.partial(autoencoder.automatic_training, LINEAR, at_optimum=False),
    "autoencoder, at its optimum": functools.partial(autoencoder.automatic_training, LINEAR, at_optimum=True),
    "VAE": functools.partial(vae.automatic_training, TABLE),
    "VAE, linear": functools.partial(vae.automatic_training, LINEAR),
    "codes": functools.partial(vqvae.automatic_training, (20,)),
    "NADE": priors.nade_training,
}
OTHERS = {
    "autoencoder of images": functools.partial(autoencoder.automatic_training, IMAGES, at_optimum=False),
    "VAE of images": functools.partial(vae.automatic_training, IMAGES),
    "codes of images": functools.partial(vqvae.automatic_training, (28, 28, 1)),
    "PixelCNN": priors.automatic_training,
    "transformer": priors.transformer_training,
}
MANY = np.unique(np.geomspace(20_001, 10**8, 300).astype(int))


def steps(budget):
    return Settings(budget.max_iter, budget.batch_size, budget.learning_rate_init)


@pytest.mark.parametrize("name", [*TABLES, *OTHERS])
def test_more_rows_never_have_fewer_steps(name):
    budget = (TABLES | OTHERS)[name]
    numbers = np.array([steps(budget(int(n))).n_steps(int(n)) for n in MANY])
    largest_so_far = np.maximum.accumulate(numbers)
    assert np.all(numbers >= 0.995 * largest_so_far - 1)  # the last batch of an epoch may be small
    assert numbers[0] >= 0.9 * steps(budget(20_000)).n_steps(20_000)


@pytest.mark.parametrize("name", [*TABLES, *OTHERS])
def test_up_to_twenty_thousand_rows_steps_fall_by_a_tenth_at_most(name):
    budget, some = (TABLES | OTHERS)[name], np.arange(1_000, 20_001, 23)
    numbers = np.array([steps(budget(int(n))).n_steps(int(n)) for n in some])
    assert np.all(numbers[1:] >= 0.9 * numbers[:-1] - 1)


def test_codes_of_a_table_see_no_more_rows_than_it_grows_by():
    some = np.arange(500, 20_001, 23)
    seen = np.array([(budget := TABLES["codes"](int(n))).batch_size * steps(budget).n_steps(int(n)) for n in some])
    assert np.all(seen[1:] / seen[:-1] < 1.1)
    assert seen[-1] / seen[0] < some[-1] / some[0]


@pytest.mark.parametrize("name", TABLES)
def test_a_tenfold_of_the_rows_of_a_table_adds_half_of_the_steps(name):
    few, many = (steps(TABLES[name](n)).n_steps(n) for n in (20_001, 2_000_100))
    assert many / few == pytest.approx(2.0, rel=0.02)


@pytest.mark.parametrize("name", [*TABLES, *OTHERS])
def test_up_to_twenty_thousand_rows_many_epochs_are_whole(name):
    budget = (TABLES | OTHERS)[name]
    found = [budget(n).max_iter for n in (30, 700, 5_000, 9_999, 20_000)]
    assert all(type(epochs) is int if epochs >= 10 else epochs >= 1 for epochs in found)


@pytest.mark.parametrize(
    "model",
    [
        AutoEncoderTransformer(2),
        VAETransformer(2, prior="normal"),
        VQVAETransformer(4, (2,), prior=None, hidden_layer_sizes=(8,)),
        OrderlessNADE(n_units=8),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_fit_ends_in_the_middle_of_an_epoch(model, monkeypatch, capsys):
    recipe = type(model)._recipe

    def shortened(self, rows, held_out):
        found = recipe(self, rows, held_out)
        return replace(found, budget=replace(found.budget, max_iter=1.25))

    monkeypatch.setattr(type(model), "_recipe", shortened)
    X = np.random.default_rng(0).normal(size=(800, 4))
    model.set_params(batch_size=2, random_state=0, early_stopping=False, verbose=1).fit(X)
    assert "up to 1.25 epochs" in capsys.readouterr().out
    assert model.n_iter_ == len(model.loss_curve_) == 2


def test_a_chosen_batch_size_keeps_the_epochs():
    assert steps(TABLES["codes"](200_000)).n_steps(200_000) == pytest.approx(2_826, abs=1)
    settings = Settings(TABLES["codes"](200_000).max_iter, 512, 1e-3)
    assert settings.n_steps(200_000) == pytest.approx(707, abs=3)
    assert settings.n_epochs == math.ceil(settings.max_iter) == 2
