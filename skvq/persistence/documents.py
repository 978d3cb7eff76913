"""A whole estimator as a document, which is JSON-able, and arrays; and back, after checks of both."""

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from .records import Limits, check_keys, convert
from .values import decode_parameters, encode, encode_parameters, own_schema

# What an estimator may hold besides parameters and fitted attributes, and loses: what is built again (networks, search
# trees), and what serves training only (the memory of an optimiser, callbacks, requests for metadata).
LEFT_OUT = {
    "_module", "_table", "_layout", "_codes", "_seed", "_optimizer_state", "_stream", "_stream_memory", "_nearest",
    "_skl_callbacks", "_metadata_request",
}  # fmt: skip
# That the output is to be a frame is kept.
OUTPUT, Output = "_sklearn_output_config", Literal["default", "pandas", "polars"]


@dataclass(frozen=True)
class Schema:
    """What a fitted estimator of one class holds.

    Attributes
    ----------
    class_name : str
    values : dict of type
        By attribute that is a plain value: its type, as :func:`~skvq.persistence.records.convert` takes it.
    arrays : dict of Kind
        By attribute that is or has arrays. An attribute may be here and among the values: then it is either.
    check : callable
        (estimator, Limits); raises ValueError for plain values that do not go together, or ask for more than there is.
    check_parameters : callable, default=None
        (estimator); raises for parameters that are within their constraints and still out of range.
    check_arrays : callable, default=None
        (estimator); raises ValueError for arrays that do not go with the rest.
    estimators : dict of tuple of Schema, or of None
        By attribute that is a fitted estimator: what it may be, None for any of this package's.
    optional : frozenset of str
        Attributes that need not be there.
    kind : type, default=None
        The class, where it is another package's: attributes of it that are not here are left out.
    """

    class_name: str
    values: Mapping[str, object]
    arrays: Mapping[str, object]
    check: Callable
    check_parameters: Callable | None = None
    check_arrays: Callable | None = None
    estimators: Mapping[str, tuple | None] = field(default_factory=dict)
    optional: frozenset = frozenset()
    kind: type | None = None

    @property
    def attributes(self):
        """The names of all fitted attributes."""
        return {*self.values, *self.arrays, *self.estimators}

    def is_of(self, estimator):
        """Return whether this is the schema of an estimator's own class."""
        return type(estimator) is self.kind or type(estimator).__dict__.get("_schema") is self


def pack(estimator, schema):
    """Return the document and the arrays of a fitted estimator."""
    present = fitted_attributes(estimator)
    unknown = sorted(name for name in present if name not in schema.attributes and name.endswith("_"))
    if unknown and schema.kind is None:
        raise TypeError(
            f"{schema.class_name} has no fitted attribute {unknown[0]!r} that save knows; delete it, or keep the "
            "estimator with skops or joblib"
        )
    document, tensors = encode_parameters(estimator) | {"state": {}}, {}
    for name in sorted(schema.attributes & present.keys()):
        value, arrays = present[name], {}
        if name in schema.estimators:
            fitting = [inner for inner in schema.estimators[name] or () if inner.is_of(value)]
            document["state"][name], arrays = pack(value, fitting[0] if fitting else own_schema(value))
        elif name in schema.arrays and not (name in schema.values and (value is None or isinstance(value, float))):
            document["state"][name], arrays = None, schema.arrays[name].pack(value)
        else:
            document["state"][name] = encode(value, name)
        tensors |= {_join(name, suffix): array for suffix, array in arrays.items()}
    if OUTPUT in vars(estimator):
        document["state"][OUTPUT] = vars(estimator)[OUTPUT]["transform"]
    return document, tensors


def fitted_attributes(estimator):
    """Return what an estimator holds besides its parameters and what is left out."""
    parameters = {*estimator.get_params(deep=False), *LEFT_OUT, OUTPUT}
    return {name: value for name, value in vars(estimator).items() if name not in parameters}


def schemas_of(classes):
    """Return the schemas of those of the classes (by name) that are fitted and saved."""
    return [kind._schema for kind in classes.values() if hasattr(kind, "_schema")]


def _join(name, suffix):
    return f"{name}.{suffix}" if suffix else name


def _split(by_name):
    """Return what there is by name of an array, by attribute and suffix."""
    groups = {}
    for name, item in by_name.items():
        attribute, _, suffix = name.partition(".")
        groups.setdefault(attribute, {})[suffix] = item
    return groups


class Draft:
    """An estimator that is being put together: checked, with all but its arrays.

    Parameters
    ----------
    document : dict
        As `pack` made it, or whatever a file has in its place.
    infos : dict of Info
        The arrays that there are.
    classes : dict of str to type
        The estimators of this package that there may be.
    schemas : iterable of Schema
        What it may be.

    Raises
    ------
    Exception
        Of any kind, for what no fitted estimator has.
    """

    def __init__(self, document, infos, classes, schemas):
        check_keys(document, {"class", "parameters", "state"})
        by_name = {schema.class_name: schema for schema in schemas}
        if document["class"] not in by_name:
            raise ValueError(f"an estimator of another class than {', '.join(by_name)}")
        self.schema = by_name[document["class"]]
        others = {} if self.schema.kind is None else {self.schema.class_name: self.schema.kind}
        self.estimator = decode_parameters({name: document[name] for name in ("class", "parameters")}, classes | others)
        self.found, self.with_arrays, self.inside = _split(infos), [], {}
        self._check_parameters()
        self._check_names(document["state"])
        for name, data in document["state"].items():
            self._take(name, data, classes)
        weights = self.found.get("weights_", {}).values()
        n_values = sum(math.prod(info.shape) for info in weights)
        self.schema.check(self.estimator, Limits(n_values, len(weights), frozenset(document["state"])))
        for name in self.with_arrays:
            expected, found = self.schema.arrays[name].expected(self.estimator, self._infos(name)), self._infos(name)
            for suffix in expected.keys() | found.keys():
                if expected.get(suffix) != found.get(suffix):
                    raise ValueError(
                        f"the array {_join(name, suffix):.120} is {found.get(suffix, 'missing')}, but should be "
                        f"{expected.get(suffix, 'missing')}"
                    )

    def _infos(self, name):
        return self.found.get(name, {})

    def _check_parameters(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of parameters without effect, which `fit` has warned of
            if hasattr(self.estimator, "_parameter_constraints"):
                self.estimator._validate_params()
            if self.schema.check_parameters is not None:
                self.schema.check_parameters(self.estimator)

    def _check_names(self, state):
        """Check that the attributes that must be there are, and no others."""
        names, schema = state.keys() - {OUTPUT}, self.schema
        wrong = (names ^ schema.attributes) - schema.optional | self.found.keys() - names
        if wrong:
            others = ", ".join(sorted(wrong))
            raise ValueError(f"{schema.class_name} has other attributes; missing or too many: {others:.200}")

    def _take(self, name, data, classes):
        """Check and set one attribute, or note that it is one of arrays."""
        if name == OUTPUT:
            setattr(self.estimator, OUTPUT, {"transform": convert(data, Output)})
        elif name in self.schema.estimators:
            schemas = self.schema.estimators[name] or schemas_of(classes)
            self.inside[name] = Draft(data, self._infos(name), classes, schemas)
            setattr(self.estimator, name, self.inside[name].estimator)
        elif name in self.schema.values and name not in self.found:
            try:
                setattr(self.estimator, name, convert(data, self.schema.values[name]))
            except ValueError as error:
                raise ValueError(f"{name} has a value that it cannot have: {error}") from error
        else:
            self.with_arrays.append(name)

    def fill(self, arrays):
        """Return the estimator, with its arrays (by name) checked and put in."""
        groups = _split(arrays)
        for name, draft in self.inside.items():
            draft.fill(groups.get(name, {}))
        for name in self.with_arrays:
            kind, own = self.schema.arrays[name], groups.get(name, {})
            if not all(map(kind.valid, own.values())):
                raise ValueError(f"{name} holds values that are none of a fitted estimator")
            setattr(self.estimator, name, kind.unpack(own))
        if self.schema.check_arrays is not None:
            self.schema.check_arrays(self.estimator)
        return self.estimator
