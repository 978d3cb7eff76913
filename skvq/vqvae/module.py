"""The vector-quantised autoencoder: encoder, quantiser, decoder."""

import torch
from torch import nn


class VQVAE(nn.Module):
    """Vector-quantised autoencoder (van den Oord, Vinyals & Kavukcuoglu, 2017).

    Rows of shape (128, 28, 28, 1) are encoded to (128, 49, 16), quantised to codes (128, 49), and decoded to
    (128, 28, 28, 1).

    Parameters
    ----------
    encoder : torch.nn.Module
        (b, *row_shape) → (b, m, d).
    quantizer : Quantizer
        (b, m, d) → :class:`~skvq.nn.quantizers.base.Quantized`.
    decoder : torch.nn.Module
        (b, m, d) → (b, *row_shape).
    n_positions : int, optional
        m, where the quantiser has several codes for a position; they lie side by side in the codes of a row.
    """

    def __init__(self, encoder, quantizer, decoder, n_positions=None):
        super().__init__()
        self.encoder = encoder
        self.quantizer = quantizer
        self.decoder = decoder
        self.n_positions = n_positions

    def forward(self, x):
        """Return the reconstruction of `x`, the encoded vectors z (b, m, d), and what the quantiser made of them."""
        z = self.encoder(x).float()
        quantized = self.quantizer(z)
        return self.decoder(quantized.vectors), z, quantized

    @torch.no_grad()
    def encode(self, x):
        """Return the codes of `x`, int64: (b, m), or (b, m · s) with s codes a position."""
        return self.quantizer.encode(self.encoder(x)).flatten(1)

    @torch.no_grad()
    def decode(self, codes):
        """Return the rows that codes stand for, as `encode` returns them; s may be smaller where stages add up."""
        if self.n_positions is not None:
            codes = codes.unflatten(1, (self.n_positions, -1))
        return self.decoder(self.quantizer.decode(codes))
