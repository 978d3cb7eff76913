"""Leave out the tests that cannot run here; give the others a pattern for messages about parameters."""

import re
from importlib.util import find_spec

import pytest

# scikit-learn has callbacks from 1.9 on; what becomes of older versions is in core/test_without_callbacks.py.
collect_ignore = [] if find_spec("sklearn.callback") else ["core/test_callbacks.py"]


@pytest.fixture
def refusal():
    """A function that returns the pattern of the message about a parameter: owner, name, value, what is accepted."""

    def pattern(owner, name, value, *accepted):
        allowed = "".join(f"(?=.*{re.escape(part)}.*[.] Got )" for part in accepted)
        start = re.escape(f"The '{name}' parameter of {owner} must be ")
        return f"^{start}{allowed}.*[.] Got {re.escape(repr(value))} instead[.]$"

    return pattern
