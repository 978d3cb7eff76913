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
    quantizer : torch.nn.Module
        (b, m, d) → :class:`~skvq.nn.quantizers.Quantized`.
    decoder : torch.nn.Module
        (b, m, d) → (b, *row_shape).
    """

    def __init__(self, encoder, quantizer, decoder):
        super().__init__()
        self.encoder = encoder
        self.quantizer = quantizer
        self.decoder = decoder

    def forward(self, x):
        """Return the reconstruction of `x`, the encoded vectors z (b, m, d), and what the quantiser made of them."""
        z = self.encoder(x).float()
        quantized = self.quantizer(z)
        return self.decoder(quantized.vectors), z, quantized

    @torch.no_grad()
    def encode(self, x):
        """Return the codes (b, m) int64 of `x`."""
        return self.quantizer.encode(self.encoder(x))

    @torch.no_grad()
    def decode(self, codes):
        """Return the rows that the codes (b, m) stand for."""
        return self.decoder(self.quantizer.decode(codes))
