"""
Four quantisers
===============

Four ways to cut a plane into 64 parts, with 6 bits each: one code of 64, two residual codes of 8, two product codes of
8, and rounded dimensions.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons

from skvq import FiniteScalarCodes, ProductCodes, ResidualCodes, VectorCodes, VQVAETransformer

X = make_moons(1000, noise=0.08, random_state=0)[0]
kinds = {
    "vector": {"quantizer": VectorCodes(), "n_codes": 64, "code_shape": (1,)},
    "residual": {"quantizer": ResidualCodes(), "n_codes": 8, "code_shape": (2,)},
    "product": {"quantizer": ProductCodes(code_dim=2), "n_codes": 8, "code_shape": (2,)},
    "finite scalar": {"quantizer": FiniteScalarCodes(), "n_codes": 64, "code_shape": (1,)},
}

# %%
# Each point of the plane has the colour of its code, or of its pair of codes. The dots are the points that the codes
# decode to. The networks are linear, so only the quantiser differs.

a, b = np.meshgrid(np.linspace(-1.6, 2.6, 220), np.linspace(-1.2, 1.7, 160))
plane = np.c_[a.ravel(), b.ravel()]
colours = plt.get_cmap("nipy_spectral")(np.random.default_rng(2).permutation(np.linspace(0.05, 0.95, 64)))
figure, axes = plt.subplots(2, 2, figsize=(9, 6.6), layout="constrained", sharex=True, sharey=True)
for ax, (name, codes) in zip(axes.flat, kinds.items()):
    model = VQVAETransformer(**codes, hidden_layer_sizes=(), max_iter=30, prior=None, random_state=0).fit(X)
    found = model.transform(plane)
    number = found @ (model.n_codes_ ** np.arange(found.shape[1]))
    ax.imshow(
        colours[number.reshape(a.shape) % 64], extent=(-1.6, 2.6, -1.2, 1.7), origin="lower", alpha=0.45, aspect="auto"
    )
    ax.plot(*X.T, ".", color="0.25", markersize=1.5)
    used = np.unique(model.transform(X), axis=0)
    ax.plot(*model.inverse_transform(used).T, "o", color="black", markeredgecolor="white", markersize=5)
    ax.set_title(f"{name}: R² {model.score(X):.3f}, {len(used)} of {model.n_codes_ ** found.shape[1]} in use")
plt.show()
