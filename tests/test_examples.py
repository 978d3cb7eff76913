"""The scripts in examples/ that take minutes, and that the gallery therefore does not run, run here on few rows."""

import importlib.util
import re
import runpy
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn.datasets import load_breast_cancer

from skvq import AutoEncoderTransformer, PixelCNN, VAETransformer, VQVAETransformer
from skvq.training.optimizers import Optimizer

ROOT = Path(__file__).parents[1]
SMALL = {"channels": 8, "n_blocks": 0, "max_iter": 2, "random_state": 0}
RANDOM = np.random.default_rng(0)
DIGITS, LABELS = RANDOM.integers(0, 17, (64, 8, 8)).astype(float), np.arange(64) % 4
CLOTHES, TEST_CLOTHES = RANDOM.integers(0, 256, (2, 64, 16, 16)).astype(np.uint8)


@pytest.fixture
def script(monkeypatch):
    """A function that returns a script of examples/ as a module; its pictures go to files."""
    monkeypatch.syspath_prepend(ROOT / "examples")
    before = set(sys.modules)
    backend = matplotlib.get_backend()

    def load(name):
        spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    yield load
    for name in {"_datasets", "_figure"} & (set(sys.modules) - before):
        del sys.modules[name]
    matplotlib.use(backend)


def is_png(path):
    return path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def small_model(**parameters):
    prior = PixelCNN(channels=4, n_layers=1, max_iter=1)
    return VQVAETransformer(**{"n_codes": 8, "prior": prior, **SMALL, **parameters})


def test_every_script_is_run_by_the_gallery_or_by_a_test():
    gallery = runpy.run_path(str(ROOT / "docs" / "conf.py"))["sphinx_gallery_conf"]
    scripts = {path for path in (ROOT / "examples").rglob("*.py") if not path.name.startswith("_")}
    ignored = {path for path in scripts if re.search(gallery["ignore_pattern"], str(path))}
    assert all(re.search(gallery["filename_pattern"], str(path)) for path in scripts - ignored)
    tested = set(re.findall(r'script\("(\w+)"\)', Path(__file__).read_text(encoding="utf-8")))
    assert {path.stem for path in ignored} == tested


@pytest.mark.filterwarnings("ignore")  # random pixels and two epochs make a poor model
def test_the_quickstart_draws_its_picture_and_says_what_the_codes_keep(script, tmp_path, capsys):
    X, output = DIGITS.reshape(64, 64), tmp_path / "quickstart.png"
    model = small_model(image_shape=(8, 8))
    grid = {"code_shape": [(2, 2)], "n_codes": [4], "commitment_weight": [0.25, 1.0]}
    with parallel_config("sequential"):
        script("quickstart").run(X, LABELS, model, small_model(image_shape=(8, 8), prior=None), grid, output)
    assert is_png(output)
    printed = capsys.readouterr().out
    for part in ("bits an image", "test R² ", " nats on average", "grid search chooses {", "It works: 8 bits of codes"):
        assert part in printed


@pytest.mark.filterwarnings("ignore")
def test_fashion_mnist_draws_its_picture_and_prints_the_quality(script, tmp_path, capsys):
    output = tmp_path / "fashion_mnist.png"
    script("fashion_mnist").run(CLOTHES, TEST_CLOTHES, small_model(), output)
    assert is_png(output)
    printed = capsys.readouterr().out
    assert "fitted in " in printed
    assert "test R² " in printed
    assert f"wrote {output}" in printed


@pytest.mark.filterwarnings("ignore")
def test_the_script_for_several_processes_repeats_its_bits_in_one(script, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Optimizer, "step", Optimizer.step)  # which the script replaces
    one, again = tmp_path / "one.safetensors", tmp_path / "again.safetensors"
    run = script("fashion_mnist_torchrun").run
    run(CLOTHES, TEST_CLOTHES, small_model(prior=None), one)
    run(CLOTHES, TEST_CLOTHES, small_model(prior=None), again, beside=one)
    printed = capsys.readouterr().out
    assert "1 processes, restart 0: " in printed
    assert "equal codes: 100.00%; reconstructions differ by 0.0e+00 of their spread" in printed


@pytest.mark.filterwarnings("ignore")
def test_densities_draw_curves_for_each_digit_left_out(script, tmp_path, capsys):
    output = tmp_path / "anomaly_density.png"
    autoencoder = AutoEncoderTransformer(2, max_iter=2, random_state=0)
    script("anomaly_detection_density").run(DIGITS, LABELS, [1], small_model(), autoencoder, output)
    assert is_png(output)
    assert "digit 1 left out: VQ-VAE and PixelCNN 0." in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore")
def test_the_search_over_the_weight_of_the_divergence_prints_a_line_for_each(script, tmp_path, capsys):
    output, module = tmp_path / "kl_weight.png", script("kl_weight")
    module.run(DIGITS, VAETransformer(2, prior="normal", max_iter=2, random_state=0), output)
    assert is_png(output)
    printed = capsys.readouterr().out
    assert printed.count("kl_weight=") == len(module.WEIGHTS)
    assert "grid search chooses {'kl_weight': " in printed


@pytest.mark.filterwarnings("ignore")
def test_the_search_over_bits_prints_a_line_for_each_budget(script, tmp_path, capsys):
    output = tmp_path / "rate_distortion.png"
    script("rate_distortion").run(DIGITS, small_model(n_codes="auto", prior=None), [8, 16], output)
    assert is_png(output)
    printed = capsys.readouterr().out
    assert "   8 bits  R² " in printed
    assert "  16 bits  R² " in printed
    assert "the smallest budget for an R² of 0.9: " in printed


def rows_of_pictures():
    """Rows for each picture of task_pictures.py, few and of the kind that it loads, and the sizes that it takes."""
    X, y = load_breast_cancer(return_X_y=True)
    patients = pd.DataFrame({name: RANDOM.normal(50, 9, 80).round() for name in ("bmi", "target")})
    patients["sex"] = ["female", "male"] * 40
    flowers = pd.DataFrame({"petal_length": RANDOM.normal(size=80), "species": ["setosa", "virginica"] * 40})
    clothes, short = (CLOTHES, LABELS, TEST_CLOTHES, LABELS), {"max_iter": 2}
    return {
        "table_features": ((X[:100], y[:100]), short),
        "image_features": (RANDOM.integers(0, 256, (2, 427, 640, 3)), {"n_patches": 40}),
        "synthetic_tables": (patients, short),
        "imputation": (flowers, short),
        "anomalies": ((X[:200], y[:200]), {"n_fitted": 60, **short}),
        "compression": (clothes, short),
        "generation": (clothes, short),
        "series": (RANDOM.normal(size=(120, 96)), {"n_fitted": 60, **short}),
        "mlp": (clothes, short),
    }


ROWS = rows_of_pictures()


def test_every_picture_of_a_task_is_tested_and_is_one_of_the_documentation(script):
    pictures = script("task_pictures").PICTURES
    assert sorted(pictures) == sorted(ROWS)
    assert sorted(f"task_{name}.png" for name in pictures) == sorted(
        path.name for path in (ROOT / "docs").glob("task_*.png")
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ROWS)
def test_every_picture_of_a_task_is_drawn(script, name, tmp_path):
    draw, _ = script("task_pictures").PICTURES[name]
    rows, sizes = ROWS[name]
    draw(rows, **sizes).savefig(tmp_path / "picture.png")
    assert is_png(tmp_path / "picture.png")
