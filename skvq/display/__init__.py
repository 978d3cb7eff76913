"""Displays draw what estimators have learned, with matplotlib.

A display is made by a class method: ``from_estimator`` computes what is drawn; ``from_predictions`` or the like takes
arrays. ``plot`` draws it again, in another style or on other Axes. All of them return the display. `figure_` and `ax_`
are what was drawn on; `axes_` holds all Axes, of which `ax_` is the first. matplotlib comes with
``pip install "skvq[plot]"``.
"""

from ._code_map import CodeMapDisplay
from ._codebook_usage import CodebookUsageDisplay
from ._latent import LatentDisplay
from ._loss_curve import LossCurveDisplay
from ._marginals import MarginalsDisplay, PairsDisplay
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
    "MarginalsDisplay",
    "PairsDisplay",
    "RateDistortionDisplay",
    "ReconstructionDisplay",
    "SampleDisplay",
    "WeightsDisplay",
]
