"""A process that runs cases of the campaign, one line of JSON each, and says what came of them."""

import contextlib
import io
import json
import math
import re
import resource
import sys
import warnings

import numpy as np
import pandas as pd
import polars as pl
import sklearn
import torch
from scipy import sparse

import skvq  # noqa: F401  (the time to import it is not that of a case)

# More memory than any case has a reason to take.
MOST_BYTES = 8 << 30
NO_CASE = "there is no such case"


def digest(value):
    """Return what tells whether an input was changed, None for what has no values."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, torch.Tensor):
        return str(
            value.dtype
        ), value.device.type != "meta" and not value.is_sparse and value.detach().double().tolist()
    if sparse.issparse(value):
        return digest(value.tocoo().data), digest(value.tocoo().coords[0])
    if isinstance(value, (pl.DataFrame, pl.Series)):
        return value.dtypes if isinstance(value, pl.DataFrame) else value.dtype, repr(
            value.to_dict(as_series=False) if isinstance(value, pl.DataFrame) else value.to_list()
        )
    if isinstance(value, (pd.DataFrame, pd.Series)):
        return repr(value.index), [
            (str(name), str(column.dtype), repr(column.tolist())) for name, column in value.items()
        ] if isinstance(value, pd.DataFrame) else repr(value.tolist())
    return repr(value) if isinstance(value, (list, tuple, np.ndarray)) else None


def flat(value):
    """Yield the numbers in an output."""
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from flat(part)
    elif isinstance(value, dict):
        yield from flat(list(value.values()))
    elif isinstance(value, pd.DataFrame):
        for name in range(value.shape[1]):
            yield from flat(value.iloc[:, name].to_numpy())
    elif isinstance(value, pl.DataFrame):
        yield from flat(value.to_pandas())
    elif isinstance(value, np.ndarray) and value.dtype.kind == "O":
        yield from (part for part in value.ravel().tolist() if isinstance(part, float))
    elif isinstance(value, (np.ndarray, np.number)) and np.asarray(value).dtype.kind == "f":
        yield from np.asarray(value, dtype=np.float64).ravel().tolist()
    elif isinstance(value, float):
        yield value


def judge(case):
    """Return None if a case ends as it should, else what is wrong."""
    space = {}
    try:
        exec(compile(case["setup"], "setup", "exec"), space)
    except Exception:  # an odd value that these rows cannot be made to
        return NO_CASE
    inputs = {name: digest(value) for name, value in space.items() if name in ("X", "y", "Z")}
    try:
        exec(compile(case["call"], "call", "exec"), space)
    except (ValueError, TypeError, FileNotFoundError, IsADirectoryError) as error:
        text = str(error)
        if not text.strip():
            return f"{type(error).__name__} without words"
        if case["names"] and not any(re.search(rf"(?<![A-Za-z_]){name}", text) for name in case["names"]):
            return f"{type(error).__name__} that names none of {', '.join(case['names'])}: {text[:300]}"
    except AttributeError as error:
        if not re.search(
            "with prior=None|partial_fit has no classes|only available for|'(sample|complete|score_samples)'",
            str(error),
        ):
            return f"AttributeError: {str(error)[:300]}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:300]}"
    else:
        numbers = list(flat(space.get("found", [])))
        if any(math.isinf(number) for number in numbers) and "model.score(" not in case["call"]:
            return "an infinite output"
        if not case["missing"] and any(math.isnan(number) for number in numbers):
            return "NaN in the output"
    changed = [name for name, before in inputs.items() if before != digest(space[name])]
    return f"{', '.join(changed)} was changed" if changed else None


def main():
    """Run the cases of the standard input."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    torch.set_num_threads(1)
    answers, sys.stdout = sys.stdout, sys.stderr
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            try:
                wrong = judge(json.loads(line))
            except MemoryError as error:
                wrong = f"MemoryError: {error}"
        # An interrupt within scikit-learn's own change of its configuration leaves it changed, for later cases too.
        sklearn.set_config(skip_parameter_validation=False)
        print(json.dumps(wrong), file=answers, flush=True)


if __name__ == "__main__":
    main()
