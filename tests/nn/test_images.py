import json

import numpy as np
import pytest
import torch

from skvq.nn.images import MAX_MIXED_POSITIONS, ConvDecoder, ConvEncoder, PatchGrid, moved, start_from_pca

GEOMETRIES = [
    ((28, 28, 1), (7, 7)),
    ((8, 8, 1), (4, 4)),
    ((13, 9, 3), (4, 3)),
    ((10, 17, 2), (7, 1)),
    ((5, 6, 4), (5, 6)),
    ((32, 32, 3), (1, 1)),
]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n, shape, seed=0):
    return torch.randn(n, *shape, generator=generator(seed))


def pair(shape, grid, code_dim=6, channels=16, n_blocks=2, seed=0, **options):
    draws = generator(seed)
    return tuple(
        kind(shape, grid, code_dim, channels, n_blocks, generator=draws, **options)
        for kind in (ConvEncoder, ConvDecoder)
    )


def perturb(*modules):
    """Move every weight, so that no part of the networks is zero."""
    draws = generator(9)
    with torch.no_grad():
        for module in modules:
            for parameter in module.parameters():
                parameter += 0.1 * torch.randn(parameter.shape, generator=draws)


@pytest.mark.parametrize(("shape", "grid"), GEOMETRIES)
def test_shapes_for_any_image_and_grid(shape, grid):
    encoder, decoder = pair(shape, grid)
    z = encoder(images(3, shape))
    assert z.shape == (3, grid[0] * grid[1], 6)
    assert decoder(z).shape == (3, *shape)


@pytest.mark.parametrize(("shape", "grid"), GEOMETRIES)
def test_joining_the_patches_gives_the_image_back(shape, grid):
    patches = PatchGrid(shape, grid)
    x = images(2, shape)
    torch.testing.assert_close(patches.join(patches.cut(x)), x, rtol=0, atol=0)


@pytest.mark.parametrize(("shape", "grid"), GEOMETRIES)
def test_patches_are_those_of_an_edge_padded_array(shape, grid):
    x = images(2, shape).numpy()
    stride = [-(-side // cells) for side, cells in zip(shape, grid, strict=False)]
    surplus = [cells * s - side for side, cells, s in zip(shape, grid, stride, strict=False)]
    padded = np.pad(x, [(0, 0), *((p // 2, p - p // 2) for p in surplus), (0, 0)], mode="edge")
    expected = np.stack(
        [
            padded[:, i * stride[0] : (i + 1) * stride[0], j * stride[1] : (j + 1) * stride[1]].reshape(2, -1)
            for i in range(grid[0])
            for j in range(grid[1])
        ],
        axis=1,
    )
    np.testing.assert_array_equal(PatchGrid(shape, grid).cut(torch.from_numpy(x)).numpy(), expected)


@pytest.mark.parametrize("n_blocks", [0, 2])
@pytest.mark.parametrize(("code_dim", "shape", "grid"), [(5, (12, 8, 1), (3, 2)), (3, (9, 11, 2), (3, 4))])
def test_a_network_started_from_pca_gives_the_reconstruction_of_numpy_svd(code_dim, shape, grid, n_blocks):
    encoder, decoder = pair(shape, grid, code_dim, n_blocks=n_blocks)
    x = images(50, shape) + 2.0
    start_from_pca(encoder, decoder, x)
    patches = PatchGrid(shape, grid)
    rows = patches.cut(x).reshape(-1, patches.patch_size).double().numpy()
    mean = rows.mean(axis=0)
    components = np.linalg.svd(rows - mean, full_matrices=False)[2][:code_dim]
    expected = (rows - mean) @ components.T @ components + mean
    expected = patches.join(torch.from_numpy(expected).view(50, -1, patches.patch_size))
    torch.testing.assert_close(decoder(encoder(x)).double(), expected, rtol=0, atol=1e-4)  # float32 against float64


def test_pca_with_at_least_as_many_dimensions_as_pixels_is_lossless():
    for code_dim in (12, 20):
        encoder, decoder = pair((6, 4, 3), (3, 2), code_dim)
        x = images(40, (6, 4, 3))
        start_from_pca(encoder, decoder, x)
        torch.testing.assert_close(decoder(encoder(x)), x, rtol=0, atol=1e-4)


def test_a_linear_code_vector_depends_on_its_own_patch_only():
    encoder, _ = pair((6, 8, 1), (3, 4), n_blocks=0)
    x = images(1, (6, 8, 1)).requires_grad_()
    encoder(x)[0, 6].sum().backward()  # row 1, column 2 of the grid
    touched = torch.nonzero(x.grad[0, :, :, 0]).tolist()
    assert touched == [[2, 4], [2, 5], [3, 4], [3, 5]]


def test_the_network_sees_neighbours_and_with_maps_over_positions_the_whole_image_on_a_small_grid():
    for grid, mixes, n_seen in (((6, 6), False, 25), ((6, 6), True, 36), ((20, 20), True, 25)):
        encoder, _ = pair((*grid, 1), grid, mixes_positions=mixes)
        perturb(encoder)
        x = images(1, (*grid, 1)).requires_grad_()
        encoder(x)[0, grid[0] // 2 * grid[1] + grid[1] // 2].sum().backward()
        assert torch.count_nonzero(x.grad) == n_seen


def test_parameters_of_large_grids_grow_linearly_with_the_positions():
    side = int(MAX_MIXED_POSITIONS**0.5)
    counts = [sum(p.numel() for p in pair((s, s, 1), (s, s))[0].parameters()) for s in (side + 1, side + 2, side + 3)]
    grid_steps = [(side + 2) ** 2 - (side + 1) ** 2, (side + 3) ** 2 - (side + 2) ** 2]
    assert np.diff(counts).tolist() == [16 * step for step in grid_steps]


def test_moved_images_are_parts_of_the_mirrored_plane_at_all_shifts_up_to_the_longest():
    image = torch.arange(5 * 6.0).reshape(1, 5, 6, 1)
    plane = np.pad(image[0, :, :, 0].numpy(), ((2, 2), (1, 1)), mode="reflect")
    expected = {}
    for down in range(5):
        for right in range(3):
            part = plane[down : down + 5, right : right + 6]
            expected[part.tobytes()] = (down, right, False)
    mirrored = np.pad(image[0, :, :, 0].numpy()[:, ::-1], ((2, 2), (1, 1)), mode="reflect")
    for down in range(5):
        for right in range(3):
            expected[mirrored[down : down + 5, right : right + 6].tobytes()] = (down, right, True)
    draws = generator(0)
    seen = {expected[moved(image, (2, 1), draws)[0, :, :, 0].numpy().tobytes()] for _ in range(600)}
    assert len(seen) == 30


def test_tiny_images_are_moved_by_less_than_a_side():
    assert moved(images(3, (2, 1, 3)), (5, 5), generator()).shape == (3, 2, 1, 3)


def test_the_global_generator_is_left_alone():
    before = torch.random.get_rng_state()
    pair((8, 8, 1), (4, 4))
    ConvEncoder((8, 8, 1), (4, 4))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_weights_come_from_the_generator():
    first, same, other = (pair((8, 8, 1), (4, 4), seed=s)[0].state_dict() for s in (0, 0, 1))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["map.network.stem.weight"], other["map.network.stem.weight"])


def test_modules_are_rebuilt_from_json_arguments_and_weights():
    arguments = {"image_shape": [9, 8, 1], "code_shape": [3, 4], "code_dim": 5, "channels": 12, "n_blocks": 1}
    x = images(2, (9, 8, 1))
    z = torch.randn(2, 12, 5, generator=generator())
    for kind, inputs in ((ConvEncoder, x), (ConvDecoder, z)):
        module = kind(**arguments, generator=generator(3))
        perturb(module)
        again = kind(**json.loads(json.dumps(arguments)))
        again.load_state_dict(module.state_dict())
        torch.testing.assert_close(again(inputs), module(inputs), rtol=0, atol=0)


def test_bfloat16_autocast_gives_float32_results_near_those_of_float32():
    encoder, decoder = pair((12, 12, 1), (4, 4))
    perturb(encoder, decoder)
    x = images(4, (12, 12, 1))
    exact = decoder(encoder(x))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = decoder(encoder(x))
    assert rounded.dtype == torch.float32
    assert (rounded - exact).pow(2).mean() < 1e-3 * exact.pow(2).mean()  # bfloat16 keeps 8 bits; 3 % per element


@pytest.mark.parametrize(("shape", "grid"), GEOMETRIES)
def test_every_parameter_learns(shape, grid):
    encoder, decoder = pair(shape, grid)
    perturb(encoder, decoder)
    x = images(4, shape)
    (decoder(encoder(x)) - x).pow(2).mean().backward()
    for module in (encoder, decoder):
        for name, parameter in module.named_parameters():
            assert parameter.grad is not None, name
            assert torch.count_nonzero(parameter.grad) > 0, name
