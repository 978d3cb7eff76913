"""The file of a checkpoint: what goes in comes out, at the right times, and nothing else is taken for one."""

import os
import re

import numpy as np
import pytest
import torch

from skvq import AutoEncoderTransformer, LoadError, load
from skvq.training import checkpoints
from skvq.training.checkpoints import Checkpoint, pack, read_checkpoint, unpack

STATE = {"array": np.arange(3.0), "number": 1.5, "lists": [[1, None], ["a"]], "infinite": float("inf")}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit.checkpoint"


def test_tensors_of_any_type_and_layout_come_back_from_their_bytes():
    grids = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    tensors = [grids, torch.tensor(3, dtype=torch.int64), torch.tensor([True, False, True]), torch.empty(0, 2)]
    again = [torch.empty_like(tensor) for tensor in tensors]
    unpack(pack(tensors), again)
    for tensor, copy in zip(tensors, again):
        assert torch.equal(tensor, copy)
        assert tensor.stride() == copy.stride()


def test_bytes_of_other_tensors_are_refused():
    with pytest.raises(ValueError, match="8 bytes are there for tensors of 12"):
        unpack(pack([torch.zeros(2)]), [torch.zeros(3)])


def test_a_state_comes_back(path):
    Checkpoint(path, 0.0, {"alpha": "1"}, seed=7).write(STATE)
    found = Checkpoint(path, 0.0, {"alpha": "1"}).found
    assert {name: value for name, value in found.items() if name != "array"} == {
        name: value for name, value in STATE.items() if name != "array"
    }
    np.testing.assert_array_equal(found["array"], STATE["array"])
    assert read_checkpoint(path)["seed"] == 7


def test_nothing_is_found_before_the_first_write_and_after_the_removal(path):
    checkpoint = Checkpoint(path, 0.0, {})
    assert checkpoint.found is None
    checkpoint.write(STATE)
    checkpoint.remove()
    checkpoint.remove()  # nothing happens
    assert Checkpoint(path, 0.0, {}).found is None
    assert list(path.parent.iterdir()) == []


def test_what_a_killed_process_left_is_removed(path):
    part = path.with_name(".skvq-0123.part")
    part.write_bytes(b"half of a file")
    checkpoint = Checkpoint(path, 0.0, {})
    checkpoint.write(STATE)
    assert not part.exists()
    part.write_bytes(b"half of a file")
    assert Checkpoint(path, 0.0, {}).found["number"] == 1.5
    checkpoint.remove()
    assert list(path.parent.iterdir()) == []


def test_states_are_taken_when_the_seconds_have_passed_and_not_before(path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])
    taken = []

    def state():
        taken.append(now[0])
        return STATE

    checkpoint = Checkpoint(path, 60.0, {})
    for now[0] in (101.0, 159.0, 160.0, 161.0, 219.0, 221.0):
        checkpoint.keep(state)
    assert taken == [160.0, 221.0]


def test_another_fit_is_told_apart_by_what_differs(path):
    Checkpoint(path, 0.0, {"batch_size": "32", "the rows": "digest 1", "same": "1", "gone": "2"}).write(STATE)
    with pytest.raises(ValueError, match="is the file of another fit") as caught:
        Checkpoint(path, 0.0, {"batch_size": "64", "the rows": "digest 2", "same": "1"})
    assert "batch_size is 64 here, and 32 there; gone differ; the rows differ." in str(caught.value)
    assert "digest" not in str(caught.value)
    assert read_checkpoint(path)["state"]["number"] == 1.5  # it is left alone


@pytest.mark.parametrize("content", [b"", b"notes of mine", None], ids=["empty", "text", "a model"])
def test_a_file_of_another_kind_is_refused_and_left_alone(path, content):
    if content is None:
        from skvq import PixelCNN

        PixelCNN(channels=4, n_layers=1, max_iter=1, random_state=0).fit([[0, 1], [1, 0]]).save(path)
        content = path.read_bytes()
    path.write_bytes(content)
    with pytest.raises(LoadError, match="is no checkpoint that can be read"):
        Checkpoint(path, 0.0, {})
    assert path.read_bytes() == content


def test_a_damaged_file_is_refused(path):
    Checkpoint(path, 0.0, {}).write(STATE)
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(LoadError, match="SHA-256"):
        Checkpoint(path, 0.0, {})


def test_a_checkpoint_is_no_model(path):
    Checkpoint(path, 0.0, {}).write(STATE)
    with pytest.raises(LoadError, match="cannot be loaded"):
        load(path)


def test_a_missing_folder_and_a_folder_in_place_of_the_file_are_named(tmp_path):
    missing = tmp_path / "missing"
    with pytest.raises(FileNotFoundError, match=re.escape(f"there is no folder {str(missing)!r}")):
        Checkpoint(missing / "fit", 0.0, {})
    with pytest.raises(IsADirectoryError, match="is a folder"):
        Checkpoint(tmp_path, 0.0, {})


def test_a_checkpoint_that_cannot_be_written_does_not_end_the_fit(tmp_path, monkeypatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    X = np.random.default_rng(0).normal(size=(60, 5))
    model = AutoEncoderTransformer(2, max_iter=3, random_state=0, checkpoint=folder / "file", checkpoint_interval=0.0)
    expected = AutoEncoderTransformer(2, max_iter=3, random_state=0).fit(X).transform(X)

    def full_disk(*_):
        raise OSError("disk full")

    monkeypatch.setattr(checkpoints, "write_atomically", full_disk)
    with pytest.warns(UserWarning, match="could not be written, and the fit goes on without it: disk full"):
        model.fit(X)
    np.testing.assert_array_equal(model.transform(X), expected)
    os.mkfifo(folder / "pipe")
    with pytest.raises(OSError, match="is no file, but a pipe or a device"):
        checkpoints.checked_path(folder / "pipe")
