"""Encoder and decoder for tables: a linear path, and a network on top of it that starts at zero.

The linear path starts at the principal components, dealt to the positions so that the bits of each position have equal
work. Optimised product quantisation calls this its parametric solution [1]_; here training begins with it. The last
layer of the network starts at zero, so training moves away from the linear solution only as far as the data require.

Departures from [1]_. The reference balances the product of all variances; here a component counts by the bits that
reverse water-filling [2]_ gives it, so that components too small for the budget do not weigh.

References
----------
.. [1] T. Ge, K. He, Q. Ke, J. Sun, "Optimized Product Quantization", IEEE TPAMI 36(4), 2014, section 4.
.. [2] T. M. Cover, J. A. Thomas, "Elements of Information Theory", 2nd ed., 2006, section 10.3.3.
"""

from __future__ import annotations

import torch
from torch import nn

from .draws import Dropout, default_generator, linear

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh}
# Components below this share of the largest standard deviation are rounding errors of the decomposition.
RANK_TOLERANCE = 1e-5


def hidden_network(n_in, hidden_layer_sizes, n_out, activation, dropout, generator):
    """Return a dense network whose last layer is zero, or None if it has no hidden layer."""
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation={activation!r} must be one of {sorted(ACTIVATIONS)}")
    if not len(hidden_layer_sizes):
        return None
    sizes = [n_in, *hidden_layer_sizes]
    layers = []
    for width_in, width_out in zip(sizes[:-1], sizes[1:]):
        layers += [linear(width_in, width_out, generator), ACTIVATIONS[activation](), Dropout(dropout)]
    return nn.Sequential(*layers, linear(sizes[-1], n_out, None))


class LinearPlusNetwork(nn.Module):
    """x → linear(x) + network(x), where the network's last layer starts at zero.

    Rows of shape (64, 13) become (64, 16) with `n_in` = 13 and `n_out` = 16.

    Parameters
    ----------
    n_in, n_out : int
        Widths of input and output.
    hidden_layer_sizes : sequence of int, default=(256, 256)
        Widths of the network's hidden layers; without any, the linear path is all there is.
    activation : {"relu", "gelu", "silu", "tanh"}, default="relu"
        Follows each hidden layer.
    dropout : float in [0, 1), default=0.0
        Share of hidden units that are zeroed in training. The linear path has none.
    generator : torch.Generator, default=None
        Draws the starting weights; None draws them from a generator seeded with 0.
    """

    def __init__(self, n_in, n_out, hidden_layer_sizes=(256, 256), activation="relu", dropout=0.0, generator=None):
        super().__init__()
        generator = default_generator() if generator is None else generator
        self.linear = linear(n_in, n_out, generator)
        self.network = hidden_network(n_in, hidden_layer_sizes, n_out, activation, dropout, generator)

    def forward(self, x):
        """(b, n_in) → (b, n_out)."""
        return self.linear(x) if self.network is None else self.linear(x) + self.network(x)


class DenseEncoder(LinearPlusNetwork):
    """Encodes rows of a table to one vector for every position.

    Rows of shape (64, 13) become (64, 4, 4) with 4 positions and vectors of dimension 4.

    Parameters
    ----------
    n_features : int
        Number of columns.
    n_positions : int
        Number of vectors for a row.
    code_dim : int
        Dimension of each.
    hidden_layer_sizes, activation, dropout, generator
        As in :class:`LinearPlusNetwork`.
    """

    def __init__(
        self,
        n_features,
        n_positions,
        code_dim,
        hidden_layer_sizes=(256, 256),
        activation="relu",
        dropout=0.0,
        generator=None,
    ):
        super().__init__(n_features, n_positions * code_dim, hidden_layer_sizes, activation, dropout, generator)
        self.n_positions = n_positions
        self.code_dim = code_dim

    def forward(self, x):
        """Standardised rows x (b, n_features) → z (b, n_positions, code_dim)."""
        return super().forward(x).unflatten(1, (self.n_positions, self.code_dim))


class DenseDecoder(LinearPlusNetwork):
    """Decodes the vectors of all positions to rows of a table; the mirror image of :class:`DenseEncoder`.

    Vectors of shape (64, 4, 4) become rows (64, 13) with 13 columns.

    Parameters
    ----------
    n_features, n_positions, code_dim, hidden_layer_sizes, activation, dropout, generator
        As in :class:`DenseEncoder`; the hidden layers are used in reverse order.
    """

    def __init__(
        self,
        n_features,
        n_positions,
        code_dim,
        hidden_layer_sizes=(256, 256),
        activation="relu",
        dropout=0.0,
        generator=None,
    ):
        reverse = tuple(hidden_layer_sizes)[::-1]
        super().__init__(n_positions * code_dim, n_features, reverse, activation, dropout, generator)

    def forward(self, z):
        """Vectors z (b, n_positions, code_dim) → standardised rows x_hat (b, n_features)."""
        return super().forward(z.flatten(1))


def component_bits(variances, n_bits):
    """Bits that reverse water-filling gives to independent components, most where the variance is largest.

    Component i gets ½ log₂(variance_i / level) if that is positive, with the level at which all add up to `n_bits`.

    Parameters
    ----------
    variances : Tensor of shape (c,), float64
        Positive, in descending order.
    n_bits : float
        Budget of a row, positive.

    Returns
    -------
    bits : Tensor of shape (c,), float64
        Non-negative, sum `n_bits`.

    Examples
    --------
    >>> component_bits(torch.tensor([16.0, 4.0, 1e-6], dtype=torch.float64), 3.0).tolist()
    [2.0, 1.0, 0.0]
    """
    log2 = torch.log2(variances)
    active = torch.arange(1, len(log2) + 1, dtype=log2.dtype)
    levels = (log2.cumsum(0) - 2 * n_bits) / active  # log₂ of the level if the first 1, 2, ... components are active
    is_active = log2 > levels
    level = levels[int(is_active.nonzero()[-1])]
    return (0.5 * (log2 - level)).clamp_min(0)


def deal_components(variances, n_positions, code_dim, n_bits):
    """Deal principal components to positions so that the bits they need balance.

    From the largest on, a component goes to the position with the fewest bits so far among those with room; ties, and
    components without any bits, go where the least variance is.

    Parameters
    ----------
    variances : Tensor of shape (c,), float64
        Positive, in descending order.
    n_positions, code_dim : int
        A position has room for `code_dim` components.
    n_bits : float
        Budget of a row.

    Returns
    -------
    slots : list of int
        Slot, in [0, n_positions · code_dim), of each of the first min(c, n_positions · code_dim) components; position j
        has the slots j · code_dim, ..., (j + 1) · code_dim − 1.
    """
    bits = component_bits(variances, n_bits).tolist()
    load = [(0.0, 0.0)] * n_positions
    dealt = [0] * n_positions
    slots = []
    for variance, need in list(zip(variances.tolist(), bits))[: n_positions * code_dim]:
        position = min((j for j in range(n_positions) if dealt[j] < code_dim), key=lambda j: load[j])
        slots.append(position * code_dim + dealt[position])
        dealt[position] += 1
        load[position] = (load[position][0] + need, load[position][1] + variance)
    return slots


@torch.no_grad()
def start_from_pca(encoder, decoder, x, bits_per_code=8.0, n_parts=1):
    """Set the linear paths, in place, to the principal components of a sample.

    Slots beyond the rank of the sample encode to zero. The components keep their variances (they are not whitened), so
    that distances between codes are distances between reconstructions.

    Parameters
    ----------
    encoder : DenseEncoder
    decoder : DenseDecoder
    x : Tensor of shape (n, n_features), float
        Standardised rows; any n >= 1.
    bits_per_code : float, default=8.0
        log₂ of the number of codes.
    n_parts : int, default=1
        Number of parts of the vector of a position that have a code each; the components are dealt to all of them.
    """
    x = x.detach().cpu().double()
    mean = x.mean(0)
    _, scales, components = torch.linalg.svd(x - mean, full_matrices=False)
    kept = (scales > RANK_TOLERANCE * scales[:1].clamp_min(1e-12)).nonzero().flatten()
    variances = scales[kept].square() / len(x)
    weight = torch.zeros(encoder.n_positions * encoder.code_dim, x.shape[1], dtype=torch.float64)
    if len(kept):
        n_codes = encoder.n_positions * n_parts
        slots = deal_components(variances, n_codes, encoder.code_dim // n_parts, n_codes * max(1.0, bits_per_code))
        weight[slots] = components[kept[: len(slots)]]
    encoder.linear.weight.copy_(weight)
    encoder.linear.bias.copy_(-weight @ mean)
    decoder.linear.weight.copy_(weight.T)
    decoder.linear.bias.copy_(mean)
