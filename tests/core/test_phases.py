"""What a fit does before it trains is said: as lines, and as bars inside skvq.progress."""

import time

import pytest

from skvq import AutoEncoderTransformer, progress
from skvq.core.inference import phase, watcher


@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_a_phase_is_a_line_before_it_begins_if_verbose_asks_for_it(verbose, capsys):
    with phase(AutoEncoderTransformer(verbose=verbose), "reading X"):
        assert capsys.readouterr().out == ("[AutoEncoderTransformer] reading X\n" if verbose else "")


def test_a_long_phase_has_a_bar_while_it_lasts_and_a_short_one_has_none(capsys):
    with progress(delay=0.05):
        with phase(AutoEncoderTransformer(), "starting codebooks"):
            time.sleep(0.3)
        with phase(AutoEncoderTransformer(), "reading X"):
            pass
        time.sleep(0.1)
    shown = capsys.readouterr().out
    assert "starting codebooks" in shown
    assert "100%" in shown
    assert "reading X" not in shown


def test_a_phase_that_fails_takes_its_bar_away():
    def fail():
        with phase(AutoEncoderTransformer(), "reading X"):
            time.sleep(0.1)
            raise ValueError("within")

    with progress(delay=0.0):
        with pytest.raises(ValueError, match="within"):
            fail()
        assert watcher.get().n_open == 0
