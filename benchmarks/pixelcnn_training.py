"""Held-out nats and seconds per epoch of PixelCNN beside what else models grids of codes.

Opponents: independent positions and a first-order Markov chain, both counted; pythae's PixelCNN with its own defaults
and loss, trained on the same grids; and the usual script of a gated PixelCNN, masked convolutions in float32 over
embedded codes, with as many channels and layers. The networks get batches of the same size and Adam with the same
warm-up, cosine and clipping, at the one of three learning rates that serves each of them best, and are trained for the
CPU seconds of PixelCNN, the script for its epochs as well. All keep the weights that are best on the same held-out
tenth; nats are of grids that nothing has seen. One thread.

    pip install pythae
    python benchmarks/pixelcnn_training.py digits
    python benchmarks/pixelcnn_training.py fashion_mnist --codes codes.npz    # codes as `train` and `test`, (n, 49)
    python benchmarks/pixelcnn_training.py fashion_mnist --parts seconds      # the seconds of an epoch alone
"""

import argparse
import copy
import math
import time
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from _code_models import IndependentCodes, MarkovChain
from _environment import print_environment
from pythae.models.normalizing_flows import PixelCNN as PythaeNetwork
from pythae.models.normalizing_flows import PixelCNNConfig
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from skvq import PixelCNN, VQVAETransformer

from _datasets import load_fashion_mnist  # isort: skip

RATES = (1e-3, 2e-3, 4e-3)
BATCH = 64
# Held-out grids that choose weights and learning rates.
LOOK = 2000


class MaskedConv(nn.Conv2d):
    """Convolution over the rows above (kernel (r + 1, k)) or the columns to the left (kernel (1, r + 1)).

    The last row or column of the kernel is the position's own; type "A", of a first layer, multiplies it by zero.
    """

    def __init__(self, kind, in_channels, out_channels, kernel_size):
        height, width = kernel_size
        padding = (height - 1, width // 2) if height > 1 else (0, width - 1)
        super().__init__(in_channels, out_channels, kernel_size, padding=padding)
        mask = torch.ones_like(self.weight)
        if kind == "A" and height > 1:
            mask[:, :, -1] = 0
        elif kind == "A":
            mask[:, :, :, -1] = 0
        self.register_buffer("mask", mask)

    def forward(self, x):
        h, w = x.shape[2:]
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)[:, :, :h, :w]


def gated(x):
    """Return tanh(a) σ(b) for the halves a, b of the channels."""
    a, b = x.chunk(2, dim=1)
    return torch.tanh(a) * torch.sigmoid(b)


class MaskedLayer(nn.Module):
    """A gated layer of both stacks, (b, c, h, w) twice."""

    def __init__(self, kind, channels, kernel_size):
        super().__init__()
        reach = kernel_size // 2 + 1
        self.vertical = MaskedConv(kind, channels, 2 * channels, (reach, kernel_size))
        self.horizontal = MaskedConv(kind, channels, 2 * channels, (1, reach))
        self.link = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.residual = nn.Conv2d(channels, channels, 1)
        self.kind = kind

    def forward(self, v, h):
        before = self.vertical(v)
        out = self.residual(gated(self.horizontal(h) + self.link(before)))
        return gated(before), out if self.kind == "A" else h + out


class MaskedPixelCNN(nn.Module):
    """The usual script: a first layer of kernel 7 that does not see its own position, then layers of kernel 3."""

    def __init__(self, n_codes, channels=64, n_layers=2):
        super().__init__()
        self.embedding = nn.Embedding(n_codes, channels)
        layers = [MaskedLayer("A", channels, 7)] + [MaskedLayer("B", channels, 3) for _ in range(n_layers)]
        self.layers = nn.ModuleList(layers)
        self.head = nn.Sequential(nn.Conv2d(channels, 2 * channels, 1), nn.ReLU(), nn.Conv2d(2 * channels, n_codes, 1))

    def loss(self, codes):
        v = h = self.embedding(codes).permute(0, 3, 1, 2)
        for layer in self.layers:
            v, h = layer(v, h)
        return F.cross_entropy(self.head(h), codes)


class PythaePixelCNN(nn.Module):
    """pythae's PixelCNN, which takes codes as floats."""

    def __init__(self, n_codes, grid_shape):
        super().__init__()
        self.network = PythaeNetwork(PixelCNNConfig(input_dim=(1, *grid_shape), n_embeddings=n_codes))

    def loss(self, codes):
        return self.network({"data": codes[:, None].float()}).loss


@dataclass
class Grids:
    """Codes (n, h, w): to train on, to choose weights and learning rates by, and to report on."""

    train: torch.Tensor
    held_out: torch.Tensor
    test: torch.Tensor
    n_codes: int

    @classmethod
    def split(cls, train, test, n_rows):
        """Make square grids of rows (n, m), at most `n_rows` of them to train on, and hold a tenth of these out."""
        side, n_codes = math.isqrt(train.shape[1]), int(max(train.max(), test.max())) + 1
        train, test = (torch.from_numpy(codes.astype(np.int64)).view(-1, side, side) for codes in (train, test))
        train = train[torch.randperm(len(train), generator=torch.Generator().manual_seed(0))][:n_rows]
        return cls(train[len(train) // 10 :], train[: len(train) // 10], test, n_codes)


@torch.no_grad()
def nats(model, grids):
    """Return the mean negative log-likelihood of a grid, in nats."""
    model.eval()
    total = sum(float(model.loss(batch)) * len(batch) for batch in grids.split(250))
    return total / len(grids) * grids[0].numel()


class Progress:
    """How much of a training is done, in steps or in CPU seconds."""

    def __init__(self, *, n_steps=None, seconds=None):
        self.n_steps, self.seconds = n_steps, seconds
        self.step, self.spent = 0, 0.0

    def add(self, seconds):
        self.step, self.spent = self.step + 1, self.spent + seconds

    @property
    def share(self):
        return min(1.0, self.spent / self.seconds if self.n_steps is None else self.step / self.n_steps)

    def learning_rate_factor(self):
        """Return a warm-up over a twentieth of the training, then half a cosine."""
        return min(1.0, 20 * self.share + 1e-2) * 0.5 * (1 + math.cos(math.pi * self.share))


def batches(grids):
    """Yield batches of grids, epoch after epoch, without end."""
    loader = DataLoader(TensorDataset(grids), BATCH, shuffle=True, generator=torch.Generator().manual_seed(0))
    while True:
        yield from loader


def train(model, grids, rate, progress, n_looks=20):
    """Train in place; keep the weights of the best of some looks at held-out grids, which cost the progress no time."""
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    best, kept, looks = math.inf, None, 0
    started = time.process_time()
    for (batch,) in batches(grids.train):
        model.train()
        optimizer.param_groups[0]["lr"] = rate * progress.learning_rate_factor()
        optimizer.zero_grad()
        model.loss(batch).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        progress.add(time.process_time() - started)
        if progress.share >= (looks + 1) / n_looks:
            looks = int(n_looks * progress.share)
            found = nats(model, grids.held_out[:LOOK])
            if found < best:
                best, kept = found, copy.deepcopy(model.state_dict())
        if progress.share >= 1:
            break
        started = time.process_time()
    model.load_state_dict(kept)
    return best


def report(name, test_nats, seconds=math.nan, n_epochs=math.nan, note=""):
    print(f"{name:42s} {n_epochs:7.2f} {seconds:7.1f} {test_nats:10.2f}  {note}", flush=True)


def count(grids):
    """Print a line for each of the two models that count."""
    rows = torch.cat([grids.train, grids.held_out]).flatten(1).numpy()
    for name, model in (("independent positions", IndependentCodes), ("first-order Markov chain", MarkovChain)):
        report(name, -model(grids.n_codes).fit(rows).score_samples(grids.test.flatten(1).numpy()).mean())


def fit_ours(grids, n_epochs):
    """Print the line of PixelCNN; return its CPU seconds, the check of held-out grids included, and its epochs."""
    started = time.process_time()
    model = PixelCNN(grids.n_codes, max_iter=n_epochs, random_state=0)
    model.fit(grids.train.numpy(), X_val=grids.held_out.numpy())
    seconds = time.process_time() - started
    size = sum(parameter.size for parameter in model.weights_.values())
    report("PixelCNN", -model.score(grids.test.numpy()), seconds, model.n_iter_, f"{size:,} weights")
    return seconds, model.n_iter_


def fit_other(name, make, grids, lengths):
    """Print a line of a network for every length of training, at the learning rate that a short one finds best."""

    def fit(rate, n_looks, **length):
        torch.manual_seed(0)
        model, progress = make(), Progress(**length)
        return model, progress, train(model, grids, rate, progress, n_looks)

    rate = min(RATES, key=lambda rate: fit(rate, 1, seconds=lengths["seconds"] / 10)[2])
    for what, length in lengths.items():
        model, progress, _ = fit(rate, 20, **{what: length})
        size = sum(parameter.numel() for parameter in model.parameters())
        report(
            f"{name}, same {'epochs' if what == 'n_steps' else 'time'}",
            nats(model, grids.test),
            progress.spent,
            progress.step / math.ceil(len(grids.train) / BATCH),
            f"{size:,} weights, learning rate {rate:g}",
        )


def compare(grids, n_epochs):
    """Print a line for each model of the grids."""
    shape = tuple(grids.test.shape[1:])
    print(f"\n{len(grids.train)} grids {shape} of {grids.n_codes} codes")
    print(f"{'':42s} {'epochs':>7s} {'CPU s':>7s} {'test nats':>10s}")
    count(grids)
    seconds, n_epochs = fit_ours(grids, n_epochs)
    n_steps = n_epochs * math.ceil(len(grids.train) / BATCH)
    fit_other(
        "masked convolutions", lambda: MaskedPixelCNN(grids.n_codes), grids, {"seconds": seconds, "n_steps": n_steps}
    )
    fit_other("pythae", lambda: PythaePixelCNN(grids.n_codes, shape), grids, {"seconds": seconds})


def seconds_of_epoch(grids, n_rounds):
    """Print CPU seconds of an epoch of 6,400 grids, the best of some rounds in turn."""
    few = Grids(grids.train[:6400], grids.held_out[:250], grids.test, grids.n_codes)
    n_steps = math.ceil(len(few.train) / BATCH)

    def ours(precision):
        def run():
            model = PixelCNN(few.n_codes, early_stopping=False, precision=precision, dropout=0.0, random_state=0)
            seconds = []
            for n_epochs in (1, 2):
                started = time.process_time()
                model.set_params(max_iter=n_epochs).fit(few.train.numpy())
                seconds.append(time.process_time() - started)
            return seconds[1] - seconds[0]

        return run

    def other(make):
        def run():
            progress = Progress(n_steps=n_steps)
            train(make(), few, 1e-3, progress, n_looks=1)
            return progress.spent

        return run

    candidates = {f"PixelCNN, {precision}": ours(precision) for precision in ("bfloat16", "float32")}
    candidates["masked convolutions"] = other(lambda: MaskedPixelCNN(few.n_codes))
    candidates["pythae"] = other(lambda: PythaePixelCNN(few.n_codes, tuple(few.test.shape[1:])))
    rounds = {name: [] for name in candidates}
    for _ in range(n_rounds):
        for name, run in candidates.items():
            rounds[name].append(run())
    print(f"\nCPU seconds of an epoch of {len(few.train)} grids, best of {n_rounds}")
    for name, seconds in rounds.items():
        print(f"{name:42s} {min(seconds):7.2f}", flush=True)


def codes_of(what):
    """Return the codes of training and of test images under the default model."""
    if what == "digits":
        X_train, X_test = train_test_split(load_digits().images, test_size=0.2, random_state=0)
    else:
        X_train, _, X_test, _ = load_fashion_mnist()
    model = VQVAETransformer(prior=None, random_state=0).fit(X_train)
    return model.transform(X_train), model.transform(X_test)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("digits", "fashion_mnist"))
    parser.add_argument("--codes", help="an npz file with codes (n, m) as `train` and `test`, instead of a fit")
    parser.add_argument("--rows", type=int, default=60_000, help="grids to train on at most")
    parser.add_argument("--epochs", type=int, help="of PixelCNN; its default otherwise")
    parser.add_argument("--parts", nargs="+", choices=("nats", "seconds"), default=("nats", "seconds"))
    parser.add_argument("--rounds", type=int, default=3, help="of timing an epoch")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print_environment("pythae")
    if arguments.codes is None:
        train_codes, test_codes = codes_of(arguments.what)
    else:
        with np.load(arguments.codes) as file:
            train_codes, test_codes = file["train"], file["test"]
    grids = Grids.split(train_codes, test_codes, arguments.rows)
    if "nats" in arguments.parts:
        compare(grids, "auto" if arguments.epochs is None else arguments.epochs)
    if "seconds" in arguments.parts:
        seconds_of_epoch(grids, arguments.rounds)


if __name__ == "__main__":
    main()
