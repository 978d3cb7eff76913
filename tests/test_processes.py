"""Two processes that train one network end where one process ends; where one of them dies, the job ends or goes on."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import two_processes

SCRIPT = Path(two_processes.__file__)
# Sums of float32 in another order differ by 1e-7 of their size; some steps of Adam make it 1e-6.
TOLERANCE = 1e-5
# A prior that knows the vectors of its codes amplifies what these differ by: in one process, too, a codebook that
# differs by 3e-7 of its numbers moves log-likelihoods by 5e-5 of theirs.
OF_LIKELIHOODS = {"both stages": 2e-4}
WITH_SEEDS = [name for name in two_processes.MODELS if "without a seed" not in name]


def start(*arguments, **environment):
    """Return a process that runs the script, or a module that does."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"} | environment
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([sys.executable, *map(str, arguments)], env=environment, **pipes)


def ends(process, seconds=120):
    """Return the exit status and the output of a process that has to end by itself."""
    try:
        output, _ = process.communicate(timeout=seconds)
    finally:
        process.kill()
    return process.returncode, output


def found_by(folder, name, rank):
    with np.load(folder / f"{name} {rank}.npz") as found:
        return dict(found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What two processes found, of all models."""
    folder = tmp_path_factory.mktemp("ranks")
    for process in [start(SCRIPT, folder, rank, 2) for rank in (0, 1)]:
        status, output = ends(process)
        assert status == 0, output
    return folder


@pytest.mark.parametrize("name", two_processes.MODELS)
def test_all_processes_learn_the_same_bits(name, folder):
    one, other = (found_by(folder, name, rank) for rank in (0, 1))
    for key in one:
        np.testing.assert_array_equal(one[key], other[key], err_msg=key)


@pytest.mark.parametrize("name", WITH_SEEDS)
def test_two_processes_learn_what_one_learns(name, folder):
    one = two_processes.findings(name, two_processes.fitted(name))
    two = found_by(folder, name, 0)
    assert one.keys() == two.keys()
    if one.get("codes") is not None and one["codes"].dtype.kind == "i":
        assert (one["codes"] == two["codes"]).mean() >= 0.995
    if "reconstructions" in one:
        error = np.sqrt(np.mean((one["reconstructions"] - two["reconstructions"]) ** 2))
        assert error <= TOLERANCE * one["reconstructions"].std()
    if "log_likelihoods" in one:
        near = OF_LIKELIHOODS.get(name, TOLERANCE)
        np.testing.assert_allclose(two["log_likelihoods"], one["log_likelihoods"], atol=TOLERANCE, rtol=near)
    for term in one:
        if term.startswith("history"):
            np.testing.assert_allclose(two[term], one[term], rtol=1e-3, atol=1e-5, err_msg=term)


def test_a_killed_process_ends_the_job_with_an_error_in_time(tmp_path):
    survivor, killed = (
        start(SCRIPT, tmp_path, rank, 2, "autoencoder", DYING_RANK="1", LAST_STEP="5") for rank in (0, 1)
    )
    assert ends(killed)[0] == -9
    started = time.monotonic()
    status, output = ends(survivor)
    assert status == 1
    assert time.monotonic() - started < 30
    assert "Error" in output
    assert list(tmp_path.glob("*.npz")) == []


@pytest.mark.parametrize("rank", [0, 1])
def test_torchrun_goes_on_from_the_checkpoint(rank, tmp_path, folder):
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "--max-restarts=1")
    job = start(*torchrun, SCRIPT, tmp_path, 0, 0, "both stages", DYING_RANK=str(rank), LAST_STEP="21")
    status, output = ends(job)
    assert status == 0, output
    assert "exitcode: -9" in output or "Signal 9" in output or "SIGKILL" in output, output
    for either in (0, 1):
        again, undisturbed = found_by(tmp_path, "both stages", either), found_by(folder, "both stages", either)
        for key in undisturbed:
            np.testing.assert_array_equal(again[key], undisturbed[key], err_msg=key)
    assert list(tmp_path.glob("fit*")) == []


@pytest.mark.parametrize(
    ("n_rows", "seed", "told"),
    [
        ("20 + rank", "0", "different numbers of rows (and held-out rows): [(20, None), (21, None)]"),
        ("20", "rank", "the processes were given rows with other values; pass the same X to fit in all of them"),
    ],
)
def test_processes_with_different_rows_say_so(tmp_path, n_rows, seed, told):
    code = (
        "import sys, torch, numpy as np, skvq\n"
        "rank = int(sys.argv[2])\n"
        "torch.distributed.init_process_group('gloo', init_method='file://' + sys.argv[1], rank=rank, world_size=2)\n"
        "try:\n"
        f"    skvq.AutoEncoderTransformer(2).fit(np.random.default_rng({seed}).normal(size=({n_rows}, 4)))\n"
        "finally:\n"
        "    torch.distributed.destroy_process_group()\n"  # without it torch aborts one in twenty such scripts
    )
    for process in [start("-c", code, tmp_path / "group", rank) for rank in (0, 1)]:
        status, output = ends(process)
        assert status == 1
        assert told in output
