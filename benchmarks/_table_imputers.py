"""Imputers for the benchmark of missing cells: each a function of train frame, test frame and seed.

Both frames have missing cells in every kind of column. A function learns from the train frame, fills the test frame and
returns it as a frame, or as an array of codes as `to_codes` makes it: then whole numbers need not be rounded, so that
means are judged as they are. Settings are the package's defaults unless a line says so.
"""

import importlib
import warnings

import numpy as np
import pandas as pd
from _table_codes import category_names, to_codes


def _codes(frame, like):
    """Return codes (n, columns) with nan for every missing cell, and the mask of columns that are categories."""
    codes = to_codes(frame, like)
    is_category = np.isin(like.columns, category_names(like))
    return np.where(is_category & (codes < 0), np.nan, codes), is_category


class Blocks:
    """One-hot blocks of categories, with nan for all levels of a missing cell, and standardised numbers."""

    def __init__(self, codes, is_category):
        self.is_category = is_category
        self.levels = [np.unique(column[~np.isnan(column)]) for column in codes.T]
        self.mean, self.std = np.nanmean(codes, axis=0), np.nanstd(codes, axis=0)
        self.std[self.std == 0] = 1

    def transform(self, codes):
        """Return the rows as float64 (n, width)."""
        blocks = []
        for j, values in enumerate(codes.T):
            if self.is_category[j]:
                block = (values[:, None] == self.levels[j]).astype(float)
                block[np.isnan(values)] = np.nan
                blocks.append(block)
            else:
                blocks.append((values[:, None] - self.mean[j]) / self.std[j])
        return np.concatenate(blocks, axis=1)

    def inverse_transform(self, rows):
        """Return codes: of a block the level with the largest value."""
        columns, start = [], 0
        for j, levels in enumerate(self.levels):
            if self.is_category[j]:
                columns.append(levels[rows[:, start : start + len(levels)].argmax(axis=1)])
                start += len(levels)
            else:
                columns.append(rows[:, start] * self.std[j] + self.mean[j])
                start += 1
        return np.stack(columns, axis=1)


def means(train, test, seed):
    """Return the mean of numbers and the most frequent level."""
    codes, is_category = _codes(train, train)
    filled = _codes(test, train)[0]
    for j, column in enumerate(codes.T):
        levels, counts = np.unique(column[~np.isnan(column)], return_counts=True)
        value = levels[counts.argmax()] if is_category[j] else np.nanmean(column)
        filled[np.isnan(filled[:, j]), j] = value
    return filled


def neighbours(train, test, seed):
    """Return the means of the five nearest rows, over one-hot blocks and standardised numbers."""
    from sklearn.impute import KNNImputer

    codes, is_category = _codes(train, train)
    blocks = Blocks(codes, is_category)
    imputer = KNNImputer().fit(blocks.transform(codes))
    return blocks.inverse_transform(imputer.transform(blocks.transform(_codes(test, train)[0])))


def _iterative(estimator, train, test, seed):
    """Return what regressions in turn predict over standardised codes, rounded to a level for categories."""
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    codes, is_category = _codes(train, train)
    mean, std = np.nanmean(codes, axis=0), np.nanstd(codes, axis=0) + 1e-12
    imputer = IterativeImputer(estimator, random_state=seed).fit((codes - mean) / std)
    filled = imputer.transform((_codes(test, train)[0] - mean) / std) * std + mean
    highest = np.nanmax(codes[:, is_category], axis=0)
    filled[:, is_category] = filled[:, is_category].round().clip(0, highest)
    return filled


def iterative(train, test, seed):
    """Return what Bayesian ridge regressions predict over ordinal codes.

    Over one-hot blocks they give the most frequent level: the levels of a missing cell are predicted from one another.
    """
    return _iterative(None, train, test, seed)


def iterative_trees(train, test, seed):
    """Return what extremely randomised trees predict over ordinal codes."""
    from sklearn.ensemble import ExtraTreesRegressor

    return _iterative(ExtraTreesRegressor(50, min_samples_leaf=3, random_state=seed), train, test, seed)


def miceforest(train, test, seed):
    """Return predictions of boosted trees in turn; they learn from train and test rows together.

    As a favour, predictions are not matched to seen cells, which adds noise. Without the matching, `impute_new_data`,
    the package's way of filling rows that it has not learned from, leaves them at their random start.
    """
    import miceforest as mf

    codes, is_category = _codes(pd.concat([train, test], ignore_index=True), train)
    columns = {f"c{j}": pd.Categorical(c) if is_category[j] else c for j, c in enumerate(codes.T)}
    kernel = mf.ImputationKernel(pd.DataFrame(columns), num_datasets=1, mean_match_candidates=0, random_state=seed)
    kernel.mice(5, num_threads=1)
    return kernel.complete_data(0).astype(float).to_numpy()[len(train) :]


def forest_diffusion(train, test, seed):
    """Return the mean of five draws (the most frequent level of them) of boosted trees that learn the diffusion.

    The package fills only rows that it has learned from, so it learns from train and test rows together.
    """
    from ForestDiffusion import ForestDiffusionModel

    np.random.seed(seed)  # noqa: NPY002  the package draws from the global generator
    codes, is_category = _codes(pd.concat([train, test], ignore_index=True), train)
    n_levels = [len(np.unique(column[~np.isnan(column)])) for column in codes.T]
    many = [j for j in np.flatnonzero(is_category) if n_levels[j] > 2]
    binary = [j for j in np.flatnonzero(is_category) if n_levels[j] == 2]
    model = ForestDiffusionModel(
        codes, bin_indexes=binary, cat_indexes=many, int_indexes=[], diffusion_type="vp", n_jobs=1, seed=seed
    )
    draws = model.impute(k=5)[:, len(train) :]
    filled = draws.mean(axis=0)
    for j in np.flatnonzero(is_category):
        levels = np.arange(np.nanmax(codes[:, j]) + 1)
        counts = (draws[:, :, j].round() == levels[:, None, None]).sum(axis=1)  # (levels, rows)
        filled[:, j] = counts.argmax(axis=0)
    return filled


def nade(train, test, seed):
    """Complete by the means of draws of an OrderlessNADE."""
    import skvq

    model = skvq.OrderlessNADE(random_state=seed).fit(train)
    return model.complete(test, strategy="mean", random_state=seed)


IMPUTERS = {
    "OrderlessNADE": nade,
    "means": means,
    "neighbours": neighbours,
    "iterative": iterative,
    "iterative trees": iterative_trees,
    "miceforest": miceforest,
    "forest diffusion": forest_diffusion,
}

PACKAGES = {
    "OrderlessNADE": ["skvq"],
    "neighbours": ["sklearn.impute"],
    "iterative": ["sklearn.impute", "sklearn.linear_model"],
    "miceforest": ["miceforest"],
    "forest diffusion": ["ForestDiffusion"],
}


def import_packages(name):
    """Import what the imputer `name` needs, so that its seconds are without imports."""
    for package in PACKAGES.get(name, ()):
        importlib.import_module(package)


def impute(name, train, test, seed):
    """Return the codes of the test frame filled by the imputer `name`, without the warnings of other packages."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        filled = IMPUTERS[name](train, test, seed)
    return to_codes(filled, train) if isinstance(filled, pd.DataFrame) else filled
