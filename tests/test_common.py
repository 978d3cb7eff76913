"""scikit-learn's own checks, on every estimator, with nothing expected to fail."""

from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skvq import (
    AutoEncoderTransformer,
    CausalTransformer,
    HierarchicalPixelCNN,
    MLPClassifier,
    MLPRegressor,
    OrderlessNADE,
    OutlierDetector,
    PixelCNN,
    ResidualCodes,
    VAETransformer,
    VectorCodes,
    VQVAETransformer,
)

ESTIMATORS = [
    AutoEncoderTransformer(hidden_layer_sizes=(16,), max_iter=3),
    AutoEncoderTransformer(hidden_layer_sizes=(8,), noise="masking", sparsity="l1", contractive_weight=0.1, max_iter=3),
    CausalTransformer(d_model=8, n_layers=1, max_iter=3),
    OrderlessNADE(n_units=8, max_iter=3, n_orders=2),
    CausalTransformer(d_model=8, n_layers=1, max_iter=3, class_conditional=True),
    HierarchicalPixelCNN(channels=8, n_layers=1, max_iter=3),
    HierarchicalPixelCNN(channels=8, n_layers=1, max_iter=3, class_conditional=True),
    MLPClassifier(max_iter=20),
    MLPClassifier(hidden_layer_sizes=(), solver="lbfgs", max_iter=50),
    MLPClassifier((16,), "silu", normalization="layer", learning_rate_init=0.02, max_iter=30),
    MLPRegressor(max_iter=20),
    MLPRegressor("huber", (32,), "gelu", normalization="layer", learning_rate_init=0.02, max_iter=40),
    MLPRegressor(hidden_layer_sizes=(8,), solver="lbfgs", max_iter=50),
    OutlierDetector(AutoEncoderTransformer(hidden_layer_sizes=(), max_iter=2, random_state=0), cv=2),
    OutlierDetector(AutoEncoderTransformer(hidden_layer_sizes=(), max_iter=2, random_state=0), method="neighbors"),
    OutlierDetector(GaussianMixture(init_params="random_from_data", random_state=0)),
    OutlierDetector(
        make_pipeline(
            StandardScaler(), VAETransformer(hidden_layer_sizes=(), prior="normal", max_iter=2, random_state=0)
        ),
        cv=2,
    ),
    PixelCNN(channels=8, n_layers=2, max_iter=3),
    PixelCNN(channels=8, n_layers=1, max_iter=3, class_conditional=True),
    VAETransformer(hidden_layer_sizes=(16,), max_iter=3),
    VAETransformer(likelihood="gaussian_per_feature", n_mixture_components=2, max_iter=3),
    VQVAETransformer(hidden_layer_sizes=(16,), max_iter=3, prior=PixelCNN(channels=8, n_layers=1, max_iter=2)),
    VQVAETransformer(hidden_layer_sizes=(16,), max_iter=3, quantizer=ResidualCodes(beam_size=1), prior=None),
    VQVAETransformer(quantizer=VectorCodes(codebook_update="gradient"), max_iter=3, prior=None),
]


@parametrize_with_checks(ESTIMATORS)
def test_sklearn_check(estimator, check):
    check(estimator)
