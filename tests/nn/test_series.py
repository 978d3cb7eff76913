"""Networks of series: shapes, starts, and what a position sees."""

import numpy as np
import pytest
import torch

from skvq.nn.images import start_from_pca
from skvq.nn.series import KERNEL, FlatDecoder, FlatEncoder, SeriesDecoder, SeriesEncoder, automatic_positions
from skvq.nn.tables import DenseDecoder, DenseEncoder

GENERATOR = torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("length", "n_channels"), [(8, 1), (9, 2), (100, 6), (10_000, 1)])
def test_series_of_any_length_are_encoded_and_come_back_in_their_shape(length, n_channels):
    m = automatic_positions(length)
    x = torch.randn(2, 1, length, n_channels, generator=GENERATOR)
    encoder = SeriesEncoder((1, length, n_channels), m, 4, channels=8, n_blocks=1)
    decoder = SeriesDecoder((1, length, n_channels), m, 4, channels=8, n_blocks=1)
    z = encoder(x)
    assert z.shape == (2, m, 4)
    assert decoder(z).shape == x.shape


def test_the_start_is_the_projection_on_the_principal_components_of_the_patches():
    x = torch.randn(50, 1, 24, 2, generator=GENERATOR).cumsum(dim=2)
    encoder, decoder = (kind((1, 24, 2), 6, 3, channels=8, n_blocks=1) for kind in (SeriesEncoder, SeriesDecoder))
    start_from_pca(encoder, decoder, x)
    patches = x.reshape(300, 8).double().numpy()
    centred = patches - patches.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:3]
    expected = centred @ axes.T @ axes + patches.mean(axis=0)
    np.testing.assert_allclose(decoder(encoder(x)).detach().reshape(300, 8), expected, atol=1e-4)  # float32


def test_a_block_sees_the_positions_within_its_kernel_and_no_others():
    encoder = SeriesEncoder((1, 60, 1), 30, 4, channels=8, n_blocks=1, generator=torch.Generator().manual_seed(0))
    torch.nn.init.normal_(encoder.map.network.head.weight, generator=torch.Generator().manual_seed(1))
    x = torch.randn(1, 1, 60, 1, generator=GENERATOR).requires_grad_()
    encoder(x)[0, 15].sum().backward()
    seen = x.grad[0, 0, :, 0].reshape(30, 2).abs().sum(dim=1) > 0
    assert seen.nonzero().flatten().tolist() == list(range(15 - KERNEL // 2, 16 + KERNEL // 2))


def test_networks_of_rows_see_series_as_rows():
    encoder, decoder = DenseEncoder(24, 2, 3, ()), DenseDecoder(24, 2, 3, ())
    x = torch.randn(5, 1, 12, 2, generator=GENERATOR)
    z = FlatEncoder(encoder)(x)
    torch.testing.assert_close(z, encoder(x.reshape(5, 24)))
    torch.testing.assert_close(FlatDecoder(decoder, (1, 12, 2))(z), decoder(z).reshape(5, 1, 12, 2))
