"""The picture at the end of both image examples."""

import numpy as np


def draw_overview(path, originals, reconstructions, codes, samples, *, n_codes, title):
    """Write a PNG with a row each of originals, reconstructions, code maps and new samples.

    Parameters
    ----------
    path : str or Path
        Where the PNG goes.
    originals, reconstructions, samples : ndarray of shape (n, H, W)
    codes : ndarray of shape (n, h, w)
        Codes of the originals.
    n_codes : int
        Size of the codebook, the range of the colours of the code maps.
    title : str
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    vmin, vmax = float(np.min(originals)), float(np.max(originals))
    grey = {"cmap": "gray_r", "vmin": vmin, "vmax": vmax}
    rows = [
        ("original", originals, grey),
        ("reconstruction", reconstructions, grey),
        ("codes", codes, {"cmap": "nipy_spectral", "vmin": 0, "vmax": n_codes - 1}),
        ("new sample", samples, grey),
    ]
    n = len(originals)
    figure, axes = plt.subplots(len(rows), n, figsize=(0.9 * n + 1.2, 4.2), squeeze=False)
    for line, (name, images, style) in zip(axes, rows):
        for ax, image in zip(line, images):
            ax.imshow(image, interpolation="nearest", **style)
            ax.set_xticks([])
            ax.set_yticks([])
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    figure.suptitle(title)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
