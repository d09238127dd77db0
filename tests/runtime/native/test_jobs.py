"""Processes of a compiler end, one way or another, and what went wrong is told."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from axonc.runtime.native.errors import LINES, CompilationFailed
from axonc.runtime.native.jobs import Job, run

Script = Callable[[str, str], Path]


def job(path: Path, *arguments: object, text: str = "") -> Job:
    return Job((str(path), *map(str, arguments)), text)


def is_running(process: int) -> bool:
    """Whether it is there and has not ended without anybody asking for its result."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_processes_print_comes_in_the_order_of_the_jobs(script: Script, tmp_path: Path) -> None:
    slow = script("slow", 'while [ ! -e done ]; do sleep 0.01; done; cat; echo "$1" >&2')
    fast = script("fast", "touch done; cat")
    assert run([job(slow, 1, text="a"), job(fast, text="ß")], tmp_path, at_once=2) == ["a1\n", "ß"]


def test_only_so_many_run_at_once(script: Script, tmp_path: Path) -> None:
    lonely = script("lonely", "mkdir here || exit 1; sleep 0.05; rmdir here")
    run([job(lonely)] * 4, tmp_path, at_once=1)


def test_a_compiler_that_fails_is_told_with_the_first_lines_of_what_it_says(script: Script, tmp_path: Path) -> None:
    failing = script("failing", "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo line $i; done; exit 3")
    with pytest.raises(CompilationFailed, match=r"failing` failed with status 3:\nline 1\nline 2\n") as found:
        run([job(failing)], tmp_path)
    assert len(found.value.output.splitlines()) == LINES


def test_a_compiler_that_is_killed_is_told(script: Script, tmp_path: Path) -> None:
    with pytest.raises(CompilationFailed, match="was ended by SIGKILL"):
        run([job(script("killed", "kill -9 $$"))], tmp_path)


def test_a_compiler_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(CompilationFailed, match="cannot be run: No such file"):
        run([job(tmp_path / "missing")], tmp_path)


@pytest.mark.skipif(not Path("/proc").exists(), reason="processes are looked for in /proc")
def test_a_compiler_that_hangs_is_ended_with_all_that_it_started(script: Script, tmp_path: Path) -> None:
    hanging = script("hanging", "sleep 600 & echo $! > started; echo $$ > self; wait")
    start = time.monotonic()
    with pytest.raises(CompilationFailed, match=r"took more than 0\.3 seconds"):
        run([job(hanging)], tmp_path, seconds=0.3)
    assert time.monotonic() - start < 60
    processes = [int((tmp_path / name).read_text()) for name in ("started", "self")]
    until = time.monotonic() + 10
    while any(map(is_running, processes)) and time.monotonic() < until:
        time.sleep(0.01)
    assert not any(map(is_running, processes))


def test_when_one_fails_the_others_are_ended(script: Script, tmp_path: Path) -> None:
    hanging = script("hanging", "echo $$ > self; exec sleep 600")
    failing = script("failing", "while [ ! -s self ]; do sleep 0.01; done; exit 1")
    with pytest.raises(CompilationFailed, match="failing"):
        run([job(hanging), job(failing)], tmp_path, at_once=2)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "self").read_text()), 0)
