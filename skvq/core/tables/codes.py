"""One code for each cell of a table, for models of discrete rows, and cells drawn from codes."""

import numpy as np
import torch
from scipy.special import ndtri

from ...nn.copula import FARTHEST
from ...nn.nade import ColumnCodes
from .correlation import correlation_of

# A column of no more pieces than this has no fine codes.
MOST_WITHOUT_FINE = 64
# Rows that a level needs for a score in a copula, and the share of rows that a value of a number needs.
LEAST_SCORED, LEAST_ATOM = 5, 0.1
# Scores of a copula, at most: the time of a step grows with the third power. Rows of a mixed table below which it has
# one: more rows teach a network what a copula knows, in less time.
MOST_SCORES, FEW_ROWS = 64, 2_000
# Cells of a code that its mean is taken over.
MEAN_CELLS = 16


class _Labels:
    """The codes of a category or boolean: the index of the level."""

    is_number = False
    n_fine = 1

    def __init__(self, column):
        self.n_coarse = len(column.levels)
        self.seen = np.array(column.frequencies) > 0

    def codes(self, cells):
        return cells.astype(np.int64)

    def values(self):
        return np.full(self.n_coarse, np.nan)

    def present(self):
        """Return which levels occurred in `fit`: a dtype may have more."""
        return self.seen

    def cells(self, codes, uniform):
        return codes.astype(np.float64)

    def log_density(self, cells, log_prob, log_present):
        return log_prob


class _Pieces:
    """The codes of a numeric column: the pieces of its marginal, in coarse groups of about equal mass.

    Parameters
    ----------
    column : Column
    n_bins : int
        Number of groups, more where atoms stand alone. A column of few pieces has a group for each.
    """

    is_number = True

    def __init__(self, column, n_bins):
        self.column, self.marginal, self.discrete = column, column.marginal, column.kind != "real"
        mass = np.array(column.marginal.mass)
        n_pieces = len(mass)
        if n_pieces <= MOST_WITHOUT_FINE:
            group = np.arange(n_pieces)
        else:
            alone = mass > 0.5 / n_bins
            rest = np.where(alone, 0.0, mass)
            middle = (np.cumsum(rest) - rest / 2) / (rest.sum() or 1.0)  # all pieces may stand alone
            bins = np.minimum((n_bins * middle).astype(np.int64), n_bins - 1)
            starts = np.ones(n_pieces, dtype=bool)
            starts[1:] = alone[1:] | alone[:-1] | (bins[1:] != bins[:-1])
            group = np.cumsum(starts) - 1
        first = np.flatnonzero(np.diff(group, prepend=-1))
        self.n_coarse = int(group[-1]) + 1
        self.n_fine = int(np.bincount(group).max())
        self.code_of_piece = group * self.n_fine + np.arange(n_pieces) - first[group]
        self.piece_of_code = np.zeros(self.n_coarse * self.n_fine, dtype=np.int64)
        self.piece_of_code[self.code_of_piece] = np.arange(n_pieces)

    def codes(self, cells):
        return self.code_of_piece[self.marginal.piece_of(cells)]

    def values(self):
        """Return the standard-normal scores of the codes, divided by their standard deviation."""
        found = np.zeros(len(self.piece_of_code))
        found[self.code_of_piece] = self._standardised(self.marginal.scores)
        return found

    def ends(self):
        """Return where the codes begin and end on the scale of `values`, ndarray (n_coarse, n_fine + 1).

        The fine codes that a coarse one lacks begin and end where its last one ends.
        """
        mass = np.array(self.marginal.mass)
        ends = self._standardised(ndtri(np.cumsum(mass)[:-1] / mass.sum()))
        ends = np.concatenate([[-FARTHEST], ends, [FARTHEST]])
        group = self.code_of_piece // self.n_fine
        first = np.flatnonzero(np.diff(group, prepend=-1))
        n_pieces = np.diff(np.append(first, len(group)))
        return ends[first[:, None] + np.minimum(np.arange(self.n_fine + 1), n_pieces[:, None])]

    def _standardised(self, scores):
        mass, own = np.array(self.marginal.mass), self.marginal.scores
        mean = mass @ own
        return (scores - mean) / (np.sqrt(mass @ np.square(own - mean)) or 1.0)

    def present(self):
        there = np.zeros(len(self.piece_of_code), dtype=bool)
        there[self.code_of_piece] = True
        return there

    def cells(self, codes, uniform):
        return self.marginal.draw_in(self.piece_of_code[codes], uniform)

    def atoms(self):
        """Return the coarse codes of single pieces, with the share of observed cells that lies there, as pairs."""
        mass, group = np.array(self.marginal.mass), self.code_of_piece // self.n_fine
        alone = np.bincount(group)[group] == 1
        return list(zip(group[alone].tolist(), (mass[alone] / mass.sum()).tolist()))

    def means(self):
        """Return the mean of the cells of each code, from `MEAN_CELLS` that are evenly spread."""
        places = (np.arange(MEAN_CELLS) + 0.5) / MEAN_CELLS
        pieces = np.repeat(self.piece_of_code[:, None], MEAN_CELLS, axis=1)
        return self.marginal.draw_in(pieces, np.broadcast_to(places, pieces.shape)).mean(axis=1)

    def log_density(self, cells, log_prob, log_present):
        """Return the log density of cells whose codes have the log probabilities `log_prob`.

        Values that are in no piece have the density that the marginal spares for them, times the probability that the
        cell is not missing, whose logs are `log_present`.
        """
        marginal, cells = self.marginal, self.column.settled(cells)
        known = (
            np.log1p(-marginal.stray(discrete=self.discrete))
            + log_prob
            + marginal.log_within(cells, discrete=self.discrete)
        )
        return np.logaddexp(known, log_present + marginal.log_stray(cells, discrete=self.discrete))


def _most_even(levels, most):
    """Return the column and code of those levels, at most so many, whose share is nearest to a half."""
    return tuple(level[:2] for level in sorted(levels, key=lambda level: abs(level[2] - 0.5))[:most])


class TableCodes:
    """The way from the cells of a table to one code for each, and back.

    A category's code is the index of its level. A number's code is the piece of its marginal that it lies in, an atom
    or a stretch of values; a cell that is drawn for the code lies anywhere in the stretch, on the column's grid if it
    has one. A column with missing cells has one more coarse code for them.

    Parameters
    ----------
    columns : Columns
    n_bins : int
        Coarse codes of a numeric column.
    """

    def __init__(self, columns, n_bins):
        self.columns = columns
        self.parts = [_Labels(column) if column.is_discrete else _Pieces(column, n_bins) for column in columns]
        self.has_missing = [column.missing > 0 for column in columns]
        self.codes = ColumnCodes(
            tuple(part.n_coarse + missing for part, missing in zip(self.parts, self.has_missing)),
            tuple(part.n_fine for part in self.parts),
            tuple(part.is_number and part.n_coarse > 1 for part in self.parts),
        )

    def missing_codes(self):
        """Return for each column the coarse code of its missing cells, None where it has none."""
        return [part.n_coarse if missing else None for part, missing in zip(self.parts, self.has_missing)]

    def _levels(self):
        """Return the levels of categories and booleans as triples of column, coarse code and share of rows."""
        for column, of_column in enumerate(self.columns):
            for code, share in enumerate(of_column.frequencies):
                yield column, code, share

    def _atoms(self):
        """Return the values of numbers with a coarse code of their own, as triples like levels."""
        for column, (part, of_column) in enumerate(zip(self.parts, self.columns)):
            if self.codes.is_number[column]:
                for code, mass in part.atoms():
                    yield column, code, mass * (1.0 - of_column.missing)

    def copula(self, n_rows):
        """Return whether a network of so many rows starts from a copula, and which levels and atoms have scores there.

        They are the `copula`, `levels` and `atoms` of an OrderlessNetwork. A level needs `LEAST_SCORED` rows with it,
        and as many without; an atom, a value of a number with a coarse code of its own, `LEAST_ATOM` of all. Where
        there are more than `MOST_SCORES`, it is the levels, and then the atoms, that part the rows most evenly.
        """
        left, levels, atoms = MOST_SCORES - len(self.codes.numbers), (), ()
        few = n_rows < FEW_ROWS
        if left >= 0 and few:
            least = LEAST_SCORED / n_rows
            levels = _most_even([level for level in self._levels() if least <= level[2] <= 1.0 - least], left)
            atoms = [atom for atom in self._atoms() if LEAST_ATOM <= atom[2] <= 1.0 - LEAST_ATOM]
            atoms = _most_even(atoms, left - len(levels))
        has_scores = left >= 0 and len(self.codes.numbers) + len(levels) > 1
        has_copula = has_scores and (few or all(part.is_number for part in self.parts))
        return {"copula": has_copula, "levels": levels, "atoms": atoms}

    def rows(self, cells):
        """Return the codes of cells (n, n_columns): ndarray of int32.

        A missing cell of a column that had none in `fit` has no code, which is -1.
        """
        rows = np.full(cells.shape, -1, dtype=np.int32)
        for column, part in enumerate(self.parts):
            values = cells[:, column].astype(np.float64)
            seen = ~np.isnan(values)
            rows[seen, column] = part.codes(values[seen])
            if self.has_missing[column]:
                rows[~seen, column] = part.n_coarse * part.n_fine
        return rows

    def cells(self, rows, uniform):
        """Return cells, float64 (n, n_columns), drawn for codes; `uniform`, of that shape, says where in a stretch."""
        cells = np.empty(rows.shape)
        for column, part in enumerate(self.parts):
            missing = rows[:, column] >= part.n_coarse * part.n_fine
            cells[:, column] = np.where(
                missing, np.nan, part.cells(np.where(missing, 0, rows[:, column]), uniform[:, column])
            )
        return cells

    def means(self):
        """Return for each column the mean of the cells of each code, ndarray, or None where cells are no numbers.

        A missing cell, which has no value, counts as 0.
        """
        found = []
        for part, n_coarse in zip(self.parts, self.codes.n_coarse):
            beyond = (n_coarse - part.n_coarse) * part.n_fine
            found.append(np.append(part.means(), np.zeros(beyond)) if part.is_number else None)
        return found

    def log_density(self, cells, log_probs, log_present):
        """Return the log density of each cell, a log probability for what is discrete: ndarray (n, n_columns).

        `log_probs` (n, n_columns) are the log probabilities of the cells' codes, `log_present` those that the cells are
        not missing.
        """
        found = log_probs.copy()
        for column, part in enumerate(self.parts):
            seen = ~np.isnan(cells[:, column])
            values = cells[seen, column].astype(np.float64)
            found[seen, column] = part.log_density(values, log_probs[seen, column], log_present[seen, column])
        return found

    def start(self, network, rows):
        """Start an OrderlessNetwork from rows of codes, Tensor of int64 (n, n_columns)."""
        values, present = [], []
        for part, missing, n_coarse in zip(self.parts, self.has_missing, self.codes.n_coarse):
            beyond = (n_coarse - part.n_coarse) * part.n_fine
            values.append(torch.from_numpy(np.append(part.values(), np.full(beyond, np.nan))).float())
            there = np.append(part.present(), np.zeros(beyond, dtype=bool))
            if missing:
                there[part.n_coarse * part.n_fine] = True
            present.append(torch.from_numpy(there))
        network.start_from(rows, values, present)
        if network.copula is not None:
            ends = [torch.from_numpy(self.parts[column].ends()).float() for column in self.codes.numbers]
            network.copula.start_from(ends, network.number_with_fine.tolist())
            if network.copula.levels is not None:
                coarse = torch.div(rows, torch.tensor(self.codes.n_fine), rounding_mode="floor")
                network.copula.levels.start_from(coarse)
            network.copula.correlation.copy_(correlation_of(*network.scores(rows.clamp_min(0), (rows >= 0).float())))
