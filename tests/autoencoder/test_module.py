"""The autoencoder's network, its losses and its penalties."""

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import log_loss

from skvq.autoencoder.module import (
    AutoEncoder,
    LogLoss,
    SquaredError,
    TransposedDecoder,
    jacobian_penalty,
    sparsity_kl,
    sparsity_l1,
)
from skvq.nn.bottleneck import BottleneckSizes, build_decoder, build_encoder
from skvq.nn.tables import ACTIVATIONS

TABLE = BottleneckSizes((10,), (8, 6), "tanh")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def encoder_of(sizes, n=3):
    """Return an encoder whose network does something."""
    encoder = build_encoder(sizes, n, generator())
    with torch.no_grad():
        if encoder.network is not None:
            encoder.network[-1].weight.normal_(generator=generator())
    return encoder


@pytest.mark.parametrize(("activation", "low", "high"), [("identity", -9, 9), ("relu", 0, 9), ("sigmoid", 0, 1)])
def test_codes_are_in_the_range_of_their_activation_and_decoded_as_they_are(activation, low, high):
    encoder, decoder = encoder_of(TABLE), build_decoder(TABLE, 3, generator())
    module = AutoEncoder(encoder, decoder, SquaredError(), activation)
    x = torch.randn(50, 10, generator=generator())
    z, outputs = module(x)
    assert z.min() >= low
    assert z.max() <= high
    assert torch.equal(module.encode(x), z)
    assert torch.equal(module.decode(z), outputs)
    assert torch.equal(outputs, decoder(z))


def test_the_log_loss_is_that_of_scikit_learn_in_the_units_of_x():
    rng = np.random.default_rng(0)
    X, outputs = rng.integers(0, 2, (20, 4)), rng.normal(size=(20, 4))
    shift, scale = X.mean(axis=0), X.std(axis=0)
    loss = LogLoss([4])
    loss.set_units(shift, scale)
    standardised = torch.from_numpy((X - shift) / scale).float()
    expected = log_loss(X.ravel(), 1 / (1 + np.exp(-outputs.ravel())))
    assert float(loss(torch.from_numpy(outputs).float(), standardised)) == pytest.approx(expected, rel=1e-5)
    back = loss.mean(torch.from_numpy(outputs).float()) * loss.scale + loss.shift
    np.testing.assert_allclose(back, 1 / (1 + np.exp(-outputs)), rtol=1e-5)


@pytest.mark.parametrize("hidden", [(), (8,), (8, 6, 5)])
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_a_tied_decoder_is_the_transposed_encoder(hidden, activation):
    encoder = encoder_of(BottleneckSizes((10,), hidden, activation))
    decoder = TransposedDecoder(encoder, [10])
    with torch.no_grad():
        for bias in decoder.parameters():
            bias.normal_(generator=generator())
    z = torch.randn(6, 3, generator=generator())
    weights = [part.weight for part in encoder.network or [] if isinstance(part, torch.nn.Linear)]
    expected, h = z @ encoder.linear.matrix + decoder.bias, z
    for weight, bias in zip(weights[:0:-1], decoder.hidden_biases):
        h = ACTIVATIONS[activation]()(h @ weight + bias)
    if weights:
        expected = expected + h @ weights[0]
    assert torch.allclose(decoder(z), expected, atol=1e-5)


def test_tied_weights_are_counted_once_and_learn_from_both_sides():
    encoder = encoder_of(TABLE)
    module = AutoEncoder(encoder, TransposedDecoder(encoder, [10]), SquaredError())
    n_encoder = sum(parameter.numel() for parameter in encoder.parameters())
    assert sum(parameter.numel() for parameter in module.parameters()) == n_encoder + 10 + 6 + 8
    assert not any(name.startswith("decoder.mirrored") for name in module.state_dict())
    module.decoder(torch.ones(1, 3)).sum().backward()
    assert encoder.linear.unscaled_weight.grad.abs().min() > 0


def test_sparsity_kl_is_the_divergence_between_bernoulli_distributions():
    z = torch.rand(40, 5, generator=generator())
    average = z.double().mean(dim=0).numpy()
    expected = np.mean([stats.entropy([0.1, 0.9], [a, 1 - a]) for a in average])
    assert float(sparsity_kl(z, 0.1)) == pytest.approx(expected, rel=1e-5)
    assert float(sparsity_kl(torch.full((4, 2), 0.1), 0.1)) == pytest.approx(0.0, abs=1e-6)


def test_sparsity_kl_of_dead_and_saturated_components_is_finite():
    z = torch.tensor([[0.0, 1.0]]).requires_grad_()
    sparsity_kl(z, 0.05).backward()
    assert torch.isfinite(z.grad).all()


def test_sparsity_l1_is_the_mean_magnitude():
    assert float(sparsity_l1(torch.tensor([[1.0, -2.0], [0.0, 3.0]]), 0.05)) == 1.5


def test_the_jacobian_penalty_is_the_squared_frobenius_norm_on_average():
    encoder, n_draws = encoder_of(TABLE), 20_000
    x = torch.randn(1, 10, generator=generator())
    jacobian = torch.autograd.functional.jacobian(encoder, x).reshape(3, 10)
    many = x.repeat(n_draws, 1).requires_grad_()
    estimate = jacobian_penalty(many, encoder(many), torch.randn(n_draws, 3, generator=generator()), create_graph=False)
    # The estimate has a relative standard error of at most sqrt(2 / 20,000) = 1 %.
    assert float(estimate) == pytest.approx(float(jacobian.square().sum()) / 3, rel=0.04)


def test_the_jacobian_penalty_passes_gradients_on_to_the_encoder():
    encoder = encoder_of(TABLE)
    x = torch.randn(4, 10, generator=generator()).requires_grad_()
    jacobian_penalty(x, encoder(x), torch.ones(4, 3), create_graph=True).backward()
    assert encoder.linear.unscaled_weight.grad.abs().max() > 0
