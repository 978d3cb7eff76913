"""The cases of the campaign: small pieces of code that use the package in ways that nobody wrote a test for."""

from dataclasses import dataclass

import skvq


@dataclass(frozen=True)
class Case:
    """Code that someone could write.

    Attributes
    ----------
    kind : str
        The line of the table that it counts for.
    setup : str
        Code that must run; what it defines must not be changed by `call`.
    call : str
        Code that may raise an error for its user, or sets `found`, the outputs.
    names : tuple of str
        An error must name one of these; with none any words will do.
    missing : bool
        Whether outputs may have missing cells.
    """

    kind: str
    setup: str
    call: str
    names: tuple = ()
    missing: bool = False


@dataclass(frozen=True)
class Model:
    """An estimator, the data that it is fitted to, and what it can do."""

    kind: str
    options: str
    data: str
    methods: tuple
    labels: bool = False

    def made(self, options=""):
        """Return the code that makes the estimator, with options besides or in place of its own."""
        return f"model = skvq.{self.kind}(**{{{self.options}{', ' if options else ''}{options}}})"

    @property
    def fit(self):
        """The code that fits it to X (and y)."""
        return "model.fit(X, y)" if self.labels else "model.fit(X)"


START = (
    "import numpy as np, pandas as pd, polars as pl, scipy.sparse as sp, torch, skvq\nr = np.random.default_rng({})\n"
)
TABLE = "X = r.normal(size=(40, 5)) @ r.normal(size=(5, 5))"
MIXED = (
    "X = pd.DataFrame({'a': r.normal(size=40), 'b': r.integers(0, 5, 40), 'c': r.choice(['x', 'y', 'z'], 40)})\n"
    "X.loc[::7, 'a'] = None"
)
IMAGES, SERIES = "X = r.random((20, 8, 8))", "X = r.normal(size=(30, 16)).cumsum(axis=1)"
CODES = "X = r.integers(0, 4, (40, 6))"
ROWS = ("model.transform({})", "model.score({})")
PREDICT = ("model.predict({})", "model.score({}, y)")
VQ = (*ROWS, "model.inverse_transform(model.transform({}))")
PRIOR = ("model.sample(3, random_state=0)", "model.score_samples({})")
VAE = (*ROWS, "model.score_samples({})", "model.sample(3, random_state=0)", "model.reconstruct({}, random_state=0)")
TINY = "'max_iter': 2, 'random_state': 0"
NET = f"{TINY}, 'hidden_layer_sizes': (4,)"
CONVOLUTIONS = f"{TINY}, 'channels': 4, 'n_blocks': 1"
GRIDS = f"{TINY}, 'channels': 4, 'n_layers': 1"

MODELS = (
    Model("MLPRegressor", NET, f"{TABLE}\ny = X[:, 0]", PREDICT, labels=True),
    Model("MLPRegressor", f"{NET}, 'solver': 'lbfgs'", f"{TABLE}\ny = X[:, :2]", PREDICT, labels=True),
    Model("MLPRegressor", f"{NET}, 'dropout': 0.1", f"{TABLE}\ny = X[:, 0]", PREDICT, labels=True),
    Model("MLPClassifier", NET, f"{TABLE}\ny = r.choice(['a', 'b', 'c'], 40)", (*PREDICT, "model.predict_proba({})"), True),
    Model("MLPClassifier", NET, f"{TABLE}\ny = (X[:, :3] > 0).astype(int)", (*PREDICT, "model.predict_proba({})"), True),
    Model("AutoEncoderTransformer", f"{NET}, 'n_components': 2", TABLE, (*VQ, "model.reconstruction_error({})")),
    Model("AutoEncoderTransformer", f"{CONVOLUTIONS}, 'n_components': 2, 'network': 'convolutional'", IMAGES, VQ),
    Model("AutoEncoderTransformer", f"{NET}, 'n_components': 2", MIXED, VQ),
    Model("VAETransformer", f"{NET}, 'n_components': 2", TABLE, VAE),
    Model("VAETransformer", f"{NET}, 'n_components': 2, 'likelihood': 'bernoulli'", IMAGES, VAE),
    Model("VAETransformer", f"{NET}, 'n_components': 2", MIXED, VAE),
    Model("VQVAETransformer", f"{NET}, 'n_codes': 4, 'prior': skvq.OrderlessNADE(n_units=4, n_blocks=1, max_iter=1)", TABLE, (*VQ, *PRIOR)),
    Model("VQVAETransformer", f"{NET}, 'n_codes': 4, 'prior': skvq.PixelCNN(**{{{GRIDS}}})", TABLE, (*VQ, *PRIOR)),
    Model("VQVAETransformer", f"{CONVOLUTIONS}, 'n_codes': 4, 'prior': skvq.PixelCNN(**{{{GRIDS}}})", IMAGES, (*VQ, *PRIOR)),
    Model("VQVAETransformer", f"{CONVOLUTIONS}, 'n_codes': 4, 'prior': None, 'series_shape': (16,)", SERIES, VQ),
    Model("VQVAETransformer", f"{NET}, 'n_codes': 4, 'prior': None", MIXED, VQ),
    Model("OutlierDetector", f"'estimator': skvq.VAETransformer(**{{{NET}}}), 'cv': 2", TABLE, ("model.predict({})", "model.score_samples({})")),
    Model("PixelCNN", GRIDS, CODES, PRIOR),
    Model("CausalTransformer", f"{TINY}, 'd_model': 4, 'n_layers': 1, 'n_heads': 2", CODES, PRIOR),
    Model("HierarchicalPixelCNN", f"{GRIDS}, 'grid_shapes': ((1, 2), (2, 2))", CODES, PRIOR),
    Model("OrderlessNADE", f"{TINY}, 'n_units': 4, 'n_blocks': 1", TABLE, (*PRIOR, "model.complete({})")),
    Model("OrderlessNADE", f"{TINY}, 'n_units': 4, 'n_blocks': 1", MIXED, (*PRIOR, "model.complete({})")),
)  # fmt: skip

# What X, or anything like it, may turn out to be.
ODD = (
    "X[:0]", "X[:1]", "X[:2]", "X[:3]", "X[:, :0]", "X[:, :1]", "X[:, :3]", "X[0]", "X[None]", "X[None, None, None]",
    "X[..., None]", "X[::-2]", "X[:, ::-1]", "X[:, [0, 0, 0, 0, 0]]", "np.repeat(X[:1], 30, axis=0)", "X * 0",
    "X * 0 + 1e9", "X * 1e300", "X * 1e-300", "X * 1e30", "X * 1e-30", "X + 1e12", "-X", "np.where(X > 1, np.nan, X)",
    "np.where(X > 1, np.inf, X)", "np.full(X.shape, np.nan)", "X.astype('f2')", "X.astype('f4')", "X.astype('>f8')",
    "X.astype('g')", "X.astype('i1')", "X.astype('u1')", "X.astype('i8')", "X.astype('u8')", "X.astype(bool)",
    "X.astype(complex)", "X.astype(object)", "X.astype(str)", "X.astype('S9')", "X.astype('i8').astype('M8[s]')",
    "X.astype('i8').astype('m8[s]')", "np.asfortranarray(X)", "X.tolist()", "tuple(map(tuple, X.tolist()))",
    "np.ma.masked_array(X, X > 1)", "np.asmatrix(X)", "np.rec.array(X)", "np.broadcast_to(X, X.shape)", "memoryview(X)",
    "pd.DataFrame(X)", "pd.DataFrame(X, columns=list('abcde'))", "pd.DataFrame(X).astype('Float64')",
    "pd.DataFrame(X).iloc[::-1]", "pd.DataFrame(X, index=list(range(20)) * 2)", "pd.DataFrame(X).astype('category')",
    "pd.DataFrame(X, columns=['a'] * 5)", "pd.DataFrame(X).astype(str)", "pd.DataFrame(X).T", "pd.Series(X[:, 0])",
    "pd.DataFrame(X).where(X < 1)", "pd.DataFrame(X).round().astype('Int64').where(X < 1)", "pd.DataFrame(X > 0)",
    "pd.DataFrame(X * 1e9).astype('datetime64[s]')", "pd.DataFrame(X).assign(kind=['x', None] * 20)",
    "pl.DataFrame(X)", "pl.DataFrame(X).with_columns(pl.lit('x').alias('kind'))", "pl.DataFrame(X).lazy()",
    "pd.DataFrame(X).astype(pd.SparseDtype(float))", "sp.csr_matrix(X)", "sp.csc_array(X)", "sp.coo_array(X)",
    "sp.csr_array((40, 5))", "sp.dia_matrix(X)", "torch.tensor(X)", "torch.tensor(X).bfloat16()",
    "torch.tensor(X).requires_grad_()", "torch.tensor(X).to('meta')", "torch.tensor(X).to_sparse()",
    "torch.tensor(X)[:, ::2]", "None", "3.0", "np.array(5.0)", "'abc'", "b'abc'", "{}", "set()", "object()", "iter(X)",
    "(row for row in X)", "[]", "[[]]", "[None]", "[[None] * 5] * 4", "[[1, 2], [3]]", "[X, X]", "{'a': [1, 2]}",
    "np.empty((4, 0))", "np.zeros((2, 3, 4, 5, 6))", "[['a', 'b'], ['c', 'd']]", "[[True, None], [1, 'a']]", "range(5)",
    "np.array([[{}, []], [(), set()]], dtype=object)", "X.astype(object) * 10**30", "np.array(['2020-01-01'] * 40, 'M8[D]')",
    "iter([X[:20], X[20:]])", "iter([X[:20], X[20:, :3]])", "iter([])", "map(pd.DataFrame, [X[:20], X[20:]])",
    "torch.utils.data.TensorDataset(torch.tensor(X))", "torch.utils.data.DataLoader(torch.tensor(X), batch_size=7)",
    "torch.utils.data.DataLoader([{'x': 1.0}] * 9)", "__import__('dask.array').array.from_array(X, chunks=(9, 2))",
    "__import__('zarr').array(X)", "__import__('pyarrow').table(pd.DataFrame(X, columns=list('abcde')))",
    "iter([sp.csr_array(X)])", "iter([pd.DataFrame(X).astype(str)])", "iter([None])", "iter('abc')", "iter([X, 5])",
)  # fmt: skip
# What labels, targets and weights may turn out to be.
ODD_TARGETS = (
    "y[:5]", "y[:, None]", "y[:, None, None]", "None", "y.tolist()", "pd.Series(y)", "pl.Series(y)", "torch.zeros(40)",
    "np.zeros(40)", "np.ones(40, int)", "np.full(40, np.nan)", "np.full(40, np.inf)", "np.arange(40.0) / 7", "np.arange(40)",
    "np.array(['a', None] * 20, dtype=object)", "np.array([1, 'a'] * 20, dtype=object)", "np.array([0, 255] * 20, 'u1')",
    "np.array([-1, 1] * 20)", "np.array([True, False] * 20)", "np.zeros((40, 0))", "np.full((40, 3), 2)", "3", "'abc'",
    "np.array([b'a', b'b'] * 20)", "np.arange(40).astype('M8[D]')", "sp.csr_array(np.eye(40, 3, dtype=int))", "{}",
    "np.r_[np.zeros(39), 1]", "pd.Series(['a', 'b'] * 20, dtype='category')", "pd.array([1, None] * 20, dtype='Int64')",
    "[[1], [2, 3]] * 20", "np.zeros(40, complex)", "1e300 * np.arange(40)", "1e-300 * np.arange(40)", "-np.ones(40)",
    "np.zeros(41)", "iter(range(40))", "np.zeros((40, 2, 2))",
)  # fmt: skip
# What a parameter or an argument may turn out to be.
WRONG = (
    "None", "True", "False", "0", "-1", "1", "2", "7", "0.0", "0.5", "-0.5", "1.0", "2.5", "1e-300", "1e300", "np.nan",
    "np.inf", "-np.inf", "10**30", "-10**30", "'auto'", "''", "'x'", "b'auto'", "'float32'", "()", "(0,)", "(1,)", "(-1,)",
    "(2, 2)", "(1, 2, 3)", "((1, 1), (2, 2))", "(2.5,)", "('a',)", "[]", "[3]", "[[3]]", "{}", "{'a': 1}", "set()", "{1}",
    "object()", "complex(1)", "np.float64(0.5)", "np.float32(0.5)", "np.int8(3)", "np.uint8(200)", "np.bool_(True)",
    "np.array(3)", "np.array([3])", "np.array([0.5, 0.5])", "np.array('auto')", "np.str_('auto')", "range(3)", "lambda: 3",
    "skvq.PixelCNN", "skvq.PixelCNN()", "skvq.VectorCodes()", "np.random.RandomState(0)", "np.random.default_rng(0)",
    "torch.tensor(3)", "torch.float32", "torch.device('cpu')", "'cuda:99'", "'meta'", "slice(3)", "int", "pd.NA",
    "__import__('fractions').Fraction(1, 2)", "__import__('decimal').Decimal('0.5')", "float('1e-45')", "2**31", "2**63",
)  # fmt: skip
# Sizes that are allowed and only take for ever, or fill the memory, are not asked for.
ENDLESS = {
    "max_iter", "n_samples", "n_draws", "n_candidates", "n_importance_samples", "max_fun", "n_mixture_components",
    "beam_size", "verbose", "cv", "n_iter_no_change",
}  # fmt: skip
HUGE = {"10**30", "1e300", "2**31", "2**63", "np.inf"}
ARGUMENTS = (
    ("VAETransformer", "model.sample(3, {}={})", ("n_samples", "random_state", "observation_noise")),
    ("VAETransformer", "model.score_samples(X, {}={})", ("n_importance_samples",)),
    ("VAETransformer", "model.reconstruct(X, {}={})", ("n_draws", "random_state")),
    ("VAETransformer", "model.traverse(**{{'component': 0}} | {{'{}': {}}})", ("component", "values")),
    ("PixelCNN", "model.sample(**{{'n_samples': 2}} | {{'{}': {}}})", ("n_samples", "random_state", "temperature", "top_k", "top_p", "y", "given", "mask", "n_candidates")),
    ("CausalTransformer", "model.sample(**{{'n_samples': 2}} | {{'{}': {}}})", ("n_samples", "random_state", "temperature", "top_k", "top_p", "y", "given", "mask", "n_candidates")),
    ("PixelCNN", "model.score_samples(X, {}={})", ("y",)),
    ("OrderlessNADE", "model.sample(**{{'n_samples': 2}} | {{'{}': {}}})", ("n_samples", "random_state", "temperature", "top_k", "top_p", "given")),
    ("OrderlessNADE", "model.complete(X, {}={})", ("mask", "n_draws", "strategy", "random_state", "temperature", "top_k", "top_p")),
    ("VQVAETransformer", "model.sample(**{{'n_samples': 2}} | {{'{}': {}}})", ("n_samples", "random_state", "temperature", "top_k", "top_p", "y", "given")),
    ("VQVAETransformer", "model.complete(X, {}={})", ("mask", "n_draws", "strategy", "random_state", "temperature", "n_candidates")),
    ("MLPRegressor", "model.fit(X, y, {}={}).predict(X)", ("sample_weight", "X_val", "y_val")),
    ("MLPClassifier", "model.fit(X, y, {}={}).predict(X)", ("sample_weight", "X_val", "y_val")),
)  # fmt: skip


# Values that a parameter may have, as the only one that is not at its default.
ALLOWED = {
    "activation": ("'relu'", "'tanh'", "'gelu'", "'elu'", "'identity'"),
    "alpha": ("0.0", "0.1", "10.0"),
    "augment": ("True", "False", "'auto'"),
    "batch_size": ("1", "3", "1000", "'auto'", "np.int64(7)"),
    "channels": ("1", "3", "8"),
    "class_conditional": ("False",),
    "clip": ("True", "False"),
    "code_shape": ("'auto'", "1", "(1,)", "(2, 2)", "(3,)", "((1, 1), (2, 2))"),
    "codebook_weight": ("0.0", "1.0", "5.0"),
    "commitment_weight": ("0.0", "0.25", "5.0"),
    "contractive_weight": ("0.0", "0.1", "np.float64(0.1)"),
    "dilations": ("1", "(1, 2)"),
    "dropout": ("0.0", "0.5"),
    "early_stopping": ("True", "False"),
    "free_bits": ("0.0", "0.1"),
    "handle_unknown": ("'ignore'", "'error'"),
    "hidden_layer_sizes": ("()", "(3,)", "5", "[4, 3]", "np.array([3, 3])"),
    "input_noise": ("0.0", "0.3", "'auto'"),
    "kernel_size": ("1", "3", "5"),
    "kl_warmup": ("0.0", "0.5"),
    "kl_weight": ("0.0", "0.01", "4.0"),
    "learning_rate_init": ("1e-8", "0.01", "0.1"),
    "likelihood": ("'gaussian'", "'gaussian_per_feature'", "'bernoulli'", "'poisson'"),
    "loss": ("'squared_error'", "'log_loss'", "'huber'", "'poisson'", "'quantile'", "'absolute_error'"),
    "max_bits": ("None", "4", "16", "40"),
    "max_grad_norm": ("None", "0.1"),
    "max_iter": ("1", "3"),
    "momentum": ("0.0", "0.5", "1.0"),
    "n_bins": ("1", "2", "16"),
    "n_blocks": ("0", "1", "3"),
    "n_codes": ("'auto'", "None", "1", "2", "5", "100"),
    "n_components": ("1", "3", "20"),
    "n_iter_no_change": ("1", "None", "100"),
    "n_layers": ("0", "1", "2"),
    "n_mixture_components": ("1", "3", "'auto'"),
    "n_orders": ("1", "2", "1000"),
    "n_units": ("1", "8"),
    "network": ("'auto'", "'dense'", "'convolutional'", "'aligned'"),
    "noise": ("None", "'gaussian'", "'masking'"),
    "normalization": ("None", "'batch'", "'layer'"),
    "precision": ("'auto'", "'float32'", "'bfloat16'", "'float64'"),
    "prior": ("None", "'pixelcnn'", "'transformer'", "'nade'", "'normal'", "'gaussian_mixture'"),
    "quantizer": ("'auto'", "'vector'", "'residual'", "'product'", "'finite_scalar'", "skvq.ResidualCodes(beam_size=2)",
                  "skvq.VectorCodes(codebook_update='gradient')", "skvq.VectorCodes(similarity='cosine')"),
    "solver": ("'adam'", "'sgd'", "'lbfgs'"),
    "sparsity": ("None", "'l1'", "'kl'"),
    "standardize": ("True", "False"),
    "tied_weights": ("True", "False"),
    "tol": ("0.0", "1.0"),
    "validation_fraction": ("0.01", "0.5", "0.9"),
    "warm_start": ("True", "False"),
    "warmup": ("0.0", "0.5", "1.0"),
}  # fmt: skip


def pick(random, options):
    """Return one of some options."""
    return options[random.integers(len(options))]


def odd_fit(random, seed):
    """Return a fit to odd rows, and all that follows from it."""
    model = pick(random, MODELS)
    used = pick(random, model.methods).format("Z")
    setup = START.format(seed) + f"{model.data}\nZ = {pick(random, ODD)}\n{model.made()}"
    return Case("odd rows in fit", setup, f"{model.fit.replace('X', 'Z', 1)}\nfound = [{used}]", missing=True)


def odd_rows(random, seed):
    """Return a method that is given odd rows after a fit to good ones."""
    model = pick(random, MODELS)
    setup = START.format(seed) + f"{model.data}\nZ = {pick(random, ODD)}\n{model.made()}\n{model.fit}"
    used = pick(random, [method for method in model.methods if "{" in method]).format("Z")
    return Case("odd rows in other methods", setup, f"found = [{used}]", missing=True)


def odd_targets(random, seed):
    """Return a fit to odd labels, targets or weights."""
    model = pick(random, [model for model in MODELS if model.labels])
    target = pick(random, ODD_TARGETS)
    call = pick(random, ("model.fit(X, z)", "model.partial_fit(X, z)", "model.fit(X, y, sample_weight=z)"))
    setup = START.format(seed) + f"{model.data}\nz = {target}\n{model.made()}"
    return Case("odd targets and weights", setup, f"{call}\nfound = [model.predict(X)]")


def wrong_parameter(random, seed):
    """Return a fit with one parameter at a value that it may not have."""
    model = pick(random, MODELS)
    name = pick(random, sorted(getattr(skvq, model.kind)._get_param_names()))
    value = pick(random, [value for value in WRONG if value not in HUGE or name not in ENDLESS])
    used = pick(random, model.methods).format("X")
    call = f"{model.made(f'{name!r}: {value}')}\n{model.fit}\nfound = [{used}]"
    return Case("parameters out of range", START.format(seed) + model.data, call, names=(name,), missing=True)


def wrong_argument(random, seed):
    """Return a call with one argument at a value that it may not have."""
    kind, call, names = pick(random, ARGUMENTS)
    model = pick(random, [model for model in MODELS if model.kind == kind])
    name = pick(random, names)
    value = pick(random, [value for value in WRONG if value not in HUGE or name not in ENDLESS])
    setup = START.format(seed) + f"{model.data}\n{model.made()}\n{model.fit}"
    also = {"given": ("column", "prior"), "mask": ("given",), "X_val": ("y_val",), "y_val": ("X_val",)}
    also |= {"sample_weight": ("Sample weight",), "values": ("input data",)}
    accepted = (name, *also.get(name, ()), *(("prior", "mask") if "complete" in call else ()))
    return Case("arguments out of range", setup, f"found = [{call.format(name, value)}]", names=accepted, missing=True)


def combination(random, seed):
    """Return a fit with several parameters at values that are allowed, one by one."""
    model = pick(random, MODELS)
    known = [name for name in getattr(skvq, model.kind)._get_param_names() if name in ALLOWED]
    names = random.permutation(known)[: random.integers(2, 7)]
    options = ", ".join(f"{str(name)!r}: {pick(random, ALLOWED[name])}" for name in names)
    calls = "".join(f"\nfound.append({method.format('X')})" for method in model.methods)
    call = f"{model.made(options)}\n{model.fit}\nfound = []{calls}"
    return Case("combinations", START.format(seed) + model.data, call, names=known, missing=True)


CASES = (odd_fit, odd_rows, odd_targets, wrong_parameter, wrong_argument, combination)
