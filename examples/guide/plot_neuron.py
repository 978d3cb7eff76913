"""
A neuron
========

A neuron weighs its inputs, adds a bias, and passes the sum through an activation. With fixed weights it computes a
gate; with learned ones it is logistic regression.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler

from skvq import MLPClassifier

# %%
# Four activations. The threshold is that of McCulloch and Pitts (1943); the others have a slope, which learning needs.

z = np.linspace(-4, 4, 401)
activations = {
    "threshold": (z >= 0).astype(float),
    "logistic": 1 / (1 + np.exp(-z)),
    "tanh": np.tanh(z),
    "relu": np.maximum(z, 0),
}
figure, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
for name, values in activations.items():
    ax.plot(z, values, label=name)
ax.set(xlabel="weighted sum z", ylabel="output", ylim=(-1.2, 2.2))
ax.legend()
plt.show()

# %%
# A neuron with a threshold, weights of 1 and a bias of -1.5 is AND: it is true if both inputs are. With a bias of -0.5
# it is OR.

inputs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
for gate, bias in (("AND", -1.5), ("OR", -0.5)):
    print(gate, (inputs @ [1, 1] + bias >= 0).astype(int))

# %%
# Weights can be learned. ``MLPClassifier(hidden_layer_sizes=())`` has no layer between input and output: one neuron
# with a logistic activation. Two species of iris, two measurements; the arrow is the direction of its weights.

data = load_iris()
chosen = data.target < 2
X = StandardScaler().fit_transform(data.data[chosen][:, [0, 1]])
y = data.target[chosen]
neuron = MLPClassifier(hidden_layer_sizes=(), solver="lbfgs", alpha=1.0, random_state=0).fit(X, y)

a, b = np.meshgrid(np.linspace(-2.5, 3.2, 200), np.linspace(-2.8, 3.2, 200))
probability = neuron.predict_proba(np.c_[a.ravel(), b.ravel()])[:, 1].reshape(a.shape)
weights, bias = neuron.coefs_[0][:, 0], neuron.intercepts_[0][0]
print(f"weights {np.round(weights, 2)}, bias {bias:.2f}, accuracy {neuron.score(X, y):.2f}")

figure, ax = plt.subplots(figsize=(6, 4.4), layout="constrained")
levels = ax.contourf(a, b, probability, levels=np.linspace(0, 1, 11), cmap="RdBu_r", alpha=0.8)
figure.colorbar(levels, label="output: probability of versicolor")
ax.contour(a, b, probability, levels=[0.5], colors="black")
for label, marker in ((0, "o"), (1, "s")):
    ax.scatter(*X[y == label].T, marker=marker, edgecolors="black", color="white", label=data.target_names[label])
direction = weights / np.linalg.norm(weights)
start = -bias * weights / (weights @ weights)
ax.annotate("", start + direction, start, arrowprops={"arrowstyle": "-|>", "linewidth": 2})
ax.set(xlabel=f"{data.feature_names[0]}, standardised", ylabel=f"{data.feature_names[1]}, standardised", aspect="equal")
ax.legend(loc="upper left")
plt.show()
