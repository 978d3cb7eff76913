"""Generators of rows for the benchmark of synthetic tables: each a function of train frame, number of rows and seed.

Every function returns a frame with the columns and dtypes of the train frame. Packages are imported inside, so that
each generator runs in an environment that has only its own. Settings are the package's defaults unless a line says so.
"""

import importlib
import tempfile
import warnings

import numpy as np
import pandas as pd
from _table_codes import Dummies, category_names, conform, from_codes, to_codes, to_plain

COMPONENTS = (1, 2, 5, 10, 20, 40)


def train_rows(train, n, seed):
    """Return train rows: the AUC of a perfect generator, and the nearest-row ratio of one that copies."""
    return train.sample(n, random_state=seed, replace=n > len(train)).reset_index(drop=True)


def independent(train, n, seed):
    """Return rows whose columns are drawn one by one from the train rows: the AUC of one that knows no relations."""
    rng = np.random.default_rng(seed)
    codes = to_codes(train, train)
    return from_codes(np.stack([rng.choice(column, n) for column in codes.T], axis=1), train)


def gaussian_mixture(train, n, seed):
    """Return draws of a mixture over one-hot blocks, with covariance and components by BIC.

    As a favour, drawn numbers become the nearest that were seen.
    """
    from sklearn.mixture import GaussianMixture

    dummies = Dummies(train)
    rows = dummies.transform(train)
    sizes = [k for k in COMPONENTS if k * rows.shape[1] <= len(rows)] or [1]
    best, best_bic = None, np.inf
    for covariance in ("full", "diag"):
        for k in sizes:
            model = GaussianMixture(k, covariance_type=covariance, reg_covar=1e-4, random_state=seed).fit(rows)
            bic = model.bic(rows)
            if bic < best_bic:
                best, best_bic = model, bic
    drawn = np.random.default_rng(seed).permutation(best.sample(n)[0])
    return dummies.inverse_transform(drawn)


def _sdv(synthesizer, train, n, seed):
    import sdv
    import torch
    from sdv.metadata import Metadata

    np.random.seed(seed)  # noqa: NPY002  the package draws from the global generators
    torch.manual_seed(seed)
    plain = to_plain(train)
    kinds = {}
    for name, values in plain.items():
        if name in category_names(train):
            kinds[name] = {"sdtype": "boolean" if values.dtype == bool else "categorical"}
        else:
            kinds[name] = {"sdtype": "datetime" if values.dtype.kind == "M" else "numerical"}
    metadata = Metadata.load_from_dict({"tables": {"table": {"columns": kinds}}})
    model = synthesizer(metadata)
    tables = {"table": plain} if int(sdv.__version__.split(".")[0]) > 1 else plain
    model.fit(tables)
    drawn = model.sample(n)
    return conform(drawn["table"] if isinstance(drawn, dict) else drawn, train)


def sdv_copula(train, n, seed):
    """Return draws of the Gaussian copula."""
    from sdv.single_table import GaussianCopulaSynthesizer

    return _sdv(GaussianCopulaSynthesizer, train, n, seed)


def sdv_tvae(train, n, seed):
    """Return draws of the variational autoencoder."""
    from sdv.single_table import TVAESynthesizer

    return _sdv(TVAESynthesizer, train, n, seed)


def sdv_ctgan(train, n, seed):
    """Return draws of the adversarial network."""
    from sdv.single_table import CTGANSynthesizer

    return _sdv(CTGANSynthesizer, train, n, seed)


def mostlyai(train, n, seed):
    """Return draws of TabularARGN. As a favour, rare values are not protected, which would replace them."""
    from mostlyai.engine import TabularARGN

    with tempfile.TemporaryDirectory() as folder:
        model = TabularARGN(workspace_dir=folder, random_state=seed, value_protection=False)
        model.fit(to_plain(train))
        return conform(model.sample(n), train)


def _with_indicators(train):
    """Return plain columns without missing cells: a level of categories, and the median with a column that tells."""
    columns = {}
    for name, values in to_plain(train).items():
        missing = values.isna()
        if values.dtype in (object, bool):
            columns[name] = values.where(~missing, "missing").astype(str)
            continue
        numbers = to_codes(train[[name]], train[[name]])[:, 0]
        columns[name] = np.where(missing, np.nanmedian(numbers), numbers)
        if missing.any():
            columns[f"{name} missing"] = missing.astype(str)
    return pd.DataFrame(columns)


def _without_indicators(drawn, train):
    """Return the drawn frame in the columns of `train`, with the missing cells that the added columns tell."""
    columns = {}
    for name in train:
        values = drawn[name]
        if name in category_names(train):
            columns[name] = values.astype(object).where(values.astype(str) != "missing", None)
        elif f"{name} missing" in drawn:
            columns[name] = values.where(drawn[f"{name} missing"].astype(str) == "False")
        else:
            columns[name] = values
    return conform(pd.DataFrame(columns), train)


def arfpy(train, n, seed):
    """Return draws of adversarial random forests.

    They take no missing cells, so a missing category is a level, and a column beside tells missing numbers.
    """
    from arfpy import arf

    np.random.seed(seed)  # noqa: NPY002  the package draws from the global generator
    if not hasattr(np, "in1d"):
        np.in1d = np.isin  # noqa: NPY201  the name is gone from numpy 2.4
    model = arf.arf(_with_indicators(train), verbose=False, random_state=seed)
    model.forde()
    return _without_indicators(model.forge(n), train)


def forest_diffusion(train, n, seed):
    """Return draws of boosted trees that learn the flow, as the authors recommend.

    A missing category is a level; missing numbers stay missing.
    """
    from ForestDiffusion import ForestDiffusionModel

    np.random.seed(seed)  # noqa: NPY002  the package draws from the global generator
    codes = to_codes(train, train)
    categories = np.isin(train.columns, category_names(train))
    seen = {j: np.unique(codes[:, j]) for j in np.flatnonzero(categories)}
    for j, values in seen.items():
        codes[:, j] = np.searchsorted(values, codes[:, j])
    binary = [j for j, values in seen.items() if len(values) == 2]
    many = [j for j, values in seen.items() if len(values) > 2]
    # Whole numbers are rounded by `from_codes`: where its `int_indexes` are given, version 1.0.6 writes into an array
    # that pandas 3 does not let it write into.
    model = ForestDiffusionModel(
        codes, bin_indexes=binary, cat_indexes=many, int_indexes=[], diffusion_type="flow", n_jobs=1, seed=seed
    )
    drawn = np.array(model.generate(batch_size=n))  # a copy: it may be of memory that cannot be written
    for j, values in seen.items():
        drawn[:, j] = values[drawn[:, j].astype(int)]
    return from_codes(drawn, train)


def nade(train, n, seed):
    """Return rows of an OrderlessNADE, the default prior of a VQVAETransformer of tables."""
    import skvq

    return skvq.OrderlessNADE(random_state=seed).fit(train).sample(n, random_state=seed)


def quick_nade(train, n, seed):
    """Return rows of an OrderlessNADE that has about a tenth of the seconds that mostlyai-engine takes."""
    import skvq

    seconds = 1.0 if len(train) < 2_000 else 2.0 if len(train) < 10_000 else len(train) * train.shape[1] ** 2 / 150_000
    return skvq.OrderlessNADE(max_seconds=seconds, random_state=seed).fit(train).sample(n, random_state=seed)


def vqvae(train, n, seed):
    """Return rows of a VQVAETransformer at its defaults: its codes are fitted too."""
    import skvq

    return skvq.VQVAETransformer(random_state=seed).fit(train).sample(n, random_state=seed)


def code_transformer(train, n, seed):
    """Return rows drawn by way of the codes of a VQVAETransformer, with a transformer over them."""
    import skvq

    return skvq.VQVAETransformer(prior="transformer", random_state=seed).fit(train).sample(n, random_state=seed)


def code_pixelcnn(train, n, seed):
    """Return rows drawn by way of the codes of a VQVAETransformer, with a PixelCNN over them."""
    import skvq

    return skvq.VQVAETransformer(prior="pixelcnn", random_state=seed).fit(train).sample(n, random_state=seed)


GENERATORS = {
    "OrderlessNADE": nade,
    "OrderlessNADE, max_seconds": quick_nade,
    "VQVAETransformer": vqvae,
    "codes, transformer": code_transformer,
    "codes, PixelCNN": code_pixelcnn,
    "train rows": train_rows,
    "independent": independent,
    "gaussian mixture": gaussian_mixture,
    "sdv copula": sdv_copula,
    "arfpy": arfpy,
    "mostlyai": mostlyai,
    "sdv tvae": sdv_tvae,
    "sdv ctgan": sdv_ctgan,
    "forest diffusion": forest_diffusion,
}

PACKAGES = {
    "OrderlessNADE": ["skvq"],
    "OrderlessNADE, max_seconds": ["skvq"],
    "VQVAETransformer": ["skvq"],
    "codes, transformer": ["skvq"],
    "codes, PixelCNN": ["skvq"],
    "gaussian mixture": ["sklearn.mixture"],
    "sdv copula": ["sdv.single_table"],
    "sdv tvae": ["sdv.single_table"],
    "sdv ctgan": ["sdv.single_table"],
    "arfpy": ["arfpy"],
    "mostlyai": ["mostlyai.engine"],
    "forest diffusion": ["ForestDiffusion"],
}


def import_packages(name):
    """Import what the generator `name` needs, so that its seconds are without imports."""
    for package in PACKAGES.get(name, ()):
        importlib.import_module(package)


def generate(name, train, n, seed):
    """Return `n` rows of the generator `name`, without the warnings of other packages."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return GENERATORS[name](train, n, seed)
