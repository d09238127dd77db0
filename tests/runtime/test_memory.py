"""Memory is zeroed and aligned, and what is used at once is there at once."""

from __future__ import annotations

import mmap
import resource
import sys

import numpy as np
import pytest
from axonc.runtime import memory
from axonc.runtime.memory import ALIGNMENT, MANY, MOST, POPULATE, aligned, present


@pytest.mark.parametrize("size", [1, MANY - 1, MANY, MANY + 1, 4 << 20])
@pytest.mark.parametrize("take", [aligned, present])
def test_bytes_are_zero_aligned_and_may_be_written(take: object, size: int) -> None:
    found = take(size)  # type: ignore[operator]
    assert found.shape == (size,)
    assert found.dtype == np.uint8
    assert not found.any()
    assert found.__array_interface__["data"][0] % ALIGNMENT == 0
    found.fill(255)
    assert found.all()


def faults_of(found: np.ndarray) -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    found[::4096] += 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def can_bring() -> bool:
    try:
        mmap.mmap(-1, 4096).madvise(POPULATE)
    except (OSError, AttributeError):
        return False
    return sys.platform == "linux"


@pytest.mark.skipif(not can_bring(), reason="the system brings pages when they are touched (before Linux 5.14)")
def test_what_is_used_at_once_is_there_before_it_is_touched() -> None:
    size = 1 << 20
    pages = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    pages.madvise(mmap.MADV_NOHUGEPAGE)
    assert faults_of(np.frombuffer(pages, np.uint8)) > 200, "nothing else brings them"
    assert faults_of(present(size)) < 16


def test_much_is_not_brought_before_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.mmap, "mmap", lambda *_: pytest.fail("asked for all at once"))
    assert present(MOST + 1).size == MOST + 1


def test_systems_that_cannot_bring_pages_give_them_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "POPULATE", 12345)
    assert not present(MANY).any()
