"""How the two fitted attributes are kept that are objects of scikit-learn: as their arrays and numbers."""

import numpy as np
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import LabelBinarizer

from ..persistence.container import Info
from ..persistence.kinds import as_curve, shares, within

# A covariance beyond this cannot be drawn from.
LARGEST_COVARIANCE = 1e100
ARRAYS_OF_A_MIXTURE = ("weights", "means", "covariances", "precisions", "precisions_cholesky")


class Mixture:
    """The Gaussian mixture of a VAE: its arrays, and how its fit ended."""

    def pack(self, value):
        facts = {
            "random_state": value.random_state,
            "n_components": int(value.n_components),
            "converged": bool(value.converged_),
            "n_iter": int(value.n_iter_),
            "lower_bound": float(value.lower_bound_),
        }
        arrays = {name: getattr(value, f"{name}_") for name in ARRAYS_OF_A_MIXTURE}
        if hasattr(value, "lower_bounds_"):  # of scikit-learn 1.7 on
            arrays["lower_bounds"] = np.array(value.lower_bounds_, dtype=np.float64)
        return facts, arrays

    def expected(self, facts, found, estimator):
        kinds = {"random_state": int, "n_components": int, "converged": bool, "n_iter": int, "lower_bound": float}
        if not isinstance(facts, dict) or {name: type(fact) for name, fact in facts.items()} != kinds:
            raise ValueError("a mixture is expected")
        k, d = facts["n_components"], estimator.n_components_
        if k < 1 or not 0 <= facts["random_state"] < 2**32:
            raise ValueError("a mixture of less than one component, or with another seed")
        shapes = [(k,), (k, d), *[(k, d, d)] * 3]
        infos = {name: Info("float64", shape) for name, shape in zip(ARRAYS_OF_A_MIXTURE, shapes)}
        if "lower_bounds" in found:
            infos["lower_bounds"] = as_curve(found["lower_bounds"])
        return infos

    def unpack(self, facts, arrays, estimator):
        if not shares(arrays["weights"]) or not all(within(array) for array in arrays.values()):
            raise ValueError("a mixture with other weights or values than a fitted one")
        covariances = arrays["covariances"]
        if not within(covariances, -LARGEST_COVARIANCE, LARGEST_COVARIANCE) or not np.allclose(
            covariances, covariances.transpose(0, 2, 1)
        ):
            raise ValueError("a mixture with covariances that are none")
        mixture = GaussianMixture(facts["n_components"], random_state=facts["random_state"])
        for name, array in arrays.items():
            setattr(mixture, f"{name}_", list(array) if name == "lower_bounds" else array)
        mixture.n_features_in_ = estimator.n_components_
        mixture.converged_, mixture.n_iter_ = facts["converged"], facts["n_iter"]
        mixture.lower_bound_ = np.float64(facts["lower_bound"])
        return mixture


class Binarizer:
    """What a classifier's labels are, of which `classes_` has the values."""

    def pack(self, value):
        return [value.y_type_, bool(value.sparse_input_)], {}

    def expected(self, facts, found, estimator):
        types = {"softmax": ("multiclass",), "logistic": ("binary", "multilabel-indicator")}
        if not isinstance(facts, list) or len(facts) != 2 or type(facts[1]) is not bool:
            raise ValueError("labels of no known kind")
        if facts[0] not in types[estimator.out_activation_]:
            raise ValueError("labels of another type")
        return {}

    def unpack(self, facts, arrays, estimator):
        classes, (y_type, sparse) = estimator.classes_, facts
        expected = (1, 2) if y_type == "binary" else (estimator.n_outputs_,)
        if len(classes) not in expected or y_type == "binary" and estimator.n_outputs_ != 1:
            raise ValueError(f"{len(classes)} classes for {estimator.n_outputs_} outputs")
        binarizer = LabelBinarizer()
        binarizer.y_type_, binarizer.sparse_input_, binarizer.classes_ = y_type, sparse, classes
        return binarizer
