"""What a fitted estimator of each class holds, which is what a saved file of it may hold.

A fitted attribute that is added to an estimator is added here, or `save` refuses it.
"""

import math
import re

from sklearn.utils import check_random_state

from ..autoencoder import defaults as _autoencoder_plan
from ..core.layout import check_image_shape
from ..mlp.build import layer_widths
from ..mlp.parameters import check_combinations
from ..mlp.targets import check_quantile, n_quantiles
from ..persistence.container import Info
from ..persistence.documents import Schema
from ..persistence.kinds import (
    Array,
    Arrays,
    Curve,
    Curves,
    Labels,
    NamedArrays,
    NumberOrArray,
    Texts,
    Weights,
    deviations,
    not_negative,
    positive,
    shares,
)
from ..vqvae import defaults as _vqvae_defaults
from .objects import Binarizer, Mixture
from .values import any_number, grid, grids_of_codes, image_or_none, number, one_of, positive_number, whole

DEVICE = re.compile(r"auto|(cpu|cuda|mps)(:\d{1,3})?")


def per_feature(estimator):
    """Return the shape of an array with a value for each feature."""
    return (estimator.n_features_in_,)


def per_component(estimator):
    """Return the shape of an array with a value for each component."""
    return (estimator.n_components_,)


def per_class(estimator):
    """Return the shape of an array with a value for each class of a conditional model."""
    return (estimator.architecture_["condition_size"],)


def check_device_and_seed(estimator):
    """Raise unless `device` has the form of one (it need not be here) and `random_state` seeds."""
    if DEVICE.fullmatch(str(estimator.device)) is None:
        raise ValueError(f"device={estimator.device!r} is not a device")
    check_random_state(estimator.random_state)


def require(condition, what):
    """Raise ValueError unless the condition holds."""
    if not condition:
        raise ValueError(f"what it holds does not go together: {what}")


# Of everything with a network that is trained by training/loop.py.
TRAINED_VALUES = {
    "n_features_in_": whole(1),
    "n_iter_": whole(),
    "best_iter_": lambda value: value is None or whole()(value),
    "architecture_": lambda value: isinstance(value, dict),
}
TRAINED_ARRAYS = {
    "feature_names_in_": Texts(lambda estimator: estimator.n_features_in_),
    "history_": Curves(),
    "loss_curve_": Curve(),
    "validation_loss_curve_": Curve(),
    "weights_": Weights(),
}
NAMES = frozenset({"feature_names_in_"})

# Of the models of grids of codes.
GRID_VALUES = TRAINED_VALUES | {
    "grid_shape_": grid(2),
    "_grids_in": one_of(True, False),
    "grid_shapes_": lambda value: True,
    "n_codes_": whole(1),
}
GRID_ARRAYS = TRAINED_ARRAYS | {
    "classes_": Labels(lambda estimator: per_class(estimator)[0]),
    "class_prior_": Array(per_class, valid=shares),
}


def check_grid_parameters(estimator):
    """Raise for parameters of a model of grids that are out of range."""
    check_device_and_seed(estimator)
    estimator.check_parameters()


def check_grids(estimator, limits):
    """Raise ValueError where the values of a model of grids do not go together."""
    architecture = estimator.architecture_
    require(math.prod(estimator.grid_shape_) == estimator.n_features_in_, "grid_shape_ and n_features_in_")
    require(architecture["grid_shape"] == list(estimator.grid_shape_), "grid_shape_ and architecture_")
    require(architecture["n_codes"] == estimator.n_codes_, "n_codes_ and architecture_")
    for name in ("classes_", "class_prior_"):
        require((name in limits.names) == (architecture["condition_size"] > 0), f"{name} and architecture_")
    if "grid_shapes" in architecture:
        shapes = [list(map(int, shape)) for shape in estimator.grid_shapes_]
        require(shapes == architecture["grid_shapes"] and not estimator._grids_in, "grid_shapes and architecture_")
        require(sum(map(math.prod, shapes)) == estimator.n_features_in_, "grid_shapes and n_features_in_")


def of_grids(class_name):
    """Return the schema of a model of grids."""
    return Schema(
        class_name,
        GRID_VALUES,
        GRID_ARRAYS,
        check_grid_parameters,
        check_grids,
        optional=NAMES | {"classes_", "class_prior_", "grid_shapes_"},
    )


PIXELCNN = of_grids("PixelCNN")
HIERARCHICAL_PIXELCNN = of_grids("HierarchicalPixelCNN")
CAUSAL_TRANSFORMER = of_grids("CausalTransformer")


# Of the transformers that give rows back.
ROW_VALUES = TRAINED_VALUES | {
    "image_shape_": image_or_none,
    "_images_in": one_of(True, False),
    "_dtype_in": one_of("float32", "float64", "float128"),
}
ROW_ARRAYS = TRAINED_ARRAYS | {"shift_": Array(per_feature), "scale_": Array(per_feature, valid=deviations)}


def row_parameters(check_own):
    """Return a check of the parameters of a transformer of rows."""

    def check(estimator):
        check_device_and_seed(estimator)
        check_image_shape(estimator.image_shape)
        estimator._validate_params()
        check_own(estimator)

    return check


def check_rows(estimator, limits, table):
    """Raise ValueError where the values of a transformer of rows do not go together."""
    architecture, image_shape = estimator.architecture_, estimator.image_shape_
    if image_shape is None:
        row_shape = [estimator.n_features_in_]
        require(not estimator._images_in, "_images_in without image_shape_")
    else:
        row_shape = [*image_shape, 1] if len(image_shape) == 2 else list(image_shape)
    require(
        architecture.get("row_shape", architecture.get("sizes", {}).get("row_shape")) == row_shape,
        "image_shape_ and architecture_",
    )
    require(math.prod(row_shape) == estimator.n_features_in_, "image_shape_ and n_features_in_")


def check_autoencoder(estimator, limits):
    """Raise ValueError where the values of an AutoEncoderTransformer do not go together."""
    check_rows(estimator, limits, None)
    require(estimator.n_components_ == estimator.architecture_["n_components"], "n_components_ and architecture_")


def check_vae(estimator, limits):
    """Raise ValueError where the values of a VAETransformer do not go together."""
    check_rows(estimator, limits, None)
    require(estimator.n_components_ == estimator.architecture_["n_components"], "n_components_ and architecture_")
    require(estimator.likelihood == estimator.architecture_["likelihood"], "likelihood and architecture_")


def codebooks_shape(estimator):
    """Return the shape of the codebooks of a VQVAETransformer."""
    return _vqvae_defaults.Architecture.from_json(estimator.architecture_).codes.codebooks_shape


def check_scaling(estimator):
    """Raise ValueError for a VAETransformer of counts or probabilities that rescales them."""
    if estimator.likelihood in ("bernoulli", "poisson"):
        require((estimator.shift_ == 0).all() and (estimator.scale_ == 1).all(), "likelihood and scale_")


def check_vqvae_parameters(estimator):
    """Raise for parameters of a VQVAETransformer, or of its prior, that are out of range."""
    _vqvae_defaults.check_combinations(estimator)


def check_vqvae(estimator, limits):
    """Raise ValueError where the values of a VQVAETransformer do not go together."""
    check_rows(estimator, limits, None)
    architecture, prior = estimator.architecture_, getattr(estimator, "prior_", None)
    codes = _vqvae_defaults.Architecture.from_json(architecture).codes
    require(estimator.n_codes_ == codes.n_codes, "n_codes_ and architecture_")
    require(estimator.code_shape_ == codes.code_shape, "code_shape_ and architecture_")
    if prior is not None:
        n_codes = prior.n_codes_, prior.n_features_in_, prior._grids_in
        require(n_codes == (estimator.n_codes_, codes.codes_per_row, False), "prior_ and architecture_")


AUTOENCODER = Schema(
    "AutoEncoderTransformer",
    ROW_VALUES | {"n_components_": whole(1)},
    ROW_ARRAYS,
    row_parameters(_autoencoder_plan.check_combinations),
    check_autoencoder,
    optional=NAMES,
)
VAE = Schema(
    "VAETransformer",
    ROW_VALUES | {"n_components_": whole(1), "n_active_components_": whole()},
    ROW_ARRAYS
    | {
        "kl_per_component_": Array(per_component),
        "noise_variance_": NumberOrArray(per_feature, valid=positive),
        "mixture_": Mixture(),
    },
    row_parameters(lambda estimator: None),
    check_vae,
    optional=NAMES | {"mixture_"},
    check_arrays=check_scaling,
)
VQVAE = Schema(
    "VQVAETransformer",
    ROW_VALUES
    | {
        "n_codes_": whole(1),
        "code_shape_": grids_of_codes,
        "codebook_usage_": number,
        "bits_per_row_": number,
        "perplexity_": number,
        "noise_variance_": positive_number,
    },
    ROW_ARRAYS
    | {
        "codebook_": Array(codebooks_shape, "float32"),
        "code_counts_": Array(lambda estimator: codebooks_shape(estimator)[:-1], "int64", not_negative),
    },
    row_parameters(check_vqvae_parameters),
    check_vqvae,
    {"prior_": ("PixelCNN", "HierarchicalPixelCNN", "CausalTransformer")},
    NAMES | {"prior_"},
)

# Of the predictors.
MLP_VALUES = {
    "n_features_in_": whole(1),
    "n_outputs_": whole(1),
    "n_layers_": whole(2),
    "n_iter_": whole(),
    "t_": whole(),
    "loss_": any_number,
    "best_loss_": any_number,
    "best_validation_score_": any_number,
    "_no_improvement_count": whole(),
    "precision_": one_of("float32", "float64"),
}


def widths(estimator):
    """Return the widths of all layers of a predictor."""
    return layer_widths(estimator.hidden_layer_sizes, estimator.n_features_in_, estimator.n_outputs_)


def coefficient_shapes(estimator):
    """Return the shapes of the matrices of a predictor."""
    sizes = widths(estimator)
    return list(zip(sizes[:-1], sizes[1:]))


def normalization_infos(estimator):
    """Return the Infos of what the normalisation of a predictor learned."""
    kinds = ("scale", "shift", "mean", "variance") if estimator.normalization == "batch" else ("scale", "shift")
    hidden = enumerate(widths(estimator)[1:-1])
    return {f"{kind}_{i}": Info(estimator.precision_, (width,)) for i, width in hidden for kind in kinds}


MLP_ARRAYS = {
    "feature_names_in_": Texts(lambda estimator: estimator.n_features_in_),
    "coefs_": Arrays(coefficient_shapes),
    "intercepts_": Arrays(lambda estimator: [(width,) for width in widths(estimator)[1:]]),
    "normalization_state_": NamedArrays(normalization_infos),
    "loss_curve_": Curve(),
    "validation_loss_curve_": Curve(),
    "validation_scores_": Curve(),
}
# What only some solvers and ways of stopping leave.
MLP_OPTIONAL = NAMES | {
    "normalization_state_",
    "loss_curve_",
    "validation_loss_curve_",
    "validation_scores_",
    "best_validation_score_",
    "best_loss_",
    "_no_improvement_count",
    "loss_",
}


def check_mlp_parameters(estimator):
    """Raise for parameters of a predictor that are out of range."""
    check_device_and_seed(estimator)
    estimator._validate_params()
    check_combinations(estimator)


def check_mlp(estimator, limits):
    """Raise ValueError where the values of a predictor do not go together."""
    require(len(widths(estimator)) == estimator.n_layers_, "hidden_layer_sizes and n_layers_")
    normalized = "normalization_state_" in limits.names
    require(normalized == (estimator.normalization is not None), "normalization and normalization_state_")


def check_regressor(estimator, limits):
    """Raise ValueError where the values of an MLPRegressor do not go together."""
    check_mlp(estimator, limits)
    check_quantile(estimator.quantile)
    require(estimator.out_activation_ == ("exp" if estimator.loss == "poisson" else "identity"), "loss")
    require(n_quantiles(estimator.loss, estimator.quantile) in (1, estimator.n_outputs_), "quantile and n_outputs_")


MLP_REGRESSOR = Schema(
    "MLPRegressor",
    MLP_VALUES | {"out_activation_": one_of("identity", "exp")},
    MLP_ARRAYS,
    check_mlp_parameters,
    check_regressor,
    optional=MLP_OPTIONAL,
)
MLP_CLASSIFIER = Schema(
    "MLPClassifier",
    MLP_VALUES | {"out_activation_": one_of("logistic", "softmax")},
    MLP_ARRAYS | {"classes_": Labels(), "_label_binarizer": Binarizer()},
    check_mlp_parameters,
    check_mlp,
    optional=MLP_OPTIONAL,
)
