"""Fitted estimators as ONNX models, which run without Python, torch or scikit-learn.

Needs the extra ``onnx``: ``pip install "skvq[onnx]"``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ..core.device import prepared

if TYPE_CHECKING:
    import onnx

__all__ = ["register_converters", "to_onnx"]


@prepared
def to_onnx(estimator: BaseEstimator, part: str = "auto", *, dtype: str = "float32") -> onnx.ModelProto:
    """Return a part of a fitted estimator as an ONNX model, for any number of rows at a time.

    The model goes from the X that the user has to what the estimator's method returns: standardisation, layout of
    images and units are in it. Its operators are of opset 17 (default domain only).

    Parameters
    ----------
    estimator : MLPRegressor, MLPClassifier, AutoEncoderTransformer, VAETransformer or VQVAETransformer
        Fitted. Models of codes (`PixelCNN` and the like, the prior of a `VQVAETransformer`) are not exported: they draw
        at random, position by position.
    part : {"auto", "predict", "encoder", "decoder"}, default="auto"
        "predict" of the predictors, "encoder" (`transform`) or "decoder" (`inverse_transform`) of the transformers.
        "auto" is "predict" where there is one, else "encoder".
    dtype : {"float32", "float64"}, default="float32"
        Of the model's X, predictions and reconstructions. float64 is for columns whose digits float32 does not hold,
        such as time stamps. Networks compute in the precision that they have in the estimator either way.

    Returns
    -------
    onnx.ModelProto
        Save it with ``onnx.save(model, path)``, run it with
        ``onnxruntime.InferenceSession(model.SerializeToString())``. Input and outputs by name, n any number of rows:

        - encoder: ``X`` (n, n_features), or images where `fit` saw images → ``Z`` (n, n_components), float32, or
          ``codes`` (n, n_codes_of_a_row), int64.
        - decoder: ``Z`` or ``codes`` → ``X_hat`` like the X of `fit`. All codes of a row are needed.
        - predict of a regressor: ``X`` → ``variable`` (n, n_outputs), two-dimensional as skl2onnx has it.
        - predict of a classifier: ``X`` → ``label`` (n,), int64 or strings, or (n, n_labels), and ``probabilities``
          (n, n_classes).

    Raises
    ------
    TypeError
        If the estimator is none of those.
    ValueError
        If it has no such part, or `dtype` is another one.
    sklearn.exceptions.NotFittedError
        If it is not fitted.
    ImportError
        Without the package onnx.

    Notes
    -----
    Codes may differ from those of `transform` where two codebook vectors are equally near up to the rounding of
    float32. Rows are not checked: a NaN gives a result, not an error.

    Examples
    --------
    >>> import onnxruntime
    >>> from sklearn.datasets import load_iris
    >>> from skvq import VQVAETransformer
    >>> from skvq.export import to_onnx
    >>> X = load_iris().data.astype("float32")
    >>> model = VQVAETransformer(n_codes=16, max_iter=5, prior=None, random_state=0).fit(X)
    >>> session = onnxruntime.InferenceSession(to_onnx(model, "encoder").SerializeToString())
    >>> (codes,) = session.run(None, {"X": X})
    >>> codes.shape, bool((codes == model.transform(X)).mean() > 0.99)
    ((150, 2), True)
    """
    from ._parts import PARTS

    kind = type(estimator).__name__
    parts = next((PARTS[base] for base in type(estimator).__mro__ if base in PARTS), None)
    if parts is None:
        exported = ", ".join(known.__name__ for known in PARTS)
        own = type(estimator).__module__.startswith(__name__.partition(".")[0] + ".")
        way_out = "models of codes, such as PixelCNN, draw at random and stay in Python"
        if not own:
            way_out = (
                "for a Pipeline, or another estimator of scikit-learn, call skvq.export.register_converters(), then "
                "skl2onnx.to_onnx(estimator, X[:1].astype('float32'))"
            )
        raise TypeError(f"{kind} has no form in ONNX; what can be exported is {exported}; {way_out}")
    name = next(iter(parts)) if part == "auto" else part
    if name not in parts:
        accepted = ", ".join(map(repr, ["auto", *parts]))
        raise ValueError(f"part={part!r} is no part of {kind}; it must be one of {accepted}")
    if dtype not in ("float32", "float64"):
        raise ValueError(f"dtype={dtype!r} must be 'float32' or 'float64'")
    check_is_fitted(estimator)
    _import_or_explain("onnx")
    from .._version import __version__
    from ._model import to_model

    return to_model(parts[name](estimator, dtype), name=f"{kind}_{name}", producer_version=__version__)


def register_converters() -> None:
    """Teach skl2onnx the estimators of this package, so that it converts pipelines with steps of it.

    What a pipeline gets of a transformer is its encoder (`transform`), of a predictor `predict` (and, of a classifier,
    the probabilities). Calling it again changes nothing.

    Raises
    ------
    ImportError
        Without the package skl2onnx.

    Examples
    --------
    >>> from skl2onnx import to_onnx
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skvq import AutoEncoderTransformer
    >>> from skvq.export import register_converters
    >>> register_converters()
    >>> X, y = load_iris(return_X_y=True)
    >>> pipeline = make_pipeline(AutoEncoderTransformer(2, max_iter=5, random_state=0), LogisticRegression()).fit(X, y)
    >>> [output.name for output in to_onnx(pipeline, X[:1].astype("float32")).graph.output]
    ['output_label', 'output_probability']
    """
    _import_or_explain("skl2onnx")
    from ._pipelines import register

    register()


def _import_or_explain(package: str) -> None:
    """Import an optional package; raise an ImportError that says what to install if it is not there."""
    try:
        __import__(package)
    except ImportError as error:
        raise ImportError(f'{package} is not installed; skvq.export needs it: pip install "skvq[onnx]"') from error
