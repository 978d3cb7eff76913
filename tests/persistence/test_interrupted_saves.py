"""An interrupt at any line of a save leaves the old file or the new one, and nothing beside it."""

import os
import sys

from skvq.persistence import container
from skvq.persistence.container import write_atomically


class Interrupt:
    """Raises KeyboardInterrupt before line number `n` that is run in the module, and counts the lines."""

    def __init__(self, n):
        self.n, self.seen = n, 0

    def __call__(self, frame, event, argument):
        if frame.f_code.co_filename != container.__file__:
            return None
        if event == "line":
            self.seen += 1
            if self.seen == self.n:
                raise KeyboardInterrupt
        return self


def interrupted_at(n, path):
    """Save with an interrupt before line `n`; return whether there was such a line."""
    interrupt, before = Interrupt(n), sys.gettrace()
    sys.settrace(interrupt)
    try:
        write_atomically(path, [b"new"])
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
    return interrupt.seen >= n


def test_an_interrupt_at_any_line_leaves_one_whole_file(tmp_path):
    path, n, found = tmp_path / "model", 0, set()
    while True:
        path.write_bytes(b"old")
        n += 1
        if not interrupted_at(n, path):
            break
        assert os.listdir(tmp_path) == ["model"], f"line {n}"
        found.add(path.read_bytes())
    assert n > 20
    assert found == {b"old", b"new"}
