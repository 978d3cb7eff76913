"""The base of the transformers whose X may come in chunks."""

from sklearn.base import TransformerMixin

from .device import prepared


class RowTransformer(TransformerMixin):
    """scikit-learn's transformer; `fit_transform` refuses a generator, whose rows `fit` would use up."""

    @prepared
    def fit_transform(self, X, y=None, **fit_params):
        """Fit to X and return what `transform` makes of it; X is no generator."""
        if hasattr(X, "__next__"):
            raise TypeError(
                f"X is a {type(X).__name__}, which gives its rows only once: after fit none would be left to "
                "transform. Call fit(X), and then transform with a new one, or with one chunk after the other"
            )
        return super().fit_transform(X, y, **fit_params)
