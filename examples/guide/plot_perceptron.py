"""
The perceptron, and what it cannot learn
========================================

A perceptron separates two classes by a line. AND and OR have such a line, XOR has none.
"""

import matplotlib.pyplot as plt
import numpy as np

from skvq import MLPClassifier

# %%
# Rosenblatt's rule (1958): if the threshold unit is wrong, add the row to its weights or subtract it. If a
# separating line exists, the rule finds one in finitely many steps; if none exists, it never stops.

inputs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
gates = {"AND": np.array([0, 0, 0, 1]), "OR": np.array([0, 1, 1, 1]), "XOR": np.array([0, 1, 1, 0])}


def rosenblatt(X, y, n_epochs):
    """Return the number of wrong rows before each epoch of the perceptron rule."""
    X = np.c_[X, np.ones(len(X))]
    w = np.zeros(X.shape[1])
    wrong = []
    for _ in range(n_epochs):
        wrong.append(int(np.sum((X @ w >= 0) != y)))
        for row, target in zip(X, y):
            w += (target - (row @ w >= 0)) * row
    return wrong


for gate, y in gates.items():
    print(f"{gate:4} rows that are wrong, epoch by epoch: {rosenblatt(inputs, y, 10)}")

# %%
# The same three problems for a neuron with a logistic activation, trained by gradient descent on its log-loss. Its best
# answer to XOR is a probability of one half everywhere.

X = np.repeat(inputs, 25, axis=0) + 0.12 * np.random.default_rng(0).normal(size=(100, 2))
a, b = np.meshgrid(np.linspace(-0.6, 1.6, 150), np.linspace(-0.6, 1.6, 150))
figure, axes = plt.subplots(1, 3, figsize=(9, 3.3), layout="constrained", sharey=True)
for ax, (gate, truth) in zip(axes, gates.items()):
    y = np.repeat(truth, 25)
    neuron = MLPClassifier(hidden_layer_sizes=(), solver="lbfgs", alpha=0.1, random_state=0).fit(X, y)
    probability = neuron.predict_proba(np.c_[a.ravel(), b.ravel()])[:, 1].reshape(a.shape)
    ax.contourf(a, b, probability, levels=np.linspace(0, 1, 11), cmap="RdBu_r", alpha=0.8)
    if gate != "XOR":
        ax.contour(a, b, probability, levels=[0.5], colors="black")
    for label, marker in ((0, "o"), (1, "s")):
        ax.scatter(*X[y == label].T, s=18, marker=marker, color="white", edgecolors="black")
    ax.set(title=f"{gate}: accuracy {neuron.score(X, y):.2f}", aspect="equal", xlabel="first input")
axes[0].set_ylabel("second input")
plt.show()
