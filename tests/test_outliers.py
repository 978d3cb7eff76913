"""`OutlierDetector`: scores are those of the estimator, thresholds are those of its rules."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skvq import AutoEncoderTransformer, OutlierDetector, PixelCNN, VAETransformer, VQVAETransformer, load
from skvq.outliers.estimator import tail_threshold

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
WINE = load_wine().data


def scaled(estimator):
    return make_pipeline(StandardScaler(), estimator)


class Given(BaseEstimator):
    """Scores are the first column; what `fit` was called with is kept."""

    def fit(self, X, y=None, sample_weight=None):
        self.weights_ = sample_weight
        self.n_ = len(X)
        return self

    def score_samples(self, X):
        return np.asarray(X, dtype=float)[:, 0]


@pytest.mark.parametrize(
    "estimator",
    [
        scaled(GaussianMixture(2, random_state=0)),
        scaled(KernelDensity()),
        VAETransformer(2, hidden_layer_sizes=(), max_iter=2, random_state=0),
        scaled(VAETransformer(2, hidden_layer_sizes=(), max_iter=2, random_state=0)),
    ],
)
def test_scores_are_those_of_the_estimator(estimator):
    detector = OutlierDetector(estimator, contamination=0.1).fit(WINE)
    expected = clone(estimator).fit(WINE).score_samples(WINE)
    np.testing.assert_array_equal(detector.score_samples(WINE), expected)
    np.testing.assert_array_equal(detector.training_scores_, expected)
    np.testing.assert_array_equal(detector.decision_function(WINE), expected - detector.offset_)


@pytest.mark.parametrize("wrap", [lambda model: model, scaled])
def test_a_reconstruction_error_changes_its_sign(wrap):
    model = wrap(AutoEncoderTransformer(2, hidden_layer_sizes=(), max_iter=2, random_state=0))
    detector = OutlierDetector(model, contamination=0.1).fit(WINE)
    scaler = StandardScaler().fit(WINE)
    X = scaler.transform(WINE) if wrap is scaled else WINE
    error = AutoEncoderTransformer(2, hidden_layer_sizes=(), max_iter=2, random_state=0).fit(X).reconstruction_error(X)
    np.testing.assert_array_equal(detector.score_samples(WINE), -error)
    assert detector.method_ == "reconstruction_error"


@pytest.mark.parametrize(
    ("model", "rows"),
    [
        (PixelCNN(channels=4, n_layers=1, max_iter=1, random_state=0), np.arange(400).reshape(100, 4) % 3),
        (AutoEncoderTransformer(2, hidden_layer_sizes=(), max_iter=1), np.random.default_rng(0).random((60, 4, 4))),
        (VQVAETransformer(4, max_iter=1, prior=PixelCNN(channels=4, n_layers=1, max_iter=1), random_state=0), WINE),
    ],
)
def test_codes_images_and_codebooks_are_judged(model, rows):
    detector = OutlierDetector(model, cv=2).fit(rows)
    labels = detector.predict(rows)
    assert labels.shape == (len(rows),)
    np.testing.assert_array_equal(labels == -1, detector.score_samples(rows) < detector.offset_)


@pytest.mark.parametrize("n_components", [3, 13])
def test_neighbours_are_nearest_by_the_covariance_of_reconstruction_and_residual(n_components):
    train, new = WINE[::2], WINE[1::2]
    model = scaled(PCA(n_components)).fit(train)
    described = []
    for rows in (train, new):
        restored = model.inverse_transform(model.transform(rows))
        described.append(np.hstack([restored, rows - restored]) / np.tile(train.std(axis=0), 2))
    covariance = np.cov(described[0].T, bias=True)
    shrunk = covariance + 0.01 * np.trace(covariance) / 26 * np.eye(26)
    distances = cdist(described[1], described[0], "mahalanobis", VI=np.linalg.inv(shrunk))
    detector = OutlierDetector(scaled(PCA(n_components)), method="neighbors", contamination=0.1).fit(train)
    np.testing.assert_allclose(detector.score_samples(new), -np.sort(distances, axis=1)[:, 4], rtol=1e-6)
    among_themselves = cdist(described[0], described[0], "mahalanobis", VI=np.linalg.inv(shrunk))
    np.testing.assert_allclose(detector.training_scores_, -np.sort(among_themselves, axis=1)[:, 5], rtol=1e-6)


def test_neighbours_of_held_out_rows_are_among_the_other_folds():
    folds = KFold(3, shuffle=True, random_state=1)
    detector = OutlierDetector(scaled(PCA(3)), method="neighbors", cv=folds).fit(WINE)
    for training, held_out in folds.split(WINE):
        other = OutlierDetector(scaled(PCA(3)), method="neighbors", contamination=0.1).fit(WINE[training])
        np.testing.assert_allclose(detector.held_out_scores_[held_out], other.score_samples(WINE[held_out]))
    assert not hasattr(detector.set_params(method="auto", estimator=Given()).fit(WINE), "neighbors_")


@pytest.mark.parametrize(
    "model",
    [
        AutoEncoderTransformer(2, max_iter=2, random_state=0),
        VAETransformer(2, hidden_layer_sizes=(), max_iter=2, random_state=0),
        VQVAETransformer(4, max_iter=2, prior=None, random_state=0),
    ],
)
def test_a_row_far_from_all_others_has_no_near_neighbours(model):
    detector = OutlierDetector(model, method="neighbors", cv=2).fit(WINE)
    far = WINE[:3].copy()
    far[:, 0] += 20.0
    assert detector.predict(far).tolist() == [-1, -1, -1]
    assert np.mean(detector.predict(WINE) == -1) < 0.15
    again = pickle.loads(pickle.dumps(detector))
    np.testing.assert_array_equal(again.score_samples(far), detector.score_samples(far))


@pytest.mark.parametrize("polars", [False, True])
@pytest.mark.parametrize("kind", [AutoEncoderTransformer, VAETransformer])
def test_neighbours_of_mixed_rows_with_missing_cells(kind, polars):
    rng = np.random.default_rng(0)
    level = rng.integers(0, 3, 300)
    table = pd.DataFrame(
        {
            "number": np.where(rng.random(300) < 0.1, np.nan, level + rng.normal(0, 0.1, 300)),
            "level": np.array(["a", "b", "c"])[level],
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(100 * level + rng.integers(0, 9, 300), "D"),
        }
    )
    odd = table.assign(level=np.array(["c", "b", "a"])[level])[level != 1].dropna()[:30]
    if polars:
        table, odd = pl.from_pandas(table), pl.from_pandas(odd)
    model = kind(2, hidden_layer_sizes=(), max_iter=20, random_state=0)
    detector = OutlierDetector(model, method="neighbors", contamination=0.1).fit(table)
    assert detector.score_samples(odd).max() < detector.score_samples(table).min()
    frozen = OutlierDetector(FrozenEstimator(detector.estimator_), method="neighbors", contamination=0.1).fit(table)
    np.testing.assert_array_equal(frozen.score_samples(odd), detector.score_samples(odd))
    assert OutlierDetector(model, method="neighbors", cv=2).fit(table).predict(odd).max() == -1


def test_neighbours_need_numbers_and_a_way_back():
    said = "estimator must have transform and inverse_transform, got GaussianMixture.*by method='score_samples'"
    with pytest.raises(TypeError, match=said):
        OutlierDetector(GaussianMixture(), method="neighbors").fit(WINE)
    frame = pd.DataFrame({"a": ["x", "y"] * 10})
    encoder = make_pipeline(OneHotEncoder(sparse_output=False))
    with pytest.raises(ValueError, match="method='neighbors' needs columns of numbers"):
        OutlierDetector(encoder, method="neighbors").fit(frame)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_a_share_of_the_training_rows_is_flagged(share):
    X = np.random.default_rng(0).normal(size=(200, 1))
    labels = OutlierDetector(Given(), contamination=share).fit_predict(X)
    assert np.mean(labels == -1) == share
    assert X[labels == -1].max() < X[labels == 1].min()


def test_a_share_needs_one_fit_and_auto_one_for_each_fold_as_well(monkeypatch):
    fitted = []
    monkeypatch.setattr(Given, "fit", lambda self, X, y=None: fitted.append(len(X)) or self)
    OutlierDetector(Given(), contamination=0.1).fit(WINE)
    assert fitted == [178]
    OutlierDetector(Given(), cv=2).fit(WINE)
    assert fitted == [178, 178, 89, 89]


def test_held_out_scores_are_by_models_that_have_not_seen_the_rows():
    folds = KFold(4, shuffle=True, random_state=3)
    detector = OutlierDetector(KernelDensity(bandwidth=20.0), cv=folds).fit(WINE)
    for training, held_out in folds.split(WINE):
        expected = KernelDensity(bandwidth=20.0).fit(WINE[training]).score_samples(WINE[held_out])
        np.testing.assert_allclose(detector.held_out_scores_[held_out], expected)
    assert detector.offset_ == tail_threshold(detector.held_out_scores_)
    assert np.median(detector.held_out_scores_) < np.median(detector.training_scores_)


def test_rows_that_come_sorted_are_shuffled_into_the_folds():
    labels = OutlierDetector(scaled(KernelDensity())).fit(np.arange(200.0)[:, np.newaxis]).predict([[0.0], [100.0]])
    assert labels.tolist() == [1, 1]


def test_auto_flags_few_new_normal_rows_where_training_scores_flag_many():
    X, y = load_breast_cancer(return_X_y=True)
    train, new, malignant = X[y == 1][:200], X[y == 1][200:], X[y == 0]
    detector = OutlierDetector(scaled(KernelDensity(bandwidth=0.5))).fit(train)
    assert np.mean(detector.predict(new) == -1) < 0.12
    assert np.mean(detector.predict(malignant) == -1) > 0.6
    assert np.mean(detector.set_threshold(0.05).predict(new) == -1) > 0.5


def test_the_tail_threshold_is_that_of_modified_z_scores():
    scores = np.random.default_rng(0).gamma(2.0, size=501) * -1
    median = np.median(scores)
    lower = sorted(median - score for score in scores if score <= median)
    assert len(lower) == 251
    assert tail_threshold(scores) == pytest.approx(median - 3.5 * 1.4826 * lower[125])
    bounded = np.linspace(0.0, 1.0, 501)
    assert tail_threshold(bounded) == pytest.approx(0.01)


def test_the_tail_threshold_keeps_normal_rows_and_finds_anomalies_among_them():
    rng = np.random.default_rng(0)
    clean = rng.normal(size=10_000)
    assert np.mean(clean < tail_threshold(clean)) == 0.01
    exponential = -rng.exponential(size=10_000)
    assert 0.005 < np.mean(exponential < tail_threshold(exponential)) < 0.025
    mixed = np.concatenate([clean, rng.normal(-30.0, 1.0, size=2_000)])
    assert np.sum(mixed < tail_threshold(mixed)) >= 2_000
    assert np.mean(clean < tail_threshold(mixed)) < 0.001


def test_the_tail_threshold_of_scores_that_are_mostly_equal():
    assert tail_threshold([1.0] * 9 + [-90.0]) == pytest.approx(1.0 - 3.5 * 1.2533 * 9.1)
    assert tail_threshold(np.ones(5)) == 1.0
    assert np.isfinite(tail_threshold([-np.inf, 0.0, 1.0, 2.0]))


def test_the_threshold_moves_without_a_refit():
    X = np.random.default_rng(0).normal(size=(200, 1))
    detector = OutlierDetector(Given(), cv=2).fit(X)
    automatic, inside = detector.offset_, detector.estimator_
    assert np.mean(detector.set_threshold(0.25).predict(X) == -1) == 0.25
    new = X[:50] + 1.0
    assert np.mean(detector.set_threshold(0.1, new).predict(new) == -1) == 0.1
    assert detector.set_threshold("auto", new).offset_ == tail_threshold(new[:, 0])
    assert detector.set_threshold().offset_ == automatic
    detector.offset_ = 0.0
    np.testing.assert_array_equal(detector.predict(X) == 1, X[:, 0] >= 0)
    assert detector.estimator_ is inside


def test_a_threshold_needs_held_out_rows_to_be_automatic():
    detector = OutlierDetector(Given(), contamination=0.1)
    with pytest.raises(NotFittedError):
        detector.set_threshold(0.1)
    with pytest.raises(ValueError, match="pass X, or fit with contamination='auto'"):
        detector.fit(WINE).set_threshold("auto")
    with pytest.raises(ValueError, match="'contamination' parameter of OutlierDetector.set_threshold"):
        detector.set_threshold(0.6)
    assert not hasattr(OutlierDetector(Given()).fit(WINE).set_params(contamination=0.1).fit(WINE), "held_out_scores_")


def test_scores_of_minus_infinity_are_anomalies():
    X = np.linspace(0.0, 1.0, 50)[:, np.newaxis]
    detector = OutlierDetector(KernelDensity(kernel="tophat", bandwidth=0.5), contamination=0.1).fit(X)
    assert detector.predict([[99.0]]).tolist() == [-1]
    scores = [[-np.inf]] * 10 + [[1.0]] * 10
    assert np.sum(OutlierDetector(Given(), contamination=0.2).fit(scores).predict(scores) == -1) == 10


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames_reach_the_estimator_as_they_are(frame):
    names = [f"column {i}" for i in range(WINE.shape[1])]
    X = frame(dict(zip(names, WINE.T)))
    detector = OutlierDetector(scaled(GaussianMixture(random_state=0)), cv=3).fit(X)
    assert detector.feature_names_in_.tolist() == names
    assert detector.n_features_in_ == 13
    expected = OutlierDetector(scaled(GaussianMixture(random_state=0)), cv=3).fit(WINE)
    np.testing.assert_allclose(detector.held_out_scores_, expected.held_out_scores_)
    with pytest.raises(ValueError, match="feature names"):
        detector.predict(X[names[::-1]])


@pytest.mark.parametrize("inside", [AutoEncoderTransformer(2, max_iter=1), GaussianMixture()])
@pytest.mark.parametrize("wrap", [lambda inside: inside, lambda inside: make_pipeline(StandardScaler(), inside)])
def test_with_verbose_each_fit_says_which_one_it_is(inside, wrap, capsys):
    X = load_wine().data
    OutlierDetector(wrap(clone(inside).set_params(verbose=1)), cv=2).fit(X)
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[OutlierDetector]")]
    assert told == [
        "[OutlierDetector] the fit to all rows, which is kept as estimator_",
        "[OutlierDetector] threshold: fit 1 of 2 for held-out scores",
        "[OutlierDetector] threshold: fit 2 of 2 for held-out scores",
    ]
    OutlierDetector(wrap(clone(inside)), cv=2).fit(X)
    OutlierDetector(wrap(clone(inside).set_params(verbose=1)), contamination=0.1).fit(X)
    assert "[OutlierDetector]" not in capsys.readouterr().out


def test_a_pipeline_of_one_step_scores_as_the_step_alone():
    model = AutoEncoderTransformer(2, max_iter=3, random_state=0)
    alone, wrapped = (OutlierDetector(each, contamination=0.1).fit(WINE) for each in (model, make_pipeline(model)))
    np.testing.assert_array_equal(wrapped.score_samples(WINE), alone.score_samples(WINE))


def test_tensors_with_a_gradient_reach_estimators_of_scikit_learn():
    X = load_wine().data
    tensor = torch.from_numpy(X).requires_grad_()
    detectors = [OutlierDetector(GaussianMixture(random_state=0), cv=2).fit(rows) for rows in (X, tensor)]
    np.testing.assert_array_equal(detectors[1].score_samples(tensor), detectors[0].score_samples(X))


def test_a_fitted_estimator_may_stay_as_it_is():
    model = scaled(GaussianMixture(random_state=0)).fit(WINE)
    detector = OutlierDetector(FrozenEstimator(model)).fit(WINE[:50])
    np.testing.assert_array_equal(detector.score_samples(WINE), model.score_samples(WINE))
    assert detector.offset_ == tail_threshold(model.score_samples(WINE[:50]))


def test_parameters_inside_are_reached_by_a_search():
    search = GridSearchCV(
        OutlierDetector(KernelDensity(), contamination=0.1),
        {"estimator__bandwidth": [1e-3, 50.0]},
        scoring=lambda detector, X, y=None: detector.score_samples(X).mean(),
    )
    assert search.fit(WINE).best_params_ == {"estimator__bandwidth": 50.0}
    searched = OutlierDetector(GridSearchCV(KernelDensity(), {"bandwidth": [1e-3, 50.0]}), contamination=0.1).fit(WINE)
    assert searched.estimator_.best_params_ == {"bandwidth": 50.0}


def test_arguments_of_fit_go_with_the_rows_of_the_folds():
    weights = np.arange(len(WINE))
    detector = OutlierDetector(Given(), contamination=0.1).fit(WINE, sample_weight=weights)
    np.testing.assert_array_equal(detector.estimator_.weights_, weights)
    seen = []

    class Watched(Given):
        def fit(self, X, y=None, sample_weight=None):
            seen.append((X[:, 0], sample_weight))
            return super().fit(X, sample_weight=sample_weight)

    OutlierDetector(Watched(), cv=2).fit(weights[:, np.newaxis], sample_weight=weights)
    assert len(seen) == 3
    for column, passed in seen:
        np.testing.assert_array_equal(column, passed)


def test_metadata_are_routed_as_requested():
    weights = np.arange(len(WINE))
    with config_context(enable_metadata_routing=True):
        asking = Given().set_fit_request(sample_weight=True)
        detector = OutlierDetector(asking, contamination=0.1).fit(WINE, sample_weight=weights)
        np.testing.assert_array_equal(detector.estimator_.weights_, weights)
        with pytest.raises(TypeError, match="sample_weight"):
            OutlierDetector(GaussianMixture(), contamination=0.1).fit(WINE, sample_weight=weights)


class Warns(Given):
    """Its fit warns of how many rows it was given."""

    def fit(self, X, y=None):
        warnings.warn(f"only {len(X)} rows", RuntimeWarning, stacklevel=2)
        return super().fit(X)


def test_fits_to_folds_warn_once_and_say_that_they_are_of_folds():
    rows = np.random.default_rng(0).normal(size=(52, 2))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        OutlierDetector(Warns(), cv=5).fit(rows)
    of_all, of_folds = (str(each.message) for each in caught)
    assert of_all == "only 52 rows"
    assert of_folds.startswith("5 of the 5 fits to folds")
    assert of_folds.endswith("not about estimator_, which is fitted to all rows. only 41 rows")
    assert {each.category for each in caught} == {RuntimeWarning}


class NeedsZero(Given):
    """Its fit warns of rows among which there is no 0."""

    def fit(self, X, y=None):
        if 0 not in X:
            warnings.warn("no zero", stacklevel=2)
        return self


def test_a_warning_of_one_fold_is_told_as_that_of_one():
    with pytest.warns(UserWarning, match="^1 of the 5 fits to folds.*no zero$"):
        OutlierDetector(NeedsZero()).fit(np.arange(50.0)[:, np.newaxis])


def test_a_pickle_keeps_the_outputs():
    model = VAETransformer(2, hidden_layer_sizes=(), max_iter=2, random_state=0)
    detector = OutlierDetector(model, cv=2).fit(WINE)
    again = pickle.loads(pickle.dumps(detector))
    np.testing.assert_array_equal(again.decision_function(WINE), detector.decision_function(WINE))


@pytest.mark.parametrize("method", ["reconstruction_error", "neighbors"])
def test_a_file_keeps_names_thresholds_and_scores_to_the_bit(method, tmp_path):
    table = pd.DataFrame(WINE[:, :4], columns=list("abcd")).assign(kind=np.where(WINE[:, 0] > 13, "x", "y"))
    table.loc[::9, "b"] = np.nan
    model = AutoEncoderTransformer(2, hidden_layer_sizes=(), max_iter=2, random_state=0)
    detector = OutlierDetector(model, method=method, cv=2).fit(table)
    detector.offset_ = np.float64(-1.5)
    detector.save(tmp_path / "detector.safetensors")
    again = load(tmp_path / "detector.safetensors", device="cpu")
    np.testing.assert_array_equal(again.decision_function(table), detector.decision_function(table))
    np.testing.assert_array_equal(again.held_out_scores_, detector.held_out_scores_)
    assert again.get_params().keys() == detector.get_params().keys()
    assert again.feature_names_in_.tolist() == [*"abcd", "kind"]
    assert again.set_threshold().offset_ == detector.set_threshold().offset_
    np.testing.assert_array_equal(again.fit(table).training_scores_, detector.training_scores_)


def test_a_detector_with_a_splitter_can_be_saved_once_it_has_a_number_of_folds(tmp_path):
    own, path = AutoEncoderTransformer(2, hidden_layer_sizes=(), max_iter=2, random_state=0), tmp_path / "detector"
    detector = OutlierDetector(own, cv=KFold(2)).fit(WINE)
    expected = detector.predict(WINE)
    detector.set_params(cv=5).save(path)
    np.testing.assert_array_equal(load(path).predict(WINE), expected)


def test_save_of_a_detector_around_others_names_what_keeps_it(tmp_path):
    own = AutoEncoderTransformer(2, hidden_layer_sizes=(), max_iter=2, random_state=0)
    path = tmp_path / "detector.safetensors"
    for inside, kind in {scaled(own): "Pipeline", PCA(2): "PCA", FrozenEstimator(own.fit(WINE)): "Frozen"}.items():
        detector = OutlierDetector(inside, method="neighbors", contamination=0.1).fit(WINE)
        with pytest.raises(TypeError, match=f"but estimator is a {kind}.*joblib.dump"):
            detector.save(path)
    with pytest.raises(TypeError, match=r"cv=KFold.*call set_params\(cv=5\), or another number of folds, before save"):
        OutlierDetector(own, cv=KFold(2)).fit(WINE).save(path)
    with pytest.raises(NotFittedError):
        OutlierDetector(own).save(path)
    changed = OutlierDetector(own, contamination=0.1).fit(WINE).set_params(estimator=VAETransformer())
    with pytest.raises(ValueError, match="could not be loaded again: .*estimator and estimator_"):
        changed.save(path)
    assert not path.exists()


def test_one_seed_gives_one_threshold():
    model = VAETransformer(2, hidden_layer_sizes=(), max_iter=2, random_state=0)
    first, second = (OutlierDetector(model, cv=2).fit(WINE).offset_ for _ in range(2))
    assert first == second


def test_wrong_parameters_are_named():
    with pytest.raises(TypeError, match="estimator must have score_samples or reconstruction_error, got KMeans"):
        OutlierDetector(KMeans()).fit(WINE)
    with pytest.raises(TypeError, match="estimator must have reconstruction_error, got KernelDensity"):
        OutlierDetector(KernelDensity(), method="reconstruction_error").fit(WINE)
    way_out = "judged by method='neighbors', and has score_samples with a prior in place of prior=None"
    with pytest.raises(TypeError, match=f"estimator must have score_samples .*VQVAETransformer.*{way_out}"):
        OutlierDetector(VQVAETransformer(prior=None)).fit(WINE)
    for name, value in {"contamination": 0.0, "method": "loss", "cv": 1, "estimator": 3}.items():
        detector = OutlierDetector(Given()).set_params(**{name: value})
        with pytest.raises(ValueError, match=f"The '{name}' parameter of OutlierDetector"):
            detector.fit(WINE)


def test_a_class_and_rows_in_the_place_of_a_share_are_told_what_to_pass():
    X = np.random.default_rng(0).normal(size=(40, 2))
    with pytest.raises(TypeError, match=r"KernelDensity is a class; pass an instance, as in KernelDensity\(\)"):
        OutlierDetector(KernelDensity).fit(X)
    detector = OutlierDetector(KernelDensity(), contamination=0.1).fit(X)
    with pytest.raises(TypeError, match=r"pass set_threshold\(0.05, X\)"):
        detector.set_threshold(X, 0.05)


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="score_samples of Given.* is not a number for 1 rows"):
        OutlierDetector(Given(), contamination=0.1).fit([[1.0], [np.nan]])


def test_folds_must_hold_out_every_row():
    with pytest.raises(ValueError, match="^cv=<list of length 1> must hold out every row once; 128 were left"):
        OutlierDetector(Given(), cv=[(np.arange(50, 178), np.arange(50))]).fit(WINE)
    with pytest.raises(ValueError, match="^cv=<list of length 1> must be a number of folds, a splitter, or pairs"):
        OutlierDetector(Given(), cv=[(np.arange(178),)]).fit(WINE)


def test_folds_that_leave_rows_are_refused_before_anything_is_fitted():
    class Never(KernelDensity):
        def fit(self, X, y=None):
            raise AssertionError("fitted")

    with pytest.raises(ValueError, match="must hold out every row once; 168 were left"):
        OutlierDetector(Never(), cv=[(np.arange(10), np.arange(10, 20))]).fit(WINE)


def test_an_interrupt_while_rows_are_held_out_keeps_the_fitted_estimator(monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    detector = OutlierDetector(KernelDensity(bandwidth=20.0)).fit(WINE)
    monkeypatch.setattr(OutlierDetector, "_held_out_scores", interrupt)
    with pytest.raises(KeyboardInterrupt):
        detector.fit(WINE[:100])
    assert len(detector.score_samples(WINE)) == len(WINE)
    with pytest.raises(NotFittedError):
        detector.predict(WINE)
    assert (detector.set_threshold(0.1).predict(WINE[:100]) == -1).mean() == pytest.approx(0.1)


@pytest.mark.parametrize("cv", [(0,), [(0, 1)], "abc", [([0], [999])]])
def test_what_are_no_folds_are_refused_by_name(cv):
    with pytest.raises(ValueError, match="cv"):
        OutlierDetector(KernelDensity(), cv=cv).fit(WINE)


def test_only_the_fit_to_all_rows_keeps_a_checkpoint(tmp_path, monkeypatch):
    opened, fit = [], AutoEncoderTransformer.fit
    monkeypatch.setattr(
        AutoEncoderTransformer, "fit", lambda self, *args: opened.append(self.checkpoint) or fit(self, *args)
    )
    path = tmp_path / "fit"
    OutlierDetector(make_pipeline(StandardScaler(), AutoEncoderTransformer(2, max_iter=1, checkpoint=path)), cv=3).fit(
        load_wine().data
    )
    assert opened == [path, None, None, None]
