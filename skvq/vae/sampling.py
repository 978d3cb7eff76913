"""What a fitted VAE makes of z: new rows, reconstructions, and traversals of its components."""

from __future__ import annotations

import copy
import numbers

import numpy as np
import torch
from sklearn import config_context
from sklearn.mixture import GaussianMixture
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted

from .._typing import ArrayLike, MatrixLike, RandomState, Reals
from ..core import inference as passes
from ..core.device import resolve_device
from ..core.estimator import check_choice, check_number
from . import inference as vae_passes

# Rows that a Gaussian mixture is fitted to.
MIXTURE_ROWS = 20_000


class Sampling:
    """Mixin of :class:`~skvq.VAETransformer`: the methods that draw and decode z."""

    def sample(self, n_samples: int = 1, *, random_state: RandomState = None, observation_noise: bool = False) -> Reals:
        """Draw new rows: z from the prior N(0, I), or from `mixture_` if there is one, decoded.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Seeds the draw.
        observation_noise : bool, default=False
            Draw from p(x | z) (as the density has it: with noise on every value, or whole counts) instead of returning
            its mean E[x | z], which looks cleaner but varies less than X does.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features), or of images if `fit` saw images
        """
        check_is_fitted(self, "weights_")
        check_number("n_samples", n_samples, numbers.Integral, low=1)
        check_choice("observation_noise", observation_noise, (True, False))
        random = check_random_state(random_state)
        if hasattr(self, "mixture_"):
            mixture = copy.copy(self.mixture_).set_params(random_state=random)
            z = random.permutation(mixture.sample(n_samples)[0])  # they come sorted by component
        else:
            z = random.standard_normal((n_samples, self._n_features_out))
        return self._decode(z, random if observation_noise else None)

    def reconstruct(self, X: MatrixLike, *, n_draws: int = 1, random_state: RandomState = None) -> Reals:
        """Draw reconstructions of every row: z from its posterior, decoded.

        Where they differ is what the model is unsure of in a row; ``inverse_transform(transform(X))`` is the one at the
        mean of the posterior.

        Parameters
        ----------
        X : array-like or CSR/CSC matrix like that of :meth:`fit`
        n_draws : int, default=1
            Reconstructions of each row.
        random_state : int, RandomState instance or None, default=None
            Seeds the draw.

        Returns
        -------
        X_drawn : ndarray of shape (n, n_draws, n_features), or one of images if `fit` saw images
        """
        check_is_fitted(self, "weights_")
        check_number("n_draws", n_draws, numbers.Integral, low=1)
        rows, generator = self._checked_rows(X), _torch_generator(check_random_state(random_state))
        draws = [vae_passes.posterior_draws(self._network(), rows, generator) for _ in range(n_draws)]
        decoded = self._decode(np.stack(draws, axis=1).reshape(len(rows) * n_draws, -1))
        return decoded.reshape(len(rows), n_draws, *decoded.shape[1:])

    def traverse(
        self, component: int, values: ArrayLike = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0), *, X: MatrixLike | None = None
    ) -> Reals:
        """Decode z with one component set to each of some values: what the component means.

        Parameters
        ----------
        component : int from 0 to ``n_components_ - 1``
        values : sequence of float, default=(-3, -2, -1, 0, 1, 2, 3)
            In standard deviations of the prior.
        X : array-like like that of :meth:`fit`, default=None
            Rows whose posterior means give the other components; None: one row with all of them at 0, the prior's mean.

        Returns
        -------
        X_traversed : ndarray of shape (n, n_values, n_features), or one of images if `fit` saw images
            n is 1 without X.
        """
        check_is_fitted(self, "weights_")
        check_number("component", component, numbers.Integral, low=0, high=self._n_features_out - 1)
        steps = check_array(np.atleast_2d(values), dtype=np.float64, input_name="values")[0]
        z = np.zeros((1, self._n_features_out)) if X is None else self.transform(X).astype(np.float64)
        z = np.repeat(z[:, None], len(steps), axis=1)  # (n, n_values, n_components)
        z[:, :, component] = steps
        decoded = self._decode(z.reshape(-1, self._n_features_out))
        return decoded.reshape(*z.shape[:2], *decoded.shape[1:])

    def _fit_mixture(self, module, rows, generator):
        """Return a Gaussian mixture fitted to draws from the posteriors of the training rows."""
        z = vae_passes.posterior_draws(module, vae_passes.some(rows, MIXTURE_ROWS, generator), generator)
        if len(z) < 2:
            raise ValueError(
                f"aggregate='gaussian_mixture' needs at least 2 rows, but n_samples = {len(z)}; pass aggregate=None"
            )
        seed = int(torch.randint(2**31 - 1, (), generator=generator))
        mixture = GaussianMixture(min(self.n_mixture_components, len(z)), random_state=seed)
        with config_context(array_api_dispatch=False):  # with it, a mixture cannot start at k-means
            return mixture.fit(z)

    def _decode(self, z, random_state=None):
        """Return E[x | z], or draws from p(x | z) with a RandomState, in the units and the layout of X."""
        network, device = self._network(), resolve_device(self.device)
        if random_state is None:
            pieces = passes.decode(network, z, device)
        else:
            pieces = vae_passes.draw_rows(network, z, device, _torch_generator(random_state))
        return self._in_units(pieces, len(z))


def _torch_generator(random_state):
    return torch.Generator().manual_seed(int(random_state.randint(np.iinfo(np.int32).max)))
