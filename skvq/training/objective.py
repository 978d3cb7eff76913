"""What a training loop minimises."""


class Objective:
    """Named loss terms of a batch, and what has to happen beside the gradient step.

    Parameters
    ----------
    module : torch.nn.Module
        The network that is trained.
    """

    def __init__(self, module):
        self.module = module

    def terms(self, batch):
        """Return a dict of scalar tensors, each a mean over the rows of `batch`; ``"loss"`` is minimised."""
        raise TypeError(f"{type(self).__name__} does not say what to minimise")

    def after_step(self, progress):
        """Do what follows a gradient step; `progress` in (0, 1] is the share of the steps that are done."""

    def pass_summary(self):
        """Return, as a dict of float, what was gathered over all batches since the last call, and start afresh."""
        return {}
