"""Estimators where scikit-learn has no callbacks yet."""

import subprocess
import sys

SCRIPT = """
import pickle, sys, warnings
sys.modules["sklearn.callback"] = None  # as if it did not exist
warnings.simplefilter("ignore")
import numpy as np
import skvq
rng = np.random.default_rng(0)
X, y, codes = rng.normal(size=(40, 6)), np.arange(40) % 2, rng.integers(0, 3, (40, 4))
small = {"channels": 4, "n_layers": 1, "max_iter": 1, "random_state": 0}
prior = skvq.PixelCNN(**small)
models = [
    skvq.MLPClassifier((4,), max_iter=2), skvq.MLPRegressor(hidden_layer_sizes=(4,), solver="lbfgs", max_iter=2),
    skvq.AutoEncoderTransformer(max_iter=1), skvq.VAETransformer(max_iter=1), prior,
    skvq.CausalTransformer(d_model=4, n_layers=1, max_iter=1),
    skvq.HierarchicalPixelCNN(((1, 2), (1, 2)), **small), skvq.VQVAETransformer(max_iter=1, prior=prior),
]
for model in models:
    data = codes if isinstance(model, type(prior).__bases__) else X
    model.fit(data, y)
    assert not hasattr(model, "set_callbacks"), model
    assert pickle.loads(pickle.dumps(model)).score(data, y) == model.score(data, y), model
models[-1].fit_prior(X)
print(len(models), "fitted")
"""


def test_every_estimator_works_and_has_no_set_callbacks_where_scikit_learn_has_none():
    # scikit-learn's own modules need theirs, so only what skvq imports is taken away.
    script = SCRIPT.replace("import pickle, sys", "import pickle, sys, sklearn.ensemble, sklearn.pipeline", 1)
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert found.stdout == "8 fitted\n", found.stderr[-2000:]
