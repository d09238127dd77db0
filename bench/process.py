"""A contender in a process of its own: started, asked, ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from .job import Job

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Failed(Exception):
    """A contender that ended before its answer; the text is the last line that it wrote."""


class Process:
    """A worker. `imports` are the seconds that it took to load its framework; `started` when it was asked for.

    `caches` is the folder of whatever it keeps for later processes.
    """

    def __init__(self, job: Job, caches: Path) -> None:
        self.log = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - closed with the process
        settings = {name: str(job.threads) for name in THREADS}
        settings |= {"XDG_CACHE_HOME": str(caches), "TORCHINDUCTOR_CACHE_DIR": str(caches / "inductor")}
        self.started = time.perf_counter()
        self.child = subprocess.Popen(  # noqa: S603 - our own worker
            [sys.executable, "-W", "ignore", "-m", "axonc.bench.worker", job.to_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=os.environ | settings | {"JAX_PLATFORMS": "cpu"},
        )
        try:
            self.imports: float = self._answer()
        except Failed:
            self.close()
            raise

    @property
    def age(self) -> float:
        """Seconds since it was asked for."""
        return time.perf_counter() - self.started

    def ask(self, name: str, *arguments: Any) -> Any:
        """The answer to a request. Raises Failed."""
        assert self.child.stdin is not None
        try:
            self.child.stdin.write(json.dumps((name, *arguments)) + "\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            pass  # what it died of is read below
        return self._answer()

    def _answer(self) -> Any:
        assert self.child.stdout is not None
        line = self.child.stdout.readline()
        if not line:
            self.log.seek(0)
            said = [text for text in self.log.read().splitlines() if text.strip()]
            raise Failed(said[-1] if said else "it ended without a word")
        return json.loads(line)

    def close(self) -> None:
        for pipe in (self.child.stdin, self.child.stdout):
            if pipe is not None:
                pipe.close()
        self.child.kill()
        self.child.wait()
        self.log.close()
