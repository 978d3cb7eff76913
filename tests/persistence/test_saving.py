"""Fitted estimators written to a file and read again."""

import errno
import os
import stat
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from scipy.sparse import csr_array
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

import skvq
from skvq.persistence import container
from skvq.persistence.documents import LEFT_OUT, fitted_attributes

sys.path.insert(0, str(Path(__file__).parent))
import hostile_files
import saved_files

models = cache(saved_files.models)
NAMES = [
    *(f"VQ-VAE, {name}" for name in saved_files.tables()), "VQ-VAE, images", "VQ-VAE, series",
    "VQ-VAE, two grids", "PixelCNN",
    "PixelCNN, classes", "CausalTransformer", "OrderlessNADE", "autoencoder", "autoencoder, tied",
    "autoencoder, missing cells", "autoencoder, frame", "autoencoder, convolutional", "VAE", "VAE, objects",
    "VAE, frame", "VAE, mixture",
    "VAE, a variance per feature", "VAE, counts", "VAE, convolutional", "classifier",
    "classifier, two classes", "classifier, indicators", "classifier, batch normalisation", "regressor",
    "regressor, quantiles", "regressor, lbfgs", "regressor, counts", "detector", "detector, neighbours",
    "detector, density",
]  # fmt: skip


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def again(model, path):
    model.save(path)
    return skvq.load(path)


def assert_same(one, other, where="the estimator"):
    """Assert that two values are the same to the last bit and type, estimators by all that they hold."""
    assert type(one) is type(other), where
    if hasattr(one, "get_params"):
        one, other = ({k: v for k, v in vars(e).items() if k not in LEFT_OUT} for e in (one, other))
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for name, value in one.items():
            assert_same(value, other[name], f"{where}.{name}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for value, value_again in zip(one, other):
            assert_same(value, value_again, where)
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype, where
        np.testing.assert_array_equal(one, other, err_msg=where)
    else:
        assert one == other or one != one, where


def test_there_is_a_model_of_every_class():
    assert set(models()) == set(NAMES)
    assert {type(model) for model in models().values()} | {skvq.HierarchicalPixelCNN} == {
        getattr(skvq, name) for name in skvq.__all__ if hasattr(getattr(skvq, name), "fit")
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_model_comes_back_with_all_it_holds_and_the_same_outputs_to_the_bit(name, path):
    model = models()[name]
    loaded = again(model, path)
    assert_same(model, loaded)
    outputs, outputs_again = saved_files.outputs(model), saved_files.outputs(loaded)
    for method, expected in outputs.items():
        np.testing.assert_array_equal(outputs_again[method], expected, err_msg=method)


@pytest.mark.parametrize("name", NAMES)
def test_every_attribute_of_a_fitted_model_is_in_its_schema(name):
    model = models()[name]
    assert set(fitted_attributes(model)) <= model._schema.attributes
    assert model._schema.attributes - model._schema.optional <= set(fitted_attributes(model))


def test_every_attribute_of_a_schema_is_held_by_some_model():
    held = {}
    for model in models().values():
        for each in (model, *([model.prior_] if hasattr(model, "prior_") else [])):
            held.setdefault(type(each), {"feature_names_in_"}).update(fitted_attributes(each))
    held[skvq.CausalTransformer] |= held[skvq.PixelCNN]  # of one schema
    held[skvq.HierarchicalPixelCNN] |= held[skvq.PixelCNN]
    for kind, attributes in held.items():
        assert kind._schema.attributes == attributes


def test_an_attribute_that_save_does_not_know_is_not_lost_in_silence(path):
    model = skvq.MLPRegressor(max_iter=1, solver="lbfgs").fit(np.eye(3), np.arange(3))
    model.remark_ = "mine"
    with pytest.raises(TypeError, match="remark_"):
        model.save(path)
    assert not path.exists()


def test_names_of_columns_and_the_kind_of_output_are_kept(path):
    frame = pd.DataFrame(saved_files.data()[0], columns=["a", "b c", "ü", "d"])
    model = skvq.AutoEncoderTransformer(2, max_iter=2, random_state=0).fit(frame).set_output(transform="pandas")
    loaded = again(model, path)
    pd.testing.assert_frame_equal(loaded.transform(frame), model.transform(frame))
    assert loaded.feature_names_in_.tolist() == list(frame)
    with pytest.raises(ValueError, match="feature names"):
        loaded.transform(frame[["d", "a", "ü", "b c"]])


LABELS = [
    np.array(["no", "yes", "a" * 40]),
    np.array(["no", "yes", "perhaps"], dtype=object),
    np.array(["", "\0x", "\ud800"], dtype=object),
    np.array([3, 1, 2**40]),
    np.array([1.0, 2.0, 3.0], dtype=np.float32),
    np.array(["2026-01-01", "2026-01-02", "2026-01-03"], dtype="datetime64[D]"),
]


@pytest.mark.parametrize("labels", LABELS, ids=lambda labels: f"{labels.dtype}")
def test_labels_of_any_type_come_back(labels, path):
    codes, y = np.tile([[0, 1], [1, 0], [1, 1]], (4, 1)), np.tile(labels, 4)
    model = skvq.PixelCNN(**saved_files.SMALL, class_conditional=True, early_stopping=False).fit(codes, y)
    loaded = again(model, path)
    assert_same(loaded.classes_, model.classes_)
    np.testing.assert_array_equal(loaded.score_samples(codes, y), model.score_samples(codes, y))


def test_parameters_of_any_kind_come_back_as_they_were(path):
    X, y, _ = saved_files.data()
    parameters = {
        "hidden_layer_sizes": np.array([3, 2]),
        "alpha": np.float32(0.1),
        "class_weight": {0: 1.0, 1: np.int8(2), 2: 3},
        "n_iter_no_change": np.inf,
        "max_iter": np.int64(2),
        "shuffle": np.bool_(True),
        "validation_fraction": 1 / 3,
        "device": torch.device("cpu"),
    }
    loaded = again(skvq.MLPClassifier(**parameters, random_state=0).fit(X, y), path)
    assert loaded.get_params()["device"] == "cpu"
    for name, value in parameters.items():
        if name != "device":
            assert_same(loaded.get_params()[name], value, name)


def test_a_file_holds_neither_rows_nor_the_memory_of_the_optimiser(path):
    X, y, _ = saved_files.data()
    sizes = []
    for n_copies in (1, 20):
        rows, targets = np.tile(X, (n_copies, 1)), np.tile(y, n_copies)
        regressor = skvq.MLPRegressor(hidden_layer_sizes=(20,), max_iter=2, random_state=0).fit(rows, targets)
        options = {"hidden_layer_sizes": (6,), "n_mixture_components": 2, "max_iter": 2, "random_state": 0}
        vae = skvq.VAETransformer(2, **options).fit(rows)
        for model in (regressor, vae):
            model.save(path)
            sizes.append(path.stat().st_size)
            assert X[0].tobytes() not in path.read_bytes()
    np.testing.assert_allclose(sizes[:2], sizes[2:], atol=500)  # of 1,920 bytes of rows, and 38,400
    regressor.save(path)
    memory = regressor._optimizer_state["mean"].tobytes()
    assert memory[:32] not in path.read_bytes()
    with safe_open(path, "numpy") as file:
        assert sorted(file.keys()) == ["coefs_.0", "coefs_.1", "intercepts_.0", "intercepts_.1", "loss_curve_"]


def test_a_loaded_predictor_goes_on_training(path):
    X, y, _ = saved_files.data()
    model = skvq.MLPClassifier(max_iter=30, random_state=0, warm_start=True).fit(X, y)
    loaded = again(model, path)
    before = loaded.loss_
    loaded.partial_fit(X, y)
    assert loaded.t_ == model.t_ + 60
    assert loaded.loss_ < before
    assert loaded.fit(X, y).loss_ < before


def test_the_same_model_makes_the_same_file(path):
    model = models()["VQ-VAE, class-conditional prior"]
    files = []
    for _ in range(2):
        model.save(path)
        files.append(path.read_bytes())
    assert files[0] == files[1]
    skvq.load(path).save(path)
    assert path.read_bytes() == files[0]


def test_neither_saving_nor_loading_moves_a_global_generator(path):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    again(models()["VQ-VAE, images"], path)
    again(models()["VAE, mixture"], path)
    assert torch.equal(torch.get_rng_state(), torch_state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


@pytest.mark.parametrize("name", ["VQ-VAE, images", "classifier, batch normalisation"])
def test_a_model_of_another_device_is_loaded_onto_this_one(name, path):
    model = models()[name]
    expected = saved_files.outputs(model)
    model.set_params(device="cuda:7")  # which no machine has that runs this
    try:
        model.save(path)
    finally:
        model.set_params(device="cpu")
    with pytest.raises(ValueError, match="cuda:7"):
        saved_files.outputs(skvq.load(path))
    with pytest.raises(ValueError, match="device='cuda:9'"):
        skvq.load(path, device="cuda:9")
    for method, outputs in saved_files.outputs(skvq.load(path, device="cpu")).items():
        np.testing.assert_array_equal(outputs, expected[method])


def test_another_version_is_named_in_a_warning(path, monkeypatch):
    monkeypatch.setattr("skvq.persistence.save.__version__", "0.0.9")
    models()["regressor"].save(path)
    with pytest.warns(UserWarning, match=rf"written by skvq 0\.0\.9.*skvq {skvq.__version__}"):
        skvq.load(path)


def test_a_file_of_another_version_that_is_refused_says_so(path):
    models()["regressor"].save(path)
    header, metadata, arrays = hostile_files.split(path.read_bytes())
    metadata["skvq_version"] = "7.0"
    metadata["model"]["parameters"]["of_the_future"] = 1
    path.write_bytes(hostile_files.join(header, metadata, arrays))
    with pytest.raises(skvq.LoadError, match=rf"other parameters \(skvq 7.0 wrote it, this is skvq {skvq.__version__}"):
        skvq.load(path)


def test_a_parameter_that_is_younger_than_the_file_has_its_default(path):
    models()["regressor"].save(path)
    header, metadata, arrays = hostile_files.split(path.read_bytes())
    del metadata["model"]["parameters"]["max_grad_norm"]
    path.write_bytes(hostile_files.join(header, metadata, arrays))
    assert_same(skvq.load(path), models()["regressor"])


def test_grids_that_a_small_file_could_ask_for_memory_with_are_not_saved(path, monkeypatch):
    monkeypatch.setattr("skvq.priors.schema.MOST_POSITIONS", 15)
    with pytest.raises(ValueError, match="more than 15 codes.*skops or joblib"):
        models()["PixelCNN"].save(path)


def test_what_cannot_be_saved_is_refused_with_its_name_and_a_way_out(path):
    X, y, _ = saved_files.data()
    quick = {"hidden_layer_sizes": (3,), "max_iter": 1}

    class Mine(skvq.MLPRegressor):
        pass

    class Prior(PCA):
        def sample(self, n_samples=1, random_state=None):
            return np.zeros((n_samples, 1), dtype=int)

    refused = {
        "random_state": skvq.MLPRegressor(**quick, random_state=np.random.RandomState(0)).fit(X, y),
        "scoring": skvq.MLPRegressor(**quick, scoring=lambda model, X, y: 1.0, early_stopping=True).fit(X, y),
        "Mine": Mine(**quick).fit(X, y),
        "prior": skvq.VQVAETransformer(**saved_files.TABLE, prior=Prior(1)).fit(X),
    }
    for name, model in refused.items():
        with pytest.raises(TypeError, match=rf"{name}.*skops or joblib"):
            model.save(path)
    with pytest.raises(NotFittedError):
        skvq.PixelCNN().save(path)
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("regressor", {"hidden_layer_sizes": (7,)}),
        ("classifier", {"normalization": "layer"}),
        ("VAE", {"likelihood": "poisson"}),
        ("PixelCNN", {"kernel_size": 2}),
        ("VQ-VAE, residual", {"quantizer": skvq.ResidualCodes(beam_size=0)}),
    ],
)
def test_parameters_changed_to_what_was_not_fitted_are_refused(name, change, path):
    loaded = again(models()[name], path)
    file = path.read_bytes()
    with pytest.raises(ValueError, match="could not be loaded again"):
        loaded.set_params(**change).save(path)
    assert path.read_bytes() == file


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(call, path, monkeypatch):
    models()["regressor"].save(path)
    before = path.read_bytes()

    def fail(*arguments):
        raise OSError("no space left")

    monkeypatch.setattr(container.os, call, fail)
    with pytest.raises(OSError, match="no space left"):
        models()["VAE"].save(path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_the_file_has_the_mode_of_an_ordinary_one_and_a_link_stays_a_link(path, tmp_path):
    link, ordinary = tmp_path / "link", tmp_path / "ordinary"
    link.symlink_to(path)
    models()["regressor"].save(link)
    ordinary.write_bytes(b"")
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(ordinary.stat().st_mode)


def test_a_file_that_is_replaced_keeps_its_mode(path):
    models()["regressor"].save(path)
    path.chmod(0o600)
    models()["regressor"].save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_read_only_file_is_not_replaced_and_the_error_names_it(path):
    models()["regressor"].save(path)
    path.chmod(0o444)
    before = path.read_bytes()
    with pytest.raises(PermissionError, match="read-only file") as caught:
        models()["VAE"].save(path)
    assert caught.value.filename == str(path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_link_that_leads_to_itself_is_an_error_and_stays(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.symlink_to(other)
    other.symlink_to(one)
    with pytest.raises(OSError, match="one") as caught:
        models()["regressor"].save(one)
    assert caught.value.errno == errno.ELOOP
    assert one.is_symlink()
    assert other.is_symlink()


def test_a_link_to_what_is_not_there_yet_leads_to_the_new_file(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "model")
    models()["regressor"].save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert isinstance(skvq.load(tmp_path / "model"), skvq.MLPRegressor)


def test_a_missing_folder_and_a_folder_in_place_of_a_file_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder .*none.*make it first") as caught:
        models()["regressor"].save(tmp_path / "none" / "model")
    assert caught.value.filename == str(tmp_path / "none" / "model")
    with pytest.raises(IsADirectoryError) as caught:
        models()["regressor"].save(tmp_path)
    assert caught.value.filename == str(tmp_path)


@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
def test_an_error_of_the_system_names_the_path_that_was_passed(call, path, monkeypatch):
    real = getattr(os, call)

    def full(*arguments):
        if call == "open" and not str(arguments[0]).endswith(".part"):
            return real(*arguments)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "temporary")

    monkeypatch.setattr(container.os, call, full)
    with pytest.raises(OSError, match="No space left") as caught:
        models()["regressor"].save(path)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert os.listdir(path.parent) == []


SAVING_TWICE = """
import os, signal, sys, skvq
model = skvq.load(sys.argv[1])
fsync, child = os.fsync, os.fork()

def wait(handle):
    os.write(1, b"writing\\n")  # in one piece, whatever the other process writes
    if child == 0:
        signal.pause()
    sys.stdin.readline()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.write(1, b"killed\\n")
    sys.stdin.readline()
    fsync(handle)

os.fsync = wait
model.save(sys.argv[1])
"""


def test_what_a_killed_save_leaves_goes_with_the_next_save_but_not_what_is_being_written(path):
    models()["regressor"].save(path)
    before = path.read_bytes()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    alive = subprocess.Popen([sys.executable, "-c", SAVING_TWICE, str(path)], **pipes)
    assert [alive.stdout.readline() for _ in range(2)] == ["writing\n"] * 2
    alive.stdin.write("\n")
    alive.stdin.flush()
    assert alive.stdout.readline() == "killed\n"
    assert path.read_bytes() == before
    assert len(os.listdir(path.parent)) == 3
    models()["VAE"].save(path)
    assert len(os.listdir(path.parent)) == 2
    assert isinstance(skvq.load(path), skvq.VAETransformer)
    alive.communicate("\n")
    assert alive.returncode == 0
    assert isinstance(skvq.load(path), skvq.MLPRegressor)
    assert os.listdir(path.parent) == [path.name]


def test_what_is_no_file_is_neither_replaced_nor_read(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="not a file"):
        models()["regressor"].save(pipe)
    with pytest.raises(OSError, match="not a file"):
        skvq.load(pipe)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_path_may_be_long_or_of_bytes(tmp_path):
    path = tmp_path / ("模" * 80)
    models()["regressor"].save(os.fsencode(path))
    assert isinstance(skvq.load(os.fsencode(path)), skvq.MLPRegressor)


def test_sparse_labels_stay_sparse(path):
    X, y, _ = saved_files.data()
    lists = csr_array(np.stack([y > 0, y > 1], axis=1).astype(int))
    model = skvq.MLPClassifier(hidden_layer_sizes=(5,), max_iter=3, random_state=0).fit(X, lists)
    found = again(model, path).predict(X)
    assert type(found) is type(model.predict(X))
    np.testing.assert_array_equal(found.toarray(), model.predict(X).toarray())


@pytest.mark.parametrize("what", ["names", "curve"])
def test_what_would_take_far_more_memory_than_its_file_is_refused(what, path):
    X, y, _ = saved_files.data()
    model = skvq.MLPRegressor(hidden_layer_sizes=(5,), max_iter=3, random_state=0).fit(X, y)
    if what == "names":
        model.feature_names_in_ = np.array(["a", "b", "c", "d" * 3_000_000], dtype=object)
    else:
        model.loss_curve_ = [1.0] * 300_000
    with pytest.raises(ValueError, match="too long"):
        model.save(path)


def test_without_safetensors_the_error_says_what_to_install(path, monkeypatch):
    models()["regressor"].save(path)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    for attempt in (lambda: skvq.load(path), lambda: models()["regressor"].save(path)):
        with pytest.raises(ImportError, match=r'pip install "skvq\[save\]"'):
            attempt()


def test_a_missing_file_is_an_ordinary_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        skvq.load(tmp_path / "none")


def test_a_path_below_a_file_and_an_empty_one_are_refused_as_open_does(path):
    model = models()["regressor"]
    model.save(path)
    for refused in (path / "x", path / "y" / "x", ""):
        with pytest.raises(OSError) as expected:
            os.open(refused, os.O_WRONLY | os.O_CREAT)
        with pytest.raises(type(expected.value)) as found:
            model.save(refused)
        assert found.value.errno == expected.value.errno
