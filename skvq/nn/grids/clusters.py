"""A first code for the whole of a grid, its cluster, and a network of the grids of each cluster."""

import torch
import torch.nn.functional as F
from torch import nn

from .sampling import draw

# Grids that pass through the network together, for every cluster, where parts of them are known.
CHUNK = 256


class ClusteredGrids(nn.Module):
    """Likelihoods and samples of grids (b, h, w) by way of their clusters: the whole before the parts.

    The cluster c(x) of a grid is that of the nearest of some centres. It is drawn first, and the codes given it:
    ``log p(x, c(x)) = log p(c(x)) + log p(x | c(x))``. This is called the likelihood here, and is a lower bound
    on ``log p(x) = log sum_c p(c) p(x | c)``.

    Parameters
    ----------
    within : AutoregressiveGrids
        The network of the grids of a cluster, which takes its one-hot code as condition.
    n_clusters : int
    """

    condition_size = 0  # clusters are nobody else's business

    def __init__(self, within, n_clusters):
        super().__init__()
        self.within, self.n_codes, self.grid_shape = within, within.n_codes, within.grid_shape
        n_positions = self.grid_shape[0] * self.grid_shape[1]
        length = self.n_codes if within.known.vectors is None else within.known.vectors.shape[2]
        self.register_buffer("centres", torch.zeros(n_clusters, n_positions, length))
        self.register_buffer("log_shares", torch.zeros(n_clusters))

    @property
    def marginals(self):
        """The bias of all logits (h, w, n_codes), without that of a cluster."""
        return self.within.marginals

    @property
    def known(self):
        """The vectors that codes stand for."""
        return self.within.known

    def matrices(self):
        """Return the weights that Muon can move."""
        return self.within.matrices()

    def set_vectors(self, vectors):
        """Tell the network the vectors (n_books, n_codes, code_dim) that codes stand for, of a mean square about 1."""
        self.within.set_vectors(vectors)

    @torch.no_grad()
    def set_clusters(self, centres, codes):
        """Set the centres (n_clusters, h * w, length), and the shares of the clusters in grids `codes` (b, h, w)."""
        self.centres.copy_(centres)
        counts = torch.bincount(self.cluster(codes), minlength=len(centres)) + 0.5  # none is impossible
        self.log_shares.copy_((counts / counts.sum()).log())

    def set_marginals(self, codes, condition=None, *, smoothing=1.0):
        """Start the biases at the log-frequencies of `codes` (b, h, w), in rows given their clusters."""
        self.within.set_marginals(codes, self._one_hot(self.cluster(codes)), smoothing=smoothing)

    @torch.no_grad()
    def cluster(self, codes):
        """Return the cluster (b,) int64 of each grid (b, h, w): that of the nearest centre.

        Codes are compared by their vectors, where these are known, and otherwise as equal or not.
        """
        flat, vectors = codes.flatten(1), self.known.vectors
        if vectors is None:
            positions = torch.arange(flat.shape[1], device=flat.device)
            products = torch.stack([centre[positions, flat].sum(dim=1) for centre in self.centres], dim=1)
        else:
            products = F.linear(vectors[self.known.books, flat].flatten(1), self.centres.flatten(1))
        return (products - self.centres.square().sum(dim=(1, 2)) / 2).argmax(dim=1)

    def nll(self, codes, condition=None):
        """Mean negative log-likelihood per position, in nats, cluster and codes together: a scalar."""
        cluster = self.cluster(codes)
        of_cluster = self.log_shares[cluster].mean() / codes[0].numel()
        return self.within.nll(codes, self._one_hot(cluster)) - of_cluster

    def log_prob_terms(self, codes, condition=None):
        """Log p(code given cluster and codes before it), (b, h, w), in nats; that of the cluster is in the first."""
        cluster = self.cluster(codes)
        terms = self.within.log_prob_terms(codes, self._one_hot(cluster))
        terms[:, 0, 0] += self.log_shares[cluster]
        return terms

    def log_prob(self, codes, condition=None):
        """Log p(cluster, codes) of every grid (b,), in nats."""
        return self.log_prob_terms(codes).flatten(1).sum(dim=1)

    @torch.no_grad()
    def log_joint(self, codes, counted):
        """Log p(cluster, codes that count) for every cluster, (b, n_clusters), in nats.

        Parameters
        ----------
        codes : Tensor of shape (b, h, w), int64
        counted : Tensor of shape (b, h, w), bool
            The codes that count; all codes before one of them must be among them.
        """
        found = self.log_shares.repeat(len(codes), 1)
        for start in range(0, len(codes), CHUNK):
            part = slice(start, start + CHUNK)
            for index in range(len(self.centres)):
                cluster = torch.full_like(codes[part, 0, 0], index)
                terms = self.within.log_prob_terms(codes[part], self._one_hot(cluster))
                found[part, index] += (terms * counted[part]).flatten(1).sum(dim=1)
        return found

    @torch.no_grad()
    def sample(self, n, *, generator, condition=None, given=None, known=None, **options):
        """Draw `n` grids of codes, (n, h, w) int64, each from a cluster.

        Where codes are known, the clusters are drawn given those that come before the first unknown one. The parameters
        are those of :meth:`~skvq.nn.grids.autoregressive.AutoregressiveGrids.sample`.
        """
        n_positions = self.grid_shape[0] * self.grid_shape[1]
        uniform = torch.rand(n, 1 + n_positions, generator=generator, device=generator.device)
        uniform = uniform.to(self.centres.device)
        cluster = draw(self._log_weights(n, given, known), uniform[:, 0])
        return self.within.sample(
            n, uniform=uniform[:, 1:], condition=self._one_hot(cluster), given=given, known=known, **options
        )

    def _log_weights(self, n, given, known):
        """Return what the clusters are drawn by, (n, n_clusters)."""
        if given is None:
            return self.log_shares.expand(n, -1)
        leading = known.flatten(1).int().cumprod(dim=1).bool().view_as(known)
        if not leading.any():
            return self.log_shares.expand(n, -1)
        prefixes, rows = torch.where(leading, given, -1).unique(dim=0, return_inverse=True)  # often one, many times
        return self.log_joint(prefixes.clamp(min=0), prefixes >= 0)[rows]

    def _one_hot(self, cluster):
        return F.one_hot(cluster, len(self.centres)).float()
