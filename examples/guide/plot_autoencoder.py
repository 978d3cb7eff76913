"""
An autoencoder beside PCA
=========================

An autoencoder squeezes an image through a few numbers and gives it back. Without hidden layers it is PCA; with them
it goes on from there.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

from skvq import AutoEncoderTransformer
from skvq.display import LatentDisplay

images, y = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8)
train, test, _, y_test = train_test_split(images, y, random_state=0)

# %%
# The share of the variance of test images that is reproduced, over the number of components.

components = (2, 4, 8, 16)
autoencoders = {k: AutoEncoderTransformer(k, max_iter=25, random_state=0).fit(train) for k in components}
flat_train, flat_test = train.reshape(len(train), -1), test.reshape(len(test), -1)


def by_pca(k):
    """Return test images from their first k principal components."""
    pca = PCA(k).fit(flat_train)
    return pca.inverse_transform(pca.transform(flat_test))


of_pca = [r2_score(flat_test, by_pca(k), multioutput="variance_weighted") for k in components]
figure, ax = plt.subplots(figsize=(5.5, 3.2), layout="constrained")
ax.plot(components, [autoencoders[k].score(test) for k in components], marker="o", label="autoencoder")
ax.plot(components, of_pca, marker="s", label="PCA")
ax.set(xlabel="components", ylabel="R² of test images", xticks=components, ylim=(0, 1))
ax.legend()
plt.show()

# %%
# Eight of these images from eight numbers each.

restored = autoencoders[8].inverse_transform(autoencoders[8].transform(test))
lines = {"original": test, "autoencoder": restored, "PCA": by_pca(8).reshape(-1, 8, 8)}
figure, axes = plt.subplots(3, 8, figsize=(8, 3.1), layout="constrained")
for line, (name, shown) in zip(axes, lines.items()):
    for ax, image in zip(line, shown):
        ax.imshow(image, cmap="gray_r", vmin=0, vmax=16)
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(name)
plt.show()

# %%
# With two components, the code is a map of the images. The colours are the digits; neither model has seen them.

figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
LatentDisplay.from_estimator(autoencoders[2], test, y_test, ax=axes[0])
LatentDisplay.from_latents(PCA(2).fit(flat_train).transform(flat_test), y_test, ax=axes[1])
axes[0].set_title("autoencoder")
axes[1].set_title("PCA")
plt.show()

# %%
# The error of the reconstruction is an anomaly score. Most digits turned upside down are unlike any that the model
# knows.

errors = {"test images": test, "upside down": test[:, ::-1]}
figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for name, shown in errors.items():
    ax.hist(autoencoders[8].reconstruction_error(shown), bins=np.linspace(0, 1, 41), alpha=0.6, label=name)
ax.set(xlabel="reconstruction_error", ylabel="images")
ax.legend()
plt.show()
