"""
Gradient descent and its relatives
==================================

Steps on the surface of a loss, and four solvers on the same network.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from skvq import MLPClassifier, MLPRegressor

# %%
# A linear neuron with two weights has a loss that can be drawn. The inputs have different variances, so the valley is
# long. Plain descent zigzags across it or creeps along it, momentum rolls on, and Adam scales the step of each weight
# by the size of its gradients. One call of ``partial_fit`` on all rows is one step. All three start from the same
# weights, which a step of almost no length shows.

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 2)) * [3.0, 0.6]
X -= X.mean(axis=0)
best = np.array([1.0, 2.0])
y = X @ best
solvers = {
    "descent, rate 0.2": {"solver": "sgd", "learning_rate_init": 0.2, "momentum": 0.0},
    "momentum 0.9, rate 0.05": {"solver": "sgd", "learning_rate_init": 0.05, "nesterovs_momentum": True},
    "adam, rate 0.3": {"solver": "adam", "learning_rate_init": 0.3},
}
figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
w_1, w_2 = np.meshgrid(np.linspace(-1.4, 3.0, 120), np.linspace(-1.8, 3.2, 120))
surface = 0.5 * np.mean((X @ (np.stack([w_1.ravel(), w_2.ravel()]) - best[:, None])) ** 2, axis=0)
ax.contour(w_1, w_2, surface.reshape(w_1.shape), levels=np.geomspace(0.02, 60, 14), colors="0.75", linewidths=0.8)
neuron = MLPRegressor(hidden_layer_sizes=(), alpha=0, batch_size=len(X), random_state=11)
start = clone(neuron).set_params(learning_rate_init=1e-9).partial_fit(X, y).coefs_[0][:, 0]
for name, options in solvers.items():
    solver = clone(neuron).set_params(**options)
    path = [start, *(solver.partial_fit(X, y).coefs_[0][:, 0].copy() for _ in range(40))]
    ax.plot(*np.transpose(path), marker=".", markersize=5, linewidth=1, label=name)
ax.plot(*best, marker="*", markersize=14, color="black", linestyle="none", label="minimum")
ax.set(xlabel="first weight", ylabel="second weight", xlim=(-1.4, 3.0), ylim=(-1.8, 3.2))
ax.legend(loc="upper left", fontsize=8)
plt.show()

# %%
# Four ways to train one network on the digits: the loss over the passes through the rows. A pass of L-BFGS is one
# evaluation of loss and gradient on all rows, so it makes one step where the others make nine; ``max_fun`` counts its
# evaluations.

warnings.simplefilter("ignore", ConvergenceWarning)  # none of them is to converge in so few passes
X, y = load_digits(return_X_y=True)
X = X / 16
network = MLPClassifier(hidden_layer_sizes=(64,), max_iter=40, n_iter_no_change=40, random_state=0)
figure, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
for name, options in {
    "sgd, rate 0.1": {"solver": "sgd", "learning_rate_init": 0.1, "momentum": 0.0},
    "sgd with momentum 0.9, rate 0.1": {"solver": "sgd", "learning_rate_init": 0.1},
    "adam, rate 0.005": {"solver": "adam", "learning_rate_init": 0.005},
}.items():
    fitted = clone(network).set_params(**options).fit(X, y)
    ax.plot(range(1, fitted.n_iter_ + 1), fitted.loss_curve_, label=name)
evaluations = [2, 3, 5, 10, 15, 20, 30, 40]
ends = [clone(network).set_params(solver="lbfgs", max_fun=n, max_iter=200).fit(X, y).loss_ for n in evaluations]
ax.plot(evaluations, ends, marker=".", label="lbfgs, whole data")
ax.set(xlabel="passes through the rows", ylabel="log-loss", yscale="log")
ax.legend()
plt.show()

# %%
# The rate matters more than the solver. If it is too small, there is little progress in the given time. If it is too
# large, the loss jumps, or it grows without bound and the fit ends with an error that names the epoch and the rate.

figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
for rate in (0.0001, 0.001, 0.01, 0.1, 0.5):
    fitted = clone(network).set_params(solver="adam", learning_rate_init=rate, max_iter=20).fit(X, y)
    ax.plot(range(1, fitted.n_iter_ + 1), fitted.loss_curve_, label=f"adam, rate {rate:g}")
ax.set(xlabel="passes through the rows", ylabel="log-loss", yscale="log")
ax.legend(fontsize=8)
plt.show()
