"""scikit-learn's own checks, on every estimator, with nothing expected to fail."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from skvq import PixelCNN, VQVAETransformer

ESTIMATORS = [
    PixelCNN(channels=8, n_layers=2, max_iter=3),
    VQVAETransformer(hidden_layer_sizes=(16,), max_iter=3, prior=PixelCNN(channels=8, n_layers=1, max_iter=2)),
    VQVAETransformer(hidden_layer_sizes=(16,), max_iter=3, codebook_update="gradient", prior=None),
]


@parametrize_with_checks(ESTIMATORS)
def test_sklearn_check(estimator, check):
    check(estimator)
