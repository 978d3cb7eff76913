"""Which tests there are to run, and what several of them need."""

from contextlib import contextmanager
from importlib.util import find_spec

import pytest

# scikit-learn has callbacks from 1.9 on; what becomes of older versions is in core/test_without_callbacks.py.
collect_ignore = [] if find_spec("sklearn.callback") else ["core/test_callbacks.py"]


@pytest.fixture
def refuses():
    """A context that expects the error about a parameter: its name, its owner, its value, what is accepted."""

    @contextmanager
    def check(owner, name, value, *accepted):
        with pytest.raises(ValueError, match=f"The '{name}' parameter of ") as error:
            yield
        message = str(error.value)
        before, rest = message.split(" must be ")
        allowed, _, found = rest.partition(". Got ")
        assert isinstance(error.value, TypeError)  # as scikit-learn's error, it is both
        assert before == f"The '{name}' parameter of {owner}"
        assert found == f"{value!r} instead."
        assert [part for part in accepted if part not in allowed] == []

    return check
