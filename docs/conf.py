"""Sphinx configuration: ``pip install -e ".[docs]"``, then ``sphinx-build docs docs/_build``."""

from importlib.metadata import version as installed_version

project = "skvq"
author = "The skvq developers"
version = release = installed_version("skvq")
extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.mathjax"]
exclude_patterns = ["_build"]
html_theme = "pydata_sphinx_theme"
numpydoc_show_class_members = False
