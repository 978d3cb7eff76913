"""What the dict `architecture_` of each network may hold, and how large it can be for the arrays that there are.

An architecture from a file is checked before a network is built from it, even one without memory: no size is larger
than the number of values in the file, and there are no more layers than its arrays allow.
"""

import math

from ..autoencoder.module import CODE_ACTIVATIONS
from ..nn.tables import ACTIVATIONS
from ..vqvae.quantizer import CODEBOOKS, QUANTIZERS, SEVERAL_CODES, TWO_LEVEL, n_groups

# Positions of a grid of codes, of which every one is numbered when a network is built, prefixes that a search follows,
# and axes of finite scalar codes.
MOST_POSITIONS, LARGEST_BEAM, MOST_LEVELS, MOST_DILATIONS, LARGEST_KERNEL = 4096, 4096, 64, 256, 4095


def size(low=1):
    """Return a check for integers from `low` that are no more than there are values in the file."""
    return lambda value, limits: _is_whole(value) and low <= value <= max(1, limits.n_values)


def layers(n_arrays):
    """Return a check for a number of layers that have at least so many arrays each."""
    return lambda value, limits: _is_whole(value) and 0 <= value <= limits.n_arrays // n_arrays


def up_to(high, low=1):
    """Return a check for integers in a range."""
    return lambda value, limits: _is_whole(value) and low <= value <= high


def real(low, high):
    """Return a check for numbers in [low, high]."""
    return lambda value, limits: type(value) in (int, float) and low <= value <= high


def choice(*accepted):
    """Return a check for one of some strings or booleans."""
    return lambda value, limits: isinstance(value, (str, bool)) and value in accepted


def sizes(shortest, longest, low=1):
    """Return a check for a list of sizes, of so many axes at the least and the most."""
    each = size(low)
    return lambda value, limits: (
        isinstance(value, list) and shortest <= len(value) <= longest and all(each(axis, limits) for axis in value)
    )


def hidden_sizes(value, limits):
    """Return whether a list can be the widths of hidden layers, with two arrays each."""
    return sizes(0, limits.n_arrays // 2)(value, limits)


def maybe(check):
    """Return a check that accepts None as well."""
    return lambda value, limits: value is None or check(value, limits)


grid = sizes(2, 2)


def two_grids(value, limits):
    """Return whether a list can be two grids of codes."""
    return isinstance(value, list) and len(value) == 2 and all(grid(part, limits) for part in value)


def dilations(value, limits):
    """Return whether a list can be the dilations of convolutions."""
    each = up_to(LARGEST_KERNEL)
    return isinstance(value, list) and 1 <= len(value) <= MOST_DILATIONS and all(each(step, limits) for step in value)


def levels(value, limits):
    """Return whether a list can be the levels of finite scalar codes."""
    return sizes(1, MOST_LEVELS, 2)(value, limits) and math.prod(value) <= 2**31


def _is_whole(value):
    return type(value) is int


SHARE = real(0, 1 - 2**-53)
GRIDS = {"n_codes": size(), "grid_shape": grid, "condition_size": size(0), "dropout": SHARE}
STACKS = {
    "channels": size(),
    "n_layers": layers(3),
    "kernel_size": up_to(LARGEST_KERNEL),
    "dilations": dilations,
}
OF_GRIDS = {
    "PixelCNN": GRIDS | STACKS,
    "HierarchicalPixelCNN": GRIDS | STACKS | {"grid_shapes": two_grids},
    "CausalTransformer": GRIDS | {"d_model": size(), "n_layers": layers(9), "n_heads": size()},
}
ROWS = {"row_shape": sizes(1, 3), "n_components": size(), "dropout": SHARE}
CONVOLUTIONAL = {"channels": size(), "n_blocks": layers(20), "grid_shape": grid}
DENSE = {"hidden_layer_sizes": hidden_sizes}
# Each table: what there always is, then the alternatives for the rest.
VAE = ROWS | {"likelihood": choice("gaussian", "gaussian_per_feature", "bernoulli", "poisson")}, CONVOLUTIONAL, DENSE
AUTOENCODER = (
    ROWS
    | {
        "code_activation": choice(*CODE_ACTIVATIONS),
        "loss": choice("squared_error", "log_loss"),
        "tied_weights": choice(True, False),
    },
    CONVOLUTIONAL,
    DENSE | {"activation": choice(*ACTIVATIONS)},
)
CODES = {
    "row_shape": sizes(1, 3),
    "quantizer": choice(*QUANTIZERS, TWO_LEVEL),
    "coarse_shape": maybe(grid),
    "code_shape": sizes(1, 2),
    "n_positions": size(),
    "codes_per_position": size(),
    "shared_codebook": choice(True, False),
    "n_codes": up_to(2**31),
    "code_dim": size(),
    "search_dim": maybe(size()),
    "codebook_update": choice(*{update for update, _ in CODEBOOKS}),
    "similarity": choice(*{similarity for _, similarity in CODEBOOKS}),
    "gradient_estimator": choice("straight_through", "rotation"),
    "beam_size": up_to(LARGEST_BEAM),
    "ema_decay": SHARE,
    "revival_threshold": SHARE,
}
BLOCKS = {"channels": size(), "n_blocks": layers(20)}
LEVELS = {"levels": levels}
VQVAE = CODES, BLOCKS, DENSE, BLOCKS | LEVELS, DENSE | LEVELS


def check_positions(shapes):
    """Raise ValueError for grids of codes (h, w) with more positions than are numbered for a file from anywhere."""
    if sum(map(math.prod, shapes)) > MOST_POSITIONS:
        raise ValueError(
            f"grids of more than {MOST_POSITIONS} codes are neither saved nor loaded, since a small file could ask for "
            "much memory with them; keep the estimator with skops or joblib"
        )


def check(architecture, table, limits):
    """Raise ValueError unless an architecture has the keys of a table, with values that can be.

    Parameters
    ----------
    architecture : dict
    table : dict, or tuple of dict
        Key → check of value and limits; or what there always is, and the alternatives for the rest.
    limits : Limits
        Of the arrays in the file.
    """
    always, *rest = (table,) if isinstance(table, dict) else table
    for alternative in rest or [{}]:
        known = always | alternative
        if set(architecture) == set(known):
            break
    else:
        raise ValueError("architecture_ has other entries")
    for name, is_valid in known.items():
        if not is_valid(architecture[name], limits):
            raise ValueError(f"architecture_ has a {name!r} that it cannot have with the arrays that there are")
    shape = architecture.get("row_shape", [1])
    if len(shape) == 2 or "n_blocks" in architecture and len(shape) != 3:
        raise ValueError("architecture_ has a row_shape that is none")
    _check_cells(architecture, shape)


def _check_cells(architecture, row_shape):
    """Raise ValueError where a grid has more cells along a side than an image has pixels."""
    for name in ("grid_shape", "code_shape"):
        cells = architecture.get(name, ())
        if len(row_shape) == 3 and len(cells) == 2 and (cells[0] > row_shape[0] or cells[1] > row_shape[1]):
            raise ValueError(f"architecture_ has more cells in {name} than an image has pixels")


def check_codes(architecture, limits):
    """Raise ValueError where what an architecture says of the codes of a VQ-VAE does not go together."""
    quantizer, shape = architecture["quantizer"], architecture["code_shape"]
    is_image, n_cells = len(architecture["row_shape"]) == 3, math.prod(shape)
    several, n_positions = quantizer in SEVERAL_CODES, architecture["n_positions"]
    codes_per_position = architecture["codes_per_position"]
    one_vector = several and not is_image and n_positions == 1 and codes_per_position == n_cells
    # A stage of residual codes has two arrays at least; the splits of a product are parts of one.
    most = dict.fromkeys(QUANTIZERS | {TWO_LEVEL: None}, 1)
    most |= {"residual": limits.n_arrays // 2, "product": architecture["code_dim"]}
    conditions = {
        "code_shape": len(shape) == (2 if is_image else 1) and ("n_blocks" in architecture) == is_image,
        "n_positions": n_positions == n_cells or one_vector,
        "codes_per_position": codes_per_position <= most[quantizer],
        "coarse_shape": (architecture["coarse_shape"] is not None) == (quantizer == TWO_LEVEL),
        "search_dim": quantizer == "vector" or architecture["search_dim"] is None,
        "similarity": (architecture["codebook_update"], architecture["similarity"]) in CODEBOOKS,
        "code_dim": quantizer != "product" or architecture["code_dim"] % codes_per_position == 0,
        "levels": (quantizer == "finite_scalar") == ("levels" in architecture),
        "n_codes": math.prod(architecture.get("levels", [architecture["n_codes"]])) == architecture["n_codes"],
        "shared_codebook": quantizer != TWO_LEVEL or architecture["shared_codebook"],
    }
    for name, holds in conditions.items():
        if not holds:
            raise ValueError(f"architecture_ has a value of {name!r} that does not go with the others")


def codebooks_shape(architecture):
    """Return the shape of `codebook_`: ([positions,] [stages or splits,] n_codes, d), no axis for what is one."""
    quantizer, s = architecture["quantizer"], architecture["codes_per_position"]
    lead = (2,) if quantizer == TWO_LEVEL else tuple(n for n in (n_groups(architecture), s) if n > 1)
    d = architecture["code_dim"] // s if quantizer == "product" else architecture["code_dim"]
    return (*lead, architecture["n_codes"], d)
