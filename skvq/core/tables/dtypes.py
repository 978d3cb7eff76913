"""Names of the dtypes of pandas from which the same dtypes can be made again."""

import re

import narwhals as nw
import numpy as np

DECIMAL = re.compile(r"decimal128\((\d+), (-?\d+)\)\[pyarrow\]")
DICTIONARY = re.compile(r"dictionary<values=(string|large_string), indices=(\w+), ordered=([01])>\[pyarrow\]")
STRING = re.compile(r"(str|string)\((python|pyarrow)\)")
# What a column of a dtype that no column can have is turned into, by the first letters of the dtype.
REMEDIES = {
    "period": "convert it by .dt.to_timestamp()",
    "Sparse": "convert it by .sparse.to_dense()",
    "interval": "convert it by .astype(str)",
    "decimal256": "convert it by .astype('float64')",
    "dictionary": "convert it by .astype('category')",
    "date64": "convert it by .astype('date32[pyarrow]')",
    "float128": "convert it by .astype('float64')",
    "datetime64": "convert it by .dt.tz_convert('UTC'), or to the zone of a name such as 'Europe/Berlin'",
}
# Float dtypes that hold fewer digits than float64, by their names in numpy, pandas, polars and pyarrow, in lower case.
NARROW = {
    "float16": np.float16,
    "halffloat[pyarrow]": np.float16,
    "float32": np.float32,
    "float[pyarrow]": np.float32,
}
KINDS = "columns can hold numbers, booleans, strings, categories, dates and durations"


def remedy(name):
    """Return what to do about a column of a dtype that no column can have."""
    found = [text for start, text in REMEDIES.items() if name.startswith(start)]
    return found[0] if found else "convert it or drop it"


def float_of(*names):
    """Return the type of numpy that has the digits of the narrowest of some dtypes; float64 for others than floats."""
    return min((NARROW.get(name.lower(), np.float64) for name in names), key=lambda kind: np.finfo(kind).nmant)


def name_of(dtype, where):
    """Return the name of a pandas dtype; TypeError for a dtype that cannot be made again from it.

    It is ``str(dtype)``, but for strings, of which pandas calls several by one name.
    """
    name = str(dtype)
    if type(dtype).__name__ == "StringDtype":
        return name if dtype_of(name) == dtype else f"{name}({dtype.storage})"
    try:
        found = dtype_of(name)
    except (TypeError, ValueError, NotImplementedError, KeyError):
        found = None
    if found != dtype:
        raise TypeError(f"{where} has dtype {name}, which its name does not tell; {remedy(name)}")
    return name


def dtype_of(name):
    """Return the pandas dtype of a name that :func:`name_of` gave."""
    pandas = nw.Implementation.PANDAS.to_native_namespace()
    if found := STRING.fullmatch(name):
        options = {"na_value": float("nan")} if found[1] == "str" else {}
        return pandas.StringDtype(found[2], **options)
    if found := DECIMAL.fullmatch(name):
        return pandas.ArrowDtype(_pyarrow().decimal128(int(found[1]), int(found[2])))
    if found := DICTIONARY.fullmatch(name):
        values, indices = (_pyarrow().type_for_alias(part) for part in found.groups()[:2])
        return pandas.ArrowDtype(_pyarrow().dictionary(indices, values, found[3] == "1"))
    if name == "string[pyarrow]":  # pandas would make its own strings from this name
        return pandas.ArrowDtype(_pyarrow().string())
    return pandas.api.types.pandas_dtype(name)


def _pyarrow():
    return nw.Implementation.PYARROW.to_native_namespace()
