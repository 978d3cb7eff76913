"""Seconds per epoch of AutoEncoderTransformer and VAETransformer beside pythae's AE and VAE with the same networks.

Images of 28 × 28 pixels, 64 components, dense layers (1024, 512) beside a linear path, batches of 128, Adam, one
thread, CPU seconds (which other work on the machine changes least). An epoch is the difference between fits of four
epochs and of one, divided by three; the best of three rounds in turn. pythae trains in float32, so that comes first.

    pip install pythae
    python benchmarks/autoencoder_speed.py
"""

import argparse
import logging
import tempfile
import time

import numpy as np
import torch
from _environment import print_environment
from pythae.data.datasets import BaseDataset
from pythae.models import AE, VAE, AEConfig, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig

from skvq import AutoEncoderTransformer, VAETransformer
from skvq.nn.bottleneck import build_decoder, build_encoder

from _datasets import load_fashion_mnist  # isort: skip

N_COMPONENTS, SIZES, BATCH, RATE = 64, (1024, 512), 128, 2e-3


class Encoder(BaseEncoder):
    """The package's encoder as pythae asks for it, with one head or two."""

    def __init__(self, n_heads, activation):
        super().__init__()
        architecture = {"row_shape": [1, 28, 28], "hidden_layer_sizes": SIZES, "activation": activation}
        self.network, self.n_heads = build_encoder(architecture, n_heads * N_COMPONENTS, None), n_heads

    def forward(self, x):
        z = self.network(x)
        if self.n_heads == 1:
            return ModelOutput(embedding=z)
        mean, log_variance = z.chunk(2, dim=-1)
        return ModelOutput(embedding=mean, log_covariance=log_variance)


class Decoder(BaseDecoder):
    """The package's decoder as pythae asks for it."""

    def __init__(self, activation):
        super().__init__()
        architecture = {"row_shape": [1, 28, 28], "hidden_layer_sizes": SIZES, "activation": activation}
        self.network = build_decoder(architecture, N_COMPONENTS, None)

    def forward(self, z):
        return ModelOutput(reconstruction=self.network(z))


def pythae(kind, activation):
    """Return a function that trains pythae's model for some epochs."""
    model, config, n_heads = (AE, AEConfig, 1) if kind == "ae" else (VAE, VAEConfig, 2)
    sizes = {"input_dim": (1, 28, 28), "latent_dim": N_COMPONENTS}

    def train(X, n_epochs):
        with tempfile.TemporaryDirectory() as folder:
            settings = BaseTrainerConfig(
                output_dir=folder,
                num_epochs=n_epochs,
                learning_rate=RATE / 10,
                per_device_train_batch_size=BATCH,
                no_cuda=True,
            )
            network = model(config(**sizes), encoder=Encoder(n_heads, activation), decoder=Decoder(activation))
            images = torch.from_numpy(X.reshape(-1, 1, 28, 28).astype(np.float32) / 255)
            data = BaseDataset(images, torch.ones(len(images)))  # what pythae's own pipeline makes of them
            BaseTrainer(network, train_dataset=data, training_config=settings).train()

    return train


def ours(estimator, **options):
    """Return a function that fits an estimator for some epochs."""

    def train(X, n_epochs):
        estimator(
            N_COMPONENTS,
            hidden_layer_sizes=SIZES,
            batch_size=BATCH,
            learning_rate_init=RATE,
            max_iter=n_epochs,
            early_stopping=False,
            random_state=0,
            **options,
        ).fit(X)

    return train


def seconds(train, X, n_epochs):
    start = time.process_time()
    train(X, n_epochs)
    return time.process_time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", choices=("ae", "vae"), default=("ae", "vae"))
    arguments = parser.parse_args()
    logging.disable(logging.INFO)
    torch.set_num_threads(1)
    print_environment("pythae")
    X = load_fashion_mnist()[0][: arguments.rows]
    for kind in arguments.kinds:
        estimator, activation = (AutoEncoderTransformer, "gelu") if kind == "ae" else (VAETransformer, "relu")
        candidates = {"pythae": pythae(kind, activation)}
        candidates |= {name: ours(estimator, precision=name) for name in ("float32", "bfloat16")}
        rounds = {name: [] for name in candidates}
        for _ in range(arguments.rounds):
            for name, train in candidates.items():
                rounds[name].append((seconds(train, X, 4) - seconds(train, X, 1)) / 3)
        for name, times in rounds.items():
            ratio = min(rounds["pythae"]) / min(times)
            print(
                f"{kind:4s} {name:9s} {min(times):.3f} s an epoch of {len(X)} images, {ratio:.2f} × pythae", flush=True
            )


if __name__ == "__main__":
    main()
