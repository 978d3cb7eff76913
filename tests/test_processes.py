"""Two processes that train one network end where one process ends; where one of them dies, the job ends or goes on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import two_processes

HERE, SCRIPT = Path(__file__).parent, Path(two_processes.__file__)
# Sums of float32 in another order differ by 1e-7 of their size; some steps of Adam make it 1e-6.
TOLERANCE = 1e-5
# A prior that knows the vectors of its codes amplifies what these differ by: in one process, too, a codebook that
# differs by 3e-7 of its numbers moves log-likelihoods by 5e-5 of theirs.
OF_LIKELIHOODS = {"both stages": 2e-4}
WITH_SEEDS = [name for name in two_processes.MODELS if "without a seed" not in name]


def run(*arguments, **environment):
    """Return the output of a script, or of a module that runs one; it has to end by itself."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"} | environment
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    found = subprocess.run([sys.executable, *map(str, arguments)], env=environment, timeout=120, **pipes)
    assert found.returncode == 0, found.stdout
    return found.stdout


def ended(output):
    """Return what the script prints of its forks."""
    return json.loads(output.splitlines()[-1])


def found_by(folder, name, rank):
    with np.load(folder / f"{name} {rank}.npz") as found:
        return dict(found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What two processes found, of all models."""
    folder = tmp_path_factory.mktemp("ranks")
    output = run(SCRIPT, folder)
    assert ended(output)["statuses"] == [0, 0], output
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
    output = run(SCRIPT, tmp_path, "autoencoder", DYING="1:5")
    job = ended(output)
    assert job["statuses"] == [1, -9], output
    assert job["seconds"] < 30
    assert "Error" in output
    assert list(tmp_path.glob("*.npz")) == []


def test_torchrun_goes_on_from_the_checkpoint_whichever_process_dies(tmp_path, folder):
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "--max-restarts=2")
    output = run(*torchrun, SCRIPT, tmp_path, "both stages", DYING="0:21 1:4")
    assert "exitcode: -9" in output or "Signal 9" in output or "SIGKILL" in output, output
    assert sorted(note.name for note in tmp_path.glob("* died")) == ["process 0 died", "process 1 died"]
    for either in (0, 1):
        again, undisturbed = found_by(tmp_path, "both stages", either), found_by(folder, "both stages", either)
        for key in undisturbed:
            np.testing.assert_array_equal(again[key], undisturbed[key], err_msg=key)
    assert list(tmp_path.glob("fit*")) == []


DIFFERENT = """
import sys
from pathlib import Path
import numpy as np
import torch
import skvq
tests, folder = sys.argv[1:]
sys.path.insert(0, tests)
from forks import run_in_forks

def fit(rank):
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/group", rank=rank, world_size=2)
    for name, n_rows, seed in (("numbers", 20 + rank, 0), ("values", 20, rank)):
        try:
            skvq.AutoEncoderTransformer(2).fit(np.random.default_rng(seed).normal(size=(n_rows, 4)))
        except ValueError as error:
            Path(folder, f"{name} {rank}").write_text(str(error))
    torch.distributed.destroy_process_group()

assert run_in_forks(fit, 2) == {0: 0, 1: 0}
"""


def test_processes_with_different_rows_say_so(tmp_path):
    run("-c", DIFFERENT, HERE, tmp_path)
    for rank in (0, 1):
        numbers, values = ((tmp_path / f"{name} {rank}").read_text() for name in ("numbers", "values"))
        assert "different numbers of rows (and held-out rows): [(20, None), (21, None)]" in numbers
        assert "were given rows with other values; pass the same X to fit in all of them" in values
