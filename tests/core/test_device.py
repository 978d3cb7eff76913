"""Devices, the precision of training, and threads by the size of the work."""

import threading

import pytest
import torch

from skvq.core.device import resolve_device, resolve_precision, threads_for


def test_a_device_is_what_it_says_and_auto_is_one_that_is_there():
    assert resolve_device("cpu") == resolve_device(torch.device("cpu")) == torch.device("cpu")
    found = resolve_device("auto")
    assert torch.ones(1, device=found).sum() == 1


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("gpu", "device='gpu' is not a device; it must be 'cpu', 'cuda'"),
        ("meta", "device='meta' is not supported; it must be 'cpu', 'cuda'"),
        ("cuda:99", "device='cuda:99' is not available on this machine; pass device='cpu' or 'auto'"),
    ],
)
def test_a_device_that_is_not_there_is_an_error_and_never_another_one(device, message):
    with pytest.raises(ValueError, match=message):
        resolve_device(device)


@pytest.mark.parametrize("fast", [True, False])
def test_bfloat16_is_taken_where_it_pays_and_the_processor_has_it(fast, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": fast}, raising=False)
    cpu = torch.device("cpu")
    assert resolve_precision("auto", cpu, pays=True) == ("bfloat16" if fast else "float32")
    assert resolve_precision("auto", cpu, pays=False) == "float32"
    assert [resolve_precision(name, cpu, pays=False) for name in ("float32", "bfloat16")] == ["float32", "bfloat16"]
    with pytest.raises(ValueError, match="precision='half' must be 'auto', 'float32' or 'bfloat16'"):
        resolve_precision("half", cpu, pays=True)


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_threads_follow_the_work_and_are_restored(two_threads):
    with threads_for(1.0):
        assert torch.get_num_threads() == 1
    with threads_for(1e12):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 2


def test_threads_are_restored_after_an_error(two_threads):
    with pytest.raises(RuntimeError, match="no more"), threads_for(1.0):
        raise RuntimeError("no more")
    assert torch.get_num_threads() == 2


def test_blocks_that_overlap_leave_the_count_that_the_first_one_found(two_threads):
    inside, leave = threading.Event(), threading.Event()

    def long_block():
        with threads_for(1.0):
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=long_block)
    with threads_for(1.0):
        thread.start()
        assert inside.wait(10)
    leave.set()
    thread.join()
    assert torch.get_num_threads() == 2
