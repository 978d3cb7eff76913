"""Every public function and method says what it takes and gives; `make types` checks that it is true."""

import inspect

import pytest

import skvq
from skvq import display, export, metrics

CLASSES = [getattr(module, name) for module in (skvq, display) for name in module.__all__]
CLASSES = [kind for kind in CLASSES if inspect.isclass(kind) and not issubclass(kind, Exception)]
FUNCTIONS = [skvq.load, skvq.progress, skvq.shared, export.to_onnx, export.register_converters]
FUNCTIONS += [getattr(metrics, name) for name in metrics.__all__]


def methods(kind):
    """Yield the public methods of a class that this package defines, and its constructor."""
    for name in dir(kind):
        if name.startswith("_") and name != "__init__":
            continue
        try:
            method = inspect.unwrap(getattr(kind, name))
        except AttributeError:  # available only with other parameters: the function itself is in the class's dictionary
            method = inspect.getattr_static(kind, name).fn
        if inspect.isroutine(method) and str(getattr(method, "__module__", "")).startswith("skvq"):
            yield method


def unannotated(function):
    """Return the names of the parameters without an annotation, and "return" if the result has none."""
    signature = inspect.signature(function)
    missing = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.annotation is inspect.Parameter.empty and name not in ("self", "cls")
    ]
    return missing + ["return"] * (signature.return_annotation is inspect.Signature.empty)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_method_is_annotated(kind):
    found = {method.__qualname__: unannotated(method) for method in methods(kind)}
    assert found
    assert {name: missing for name, missing in found.items() if missing} == {}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_every_function_is_annotated(function):
    assert unannotated(function) == []


def test_a_parameter_without_annotation_is_found():
    def function(a: int, b=1):
        return a + b

    assert unannotated(function) == ["b", "return"]
