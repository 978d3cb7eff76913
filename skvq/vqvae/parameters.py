"""Ranges of the parameters of a VQ-VAE, and which of them go together."""

import numbers

from ..core.estimator import check_choice, check_number, is_auto
from .quantizer import CODEBOOKS, QUANTIZERS, SEVERAL_CODES

# Parameters that say how a codebook is searched and learned, with the values that finite scalar quantisation, which has
# none, leaves them at.
OF_CODEBOOKS = {
    "codebook_update": "ema",
    "similarity": "euclidean",
    "gradient_estimator": "straight_through",
    "codebook_weight": 1.0,
    "commitment_weight": 1.0,
    "search_dim": None,
}
# What a budget of bits decides.
OF_BUDGET = ("code_shape", "n_codes", "quantizer", "codes_per_position")


def check_parameters(estimator):
    """Raise TypeError or ValueError for a parameter of the autoencoder that is out of range or has no effect."""
    for name in ("n_codes", "code_dim", "codes_per_position", "beam_size"):
        if not is_auto(getattr(estimator, name)):
            check_number(name, getattr(estimator, name), numbers.Integral, low=1)
    if estimator.max_bits is not None:
        check_number("max_bits", estimator.max_bits, numbers.Integral, low=1)
    check_choice("quantizer", estimator.quantizer, ("auto", *QUANTIZERS))
    check_choice("codebook_update", estimator.codebook_update, ("ema", "gradient", "simvq"))
    check_choice("similarity", estimator.similarity, ("euclidean", "cosine"))
    check_choice("gradient_estimator", estimator.gradient_estimator, ("straight_through", "rotation"))
    check_choice("shared_codebook", estimator.shared_codebook, ("auto", True, False))
    if estimator.search_dim is not None:
        check_number("search_dim", estimator.search_dim, numbers.Integral, low=1)
    check_number("codebook_weight", estimator.codebook_weight, low=0)
    check_number("commitment_weight", estimator.commitment_weight, low=0)
    check_number("revival_threshold", estimator.revival_threshold, low=0, high=1, boundaries="left")
    check_number("ema_decay", estimator.ema_decay, low=0, high=1, boundaries="neither")
    if not is_auto(estimator.input_noise):
        check_number("input_noise", estimator.input_noise, low=0)
    _check_pairs(estimator)


def _check_pairs(estimator):
    """Raise ValueError for parameters that do not go together."""
    decided = [name for name in OF_BUDGET if not is_auto(getattr(estimator, name))]
    if estimator.max_bits is not None and decided:
        raise ValueError(
            f"max_bits={estimator.max_bits} decides {', '.join(OF_BUDGET)}; leave "
            f"{decided[0]}={getattr(estimator, decided[0])!r} at 'auto', or max_bits at None"
        )
    if (estimator.codebook_update, estimator.similarity) not in CODEBOOKS:
        raise ValueError(
            f"codebook_update={estimator.codebook_update!r} and similarity={estimator.similarity!r} do not go "
            "together; cosine codes are learned by 'ema' or 'gradient'"
        )
    if estimator.quantizer == "finite_scalar":
        for name, value in OF_CODEBOOKS.items():
            if getattr(estimator, name) != value:
                raise ValueError(
                    f"{name}={getattr(estimator, name)!r} has no effect with quantizer='finite_scalar', which learns "
                    f"no codebook; leave it at {value!r}"
                )


def check_quantizer(estimator, quantizer):
    """Raise ValueError for parameters that mean nothing to the quantiser named `quantizer`, "auto" no more."""

    def refuse(name, works_with):
        value = getattr(estimator, name)
        raise ValueError(f"{name}={value!r} has no effect with {quantizer} codes; it needs quantizer={works_with}")

    several = " or ".join(map(repr, SEVERAL_CODES))
    if quantizer not in SEVERAL_CODES and estimator.codes_per_position not in ("auto", 1):
        refuse("codes_per_position", several)
    if quantizer != "residual" and not is_auto(estimator.beam_size):
        refuse("beam_size", "'residual'")
    if quantizer != "vector" and estimator.search_dim is not None:
        refuse("search_dim", "'vector'")
    if quantizer == "residual" and estimator.similarity == "cosine":
        raise ValueError(
            "similarity='cosine' cannot be had for residual codes, where lengths add up; pass quantizer='vector' or "
            "'product'"
        )


def check_two_level(estimator):
    """Raise ValueError for parameters that do not go with codes on two grids."""
    for name, accepted in (
        ("quantizer", ("auto", "vector")),
        ("similarity", ("euclidean",)),
        ("shared_codebook", ("auto", True)),
        ("search_dim", (None,)),
    ):
        if getattr(estimator, name) not in accepted:
            raise ValueError(
                f"{name}={getattr(estimator, name)!r} cannot be had for codes on the two grids "
                f"code_shape={estimator.code_shape!r}; pass {' or '.join(map(repr, accepted))}"
            )


def check_code_dim(architecture, code_dim):
    """Raise ValueError if the parameter `code_dim` does not fit the quantiser that `architecture` describes."""
    if is_auto(code_dim):
        return
    splits = architecture["codes_per_position"]
    if architecture["quantizer"] == "product" and code_dim % splits:
        raise ValueError(f"code_dim={code_dim} must be a multiple of the {splits} codes of a position")
    if architecture["quantizer"] == "finite_scalar" and code_dim != architecture["code_dim"]:
        raise ValueError(
            f"code_dim={code_dim} must be 'auto' or {architecture['code_dim']} with quantizer='finite_scalar': one "
            f"dimension for each of the levels {tuple(architecture['levels'])}"
        )


def check_prior(prior, names):
    """Raise TypeError or ValueError unless the parameter `prior` is one of `names`, None, or a density estimator."""
    named = isinstance(prior, str) and prior in names
    if (
        not named
        and prior is not None
        and not all(hasattr(prior, method) for method in ("fit", "sample", "score_samples"))
    ):
        kind = ValueError if isinstance(prior, str) else TypeError
        raise kind(
            f"prior={prior!r} must be {', '.join(map(repr, names))}, None, or an estimator with fit, sample, "
            "score_samples"
        )
