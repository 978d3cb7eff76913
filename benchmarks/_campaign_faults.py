"""The cases of the campaign in which a process is disturbed: interrupts, kills, forged files, other processes.

Their code asserts what must hold; where it does not, the AssertionError is what is wrong.
"""

from pathlib import Path

from _campaign_cases import MODELS, START, Case, pick

TESTS = str(Path(__file__).resolve().parents[1] / "tests" / "persistence")

FILES = "import sys, tempfile, os, pathlib\nfolder = tempfile.mkdtemp()\npath = folder + '/model'\n"
ALARM = """
import signal
def stop(*_):
    raise KeyboardInterrupt
signal.signal(signal.SIGALRM, stop)
try:
    signal.setitimer(signal.ITIMER_REAL, {})
    {}
except KeyboardInterrupt:
    pass
signal.setitimer(signal.ITIMER_REAL, 0)
"""
KILL = """
import signal, time
child = os.fork()
if child == 0:
    while True:
        {}
time.sleep({})
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
"""
SURROUNDINGS = (
    "torch.no_grad()", "torch.inference_mode()", "torch.autocast('cpu', dtype=torch.bfloat16)", "torch.device('meta')",
    "np.errstate(all='raise')", "default_dtype(torch.float64)", "default_dtype(torch.bfloat16)",
)  # fmt: skip
DEFAULT_DTYPE = """
from contextlib import contextmanager
@contextmanager
def default_dtype(dtype):
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)
"""
ELSEWHERE = {
    "threads": "from concurrent.futures import ThreadPoolExecutor\n"
    "with ThreadPoolExecutor(4) as pool:\n    found = [pool.submit({0}, *{1}, **{2}) for _ in range(8)]\n"
    "    found = [one.result() for one in found]",
    "a fork": "import multiprocessing\nwith multiprocessing.get_context('fork').Pool(1) as pool:\n"
    "    found = [pool.apply_async({0}, {1}, {2}).get(40)]",
    "loky": "import joblib\nfound = joblib.Parallel(2)(joblib.delayed({0})(*{1}, **{2}) for _ in range(2))",
    "a spawned process": "import multiprocessing\nwith multiprocessing.get_context('spawn').Pool(1) as pool:\n"
    "    found = [pool.apply({0}, {1}, {2})]",
}
SAME = """for one in found:
    one, wanted = np.asarray(one), np.asarray(expected)
    assert one.shape == wanted.shape
    pd.testing.assert_series_equal(pd.Series(list(one.ravel())), pd.Series(list(wanted.ravel())), check_exact=True)
"""
MOST_METHODS = ("model.transform(X)", "model.predict(X)", "model.score_samples(X)", "model.sample(3, random_state=0)")


def fitted(model, seed, options=""):
    """Return the code that makes and fits an estimator."""
    return START.format(seed) + f"{model.data}\n{model.made(options)}\n{model.fit}\n"


def used(random, model):
    """Return a method of a model whose outputs are arrays."""
    return pick(random, [one for one in (method.format("X") for method in model.methods) if one in MOST_METHODS])


def interrupted_fit(random, seed):
    """Return a fit that is interrupted somewhere: what is left works or is not fitted, and the next fit is as ever."""
    model, seconds = pick(random, MODELS), float(10 ** random.uniform(-3, -0.5))
    method, options = used(random, model), "'max_iter': 20"
    setup = START.format(seed) + f"{model.data}\n"
    setup += f"{model.made(options)}\n{model.fit}\nexpected = {method}\n{model.made(options)}"
    call = ALARM.format(round(seconds, 4), model.fit)
    call += "if any(name in vars(model) for name in ('weights_', 'coefs_')):\n"
    prior = " and (hasattr(model, 'prior_') or not hasattr(model, 'codebook_'))"
    needs_prior = "sample" in method
    call += f"    {'if True' + prior + ': ' if needs_prior else ''}np.asarray({method})\n"
    call += (
        "else:\n    assert {name for name in vars(model) if name.endswith('_')} <= {'classes_'}, vars(model).keys()\n"
    )
    call += f"{model.fit}\nfound = [{method}]\n{SAME}"
    return Case("interrupted fits", setup, call, missing=True)


def interrupted_save(random, seed):
    """Return a save that is interrupted: the file is whole, and nothing is left beside it."""
    model, seconds = pick(random, MODELS), float(10 ** random.uniform(-3.5, -1.5))
    method = used(random, model)
    setup = fitted(model, seed) + FILES + f"model.save(path)\nexpected = {method}"
    call = ALARM.format(round(seconds, 5), "while True: model.save(path)")
    call += f"assert os.listdir(folder) == ['model']\nmodel = skvq.load(path)\nfound = [{method}]\n{SAME}"
    return Case("interrupted saves", setup, call, missing=True)


def killed_save(random, seed):
    """Return a save that is killed: the file is whole, and what is left beside it goes with the next save."""
    model, seconds = pick(random, MODELS), float(10 ** random.uniform(-3, -1))
    method = used(random, model)
    setup = fitted(model, seed) + FILES + f"model.save(path)\nexpected = {method}"
    call = KILL.format("model.save(path)", round(seconds, 5))
    call += (
        f"model = skvq.load(path)\nmodel.save(path)\nassert os.listdir(folder) == ['model']\nfound = [{method}]\n{SAME}"
    )
    return Case("killed saves", setup, call, missing=True)


def killed_fit(random, seed):
    """Return a fit with a checkpoint that is killed: the same call goes on, to the same bits, and clears up."""
    model = pick(random, [model for model in MODELS if not model.labels])
    seconds, method = float(10 ** random.uniform(-2, -0.3)), used(random, model)
    setup = fitted(model, seed, "'max_iter': 20") + f"expected = {method}\n" + FILES
    setup += model.made("'max_iter': 20, 'checkpoint': path, 'checkpoint_interval': 0.0")
    call = KILL.format(model.fit, round(seconds, 4))
    call += f"{model.fit}\nassert os.listdir(folder) == [], os.listdir(folder)\nfound = [{method}]\n{SAME}"
    return Case("killed fits with a checkpoint", setup, call, missing=True)


def forged_file(random, seed):
    """Return a file of save that was changed: it is refused, or is a model that computes finite numbers."""
    model = pick(random, MODELS)
    setup = fitted(model, seed) + FILES + f"sys.path.insert(0, {TESTS!r})\nimport hostile_files\n"
    setup += "model.save(path)\nfile = pathlib.Path(path).read_bytes()\n"
    setup += f"way, forged = hostile_files.mutate(file, [file], np.random.default_rng({int(random.integers(10**6))}))\n"
    call = f"pathlib.Path(path).write_bytes(forged)\nmodel = skvq.load(path)\nfound = [{used(random, model)}]"
    return Case("forged files", setup, call, missing=True)


def elsewhere(random, seed):
    """Return a model that computes the same in threads and other processes."""
    where = pick(random, ["threads"] * 6 + ["a fork"] * 6 + ["loky"] * 3 + ["a spawned process"])
    model = pick(random, MODELS)
    method = used(random, model)
    function, _, arguments = method.removesuffix(")").partition("(")
    positional, keywords = ("(3,)", "{'random_state': 0}") if arguments.startswith("3") else ("(X,)", "{}")
    call = ELSEWHERE[where].format(function, positional, keywords)
    return Case(f"models in {where}", fitted(model, seed) + f"expected = {method}", f"{call}\n{SAME}", missing=True)


def other_surroundings(random, seed):
    """Return a fit and a method under other settings of torch and numpy: the same outputs."""
    model, around = pick(random, MODELS), pick(random, SURROUNDINGS)
    method = used(random, model)
    setup = fitted(model, seed) + f"expected = {method}{DEFAULT_DTYPE}"
    call = f"with {around}:\n    found = [{method}]\n    {model.fit}\n    found.append({method})\n{SAME}"
    return Case("other surroundings", setup, call, missing=True)


CASES = (
    *[interrupted_fit] * 4, *[interrupted_save] * 2, *[killed_save] * 2, *[killed_fit] * 2, *[forged_file] * 6,
    *[elsewhere] * 3, *[other_surroundings] * 4,
)  # fmt: skip
