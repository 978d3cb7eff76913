"""Sphinx configuration: ``make docs`` writes the pages to docs/_build/html, and runs the examples that they show.

``make links`` follows the links that leave these pages, which needs a network; so does ``DOCS_ONLINE=1``, which fetches
the inventories by which names of scikit-learn, numpy and torch become links.
"""

import os
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for the modules below

project = "skvq"
author = "The skvq developers"
version = release = installed_version("skvq")
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "_mathml",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_templates", "gallery/**/*.ipynb"]
templates_path = ["_templates"]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}

myst_enable_extensions = ["dollarmath", "deflist"]
myst_dmath_double_inline = True
myst_heading_anchors = 3
html_math_renderer = "mathml"

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings say more, and say it once
numpydoc_show_class_members = False

INVENTORIES = {
    "python": "https://docs.python.org/3",
    "numpy": "https://numpy.org/doc/stable",
    "sklearn": "https://scikit-learn.org/stable",
    "torch": "https://docs.pytorch.org/docs/stable",
}
intersphinx_mapping = {name: (url, None) for name, url in INVENTORIES.items()} if os.environ.get("DOCS_ONLINE") else {}
nitpicky = True
# Names of other projects, and the short names by which a module's docstring calls its own classes, may be plain text.
nitpick_ignore_regex = [(r"py:.*", r"(?!skvq\.).*")]
# They take minutes: the page longer_scripts lists them, and tests/test_examples.py runs them on few rows.
LONGER_SCRIPTS = [
    "anomaly_detection_density",
    "fashion_mnist",
    "fashion_mnist_torchrun",
    "kl_weight",
    "quickstart",
    "rate_distortion",
    "task_pictures",
]
linkcheck_timeout = 20
linkcheck_retries = 2
linkcheck_anchors = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",  # all that are shown are run
    "ignore_pattern": r"(^|[\\/])(_|(" + "|".join(LONGER_SCRIPTS) + r")\.py$)",
    "within_subsection_order": "_gallery_order.by_chapter",
    "doc_module": ("skvq",),
    "backreferences_dir": "gallery/backreferences",
    "image_scrapers": ("matplotlib",),
    "min_reported_time": 1,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "download_all_examples": False,
}

smartquotes = False  # a quote in a docstring is mostly Python's
toc_object_entries_show_parents = "hide"
html_theme = "pydata_sphinx_theme"
html_title = f"skvq {release}"
html_static_path = ["_static"]
html_css_files = ["skvq.css"]
html_show_sourcelink = False
html_theme_options = {
    "header_links_before_dropdown": 8,
    "navbar_align": "left",
    "show_prev_next": True,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version", "theme-version"],
    # The pages of the tasks, one screen each, need no table of contents and have its width for their text.
    "secondary_sidebar_items": {
        "**": ["page-toc"],
        **{f"tasks/{page.stem}": [] for page in (Path(__file__).parent / "tasks").glob("*.md")},
    },
    "show_toc_level": 2,
}
html_sidebars = {"install": [], "quickstart": [], "benchmarks": [], "benchmark_notes": []}
copyright = author  # noqa: A001


def setup(app):
    """Let docstrings be plain text, and show code without the empty line that ends it for doctest."""
    from _docstrings import as_markup, without_last_line

    app.connect("autodoc-process-docstring", as_markup, priority=1)
    app.connect("source-read", without_last_line)
