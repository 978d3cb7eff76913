"""Share the rows of calls as a rank: ``sharing_rows.py folder rank size``, with models and rows from the folder.

What every call gave is written to the folder.
"""

import sys
from pathlib import Path

import joblib
import numpy as np
import torch

from skvq import shared


def caught(call, *args, **options):
    """Return the type and the message of the error that a call ends in."""
    try:
        return call(*args, **options)
    except Exception as error:
        return type(error).__name__, str(error)


def results(models, rows):
    """Return what calls give in this process, by name; without a group they are plain calls."""
    autoencoder, vae, vqvae, classifier, pipeline, of_frame = models
    X, images, labels, frame, table = rows
    random = np.random.RandomState(3)
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
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
