"""Neural networks as scikit-learn estimators, from the perceptron to the VQ-VAE whose codes a PixelCNN generates."""

from ._pixelcnn import PixelCNN

__all__ = ["PixelCNN"]
__version__ = "0.1.0"
