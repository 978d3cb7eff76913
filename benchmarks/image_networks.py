"""Networks and recipes for images: R² on held-out rows after equal seconds of training, on several sets.

    python benchmarks/image_networks.py --data fashion digits colour --seconds 60 --block default conv position
    python benchmarks/image_networks.py --batch-size 32 128 --commitment-weight 0.05 0.25 1

Every run has linear paths from PCA, a codebook from k-means and a cosine schedule over its own seconds. Rows held out
of the training rows are scored. Blocks beside the linear path: ``default`` is that of `skvq.nn.images`; ``conv`` a
3 × 3 convolution and a linear map; ``position`` a two-layer network over positions, shared by all channels, and one
over channels; ``none`` no network at all.
"""

import argparse
import itertools
import math
import time

import numpy as np
import torch
import torch.nn.functional as F
from _environment import print_environment

from _datasets import load_colour_patches, load_fashion_mnist  # isort: skip
from sklearn.datasets import load_digits
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from torch import nn

from skvq.metrics import codebook_usage, perplexity
from skvq.nn.images import ConvDecoder, ConvEncoder, start_from_pca
from skvq.nn.quantizers.vector import EMAVectorQuantizer
from skvq.training.batches import Rows
from skvq.training.loop import learning_rate_factor
from skvq.vqvae.defaults import automatic_code_shape
from skvq.vqvae.network import VQVAE, encoded_sample, kmeans_codebooks

SETS = {
    "fashion": lambda: load_fashion_mnist()[0],
    "digits": lambda: load_digits().images,
    "colour": lambda: load_colour_patches()[0],
}
OPTIONS = {
    "block": "default",
    "channels": 192,
    "n_blocks": 2,
    "code_dim": 32,
    "batch_size": 32,
    "learning_rate": 2e-3,
    "commitment_weight": 1.0,
}
# Vectors that the codebook starts from.
N_VECTORS = 32_768


class ConvBlock(nn.Module):
    """x + linear(relu(3 × 3 convolution)) over the grid."""

    def __init__(self, channels, code_shape):
        super().__init__()
        self.code_shape = code_shape
        self.norm = nn.LayerNorm(channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.narrow = nn.Linear(channels, channels)
        nn.init.zeros_(self.narrow.weight)

    def forward(self, x):
        b, m, c = x.shape
        grid = self.norm(x).view(b, *self.code_shape, c).permute(0, 3, 1, 2)
        return x + self.narrow(F.relu(self.conv(grid)).permute(0, 2, 3, 1).reshape(b, m, c))


class PositionBlock(nn.Module):
    """x + network over positions, then x + network over channels (the MLP-Mixer)."""

    def __init__(self, channels, code_shape):
        super().__init__()
        m = math.prod(code_shape)
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(2))
        self.over_positions = nn.Sequential(nn.Linear(m, 2 * m), nn.ReLU(), nn.Linear(2 * m, m))
        self.over_channels = nn.Sequential(
            nn.Linear(channels, 2 * channels), nn.ReLU(), nn.Linear(2 * channels, channels)
        )
        for part in (self.over_positions, self.over_channels):
            nn.init.zeros_(part[-1].weight)

    def forward(self, x):
        x = x + self.over_positions(self.norms[0](x).transpose(1, 2)).transpose(1, 2)
        return x + self.over_channels(self.norms[1](x))


def build(rows, options, generator):
    """Return a VQVAE started from the data, with the wanted blocks."""
    code_shape = automatic_code_shape(rows.shape)
    n_blocks = 0 if options["block"] == "none" else options["n_blocks"]
    sizes = (rows.shape, code_shape, options["code_dim"], options["channels"], n_blocks)
    encoder, decoder = (kind(*sizes, generator=generator) for kind in (ConvEncoder, ConvDecoder))
    if options["block"] in ("conv", "position"):
        kind = ConvBlock if options["block"] == "conv" else PositionBlock
        for part in (encoder, decoder):
            part.map.network.blocks = nn.Sequential(*[kind(options["channels"], code_shape) for _ in range(n_blocks)])
    start_from_pca(encoder, decoder, rows.sample(4096, generator))
    z = encoded_sample(encoder, rows, math.ceil(N_VECTORS / math.prod(code_shape)), generator)  # (n, m, d)
    vectors = z.reshape(-1, 1, options["code_dim"])[:N_VECTORS].numpy()
    codebook = kmeans_codebooks(vectors, 256, generator)
    quantizer = EMAVectorQuantizer(codebook.shape[1], options["code_dim"], generator=generator)
    quantizer.set_codebook(torch.from_numpy(codebook))
    return VQVAE(encoder, quantizer, decoder)


def train_for(seconds, module, rows, options, generator):
    """Train for so many seconds (CPU seconds on one thread); return the number of steps."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    adam = torch.optim.Adam(module.parameters(), lr=options["learning_rate"], betas=(0.9, 0.99), fused=True)
    begin, n_steps, batches = clock(), 0, iter(())
    while (progress := (clock() - begin) / seconds) < 1:
        batch = next(batches, None)
        if batch is None:
            batches = rows.shuffled(options["batch_size"], generator)
            batch = next(batches)
        adam.param_groups[0]["lr"] = options["learning_rate"] * learning_rate_factor(int(1000 * progress), 1000, 50)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            x_hat, _, quantized = module(batch)
        loss = F.mse_loss(x_hat, batch) + options["commitment_weight"] * quantized.losses["commitment"]
        adam.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        adam.step()
        n_steps += 1
    return n_steps


def run(X, options, seconds, seed):
    """Return steps, held-out R², usage and perplexity of one configuration."""
    train, scored = train_test_split(np.arange(len(X)), test_size=min(5000, len(X) // 5), random_state=0)
    shape = X.shape[1:] if X.ndim == 4 else (*X.shape[1:], 1)
    flat = X.reshape(len(X), -1)
    every = Rows(flat, shift=float(flat[train].mean()), scale=float(flat[train].std()), shape=shape)
    rows, held_out = every.restrict(train), every.restrict(scored)
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)  # for the blocks of this script
    module = build(rows, options, generator)
    n_steps = train_for(seconds, module.train(), rows, options, generator)
    module.eval()
    originals, reconstructions, codes = [], [], []
    for batch in held_out.in_order(500):
        found = module.encode(batch)
        codes.append(found.numpy())
        originals.append(batch.flatten(1).numpy())
        reconstructions.append(module.decode(found).flatten(1).numpy())
    codes = np.concatenate(codes)
    r2 = r2_score(np.concatenate(originals), np.concatenate(reconstructions), multioutput="variance_weighted")
    n_codes = module.quantizer.n_codes
    return n_steps, r2, codebook_usage(codes, n_codes), perplexity(codes, n_codes)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=sorted(SETS), default=sorted(SETS))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--threads", type=int, default=None, help="all by default; with 1, seconds are CPU seconds")
    parser.add_argument("--seed", type=int, default=0)
    for name, value in OPTIONS.items():
        parser.add_argument("--" + name.replace("_", "-"), nargs="+", type=type(value), default=[value])
    arguments = parser.parse_args()
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    print_environment()
    print("data     steps  R²      usage  perplexity  options that differ from the default")
    for name in arguments.data:
        X = SETS[name]()
        for values in itertools.product(*(getattr(arguments, option) for option in OPTIONS)):
            options = dict(zip(OPTIONS, values))
            n_steps, r2, usage, found = run(X, options, arguments.seconds, arguments.seed)
            differing = {option: value for option, value in options.items() if value != OPTIONS[option]}
            print(f"{name:8s} {n_steps:5d}  {r2:.4f}  {usage:6.1%}  {found:6.1f}    {differing or ''}", flush=True)


if __name__ == "__main__":
    main()
