"""
A PixelCNN
==========

What a position knows of the others, and how a grid is drawn one position after the other.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from skvq import PixelCNN
from skvq.nn.grids.pixelcnn import GatedPixelCNN

# %%
# The mask of a first layer hides the position itself and all later ones in raster order. The masks of later layers (B)
# show the position itself, because its features then depend on earlier positions alone. A stack of such layers has a
# blind spot to the upper right: a path to it would have to go right along a row. Two stacks, one for the rows above and
# one for the row to the left, have none.

size, target = 13, (8, 6)


def masked_stack(kernel_size=3, n_layers=4):
    """Return a stack of masked convolutions, all weights 1: its output is not 0 where the input is seen."""
    layers = []
    for layer in range(n_layers):
        conv = nn.Conv2d(1, 1, kernel_size, padding=kernel_size // 2, bias=False)
        mask = torch.ones(kernel_size, kernel_size)
        mask[kernel_size // 2, kernel_size // 2 + (layer > 0) :] = 0
        mask[kernel_size // 2 + 1 :] = 0
        conv.weight.data = mask[None, None]
        layers.append(conv)
    return nn.Sequential(*layers)


def seen_by_masked_stack():
    """Return which inputs have an influence on the target position of a masked stack."""
    x = torch.zeros(1, 1, size, size, requires_grad=True)
    masked_stack()(x)[0, 0][target].backward()
    return x.grad[0, 0].numpy() != 0


def seen_by_two_stacks():
    """Return which codes change the logits of the target position of a gated PixelCNN."""
    model = GatedPixelCNN(2, (size, size), channels=8, n_layers=2).eval().double()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2, generator=torch.Generator().manual_seed(1))  # the head starts at zero
    with torch.no_grad():
        one_changed = torch.eye(size * size, dtype=torch.long).view(-1, size, size)
        logits = model(torch.cat([torch.zeros_like(one_changed[:1]), one_changed]))
    at_target = logits[:, target[0], target[1]]
    return (at_target[1:] != at_target[0]).any(dim=1).view(size, size).numpy()


figure, axes = plt.subplots(1, 2, figsize=(7.6, 4), layout="constrained")
fields = {"four masked 3 × 3 convolutions": seen_by_masked_stack(), "two stacks, as in PixelCNN": seen_by_two_stacks()}
for ax, (name, seen) in zip(axes, fields.items()):
    before = np.arange(size * size).reshape(size, size) < target[0] * size + target[1]
    picture = np.where(seen, 2, np.where(before, 1, 0)).astype(float)
    ax.imshow(picture, cmap="Blues", vmin=0, vmax=3)
    ax.plot(target[1], target[0], "s", color="tab:red", markersize=10)
    ax.set(title=name, xticks=np.arange(size) - 0.5, yticks=np.arange(size) - 0.5, xticklabels=[], yticklabels=[])
    ax.grid(color="white")
    ax.tick_params(length=0)
figure.supxlabel("red: the position; dark: what it sees; light: earlier positions that it does not see", fontsize=9)
plt.show()

# %%
# A model of digits in four grey levels, every pixel a code.

grids = np.minimum(load_digits().images // 4, 3).astype(int)
model = PixelCNN(n_codes=4, channels=24, max_iter=6, random_state=0).fit(grids)
uniform = -64 * np.log(4)
print(f"log p of a grid: {model.score(grids):.1f} nats (uniform: {uniform:.1f})")

# %%
# Five grids while they are drawn: after 0, 16, 32, 48 and 64 positions. Positions that are not drawn yet are grey.

drawn = model.sample(5, random_state=3).reshape(5, 64)
figure, axes = plt.subplots(5, 5, figsize=(5.6, 5.8), layout="constrained")
style = plt.get_cmap("gray_r").with_extremes(bad="#c9dcec")
for line, grid in zip(axes, drawn):
    for ax, n_drawn in zip(line, (0, 16, 32, 48, 64)):
        shown = np.ma.masked_array(grid, np.arange(64) >= n_drawn).reshape(8, 8)
        ax.imshow(shown, cmap=style, vmin=0, vmax=3)
        ax.set(xticks=[], yticks=[])
for ax, n_drawn in zip(axes[0], (0, 16, 32, 48, 64)):
    ax.set_title(f"{n_drawn} drawn", fontsize=9)
plt.show()

# %%
# The upper half of an image given, the lower half drawn four times.

known = np.arange(64) < 32
figure, axes = plt.subplots(4, 6, figsize=(6, 4.3), layout="constrained")
for line, image in zip(axes, grids[[0, 3, 6, 8]]):
    completed = model.sample(4, given=image.ravel(), mask=known, random_state=0).reshape(4, 8, 8)
    half = np.ma.masked_array(image, ~known.reshape(8, 8))
    for ax, shown in zip(line, [image, half, *completed]):
        ax.imshow(shown, cmap=style, vmin=0, vmax=3)
        ax.set(xticks=[], yticks=[])
for ax, title in zip(axes[0], ("image", "given", *["completed"] * 4)):
    ax.set_title(title, fontsize=9)
plt.show()
