"""Files of this folder without doctests: the configuration and its modules, and those that the build writes."""

from importlib.util import find_spec

collect_ignore = ["conf.py", "_docstrings.py", "_mathml.py", "_build", "_templates", "gallery", "generated"]
if find_spec("sklearn.callback") is None:  # before scikit-learn 1.9
    collect_ignore.append("how_to/progress_and_callbacks.md")
