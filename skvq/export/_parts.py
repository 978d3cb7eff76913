"""Parts of fitted estimators as graphs, from the user's X to the result of a method."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator

from ..autoencoder.estimator import AutoEncoderTransformer
from ..core.layout import RowLayout
from ..mlp.autograd import EPSILON
from ..mlp.classifier import MLPClassifier
from ..mlp.regressor import MLPRegressor
from ..vae.estimator import VAETransformer
from ..vqvae.defaults import Architecture
from ..vqvae.estimator import VQVAETransformer
from . import _quantizers as quantizers
from ._activations import activate
from ._graph import Graph, dtype_name
from ._networks import encoder_input, mean, run


class Value(NamedTuple):
    """An input or output of a model: its name, the name of its dtype, and its shape without the axis of rows."""

    name: str
    dtype: str
    shape: tuple[int, ...]


class Part(NamedTuple):
    """One model: what goes in, what comes out, and how the graph between them is made.

    Attributes
    ----------
    input : Value
    outputs : list of Value
    build : callable
        ``build(graph, name of the input)`` adds operators, and returns the names of the outputs.
    """

    input: Value
    outputs: list[Value]
    build: Callable[[Graph, str], list[str]]


def _standardised(layout, graph, x):
    """Add the internal standardisation, in float64 as in fit: X → rows (b, *row_shape), float32."""
    x = graph.reshape(graph.cast(x, "float64"), -1, len(layout.shift))
    if _moves_channels(layout):
        series = layout.series
        x = graph.transpose(graph.reshape(x, -1, series.n_channels, series.length), 0, 2, 1)
        x = graph.reshape(x, -1, len(layout.shift))
    x = graph.cast(graph.add("Div", graph.add("Sub", x, layout.shift), layout.scale), "float32")
    return graph.reshape(x, -1, *layout.row_shape)


def _moves_channels(layout):
    """Return whether X has the channels of series before their time steps."""
    return layout.series is not None and layout.series.channels_first and layout.series.n_channels > 1


def _in_units(layout, graph, x, dtype):
    """Add the way back: rows (b, *row_shape), float32 → X_hat in units, layout and `dtype`."""
    x = graph.cast(graph.reshape(x, -1, len(layout.shift)), "float64")
    x = graph.add("Add", graph.add("Mul", x, layout.scale), layout.shift)
    if layout.is_cut:
        x = graph.add("Min", graph.add("Max", x, layout.low), layout.high)
    x = graph.cast(x, dtype)
    if _moves_channels(layout):
        series = layout.series
        x = graph.transpose(graph.reshape(x, -1, series.length, series.n_channels), 0, 2, 1)
    return graph.reshape(x, -1, *layout.x_shape)


def _exported_layout(estimator):
    """Return the RowLayout of a fitted estimator; ValueError for a table that is no array of numbers."""
    if hasattr(estimator, "columns_") and estimator._table_in["scaling"] == "normal":
        others = [column["kind"] for column in estimator.columns_ if column["kind"] not in ("real", "integer")]
        found = f"columns of kind {others[0]}" if others else "missing cells"
        raise ValueError(
            f"this {type(estimator).__name__} was fitted to a table with {found}, whose cells ONNX has no form for; "
            "only models of numbers without missing cells can be exported"
        )
    return RowLayout.of(estimator)


def _encoder(estimator, dtype, output, add):
    layout = _exported_layout(estimator)

    def build(graph, x):
        return [add(graph, _standardised(layout, graph, x))]

    return Part(Value("X", dtype, layout.x_shape), [output], build)


def _decoder(estimator, dtype, source, add):
    layout = _exported_layout(estimator)

    def build(graph, z):
        return [_in_units(layout, graph, add(graph, z), dtype)]

    return Part(source, [Value("X_hat", dtype, layout.x_shape)], build)


def _vqvae_encoder(estimator, dtype):
    module, codes = estimator._network(), Architecture.from_json(estimator.architecture_).codes

    def add(graph, x):
        z = run(module.encoder, graph, x)
        encoded = quantizers.encode(module.quantizer, graph, z, codes.n_positions)
        return graph.reshape(encoded, -1, codes.codes_per_row)

    return _encoder(estimator, dtype, Value("codes", "int64", (codes.codes_per_row,)), add)


def _vqvae_decoder(estimator, dtype):
    module, spec = estimator._network(), Architecture.from_json(estimator.architecture_).codes

    def add(graph, codes):
        if spec.side_by_side is not None:
            codes = graph.reshape(codes, -1, spec.side_by_side, spec.stages)
        return run(module.decoder, graph, quantizers.decode(module.quantizer, graph, codes, spec.n_positions))

    return _decoder(estimator, dtype, Value("codes", "int64", (spec.codes_per_row,)), add)


def _autoencoder_encoder(estimator, dtype):
    module = estimator._network()
    output = Value("Z", "float32", (estimator.n_components_,))
    return _encoder(
        estimator, dtype, output, lambda graph, x: run(module.code_activation, graph, run(module.encoder, graph, x))
    )


def _autoencoder_decoder(estimator, dtype):
    module = estimator._network()
    source = Value("Z", "float32", (estimator.n_components_,))
    return _decoder(estimator, dtype, source, lambda graph, z: mean(module.loss, graph, run(module.decoder, graph, z)))


def _vae_encoder(estimator, dtype):
    module, n_components = estimator._network(), estimator.n_components_

    def add(graph, x):
        both = run(module.encoder, graph, encoder_input(module.likelihood, graph, x))
        return graph.slice(both, 0, n_components, 1)  # the means; the log-variances follow

    return _encoder(estimator, dtype, Value("Z", "float32", (n_components,)), add)


def _vae_decoder(estimator, dtype):
    module = estimator._network()
    source = Value("Z", "float32", (estimator.n_components_,))
    return _decoder(
        estimator, dtype, source, lambda graph, z: mean(module.likelihood, graph, run(module.decoder, graph, z))
    )


def _outputs(estimator, graph, x):
    """Add the outputs (b, n_outputs) of a predictor's network, before their activation, in its precision."""
    dtype = estimator.precision_
    x = graph.cast(x, dtype)
    weights = [(coef.astype(dtype), bias.astype(dtype)) for coef, bias in zip(estimator.coefs_, estimator.intercepts_)]
    for layer, (coef, bias) in enumerate(weights[:-1]):
        x = _normalised(estimator, layer, graph, graph.affine(x, coef, bias))
        x = activate(graph, estimator._fitted_activation, x, dtype)
    return graph.affine(x, *weights[-1])


def _normalised(estimator, layer, graph, x):
    if estimator._fitted_normalization is None:
        return x
    state = {
        name: estimator.normalization_state_[f"{name}_{layer}"].astype(estimator.precision_)
        for name in ("scale", "shift", "mean", "variance")
        if f"{name}_{layer}" in estimator.normalization_state_
    }
    if estimator._fitted_normalization == "layer":
        return graph.add("LayerNormalization", x, state["scale"], state["shift"], axis=-1, epsilon=EPSILON)
    slope = state["scale"] / np.sqrt(state["variance"] + np.asarray(EPSILON, estimator.precision_))
    centred = graph.add("Sub", x, state["mean"])
    return graph.add("Add", graph.add("Mul", centred, slope), state["shift"])


def _regressor(estimator, dtype):
    n_outputs = estimator.n_outputs_

    def build(graph, x):
        found = _outputs(estimator, graph, x)
        if estimator.out_activation_ == "exp":
            found = graph.add("Exp", found)
        if estimator._fitted_quantiles is not None and n_outputs > 1:
            ordered, _ = graph.add("TopK", found, np.array([n_outputs]), n_outputs=2, axis=1, largest=0)
            ranks = np.argsort(np.argsort(estimator._fitted_quantiles, kind="stable"), kind="stable")
            found = graph.add("Gather", ordered, ranks, axis=1)
        return [graph.cast(found, dtype)]

    source = Value("X", dtype, (estimator.n_features_in_,))
    return Part(source, [Value("variable", dtype, (n_outputs,))], build)


def _classifier(estimator, dtype):
    classes, kind = estimator.classes_, estimator._label_binarizer.y_type_
    n_outputs = estimator.n_outputs_
    multilabel = kind.startswith("multilabel")
    if multilabel:
        n_columns = n_outputs
    else:
        n_columns = n_outputs if kind == "multiclass" else len(classes)

    def build(graph, x):
        found = _outputs(estimator, graph, x)
        if kind == "multiclass":
            index = graph.add("ArgMax", found, axis=1, keepdims=0)
            probabilities = graph.add("Softmax", found, axis=1)
        else:
            likely = graph.cast(graph.add("Greater", found, np.zeros((), estimator.precision_)), "int64")
            probabilities = graph.add("Sigmoid", found)
            if multilabel:
                return [likely, graph.cast(probabilities, dtype)]
            index = graph.add("Mul", graph.reshape(likely, -1), np.array(len(classes) - 1))
            other = graph.add("Sub", np.ones((), estimator.precision_), probabilities)
            if len(classes) == 1:  # which is certain
                probabilities = graph.add("Add", other, probabilities)
            else:
                probabilities = graph.add("Concat", other, probabilities, axis=1)
        return [graph.add("Gather", _labels(classes), index, axis=0), graph.cast(probabilities, dtype)]

    labels = Value("label", "int64", (n_outputs,)) if multilabel else Value("label", dtype_name(_labels(classes)), ())
    source = Value("X", dtype, (estimator.n_features_in_,))
    return Part(source, [labels, Value("probabilities", dtype, (n_columns,))], build)


def _labels(classes):
    """Return classes as ONNX has them: strings, int64 for integers and booleans, or real numbers as they are."""
    if classes.dtype.kind == "u" and classes.max() > np.iinfo(np.int64).max:
        raise ValueError(f"the label {classes.max()} is more than ONNX has integers for (int64)")
    if classes.dtype.kind in "biu":
        return classes.astype(np.int64)
    if classes.dtype.kind == "f":
        return classes.astype(np.float64 if classes.dtype.itemsize > 4 else np.float32)
    if all(isinstance(label, str) for label in classes):
        return classes.astype(str)
    raise ValueError(f"classes_ are of dtype {classes.dtype}; ONNX has labels that are numbers or strings")


# Of every estimator, its parts by name; the first is that of part="auto".
PARTS: dict[type, dict[str, Callable[[BaseEstimator, str], Part]]] = {
    MLPRegressor: {"predict": _regressor},
    MLPClassifier: {"predict": _classifier},
    AutoEncoderTransformer: {"encoder": _autoencoder_encoder, "decoder": _autoencoder_decoder},
    VAETransformer: {"encoder": _vae_encoder, "decoder": _vae_decoder},
    VQVAETransformer: {"encoder": _vqvae_encoder, "decoder": _vqvae_decoder},
}
