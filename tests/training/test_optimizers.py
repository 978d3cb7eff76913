"""Adam and Muon take the steps of torch's optimisers."""

from types import SimpleNamespace

import pytest
import torch

from skvq.training.optimizers import Adam, Muon, Optimizer, nearly_orthogonal

SHAPES = [(8, 32), (32, 8), (8, 32), (16, 16), (64, 48)]


def matrices(shapes=SHAPES):
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]


def give_gradients(seed, *models):
    """Give the parameters of several models the same gradients."""
    generator = torch.Generator().manual_seed(seed)
    for parameters in zip(*models):
        gradient = torch.randn(parameters[0].shape, generator=generator)
        for parameter in parameters:
            parameter.grad = gradient.clone()


def take_steps(ours, theirs, models, rates=(0.02, 0.05, 0.01)):
    for seed, rate in enumerate(rates):
        give_gradients(seed, *models)
        ours.step(rate)
        theirs.param_groups[0]["lr"] = rate
        theirs.step()


def test_muon_takes_the_steps_of_torchs_to_the_bit():
    mine, others = matrices(), matrices()
    theirs = torch.optim.Muon(others, lr=1.0, weight_decay=0.1, ns_steps=3)
    take_steps(Muon(mine, 0.1, torch.bfloat16), theirs, (mine, others))
    assert all(torch.equal(one, other) for one, other in zip(mine, others))


def test_adam_takes_the_steps_of_torchs_to_the_bit():
    mine, others = matrices(), matrices()
    theirs = torch.optim.AdamW(others, lr=1.0, betas=(0.9, 0.99), weight_decay=0.1, fused=True)
    take_steps(Adam(mine, (0.9, 0.99), 0.1), theirs, (mine, others))
    assert all(torch.equal(one, other) for one, other in zip(mine, others))


@pytest.mark.parametrize("optimizer", [lambda p: Adam(p, (0.9, 0.99), 0.1), lambda p: Muon(p, 0.1, torch.bfloat16)])
def test_a_matrix_without_a_gradient_stays(optimizer):
    mine = matrices()
    before = [matrix.detach().clone() for matrix in mine]
    give_gradients(0, mine[1:])
    optimizer(mine).step(1.0)
    assert [torch.equal(*pair) for pair in zip(mine, before)] == [True, False, False, False, False]


def test_in_float32_muon_hardly_feels_the_last_bits_of_gradients():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(3, 24, 40, generator=generator)
    nearby = x * (1 + 1e-7 * torch.randn(x.shape, generator=generator))
    assert (nearly_orthogonal(x) - nearly_orthogonal(nearby)).abs().max() < 1e-5
    assert (nearly_orthogonal(x) - nearly_orthogonal(x.bfloat16())).abs().max() > 1e-3
    singular_values = torch.linalg.svdvals(nearly_orthogonal(x))
    assert 0.4 < singular_values.min() < singular_values.max() < 1.3


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_muon_computes_in_the_precision_of_the_fit(precision, dtype):
    settings = {"max_grad_norm": None, "betas": (0.9, 0.99), "alpha": 0.0, "learning_rate_init": 0.1}
    mine = matrices()
    optimizer = Optimizer(mine, mine[1:], SimpleNamespace(precision=precision, **settings))
    assert optimizer.parts[1].dtype is dtype
