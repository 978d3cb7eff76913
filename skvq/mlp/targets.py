"""Class labels as numbers, and back."""

import numpy as np
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.multiclass import type_of_target, unique_labels


def learn_labels(y):
    """Return a LabelBinarizer that knows the classes of `y`, labels (n,) or an indicator matrix (n, n_labels)."""
    return LabelBinarizer().fit(y)


def check_known(y, classes, *, same):
    """Raise ValueError if `y` has labels that are not among `classes`, or, if `same`, not all of them."""
    found = unique_labels(y)
    if same and set(found) != set(classes):
        raise ValueError(
            "warm_start can only be used where `y` has the same classes as in the previous call to fit. Previously "
            f"got {classes}, `y` has {found}"
        )
    if len(np.setdiff1d(found, classes, assume_unique=True)):
        raise ValueError(f"`y` has classes not in `self.classes_`. `self.classes_` has {classes}. 'y' has {found}.")


def encode(binarizer, y):
    """Return class indices (n, 1), int64, for several classes, else zeros and ones (n, 1) or (n, n_labels), uint8."""
    of_labels = type_of_target(y).startswith("multilabel")
    if binarizer.y_type_.startswith("multilabel") and not of_labels:
        raise ValueError("y holds one label for each row, but the network was fitted with an indicator matrix")
    if of_labels:
        return binarizer.transform(y).astype(np.uint8)
    classes = binarizer.classes_
    check_known(y, classes, same=False)
    indices = np.searchsorted(classes, y).reshape(-1, 1)
    return indices.astype(np.int64 if binarizer.y_type_ == "multiclass" else np.uint8)


def decode(binarizer, outputs):
    """Return the labels that outputs (n, n_outputs), before their activation, speak for."""
    classes = binarizer.classes_
    if binarizer.y_type_ == "multiclass":
        return classes[outputs.argmax(axis=1)]
    likely = outputs > 0  # of more than even odds
    if binarizer.y_type_ == "binary":
        return classes[likely[:, 0].astype(np.intp) * (len(classes) - 1)]
    return binarizer.inverse_transform(likely.astype(np.int64))
