"""Which tests there are to run."""

from importlib.util import find_spec

# scikit-learn has callbacks from 1.9 on; what becomes of older versions is in core/test_without_callbacks.py.
collect_ignore = [] if find_spec("sklearn.callback") else ["core/test_callbacks.py"]
