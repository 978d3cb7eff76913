"""The versions that an estimator was pickled with, and the warning where it is unpickled with others."""

import sklearn
from sklearn.base import BaseEstimator
from sklearn.exceptions import InconsistentVersionWarning

from .._version import __version__
from .._warnings import warn_user

OURS, THEIRS = "_skvq_version", "_sklearn_version"


class OtherVersionWarning(InconsistentVersionWarning):
    """Warning that an estimator was pickled with another version of this package: scikit-learn's, with other words.

    Its attributes `current_sklearn_version` and `original_sklearn_version` are versions of this package.
    """

    def __str__(self):
        """Return what happened, and what is made for other versions."""
        return (
            f"{self.estimator_name} was pickled with skvq {self.original_sklearn_version}, this is skvq "
            f"{self.current_sklearn_version}: it may fail or compute something else; files of its method save are made "
            "to be read by later versions"
        )


class VersionedEstimator(BaseEstimator):
    """Base of the estimators, whose pickles know the versions of skvq and scikit-learn that made them."""

    def __getstate__(self):
        return {**super().__getstate__(), OURS: __version__, THEIRS: sklearn.__version__}

    def __setstate__(self, state):
        state = dict(state)
        for category, name, present in (
            (OtherVersionWarning, OURS, __version__),
            (InconsistentVersionWarning, THEIRS, sklearn.__version__),
        ):
            found = state.pop(name, "of unknown version")
            if found != present:
                warn_user(
                    category(
                        estimator_name=type(self).__name__,
                        current_sklearn_version=present,
                        original_sklearn_version=found,
                    )
                )
        super().__setstate__(state)
