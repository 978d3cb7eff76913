"""Converters with which skl2onnx exports the steps of this package in a pipeline."""

from __future__ import annotations

from typing import Any

from sklearn.base import ClassifierMixin

from ._graph import Graph
from ._model import add_to_container
from ._parts import PARTS, Part

# What a pipeline runs of an estimator: `transform`, or `predict` with the probabilities.
METHODS = ("predict", "encoder")
# What skl2onnx asks of every classifier: how probabilities are returned, and whether its dictionaries name the classes.
CLASSIFIER_OPTIONS = {"zipmap": [True, False, "columns"], "nocl": [True, False]}


def _part(operator: Any) -> Part:
    estimator = operator.raw_operator
    dtype = "float64" if type(operator.inputs[0].type).__name__ == "DoubleTensorType" else "float32"
    parts = PARTS[type(estimator)]
    part = next(parts[name] for name in METHODS if name in parts)(estimator, dtype)
    return _with_real_outputs(part, dtype)


def _with_real_outputs(part: Part, dtype: str) -> Part:
    """Return a part whose real outputs are of `dtype`: skl2onnx's steps take one real type from end to end."""
    is_other = [value.dtype != dtype and value.dtype.startswith("float") for value in part.outputs]

    def build(graph: Graph, x: str) -> list[str]:
        found = part.build(graph, x)
        return [graph.cast(value, dtype) if other else value for value, other in zip(found, is_other)]

    outputs = [value._replace(dtype=dtype) if other else value for value, other in zip(part.outputs, is_other)]
    return part._replace(outputs=outputs, build=build)


def _set_types(operator: Any) -> None:
    """Tell skl2onnx types and shapes of what comes out."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType

    kinds = {
        "float32": FloatTensorType,
        "float64": DoubleTensorType,
        "int64": Int64TensorType,
        "string": StringTensorType,
    }
    for output, value in zip(operator.outputs, _part(operator).outputs):
        output.type = kinds[value.dtype]([None, *value.shape])


def _convert(scope: Any, operator: Any, container: Any) -> None:
    add_to_container(_part(operator), scope, operator, container)


def register() -> None:
    """Register every estimator with skl2onnx."""
    from skl2onnx import update_registered_converter

    for estimator in PARTS:
        name = f"Skvq{estimator.__name__}"
        options = CLASSIFIER_OPTIONS if issubclass(estimator, ClassifierMixin) else None
        update_registered_converter(estimator, name, _set_types, _convert, options=options)
