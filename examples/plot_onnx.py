"""
Models without Python: ONNX
===========================

A fitted estimator becomes a file that onnxruntime runs, in a service, a browser or a phone, without torch or
scikit-learn.
"""

# %%
# Encoder and decoder
# -------------------
# The exported encoder takes your X and returns codes, and the decoder returns rows in your units. The layout of images
# and the internal standardisation are inside.

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import onnxruntime
import skl2onnx
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skvq import VQVAETransformer
from skvq.display import ReconstructionDisplay
from skvq.export import register_converters, to_onnx

digits = load_digits()
X, y = digits.images.astype(np.float32), digits.target
model = VQVAETransformer(channels=16, max_iter=3, prior=None, random_state=0).fit(X[:1400])

encoder = onnxruntime.InferenceSession(to_onnx(model, "encoder").SerializeToString())
decoder = onnxruntime.InferenceSession(to_onnx(model, "decoder").SerializeToString())
(codes,) = encoder.run(None, {"X": X[1400:]})
(restored,) = decoder.run(None, {"codes": codes})

print("codes that differ:", int((codes != model.transform(X[1400:])).sum()), "of", codes.size)
print("largest difference of a pixel:", float(np.abs(restored - model.inverse_transform(codes)).max()))

ReconstructionDisplay.from_predictions(X[1400:1408], restored[:8])
plt.show()

# %%
# A pipeline
# ----------
# skl2onnx converts whole pipelines once it knows the estimators of this package. A service that gets single rows
# answers them faster, because validation and many small steps cost time in Python.

register_converters()
rows = X.reshape(len(X), -1)
pipeline = make_pipeline(
    VQVAETransformer(image_shape=(8, 8), channels=16, max_iter=3, prior=None, random_state=0),
    OneHotEncoder(handle_unknown="ignore"),
    LogisticRegression(max_iter=1000),
).fit(rows[:1400], y[:1400])

onnx_model = skl2onnx.to_onnx(pipeline, rows[:1], options={"zipmap": False})
session = onnxruntime.InferenceSession(onnx_model.SerializeToString())
name = session.get_inputs()[0].name
labels, probabilities = session.run(None, {name: rows[1400:]})
print("labels that differ:", int((labels != pipeline.predict(rows[1400:])).sum()), "of", len(labels))


def milliseconds(predict, n=50):
    """Return the median time of a prediction of one row."""
    times = []
    for row in rows[1400 : 1400 + n]:
        start = perf_counter()
        predict(row[None])
        times.append(1000 * (perf_counter() - start))
    return float(np.median(times))


in_python, in_onnx = milliseconds(pipeline.predict_proba), milliseconds(lambda row: session.run(None, {name: row}))
_, ax = plt.subplots(figsize=(6, 1.8), layout="constrained")
ax.barh(["the pipeline in Python", "onnxruntime"], [in_python, in_onnx], color=["C0", "C1"])
ax.set(xlabel="milliseconds for one row", xlim=(0, None))
ax.bar_label(ax.containers[0], fmt="%.2f", padding=3)
ax.spines[["top", "right"]].set_visible(False)
plt.show()
