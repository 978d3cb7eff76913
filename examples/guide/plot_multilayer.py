"""
Hidden layers
=============

Two hidden units are enough for XOR. With more of them a network comes as near to a continuous function as is asked
for.
"""

import matplotlib.pyplot as plt
import numpy as np

from skvq import MLPClassifier, MLPRegressor

# %%
# Each hidden unit draws a line; the output unit combines their sides. The lines are where a unit's weighted sum is 0.

rng = np.random.default_rng(0)
corners = np.repeat([[0, 0], [0, 1], [1, 0], [1, 1]], 25, axis=0)
X = corners + 0.12 * rng.normal(size=(100, 2))
y = corners[:, 0] ^ corners[:, 1]
network = MLPClassifier(hidden_layer_sizes=(2,), activation="tanh", solver="lbfgs", alpha=0.01, random_state=5).fit(
    X, y
)
print(f"accuracy {network.score(X, y):.2f}")

a, b = np.meshgrid(np.linspace(-0.6, 1.6, 200), np.linspace(-0.6, 1.6, 200))
plane = np.c_[a.ravel(), b.ravel()]
figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.7), layout="constrained")
probability = network.predict_proba(plane)[:, 1].reshape(a.shape)
axes[0].contourf(a, b, probability, levels=np.linspace(0, 1, 11), cmap="RdBu_r", alpha=0.8)
for unit in range(2):
    z = plane @ network.coefs_[0][:, unit] + network.intercepts_[0][unit]
    axes[0].contour(a, b, z.reshape(a.shape), levels=[0], colors="black", linestyles=["-", "--"][unit])
axes[0].set(
    title="output, and the two hidden units' lines", xlabel="first input", ylabel="second input", aspect="equal"
)
hidden = np.tanh(X @ network.coefs_[0] + network.intercepts_[0])
for label, marker in ((0, "o"), (1, "s")):
    axes[0].scatter(*X[y == label].T, s=18, marker=marker, color="white", edgecolors="black")
    axes[1].scatter(*hidden[y == label].T, s=18, marker=marker, edgecolors="black", label=f"XOR is {label}")
axes[1].set(
    title="what the hidden layer makes of the rows", xlabel="hidden unit 1", ylabel="hidden unit 2", aspect="equal"
)
axes[1].legend()
plt.show()

# %%
# Cybenko (1989): one hidden layer of logistic units approximates any continuous function on a bounded region as closely
# as you want, if it is wide enough. The theorem does not say how to find the weights; here L-BFGS looks for them.

x = np.linspace(-3, 3, 300)[:, None]
target = np.sin(3 * x[:, 0]) * np.exp(-0.3 * x[:, 0] ** 2) + 0.3 * np.abs(x[:, 0])
figure, axes = plt.subplots(1, 3, figsize=(9, 2.8), layout="constrained", sharey=True)
for ax, width in zip(axes, (2, 6, 30)):
    model = MLPRegressor(
        hidden_layer_sizes=(width,), activation="logistic", solver="lbfgs", alpha=0, max_iter=3000, random_state=1
    ).fit(x, target)
    ax.plot(x, target, color="0.6", linewidth=4, label="function")
    ax.plot(x, model.predict(x), color="tab:red", label="network")
    ax.set(title=f"{width} hidden units, R² {model.score(x, target):.3f}", xlabel="x")
axes[0].legend()
plt.show()
