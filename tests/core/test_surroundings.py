"""What a caller has set of torch and numpy changes no result, and is as it was after every call."""

import gc
import inspect
import multiprocessing
import pickle
import sys
import threading
import warnings
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch

import skvq
from skvq.core import device
from skvq.core.device import prepared
from skvq.export import to_onnx

sys.path.insert(0, str(Path(__file__).parents[1] / "persistence"))
import saved_files

ESTIMATORS = [getattr(skvq, name) for name in skvq.__all__ if hasattr(getattr(skvq, name), "fit")]
# What predictors do in numpy alone, where even the check for surroundings would be felt in the time of one row.
IN_NUMPY = {"predict", "predict_proba", "predict_log_proba"}
COMPUTING = IN_NUMPY | {
    "fit", "partial_fit", "fit_prior", "fit_transform", "transform", "inverse_transform", "score", "score_samples",
    "sample", "complete", "reconstruct", "reconstruction_error", "traverse", "bits_per_dim", "decision_function",
    "set_threshold", "save",
}  # fmt: skip


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def default_device(device):
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def everything():
    with ExitStack() as stack:
        for name, surroundings in SURROUNDINGS.items():
            if name not in ("everything", "bfloat16", "device block", "inference mode"):
                stack.enter_context(surroundings())
        yield


SURROUNDINGS = {
    "float64": lambda: default_dtype(torch.float64),
    "bfloat16": lambda: default_dtype(torch.bfloat16),
    "default device": lambda: default_device("meta"),
    "device block": lambda: torch.device("meta"),
    "no gradients": torch.no_grad,
    "inference mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "numpy raises": lambda: np.errstate(all="raise"),
    "everything": everything,
}


def state():
    return {
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "threads": torch.get_num_threads(),
        "errors": np.geterr(),
    }


@cache
def pickled_models():
    return {name: pickle.dumps(model) for name, model in saved_files.models().items()}


@cache
def expected_outputs():
    return {name: saved_files.outputs(pickle.loads(model)) for name, model in pickled_models().items()}


def assert_outputs_are_as_ever(name, model):
    for method, found in saved_files.outputs(model).items():
        np.testing.assert_array_equal(
            np.asarray(found), np.asarray(expected_outputs()[name][method]), err_msg=f"{name}: {method}"
        )


@pytest.mark.parametrize("surroundings", SURROUNDINGS)
def test_every_model_computes_the_same_and_leaves_the_surroundings_as_they_were(surroundings):
    models = {name: pickle.loads(model) for name, model in pickled_models().items()}
    assert len(expected_outputs()) == len(models)
    with SURROUNDINGS[surroundings]():
        before = state()
        for name, model in models.items():
            assert_outputs_are_as_ever(name, model)
            assert state() == before, name


@pytest.mark.parametrize("surroundings", ["everything", "inference mode"])
def test_every_fit_learns_the_same_and_leaves_the_surroundings_as_they_were(surroundings):
    assert expected_outputs()
    with SURROUNDINGS[surroundings]():
        before = state()
        models = saved_files.models()
        assert state() == before
    for name, model in models.items():
        assert_outputs_are_as_ever(name, model)


@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus"])
@pytest.mark.parametrize("surroundings", ["everything", "inference mode", "bfloat16"])
def test_predictors_compute_the_same_with_every_activation(activation, surroundings):
    X, y, _ = saved_files.data()
    for rows in (X, X.astype(np.float32)):
        model = skvq.MLPClassifier((5,), activation, max_iter=2, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = model.fit(rows, y).predict_proba(rows)
            with SURROUNDINGS[surroundings]():
                found = model.predict_proba(rows), model.fit(rows, y).predict_proba(rows)
        np.testing.assert_array_equal(found, [expected, expected])


@pytest.mark.parametrize("surroundings", ["everything", "inference mode"])
def test_files_and_onnx_are_the_same(surroundings, tmp_path):
    model = pickle.loads(pickled_models()["VQ-VAE, two grids"])
    expected = to_onnx(model).SerializeToString()
    with SURROUNDINGS[surroundings]():
        model.save(tmp_path / "model")
        loaded = skvq.load(tmp_path / "model")
        assert_outputs_are_as_ever("VQ-VAE, two grids", loaded)
        assert to_onnx(loaded).SerializeToString() == expected


@pytest.mark.parametrize("surroundings", ["everything", "inference mode"])
def test_a_detector_flags_the_same_rows(surroundings):
    X, _, _ = saved_files.data()
    inside = skvq.AutoEncoderTransformer(2, hidden_layer_sizes=(), max_iter=2, random_state=0)
    expected = skvq.OutlierDetector(inside, cv=2).fit(X).score_samples(X)
    with SURROUNDINGS[surroundings]():
        found = skvq.OutlierDetector(inside, cv=2).fit(X).score_samples(X)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_public_method_prepares_its_surroundings(estimator):
    methods = {
        name: inspect.unwrap(getattr(estimator, name), stop=lambda found: hasattr(found, "is_prepared"))
        for name in COMPUTING - (IN_NUMPY if issubclass(estimator, skvq.mlp.base.BaseMLP) else set())
        if hasattr(estimator, name)
    }
    assert "fit" in methods
    for name, method in methods.items():
        inherited = method.__module__.startswith("sklearn.")  # it calls those of this package
        assert inherited or hasattr(method, "is_prepared"), name


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_no_public_method_was_forgotten(estimator):
    own = {
        name
        for kind in estimator.__mro__
        if kind.__module__.startswith("skvq.")
        for name in vars(kind)
        if not name.startswith("_") and callable(getattr(kind, name)) and not name.endswith("_request")
    }
    assert own - COMPUTING <= {"check_memory", "check_parameters", "get_metadata_routing", "set_params"}


def test_a_prepared_function_keeps_its_name_signature_and_text():
    def add(one: int, *, other: int = 1) -> int:
        """Return the sum."""
        return one + other

    found = prepared(add)
    assert (found.__name__, found.__doc__) == ("add", "Return the sum.")
    assert inspect.signature(found) == inspect.signature(add)
    assert found(2) == 3


def test_the_default_dtype_is_the_callers_again_when_the_last_of_several_threads_is_done():
    inside, may_end, seen = threading.Event(), threading.Event(), []

    @prepared
    def wait():
        inside.set()
        may_end.wait()
        seen.append(torch.get_default_dtype())

    with default_dtype(torch.float64):
        thread = threading.Thread(target=wait)
        thread.start()
        inside.wait()
        prepared(lambda: seen.append(torch.get_default_dtype()))()
        may_end.set()
        thread.join()
        assert torch.get_default_dtype() == torch.float64
    assert seen == [torch.float32, torch.float32]


def test_surroundings_are_the_callers_again_after_an_error():
    @prepared
    def fail():
        raise RuntimeError("no more")

    with everything():
        before = state()
        with pytest.raises(RuntimeError, match="no more"):
            fail()
        assert state() == before


def answers_of_a_fork(target, models, *arguments, seconds):
    """Return what a forked child answers for each of the models, after torch has computed on its threads here."""
    torch.mm(torch.ones(600, 600), torch.ones(600, 600))
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    child = context.Process(target=target, args=(answers, models, *arguments))
    child.start()
    child.join(seconds)
    hangs = child.is_alive()
    child.kill()
    child.join()
    assert not hangs
    return [answers.get() for _ in models]


def _in_child(answers, models, X, y):
    torch.set_num_threads(2)  # as torch has it in a child whose parent has two
    for model in models:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = saved_files.outputs(model)
            model.fit(X, y)
        answers.put((type(model).__name__, len(found), torch.get_num_threads()))


def test_a_forked_child_computes_and_fits_although_torch_ran_on_two_threads_before():
    X = np.random.default_rng(0).normal(size=(400, 64)).astype(np.float32)
    wide = {"max_iter": 1, "batch_size": 400, "random_state": 0}
    models = [
        skvq.MLPRegressor(hidden_layer_sizes=(512, 512), **wide).fit(X, X[:, 0]),
        skvq.AutoEncoderTransformer(8, hidden_layer_sizes=(512,), **wide).fit(X),
        skvq.VAETransformer(8, hidden_layer_sizes=(512,), n_mixture_components=2, **wide).fit(X),
        skvq.VQVAETransformer(8, hidden_layer_sizes=(512,), prior=skvq.PixelCNN(**wide), **wide).fit(X),
    ]
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        found = answers_of_a_fork(_in_child, models, X, X[:, 0], seconds=120)
    finally:
        torch.set_num_threads(before)
    assert found == [
        ("MLPRegressor", 1, 2),
        ("AutoEncoderTransformer", 3, 2),
        ("VAETransformer", 5, 2),
        ("VQVAETransformer", 5, 2),
    ]


def _predict_in_child(answers, models, X):
    torch.set_num_threads(2)
    for model in models:
        for rows in (X[:20], np.tile(X, (1000, 1))):
            for name in ("predict", "predict_proba", "predict_log_proba"):
                if hasattr(model, name):
                    getattr(model, name)(rows)
        answers.put((type(model).__name__, torch.get_num_threads()))


def test_predictors_predict_in_a_forked_child_although_torch_ran_on_two_threads_before():
    X = np.random.default_rng(0).normal(size=(400, 6))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        models = [
            skvq.MLPClassifier((8,), max_iter=1).fit(X, X[:, 0] > 0),
            skvq.MLPClassifier((8,), max_iter=1).fit(X, np.arange(400) % 3),
            skvq.MLPRegressor("poisson", (8,), max_iter=1).fit(X, np.abs(X[:, 0])),
            skvq.MLPRegressor("quantile", (8,), quantile=(0.1, 0.9), max_iter=1).fit(X, X[:, 0]),
        ]
        found = answers_of_a_fork(_predict_in_child, models, X, seconds=60)
    finally:
        torch.set_num_threads(before)
    assert found == [("MLPClassifier", 2)] * 2 + [("MLPRegressor", 2)] * 2


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_memory_mapped_model_goes_on_training_without_a_warning(solver, tmp_path):
    X, y, _ = saved_files.data()
    model = skvq.MLPClassifier((50,), solver=solver, max_iter=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    joblib.dump(model, tmp_path / "model")
    mapped = joblib.load(tmp_path / "model", mmap_mode="r")
    assert not mapped.coefs_[0].flags.writeable
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mapped.partial_fit(X, y)
    np.testing.assert_array_equal(mapped.coefs_[0], model.partial_fit(X, y).coefs_[0])


@pytest.mark.parametrize("moment", ["__enter__", "__exit__"])
def test_an_interrupt_between_any_two_steps_leaves_the_surroundings_to_be_prepared_again(moment, monkeypatch):
    rows = np.random.default_rng(0).normal(size=(30, 4))
    model = skvq.AutoEncoderTransformer(2, max_iter=1, random_state=0).fit(rows)
    expected = model.transform(rows)
    once = getattr(device._InFloat32, moment)

    def interrupted(self, *error):
        if moment == "__enter__":
            once(self)
        raise KeyboardInterrupt

    with default_dtype(torch.float64):
        with monkeypatch.context() as patch:
            patch.setattr(device._InFloat32, moment, interrupted)
            with pytest.raises(KeyboardInterrupt):
                model.transform(rows)
        gc.collect()
        assert torch.get_default_dtype() is torch.float64
        assert not device._single.inside
        assert np.array_equal(model.transform(rows), expected)
