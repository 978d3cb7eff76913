"""`skvq.load`: read an estimator from a file of `save` without trusting the file."""

from __future__ import annotations

import os
from typing import Any

from ._typing import Device
from ._version import __version__
from ._warnings import warn_user
from .autoencoder.estimator import AutoEncoderTransformer
from .core.device import prepared, resolve_device
from .mlp.classifier import MLPClassifier
from .mlp.regressor import MLPRegressor
from .outliers.estimator import OutlierDetector
from .persistence.container import LoadError, open_saved, require_safetensors
from .persistence.documents import Draft, schemas_of
from .persistence.records import check_keys
from .persistence.save import FORMAT
from .priors.hierarchical import HierarchicalPixelCNN
from .priors.nade import OrderlessNADE
from .priors.pixelcnn import PixelCNN
from .priors.transformer import CausalTransformer
from .vae.estimator import VAETransformer
from .vqvae.codes import KINDS
from .vqvae.estimator import VQVAETransformer

# All that a file can be.
CLASSES = {
    kind.__name__: kind
    for kind in (
        AutoEncoderTransformer, CausalTransformer, HierarchicalPixelCNN, MLPClassifier, MLPRegressor, OrderlessNADE,
        OutlierDetector, PixelCNN, VAETransformer, VQVAETransformer, *KINDS.values(),
    )
}  # fmt: skip
SCHEMAS = schemas_of(CLASSES)


@prepared
def load(path: str | os.PathLike[str], *, device: Device | None = None) -> Any:
    """Return the fitted estimator that a file holds, which its method ``save`` has written.

    Nothing in the file is run, whoever made it, and no memory is taken before its header has been checked to the last
    byte: only the classes of this package, with parameters and arrays of the shapes that they can have, come out.

    Parameters
    ----------
    path : str or os.PathLike
    device : str or torch.device, default=None
        Where to compute, in place of the saved parameter `device`: a model fitted on a GPU is loaded with
        ``device="cpu"`` where there is none.

    Returns
    -------
    estimator
        With the same outputs, to the bit, on the same machine and libraries.

    Raises
    ------
    LoadError
        If it is not such a file, is damaged, was written by a newer format, or asks for what no estimator can be.
    OSError
        If it cannot be read.
    ValueError
        If `device` is none of this machine.

    Warns
    -----
    UserWarning
        If another version of skvq has written it.

    Examples
    --------
    >>> import os, tempfile
    >>> import skvq
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = skvq.MLPClassifier(max_iter=10, solver="lbfgs", random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "iris.safetensors")
    ...     model.save(path)
    ...     again = skvq.load(path)
    >>> print(f"largest difference: {abs(again.predict_proba(X) - model.predict_proba(X)).max()}")
    largest difference: 0.0
    """
    require_safetensors()
    if device is not None:
        resolve_device(device)
    path = os.fsdecode(path)
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe, which would never end
        raise OSError(f"{path!r} is not a file")
    written_by = __version__
    try:
        with open_saved(path) as (metadata, infos, read_arrays):
            written_by = _version(metadata)
            estimator = Draft(metadata["model"], infos, CLASSES, SCHEMAS).fill(read_arrays())
    except OSError:
        raise
    except Exception as error:  # whatever goes wrong with a file from anywhere
        other = "" if written_by == __version__ else f" (skvq {written_by} wrote it, this is skvq {__version__})"
        raise LoadError(f"{path!r} cannot be loaded: {error}{other}") from error
    if device is not None:
        _move(estimator, device)
    if written_by != __version__:
        warn_user(f"{path!r} was written by skvq {written_by}, this is skvq {__version__}: outputs may differ")
    return estimator


def _version(metadata):
    """Return the version of skvq that wrote the file; ValueError for one of a newer format, or of none."""
    found = metadata.get("format")
    if type(found) is not int or not 1 <= found <= FORMAT:
        raise ValueError(
            f"its format is {found!r:.40}, but skvq {__version__} reads formats up to {FORMAT}; a newer one may read it"
        )
    check_keys(metadata, {"sha256", "format", "skvq_version", "model"})
    version = metadata["skvq_version"]
    if not isinstance(version, str) or len(version) > 40 or not version.isprintable():
        raise ValueError("it names no version")
    return version


def _move(estimator, device):
    """Set the parameter `device` of an estimator and of those in it."""
    if "device" in estimator.get_params(deep=False):
        estimator.set_params(device=device)
    for name in ("prior", "prior_", "estimator", "estimator_"):
        inside = getattr(estimator, name, None)
        if hasattr(inside, "set_params"):
            _move(inside, device)
