"""Build a variational autoencoder, start it from data, and define the objective of its training."""

import math

import torch

from ..core.bottleneck import start_axes
from ..core.estimator import Start
from ..nn import ranks
from ..nn.bottleneck import build_decoder, build_encoder, set_linear
from ..nn.devices import widened
from ..nn.draws import normal
from ..training.loop import Objective
from .likelihoods import build_likelihood
from .module import VAE, matched_noise, probabilistic_pca
from .tables import START_ROWS, table_start

# Draws from the posterior of a row that its ELBO is averaged over. They are the same for every row, in pairs of
# opposite sign: so a row gets the same value alone and among others, and that of a linear Gaussian model is exact.
ELBO_DRAWS = 8


def build_vae(architecture, generator):
    """Return the VAE of an Architecture, with weights drawn from `generator`."""
    n_components, sizes = architecture.n_components, architecture.sizes
    return VAE(
        build_encoder(sizes, 2 * n_components, generator),
        build_decoder(sizes, n_components, generator),
        build_likelihood(architecture.likelihood, sizes.n_features, architecture.blocks),
    )


def start_from_data(architecture, rows, generator, *, kl_weight):
    """Build the network with its linear paths at probabilistic PCA.

    With a Gaussian likelihood of one variance this is the optimum of the linear part, for any weight of the divergence.
    For the others the same posterior is paired with a decoder that is right to first order.

    Parameters
    ----------
    architecture : Architecture
    rows : Rows
        Training rows.
    generator : torch.Generator
        Draws weights and sample.
    kl_weight : float
        Weight of the divergence.

    Returns
    -------
    Start
        Its notes have ``supported``, the number of components that probabilistic PCA would use.
    """
    module = build_vae(architecture, generator)
    if architecture.blocks is not None:
        module.likelihood.set_features(rows.layout)
    start = start_axes(rows, architecture.n_components, generator, seen=module.likelihood.encoder_input)
    n_features = len(start.mean)
    n_others = max(0, n_features - len(start.variances))
    total_variance = float(start.variances.sum()) + start.residual_variance * n_others
    solution, unweighted = (
        probabilistic_pca(start.variances, total_variance, n_features, kl_weight=weight) for weight in (kl_weight, 1.0)
    )
    into = solution.encoder[:, None] * start.axes
    set_linear(module.encoder.linear, into, torch.cat([-(into @ start.mean), solution.variance.log()]))
    slope, bias = output_start(architecture.likelihood, start.mean)
    set_linear(module.decoder.linear, slope * (solution.decoder[:, None] * start.axes).T, bias)
    if hasattr(module.likelihood, "set_variance"):
        module.likelihood.set_variance(torch.full_like(module.likelihood.variance, solution.noise_variance))
    module.to(rows.device)
    if architecture.blocks is not None:
        start_indicators(module, rows, generator)
    notes = {"supported": int((unweighted.decoder > 0).sum())}
    return Start(module, architecture, notes)


@torch.no_grad()
def start_indicators(module, rows, generator):
    """Turn the decoder's outputs for indicators, reconstructions so far, into logits; set the variances."""
    x = rows.sample(START_ROWS, generator)
    posterior = module.posterior(x)
    z = posterior.draw(torch.randn(posterior.mean.shape, generator=generator).to(x.device))
    linear = module.decoder.linear
    slope, bias = table_start(module.likelihood, z @ linear.matrix.T, x, len(rows))
    scores = module.likelihood.score.cpu()
    bias[scores] = (linear.unscaled_bias * linear.scale).cpu()[scores]
    set_linear(linear, slope.to(x.device)[:, None] * linear.matrix, bias)
    module.likelihood.set_variance(module.likelihood.best_variance(module.likelihood.statistics(x, module.decoder(z))))


def output_start(likelihood, mean):
    """Return slope and bias, of shape () and (n_features,), that turn deviations from the mean input into outputs.

    `mean` is that of what the encoder is shown. A logit changes at least by 4 per unit of probability; the logarithm of
    a rate by 1 per unit of log(1 + count), once counts are large.
    """
    if likelihood == "bernoulli":
        return 4.0, torch.logit(mean.clamp(0.01, 0.99))
    if likelihood == "poisson":
        return 1.0, torch.expm1(mean).clamp_min(1e-3).log()
    return 1.0, mean


class VAEObjective(Objective):
    """The negative ELBO per feature, with the divergence weighted and, component by component, bounded from below.

    ``loss`` is (negative_log_likelihood + weight · Σ_j max(free_bits, KL_j)) / n_features, where KL_j is the mean
    divergence of component j over a batch, in nats ([1]_, appendix C.8). The weight rises from 0 to `kl_weight` over
    the share `kl_warmup` of the steps ([2]_); evaluation is at the full weight, and always with the same draws. The
    division by the number of features makes one learning rate fit rows of any width. A pass in evaluation is summed up
    with the noise variance that fits its rows best, as the fitted model will have it: the running one lags behind.

    References
    ----------
    .. [1] D. P. Kingma et al., "Improved Variational Inference with Inverse Autoregressive Flow", NeurIPS 2016.
    .. [2] S. R. Bowman et al., "Generating Sentences from a Continuous Space", CoNLL 2016, section 3.1.
    """

    loss_weights = ("kl_weight",)

    def __init__(self, module, *, n_components, kl_weight, kl_warmup, free_bits, generator):
        super().__init__(module)
        self.n_components = n_components
        self.kl_weight = kl_weight
        self.kl_warmup = kl_warmup
        self.free_bits = free_bits
        self.generator = generator
        self.progress = 0.0
        self.evaluation_noise = matched_noise(2, n_components, generator)
        self._seen = []

    def terms(self, batch):
        """Return the loss and its two parts, in nats per row, for rows (b, *row_shape)."""
        posterior, outputs, log_likelihood = self.module(batch, self._noise(batch))
        self.module.likelihood.track(batch, outputs[0])
        nll = -log_likelihood.mean()
        divergences = ranks.mean(posterior.kl_per_component().mean(dim=0))
        if not self.module.training and hasattr(self.module.likelihood, "statistics"):
            errors = torch.stack([self.module.likelihood.statistics(batch, output) for output in outputs])
            self._seen.append(
                (len(batch), math.prod(batch.shape[1:]), widened(errors.mean(dim=0)), widened(divergences))
            )
        penalty = self._weight() * divergences.clamp_min(self.free_bits).sum()
        loss = (nll + penalty) / math.prod(batch.shape[1:])
        return {"loss": loss, "negative_log_likelihood": nll, "kl": divergences.sum()}

    def _noise(self, batch):
        if not self.module.training:
            return self.evaluation_noise.to(batch.device)
        shape = (1, len(batch), self.n_components)
        return ranks.drawn(lambda shape: normal(shape, batch.device, self.generator), shape, axis=1)

    def _weight(self):
        if not self.module.training or self.progress >= self.kl_warmup:
            return self.kl_weight
        return self.kl_weight * self.progress / self.kl_warmup

    def after_step(self, progress):
        """Note how far training has come."""
        self.progress = progress

    def gathered(self):
        """Return how far training has come."""
        return {"progress": torch.tensor(self.progress, dtype=torch.float64)}

    def gather_again(self, gathered):
        """Put back what :meth:`gathered` returned."""
        self.progress = float(gathered["progress"])

    def pass_summary(self):
        """Return the loss of a pass in evaluation at its own best noise variance; nothing of other passes."""
        if not self._seen:
            return {}
        rows, sizes, errors, divergences = zip(*self._seen)
        self._seen = []
        share = torch.tensor(rows, dtype=torch.float64) / sum(rows)
        statistics, kl = (
            torch.einsum("b,bk->k", share.to(values[0].device), torch.stack(values)) for values in (errors, divergences)
        )
        nll = self.module.likelihood.best_nll(statistics, sizes[0])
        penalty = self.kl_weight * float(kl.clamp_min(self.free_bits).sum())
        return {"loss": (nll + penalty) / sizes[0], "negative_log_likelihood": nll}
