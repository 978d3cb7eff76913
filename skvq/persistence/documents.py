"""A whole estimator as a document, which is JSON-able, and arrays; and back, after checks of both."""

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .container import info_of
from .values import check_keys, decode, decode_parameters, encode, encode_parameters, own_schema

# What an estimator may hold besides parameters and fitted attributes, and loses: what serves training only (networks as
# a cache, the memory of an optimiser, callbacks, requests for metadata).
LEFT_OUT = {"_module", "_optimizer_state", "_skl_callbacks", "_metadata_request"}
# That the output is to be a frame is kept.
OUTPUT = "_sklearn_output_config"
OUTPUTS = ({"transform": "default"}, {"transform": "pandas"}, {"transform": "polars"})


@dataclass(frozen=True)
class Limits:
    """What is in a file bounds an estimator.

    Attributes
    ----------
    n_values, n_arrays : int
        So many values, and arrays, `weights_` has in all.
    names : frozenset of str
        The attributes that there are.
    """

    n_values: int
    n_arrays: int
    names: frozenset


@dataclass(frozen=True)
class Schema:
    """What a fitted estimator of one class holds.

    Attributes
    ----------
    class_name : str
    values : dict of callable
        By attribute that is a plain value: value → whether it can be.
    arrays : dict of kind
        By attribute that is or has arrays: see :mod:`~skvq.persistence.kinds`.
    check_parameters : callable
        Raises for an estimator whose constructor parameters are out of range.
    check_values : callable
        (estimator, Limits); raises ValueError where the plain values do not go together, or are more than the arrays
        can hold.
    estimators : dict of tuple of str
        By attribute that is a fitted estimator: the classes that it may have.
    optional : frozenset of str
        Attributes that need not be there.
    check_arrays : callable, default=None
        Raises ValueError for an estimator whose arrays do not go with the rest.
    """

    class_name: str
    values: Mapping[str, Callable]
    arrays: Mapping[str, object]
    check_parameters: Callable
    check_values: Callable
    estimators: Mapping[str, tuple] = field(default_factory=dict)
    optional: frozenset = frozenset()
    check_arrays: Callable | None = None

    @property
    def attributes(self):
        """The names of all fitted attributes."""
        return {*self.values, *self.arrays, *self.estimators}


def pack(estimator):
    """Return the document and the arrays of a fitted estimator."""
    schema, present = own_schema(estimator), fitted_attributes(estimator)
    unknown = sorted(name for name in present if name not in schema.attributes and name.endswith("_"))
    if unknown:
        raise TypeError(
            f"{schema.class_name} has no fitted attribute {unknown[0]!r} that save knows; delete it, or keep the "
            "estimator with skops or joblib"
        )
    document = encode_parameters(estimator) | {"values": {}, "arrays": {}, "estimators": {}}
    tensors = {}
    for name in sorted(schema.attributes & present.keys()):
        value = present[name]
        if name in schema.values:
            document["values"][name] = encode(value, name)
        elif name in schema.arrays:
            facts, arrays = schema.arrays[name].pack(value)
            document["arrays"][name] = encode(facts, name)
            tensors |= {_join(name, suffix): array for suffix, array in arrays.items()}
        else:
            document["estimators"][name], arrays = pack(value)
            tensors |= {_join(name, suffix): array for suffix, array in arrays.items()}
    if OUTPUT in vars(estimator):
        document["values"][OUTPUT] = encode(vars(estimator)[OUTPUT], OUTPUT)
    return document, tensors


def fitted_attributes(estimator):
    """Return what an estimator holds besides its parameters and what is left out."""
    parameters = {*estimator.get_params(deep=False), *LEFT_OUT, OUTPUT}
    return {name: value for name, value in vars(estimator).items() if name not in parameters}


def classes_within(estimator):
    """Return the classes by name that the document of an estimator may name: its own, and those of estimators in it."""
    inside = [value for value in vars(estimator).values() if "_schema" in getattr(type(value), "__dict__", {})]
    return {own_schema(each).class_name: type(each) for each in (estimator, *inside)}


def _join(name, suffix):
    return f"{name}.{suffix}" if suffix else name


def _split(infos):
    """Return Infos by attribute and suffix."""
    groups = {}
    for name, info in infos.items():
        attribute, _, suffix = name.partition(".")
        groups.setdefault(attribute, {})[suffix] = info
    return groups


class Draft:
    """An estimator that is being put together: checked, with all but its arrays.

    Parameters
    ----------
    document : dict
        As `pack` made it; anything, for all one knows.
    infos : dict of Info
        The arrays that there are.
    classes : dict of str to type
        The estimators that there may be.
    allowed : tuple of str, default=None
        Which of them it may be; None is any.

    Raises
    ------
    ValueError, TypeError, ...
        Some exception for whatever is not that of a fitted estimator.
    """

    def __init__(self, document, infos, classes, allowed=None):
        check_keys(document, {"class", "parameters", "values", "arrays", "estimators"})
        if allowed is not None and document["class"] not in allowed:
            raise ValueError(f"an estimator of another class than {', '.join(allowed)}")
        self.estimator = decode_parameters({name: document[name] for name in ("class", "parameters")}, classes)
        self.schema = own_schema(self.estimator)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of parameters without effect, which `fit` has warned of
            self.schema.check_parameters(self.estimator)
        self.found = _split(infos)
        self._check_attributes(document)
        self._take_values(document["values"], classes)
        facts = document["arrays"]
        self.facts = {name: decode(facts[name], classes) for name in self.schema.arrays if name in facts}
        self.inside = {
            name: Draft(inner, self.found.get(name, {}), classes, self.schema.estimators[name])
            for name, inner in document["estimators"].items()
        }
        weights = self.found.get("weights_", {}).values()
        names = frozenset().union(document["values"], self.facts, self.inside)
        limits = Limits(sum(math.prod(info.shape) for info in weights), len(weights), names)
        for name, draft in self.inside.items():
            setattr(self.estimator, name, draft.estimator)
        self.schema.check_values(self.estimator, limits)
        self._check_arrays()

    def _check_attributes(self, document):
        """Check that those that must be there are, and no others."""
        schema = self.schema
        parts = {"values": schema.values, "arrays": schema.arrays, "estimators": schema.estimators}
        for part, known in parts.items():
            names = document[part]
            if not isinstance(names, dict) or not set(names) <= {*known, *([OUTPUT] if part == "values" else [])}:
                raise ValueError(f"{schema.class_name} has other {part}")
            missing = set(known) - set(names) - schema.optional
            if missing:
                raise ValueError(f"{schema.class_name} without {', '.join(sorted(missing))}")
        others = set(self.found) - {*document["arrays"], *document["estimators"]}
        if others:
            raise ValueError(f"{schema.class_name} has no array {sorted(others)[0]!r:.80}")

    def _take_values(self, values, classes):
        for name, data in values.items():
            value = decode(data, classes)
            if not (value in OUTPUTS if name == OUTPUT else self.schema.values[name](value)):
                raise ValueError(f"{name} has a value that it cannot have")
            setattr(self.estimator, name, value)

    def _check_arrays(self):
        for name, facts in self.facts.items():
            found = self.found.get(name, {})
            expected = self.schema.arrays[name].expected(facts, found, self.estimator)
            if expected != found:
                raise ValueError(_difference(name, expected, found))

    def fill(self, arrays):
        """Return the estimator, with its arrays (by name) checked and put in."""
        groups = _split(arrays)
        for name, draft in self.inside.items():
            draft.fill(groups.get(name, {}))
        for name, facts in self.facts.items():
            try:
                value = self.schema.arrays[name].unpack(facts, groups.get(name, {}), self.estimator)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
            setattr(self.estimator, name, value)
        if self.schema.check_arrays is not None:
            self.schema.check_arrays(self.estimator)
        return self.estimator


def _difference(name, expected, found):
    """Return how the arrays of an attribute differ from those that the rest asks for."""
    for suffix in expected.keys() | found.keys():
        if expected.get(suffix) != found.get(suffix):
            is_there, should_be = (_describe(infos.get(suffix)) for infos in (found, expected))
            return f"the array {_join(name, suffix)!r:.120} is {is_there}, but should be {should_be}"
    return f"{name} has other arrays"


def _describe(info):
    return "missing" if info is None else f"{info.dtype} {info.shape}"


def infos_of(arrays):
    """Return the Infos of arrays by name."""
    return {name: info_of(array) for name, array in arrays.items()}
