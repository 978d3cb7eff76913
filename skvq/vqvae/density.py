"""The prior over the codes of a VQ-VAE, and what it makes of it: a density that can be sampled."""

from __future__ import annotations

import math
from inspect import signature

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_consistent_length, check_is_fitted, has_fit_parameter

from .. import metrics
from .._typing import ArrayLike, MatrixLike, NDArray, RandomState, Reals, Self, typed
from ..core.callbacks import FitTask, with_callbacks
from ..core.codes import check_codes
from ..priors.arguments import learn_classes
from ..priors.base import GridDensity
from ..priors.hierarchical import HierarchicalPixelCNN
from ..priors.pixelcnn import PixelCNN
from ..priors.transformer import CausalTransformer
from .completion import check_mask, check_values, known_codes
from .parameters import check_parameters, check_prior
from .quantizer import TWO_LEVEL, prior_shape

PRIORS = {"pixelcnn": PixelCNN, "transformer": CausalTransformer}


def _has_prior(estimator):
    """Return whether there is, or after `fit` will be, a prior; say how to get one otherwise."""
    if estimator.prior is not None or hasattr(estimator, "prior_"):
        return True
    raise AttributeError("without a prior there is nothing to sample from: call fit_prior(X), or set prior='pixelcnn'")


def _given_options(**options):
    """Return those options of `sample` that were given: not every prior has them all."""
    return {
        name: value for name, value in options.items() if not (value is None or name == "temperature" and value == 1.0)
    }


class CodeDensity:
    """Mixin of :class:`~skvq.VQVAETransformer`: the methods that need a prior."""

    @typed(with_callbacks)
    def fit_prior(
        self,
        X: MatrixLike,
        y: ArrayLike | None = None,
        *,
        X_val: MatrixLike | None = None,
        y_val: ArrayLike | None = None,
    ) -> Self:
        """Fit a prior to the codes of X, new or in place of the present one; the autoencoder stays as it is.

        It is the one that the parameter `prior` names, and where that is None a :class:`PixelCNN`.

        Parameters
        ----------
        X, y, X_val, y_val
            As in :meth:`fit`.

        Returns
        -------
        self
        """
        check_is_fitted(self, "weights_")
        self._check_network_parameters()
        check_parameters(self)
        self._check_prior()
        task = FitTask(self, X, y)
        X = self._check_images(X, reset=False)
        held_out = None if X_val is None else self._check_images(X_val, reset=False)
        self._check_classes(X, y, held_out, y_val)
        task.begin(1, "fit-prior")
        self._fit_prior(self._encode(X), y, held_out, y_val, self._generator(), task)
        task.end()
        return self

    @typed(available_if(_has_prior))
    def sample(
        self,
        n_samples: int = 1,
        *,
        random_state: RandomState = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        y: ArrayLike | None = None,
    ) -> Reals:
        """Draw new rows: codes from the prior, decoded.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Seeds the draw.
        temperature : float > 0, default=1.0
            Divides the logits of the prior: below 1 likelier codes become likelier still.
        top_k : int, default=None
            Draw every code among the `top_k` likeliest only.
        top_p : float in (0, 1], default=None
            Draw every code from the fewest codes, likeliest first, whose probabilities together reach `top_p`.
        y : label, or array-like of shape (n_samples,), default=None
            Classes to draw from, with a class-conditional prior; None draws them as often as they were in `fit`.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features), or of images if `fit` saw images
        """
        check_is_fitted(self, "prior_")
        options = _given_options(temperature=temperature, top_k=top_k, top_p=top_p, y=y)
        codes = np.asarray(self._ready_prior().sample(n_samples, random_state=random_state, **options))
        if codes.shape != (n_samples, self._n_features_out):
            raise ValueError(
                f"the prior drew an array of shape {codes.shape}; it must be {(n_samples, self._n_features_out)}"
            )
        return self._decode(check_codes(codes, self.n_codes_))

    @typed(available_if(_has_prior))
    def score_samples(self, X: MatrixLike, y: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return a lower bound on log p(x) of every row, in nats and in the units of X.

        With the codes c of a row, ``log p(x) = log sum_c' p(c') p(x | c') >= log p(c) + log p(x | c)``. The prior gives
        the first term; the second is a Gaussian around the reconstruction, on standardised values, with one variance,
        `noise_variance_`.

        Parameters
        ----------
        X : array-like or CSR/CSC matrix like that of :meth:`fit`
        y : label, or array-like of shape (n,), default=None
            Classes, with a class-conditional prior: then the bound is on log p(x | y). None averages over them.

        Returns
        -------
        log_prob : ndarray of shape (n,), float64
        """
        check_is_fitted(self, "prior_")
        rows = self._rows(self._check_images(X, reset=False))
        codes, squared_error, _ = self._reconstruct(rows)
        log_variance = math.log(2 * math.pi * self.noise_variance_)
        log_likelihood = -0.5 * (squared_error / self.noise_variance_ + self.n_features_in_ * log_variance)
        prior = self._ready_prior()
        log_prior = prior.score_samples(codes) if y is None else prior.score_samples(codes, y)
        return log_prior + log_likelihood - np.log(self.scale_).sum()

    @typed(available_if(_has_prior))
    def complete(
        self,
        X: MatrixLike,
        mask: ArrayLike,
        *,
        random_state: RandomState = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        y: ArrayLike | None = None,
        n_candidates: int = 16,
    ) -> Reals:
        """Return images with their missing regions drawn from the prior, given what is known of them.

        Codes of patches that are known to the last pixel are kept, the others drawn (:meth:`PixelCNN.sample` with
        `given`) and decoded. What the encoder makes of a known patch depends on the missing pixels beside it, which it
        sees as the mean.

        Parameters
        ----------
        X : array-like of images like that of :meth:`fit`
            Values where `mask` is False are ignored; they may be NaN.
        mask : array-like of bool
            True where X is known: of the shape of X, or of one image for all of them; the axis of channels may be left
            out.
        random_state, temperature, top_k, top_p, y
            As in :meth:`sample`.
        n_candidates : int, default=16
            Of so many draws of an image one is taken, by how likely it makes the known codes below and to the right of
            what was drawn, which the draw itself does not see (:meth:`PixelCNN.sample`).

        Returns
        -------
        X_complete : ndarray of the shape of X, in the dtype of :meth:`inverse_transform`
            Known values are those of X, in that dtype.

        Raises
        ------
        ValueError
            For tables, where every code depends on all columns, and for a mask of another shape.
        TypeError
            If the prior's `sample` takes no `given`, `mask` and `n_candidates`.
        """
        check_is_fitted(self, "prior_")
        if self.image_shape_ is None:
            raise ValueError("complete is for images: every code of a table's row depends on all of its columns")
        if not {"given", "mask", "n_candidates"} <= set(signature(self.prior_.sample).parameters):
            raise TypeError(f"prior_.sample must take given, mask and n_candidates to complete rows: {self.prior_!r}")
        options = _given_options(temperature=temperature, top_k=top_k, top_p=top_p, y=y) | {
            "n_candidates": n_candidates
        }
        images = check_values(X, self.image_shape_)
        known = check_mask(mask, images.shape, self.image_shape_)
        rows = np.where(known, images.reshape(known.shape), self.shift_)
        codes = self._encode(self._check_images(rows.reshape(images.shape), reset=False))
        drawn = self._ready_prior().sample(
            len(codes),
            random_state=random_state,
            given=codes,
            mask=known_codes(known, self.architecture_),
            **options,
        )
        completed = self._decode(drawn).reshape(known.shape)
        return np.where(known, rows, completed).astype(completed.dtype).reshape(images.shape)

    @typed(available_if(_has_prior))
    def bits_per_dim(self, X: MatrixLike, y: ArrayLike | None = None) -> float:
        """Return the mean of ``-score_samples(X)`` in bits per value of a row, in the units of X; smaller is better.

        Parameters
        ----------
        X, y
            As in :meth:`score_samples`.

        Returns
        -------
        float
            Of a density, so it may be negative. For pixels from 0 to 255 it compares with the bits of a lossless coder.
        """
        return metrics.bits_per_dim(self.score_samples(X, y), self.n_features_in_)

    def _check_prior(self):
        """Raise TypeError or ValueError, before anything is trained, for a prior that cannot be fitted."""
        check_prior(self.prior, PRIORS)
        if isinstance(self.prior, GridDensity):
            self.prior._check_parameters()

    def _takes_classes(self):
        return bool(getattr(self.prior, "class_conditional", False))

    def _check_classes(self, X, y, held_out, y_val):
        """Raise ValueError, before anything is trained, where a class-conditional prior will miss its classes."""
        if not self._takes_classes():
            return
        if y is None:
            raise ValueError("this prior has class_conditional=True and requires y, but y is None")
        learn_classes(X, y)
        if (held_out is None) != (y_val is None):
            raise ValueError("with a class-conditional prior, X_val and y_val must be passed together")
        if held_out is not None:
            check_consistent_length(held_out, y_val)

    def _fit_prior(self, codes, y, held_out, y_val, generator, task):
        prior = self._new_prior(generator)
        labels, options = (y,) if self._takes_classes() else (), {}
        if held_out is not None and has_fit_parameter(prior, "X_val"):
            options = {"X_val": self._encode(held_out)} | ({"y_val": y_val} if labels else {})
        with task.delegate("prior", prior):
            self.prior_ = prior.fit(codes, *labels, **options)

    def _new_prior(self, generator):
        """Return the unfitted prior, told the number of codes, the grid, and where to draw its randomness from."""
        if self.prior is None or isinstance(self.prior, str):
            prior = self._named_prior().set_params(device=self.device, precision=self.precision, verbose=self.verbose)
        else:
            prior = clone(self.prior)
        known = prior.get_params(deep=False)
        seed = int(torch.randint(2**31 - 1, (), generator=generator))
        told = {"n_codes": self.n_codes_, "grid_shape": prior_shape(self.architecture_), "random_state": seed}
        return prior.set_params(**{name: value for name, value in told.items() if known.get(name, value) is None})

    def _named_prior(self):
        """Return the unfitted prior that `prior` names; of codes on two grids a PixelCNN is a hierarchical one."""
        name = "pixelcnn" if self.prior is None else self.prior
        if name == "pixelcnn" and self.architecture_["quantizer"] == TWO_LEVEL:
            return HierarchicalPixelCNN(self.code_shape_)
        return PRIORS[name]()

    def _ready_prior(self):
        """Return the fitted prior; one that was not given as an instance follows the device of this estimator."""
        named = self.prior is None or isinstance(self.prior, str)
        if named and "device" in self.prior_.get_params(deep=False):
            self.prior_.set_params(device=self.device)
        return self.prior_
