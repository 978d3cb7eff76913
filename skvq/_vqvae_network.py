"""How a VQ-VAE is built, how it starts from data, and what its training minimises."""

import math
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.cluster import KMeans

from .nn import conv, dense
from .nn.quantizers import EMAVectorQuantizer, VectorQuantizer, count_codes
from .nn.vqvae import VQVAE
from .training.objective import Objective

# Rows that the principal components are taken from, and vectors per code that k-means clusters. For a table whole rows
# are decomposed, in float64, so there the sample has no more than so many values.
START_ROWS, START_VALUES, LEAST_START_ROWS = 4096, 1_000_000, 1024
VECTORS_PER_CODE = 128
# Dead codes are revived during this share of the training; the rest lets the codebook settle.
REVIVAL_SHARE = 0.8
QUANTIZERS = {"ema": EMAVectorQuantizer, "gradient": VectorQuantizer}


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
            "n_positions": code_shape[0],
            "code_dim": architecture["code_dim"],
            "hidden_layer_sizes": tuple(architecture["hidden_layer_sizes"]),
        }
        kind = dense.DenseEncoder, dense.DenseDecoder
    return tuple(network(**sizes, generator=generator) for network in kind)


def build_vqvae(architecture, generator):
    """Return the whole network that `architecture` describes: images share one codebook, table positions do not."""
    encoder, decoder = build_autoencoder(architecture, generator)
    return VQVAE(encoder, build_quantizer(architecture, generator), decoder)


def number_of_codebooks(architecture):
    """Return 1 for images, whose patches are alike, and the number of positions for tables, whose columns are not."""
    return architecture["code_shape"][0] if len(architecture["row_shape"]) == 1 else 1


def build_quantizer(architecture, generator):
    """Return the quantiser that `architecture` describes."""
    return QUANTIZERS[architecture["codebook_update"]](
        architecture["n_codes"],
        architecture["code_dim"],
        n_groups=number_of_codebooks(architecture),
        revival_threshold=architecture["revival_threshold"],
        decay=architecture["ema_decay"],
        generator=generator,
    )


def start_from_data(architecture, rows, generator, *, warn):
    """Build the network with its linear paths at the principal components and its codebook at the k-means of the data.

    Parameters
    ----------
    architecture : dict
        As for :func:`build_vqvae`; ``n_codes`` is an upper bound.
    rows : Rows
        Training rows.
    generator : torch.Generator
        Draws weights, sample and cluster starts.
    warn : bool
        Whether to say so if there are fewer different vectors than codes.

    Returns
    -------
    module : VQVAE
    architecture : dict
        With the ``n_codes`` that the data can fill.
    error : float
        Root mean square of what this start leaves of the sample unexplained, on standardised values.
    """
    encoder, decoder = build_autoencoder(architecture, generator)
    sample = start_sample(rows, generator)
    if len(architecture["row_shape"]) == 3:
        conv.start_from_pca(encoder, decoder, sample.cpu())
    else:
        dense.start_from_pca(encoder, decoder, sample, bits_per_position=math.log2(architecture["n_codes"]))
    encoder.to(rows.device), decoder.to(rows.device)
    vectors = encoded_sample(
        encoder, rows, number_of_codebooks(architecture), architecture["n_codes"] * VECTORS_PER_CODE, generator
    )
    codebooks = kmeans_codebooks(vectors, architecture["n_codes"], generator)
    n_codes = codebooks.shape[1]
    if warn and n_codes < architecture["n_codes"]:
        warnings.warn(
            f"n_codes={architecture['n_codes']} is more than the {n_codes} different vectors that the training rows "
            f"are encoded to; {n_codes} codes are used. Pass a smaller n_codes, or more rows.",
            UserWarning,
            stacklevel=4,
        )
    architecture = architecture | {"n_codes": n_codes}
    quantizer = build_quantizer(architecture, generator)
    quantizer.set_codebook(torch.from_numpy(codebooks))
    module = VQVAE(encoder, quantizer, decoder).to(rows.device).eval()
    with torch.no_grad():
        error = F.mse_loss(module(sample)[0], sample).sqrt()
    return module, architecture, float(error)


def start_sample(rows, generator):
    """Return the rows (n, *row_shape) that the principal components are taken from."""
    n_rows = START_ROWS
    if len(rows.shape) == 1:
        n_rows = min(START_ROWS, max(LEAST_START_ROWS, START_VALUES // rows.shape[0]))
    return rows.sample(n_rows, generator)


@torch.no_grad()
def encoded_sample(encoder, rows, n_groups, n_vectors, generator):
    """Return at least `n_vectors` encoded vectors per codebook, where there are as many: ndarray (n, n_groups, d)."""
    order = torch.randperm(len(rows), generator=generator).numpy()
    found, n_found = [], 0
    for start in range(0, len(rows), 256):
        z = encoder(rows.take(order[start : start + 256])).float().cpu()
        found.append(z.reshape(-1, n_groups, z.shape[-1]))
        n_found += len(found[-1])
        if n_found >= n_vectors:
            break
    return torch.cat(found)[:n_vectors].numpy()


def kmeans_codebooks(vectors, n_codes, generator):
    """Return the k-means centres of every group.

    Parameters
    ----------
    vectors : ndarray of shape (n, g, d), float32
    n_codes : int
        Wanted number of centres.
    generator : torch.Generator
        Seeds the starts.

    Returns
    -------
    codebooks : ndarray of shape (g, k, d), float32
        k is `n_codes`, or the largest number of distinct vectors in a group if that is smaller. A group with fewer
        distinct vectors than k repeats some of its centres; the copies are never the first of the nearest.
    """
    distinct = [np.unique(vectors[:, group], axis=0) for group in range(vectors.shape[1])]
    n_codes = min(n_codes, max(len(d) for d in distinct))
    codebooks = np.empty((vectors.shape[1], n_codes, vectors.shape[2]), dtype=np.float32)
    for group, different in enumerate(distinct):
        seed = int(torch.randint(2**31 - 1, (), generator=generator))
        if len(different) <= n_codes:
            codebooks[group] = np.resize(different, (n_codes, vectors.shape[2]))
        else:
            kmeans = KMeans(n_codes, n_init=1, max_iter=30, random_state=seed).fit(vectors[:, group])
            codebooks[group] = kmeans.cluster_centers_
    return codebooks


class VQObjective(Objective):
    """The loss of the VQ-VAE [1]_: reconstruction + codebook_weight · codebook + commitment_weight · commitment.

    Every term is a mean over elements, so that the weights do not depend on the size of batch, rows or codes. In
    training the encoder may see the rows with Gaussian noise of standard deviation `input_noise`, while the
    reconstruction is compared with the clean ones, as in a denoising autoencoder [2]_.

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
        quantizer = self.module.quantizer
        counts = count_codes(codes, quantizer.n_codes, quantizer.n_groups)
        self.counts = counts if self.counts is None else self.counts + counts

    def pass_summary(self):
        """Return usage and perplexity of the codebook over all batches since the last call."""
        counts = self.counts.cpu().double()
        self.counts = None
        share = counts / counts.sum(dim=1, keepdim=True)
        entropy = -(share * share.clamp_min(1e-300).log()).sum(dim=1).mean()
        return {"usage": float((counts > 0).double().mean()), "perplexity": float(entropy.exp())}
