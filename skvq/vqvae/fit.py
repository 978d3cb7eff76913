"""How the autoencoder of a VQ-VAE is fitted, and what is read off it."""

import math

import numpy as np
from scipy.stats import entropy

from ..core.estimator import Fitting, is_auto
from .defaults import automatic_training, few_rows_a_code, plan, plan_codes, stops_early
from .network import VQObjective
from .quantizer import code_shape, codebook_array, counts_array
from .start import start_from_data


class CodeTraining:
    """Mixin of :class:`~skvq.VQVAETransformer`: the first stage of `fit`."""

    def _fit_autoencoder(self, X, held_out, generator, task):
        """Fit encoder, codebook and decoder, a stage of the task; return the codes of X."""
        self._fit_scaling(X)
        rows = self._rows(X)
        few_rows = few_rows_a_code(plan_codes(self, rows.shape, len(rows)), rows.shape, len(rows))
        early = self.early_stopping
        if early == "auto":
            early = not few_rows and stops_early(rows.shape, int(len(rows) * (1 - self.validation_fraction)))
        rows, validation = self._split(rows, None if held_out is None else self._rows(held_out), early, generator)
        automatic = automatic_training(rows.shape, len(rows), few_rows=few_rows)
        stage = task.stage("autoencoder", self._n_epochs(automatic))
        module, architecture, error = start_from_data(
            plan(self, rows), rows, generator, warn=not is_auto(self.n_codes), codebook_weight=self.codebook_weight
        )
        automatic_noise = error if self.image_shape_ is None else 0.0
        objective = VQObjective(
            module,
            codebook_weight=self.codebook_weight,
            commitment_weight=self.commitment_weight,
            input_noise=automatic_noise if is_auto(self.input_noise) else self.input_noise,
            generator=generator,
        )
        n_uses = 1 if self.image_shape_ is None else math.prod(architecture["code_shape"])  # of a weight, for one row
        fitting = Fitting(module, architecture, rows, validation, generator)
        work = sum(parameter.numel() for parameter in module.parameters()) * n_uses
        self._train(objective, fitting, automatic, stage, work=work, monitor="reconstruction")
        codes = self._finish(fitting)
        stage.end()
        return codes

    def _finish(self, fitting):
        """Set what is read off the trained network; return the codes of all rows of `fit`."""
        super()._finish(fitting)
        X, validation = fitting.rows.X, fitting.validation
        self.n_codes_ = self.architecture_["n_codes"]
        self.code_shape_ = code_shape(self.architecture_)
        quantizer = self._network().quantizer
        self.codebook_ = codebook_array(quantizer, self.architecture_)
        if validation is None:
            codes, squared_error, _ = self._reconstruct(self._rows(X))
        else:
            codes = self._encode(X)
            _, squared_error, _ = self._reconstruct(validation)
        self.code_counts_ = counts_array(quantizer, codes, self.architecture_)
        self.codebook_usage_ = float((self.code_counts_ > 0).mean())
        counts = self.code_counts_.reshape(-1, self.n_codes_)  # of every codebook
        bits = entropy(counts, base=2, axis=1)
        self.bits_per_row_ = float(bits @ counts.sum(axis=1) / len(codes))
        self.perplexity_ = 2.0 ** (self.bits_per_row_ / codes.shape[1])
        # The maximum-likelihood variance; a perfect reconstruction would make the likelihood infinite.
        smallest = np.finfo(np.float32).eps
        self.noise_variance_ = max(float(squared_error.mean()) / X.shape[1], smallest)
        return codes
