"""
Looking at a model
==================

The displays of :mod:`skvq.display` draw what an estimator has learned. They work like scikit-learn's:
``from_estimator`` makes them, they draw on an ``ax`` if you pass one, and ``figure_`` and ``ax_`` hold the matplotlib
objects.
"""

# sphinx_gallery_thumbnail_number = 3

# %%
# The course of the training
# --------------------------
#
# ``LossCurveDisplay`` has a panel for each term of the loss. The dashed line is the epoch whose weights were kept: the
# one that reconstructs the held-out images best. ``reconstruction`` should fall. The other two terms measure how far
# the encoder's vectors are from the codebook's, and grow as these vectors spread.

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits, load_wine
from sklearn.model_selection import train_test_split

from skvq import AutoEncoderTransformer, MLPClassifier, PixelCNN, VAETransformer, VQVAETransformer
from skvq.display import (
    CodebookUsageDisplay,
    CodeMapDisplay,
    LatentDisplay,
    LatentTraversalDisplay,
    LossCurveDisplay,
    RateDistortionDisplay,
    ReconstructionDisplay,
    SampleDisplay,
    WeightsDisplay,
)

digits = load_digits()
X, X_test, y, y_test = train_test_split(digits.images, digits.target, test_size=0.25, random_state=0)
prior = PixelCNN(channels=24, batch_size=128, max_iter=12, class_conditional=True)
model = VQVAETransformer(32, channels=16, n_blocks=1, batch_size=64, max_iter=8, prior=prior, random_state=0).fit(X, y)
LossCurveDisplay.from_estimator(model)
plt.show()

# %%
# The prior is an estimator with curves of its own. ``terms`` picks some of the curves, and ``ax`` the place to draw.

figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
LossCurveDisplay.from_estimator(model, terms="reconstruction", ax=axes[0])
LossCurveDisplay.from_estimator(model.prior_, ax=axes[1])
axes[1].set_title("the prior: nats a code")
plt.show()

# %%
# Images and their codes
# ----------------------
#
# Test images, their reconstructions from the codes, and the codes themselves with a colour for each. Neither codes nor
# colours have an order.

ReconstructionDisplay.from_estimator(model, X_test, n_images=10)
CodeMapDisplay.from_estimator(model, X_test, n_images=10)
plt.show()

# %%
# ``CodebookUsageDisplay`` shows how often each code occurs. The dashed line is the frequency that all codes would have
# if they were equally frequent. The code that is furthest above it here is the one for an empty corner.

CodebookUsageDisplay.from_estimator(model)
plt.show()

# %%
# New images
# ----------
#
# A prior that knows the classes draws a line for each.

SampleDisplay.from_estimator(model, n_samples=10, y=range(10), random_state=0)
plt.show()

# %%
# Continuous components
# ---------------------
#
# ``LatentDisplay`` shows images as points in the space of an encoder. If that has more than two components, it draws
# the first two principal ones.

vae = VAETransformer(8, hidden_layer_sizes=(128,), max_iter=15, random_state=0).fit(X)
LatentDisplay.from_estimator(vae, X_test, y_test)
plt.show()

# %%
# ``LatentTraversalDisplay`` decodes the mean of the prior with one component moved at a time, in standard deviations.

LatentTraversalDisplay.from_estimator(vae, components=[0, 1, 2, 3])
plt.show()

# %%
# Tables
# ------
#
# The same displays take tables. Reconstructions are drawn over the true values, with R² of each column …

wine = load_wine(as_frame=True).data
autoencoder = AutoEncoderTransformer(3, max_iter=50, random_state=0).fit(wine)
ReconstructionDisplay.from_estimator(autoencoder, wine, features=["alcohol", "magnesium", "flavanoids", "hue"])
plt.show()

# %%
# … and a traversal draws a curve through all columns for each value of a component: here quantiles of the components of
# all wines.

LatentTraversalDisplay.from_estimator(autoencoder, wine)
plt.show()

# %%
# Quality over bits
# -----------------
#
# ``RateDistortionDisplay`` joins the models of one name by a line. Some codes occur more often than others, so an
# entropy coder spends fewer bits on a row than the plain codes take.

models = {
    f"{name} codes": [
        VQVAETransformer(16, (m,), quantizer=name, max_iter=30, prior=None, random_state=0).fit(wine[::2])
        for m in (2, 4, 8)
    ]
    for name in ("residual", "vector")
}
RateDistortionDisplay.from_estimators(models, wine[1::2])
plt.show()

# %%
# The weights of a first layer
# ----------------------------
#
# A perceptron has no hidden layer, so its weights are an image for each class. Red pixels speak for the class, blue
# pixels against it.

perceptron = MLPClassifier((), alpha=10.0, solver="lbfgs").fit(X.reshape(-1, 64) / 16, y)
WeightsDisplay.from_estimator(perceptron, image_shape=(8, 8))
plt.show()
