"""
A variational autoencoder
=========================

A VAE gives every image a distribution over a few components, and can therefore draw new images: from the prior, or
from where the images are.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import norm
from sklearn.datasets import load_digits

from skvq import VAETransformer
from skvq.display import LatentDisplay

images, y = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8)

# %%
# Two components can be drawn. The left picture has the posterior means. The right one has the decoded images of a grid
# of points that cuts the prior N(0, I) into cells of equal probability; its ticks are quantiles of N(0, 1).

vae = VAETransformer(2, max_iter=30, random_state=0).fit(images)
quantiles = norm.ppf(np.linspace(0.04, 0.96, 12))
grid = np.array([[a, b] for b in quantiles[::-1] for a in quantiles], dtype=np.float32)
decoded = np.full((12, 9, 12, 9), np.nan)  # a pixel more on either side, for the gaps
decoded[:, :8, :, :8] = vae.inverse_transform(grid).reshape(12, 12, 8, 8).transpose(0, 2, 1, 3)
figure, axes = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
LatentDisplay.from_estimator(vae, images, y, ax=axes[0])
axes[1].imshow(decoded.reshape(108, 108)[:-1, :-1], cmap="gray_r", vmin=0, vmax=16)
axes[1].set(title="decoded from a grid of points", xlabel="component 0", ylabel="component 1", facecolor="0.7")
middles, names = 9 * np.arange(12) + 3.5, [f"{quantile:.1f}" for quantile in quantiles]
axes[1].set_xticks(middles, names, fontsize=7)
axes[1].set_yticks(middles, names[::-1], fontsize=7)
axes[1].tick_params(length=0)
plt.show()

# %%
# The two terms of the bound during training: how well an image is explained, and the cost of its code.

figure, axes = plt.subplots(1, 2, figsize=(8, 2.9), layout="constrained")
for ax, term, label in zip(
    axes, ("negative_log_likelihood", "kl"), ("-E log p(x | z), nats", "KL(q || N(0, I)), nats")
):
    epochs = range(1, vae.n_iter_ + 1)
    ax.plot(epochs, vae.history_[term], label="training rows")
    ax.plot(epochs, vae.history_[f"validation_{term}"], label="held-out rows")
    ax.set(xlabel="epoch", ylabel=label)
axes[0].legend()
plt.show()

# %%
# Sixteen components reconstruct better, and then most draws from N(0, I) fall where no image was encoded. The Gaussian
# mixture that `fit` fits to the posteriors draws from where they are.

vae = VAETransformer(16, max_iter=30, random_state=0).fit(images)
prior = np.random.default_rng(0).normal(size=(10, 16)).astype(np.float32)
lines = {
    "images": images[:10],
    "from N(0, I)": vae.inverse_transform(prior),
    "from the mixture": vae.sample(10, random_state=0),
}
figure, axes = plt.subplots(3, 10, figsize=(9, 3), layout="constrained")
for line, (name, shown) in zip(axes, lines.items()):
    for ax, image in zip(line, shown):
        ax.imshow(image, cmap="gray_r", vmin=0, vmax=16)
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
plt.show()
print(f"bound on log p(x): {vae.score(images):.1f} nats; {vae.n_active_components_} components in use")
