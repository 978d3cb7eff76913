"""Formulas as MathML, which browsers draw by themselves: no script, no font and no network.

docutils, on which Sphinx is built, translates LaTeX to MathML. A formula that it cannot translate is a warning, which
ends ``make docs``.
"""

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging


def as_mathml(latex, node, *, as_block):
    """MathML of a formula in LaTeX; a warning, and the LaTeX itself, where docutils cannot translate it."""
    try:
        return tex2mathml(latex, as_block=as_block)
    except MathError as error:
        logging.getLogger(__name__).warning("formula %r: %s", latex, error, location=node)
        return f"<code>{latex}</code>"


def visit_math(translator, node):
    """Write a formula within a line."""
    translator.body.append(as_mathml(node.astext(), node, as_block=False))
    raise nodes.SkipNode


def visit_displaymath(translator, node):
    """Write a formula on lines of its own; ``&`` and ``\\\\`` align several, as in Sphinx's own renderers."""
    latex = node.astext()
    if "\\\\" in latex and "\\begin" not in latex:
        latex = rf"\begin{{aligned}}{latex}\end{{aligned}}"
    translator.body.append(f'<div class="math">{as_mathml(latex, node, as_block=True)}</div>\n')
    raise nodes.SkipNode


def setup(app):
    """Make this the renderer of formulas in HTML."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_displaymath, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
