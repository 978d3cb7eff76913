"""Build an autoencoder, start it from data, and define the objective of its training."""

import torch

from ..core.bottleneck import start_axes
from ..core.estimator import Start
from ..nn import ranks
from ..nn.bottleneck import build_decoder, build_encoder, set_linear, whiten
from ..nn.draws import normal, uniform_numbers
from ..training.loop import Objective
from .module import AutoEncoder, LogLoss, SquaredError, TransposedDecoder, jacobian_penalty, sparsity_kl, sparsity_l1

# Values of the sample that a decoder is fitted to by least squares, where the code is not linear.
SAMPLE_VALUES, LEAST_SAMPLE_ROWS = 2_000_000, 256
# A mean outside this range counts as its bound where the slope of its logit is taken.
MEAN_RANGE = 0.05, 0.95
SPARSITY = {"l1": sparsity_l1, "kl": sparsity_kl}
# Standard deviation of a tied network's first output, for hidden units of unit size.
TIED_SPREAD = 0.1


def build_autoencoder(architecture, generator):
    """Return the AutoEncoder of an :class:`~skvq.autoencoder.defaults.Architecture`, weights drawn from `generator`."""
    n_components, sizes = architecture.n_components, architecture.sizes
    encoder = build_encoder(sizes, n_components, generator)
    if architecture.tied_weights:
        decoder = TransposedDecoder(encoder, sizes.row_shape)
    else:
        decoder = build_decoder(sizes, n_components, generator)
    loss = LogLoss(sizes.row_shape) if architecture.loss == "log_loss" else SquaredError()
    return AutoEncoder(encoder, decoder, loss, architecture.code_activation)


def start_from_data(architecture, rows, generator):
    """Build the network with its linear paths at the principal components of the rows.

    Where the code goes through an activation, each component of it has variance 1 before that, in pairs of opposite
    sign for codes without negative values, and the decoder is the least-squares map from codes to rows. For logits it
    is the map that is right to first order.

    Parameters
    ----------
    architecture : Architecture
    rows : Rows
        Training rows.
    generator : torch.Generator
        Draws weights and sample.

    Returns
    -------
    Start
    """
    module = build_autoencoder(architecture, generator).eval()
    if architecture.loss == "log_loss":
        module.loss.set_units(rows.shift, rows.scale)
    n, code_activation = architecture.n_components, architecture.code_activation
    start = start_axes(rows, n, generator)
    into = code_directions(start, code_activation)
    set_linear(module.encoder.linear, into, -(into @ start.mean))
    matrix, code_mean = start.axes.T, torch.zeros(n, dtype=torch.float64)
    if code_activation != "identity":
        sample = rows.sample(max(LEAST_SAMPLE_ROWS, SAMPLE_VALUES // len(start.mean)), generator)
        matrix, code_mean = least_squares(module.encode(sample.cpu()), sample)
    slope, bias = output_start(module.loss, start.mean)
    if architecture.tied_weights:
        with torch.no_grad():
            module.decoder.bias.copy_(bias)
            if module.encoder.network is not None:
                # At zero both networks are linear to first order, and PCA a saddle that training would not leave.
                last = module.encoder.network[-1].weight
                last.normal_(0.0, TIED_SPREAD / last.shape[1] ** 0.5, generator=generator)
    else:
        matrix = slope[:, None] * matrix
        set_linear(module.decoder.linear, matrix, bias - matrix @ code_mean)
        if module.decoder.network is not None and code_activation == "identity":
            whiten(module.decoder.network, start.variances.sqrt())
    return Start(module.to(rows.device), architecture)


def code_directions(start, code_activation):
    """Return the rows of the encoder's matrix, (n, p) float64, for PrincipalAxes `start` of n components."""
    if code_activation == "identity":
        return start.axes
    used = start.variances > 0
    unit = torch.where(used, start.variances, 1.0).rsqrt()[:, None] * start.axes
    if code_activation == "sigmoid":
        return unit
    return torch.stack([unit, -unit], dim=1).flatten(0, 1)[: len(unit)]


def least_squares(codes, rows):
    """Return the matrix (p, n) that best maps codes (b, n) to rows (b, ...), around means, and the codes' mean (n,)."""
    codes, rows = codes.cpu().double(), rows.flatten(1).cpu().double()
    mean = codes.mean(dim=0)
    centred = codes - mean
    gram = centred.T @ centred
    ridge = 1e-8 * gram.diagonal().max().clamp_min(1e-12)
    solution = torch.linalg.solve(gram + ridge * torch.eye(len(gram), dtype=gram.dtype), centred.T @ rows)
    return solution.T, mean


def output_start(loss, mean):
    """Return slope and bias (p,) that turn deviations from the mean row (p,) into outputs of the decoder."""
    if not isinstance(loss, LogLoss):
        return torch.ones_like(mean), mean
    scale = loss.scale.flatten().double()
    mean = (scale * mean + loss.shift.flatten().double()).clamp(*MEAN_RANGE)
    return scale / (mean * (1 - mean)), torch.logit(mean)


class AutoEncoderObjective(Objective):
    """Reconstruction + sparsity_weight · sparsity + contractive_weight · contraction, all of them means over elements.

    In training and in evaluation alike the encoder sees corrupted rows, while the reconstruction is compared with the
    clean ones [1]_. What is drawn for that in an evaluation is the same every time, so that two can be compared.

    Parameters
    ----------
    module : AutoEncoder
    noise : {"gaussian", "masking"} or None
        Gaussian noise of standard deviation `noise_level`, or that share of the values set to 0, the mean.
    noise_level : float
    sparsity : {"l1", "kl"} or None
    sparsity_weight, sparsity_target : float
    contractive_weight : float
        Of the squared Frobenius norm of the encoder's Jacobian divided by the number of components; 0 leaves it out.
    generator : torch.Generator

    References
    ----------
    .. [1] P. Vincent et al., "Stacked Denoising Autoencoders", JMLR 11, 2010, section 3.
    """

    way_out = (
        "Raise n_components, or hold more rows out (validation_fraction), or none (early_stopping=False): the held-out "
        "rows are few or unlike the others."
    )

    def __init__(
        self,
        module,
        *,
        noise=None,
        noise_level=0.0,
        sparsity=None,
        sparsity_weight=0.0,
        sparsity_target=0.05,
        contractive_weight=0.0,
        generator,
    ):
        super().__init__(module)
        self.noise = noise
        self.noise_level = noise_level
        self.sparsity = sparsity
        self.sparsity_weight = sparsity_weight
        self.sparsity_target = sparsity_target
        self.contractive_weight = contractive_weight
        self.generator = generator
        if noise is None and not isinstance(module.loss, LogLoss):
            self.squared_error = "reconstruction"
        weights = {"sparsity_weight": sparsity is not None, "contractive_weight": contractive_weight > 0}
        self.loss_weights = tuple(name for name, acts in weights.items() if acts)
        self.evaluation_seed = int(torch.randint(2**31 - 1, (), generator=generator))
        self.evaluation_generator = torch.Generator().manual_seed(self.evaluation_seed)

    def terms(self, batch):
        """Return the loss and its terms for rows (b, *row_shape)."""
        contracts = self.contractive_weight > 0
        with torch.set_grad_enabled(torch.is_grad_enabled() or contracts):
            x = self._corrupted(batch)
            if contracts:
                x = x.detach().requires_grad_()
            z, outputs = self.module(x)
            terms = {"reconstruction": self.module.loss(outputs.float(), batch)}
            loss = terms["reconstruction"]
            if self.sparsity is not None:
                terms["sparsity"] = SPARSITY[self.sparsity](z, self.sparsity_target)
                loss = loss + self.sparsity_weight * terms["sparsity"]
            if contracts:
                directions = ranks.drawn(lambda shape: normal(shape, z.device, self._draw()), z.shape)
                training = self.module.training
                terms["contraction"] = jacobian_penalty(x, z, directions, create_graph=training)
                loss = loss + self.contractive_weight * terms["contraction"]
        return {"loss": loss, **terms}

    def pass_summary(self):
        """Start the draws of the next evaluation afresh."""
        self.evaluation_generator.manual_seed(self.evaluation_seed)
        return {}

    def _draw(self):
        return self.generator if self.module.training else self.evaluation_generator

    def _corrupted(self, batch):
        if self.noise is None:
            return batch
        if self.noise == "gaussian":
            noise = ranks.drawn(lambda shape: normal(shape, batch.device, self._draw()), batch.shape)
            return batch + self.noise_level * noise
        uniform = ranks.drawn(lambda shape: uniform_numbers(shape, batch.device, self._draw()), batch.shape)
        kept = uniform >= self.noise_level
        return batch * kept.to(batch)
