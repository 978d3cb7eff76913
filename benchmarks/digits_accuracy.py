"""Accuracy of one classifier on the codes of the digits, beside the same classifier on raw pixels.

Logistic regression, 5 stratified folds; grid and number of codes are chosen inside each training fold by 3-fold
cross-validated accuracy, as in the quickstart. Codes of the default size, 4 × 4 of 256, run beside them: they
reconstruct better, and are too many for a linear classifier on 1,400 rows.

    python benchmarks/digits_accuracy.py
"""

import numpy as np
from _environment import print_environment
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder

from skvq import VQVAETransformer


def main():
    print_environment()
    X, y = load_digits(return_X_y=True)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    classifier = LogisticRegression(max_iter=3000)
    vq = VQVAETransformer(image_shape=(8, 8), n_blocks=0, prior=None, random_state=0)
    on_codes = make_pipeline(vq, OneHotEncoder(handle_unknown="ignore"), classifier)
    grid = {"vqvaetransformer__code_shape": [(4, 4), (8, 8)], "vqvaetransformer__n_codes": [4, 16]}
    models = {
        "raw pixels": make_pipeline(MinMaxScaler(), classifier),
        "codes": GridSearchCV(on_codes, grid, cv=3, n_jobs=2),
        "256 codes": on_codes,
    }
    for name, model in models.items():
        accuracy = cross_val_score(model, X, y, cv=folds)
        print(f"{name:10s} accuracy {np.mean(accuracy):.4f} (folds {np.round(accuracy, 3)})", flush=True)


if __name__ == "__main__":
    main()
