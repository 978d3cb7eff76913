"""Processes that are forks of one, in which everything is imported once."""

import os
import sys
import traceback

import numpy as np


def run_in_forks(run, n):
    """Call ``run(rank)`` in a fork for each of n ranks; return {rank: exit status}, the first that ended first.

    The status is 1 after an error, whose traceback is printed, and below 0 after a signal. This process must have
    started no threads.
    """
    ranks, ended = {}, {}
    for rank in range(n):
        child = os.fork()
        if child == 0:
            _run_and_exit(run, rank)
        ranks[child] = rank
    while len(ended) < n:
        child, status = os.wait()
        ended[ranks[child]] = os.waitstatus_to_exitcode(status)
    return ended


def _run_and_exit(run, rank):
    status = 1
    try:
        np.random.seed()  # noqa: NPY002  # forks start with the same state, and processes with different ones
        run(rank)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
