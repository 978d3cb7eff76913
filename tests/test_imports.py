"""What a process imports that imports the package, loads a model, fits, and draws without matplotlib."""

import json
import subprocess
import sys

import numpy as np
import pytest

from skvq import VAETransformer

OPTIONAL = ("safetensors", "matplotlib", "onnx", "onnxruntime", "skl2onnx", "dask", "distributed")
SCRIPT = """
import json, sys, tracemalloc
found = {"modules": {}}

def note(moment):
    found["modules"][moment] = sorted(sys.modules)

import skvq, skvq.export, skvq.display as display
note("import")

import safetensors.numpy
tracemalloc.start()
skvq.load(sys.argv[1])
found["peak"] = tracemalloc.get_traced_memory()[1]
tracemalloc.stop()

import numpy as np
X = np.random.default_rng(0).random((60, 16, 16))
skvq.VQVAETransformer(prior=None, max_iter=1, channels=8).fit(X)
skvq.AutoEncoderTransformer(2, max_iter=1).fit(X[:, 0]).transform(X[:, 0])
skvq.PixelCNN(max_iter=1).fit((X * 3).astype(int))
note("fit")

sys.modules["matplotlib"] = None
found["refusals"] = []
for draw in (
    lambda: display.ReconstructionDisplay.from_predictions(np.eye(3), np.eye(3)),
    lambda: display.LossCurveDisplay(history={"loss": [1.0]}).plot(),
    lambda: display.LatentDisplay.from_latents(np.eye(3)),
    lambda: display.MarginalsDisplay.from_samples(np.eye(3), np.eye(3)),
    lambda: display.PairsDisplay.from_samples(np.eye(3), np.eye(3)),
):
    try:
        draw()
    except ImportError as error:
        found["refusals"].append(str(error))
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What the script found, in a process of its own."""
    path = tmp_path_factory.mktemp("imports") / "model.safetensors"
    small = {"network": "convolutional", "channels": 4, "max_iter": 2, "likelihood": "bernoulli", "random_state": 0}
    VAETransformer(2, **small).fit(np.random.default_rng(0).random((30, 4, 4))).save(path)
    process = subprocess.run([sys.executable, "-c", SCRIPT, str(path)], capture_output=True, text=True, check=True)
    return json.loads(process.stdout.splitlines()[-1])


def packages(found, moment):
    return {name.partition(".")[0] for name in found["modules"][moment]}


@pytest.mark.parametrize("name", OPTIONAL)
def test_importing_the_package_does_not_import_what_is_optional(name, found):
    assert "skvq" in packages(found, "import")
    assert name not in packages(found, "import")


@pytest.mark.parametrize("name", ["matplotlib", "dask", "distributed"])
def test_a_fit_to_arrays_does_not_import_what_is_optional(name, found):
    assert name not in packages(found, "fit")


@pytest.mark.parametrize("name", ["torch._dynamo", "sympy"])
def test_a_first_fit_imports_neither_the_compiler_of_torch_nor_sympy(name, found):
    assert "skvq.training.loop" in found["modules"]["fit"]
    assert name not in found["modules"]["fit"]


def test_the_first_model_that_a_process_loads_needs_little_more_than_its_file(found):
    assert found["peak"] < 50e6


def test_the_package_does_not_need_matplotlib(found):
    assert len(found["refusals"]) == 5
    assert all('pip install "skvq[plot]"' in refusal for refusal in found["refusals"])
    assert found["refusals"][1].startswith("LossCurveDisplay.plot needs matplotlib")
