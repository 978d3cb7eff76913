"""
Codes, reconstructions and samples of digits
============================================

The whole way on the digits of scikit-learn: codes, reconstructions, a classifier on codes, new samples.

Run it with ``python examples/quickstart.py``; it takes about a minute on two cores and writes ``quickstart.png``.
"""

import argparse
import time

import numpy as np
from _figure import draw_overview
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder

from skvq import VQVAETransformer

GRID = {"code_shape": [(4, 4), (8, 8)], "n_codes": [4, 16], "commitment_weight": [0.25, 1.0]}


def classify(X_train, X_test, y_train, y_test, model, grid):
    """Print the accuracy of a classifier on raw pixels and on codes that a grid search chooses; return a conclusion."""
    on_pixels = make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=2000)).fit(X_train, y_train)
    on_codes = Pipeline(
        [
            ("vq", model),
            ("onehot", OneHotEncoder(handle_unknown="ignore")),
            ("classify", LogisticRegression(max_iter=2000)),
        ]
    )
    grid = {f"vq__{name}": values for name, values in grid.items()}
    search = GridSearchCV(on_codes, grid, cv=3, n_jobs=2).fit(X_train, y_train)
    for parameters, score in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"]):
        print(f"  {parameters}: cross-validated accuracy {score:.3f}")
    print(f"grid search chooses {search.best_params_}")
    accuracy = {"raw pixels": on_pixels.score(X_test, y_test), "codes": search.score(X_test, y_test)}
    for name, value in accuracy.items():
        print(f"logistic regression on {name}: test accuracy {value:.3f}", flush=True)
    vq = search.best_estimator_["vq"]
    bits = np.prod(vq.code_shape_) * np.log2(vq.n_codes_)
    kept = accuracy["codes"] / accuracy["raw pixels"]
    return f"{bits:.0f} bits of codes keep {kept:.0%} of the accuracy that 512 bits of pixels have"


def run(X, y, model, model_of_features, grid, output):
    """Fit to three quarters of the images (n, 64), print what codes, samples and a classifier on codes are worth.

    Parameters
    ----------
    X : ndarray of shape (n, 64)
    y : ndarray of shape (n,)
    model : VQVAETransformer
        For reconstructions and samples.
    model_of_features : VQVAETransformer
        For the classifier.
    grid : dict
        The candidates for its parameters.
    output : str or Path
        Where the picture goes.
    """
    start = time.perf_counter()
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=0)

    model.fit(X_train)
    codes = model.transform(X_test)
    reconstructed = model.inverse_transform(codes)
    samples = model.sample(12, random_state=0)

    bits = codes.shape[1] * (model.n_codes_ - 1).bit_length()
    print(f"\n{model.code_shape_[0]} x {model.code_shape_[1]} codes out of {model.n_codes_}: {bits} bits an image")
    print(f"test R² {model.score(X_test):.4f}, perplexity {model.perplexity_:.1f}, usage {model.codebook_usage_:.0%}")
    print(f"log p(x) of test images at least {model.score_samples(X_test).mean():.1f} nats on average")
    conclusion = classify(X_train, X_test, y_train, y_test, model_of_features, grid)

    draw_overview(
        output,
        X_test[:12].reshape(-1, 8, 8),
        reconstructed[:12].reshape(-1, 8, 8),
        codes[:12].reshape(-1, *model.code_shape_),
        samples.reshape(-1, 8, 8),
        n_codes=model.n_codes_,
        title="VQVAETransformer on digits",
    )
    print(f"wrote {output} after {time.perf_counter() - start:.0f} s")
    print(f"It works: {conclusion}.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", default="quickstart.png", help="where the picture goes")
    output = parser.parse_args().output
    X, y = load_digits(return_X_y=True)
    model = VQVAETransformer(image_shape=(8, 8), random_state=0, verbose=1)
    model_of_features = VQVAETransformer(image_shape=(8, 8), n_blocks=0, prior=None, random_state=0)
    run(X, y, model, model_of_features, GRID, output)


if __name__ == "__main__":
    main()
