"""Tables of parameters with which the API pages of the estimators begin: those to start with, and all by group.

This is the one place where they are listed. A parameter in no group, or one that no longer exists, ends the build.
"""

GROUPS = {
    "data": "image_shape series_shape series_layout standardize categorical_features handle_unknown",
    "codes": "n_codes code_shape max_bits quantizer n_components grid_shape grid_shapes n_bins",
    "loss": "codebook_weight commitment_weight likelihood kl_weight kl_warmup free_bits loss quantile huber_delta "
    "class_weight sparsity sparsity_weight sparsity_target contractive_weight",
    "network": "network hidden_layer_sizes activation channels n_blocks n_layers n_units n_heads d_model kernel_size "
    "dilations normalization tied_weights class_conditional n_clusters",
    "training": "max_iter batch_size learning_rate learning_rate_init solver alpha dropout input_noise noise "
    "noise_level augment n_orders early_stopping validation_fraction scoring tol n_iter_no_change warmup max_grad_norm "
    "shuffle warm_start power_t momentum nesterovs_momentum beta_1 beta_2 epsilon max_fun",
    "output": "prior n_mixture_components clip",
    "detection": "estimator contamination method cv",
    "machine": "device precision random_state verbose max_seconds checkpoint checkpoint_interval",
}

EPOCHS = "passes over the rows; fewer make a first look faster"
IMAGE = "(H, W) or (H, W, C), if X has rows of pixels"
CODES = "how many codes there are; by default the largest in X plus one"
CLASSES = "True to fit with labels and draw from a class"
WIDTH = "width of the network: smaller is faster"
STOP = "True to hold out rows and stop when they no longer gain"

START = {
    "VQVAETransformer": {
        "image_shape": IMAGE,
        "max_bits": "bits for a row: more bits, better reconstructions",
        "n_codes": "size of the codebook; 16 or 64 for codes as features",
        "prior": "None leaves out the second model: faster, but no `sample`",
        "max_iter": EPOCHS,
    },
    "VAETransformer": {
        "n_components": "numbers for a row",
        "image_shape": IMAGE,
        "likelihood": '"gaussian_per_feature" if columns differ in noise, "bernoulli" for 0 and 1, "poisson" counts',
        "kl_weight": "above 1: simpler components; below 1: better reconstructions",
        "max_iter": EPOCHS,
    },
    "AutoEncoderTransformer": {
        "n_components": "numbers for a row",
        "image_shape": IMAGE,
        "hidden_layer_sizes": "() is PCA; wider layers learn more and take longer",
        "noise": '"gaussian" or "masking" for a denoising autoencoder',
        "max_iter": EPOCHS,
    },
    "PixelCNN": {
        "n_codes": CODES,
        "grid_shape": "(h, w) of the grid of a row",
        "class_conditional": CLASSES,
        "channels": WIDTH,
        "max_iter": EPOCHS,
    },
    "HierarchicalPixelCNN": {
        "grid_shapes": "(h, w) of both grids, the coarse one first",
        "n_codes": CODES,
        "class_conditional": CLASSES,
        "channels": WIDTH,
        "max_iter": EPOCHS,
    },
    "CausalTransformer": {
        "n_codes": CODES,
        "grid_shape": "(h, w) of the grid of a row",
        "class_conditional": CLASSES,
        "d_model": WIDTH,
        "max_iter": EPOCHS,
    },
    "OrderlessNADE": {
        "categorical_features": "which columns are categories, if their dtype does not say so",
        "n_bins": "bins of a column of numbers",
        "n_units": WIDTH,
        "max_iter": EPOCHS,
        "random_state": "an integer, for the same result again",
    },
    "OutlierDetector": {
        "estimator": "what scores the rows, such as `AutoEncoderTransformer()`",
        "contamination": 'the share of anomalies in X, or "auto" for a threshold that suits new rows',
        "method": '"neighbors" for the distance to the nearest rows; best on tables of numbers',
        "cv": 'models that "auto" fits to set its threshold',
    },
    "MLPClassifier": {
        "hidden_layer_sizes": "width of each hidden layer; () is logistic regression",
        "alpha": "strength of the L2 penalty",
        "learning_rate_init": "size of a step",
        "early_stopping": STOP,
        "max_iter": EPOCHS,
    },
    "MLPRegressor": {
        "hidden_layer_sizes": "width of each hidden layer; () is linear regression",
        "loss": '"quantile" for quantiles, "huber" for outliers, "poisson" for counts',
        "learning_rate_init": "size of a step",
        "early_stopping": STOP,
        "max_iter": EPOCHS,
    },
}


def grouped(parameters, owner):
    """Return {group: its parameters, in the order of `parameters`}; raise if one is in no group."""
    homes = {name: group for group, names in GROUPS.items() for name in names.split()}
    lost = [name for name in parameters if name not in homes]
    if lost:
        raise ValueError(f"docs/_parameter_groups.py: parameters of {owner} are in no group: {', '.join(lost)}")
    found = {group: [name for name in parameters if homes[name] == group] for group in GROUPS}
    return {group: names for group, names in found.items() if names}


def introduction(owner, parameters):
    """Return lines of reStructuredText: the parameters to start with, then the groups of all of them."""
    start = START[owner]
    unknown = [name for name in start if name not in parameters]
    if unknown:
        raise ValueError(f"docs/_parameter_groups.py: {owner} has no parameter {', '.join(unknown)}")
    count = {4: "four", 5: "five"}[len(start)]
    lines = [f".. rubric:: Start with these {count} parameters", ""]
    lines += [f"* ``{name}``: {why.replace('`', '``')}" for name, why in start.items()]
    groups = grouped(parameters, owner)
    if len(groups) > 1:
        lines += ["", ".. rubric:: All parameters by group", "", ".. list-table::", "   :widths: 15 85", ""]
        for group, names in groups.items():
            lines += [f"   * - {group}", "     - " + ", ".join(f"``{name}``" for name in names)]
    return [*lines, ""]
