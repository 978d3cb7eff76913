"""The vector quantiser beside those of vector-quantize-pytorch and pythae, in the same networks.

    pip install vector-quantize-pytorch pythae
    python benchmarks/vq_peers.py train --seeds 0 1
    python benchmarks/vq_peers.py layers --threads 1

``train``: Fashion-MNIST, 7 × 7 positions of 256 codes. All contestants have the package's encoder and decoder with
equal first weights (linear paths at the principal components), the same batches in the same order, the same Adam,
schedule, clipping and precision of the networks, so that they differ in the quantiser, its start, its upkeep and its
loss. R², usage and perplexity are those of the 10,000 test images; seconds are CPU seconds of the training, with the
start of the codebook.

- ours: running means, k-means start, revival, as in `VQVAETransformer`.
- vector-quantize-pytorch, defaults; and with what its documentation offers against collapse (k-means start, revival of
  codes that get less than two vectors, decay 0.99), with its rotation trick and with the straight-through gradient.
- pythae: its VQVAE, whose loss sums the reconstruction over pixels; running means, and its gradient codebook.

``layers``: milliseconds of a training step of the layer alone, forward and backward, on maps (128, 64, 7, 7), and of
the search for the nearest of 512 codes for 100,000 vectors of width 64; medians of runs that take turns.
"""

import argparse
import logging
import math
import statistics
import time
from functools import partial

import faiss
import numpy as np
import torch
import torch.nn.functional as F
import vector_quantize_pytorch as vqp
from _environment import print_environment
from pythae.models import VQVAE as PythaeVQVAE
from pythae.models import VQVAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from torch import nn

from skvq import metrics
from skvq.nn.images import ConvDecoder, ConvEncoder, start_from_pca
from skvq.nn.quantizers.nearest import nearest_codes
from skvq.nn.quantizers.vector import EMAVectorQuantizer, VectorQuantizer
from skvq.training.batches import Rows
from skvq.training.loop import learning_rate_factor
from skvq.vqvae.network import kmeans_codebooks

from _datasets import load_fashion_mnist  # isort: skip

GRID, DIM, N_CODES = (7, 7), 32, 256
BATCH, RATE = 32, 2e-3
# Rows that the principal components are taken from, vectors per code that k-means clusters, share of the steps in which
# codes are revived: as in `VQVAETransformer`.
START_ROWS, VECTORS_PER_CODE, REVIVAL_SHARE = 4096, 128, 0.8


class Networks(nn.Module):
    """The package's encoder and decoder, in the precision of the comparison; the quantiser between is in float32."""

    def __init__(self, shape, options, seed):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        sizes = (shape, GRID, DIM, options.channels, options.n_blocks)
        self.encoder, self.decoder = (kind(*sizes, generator=generator) for kind in (ConvEncoder, ConvDecoder))
        self.low = options.precision == "bfloat16"

    def encode(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.low):
            return self.encoder(x)

    def decode(self, z):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.low):
            return self.decoder(z)


class Ours(nn.Module):
    """Quantiser, start and upkeep of the package."""

    def __init__(self, networks, rows, generator, revival_threshold=0.1):
        super().__init__()
        self.networks, self.generator = networks, generator
        self.quantizer = EMAVectorQuantizer(N_CODES, DIM, revival_threshold=revival_threshold)
        n_rows = math.ceil(N_CODES * VECTORS_PER_CODE / math.prod(GRID))
        with torch.no_grad():
            z = networks.encoder(rows.sample(n_rows, generator))
        vectors = z.reshape(-1, 1, DIM)[: N_CODES * VECTORS_PER_CODE].numpy()
        self.quantizer.set_codebook(torch.as_tensor(kmeans_codebooks(vectors, N_CODES, generator)))

    def loss(self, x):
        self.z = self.networks.encode(x)
        quantized = self.quantizer(self.z)
        return F.mse_loss(self.networks.decode(quantized.vectors), x) + quantized.losses["commitment"]

    def after_step(self, progress):
        if progress < REVIVAL_SHARE:
            self.quantizer.revive(self.z.detach(), self.generator)

    def reconstruct(self, x):
        codes = self.quantizer.encode(self.networks.encode(x))
        return self.networks.decode(self.quantizer.decode(codes)), codes


class VectorQuantizePytorch(nn.Module):
    """The layer of vector-quantize-pytorch; it keeps itself up."""

    def __init__(self, networks, **options):
        super().__init__()
        self.networks, self.quantizer = networks, vqp.VectorQuantize(dim=DIM, codebook_size=N_CODES, **options)

    def loss(self, x):
        vectors, _, commitment = self.quantizer(self.networks.encode(x))
        return F.mse_loss(self.networks.decode(vectors), x) + commitment.sum()

    def after_step(self, progress):
        pass

    def reconstruct(self, x):
        vectors, codes, _ = self.quantizer(self.networks.encode(x))
        return self.networks.decode(vectors), codes


class _PythaeEncoder(BaseEncoder):
    def __init__(self, networks):
        super().__init__()
        self.networks = networks

    def forward(self, x):
        z = self.networks.encode(x.permute(0, 2, 3, 1))  # channels last
        return ModelOutput(embedding=z.transpose(1, 2).reshape(len(z), DIM, *GRID))


class _PythaeDecoder(BaseDecoder):
    def __init__(self, networks):
        super().__init__()
        self.networks = networks

    def forward(self, z):
        x = self.networks.decode(z.flatten(2).transpose(1, 2))
        return ModelOutput(reconstruction=x.permute(0, 3, 1, 2))


class Pythae(nn.Module):
    """The VQVAE of pythae with its own quantiser, loss and weights."""

    def __init__(self, networks, **options):
        super().__init__()
        config = VQVAEConfig(input_dim=(1, 28, 28), latent_dim=DIM, num_embeddings=N_CODES, **options)
        self.model = PythaeVQVAE(config, encoder=_PythaeEncoder(networks), decoder=_PythaeDecoder(networks))

    def loss(self, x):
        return self.model({"data": x.permute(0, 3, 1, 2)}).loss

    def after_step(self, progress):
        pass

    def reconstruct(self, x):
        found = self.model({"data": x.permute(0, 3, 1, 2)})
        return found.recon_x.permute(0, 2, 3, 1), found.quantized_indices.reshape(len(x), -1)


KEPT_UP = {"kmeans_init": True, "threshold_ema_dead_code": 2, "decay": 0.99}
CONTESTANTS = {
    "ours": Ours,
    "ours-0.3": partial(Ours, revival_threshold=0.3),
    "ours-0.6": partial(Ours, revival_threshold=0.6),
    "vqp": lambda networks, rows, generator: VectorQuantizePytorch(networks),
    "vqp-kept-up": lambda networks, rows, generator: VectorQuantizePytorch(networks, **KEPT_UP),
    "vqp-kept-up-straight": lambda networks, rows, generator: VectorQuantizePytorch(
        networks, rotation_trick=False, **KEPT_UP
    ),
    "pythae": lambda networks, rows, generator: Pythae(networks, use_ema=True),
    "pythae-gradient": lambda networks, rows, generator: Pythae(networks, use_ema=False),
}


def batches(rows, generator):
    """Yield batches without end."""
    while True:
        yield from rows.shuffled(BATCH, generator)


def train(name, rows, options, seed):
    """Return the trained contestant and the CPU seconds it took."""
    torch.manual_seed(seed)  # the peers draw from the global generator
    networks = Networks(rows.shape, options, seed)
    if options.start == "pca":
        start_from_pca(networks.encoder, networks.decoder, rows.sample(START_ROWS, torch.Generator().manual_seed(seed)))
    begin = time.process_time()
    model = CONTESTANTS[name](networks, rows, torch.Generator().manual_seed(seed)).train()
    adam = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
    source = batches(rows, torch.Generator().manual_seed(seed + 1))
    for step in range(options.steps):
        warmup = math.ceil(0.05 * options.steps)
        adam.param_groups[0]["lr"] = RATE * learning_rate_factor(step, options.steps, warmup)
        loss = model.loss(next(source))
        adam.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        model.after_step((step + 1) / options.steps)
        if options.verbose and step % 200 == 0:
            print(f"  step {step}: loss {float(loss):.4f}", flush=True)
    return model.eval(), time.process_time() - begin


@torch.no_grad()
def evaluate(model, rows):
    """Return R² about the mean of each pixel, usage and perplexity of the rows."""
    originals, reconstructions, codes = [], [], []
    for batch in rows.in_order(500):
        reconstruction, found = model.reconstruct(batch)
        originals.append(batch.flatten(1).double().numpy())
        reconstructions.append(reconstruction.float().flatten(1).double().numpy())
        codes.append(found.numpy())
    x, x_hat, codes = (np.concatenate(parts) for parts in (originals, reconstructions, codes))
    r2 = 1 - np.square(x - x_hat).sum() / np.square(x - x.mean(axis=0)).sum()
    return r2, metrics.codebook_usage(codes, N_CODES), metrics.perplexity(codes, N_CODES)


def compare_training(options):
    """Print the table of trained contestants."""
    X, _, X_test, _ = load_fashion_mnist()
    scaling = {"shift": float(X.mean()), "scale": float(X.std()), "shape": (28, 28, 1)}
    rows, test = (Rows(images.reshape(-1, 784), **scaling) for images in (X, X_test))
    print(f"{options.steps} steps of {BATCH} images, {options.channels} channels, {options.n_blocks} blocks, "
          f"start {options.start}, {options.precision}")  # fmt: skip
    print("| quantiser | seed | test R² | usage | perplexity | CPU seconds |")
    print("| --- | --- | --- | --- | --- | --- |")
    for seed in options.seeds:
        for name in options.contestants:
            model, seconds = train(name, rows, options, seed)
            r2, usage, perplexity = evaluate(model, test)
            print(f"| {name} | {seed} | {r2:.4f} | {usage:.1%} | {perplexity:.1f} | {seconds:.0f} |", flush=True)


class OneHot(nn.Module):
    """The usual script: all distances, a one-hot matrix, two matrix products, an embedding that learns by gradient."""

    def __init__(self, n_codes, dim):
        super().__init__()
        self.embedding = nn.Embedding(n_codes, dim)
        nn.init.uniform_(self.embedding.weight, -1 / n_codes, 1 / n_codes)

    def forward(self, maps):
        z = maps.permute(0, 2, 3, 1).contiguous()
        flat, codebook = z.flatten(0, 2), self.embedding.weight
        distances = flat.square().sum(1, keepdim=True) + codebook.square().sum(1) - 2 * flat @ codebook.T
        codes = distances.argmin(dim=1, keepdim=True)
        one_hot = torch.zeros(len(codes), len(codebook)).scatter_(1, codes, 1)
        z_q = (one_hot @ codebook).view(z.shape)
        loss = F.mse_loss(z_q, z.detach()) + 0.25 * F.mse_loss(z_q.detach(), z)
        share = one_hot.mean(dim=0)
        self.perplexity = torch.exp(-(share * torch.log(share + 1e-10)).sum())
        return (z + (z_q - z).detach()).permute(0, 3, 1, 2), loss


def our_step(quantizer, maps):
    """Vectors as maps (b, d, h, w), and the sum of the losses, of a quantiser of the package."""
    quantized = quantizer(maps.flatten(2).transpose(1, 2))
    return quantized.vectors.transpose(1, 2).reshape(maps.shape), sum(quantized.losses.values())


def peer_step(layer, maps):
    vectors, _, loss = layer(maps)
    return vectors, loss.sum()


def layer_steps(k, d):
    """Name → function of maps (b, d, h, w) that returns vectors and loss."""
    peer = {"dim": d, "codebook_size": k, "accept_image_fmap": True}
    ours = {"ours, running means": EMAVectorQuantizer(k, d), "ours, gradient": VectorQuantizer(k, d)}
    peers = {
        "vector-quantize-pytorch, defaults": vqp.VectorQuantize(**peer),
        "vector-quantize-pytorch, straight-through": vqp.VectorQuantize(**peer, rotation_trick=False),
    }
    steps = {name: lambda maps, q=quantizer: our_step(q, maps) for name, quantizer in ours.items()}
    steps["one-hot script"] = OneHot(k, d)
    return steps | {name: lambda maps, q=layer: peer_step(q, maps) for name, layer in peers.items()}


def searches(z, codebook):
    """Name → function without arguments that finds the nearest codes."""
    index = faiss.IndexFlatL2(z.shape[1])
    index.add(codebook.numpy())
    layer = vqp.VectorQuantize(dim=z.shape[1], codebook_size=len(codebook), rotation_trick=False).eval()
    layer.codebook = codebook
    rows, batch = z.numpy(), z[None]

    def peer():
        with torch.no_grad():
            return layer(batch)[1]

    return {
        "ours": lambda: nearest_codes(z[:, None], codebook[None]),
        "faiss IndexFlatL2": lambda: index.search(rows, 1)[1],
        "cdist and argmin": lambda: torch.cdist(z, codebook).argmin(dim=1),
        "vector-quantize-pytorch": peer,
    }


def medians_in_turn(runs, repeats, clock):
    """Median seconds of each of `runs`, a dict of functions, over `repeats` rounds."""
    for run in runs.values():
        run()
    seconds = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            start = clock()
            run()
            seconds[name].append(clock() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def print_ratios(title, seconds):
    print(f"\n| {title} | ms | times ours |\n| --- | --- | --- |")
    ours = next(iter(seconds.values()))
    for name, value in seconds.items():
        print(f"| {name} | {1e3 * value:.2f} | {value / ours:.2f} |")


def compare_layers(options):
    """Print the tables of layer and search speeds: CPU time on one thread, wall time on more."""
    clock = time.process_time if options.threads == 1 else time.perf_counter
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(128, 64, 7, 7, generator=generator)

    def step(layer):
        leaf = maps.clone().requires_grad_()
        vectors, loss = layer(leaf)
        (vectors.sum() + loss).backward()

    runs = {name: lambda layer=layer: step(layer) for name, layer in layer_steps(512, 64).items()}
    print_ratios("layer, forward and backward", medians_in_turn(runs, options.repeats, clock))
    z, codebook = torch.randn(100_000, 64, generator=generator), torch.randn(512, 64, generator=generator)
    runs = searches(z, codebook)
    found = {name: np.asarray(run()).ravel() for name, run in runs.items()}
    print_ratios("nearest of 512 codes, 100,000 × 64", medians_in_turn(runs, options.repeats, clock))
    agreement = ", ".join(f"{name} {np.mean(codes == found['ours']):.4%}" for name, codes in found.items())
    print(f"equal codes: {agreement}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("train", "layers"))
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--n-blocks", type=int, default=1)
    parser.add_argument("--start", choices=("pca", "random"), default="pca", help="of the networks, for all alike")
    parser.add_argument("--precision", choices=("bfloat16", "float32"), default="bfloat16", help="of the networks")
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    logging.disable(logging.INFO)
    torch.set_num_threads(options.threads)
    faiss.omp_set_num_threads(options.threads)
    print_environment("vector-quantize-pytorch", "pythae", "faiss-cpu")
    {"train": compare_training, "layers": compare_layers}[options.what](options)


if __name__ == "__main__":
    main()
