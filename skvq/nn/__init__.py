"""Torch modules: tensors in, tensors out; nothing here knows scikit-learn or files."""
