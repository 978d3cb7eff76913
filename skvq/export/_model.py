"""Graphs as ONNX models, and as parts of the models that skl2onnx makes of pipelines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._graph import ELEMENT_TYPES, OPSET, Graph, dtype_name
from ._parts import Part, Value

if TYPE_CHECKING:
    import onnx

# Of the file format, not of the operators: the first with which opset 17 came.
IR_VERSION = 8


def to_model(part: Part, *, name: str, producer_version: str) -> onnx.ModelProto:
    """Return a part as a model of its own.

    Parameters
    ----------
    part : Part
    name : str
        Of the graph.
    producer_version : str
    """
    from onnx import checker, helper

    graph = Graph()
    found = part.build(graph, part.input.name)
    for value, described in zip(found, part.outputs):
        graph.name(value, described.name)
    model = helper.make_model(
        helper.make_graph(
            [
                helper.make_node(node.kind, node.inputs, node.outputs, name=f"node_{i}", **node.attributes)
                for i, node in enumerate(graph.nodes)
            ],
            name,
            [_value_info(part.input)],
            [_value_info(value) for value in part.outputs],
            [_tensor(name, array) for name, array in graph.constants.items()],
        ),
        producer_name="skvq",
        producer_version=producer_version,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    checker.check_model(model, full_check=True)
    return model


def _value_info(value: Value) -> onnx.ValueInfoProto:
    from onnx import helper

    return helper.make_tensor_value_info(value.name, ELEMENT_TYPES[value.dtype], ["n", *value.shape])


def _tensor(name: str, array: np.ndarray) -> onnx.TensorProto:
    from onnx import helper, numpy_helper

    if dtype_name(array) == "string":
        content = [label.encode() for label in array.tolist()]
        return helper.make_tensor(name, ELEMENT_TYPES["string"], array.shape, content)
    return numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)


def add_to_container(part: Part, scope: Any, operator: Any, container: Any) -> None:
    """Add a part's operators to the model that skl2onnx is making, between an operator's inputs and outputs."""
    graph = Graph()
    found = part.build(graph, operator.inputs[0].full_name)
    names = {operator.inputs[0].full_name: operator.inputs[0].full_name}
    for name, array in graph.constants.items():
        names[name] = scope.get_unique_variable_name(f"skvq_{name}")
        kind = ELEMENT_TYPES[dtype_name(array)]
        container.add_initializer(names[name], kind, array.shape, array.ravel().tolist())
    for node in graph.nodes:
        names |= {output: scope.get_unique_variable_name(f"skvq_{output}") for output in node.outputs}
        container.add_node(
            node.kind,
            [names[name] for name in node.inputs],
            [names[name] for name in node.outputs],
            op_version=OPSET,
            name=scope.get_unique_operator_name(f"skvq_{node.kind}"),
            **node.attributes,
        )
    for value, output in zip(found, operator.outputs):
        name = scope.get_unique_operator_name("skvq_output")
        container.add_node("Identity", [names[value]], [output.full_name], op_version=OPSET, name=name)
