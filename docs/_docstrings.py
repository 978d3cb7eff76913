"""Small changes to docstrings and pages on their way to Sphinx.

Docstrings say as plain text what reStructuredText would take for markup. Blocks of code in pages end in an empty line,
by which doctest knows where an output ends.
"""

import re
import sys

from _parameter_groups import START, introduction

OUTSIDE_LITERALS = re.compile(r"(``.*?``|`[^`]*`)")
STAR = re.compile(r"(?<![\w*\\])\*(?=[a-z_])")  # (n, *shape)
BAR = re.compile(r"(?<!\\)\|")  # |x|, log p(x | y)
CITATION = re.compile(r"\[(\d+)\]_")
CITED = re.compile(r"^\s*\.\. \[(\d+)\] ?(.*)")
LAST_LINE = re.compile(r"(```python\n(?:(?!```).)*?\S)\n\n```", re.DOTALL)
SECTIONS = re.compile(r":ref:`([^<`]+?)\s*<[^>]+>`")


def escape(lines):
    """Escape stars and bars where they are no markup, outside of code, doctests and formulas."""
    formula = None
    for i, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if formula is not None and line.strip() and indent <= formula:
            formula = None
        if line.lstrip().startswith(".. math::"):
            formula = indent
        if formula is not None or line.lstrip().startswith((">>>", "...", "==")):
            continue
        parts = OUTSIDE_LITERALS.split(line)
        parts[::2] = [BAR.sub(r"\\|", STAR.sub(r"\\*", part)) for part in parts[::2]]
        lines[i] = "".join(parts)


def list_references(lines):
    """Turn the numbered references of a module, which its classes cite, into a list."""
    listed = []
    within = False
    for line in lines:
        found = CITED.match(line)
        if found:
            within = True
            listed.append(f"* [{found[1]}] {found[2]}")
        elif within and line.startswith("   "):
            listed.append("  " + line.strip())
        else:
            within = within and not line.strip()
            listed.append(CITATION.sub(r"[\1]", line))
    lines[:] = listed


def move_citations(lines):
    """Take citations out of a first sentence, which stands in tables too, into a line of their own below it."""
    end = lines.index("") if "" in lines else len(lines)
    cited = CITATION.findall(" ".join(lines[:end]))
    if cited:
        kept = [re.sub(r"\s*" + CITATION.pattern, "", line) for line in lines[:end]]
        lines[:end] = [*kept, "", "After " + ", ".join(f"[{number}]_" for number in cited) + "."]


def introduce_parameters(obj, lines):
    """Put the parameters to start with, and the groups of all of them, before the section "Parameters"."""
    at = next(i for i, line in enumerate(lines[:-1]) if line == "Parameters" and set(lines[i + 1].strip()) == {"-"})
    lines[at:at] = introduction(obj.__name__, list(obj._get_param_names()))


def as_markup(app, what, name, obj, options, lines):
    """Prepare the lines of a docstring, in place, before numpydoc reads them."""
    if not name.startswith("skvq"):
        return
    owner = sys.modules.get(getattr(obj, "__module__", None) or "")
    if owner is not None and not owner.__name__.startswith("skvq"):
        lines[:] = [SECTIONS.sub(r"\1", line) for line in lines]  # inherited from a project without an inventory here
        return
    escape(lines)
    if what == "module":
        list_references(lines)
    elif not any(CITED.match(line) for line in lines):
        lines[:] = [CITATION.sub(r"[\1]", line) for line in lines]  # of the list of its module
    else:
        move_citations(lines)
    if what == "class" and obj.__name__ in START:
        introduce_parameters(obj, lines)


def without_last_line(app, name, source):
    """Take the empty line from the end of blocks of Python in a page."""
    source[0] = LAST_LINE.sub(r"\1\n```", source[0])
