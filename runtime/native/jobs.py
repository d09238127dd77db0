"""Runs compilers: a few processes at once, with an end to their time, and nothing left behind."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .errors import CompilationFailed

if TYPE_CHECKING:
    import subprocess

SECONDS = 300.0  # for one process
PAUSE = 0.002


class Job(NamedTuple):
    """A command that reads `text`."""

    command: tuple[str, ...]
    text: str = ""


class _Running(NamedTuple):
    process: subprocess.Popen[bytes]
    until: float
    output: Path


def run(jobs: Sequence[Job], folder: Path, *, seconds: float = SECONDS, at_once: int = 1) -> list[str]:
    """What each command prints, in the order of the jobs. They run in `folder`, where their output is kept meanwhile.

    Raises CompilationFailed where one cannot be started, ends with anything but 0, or takes more than `seconds`; the
    others are ended then, with all that they started.
    """
    running: dict[int, _Running] = {}
    said: dict[int, str] = {}
    waiting = list(enumerate(jobs))
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                index, job = waiting.pop(0)
                running[index] = _start(job, folder, index, seconds)
            ended = [i for i, r in running.items() if r.process.poll() is not None]
            for i in ended:
                said[i] = _result(jobs[i], running.pop(i))
            for i, r in running.items():
                if time.monotonic() > r.until:
                    raise CompilationFailed(f"`{_name(jobs[i])}` took more than {seconds:g} seconds")
            if not ended:
                time.sleep(PAUSE)
    finally:
        for r in running.values():
            _end(r.process)
    return [said[i] for i in range(len(jobs))]


def _start(job: Job, folder: Path, index: int, seconds: float) -> _Running:
    """Files instead of pipes: nobody has to read them while the process runs, and no one can keep them open."""
    import subprocess  # loaded where something is compiled: what is kept starts nothing

    text, output = folder / f"input{index}", folder / f"output{index}"
    text.write_text(job.text, encoding="utf-8")
    try:
        with text.open("rb") as source, output.open("wb") as sink:
            process = subprocess.Popen(  # noqa: S603 - the user's own compiler
                job.command,
                stdin=source,
                stdout=sink,
                stderr=sink,
                cwd=folder,
                env=os.environ | {"LC_ALL": "C", "TMPDIR": str(folder)},
                start_new_session=True,
            )
    except OSError as refusal:
        raise CompilationFailed(f"`{_name(job)}` cannot be run: {refusal.strerror}") from None
    return _Running(process, time.monotonic() + seconds, output)


def _result(job: Job, done: _Running) -> str:
    said = done.output.read_text(encoding="utf-8", errors="replace")
    status = done.process.returncode
    if status == 0:
        return said
    if status < 0:
        raise CompilationFailed(f"`{_name(job)}` was ended by {_signal(-status)}", said)
    raise CompilationFailed(f"`{_name(job)}` failed with status {status}", said)


def _name(job: Job) -> str:
    return job.command[0]


def _signal(number: int) -> str:
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and what it started; the group is its own."""
    import signal

    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
