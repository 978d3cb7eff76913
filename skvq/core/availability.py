"""Methods that an estimator has only for some of its parameters, and advice for those that it does not have."""

import functools
from types import MethodType

# What other libraries call a method, and who has one that others lack.
SYNONYMS = {"encode": "transform", "decode": "inverse_transform", "generate": "sample", "impute": "complete"}
ELSEWHERE = {
    "sample": "VAETransformer, VQVAETransformer and OrderlessNADE draw new rows",
    "complete": "VQVAETransformer and OrderlessNADE fill in what is missing",
    "predict": "it predicts no target: put a predictor behind it in a Pipeline, or an OutlierDetector around it",
}


def available_if(check):
    """Return a decorator of methods that exist only where a check of the estimator lets them.

    As :func:`sklearn.utils.metaestimators.available_if`, but the error that a user sees is that of the check itself:
    scikit-learn's says only that there is no such attribute, and the way out stays in its ``__cause__``.

    Parameters
    ----------
    check : callable
        Of the estimator. Returns True, or raises an AttributeError that says what to do.

    Examples
    --------
    >>> def is_even(number):
    ...     if number.value % 2:
    ...         raise AttributeError("half is of even numbers only: double it first")
    ...     return True
    >>> class Number:
    ...     def __init__(self, value):
    ...         self.value = value
    ...
    ...     @available_if(is_even)
    ...     def half(self):
    ...         return self.value // 2
    >>> Number(4).half(), hasattr(Number(3), "half")
    (2, False)
    >>> Number(3).half
    Traceback (most recent call last):
    AttributeError: half is of even numbers only: double it first
    """
    return lambda method: AvailableIf(method, check)


class AvailableIf:
    """The descriptor of a method that exists only where `check` lets it."""

    def __init__(self, method, check):
        functools.update_wrapper(self, method)
        self.method = method
        self.check = check

    def __get__(self, instance, owner=None):
        if instance is not None:
            self._require(instance)
            return MethodType(self.method, instance)

        @functools.wraps(self.method)
        def unbound(instance, *args, **kwargs):
            self._require(instance)
            return self.method(instance, *args, **kwargs)

        return unbound

    def _require(self, instance):
        if not self.check(instance):
            raise AttributeError(f"this {type(instance).__name__} has no {self.__name__!r}")


def without_attribute(estimator, name):
    """Return the AttributeError for an attribute that the class of an estimator does not have, with what to do.

    Examples
    --------
    >>> from skvq import AutoEncoderTransformer
    >>> without_attribute(AutoEncoderTransformer(), "encode").args[0]
    "'AutoEncoderTransformer' object has no attribute 'encode'; it is called transform here"
    """
    synonym = SYNONYMS.get(name)
    advice = f"it is called {synonym} here" if hasattr(type(estimator), synonym or "") else None
    advice = advice or ELSEWHERE.get(synonym or name)
    text = f"{type(estimator).__name__!r} object has no attribute {name!r}" + (f"; {advice}" if advice else "")
    return AttributeError(text, name=name, obj=estimator)
