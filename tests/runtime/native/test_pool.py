"""Threads meet where they should, sleep when there is nothing to do, survive forks, and end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from axonc.runtime.native.errors import NoThreads
from axonc.runtime.native.machine import NativeMachine
from axonc.runtime.native.objects import Objects
from axonc.runtime.native.pool import pool
from axonc.runtime.plan import Code

from .plans import driver, plan

# Each thread writes how far it is, and looks after the barrier whether all others are there.
MEETING = driver("""
  static int64_t place[256][8];
  int64_t *x = (int64_t *)run->arena, *y = x + 8, wrong = 0;
  for (int64_t i = 1; i <= x[0]; i++) {
    place[t][0] = i;
    ax_barrier(run, t);
    for (int other = 0; other < T; other++) wrong += place[other][0] != i;
    ax_barrier(run, t);
  }
  __atomic_add_fetch(y, wrong, __ATOMIC_RELAXED);
  __atomic_add_fetch(y + 1, 1, __ATOMIC_RELAXED);
""")
# y = x + 1, the samples divided among threads.
NEXT = driver("""
  int64_t *x = (int64_t *)run->arena, *y = x + 8;
  for (int64_t i = run->count * t / T; i < run->count * (t + 1) / T; i++) y[i] = x[i] + 1;
""")

# As NEXT, with much on the stack.
DEEP = driver("""
  volatile char much[4 << 20];
  for (long i = 0; i < (long)sizeof much; i += 4096) much[i] = (char)t;
  int64_t *x = (int64_t *)run->arena, *y = x + 8;
  for (int64_t i = run->count * t / T; i < run->count * (t + 1) / T; i++) y[i] = x[i] + 1 + (much[4096] != t);
""")


def machine(objects: Objects, text: str, threads: int) -> NativeMachine:
    return NativeMachine(plan(Code((), text, threads, 4)), objects=objects)


@pytest.mark.parametrize(("threads", "turns"), [(1, 10_000), (2, 1_500), (4, 400)])
def test_no_thread_passes_a_barrier_before_all_have_come(objects: Objects, threads: int, turns: int) -> None:
    made = machine(objects, MEETING, threads)
    for runs in range(1, 4):
        y = made.run({"x": np.full(8, turns)})["y"]
        assert y[0] == 0
        assert y[1] == threads * runs


@pytest.mark.parametrize("threads", [1, 2])
def test_callers_with_little_stack_have_another_do_their_part(objects: Objects, threads: int) -> None:
    """As threads of musl are, or those of an application that has many. Without that the process ends."""
    made = machine(objects, DEEP, threads)
    found = []
    before = threading.stack_size(256 << 10)
    try:
        caller = threading.Thread(target=lambda: found.extend(made.run({"x": np.arange(5)}, 5)["y"]))
        caller.start()
    finally:
        threading.stack_size(before)
    caller.join()
    assert found == [1, 2, 3, 4, 5]


def test_every_thread_does_its_part_in_every_one_of_many_runs(objects: Objects) -> None:
    machines = [machine(objects, NEXT, threads) for threads in (1, 2, 4, 3)]
    for i in range(300):
        for made in machines:
            count = i % 8 + 1
            x = np.arange(count) * i
            np.testing.assert_array_equal(made.run({"x": x}, count)["y"], x + 1)


def test_machines_that_run_at_once_take_turns_with_the_pool(objects: Objects) -> None:
    wrong: list[int] = []

    def many(start: int) -> None:
        made = machine(objects, NEXT, 2)
        wrong.extend(i for i in range(start, start + 500) if (made.run({"x": np.full(8, i)})["y"] != i + 1).any())

    threads = [threading.Thread(target=many, args=(start,)) for start in (0, 10_000, 20_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_threads_that_wait_do_not_work(objects: Objects) -> None:
    made = machine(objects, NEXT, 4)
    made.run({"x": np.arange(8)})
    start = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - start < 0.2


def test_a_thread_that_waits_for_a_slow_one_rests(objects: Objects) -> None:
    slow = driver("if (t == 0) nanosleep(&(struct timespec){0, 500000000}, 0);\nax_barrier(run, t);")
    made = machine(objects, slow, 2)
    start = time.process_time()
    made.run({"x": np.arange(8)})
    assert time.process_time() - start < 0.3


def test_more_threads_than_the_pool_has_room_for_are_refused(objects: Objects) -> None:
    with pytest.raises(NoThreads, match="does not start 1000 threads"):
        machine(objects, NEXT, 1000)


BEGIN = f"""
import os, sys, threading, time
from pathlib import Path
import numpy as np
sys.path.insert(0, {str(Path(__file__).parent)!r})
from axonc.runtime.native.machine import NativeMachine
from axonc.runtime.native.objects import Objects
from axonc.runtime.native.pool import pool
from axonc.runtime.native.store import Store
from axonc.runtime.native.toolchain import find
from axonc.runtime.plan import Code
from plans import driver, plan
store = Store(Path(sys.argv[1]))
objects = Objects(find(store, sys.argv[2]), store)
def machine(text, threads):
    return NativeMachine(plan(Code((), text, threads, 4)), objects=objects)
def running():
    return len(os.listdir("/proc/self/task"))
NEXT = {NEXT!r}
x = np.arange(8)
alone = running()
"""


def script(objects: Objects, text: str) -> str:
    """What a process prints that ends by itself, and does so with 0."""
    command = [
        sys.executable,
        "-W",
        "error",
        "-c",
        BEGIN + text,
        str(objects.store.folder),
        objects.toolchain.command[0],
    ]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


needs_tasks = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")


@needs_tasks
def test_one_thread_starts_none_and_four_start_three_that_end_when_told(objects: Objects) -> None:
    found = script(
        objects,
        """
machine(NEXT, 1).run({"x": x})
print(running() - alone)
made = machine(NEXT, 4)
print(running() - alone)
machine(NEXT, 2), machine(NEXT, 3)
print(running() - alone)
pool(objects).stop()
print(running() - alone)
print(made.run({"x": x})["y"], running() - alone)
""",
    )
    assert found.splitlines() == ["0", "3", "3", "0", "[1 2 3 4 5 6 7 8] 3"]


@needs_tasks
def test_the_child_of_a_fork_has_a_pool_of_its_own(objects: Objects) -> None:
    found = script(
        objects,
        """
made = machine(NEXT, 3)
made.run({"x": x})
for _ in range(5):
    child = os.fork()
    if child == 0:
        before = running()
        right = (made.run({"x": x * 2})["y"] == x * 2 + 1).all() and (before, running()) == (1, 3)
        pool(objects).stop()
        os._exit(0 if right and running() == 1 else 1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(made.run({"x": x})["y"])
""",
    )
    assert found.splitlines() == ["0"] * 5 + ["[1 2 3 4 5 6 7 8]"]


def test_the_child_of_a_fork_ends_as_python_does(objects: Objects) -> None:
    found = script(
        objects,
        """
import multiprocessing
made = machine(NEXT, 2)
made.run({"x": x})
context = multiprocessing.get_context("fork")
def work(i, found):
    found.put(int(made.run({"x": x * i})["y"].sum()))
found = context.Queue()
children = [context.Process(target=work, args=(i, found)) for i in range(3)]
for c in children: c.start()
print(sorted(found.get() for _ in children))
for c in children: c.join()
print([c.exitcode for c in children])
""",
    )
    assert found.splitlines() == ["[8, 36, 64]", "[0, 0, 0]"]


def test_a_process_ends_while_its_threads_spin_or_sleep_or_work(objects: Objects) -> None:
    script(objects, 'machine(NEXT, 4).run({"x": x})')
    script(objects, 'machine(NEXT, 4).run({"x": x}); time.sleep(0.01)')
    script(
        objects,
        """
slow = machine(driver("nanosleep(&(struct timespec){100, 0}, 0);"), 2)
threading.Thread(target=slow.run, args=({"x": x},), daemon=True).start()
time.sleep(0.1)
""",
    )


def test_threads_of_the_pool_take_no_signals(objects: Objects) -> None:
    found = script(
        objects,
        """
import signal
seen = []
signal.signal(signal.SIGALRM, lambda *_: seen.append(threading.current_thread() is threading.main_thread()))
made = machine(driver("if (t == 0) nanosleep(&(struct timespec){3, 0}, 0); ax_barrier(run, t);"), 4)
signal.setitimer(signal.ITIMER_REAL, 0.05)
start = time.monotonic()
made.run({"x": x})
print(seen, time.monotonic() - start < 2.5)
""",
    )
    assert found == "[True] True\n"


def test_the_pool_is_one_for_all(objects: Objects) -> None:
    assert pool(objects) is pool(objects)
