import numpy as np
import pytest
import torch

from skvq.core.layout import check_image_shape, flatten_images, with_channels


def test_images_become_rows_without_a_copy():
    X = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    rows, shape = flatten_images(X)
    assert shape == (3, 4, 5)
    assert np.shares_memory(rows, X)
    np.testing.assert_array_equal(rows[1], X[1].ravel())


def test_rows_stay_as_they_are():
    X = np.zeros((2, 3))
    rows, shape = flatten_images(X)
    assert rows is X
    assert shape is None


def test_a_torch_tensor_becomes_an_array():
    rows, shape = flatten_images(torch.ones(2, 3, 3, requires_grad=True))
    assert isinstance(rows, np.ndarray)
    assert shape == (3, 3)


@pytest.mark.parametrize("image_shape", [(28,), (28, 28, 1, 1), (28, -1), (2.5, 2), 28, "28x28"])
def test_an_image_shape_that_is_none_is_refused(image_shape):
    with pytest.raises(ValueError, match="image_shape=.* must be None"):
        check_image_shape(image_shape)


def test_an_image_shape_must_multiply_to_the_columns():
    with pytest.raises(ValueError, match="stands for 64 values a row, but X has 63 features"):
        check_image_shape((8, 8), 63)


def test_images_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"shape \(4, 3\), but image_shape is \(3, 4\)"):
        flatten_images(np.zeros((2, 4, 3)), (3, 4))


def test_five_dimensions_are_refused():
    with pytest.raises(ValueError, match=r"images must be \(n, H, W\)"):
        flatten_images(np.zeros((2, 3, 4, 1, 1)))


def test_grey_images_have_one_channel():
    assert with_channels((3, 4)) == (3, 4, 1)
    assert with_channels((3, 4, 3)) == (3, 4, 3)
