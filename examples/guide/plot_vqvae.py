"""
A vector-quantised autoencoder
==============================

Every image becomes a grid of integers, and the integers an image again.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skvq import VQVAETransformer
from skvq.display import CodebookUsageDisplay, CodeMapDisplay, ReconstructionDisplay

images = load_digits().images
train, test = train_test_split(images, random_state=0)

# %%
# A small network trains in seconds; the default is larger. 64 codes on a grid of 4 × 4 make 96 bits an image.

model = VQVAETransformer(n_codes=64, channels=32, n_blocks=1, max_iter=8, prior=None, random_state=0).fit(train)
print(f"R² of test images {model.score(test):.3f}, perplexity {model.perplexity_:.1f} of {model.n_codes_}")
ReconstructionDisplay.from_estimator(model, test, n_images=10)
plt.show()

# %%
# The codes of the same images, with a colour for each code. Codes with neighbouring numbers have nothing in common, and
# so their colours mean nothing either.

CodeMapDisplay.from_estimator(model, test, n_images=10)
plt.show()

# %%
# How often each code is used, sorted.

CodebookUsageDisplay.from_estimator(model)
plt.show()

# %%
# The meaning of a code: one position (second row, second column) of one image gets other codes, from the nearest in the
# codebook to the farthest. The patch there changes, and little else.

codes = model.transform(test[:1])
distances = np.linalg.norm(model.codebook_ - model.codebook_[codes[0, 5]], axis=1)
others = np.argsort(distances)[7::7]
changed = np.repeat(codes, len(others), axis=0)
changed[:, 5] = others
shown = model.inverse_transform(np.concatenate([codes, changed]))
figure, axes = plt.subplots(1, len(shown), figsize=(9, 1.4), layout="constrained")
for ax, image, code in zip(axes, shown, [codes[0, 5], *others]):
    ax.imshow(image, cmap="gray_r", vmin=0, vmax=16)
    ax.set(xticks=[], yticks=[])
    ax.set_title(f"code {code}", fontsize=8)
plt.show()
