"""How a VQ-VAE is built, how it starts from data, and what its training minimises."""

import torch
import torch.nn.functional as F

from ..nn import images as conv
from ..nn import tables as dense
from ..training.objective import Objective
from .module import VQVAE
from .quantizer import SEVERAL_CODES, build_quantizer

# Dead codes are revived during this share of the training; the rest lets the codebook settle.
REVIVAL_SHARE = 0.8


def build_autoencoder(architecture, generator):
    """Return the encoder and decoder that the dict `architecture` describes, with weights drawn from `generator`."""
    row_shape, code_shape = architecture["row_shape"], architecture["code_shape"]
    if len(row_shape) == 3:
        sizes = {
            "image_shape": tuple(row_shape),
            "code_shape": tuple(code_shape),
            "code_dim": architecture["code_dim"],
            "channels": architecture["channels"],
            "n_blocks": architecture["n_blocks"],
        }
        kind = conv.ConvEncoder, conv.ConvDecoder
    else:
        sizes = {
            "n_features": row_shape[0],
            "n_positions": architecture["n_positions"],
            "code_dim": architecture["code_dim"],
            "hidden_layer_sizes": tuple(architecture["hidden_layer_sizes"]),
        }
        kind = dense.DenseEncoder, dense.DenseDecoder
    return tuple(network(**sizes, generator=generator) for network in kind)


def build_vqvae(architecture, generator):
    """Return the whole network that `architecture` describes."""
    encoder, decoder = build_autoencoder(architecture, generator)
    return assemble(architecture, encoder, build_quantizer(architecture, generator), decoder)


def assemble(architecture, encoder, quantizer, decoder):
    """Return the network made of these parts."""
    several = architecture["quantizer"] in SEVERAL_CODES
    return VQVAE(encoder, quantizer, decoder, n_positions=architecture["n_positions"] if several else None)


class VQObjective(Objective):
    """The loss of the VQ-VAE [1]_: reconstruction + codebook_weight · codebook + commitment_weight · commitment.

    Every term is a mean over elements, so that the weights do not depend on the size of batch, rows or codes. The
    codebook term has no gradient: the quantiser takes the codebook's step itself, times `codebook_weight`. Here the
    term is reported unweighted, and counts with its weight in the reported loss. In training the encoder may see the
    rows with Gaussian noise of standard deviation `input_noise`, while the reconstruction is compared with the clean
    ones, as in a denoising autoencoder [2]_.

    References
    ----------
    .. [1] A. van den Oord, O. Vinyals, K. Kavukcuoglu, "Neural Discrete Representation Learning", NeurIPS 2017, eq. 3.
    .. [2] P. Vincent et al., "Stacked Denoising Autoencoders", JMLR 11, 2010.
    """

    def __init__(self, module, *, codebook_weight, commitment_weight, input_noise, generator):
        super().__init__(module)
        self.input_noise = input_noise
        self.weights = {"codebook": codebook_weight, "commitment": commitment_weight}
        self.generator = generator
        self.counts = None

    def terms(self, batch):
        """Return the loss and its terms for rows (b, *row_shape)."""
        x_hat, self.z, quantized = self.module(self._with_noise(batch))
        self._count(quantized.codes)
        reconstruction = F.mse_loss(x_hat.float(), batch)
        weighted = sum(self.weights[name] * value for name, value in quantized.losses.items())
        return {"loss": reconstruction + weighted, "reconstruction": reconstruction, **quantized.losses}

    def _with_noise(self, batch):
        if not self.module.training or self.input_noise == 0:
            return batch
        noise = torch.randn(batch.shape, generator=self.generator).to(batch.device)
        return batch + self.input_noise * noise

    def after_step(self, progress):
        """Revive dead codes, until the codebook is left to settle."""
        if progress < REVIVAL_SHARE:
            self.module.quantizer.revive(self.z.detach(), self.generator)

    def _count(self, codes):
        counts = self.module.quantizer.count(codes)
        self.counts = counts if self.counts is None else self.counts + counts

    def pass_summary(self):
        """Return usage and perplexity over all batches since the last call, of several codebooks the mean usage and the
        mean entropy of the codes."""
        counts = self.counts.cpu().double()
        self.counts = None
        share = counts / counts.sum(dim=1, keepdim=True)
        entropy = -(share * share.clamp_min(1e-300).log()).sum(dim=1) @ counts.sum(dim=1) / counts.sum()
        return {"usage": float((counts > 0).double().mean()), "perplexity": float(entropy.exp())}
