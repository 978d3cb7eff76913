"""An orderless autoregressive network over the columns of a table, each of which holds one code of a row.

The network predicts every unknown column from any set of known ones, so that a row can be drawn, completed or scored in
any order of its columns [1]_. Training hides a random number of random columns.

A column with many codes is predicted in two steps, coarse to fine: code = coarse · n_fine + fine. Codes of numbers lie
on a line; what the network says of them is smooth in their value, a polynomial of low degree in the logits, and with
`free_codes` it may say something else of each code as well.

Departures from [1]_. The network has residual blocks; what is known is embedded, column by column, before the first
layer; and the network starts at the marginals, since the weights behind its outputs start at zero, or at a Gaussian
copula of the columns with these marginals.

References
----------
.. [1] B. Uria, I. Murray, H. Larochelle, "A Deep and Tractable Density Estimator", ICML 2014.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from .copula import NormalCopula
from .draws import Dropout, generator_for, linear, uniform
from .grids.sampling import choose, probabilities

CPU = torch.device("cpu")
# Width of what the prediction of fine codes is made from, for each column.
FINE_WIDTH = 32
# Numbers whose polynomials are multiplied together: among more of them nearly all products would be with zeros.
NUMBERS_TOGETHER = 16
# Logit of codes that do not occur.
NEVER = -30.0


@dataclass(frozen=True)
class ColumnCodes:
    """The codes of the columns of a table.

    Attributes
    ----------
    n_coarse, n_fine : tuple of int, one for each column
        Number of coarse codes, and of fine codes in each of them; 1 where there are none.
    is_number : tuple of bool
        Whether the codes lie on a line.
    """

    n_coarse: tuple[int, ...]
    n_fine: tuple[int, ...]
    is_number: tuple[bool, ...]

    @property
    def n_columns(self):
        """Number of columns."""
        return len(self.n_coarse)

    @cached_property
    def starts(self):
        """Where the coarse codes of each column start, all columns in a row, and at the end their number."""
        return _starts(self.n_coarse)

    @cached_property
    def token_starts(self):
        """Where the codes of each column start, all columns in a row, and at the end their number."""
        return _starts([coarse * fine for coarse, fine in zip(self.n_coarse, self.n_fine)])

    @cached_property
    def with_fine(self):
        """Columns that have fine codes."""
        return [column for column, n_fine in enumerate(self.n_fine) if n_fine > 1]

    @cached_property
    def numbers(self):
        """Columns of numbers."""
        return [column for column, is_number in enumerate(self.is_number) if is_number]


class CopulaTerms(NamedTuple):
    """How the log probabilities of codes under a copula differ from the marginals, given the known columns.

    Attributes
    ----------
    coarse : Tensor of shape (b, n_codes)
        Of the coarse codes of all columns in a row.
    fine : Tensor of shape (b, n_with_fine, most_fine), or None
        Of the fine codes in the coarse code that each row has; None where no column has any.
    """

    coarse: torch.Tensor
    fine: torch.Tensor | None


class Context(NamedTuple):
    """What the known columns of rows say of the others.

    Attributes
    ----------
    h : Tensor of shape (b, width)
        What the network makes of them.
    mean, std : Tensor of shape (b, n_scores), or None
        Of the scores of a copula given the known ones; None without a copula.
    """

    h: torch.Tensor
    mean: torch.Tensor | None = None
    std: torch.Tensor | None = None


def _starts(sizes):
    starts = [0]
    for size in sizes:
        starts.append(starts[-1] + size)
    return starts


class _Block(nn.Module):
    """x + network(x), (b, width) → (b, width), where the network's last layer starts at zero."""

    def __init__(self, width, dropout, generator):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.hidden, self.out = linear(width, width, generator), linear(width, width, None)
        self.dropout = Dropout(dropout)

    def forward(self, x):
        return x + self.out(self.dropout(F.silu(self.hidden(self.norm(x)))))


class OrderlessNetwork(nn.Module):
    """Predicts the code of every column from those of any known columns.

    Rows of codes (64, 10) with a mask (64, 10) of the known columns give log-probabilities (64, 10) of all of them.

    Parameters
    ----------
    codes : ColumnCodes
    width : int
        Width of the network.
    n_blocks : int
        Residual blocks.
    embedding_dim : int
        Length of the vector that stands for a known code.
    degree : int
        Degree of the polynomial that the logits of numbers are.
    free_codes : bool
        Whether codes of numbers have embeddings and logits of their own as well.
    copula : bool
        Whether the logits are those of a :class:`~skvq.nn.copula.NormalCopula` at the start.
    dropout : float in [0, 1)
    generator : torch.Generator
        Draws the starting weights.
    levels, atoms : tuple of (int, int), default=()
        Levels, and values of numbers, that have scores in the copula: the column and the coarse code of each.
    """

    starts: torch.Tensor
    token_starts: torch.Tensor
    n_fine: torch.Tensor
    column_of: torch.Tensor
    with_fine: torch.Tensor
    polynomials: torch.Tensor
    values: torch.Tensor
    own: torch.Tensor

    def __init__(
        self,
        codes,
        *,
        width,
        n_blocks,
        embedding_dim,
        degree,
        free_codes,
        copula,
        dropout,
        generator,
        levels=(),
        atoms=(),
    ):
        super().__init__()
        self.codes = codes
        n_columns, n_codes, with_fine = codes.n_columns, codes.starts[-1], codes.with_fine
        self.embedding = uniform((n_codes, embedding_dim), 10, generator)
        self.first = linear(n_columns * (embedding_dim + 3), width, generator)
        self.dropout = Dropout(dropout)
        self.blocks = nn.Sequential(*(_Block(width, dropout, generator) for _ in range(n_blocks)))
        self.norm = nn.LayerNorm(width)
        self.head = linear(width, n_codes, None)
        self.degree, n_smooth = degree, len(codes.numbers) * degree
        self.smooth = linear(width, n_smooth, None) if n_smooth else None
        self.register_buffer("polynomials", torch.zeros(n_smooth, n_codes))
        self.register_buffer("values", torch.zeros(codes.token_starts[-1]))  # of every code of every column
        self.register_buffer("own", torch.full((n_codes, 1), 1.0 if free_codes else 0.0))
        for column in range(n_columns):
            if not codes.is_number[column]:
                self.own[codes.starts[column] : codes.starts[column + 1]] = 1.0
        most_fine = max(codes.n_fine)
        most_coarse = max((codes.n_coarse[column] for column in with_fine), default=1)
        self.fine_embedding = uniform((len(with_fine), most_fine, embedding_dim), 10, generator)
        self.fine_own = 1.0 if free_codes else 0.0
        self.fine_hidden = linear(width, len(with_fine) * FINE_WIDTH, generator) if with_fine else None
        self.fine_given = uniform((len(with_fine), most_coarse, FINE_WIDTH), 10, generator)
        self.fine_head = nn.Parameter(torch.zeros(len(with_fine), FINE_WIDTH, most_fine))
        self.fine_bias = nn.Parameter(torch.zeros(len(with_fine), most_coarse, most_fine))
        self.copula = self._copula(levels, atoms) if copula else None
        self._index()

    def _copula(self, *n_others):
        codes = self.codes
        n_coarse = max((codes.n_coarse[column] for column in codes.numbers), default=1)
        n_fine = max((codes.n_fine[column] for column in codes.with_fine), default=1)
        return NormalCopula(len(codes.numbers), n_coarse, len(codes.with_fine), n_fine, *n_others)

    def _index(self):
        """Keep where things are: of no use in a file."""
        codes = self.codes
        starts, token_starts = codes.starts, codes.token_starts
        column_of = torch.tensor([column for column, n in enumerate(codes.n_coarse) for _ in range(n)])
        for name, value in {
            "starts": torch.tensor(starts[:-1]),
            "token_starts": torch.tensor(token_starts[:-1]),
            "n_fine": torch.tensor(codes.n_fine),
            "column_of": column_of,  # of the coarse codes of all columns in a row
            "with_fine": torch.tensor(codes.with_fine, dtype=torch.int64),
            "numbers": torch.tensor(codes.numbers, dtype=torch.int64),
            # Of the coarse codes of all numbers: the number, the code, and its place among those of all columns.
            "number_codes": torch.tensor(
                [
                    (number, code, codes.starts[column] + code)
                    for number, column in enumerate(codes.numbers)
                    for code in range(codes.n_coarse[column])
                ],
                dtype=torch.int64,
            )
            .view(-1, 3)
            .T,
            "number_with_fine": torch.tensor([codes.numbers.index(column) for column in codes.with_fine]).long(),
        }.items():
            self.register_buffer(name, value, persistent=False)
        # Numbers that go together, as the rows and the columns of `polynomials` that are theirs.
        firsts = range(0, len(codes.numbers), NUMBERS_TOGETHER)
        ends = [0, *(starts[codes.numbers[first]] for first in firsts[1:]), starts[-1]]
        size = NUMBERS_TOGETHER * self.degree
        self.together = [
            (slice(part * size, (part + 1) * size), slice(*ends[part : part + 2])) for part in range(len(firsts))
        ]

    @property
    def n_columns(self):
        """Number of columns of a row."""
        return self.codes.n_columns

    @torch.no_grad()
    def start_from(self, rows, values, present, *, prior_rows=1.0):
        """Set the biases to the marginals of rows of codes, and tell the network the values of the codes of numbers.

        Parameters
        ----------
        rows : Tensor of shape (n, n_columns), int64
        values : list of Tensor
            For each column the value of each of its codes, about standard normal; zeros where they have none.
        present : list of Tensor of bool
            For each column which of its codes there are: a coarse code may have fewer fine ones than another.
        prior_rows : float, default=1.0
            Rows that are added to the counts of a column, equally over its coarse codes.
        """
        codes = self.codes
        coarse, fine = self._split(rows)
        self.values.copy_(torch.cat(values))
        for column in range(codes.n_columns):
            start, stop = codes.starts[column], codes.starts[column + 1]
            counts = torch.bincount(coarse[:, column], minlength=stop - start).float() + prior_rows / (stop - start)
            there = present[column].view(stop - start, -1).any(dim=1)
            self.head.bias[start:stop] = torch.where(there, (counts / counts.sum()).log(), NEVER)
        for index, column in enumerate(codes.numbers):
            start, stop = codes.starts[column], codes.starts[column + 1]
            shape = (codes.n_coarse[column], codes.n_fine[column])
            there = present[column].view(shape)
            centres = (values[column].view(shape) * there).sum(dim=1) / there.sum(dim=1).clamp_min(1)
            # Of codes that are no numbers, such as that of a missing cell, the value is NaN.
            known = torch.isfinite(centres)
            self.own[start:stop][~known] = 1.0
            centres = torch.where(known, centres, 0.0)
            angles = torch.arccos((centres / centres.abs().max().clamp_min(1e-6)).clamp(-1, 1))
            orders = torch.arange(1, self.degree + 1)[:, None]
            self.polynomials[self._rows_of(index), start:stop] = (orders * angles).cos() * known
        self.values.nan_to_num_(nan=0.0)
        for index, column in enumerate(codes.with_fine):
            n_coarse, n_fine = codes.n_coarse[column], codes.n_fine[column]
            counts = torch.bincount(rows[:, column], minlength=n_coarse * n_fine).view(n_coarse, n_fine).float()
            there = present[column].view(n_coarse, n_fine)
            self.fine_bias[index].fill_(NEVER)
            self.fine_bias[index, :n_coarse, :n_fine] = torch.where(there, (counts + 0.5).log(), NEVER)

    def _rows_of(self, number):
        """Return where the polynomials of one number are, a slice of the rows of `polynomials`."""
        return slice(number * self.degree, (number + 1) * self.degree)

    def _split(self, rows):
        """Return the coarse and the fine codes, (b, n_columns) each, of rows of codes."""
        coarse = torch.div(rows, self.n_fine, rounding_mode="floor")
        return coarse, rows - coarse * self.n_fine

    def scores(self, rows, known):
        """Return the scores of rows of codes, and 1.0 where they are known and have one: (b, n_scores) each."""
        coarse, levels = self._split(rows)[0], self.copula.levels
        has_score = self.copula.has_score[torch.arange(len(self.numbers), device=rows.device), coarse[:, self.numbers]]
        scores = self.values[(rows + self.token_starts)[:, self.numbers]]
        has_score = known[:, self.numbers] * has_score
        if levels is None:
            return scores, has_score
        return torch.cat([scores, levels.scores(coarse)], dim=1), torch.cat([has_score, known[:, levels.column]], dim=1)

    def _scores_of(self, column):
        """Return which scores are those of one column, a list of int, None for all where it is None."""
        if column is None:
            return None
        found = [self.codes.numbers.index(column)] if self.codes.is_number[column] else []
        if self.copula.levels is not None:
            found += [len(self.numbers) + level for level in self.copula.levels.of(column)]
        return found

    def context(self, rows, known, column=None, entry=None):
        """Return what the known columns say of all others, or, with `column`, of this one: a Context.

        `rows` (b, n_columns) are codes, int64, `known` (b, n_columns) is 1.0 where they are known, `entry` (b, width)
        is what :meth:`entry` returns for them, None to compute it.
        """
        h = self._hidden(self.entry(rows, known) if entry is None else entry)
        return Context(h) if self.copula is None else Context(h, *self._moments(rows, known, column))

    def entry(self, rows, known):
        """Return what the first layer makes of the known columns, (b, width)."""
        coarse, fine = self._split(rows)
        x = F.embedding(coarse + self.starts, self.embedding * self.own)  # (b, n_columns, embedding_dim)
        if len(self.with_fine) and self.fine_own:
            each = torch.arange(len(self.with_fine), device=rows.device)
            x = x.index_add(1, self.with_fine, self.fine_embedding[each, fine[:, self.with_fine]])
        value = self.values[rows + self.token_starts][..., None]
        x = torch.cat([x, value, value.square(), torch.ones_like(value)], dim=-1) * known[..., None]
        return self.first(x.flatten(1))

    def entry_of(self, codes, column):
        """Return what codes (b,) of one column add to :meth:`entry` when they become known, (b, width)."""
        n_fine, place = self.codes.n_fine[column], self.codes.starts[column]
        coarse = torch.div(codes, n_fine, rounding_mode="floor")
        x = F.embedding(coarse + place, self.embedding) * self.own[place + coarse]
        if n_fine > 1 and self.fine_own:
            x = x + self.fine_embedding[self.codes.with_fine.index(column), codes - coarse * n_fine]
        value = self.values[codes + self.codes.token_starts[column]][:, None]
        x = torch.cat([x, value, value.square(), torch.ones_like(value)], dim=1)
        size = x.shape[1]
        return F.linear(x, self.first.weight[:, column * size : (column + 1) * size])

    def _hidden(self, entry):
        """Return what the network makes of the output of its first layer, (b, width)."""
        return F.silu(self.norm(self.blocks(self.dropout(entry))))

    def _moments(self, rows, known, column=None):
        """Return the means and standard deviations of the scores given the known ones, (b, n_scores) each, float32."""
        with torch.autocast(rows.device.type, enabled=False):
            return self.copula.given(*self.scores(rows, known), self._scores_of(column))

    def copula_terms(self, rows, known):
        """Return the CopulaTerms of rows of codes, None without a copula. Training does not change them."""
        if self.copula is None:
            return None
        mean, std = self._moments(rows, known)
        number, code, place = self.number_codes
        coarse = mean.new_zeros(len(rows), self.codes.starts[-1])
        coarse = coarse.index_copy(1, place, self.copula.coarse_terms(mean, std)[:, number, code])
        if self.copula.levels is not None:
            of_levels = (part[:, len(self.numbers) :] for part in (mean, std))
            coarse = coarse + self.copula.levels.terms(*of_levels, self.column_of, self.starts)
        if not len(self.with_fine):
            return CopulaTerms(coarse, None)
        each = torch.arange(len(self.with_fine), device=rows.device)
        given = self._split(rows)[0][:, self.with_fine]
        return CopulaTerms(coarse, self.copula.fine_terms(mean, std, each, self.number_with_fine, given))

    def _coarse_logits(self, h):
        """Return what the network adds to the logits of the coarse codes of all columns in a row, (b, n_codes)."""
        logits = F.linear(h, self.head.weight * self.own, self.head.bias)
        if self.smooth is not None:
            of_numbers = self.smooth(h)
            parts = [of_numbers[:, part] @ self.polynomials[part, codes] for part, codes in self.together]
            logits = logits + torch.cat(parts, dim=1)
        return logits.float()

    def _log_sums(self, logits):
        """Return log Σ exp(logit) over the codes of each column: (b, n_codes) → (b, n_columns).

        Columns may differ much in how many codes they have, so nothing is made as wide as the widest.
        """
        of_columns = self.column_of.expand(len(logits), -1)
        largest = logits.new_full((len(logits), self.n_columns), -torch.inf)
        largest = largest.scatter_reduce(1, of_columns, logits.detach(), "amax")
        powers = torch.exp(logits - largest[:, self.column_of])
        return largest + torch.zeros_like(largest).scatter_add(1, of_columns, powers).log()

    def _coarse_logits_of(self, context, column):
        """Return the logits of the coarse codes of one column, (b, n_coarse)."""
        h, part = context.h, slice(self.codes.starts[column], self.codes.starts[column + 1])
        logits = F.linear(h, self.head.weight[part] * self.own[part], self.head.bias[part])
        number = self.codes.numbers.index(column) if self.codes.is_number[column] else None
        if number is not None:
            its = self._rows_of(number)
            of_number = F.linear(h, self.smooth.weight[its], self.smooth.bias[its])
            logits = logits + of_number @ self.polynomials[its, part]
        if self.copula is None:
            return logits
        n_coarse = self.codes.n_coarse[column]
        if number is not None:
            logits = logits + self.copula.coarse_terms_of(context.mean, context.std, number)[:, :n_coarse]
        if self.copula.levels is None:
            return logits
        of_levels = (part[:, len(self.numbers) :] for part in context[1:])
        return logits + self.copula.levels.terms_of(*of_levels, column, n_coarse)

    def _fine_logits(self, h, coarse):
        """Return the same of fine codes given the coarse ones (b, n_with_fine): (b, n_with_fine, most_fine)."""
        each = torch.arange(len(self.with_fine), device=h.device)
        g = self.fine_hidden(h).view(len(h), len(each), FINE_WIDTH)
        g = F.silu(g + self.fine_given[each, coarse])
        return torch.einsum("bjw,jwf->bjf", g, self.fine_head).float() + self.fine_bias[each, coarse]

    def _fine_logits_of(self, context, coarse, index):
        """Return the logits (b, n, most_fine) of the fine codes of the column ``with_fine[index]``, coarse ones (b, n).

        Coarse codes (1, n) are those of all rows.
        """
        part = slice(index * FINE_WIDTH, (index + 1) * FINE_WIDTH)
        g = F.linear(context.h[:, None], self.fine_hidden.weight[part], self.fine_hidden.bias[part])
        g = F.silu(g + self.fine_given[index, coarse])
        logits = g @ self.fine_head[index] + self.fine_bias[index, coarse]
        if self.copula is None:
            return logits
        number = self.number_with_fine[index : index + 1]
        return logits + self.copula.fine_terms(context.mean, context.std, index, number, coarse)

    def log_prob_terms(self, rows, known, terms=None):
        """Return log p(code of the column | known columns), in nats, for every column: (b, n_columns).

        Of a column that is itself known the value has no meaning. `terms` are the :meth:`copula_terms`, None to compute
        them.
        """
        coarse, fine = self._split(rows)
        h = self._hidden(self.entry(rows, known))
        terms = self.copula_terms(rows, known) if terms is None else terms
        logits = self._coarse_logits(h)
        logits = logits if terms is None else logits + terms.coarse
        found = logits.gather(1, coarse + self.starts) - self._log_sums(logits)
        if not len(self.with_fine):
            return found
        logits = self._fine_logits(h, coarse[:, self.with_fine])
        logits = logits if terms is None else logits + terms.fine
        of_fine = logits.log_softmax(dim=-1).gather(-1, fine[:, self.with_fine, None])[..., 0]
        return found.index_add(1, self.with_fine, of_fine)

    def log_prob_of(self, rows, known, column, entry=None, never=None):
        """Return log p(code of one column | known columns), and that it is not in the coarse code `never`: (b,) each.

        `entry` is that of :meth:`context`. Where `never` is None the second is 0.
        """
        coarse, fine = (part[:, column] for part in self._split(rows))
        context = self.context(rows, known, column, entry)
        log_prob = self._coarse_logits_of(context, column).log_softmax(dim=-1)
        terms, log_rest = log_prob.gather(1, coarse[:, None])[:, 0], torch.zeros_like(log_prob[:, 0])
        if never is not None:
            log_prob[:, never] = -torch.inf
            log_rest = log_prob.logsumexp(dim=-1)
        if self.codes.n_fine[column] > 1:
            logits = self._fine_logits_of(context, coarse[:, None], self.codes.with_fine.index(column))[:, 0]
            terms = terms + logits.log_softmax(dim=-1).gather(1, fine[:, None])[:, 0]
        return terms, log_rest

    def probabilities_of(self, context, column, *, never=None, **options):
        """Return the probabilities of the codes of one column for a :meth:`context`: (b, n_coarse * n_fine).

        `never` is a coarse code that is not drawn, or None; options are those of
        :func:`~skvq.nn.grids.sampling.choose`.
        """
        found = probabilities(self._logits_without(context, column, never), **options)
        n_fine = self.codes.n_fine[column]
        if n_fine == 1:
            return found
        coarse = torch.arange(self.codes.n_coarse[column], device=found.device)[None]
        fine = self._fine_logits_of(context, coarse, self.codes.with_fine.index(column))  # (b, n_coarse, most_fine)
        return (found[..., None] * probabilities(fine[..., :n_fine], **options)).flatten(1)

    def _logits_without(self, context, column, never):
        """Return the logits of the coarse codes of one column, (b, n_coarse): of the code `never` -inf, unless None."""
        logits = self._coarse_logits_of(context, column)
        if never is not None:
            logits[:, never] = -torch.inf
        return logits

    @torch.no_grad()
    def draw(self, rows, known, order, uniform, *, never=None, temperature=1.0, top_k=None, top_p=None):
        """Draw the codes of the columns that are not known, given those that are.

        Parameters
        ----------
        rows : Tensor of shape (b, n_columns), int64
            Changed in place and returned.
        known : Tensor of shape (b, n_columns), float
            1.0 where a code is given; changed in place.
        order : sequence of int
            The order in which unknown columns are drawn.
        uniform : Tensor of shape (b, n_columns, 2)
            In [0, 1); decides the draws.
        never : list of int or None, default=None
            For each column a coarse code that is not drawn, or None.
        temperature, top_k, top_p
            As in :func:`~skvq.nn.grids.sampling.choose`.
        """
        options, entry = {"temperature": temperature, "top_k": top_k, "top_p": top_p}, self.entry(rows, known)
        for column in order:
            unknown = known[:, column] == 0
            if bool(unknown.any()):
                context = self.context(rows[unknown], known[unknown], column, entry[unknown])
                logits = self._logits_without(context, column, None if never is None else never[column])
                codes = choose(logits, uniform[unknown, column, 0], **options)
                if self.codes.n_fine[column] > 1:
                    logits = self._fine_logits_of(context, codes[:, None], self.codes.with_fine.index(column))[:, 0]
                    fine = choose(logits, uniform[unknown, column, 1], **options)
                    codes = codes * self.codes.n_fine[column] + fine
                rows[unknown, column] = codes
                entry[unknown] += self.entry_of(codes, column)
            known[:, column] = 1.0
        return rows


def hidden_columns(n_rows, n_columns, generator, device=CPU):
    """Return masks (n_rows, n_columns) on a device, 1.0 where a column is known: 0 to n_columns - 1, equally often."""
    generator = generator_for(device, generator)
    rank = torch.rand(n_rows, n_columns, device=device, generator=generator).argsort(dim=1).argsort(dim=1)
    n_known = torch.randint(n_columns, (n_rows, 1), device=device, generator=generator)
    return (rank < n_known).float()


def orderless_loss(network, rows, known, terms=None):
    """Return the negative log-likelihood of rows, in nats per column, estimated from the columns that are not known.

    A code of -1 is none: it is neither known nor predicted.

    It is the mean over rows of the mean over their unknown columns; with known columns drawn by
    :func:`hidden_columns` its expectation is that over all orders of columns ([1]_, equation 11, divided by the number
    of columns). `terms` are those of :func:`known_terms`, None to compute them.
    """
    there = (rows >= 0).float()
    unknown = (1.0 - known) * there
    found = network.log_prob_terms(rows.clamp_min(0), known * there, terms) * unknown
    return -(found.sum(dim=1) / unknown.sum(dim=1).clamp_min(1.0)).mean()


def known_terms(network, rows, known):
    """Return the CopulaTerms of rows for :func:`orderless_loss`, None without a copula."""
    return network.copula_terms(rows.clamp_min(0), known * (rows >= 0).float())
