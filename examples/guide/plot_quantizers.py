"""
Four quantisers
===============

How 64 codes cut a plane, with the same number of bits: one code of 64, two residual codes of 8, two product codes of
8, and rounded dimensions.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons

from skvq import VQVAETransformer

X = make_moons(1000, noise=0.08, random_state=0)[0]
quantizers = {
    "vector": {"n_codes": 64, "code_shape": (1,)},
    "residual": {"n_codes": 8, "code_shape": (2,)},
    "product": {"n_codes": 8, "code_shape": (2,), "code_dim": 2},
    "finite_scalar": {"n_codes": 64, "code_shape": (1,)},
}

# %%
# Each point of the plane has the colour of its code, or pair of codes; dots are what the codes decode to. The networks
# are linear, so that what differs is the quantiser.

a, b = np.meshgrid(np.linspace(-1.6, 2.6, 220), np.linspace(-1.2, 1.7, 160))
plane = np.c_[a.ravel(), b.ravel()]
colours = plt.get_cmap("nipy_spectral")(np.random.default_rng(2).permutation(np.linspace(0.05, 0.95, 64)))
figure, axes = plt.subplots(2, 2, figsize=(9, 6.6), layout="constrained", sharex=True, sharey=True)
for ax, (name, sizes) in zip(axes.flat, quantizers.items()):
    model = VQVAETransformer(
        quantizer=name, hidden_layer_sizes=(), max_iter=30, prior=None, random_state=0, **sizes
    ).fit(X)
    codes = model.transform(plane)
    number = codes @ (model.n_codes_ ** np.arange(codes.shape[1]))
    ax.imshow(
        colours[number.reshape(a.shape) % 64], extent=(-1.6, 2.6, -1.2, 1.7), origin="lower", alpha=0.45, aspect="auto"
    )
    ax.plot(*X.T, ".", color="0.25", markersize=1.5)
    used = np.unique(model.transform(X), axis=0)
    ax.plot(*model.inverse_transform(used).T, "o", color="black", markeredgecolor="white", markersize=5)
    ax.set_title(f"{name}: R² {model.score(X):.3f}, {len(used)} of {model.n_codes_ ** codes.shape[1]} in use")
plt.show()
