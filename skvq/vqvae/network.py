"""Build a VQ-VAE, start it from data, and define the objective of its training.

The start puts the linear paths at the principal components of the rows, and the codebooks at the k-means centres of the
encoded rows. scikit-learn's k-means finds up to `EXACT_CODES` centres. For more of them its start, k-means++, takes
most of the time, because it draws one centre after the other. Then a codebook grows as in Linde, Buzo and Gray (1980)
[1]_: each pass over the vectors doubles it.

Departures. New centres are not copies of the old ones, pushed a little apart, but vectors drawn with probability
proportional to their squared error, many at a time [2]_. At full size the centres that would be missed least are taken
out and drawn anew every other pass, as k-means alone moves no centre from one cluster to another (the utility of [3]_).

References
----------
.. [1] Y. Linde, A. Buzo, R. M. Gray, "An Algorithm for Vector Quantizer Design", IEEE Trans. Commun. 28(1), 1980.
.. [2] B. Bahmani, B. Moseley, A. Vattani, R. Kumar, S. Vassilvitskii, "Scalable K-Means++", VLDB 2012.
.. [3] B. Fritzke, "The LBG-U method for vector quantization", Neural Processing Letters 5(1), 1997.
"""

from __future__ import annotations

import functools
import math
import warnings
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from scipy.stats import entropy
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from torch import nn

from .._warnings import warn_user
from ..core import inference
from ..core.codes import CODE_DTYPE
from ..core.estimator import Start
from ..nn import images, ranks, series, tables
from ..nn.draws import normal, weighted_draw
from ..nn.quantizers.nearest import lloyd_pass, removal_costs
from ..training.batches import drawn_order, evenly_spaced
from ..training.loop import Objective

# Dead codes are revived during this share of the training; the rest lets the codebook settle.
REVIVAL_SHARE = 0.8
# Rows that the error of the values is taken from.
JUDGED_ROWS = 10_000
# Rows whose codes are counted, at most: of 256 codes, the entropy of so many is off by 0.003 bits, give or take 0.004.
COUNTED_ROWS = 2**16
# Rows that the principal components are taken from. They have no more than so many values, so that the memory of the
# start is bounded; of a table whole rows are decomposed, so there are at least so many of them.
START_ROWS, TABLE_VALUES, LEAST_TABLE_ROWS, IMAGE_VALUES, LEAST_IMAGES = 4096, 1_000_000, 1024, 10_000_000, 16
# Under a limit of time the start is made from no more than so many rows, or so many for each second, whichever is more;
# its error is taken from a quarter of them. Codes are counted of as many rows as there is time for, at least of these.
LEAST_ROWS_IN_TIME, ROWS_IN_A_SECOND, LEAST_COUNTED = 2_048, 200, 256
# Residual codes of rows start in one way alone unless there is a second for so many multiply-adds of the search through
# the codes, of which a core does about ten times as many: the choice among ways is four starts, and may take a third of
# the time.
SEARCHED_IN_A_SECOND = 3e8
# Rows that tell how long it takes to count.
TIMED_ROWS = 16
# Vectors that are clustered, per code; with many codes fewer, but no less than `LEAST_PER_CODE`.
VECTORS_PER_CODE, MANY_VECTORS, LEAST_PER_CODE = 128, 2**18, 32
# Of vectors of whole rows that are longer than this, fewer are clustered, since all that a beam of prefixes leaves of
# each is kept.
BEAM_DIM = 64
# Largest number of codes that scikit-learn clusters (`benchmarks/codebook_starts.py`).
EXACT_CODES = 32
# Passes at full size: as many as this number of distances allows, between two bounds.
LEAST_PASSES, MOST_PASSES, DISTANCES = 3, 20, 2**31 + 2**29
# Share of the centres that is drawn anew at first; it falls to nothing towards the last pass.
MOVED_SHARE = 0.2


class VQVAE(nn.Module):
    """Vector-quantised autoencoder (van den Oord, Vinyals & Kavukcuoglu, 2017).

    Rows of shape (128, 28, 28, 1) are encoded to (128, 49, 16), quantised to codes (128, 49), and decoded to
    (128, 28, 28, 1).

    Parameters
    ----------
    encoder : torch.nn.Module
        (b, *row_shape) → (b, m, d).
    quantizer : Quantizer
        (b, m, d) → :class:`~skvq.nn.quantizers.base.Quantized`.
    decoder : torch.nn.Module
        (b, m, d) → (b, *row_shape).
    n_positions : int, optional
        m, where the quantiser has several codes for a position; they lie side by side in the codes of a row.
    """

    def __init__(self, encoder, quantizer, decoder, n_positions=None):
        super().__init__()
        self.encoder = encoder
        self.quantizer = quantizer
        self.decoder = decoder
        self.n_positions = n_positions

    def forward(self, x):
        """Return the reconstruction of `x`, the encoded vectors z (b, m, d), and what the quantiser made of them."""
        z = self.encoder(x).float()
        quantized = self.quantizer(z)
        return self.decoder(quantized.vectors), z, quantized

    @torch.no_grad()
    def encode(self, x):
        """Return the codes of `x`, int64: (b, m), or (b, m · s) with s codes a position."""
        return self.quantizer.encode(self.encoder(x)).flatten(1)

    @torch.no_grad()
    def decode(self, codes):
        """Return the rows that codes stand for, as `encode` returns them; s may be smaller where stages add up."""
        if self.n_positions is not None:
            codes = codes.unflatten(1, (self.n_positions, -1))
        return self.decoder(self.quantizer.decode(codes))


def build_ends(architecture, generator):
    """Return the encoder and the decoder of an Architecture, with weights drawn from `generator`."""
    codes, row_shape = architecture.codes, architecture.row_shape
    if architecture.is_convolutional:
        sizes = {
            "code_dim": codes.code_dim,
            "channels": architecture.channels,
            "n_blocks": architecture.n_blocks,
            "generator": generator,
        }
        if codes.is_image:
            sizes["mixes_positions"] = architecture.mixes_positions
            kinds, grid = (images.ConvEncoder, images.ConvDecoder), codes.grid
        else:
            kinds, grid = (series.SeriesEncoder, series.SeriesDecoder), codes.n_positions
        return tuple(kind(row_shape, grid, **sizes) for kind in kinds)
    sizes = math.prod(row_shape), codes.n_positions, codes.code_dim, architecture.hidden_layer_sizes
    encoder, decoder = (kind(*sizes, generator=generator) for kind in (tables.DenseEncoder, tables.DenseDecoder))
    if len(row_shape) == 1:
        return encoder, decoder
    return series.FlatEncoder(encoder), series.FlatDecoder(decoder, row_shape)


def build_vqvae(architecture, generator):
    """Return the VQVAE of an Architecture, with weights drawn from `generator`."""
    encoder, decoder = build_ends(architecture, generator)
    codes = architecture.codes
    return VQVAE(encoder, codes.build(generator), decoder, n_positions=codes.side_by_side)


def start_from_data(
    architecture, rows, generator, *, codebook_weight=1.0, in_parts=False, seconds=None, takes_error=True, warn
):
    """Build the network with its linear paths at the principal components and its codebooks at k-means centres.

    Parameters
    ----------
    architecture : Architecture
        Its number of codes is an upper bound.
    rows : Rows
        Training rows.
    generator : torch.Generator
        Draws weights, sample and cluster starts.
    codebook_weight : float, default=1.0
        How far a batch will move the codebook in training.
    in_parts : bool, default=False
        Whether residual codes of whole rows may start as codes of parts of the columns, where that leaves less of
        held-out rows. Their first stages then say little about the row as a whole.
    seconds : float, default=None
        That the whole fit may take: of less time fewer rows are looked at. None is no limit.
    takes_error : bool, default=True
        Whether the notes of a table have the error.
    warn : bool
        Whether to say so if there are fewer different vectors than codes.

    Returns
    -------
    Start
        For a table its notes may have ``error``, the root mean square of what this start leaves of the sample
        unexplained, on standardised values.
    """
    encoder, decoder = build_ends(architecture, generator)
    most = len(rows) if seconds is None else max(LEAST_ROWS_IN_TIME, int(ROWS_IN_A_SECOND * seconds))
    sample = start_sample(rows, generator)[:most]
    codes = architecture.codes
    if architecture.is_convolutional:
        images.start_from_pca(encoder, decoder, sample.cpu())
    else:
        ends = (encoder, decoder) if len(rows.shape) == 1 else (encoder.rows, decoder.rows)
        tables.start_from_pca(*ends, sample.flatten(1), math.log2(codes.n_codes), n_parts=codes.splits)
    encoder.to(rows.device), decoder.to(rows.device)
    positions_per_codebook = codes.n_positions // codes.n_groups
    shorter = min(1.0, BEAM_DIM / codes.code_dim) if codes.adds_up_to_rows else 1.0
    n_rows = min(most, math.ceil(shorter * sample_size(codes.n_codes) / positions_per_codebook))
    with linear_alone(encoder):
        z = encoded_sample(encoder, rows, n_rows, generator)
    codes = within_data(codes, z, warn=warn)
    quantizer = codes.build(generator, codebook_weight)
    options = {}
    if codes.adds_up_to_rows and not architecture.is_convolutional:
        options["directions"] = ends[0].linear.weight.detach().cpu() if in_parts else None
        options["chooses"] = seconds is None or codes.search_of_start(len(z)) <= SEARCHED_IN_A_SECOND * seconds
    quantizer.start_from(z, functools.partial(cluster, generator=generator), **options)
    module = VQVAE(encoder, quantizer, decoder, n_positions=codes.side_by_side).to(rows.device).eval()
    notes = {}
    if takes_error and not architecture.is_convolutional:
        judged = sample if seconds is None else sample[: most // 4]
        notes["error"] = math.sqrt(squared_error_of_start(module, judged.split(256)) / judged.numel())
    return Start(module, replace(architecture, codes=codes), notes)


@contextmanager
def linear_alone(module):
    """Within the block the linear paths of a module stand alone: before its training, networks beside them add zero."""
    paths = [part for part in module.modules() if getattr(part, "network", None) is not None]
    networks = [path.network for path in paths]
    try:
        for path in paths:
            path.network = None
        yield
    finally:
        for path, network in zip(paths, networks):
            path.network = network


@torch.no_grad()
def squared_error_of_start(module, batches):
    """Return the squared error of the reconstruction of batches of rows by a module before its training, summed."""
    with linear_alone(module):
        return sum(float((module(x)[0] - x).square().sum()) for x in batches)


def start_sample(rows, generator):
    """Return the rows (n, *row_shape) that the principal components are taken from."""
    most, least = (TABLE_VALUES, LEAST_TABLE_ROWS) if len(rows.shape) == 1 else (IMAGE_VALUES, LEAST_IMAGES)
    return rows.sample(min(START_ROWS, max(least, most // math.prod(rows.shape))), generator)


@torch.no_grad()
def encoded_sample(encoder, rows, n_rows, generator):
    """Return what `n_rows` rows, or all where there are fewer, are encoded to: Tensor (n, m, d), float32."""
    order = drawn_order(len(rows), generator)[:n_rows]
    size = rows.pass_size
    z = [encoder(rows.take(order[start : start + size])).float().cpu() for start in range(0, len(order), size)]
    return torch.cat(z)


def within_data(codes, z, *, warn):
    """Return a CodeSpec with no more codes than there are different vectors in encoded rows z (n, m, d)."""
    vectors = codes.clustered(z)
    if vectors is None:
        return codes
    n_distinct = 0
    for group in vectors.numpy().swapaxes(0, 1):
        n_distinct = max(n_distinct, len(distinct_vectors(group)[0]))
        if n_distinct >= codes.n_codes:
            return codes
    if warn:
        warn_user(
            f"n_codes={codes.n_codes} is more than the {n_distinct} different vectors that the training rows are "
            f"encoded to; {n_distinct} codes are used. Pass a smaller n_codes, or more rows.",
        )
    return codes.with_codes(n_distinct)


def cluster(vectors, n_codes, generator):
    """Return codebooks (g, n_codes, d) for vectors (n, g, d); where fewer vectors differ, some are there twice."""
    codebooks = kmeans_codebooks(vectors.numpy(), n_codes, generator)
    return torch.from_numpy(codebooks[:, np.arange(n_codes) % codebooks.shape[1]])


def trainable_again(start, codebook_weight, error):
    """Return a Start whose codebook moves by its weight; `error` is what the network leaves of rows."""
    quantizer = start.architecture.codes.build(torch.Generator(), codebook_weight)
    quantizer.load_state_dict(start.module.quantizer.state_dict())
    start.module.quantizer = quantizer.to(next(start.module.parameters()).device)
    return replace(start, notes={"error": error})


def look_at_codes(fitting):
    """Return the fitted attributes that tell of the codes of the rows of a Fitting, a dict; its notes keep these codes.

    Of more than `COUNTED_ROWS` rows, or than a limit leaves time for, so many evenly spaced ones are counted.
    `noise_variance_`, the mean squared error of their values, is that of held-out rows where there are some, else of
    `JUDGED_ROWS` rows at most; it is not 0, which would make likelihoods infinite. No row is encoded twice.
    """
    network, all_rows, spec = fitting.module, fitting.rows.unrestricted(), fitting.architecture.codes
    most = ranks.of_first(lambda: _rows_in_time(fitting, all_rows))
    counted = all_rows.spread(min(COUNTED_ROWS, most))
    judged = counted.spread(JUDGED_ROWS) if fitting.held_out is None else fitting.held_out.spread(most)
    codes = known = None
    if judged is not counted:
        codes = inference.encode(network, counted, spec.codes_per_row, CODE_DTYPE)
        known = codes_among(codes, counted, judged)
    of_judged, squared_error, _ = inference.reconstruct(network, judged, spec.codes_per_row, CODE_DTYPE, known)
    codes = of_judged if codes is None else codes
    fitting.notes |= {"codes": codes, "codes_of_judged": of_judged}
    smallest = float(np.finfo(np.float32).eps)
    return {
        "noise_variance_": max(float(squared_error.mean()) / math.prod(all_rows.shape), smallest),
        **use_of_codes(spec, network.quantizer, codes),
    }


def _rows_in_time(fitting, rows):
    """Return how many rows can be encoded in the time that is left of a Fitting's limit: all of them without one."""
    limit = fitting.limit
    if limit is None or limit.seconds is None:
        return len(rows)
    timed, began = rows.spread(TIMED_ROWS), limit.gone()
    inference.encode(fitting.module, timed, fitting.architecture.codes.codes_per_row, CODE_DTYPE)
    seconds = max(limit.gone() - began, 1e-9) / len(timed)
    return max(LEAST_COUNTED, int(max(0.0, limit.seconds - limit.gone()) / seconds))


def codes_among(codes, counted, judged):
    """Return the codes of Rows that are judged, if all of them are among the counted ones, which have `codes`; or None.

    Both are in the order of X.
    """
    if judged.X is not counted.X:
        return None
    n_rows = len(counted.unrestricted())
    wanted, found = (np.arange(n_rows) if rows.subset is None else rows.subset for rows in (judged, counted))
    positions = np.minimum(np.searchsorted(found, wanted), len(found) - 1)
    return codes[positions] if np.array_equal(found[positions], wanted) else None


def codes_of_rows(fitting, X_val) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the codes of all rows of a Fitting, (n, codes_per_row), and those of `X_val`, None where that is None.

    They are in the notes of the Fitting, but for rows that were not counted.
    """
    known, all_rows = fitting.notes["codes"], fitting.rows.unrestricted()
    of_held_out = None if X_val is None else fitting.notes["codes_of_judged"]
    if of_held_out is not None and len(of_held_out) < len(fitting.held_out):  # for which there was no time
        of_held_out = inference.encode(fitting.module, fitting.held_out, known.shape[1], CODE_DTYPE)
    if len(known) == len(all_rows):
        return known, of_held_out
    codes = np.empty((len(all_rows), known.shape[1]), dtype=known.dtype)
    counted = evenly_spaced(len(all_rows), len(known))
    others = np.delete(np.arange(len(all_rows)), counted)
    codes[counted] = known
    codes[others] = inference.encode(fitting.module, all_rows.restrict(others), known.shape[1], CODE_DTYPE)
    return codes, of_held_out


def use_of_codes(spec, quantizer, codes):
    """Return the fitted attributes that tell how the codes of rows (n, codes_per_row) use the codebooks, a dict."""
    code_counts = spec.counts(quantizer, codes)
    counts = code_counts.reshape(-1, spec.n_codes)  # of every codebook
    bits_per_row = float(entropy(counts, base=2, axis=1) @ counts.sum(axis=1) / len(codes))
    return {
        "code_counts_": code_counts,
        "codebook_usage_": float((code_counts > 0).mean()),
        "bits_per_row_": bits_per_row,
        "perplexity_": 2.0 ** (bits_per_row / codes.shape[1]),
    }


def sample_size(n_codes):
    """Return how many vectors `kmeans_codebooks` uses for a codebook: more would only cost time.

    Examples
    --------
    >>> [sample_size(n_codes) for n_codes in (16, 256, 4096, 8192, 16384)]
    [2048, 32768, 262144, 262144, 524288]
    """
    return min(VECTORS_PER_CODE * n_codes, max(MANY_VECTORS, LEAST_PER_CODE * n_codes))


def kmeans_codebooks(vectors, n_codes, generator):
    """Return the k-means centres of every group.

    Parameters
    ----------
    vectors : ndarray of shape (n, g, d), float32
        In random order: the first `sample_size` of them are used.
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
    vectors = vectors[: sample_size(n_codes)]
    distinct = [distinct_vectors(vectors[:, group]) for group in range(vectors.shape[1])]
    n_codes = min(n_codes, max(len(different) for different, _ in distinct))
    cluster = _exact_centres if n_codes <= EXACT_CODES else grown_centres
    codebooks = np.empty((vectors.shape[1], n_codes, vectors.shape[2]), dtype=np.float32)
    for codebook, (different, counts) in zip(codebooks, distinct):
        if len(different) <= n_codes:
            codebook[:] = np.resize(different, codebook.shape)
        else:
            codebook[:] = cluster(different, counts, n_codes, generator)
    return codebooks


def distinct_vectors(vectors):
    """Return the different rows of `vectors` (n, d) float32 in the order of `vectors`, and how often each occurs, (m,).

    Rows are told apart by a random 64-bit sum of their bits, which a million of them share by chance once in 10⁷ runs;
    to sort the rows themselves takes ten times as long.
    """
    words = np.ascontiguousarray(vectors + np.float32(0.0)).view(np.uint32).astype(np.uint64)  # -0.0 becomes 0.0
    factors = np.random.default_rng(0).integers(2**63, size=vectors.shape[1], dtype=np.uint64)
    sums = (words * (2 * factors + 1)).sum(axis=1, dtype=np.uint64)
    _, first, counts = np.unique(sums, return_index=True, return_counts=True)
    order = np.argsort(first)  # that of the sums would change with the last bit of a vector
    return vectors[first[order]], counts[order]


def _exact_centres(vectors, counts, n_codes, generator):
    seed = int(torch.randint(2**31 - 1, (), generator=generator))
    kmeans = KMeans(n_codes, n_init=1, max_iter=30, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of vectors that are alike to it, not to distinct_vectors
        return kmeans.fit(vectors, sample_weight=counts).cluster_centers_


def grown_centres(vectors, counts, n_codes, generator):
    """Return `n_codes` centres of `vectors` (n, d) float32 that occur `counts` (n,) times: ndarray (n_codes, d)."""
    x, weights = torch.from_numpy(vectors), torch.from_numpy(counts.astype(np.float32))
    weighted = x if bool((weights == 1).all()) else weights[:, None] * x
    n_doublings = math.ceil(math.log2(n_codes))
    n_full = max(LEAST_PASSES, min(MOST_PASSES, DISTANCES // (len(x) * n_codes)))
    centres = x[:1]
    for full in range(-n_doublings, n_full):  # number of passes at full size so far
        codes, means, masses = lloyd_pass(x, weighted, weights, centres)
        if 0 <= full < n_full - 2 and full % 2 == 0:
            means = without_cheapest(means, masses, int(MOVED_SHARE * (1 - full / n_full) * len(means)))
        n_new = min(n_codes - len(means), len(means))
        if n_new > 0 and full < n_full - 1:
            errors = weights * (x - centres[codes]).square_().sum(dim=1)
            means = torch.cat([means, x[weighted_draw(errors, n_new, generator)]])
        centres = means
    return np.resize(centres.numpy(), (n_codes, x.shape[1]))


def without_cheapest(centres, masses, n_most):
    """Return the centres (k, d) less those, at most `n_most`, that are missed least.

    Of two beside each other one is missed little, and both a lot: a centre stays if its neighbour goes before it.
    """
    costs, neighbours = removal_costs(centres, masses)
    rank = torch.empty(len(centres), dtype=torch.int64)
    rank[costs.argsort()] = torch.arange(len(centres))
    goes = (rank < n_most) & (rank[neighbours] > rank)
    return centres[~goes]


class VQObjective(Objective):
    """The loss of the VQ-VAE [1]_: reconstruction + codebook_weight · codebook + commitment_weight · commitment.

    Every term is a mean over elements, so that the weights do not depend on the size of batch, rows or codes. The
    codebook term has no gradient: the quantiser takes the codebook's step itself, times `codebook_weight`. Here the
    term is reported unweighted, and counts with its weight in the reported loss. In training the encoder may see the
    rows with Gaussian noise of standard deviation `input_noise`, while the reconstruction is compared with the clean
    ones, as in a denoising autoencoder [2]_. `has_layers` says whether hidden layers, which could be left out, stand
    beside the linear paths. With `augments`, images are shifted, by up to half a cell (for codes of
    whole images by a pixel), and mirrored in training. The matrices of the networks of images move by Muon.

    References
    ----------
    .. [1] A. van den Oord, O. Vinyals, K. Kavukcuoglu, "Neural Discrete Representation Learning", NeurIPS 2017, eq. 3.
    .. [2] P. Vincent et al., "Stacked Denoising Autoencoders", JMLR 11, 2010.
    """

    squared_error = "reconstruction"
    loss_weights = ("codebook_weight", "commitment_weight")

    def __init__(
        self,
        module,
        *,
        codebook_weight,
        commitment_weight,
        input_noise,
        generator,
        augments=False,
        has_layers=False,
    ):
        super().__init__(module)
        instead = "Try hidden_layer_sizes=(), a" if has_layers else "Try a"
        self.way_out = f"{instead} lower learning_rate_init, or more bits (max_bits, n_codes, code_shape)."
        self.input_noise = input_noise
        if input_noise > 1:  # of rows whose spread is 1
            self.loss_weights = (*self.loss_weights, "input_noise")
        self.augments = augments
        self.weights = {"codebook": codebook_weight, "commitment": commitment_weight}
        self.generator = generator
        self.counts = None

    def terms(self, batch):
        """Return the loss and its terms for rows (b, *row_shape)."""
        batch = self._augmented(batch)
        x_hat, self.z, quantized = self.module(self._with_noise(batch))
        self._count(quantized.codes)
        reconstruction = F.mse_loss(x_hat.float(), batch)
        weighted = sum(self.weights[name] * value for name, value in quantized.losses.items())
        return {"loss": reconstruction + weighted, "reconstruction": reconstruction, **quantized.losses}

    def matrices(self):
        """Return the matrices of the networks of images: not those of linear paths, which start where they are best."""
        maps = [end.map for end in (self.module.encoder, self.module.decoder) if hasattr(end, "map")]
        layers = [layer for path in maps if path.network is not None for layer in path.network.modules()]
        return [layer.weight for layer in layers if isinstance(layer, nn.Linear)]

    def _augmented(self, batch):
        if not (self.augments and self.module.training):
            return batch
        grid = getattr(self.module.encoder, "grid", None)  # codes of whole images have no cells
        half_a_cell = (1, 1) if grid is None else [max(1, side // 2) for side in grid.stride]
        return images.moved(batch, half_a_cell, self.generator)

    def _with_noise(self, batch):
        if not self.module.training or self.input_noise == 0:
            return batch
        noise = ranks.drawn(lambda shape: normal(shape, batch.device, self.generator), batch.shape)
        return batch + self.input_noise * noise

    def after_look(self, progress):
        """Revive dead codes, until the codebook is left to settle."""
        if progress < REVIVAL_SHARE:
            self.module.quantizer.revive(ranks.rows_of_all(self.z.detach()), self.generator)

    def gathered(self):
        """Return how often the codes occurred in this pass."""
        return {} if self.counts is None else {"counts": self.counts}

    def gather_again(self, gathered):
        """Put back what :meth:`gathered` returned."""
        self.counts = gathered["counts"].to(self.module.quantizer.codebook.device) if gathered else None

    def _count(self, codes):
        counts = self.module.quantizer.count(codes)
        ranks.add(counts)
        self.counts = counts if self.counts is None else self.counts + counts

    def pass_summary(self):
        """Return usage and perplexity over all batches since the last call, of several codebooks the mean usage and the
        mean entropy of the codes."""
        counts = self.counts.cpu().double()
        self.counts = None
        share = counts / counts.sum(dim=1, keepdim=True)
        entropy = -(share * share.clamp_min(1e-300).log()).sum(dim=1) @ counts.sum(dim=1) / counts.sum()
        return {"usage": float((counts > 0).double().mean()), "perplexity": float(entropy.exp())}
