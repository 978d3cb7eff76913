"""The versions that an estimator was pickled with, and the warning where it is unpickled with others."""

import sklearn
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


def with_versions(state):
    """Return the state of an estimator, a dict, with the versions of skvq and scikit-learn beside it."""
    return {**state, OURS: __version__, THEIRS: sklearn.__version__}


def without_versions(estimator, state):
    """Return the state that :func:`with_versions` was given; warn if an estimator was pickled with other versions."""
    state = dict(state)
    for category, name, present in (
        (OtherVersionWarning, OURS, __version__),
        (InconsistentVersionWarning, THEIRS, sklearn.__version__),
    ):
        found = state.pop(name, "of unknown version")
        if found != present:
            warn_user(
                category(
                    estimator_name=type(estimator).__name__,
                    current_sklearn_version=present,
                    original_sklearn_version=found,
                )
            )
    return state
