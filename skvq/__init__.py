"""Neural networks as scikit-learn estimators, from the perceptron to the VQ-VAE whose codes a PixelCNN generates."""

from ._autoencoder import AutoEncoderTransformer
from ._hierarchical_pixelcnn import HierarchicalPixelCNN
from ._loading import LoadError, load
from ._mlp_classifier import MLPClassifier
from ._mlp_regressor import MLPRegressor
from ._pixelcnn import PixelCNN
from ._progress import progress
from ._transformer import CausalTransformer
from ._vae import VAETransformer
from ._version import __version__
from ._vqvae import VQVAETransformer

__all__ = [
    "AutoEncoderTransformer",
    "CausalTransformer",
    "HierarchicalPixelCNN",
    "LoadError",
    "MLPClassifier",
    "MLPRegressor",
    "PixelCNN",
    "VAETransformer",
    "VQVAETransformer",
    "__version__",
    "load",
    "progress",
]
