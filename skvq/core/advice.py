"""What to pass instead of an X whose shape is that of one image, of one series, or of a long series in one piece."""

from ..training.batches import as_array
from .layout import MOST_CHANNELS, with_channels
from .sources import MOST_COLOURS


def advised(error, X, image_shape, series):
    """Return an error for X of another shape with what to pass instead, or as it is where nothing is known.

    Parameters
    ----------
    error : Exception
    X : array-like
    image_shape : tuple of int or None
    series : SeriesLayout or None
        What fit saw, or is asked for.

    Examples
    --------
    >>> import numpy as np
    >>> raise advised(ValueError("X has 8 features"), np.zeros((8, 8)), (8, 8), None)
    Traceback (most recent call last):
    ValueError: X has 8 features; one image is X[None] here
    """
    shape = getattr(X, "shape", None)
    if not isinstance(error, ValueError) or not isinstance(shape, tuple) or hasattr(X, "columns"):
        return error
    hint = _of_images(shape, image_shape) if series is None else _of_series(shape, series)
    if hint is None:
        return error
    told, _, advice_of_others = str(error).partition(":\narray=")
    return ValueError(f"{told}{f': X has shape {shape}' if advice_of_others else ''}; {hint}")


def _of_images(shape, image_shape):
    is_one = image_shape is not None and len(shape) in (2, 3) and with_channels(shape) == with_channels(image_shape)
    return "one image is X[None] here" if is_one else None


def _of_series(shape, series):
    if shape in (series.axes, series.shape):
        return "one series is X[None] here"
    whole, name = (shape[1:], "X[0]") if len(shape) > 1 and shape[0] == 1 else (shape, "X")
    is_flat = len(whole) == 1 and series.n_channels == 1
    is_long = is_flat or len(whole) == 2 and whole[1] == series.n_channels and not series.channels_first
    if not is_long or whole[0] <= series.length:
        return None
    windows = f"numpy.lib.stride_tricks.sliding_window_view({name}, {series.length}, axis=0)[::step]"
    return (
        f"one long series of {whole[0]} time steps is cut into windows first: "
        f"{windows}{'' if is_flat else '.swapaxes(1, 2)'}"
    )


def refuse_images_of_unequal_sizes(parts):
    """Raise ValueError for a list of arrays that are images of several sizes, rather than series or chunks of rows."""
    shapes = sorted({as_array(part).shape if hasattr(part, "shape") else () for part in parts}, key=str)
    widths = {shape[-1] for shape in shapes if shape}
    are_coloured = all(len(shape) == 3 and shape[2] <= MOST_COLOURS for shape in shapes)
    are_narrow = len(widths) == 1 and max(widths) <= MOST_CHANNELS
    are_grey = all(len(shape) == 2 for shape in shapes) and not are_narrow
    if len(shapes) > 1 and (are_grey or are_coloured):
        chunks = ". If they are chunks of rows, pass iter(X)" if are_grey and len(widths) == 1 else ""
        raise ValueError(
            f"X holds images of {len(shapes)} different sizes, such as {shapes[0]} and {shapes[1]}; bring them to "
            "one size first (resize of PIL.Image, skimage.transform.resize), or cut patches of one size out of "
            f"them{chunks}"
        )
