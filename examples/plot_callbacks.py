"""
Watching a fit: callbacks
=========================

From scikit-learn 1.9 on, its callbacks work on every estimator of the package: a progress bar, scores after every
epoch, and rules of your own for when to stop.
"""

# %%
# Scores after every epoch
# ------------------------
#
# After every epoch :class:`~sklearn.callback.ScoringMonitor` calls its scorers with the model that training would
# return if it ended there. It passes the training rows, but a scorer may ignore them and use other rows. Here one
# scorer does each: they measure how much of the variance of 8 × 8 digits an autoencoder reproduces from eight numbers.

import matplotlib.pyplot as plt
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skvq import AutoEncoderTransformer, PixelCNN, VQVAETransformer, progress

X_train, X_test = train_test_split(load_digits().data, train_size=400, test_size=400, random_state=0)


def on_training_rows(model, X, y):
    return model.score(X)


def on_other_rows(model, X, y):
    return model.score(X_test)


monitor = ScoringMonitor(scoring={"training rows": on_training_rows, "other rows": on_other_rows})
model = AutoEncoderTransformer(8, hidden_layer_sizes=(128,), max_iter=60, early_stopping=False, random_state=0)
model.set_callbacks(monitor).fit(X_train)
epochs = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]

figure, ax = plt.subplots(figsize=(6, 3.6))
for name in ("training rows", "other rows"):
    ax.plot(range(1, len(epochs) + 1), [row[name] for row in epochs], label=name)
ax.set(xlabel="epoch", ylabel="R² of the reconstruction")
ax.legend()
figure.tight_layout()

# %%
# A bar, and a rule for stopping
# ------------------------------
#
# A callback is any object with the four methods below. If ``on_fit_task_end`` returns True, the training ends. The fit
# of a VQ-VAE has two stages, the autoencoder and the prior over its codes, and so two bars. A callback that stops one
# of them does not stop the other.


class StopAt:
    """Stops the autoencoder when its reconstruction term is low enough."""

    def __init__(self, reconstruction):
        self.reconstruction = reconstruction

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        return context.task_name == "epoch" and estimator.history_["reconstruction"][-1] < self.reconstruction


prior = PixelCNN(channels=16, n_layers=1, max_iter=10)
model = VQVAETransformer(16, (16,), hidden_layer_sizes=(), max_iter=30, prior=prior, random_state=0)
model.set_callbacks(ProgressBar(), StopAt(0.055)).fit(X_train)
print(f"autoencoder: {model.n_iter_} epochs, prior: {model.prior_.n_iter_} epochs")

# %%
# After the fit
# -------------
#
# Callbacks are for ``fit``. Long calls on a fitted model, such as new digits from the prior, show their progress inside
# a block of :func:`skvq.progress`. Without ``delay=0`` it shows only calls that take more than half a second.

with progress(delay=0):
    X_new = model.sample(2000, random_state=0)
print(X_new.shape)
