"""An ONNX graph in the making: nodes and constants by name, without onnx itself."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

# The default domain's version from which LayerNormalization exists. All operators used here are the same in later ones.
OPSET = 17
# Codes of element types in ONNX files, by the name of the dtype.
ELEMENT_TYPES = {"float32": 1, "int64": 7, "string": 8, "float64": 11}


def dtype_name(array: np.ndarray) -> str:
    """Return the name of an array's dtype; "string" for strings of any length."""
    return "string" if array.dtype.kind == "U" else array.dtype.name


class Node(NamedTuple):
    """One operator: its name in ONNX, names of inputs and outputs, attributes."""

    kind: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]


class Graph:
    """Nodes and constants that are added one after the other; values go by their names.

    Attributes
    ----------
    nodes : list of Node
        In an order in which they can be computed.
    constants : dict of str to ndarray
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.constants: dict[str, np.ndarray] = {}

    def constant(self, value: Any) -> str:
        """Return the name of a constant: an array or a torch tensor, as it is."""
        array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        name = f"constant_{len(self.constants)}"
        self.constants[name] = array.copy()  # numpy() alone would alias live weights
        return name

    def add(self, kind: str, *inputs: Any, n_outputs: int = 1, **attributes: Any) -> Any:
        """Add an operator and return the name of its output, or a list of names.

        Parameters
        ----------
        kind : str
            The operator's name in ONNX.
        *inputs : str, ndarray or Tensor
            Names of values; anything else becomes a constant.
        n_outputs : int, default=1
        **attributes
            Of the operator.
        """
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        outputs = [f"value_{len(self.nodes)}_{i}" for i in range(n_outputs)]
        self.nodes.append(Node(kind, names, outputs, attributes))
        return outputs[0] if n_outputs == 1 else outputs

    def name(self, value: str, name: str) -> None:
        """Give a value the name `name` as well."""
        self.nodes.append(Node("Identity", [value], [name], {}))

    def reshape(self, x: str, *shape: int) -> str:
        """x in another shape, of whose sizes one may be -1: what is left."""
        return self.add("Reshape", x, np.array(shape, dtype=np.int64))

    def transpose(self, x: str, *axes: int) -> str:
        """x with its axes in another order."""
        return self.add("Transpose", x, perm=list(axes))

    def cast(self, x: str, dtype: str) -> str:
        """x as numbers of the dtype of that name."""
        return self.add("Cast", x, to=ELEMENT_TYPES[dtype])

    def slice(self, x: str, start: int, stop: int, axis: int) -> str:
        """x from `start` to `stop` along an axis."""
        return self.add("Slice", x, *(np.array([n], dtype=np.int64) for n in (start, stop, axis)))

    def sum(self, x: str, axis: int, *, keepdims: bool = False) -> str:
        """Sum over an axis."""
        return self.add("ReduceSum", x, np.array([axis], dtype=np.int64), keepdims=int(keepdims))

    def affine(self, x: str, matrix: Any, bias: Any) -> str:
        """x @ matrix + bias: (..., n_in) → (..., n_out)."""
        return self.add("Add", self.add("MatMul", x, matrix), bias)
