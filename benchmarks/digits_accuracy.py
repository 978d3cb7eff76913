"""Accuracy of one classifier on the codes of the digits, beside the same classifier on raw pixels.

Logistic regression, 5 stratified folds; the VQVAETransformer is fitted inside each fold, with its defaults.

    python benchmarks/digits_accuracy.py
"""

import numpy as np
from _environment import print_environment
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder

from skvq import VQVAETransformer


def main():
    print_environment()
    X, y = load_digits(return_X_y=True)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    classifier = LogisticRegression(max_iter=3000)
    on_codes = VQVAETransformer(image_shape=(8, 8), prior=None, random_state=0)
    models = {
        "raw pixels": make_pipeline(MinMaxScaler(), classifier),
        "codes": make_pipeline(on_codes, OneHotEncoder(handle_unknown="ignore"), classifier),
    }
    for name, model in models.items():
        accuracy = cross_val_score(model, X, y, cv=folds)
        print(f"{name:10s} accuracy {np.mean(accuracy):.4f} (folds {np.round(accuracy, 3)})", flush=True)


if __name__ == "__main__":
    main()
