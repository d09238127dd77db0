"""Threads wait before what touches memory that another may be at, and nowhere else: by rule, and by watching memory."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from axonc.compiler.ir import dims
from axonc.compiler.ir.dims import Size
from axonc.compiler.ir.types import F32, Shape
from axonc.compiler.native import driver
from axonc.compiler.native.waiting import Call, Loop, Reach, Span, Task, Units, Waits, place_waits
from axonc.compiler.pipeline import compile_graph
from axonc.compiler.schedule.kernel import Buffer, Window
from axonc.compiler.schedule.target import native
from axonc.runtime.native.objects import header
from axonc.runtime.plan import Plan
from axonc.specification import check
from hypothesis import given
from hypothesis import strategies as st

from .compiled import COMPILER, machine_flags, machinery, needs_compiler

N = dims.name("N")
spans = st.builds(lambda memory, low, size: Span(memory, low, low + size), st.just(0), st.integers(0, 7), st.just(2))
calls = st.builds(
    lambda reads, writes, alone: Call(("",), tuple(reads), tuple(writes), alone),
    st.lists(spans, max_size=2),
    st.lists(spans, min_size=1, max_size=1),
    st.booleans(),
)
loops = st.recursive(calls, lambda inner: st.builds(lambda body: Loop((), body), st.lists(inner, max_size=4)))


def history(tasks: list[Task], turns: int) -> list[Call | None]:
    """What one thread does, in order, where all loops take so many turns; None where it waits."""
    found: list[Call | None] = []
    for task in tasks:
        found += [None] * (task.waits is Waits.ALWAYS)
        if isinstance(task, Loop):
            for _ in range(turns):
                found += history(task.body, turns)
        else:
            found.append(task)
    return found


def touch(a: Call, b: Call) -> bool:
    """Whether both are at one byte that one of them writes."""
    written, other = ({(s.memory, i) for s in c.writes for i in range(s.low, s.high)} for c in (a, b))
    mine, yours = ({(s.memory, i) for s in c.reads for i in range(s.low, s.high)} for c in (a, b))
    return bool(written & (other | yours) or mine & other)


@given(st.lists(loops, max_size=6), st.integers(0, 3))
def test_between_two_that_disturb_each_other_all_wait(tasks: list[Task], turns: int) -> None:
    place_waits(tasks)
    since: list[Call] = []
    for call in history(tasks, turns):
        if call is None:
            since = []
        else:
            assert not any(touch(one, call) for one in since if not (one.alone and call.alone))
            since.append(call)


def call(reads: tuple[int, ...], writes: tuple[int, ...], *, alone: bool = False) -> Call:
    return Call(("",), *(tuple(Span(0, i, i + 1) for i in found) for found in (reads, writes)), alone)


def test_nobody_waits_for_what_does_not_matter() -> None:
    apart = [call((0,), (1,)), call((0,), (2,)), call((0, 3), (4,), alone=True), call((4,), (5,), alone=True)]
    place_waits(apart)
    assert [bool(c.waits) for c in apart] == [False] * 4
    chain = [call((0,), (1,)), call((1,), (2,)), call((0,), (3,)), call((3,), (1,))]
    place_waits(chain)
    assert [bool(c.waits) for c in chain] == [False, True, False, True]


def test_a_turn_waits_for_the_one_before() -> None:
    product, gates = call((0,), (1,)), call((1,), (0,))
    loop = Loop((), [product, gates])
    place_waits([loop])
    assert (loop.waits, product.waits, gates.waits) == (Waits.NEVER, Waits.ALWAYS, Waits.ALWAYS)
    stacked = call((0,), (9,))
    place_waits([Loop((), [stacked])])
    assert stacked.waits  # two turns write the same, as far as spans tell


def test_with_one_sample_all_wait_that_had_memory_of_their_own() -> None:
    own = Span(0, 0, 64, Units(N, 0, 8))
    product, gates = Call(("",), (own,), (own,), parted=True), Call(("",), (own,), (own,))
    place_waits([Loop((), [product, gates])])
    assert (product.waits, gates.waits) == (Waits.SINGLE, Waits.SINGLE)
    assert list(gates.text()) == ["if (N == 1) ax_barrier(run, t);", ""]
    whole = Call(("",), (own,), (own,))
    place_waits([Loop((), [whole, gates := Call(("",), (own,), (own,))])])
    assert (whole.waits, gates.waits) == (Waits.NEVER, Waits.NEVER)


TURN = dims.name("turn")


@pytest.mark.parametrize(
    ("offset", "shape", "strides", "low", "high"),
    [
        (0, (N, 4), (4, 1), 0, 32),
        (8, (2, 4), (8, 1), 8, 20),
        (TURN * 4, (4,), (1,), 0, 24),
        (20 - TURN * 4, (4,), (1,), 0, 24),
        (0, (dims.name("length"), 4), (4, 1), 0, 32),  # what is not known goes as far as the buffer
        (dims.name("thread") * 4, (4,), (1,), 0, 32),
        (N * 2, (4,), (1,), 0, 32),
        (3, (2, 4), (4, -1), 0, 32),
    ],
)
def test_a_span_holds_all_that_a_window_touches(
    offset: Size, shape: Shape, strides: Shape, low: int, high: int
) -> None:
    window = Window(Buffer("x", F32, N * 4), offset, shape, strides)
    assert Reach(8, {"turn": 5}).span(window, 3, 64) == Span(3, 64 + 4 * low, 64 + 4 * high)


def test_who_divides_memory_alike_is_at_none_of_anothers() -> None:
    """Six rows of 32: a thread has the same of them, whichever columns are asked for, while those stay in a row."""
    buffer, reach = Buffer("x", F32, N * 32), Reach(6, {"turn": 3})

    def rows(offset: Size, wide: int, pitch: int = 32) -> Span:
        return reach.span(Window(buffer, offset, (N, wide), (pitch, 1)), 0, 0, (N, pitch))

    whole = rows(0, 32)
    assert whole.units == Units(N, 0, 128)
    assert not any(whole.meets(other) for other in (rows(8, 8), rows(TURN * 8, 8)))
    others = (
        rows(8, 32),
        rows(TURN * 8, 16),
        rows(32, 32),
        rows(0, 16, 16),
        reach.span(Window(buffer, 0, (N, 32), (32, 1)), 0, 0),
    )
    assert all(whole.meets(other) for other in others)


HEAD = "axonc 1\nmodel m\ninput x: f32[N, {shape}]\ninput label: i64[N]\n"
TAIL = "\nloss cross_entropy(logits, label)\ntrain { optimizer adam(1e-3) }\n"
MODELS = {
    "dense": HEAD.format(shape=20) + "logits = x |> dense(24, activation = relu) |> dense(3)" + TAIL,
    "lstm": HEAD.format(shape="5, 8") + "logits = x |> lstm(8, sequence = false) |> dense(3)" + TAIL,
    "lstm by rows": HEAD.format(shape="3, 8") + "logits = x |> lstm(64, sequence = false) |> dense(3)" + TAIL,
    "convolution": HEAD.format(shape="8, 8, 3")
    + "logits = x |> conv2d(8, 3, bias = false) |> batch_norm |> relu |> max_pool2d(2) |> flatten |> dense(3)"
    + TAIL,
    "attention": HEAD.format(shape="6, 8")
    + "logits = x |> layer_norm |> self_attention(heads = 2) |> mean(axis = 1) |> dense(3)"
    + TAIL,
}
MAIN = """
#include <stdlib.h>
int ax_parallel(struct ax_run *run, ax_function *function);
int main(void) {{
  static char arena[{arena}] __attribute__((aligned(64)));
  static double memory[{total}];
  char *named[] = {{ {named}, 0 }};
  for (int i = 0; i < {total}; i++) memory[i] = 0.0078125;
  for (int count = {rows}; count > 0; count = count > 1 ? 1 : 0) {{
    struct ax_run run = {{
      .arena = arena, .named = named, .count = count, .threads = {threads}, .parallel = ax_parallel
    }};
    for (int i = 0; i < 4; i++) if (ax_phase(&run, i < 2 ? i : 2)) abort();
  }}
  return 0;
}}
"""
THREADS, ROWS = 3, 7


def planned(name: str) -> Plan:
    graph = check(MODELS[name]).phases.train
    return compile_graph(graph, rows=ROWS, target=native(machinery(), THREADS))


def watched(plan: Plan, folder: Path) -> subprocess.CompletedProcess[str]:
    """Two steps, and two of one sample, under ThreadSanitizer, which tells of memory that threads are at at once."""
    assert plan.code is not None
    outside = [b for b in plan.buffers if b.home != "arena"]
    starts = np.cumsum([0, *(8 + b.size for b in outside)])
    main = MAIN.format(
        arena=plan.arena + 64,
        total=starts[-1] + 1,
        named=", ".join(f"(char *)(memory + {start})" for start in starts[:-1]),
        rows=ROWS,
        threads=THREADS,
    )
    pool = Path(driver.__file__).parents[2].joinpath("runtime", "native", "pool.c").read_text(encoding="utf-8")
    texts = [*plan.code.units, *filter(None, [plan.code.light]), header() + pool, header() + plan.code.driver + main]
    for i, text in enumerate(texts):
        (folder / f"{i}.c").write_text(text, encoding="utf-8")
    command = [*COMPILER, "-w", "-O1", *machine_flags(machinery()), "-fsanitize=thread", "-pthread"]
    made = subprocess.run([*command, *map(str, sorted(folder.glob("*.c"))), "-o", str(folder / "run"), "-lm"])
    assert made.returncode == 0
    fixed = ["setarch", "-R"] if shutil.which("setarch") else []  # where it expects memory
    return subprocess.run([*fixed, str(folder / "run")], capture_output=True, text=True)


@pytest.mark.parametrize("name", ["lstm", "lstm by rows"])
def test_samples_of_an_lstm_wait_for_none_of_others(name: str) -> None:
    plan = compile_graph(check(MODELS[name]).phases.predict, rows=ROWS, target=native(machinery(), THREADS))
    assert plan.code is not None
    loop = plan.code.driver.split("for (long s")[1].split("\n  }\n")[0]
    assert loop.count("if (N == 1) ax_barrier(run, t);") == loop.count("ax_barrier(run, t);") == 2


@needs_compiler
@pytest.mark.parametrize("name", MODELS)
def test_no_two_threads_are_at_the_same_memory(name: str, tmp_path: Path) -> None:
    plan = planned(name)
    assert plan.code is not None
    assert plan.code.driver.count("ax_barrier(run, t)") < plan.code.driver.count(");  /*")
    done = watched(plan, tmp_path)
    assert done.returncode == 0, done.stderr[:4000]


@needs_compiler
def test_one_that_waits_nowhere_is_found_out(tmp_path: Path) -> None:
    plan = planned("dense")
    assert plan.code is not None
    careless = replace(plan, code=plan.code._replace(driver=plan.code.driver.replace("ax_barrier(run, t);", "")))
    done = watched(careless, tmp_path)
    assert "data race" in done.stderr
    assert done.returncode != 0
