"""Share the rows of calls between two processes: ``sharing_rows.py folder``, with models and rows from the folder.

What every call gave is written to the folder.
"""

import sys
from pathlib import Path

import joblib
import numpy as np
import torch
from scipy import sparse

from skvq import AutoEncoderTransformer, VQVAETransformer, from_shards, shared
from skvq.nn import ranks


def caught(call, *args, **options):
    """Return the type and the message of the error that a call ends in."""
    try:
        return call(*args, **options)
    except Exception as error:
        return type(error).__name__, str(error)


def shard(X, sizes=(60, 31, 40, 30, 40), wrong=None):
    """Yield this process's chunks of X: of two processes the first has the even ones, the other the odd ones."""
    for number, chunk in enumerate(np.split(X, np.cumsum(sizes)[:-1])):
        if number % ranks.count() == ranks.number():
            if number == wrong:
                raise OSError("the file is gone")
            yield chunk


def unsendable():
    """Raise, in the last process, an error of a kind that does not pickle."""

    class LocalError(Exception):
        pass

    if ranks.number() == ranks.count() - 1:
        raise LocalError("of this process alone")
    yield np.zeros((2, 3))


def fitted_to_shards(X, images):
    """Return what models say that were fitted to shards."""
    short = {"max_iter": 2, "random_state": 0, "batch_size": 50, "precision": "float32"}
    linear = AutoEncoderTransformer(3, hidden_layer_sizes=(), early_stopping=True, **short)
    of_images = VQVAETransformer(8, channels=8, n_blocks=1, prior=None, **short)
    stream = AutoEncoderTransformer(3, **short)
    for chunk in from_shards(shard(X)):
        stream.partial_fit(chunk)
    return [
        linear.fit(from_shards(shard(X))).transform(X),
        of_images.fit(from_shards(shard(images))).transform(images),
        stream.transform(X),
    ]


def results(models, rows):
    """Return what calls give in this process, by name; without a group they are plain calls."""
    autoencoder, vae, vqvae, classifier, pipeline, of_frame = models
    X, images, labels, frame, table = rows
    random, gaps = np.random.RandomState(3), np.where(X > 15, np.nan, X)
    return {
        "components": shared(autoencoder.transform, X),
        "components, few": shared(autoencoder.transform, X[:3]),
        "scores": shared(autoencoder.score_samples, X),
        "bounds": shared(vae.score_samples, X, n_importance_samples=2),
        "codes": shared(vqvae.transform, images),
        "images": shared(vqvae.inverse_transform, vqvae.transform(images)),
        "codes and classes": shared(vqvae.score_samples, images, labels),
        "codes and one class": shared(vqvae.score_samples, images, y=3),
        "labels": shared(classifier.predict, X),
        "sparse rows": shared(pipeline.transform, images),
        "frame of components": shared(of_frame.transform, frame),
        "frame back": shared(of_frame.inverse_transform, shared(of_frame.transform, frame)),
        "frame of components, polars": shared(of_frame.transform, table),
        "drawn reconstructions": shared(vae.reconstruct, X, n_draws=2, random_state=0),
        "sample": shared(vae.sample, 101, random_state=0),
        "sample again": shared(vae.sample, 101, random_state=0),
        "sample, one row": shared(vae.sample, 1, random_state=0),
        "sample without a seed": shared(vae.sample, 101),
        "sample and sample": [shared(vae.sample, 40, random_state=random) for _ in range(2)],
        "sample of a frame": shared(of_frame.sample, 101, random_state=0),
        "sample of classes": shared(vqvae.sample, 101, y=labels[:101], random_state=0),
        "shards": fitted_to_shards(X, images),
        "shards, of arrays": list(from_shards(X[ranks.number() :: ranks.count()])),
        "shards, none here": list(from_shards(X[: 100 * ranks.number()])),
        "error, a shard": caught(AutoEncoderTransformer(3).fit, from_shards(shard(X, wrong=3))),
        "error, no shard": caught(list, from_shards(3 if ranks.number() else X)),
        "error, sparse": caught(list, from_shards(sparse.csr_matrix(X))),
        "error, that does not pickle": caught(list, from_shards(unsendable())),
        "error, rows of a shard": caught(AutoEncoderTransformer(3).fit, from_shards(shard(gaps))),
        "error": caught(shared, autoencoder.transform, np.where(np.arange(len(X))[:, None] > 150, np.nan, X)),
        "error, no rows": caught(shared, vae.sample, 0),
        "error, no result of rows": caught(shared, autoencoder.score, X),
    }


def main(folder, rank, size):
    torch.set_num_threads(1)
    models, rows = joblib.load(folder / "models"), joblib.load(folder / "rows")
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/group", rank=rank, world_size=size)
    joblib.dump(results(models, rows), folder / f"results {rank}")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    from forks import run_in_forks  # beside this script

    folder = Path(sys.argv[1])
    sys.exit(run_in_forks(lambda rank: main(folder, rank, 2), 2) != {0: 0, 1: 0})
