"""Rows of a mixed table with all that their likelihood in the units of X is computed from."""

import functools

import numpy as np
import torch

# Numbers that are known of each number: the scores that its value lies between, and the logarithms of the unit of its
# density and of the probability that is spared for unseen values.
N_BOUNDS = 4
# Those of a missing cell: it lies anywhere, which has the probability 1.
MISSING = np.array([-np.inf, np.inf, 0.0, -np.inf])


class ScoredRows:
    """Features of rows, then the bounds of their numbers, then the levels of their other columns, in float64.

    A number has the scores between which its value lies, standardised (the same ones for a value with a density, and
    -inf and inf for a missing cell), the logarithm of the factor on what lies between them, and the log probability of
    its value as an unseen one: all lower scores of a row, then all upper ones, and so on. The levels are those of the
    columns with the fewest levels first, -1 for a missing cell that is no level.

    Parameters
    ----------
    rows : TableRows
    """

    def __init__(self, rows):
        self.rows = rows
        self.device = rows.device
        self.pass_size = rows.pass_size

    def __len__(self):
        """Return the number of rows."""
        return len(self.rows)

    def in_order(self, batch_size):
        """Yield all rows in order, `batch_size` at a time, as tensors (b, F + 4 q + c).

        F is the number of features, q that of the columns with scores, c that of the others.
        """
        # MPS has no float64.
        dtype = torch.float32 if self.device.type == "mps" else torch.float64
        for start in range(0, len(self), batch_size):
            chosen = slice(start, start + batch_size)
            cells = self.rows.X[chosen if self.rows.subset is None else self.rows.subset[chosen]]
            beside = torch.from_numpy(np.concatenate([self._bounds(cells), self._levels(cells)], axis=1))
            yield torch.cat([self.rows.take(chosen).to(dtype), beside.to(self.device, dtype)], dim=1)

    @functools.cached_property
    def _others(self):
        """Indices of the columns with levels, those of fewest first, and whether a missing cell is one of them."""
        blocks = self.rows.layout.blocks
        widths = {index: block.stop - block.start for index, block in enumerate(blocks) if not block.has_score}
        return sorted(widths, key=widths.__getitem__)

    def _levels(self, cells):
        blocks = self.rows.layout.blocks
        absent = np.array([blocks[index].n_levels if blocks[index].has_missing else -1 for index in self._others])
        found = np.asarray(cells[:, self._others], dtype=np.float64)
        return np.where(np.isnan(found), absent, found)

    def _bounds(self, cells):
        layout = self.rows.layout
        numbers = [index for index, block in enumerate(layout.blocks) if block.has_score]
        found = np.empty((len(cells), N_BOUNDS, len(numbers)))
        for position, index in enumerate(numbers):
            bounds = bounds_of if layout.scaling == "normal" else bounds_of_values
            found[:, :, position] = bounds(layout.columns[index], cells[:, index]).T
            found[:, :2, position] -= layout.shift[index]
            found[:, :2, position] /= layout.scale[index]
            found[:, 2, position] -= np.log(layout.scale[index]) * (found[:, 0, position] == found[:, 1, position])
        return found.reshape(len(cells), -1)


def bounds_of(column, cells):
    """Return the bounds (4, n) of the cells (n,) of a Column with a marginal; scores are not standardised."""
    marginal, discrete = column.marginal, column.kind != "real"
    missing = np.isnan(cells)
    values = column.settled(np.where(missing, marginal.low, cells).astype(np.float64))
    lower, upper, log_unit = marginal.normal_bounds(values, discrete=discrete)
    log_unit = log_unit + np.log1p(-marginal.stray(discrete=discrete))
    found = np.stack([lower, upper, log_unit, marginal.log_stray(values, discrete=discrete)])
    found[:, missing] = MISSING[:, None]
    return found


def bounds_of_values(column, cells):
    """Return the bounds (4, n) of cells (n,) that are taken as they are, with a density."""
    cells = np.asarray(cells, dtype=np.float64)
    found = np.stack([cells, cells, np.zeros_like(cells), np.full_like(cells, -np.inf)])
    found[:, np.isnan(cells)] = MISSING[:, None]
    return found
