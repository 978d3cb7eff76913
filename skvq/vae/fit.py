"""How the network of a VAE is fitted, and what is read off it."""

import math

import numpy as np
import torch

from .._warnings import warn_user
from ..autoencoder.defaults import is_linear
from ..core.estimator import Fitting
from . import inference as vae_passes
from .defaults import automatic_training, starts_at_optimum
from .module import matched_noise
from .network import ELBO_DRAWS, VAEObjective, start_from_data

# A component is active if its posterior mean varies by more than this over the rows (Burda et al. 2016, section 5.2).
ACTIVE_VARIANCE = 0.01
# Rows that the diagnostics, and a last estimate of the noise variance, are computed from; and how many held-out rows
# are enough for them, in place of training rows.
SUMMARY_ROWS, ENOUGH_HELD_OUT = 10_000, 30


class VAETraining:
    """Mixin of :class:`~skvq.VAETransformer`: what `fit` does once the network is planned."""

    def _fit_scaling(self, X):
        """Set `shift_` and `scale_`; only a Gaussian may be standardised."""
        if self.likelihood in ("bernoulli", "poisson"):
            self.shift_, self.scale_ = np.zeros(X.shape[1]), np.ones(X.shape[1])
        else:
            super()._fit_scaling(X)

    def _fit_network(self, architecture, rows, validation, generator, task):
        """Return how many components probabilistic PCA would use."""
        automatic = automatic_training(architecture, len(rows), starts_at_optimum=starts_at_optimum(self, architecture))
        task.begin(self._n_epochs(automatic))
        module, supported = start_from_data(architecture, rows, generator, kl_weight=self.kl_weight)
        objective = VAEObjective(
            module,
            n_components=architecture["n_components"],
            kl_weight=self.kl_weight,
            kl_warmup=self.kl_warmup,
            free_bits=self.free_bits,
            generator=generator,
        )
        # Where a linear network starts is the optimum, or near it: no epoch that is worse may replace it.
        judged = rows if validation is None and is_linear(architecture) else None
        n_uses = math.prod(architecture.get("grid_shape", (1,)))  # of most weights, for one row
        fitting = Fitting(module, architecture, rows, validation, generator)
        work = sum(parameter.numel() for parameter in module.parameters()) * n_uses
        self._train(objective, fitting, automatic, task, work=work, judged=judged)
        self._finish(fitting)
        return supported

    def _finish(self, fitting):
        """Set the noise variance to its best estimate, what is read off the posteriors, and the network itself."""
        module, rows, validation, generator = fitting.module, fitting.rows, fitting.validation, fitting.generator
        n_components = module.encoder.linear.out_features // 2
        noise = matched_noise(ELBO_DRAWS, n_components, generator).to(rows.device)
        chosen_by = validation is not None and self.early_stopping is not False
        held_out = chosen_by and len(validation) >= ENOUGH_HELD_OUT
        some = vae_passes.some(validation if held_out else rows, SUMMARY_ROWS, generator)
        summary = vae_passes.summarise(module, some, noise)
        self.n_components_ = n_components
        self.kl_per_component_ = summary.kl
        self.n_active_components_ = int((summary.mean_variance > ACTIVE_VARIANCE).sum())
        self.noise_variance_ = None
        if self.likelihood == "gaussian":
            module.likelihood.set_variance(torch.tensor([summary.squared_error.mean()]))
            self.noise_variance_ = float(module.likelihood.variance)
        elif self.likelihood == "gaussian_per_feature":
            module.likelihood.set_variance(torch.from_numpy(summary.squared_error))
            self.noise_variance_ = module.likelihood.variance.cpu().double().numpy()
        self.__dict__.pop("mixture_", None)
        if self.aggregate == "gaussian_mixture":
            self.mixture_ = self._fit_mixture(module, rows, generator)
        super()._finish(fitting)

    def _warn_of_collapse(self, supported):
        """Warn if the posterior uses less than half of the components that probabilistic PCA would."""
        if self.n_active_components_ < supported / 2:
            warn_user(
                f"posterior collapse: {self.n_active_components_} of {self.n_components_} components are active, where "
                f"probabilistic PCA would use {supported}; the others tell nothing about a row. Lower "
                f"kl_weight={self.kl_weight}, set free_bits (0.05 nats, say) or kl_warmup (0.3, say), or train longer",
            )
