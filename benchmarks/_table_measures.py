"""Figures of drawn rows against real rows that were held out.

auc
    ROC AUC of a random forest that tells test rows from as many drawn rows, in five folds; 0.5 is perfect.
accuracy, balanced
    accuracy and balanced accuracy on test rows of gradient boosting that was trained on drawn rows.
nearest
    median distance of drawn rows to the nearest train row, divided by that of test rows: 1 is perfect, 0 is a copy. The
    distance is Euclidean over standardised numbers, and 1 for each category, or missing cell, that differs. Where the
    median test row equals a train row, the means are divided.
copies, test_copies
    the shares of drawn and of test rows that equal a train row.
real_accuracy, real_balanced
    accuracies of gradient boosting that was trained on the train rows.
"""

import numpy as np
from _table_codes import category_names, to_codes
from mixed_tables import separate_target
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors


def discriminator_auc(test, drawn, seed):
    """Return the AUC of the forest for two frames; the larger one is cut to as many rows as the other has."""
    n = min(len(test), len(drawn))
    rows = np.concatenate([to_codes(frame.sample(n, random_state=seed), test) for frame in (test, drawn)])
    is_drawn = np.repeat([0, 1], n)
    forest = RandomForestClassifier(random_state=seed)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    proba = cross_val_predict(forest, rows, is_drawn, cv=folds, method="predict_proba")[:, 1]
    return float(roc_auc_score(is_drawn, proba))


def utility(rows, test, table, seed):
    """Return accuracy and balanced accuracy on `test` of gradient boosting that was trained on `rows`."""
    (X, y), (X_test, y_test) = (separate_target(frame, table) for frame in (rows, test))
    if len(np.unique(y)) < 2:
        predicted = np.full(len(y_test), y[0] if len(y) else "", dtype=object)
    else:
        is_category = np.isin(X_test.columns, category_names(X_test))
        model = HistGradientBoostingClassifier(categorical_features=is_category, random_state=seed)
        predicted = model.fit(_nan_codes(X, X_test, is_category), y).predict(_nan_codes(X_test, X_test, is_category))
    return float(accuracy_score(y_test, predicted)), float(balanced_accuracy_score(y_test, predicted))


def _nan_codes(frame, like, is_category):
    """Return codes with nan for every missing cell, as gradient boosting takes them."""
    codes = to_codes(frame, like)
    return np.where(is_category & (codes < 0), np.nan, codes)


def _points(train, *others):
    """Return the frames as rows (n, width) whose Euclidean distance is the mixed distance, one array for each."""
    frames = (train, *others)
    codes = np.concatenate([to_codes(frame, train) for frame in frames])
    fitted = codes[: len(train)]
    blocks = []
    for j, values in enumerate(codes.T):
        if train.columns[j] in category_names(train):
            blocks.append(np.sqrt(0.5) * (values[:, None] == np.unique(values)))  # rows that differ are 1 apart
            continue
        scale = np.nanstd(fitted[:, j]) or 1.0
        blocks.append(np.nan_to_num((values - np.nanmean(fitted[:, j])) / scale)[:, None])
        blocks.append(np.isnan(values)[:, None])
    points = np.concatenate(blocks, axis=1)
    return np.split(points, np.cumsum([len(frame) for frame in frames])[:-1])


def nearest_rows(train, test, drawn):
    """Return the nearest-row ratio, and the shares of drawn and of test rows that equal a train row."""
    points, *others = _points(train, test, drawn)
    index = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(points)
    of_test, of_drawn = (np.round(index.kneighbors(rows)[0][:, 0], 6) for rows in others)
    middle = np.median if np.median(of_test) > 0 else np.mean
    return float(middle(of_drawn) / middle(of_test)), float((of_drawn == 0).mean()), float((of_test == 0).mean())


def measure(train, test, drawn, table, seed, real):
    """Return the figures as a dict; `real` is the `utility` of the train rows."""
    ratio, copies, test_copies = nearest_rows(train, test, drawn.head(len(test)))
    accuracy, balanced = utility(drawn, test, table, seed)
    return {
        "auc": discriminator_auc(test, drawn, seed),
        "accuracy": accuracy,
        "real_accuracy": real[0],
        "balanced": balanced,
        "real_balanced": real[1],
        "nearest": ratio,
        "copies": copies,
        "test_copies": test_copies,
    }
