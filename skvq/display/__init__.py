"""Displays: what estimators have learned, drawn with matplotlib.

Each has a class method that computes what is drawn (``from_estimator``, and ``from_predictions`` or the like where
arrays are enough), and ``plot``, which draws it, and again in another style; what was drawn on is `figure_` and `ax_`,
the first of `axes_` where there are several. They need matplotlib, which ``pip install "skvq[plot]"`` brings.
"""

from ._code_map import CodeMapDisplay
from ._codebook_usage import CodebookUsageDisplay
from ._latent import LatentDisplay
from ._loss_curve import LossCurveDisplay
from ._rate_distortion import RateDistortionDisplay
from ._reconstruction import ReconstructionDisplay
from ._sample import SampleDisplay
from ._traversal import LatentTraversalDisplay
from ._weights import WeightsDisplay

__all__ = [
    "CodeMapDisplay",
    "CodebookUsageDisplay",
    "LatentDisplay",
    "LatentTraversalDisplay",
    "LossCurveDisplay",
    "RateDistortionDisplay",
    "ReconstructionDisplay",
    "SampleDisplay",
    "WeightsDisplay",
]
