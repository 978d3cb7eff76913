"""Neural networks as scikit-learn estimators, from the perceptron to the VQ-VAE whose codes a PixelCNN generates."""

from ._load import LoadError, load
from ._version import __version__
from .autoencoder.estimator import AutoEncoderTransformer
from .core.progress import progress
from .core.shared import from_shards, shared
from .mlp.classifier import MLPClassifier
from .mlp.regressor import MLPRegressor
from .outliers.estimator import OutlierDetector
from .priors.hierarchical import HierarchicalPixelCNN
from .priors.nade import OrderlessNADE
from .priors.pixelcnn import PixelCNN
from .priors.transformer import CausalTransformer
from .vae.estimator import VAETransformer
from .vqvae.codes import FiniteScalarCodes, ProductCodes, ResidualCodes, VectorCodes
from .vqvae.estimator import VQVAETransformer

__all__ = [
    "AutoEncoderTransformer",
    "CausalTransformer",
    "FiniteScalarCodes",
    "HierarchicalPixelCNN",
    "LoadError",
    "MLPClassifier",
    "MLPRegressor",
    "OrderlessNADE",
    "OutlierDetector",
    "PixelCNN",
    "ProductCodes",
    "ResidualCodes",
    "VAETransformer",
    "VQVAETransformer",
    "VectorCodes",
    "__version__",
    "from_shards",
    "load",
    "progress",
    "shared",
]
