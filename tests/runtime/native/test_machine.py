"""A native machine behaves as a machine does, and code finds what the plan says where the plan says it."""

from __future__ import annotations

import ctypes
import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
from axonc.runtime.machine import BadPlan, Machine
from axonc.runtime.native.errors import CompilationFailed
from axonc.runtime.native.machine import NativeMachine, Run
from axonc.runtime.native.objects import Objects, header
from axonc.runtime.places import OutOfRange
from axonc.runtime.plan import Buffer, Code, Loop, Step, View

from .plans import N, driver, plan

MEMORY = (Buffer("w", "f32", 4, "named"), Buffer("c", "i64", 2, "constant"), Buffer("s", "i64", 1, "named"))


def machine(objects: Objects, steps: str, threads: int = 1, memory: object = None, **phases: str) -> NativeMachine:
    code = Code((), driver(steps, **phases), threads, 4)
    made = plan(code, named=MEMORY, constants={"c": np.array([5, 7])})
    return NativeMachine(made, memory, objects=objects)  # type: ignore[arg-type]


FIELDS = [name for name, *_ in Run._fields_]


def test_python_and_c_mean_the_same_by_a_run(objects: Objects) -> None:
    values = ", ".join(f"offsetof(struct ax_run, {name})" for name in FIELDS)
    text = f"{header()}AX_EXPORT const int64_t ax_layout[] = {{sizeof(struct ax_run), {values}}};\n"
    layout = (ctypes.c_int64 * (len(FIELDS) + 1)).in_dll(objects.library((text,)), "ax_layout")
    assert list(layout) == [ctypes.sizeof(Run), *(getattr(Run, name).offset for name in FIELDS)]


def test_a_plan_without_code_is_refused(objects: Objects) -> None:
    with pytest.raises(BadPlan, match="no code"):
        NativeMachine(replace(plan(Code((), "", 1, 4)), code=None), objects=objects)


def test_code_that_does_not_compile_is_told_before_memory_is_made(objects: Objects) -> None:
    memory: dict[str, object] = {}
    with pytest.raises(CompilationFailed, match="failed with status 1"):
        machine(objects, "this is no C", memory=memory)
    assert memory == {}


def test_kernels_work_on_the_samples_of_a_run(objects: Objects) -> None:
    unit = "void k1(const long *x, long *y, long n) { for (long i = 0; i < n; i++) y[i] = x[i] * x[i]; }\n"
    text = driver(
        "k1((long *)run->arena, (long *)(run->arena + 64), run->count);", before="void k1(const long *, long *, long);"
    )
    made = NativeMachine(plan(Code((unit,), text, 1, 4)), objects=objects)
    for count in (8, 1, 3, 8):
        x = np.arange(count) + 2
        np.testing.assert_array_equal(made.run({"x": x}, count)["y"], x**2)


@pytest.mark.parametrize("threads", [1, 2])
def test_phases_run_when_they_must(objects: Objects, threads: int) -> None:
    """y[0], y[1] and y[2] count the calls of the three phases."""
    counts = {name: f"if (t == 0) ((int64_t *)run->arena)[8 + {i}]++;" for i, name in enumerate(("sizes", "prepare"))}
    made = machine(objects, "if (t == 0) ((int64_t *)run->arena)[8 + 2]++;", threads, **counts)

    def calls(count: int) -> list[int]:
        made.step(count)
        found: list[int] = made.binding(8).results["y"][:3].tolist()
        return found

    assert calls(8) == [1, 1, 1]
    assert calls(8) == [1, 1, 2]
    assert calls(3) == [2, 2, 3]
    assert calls(8) == [3, 3, 4]
    made.forget()
    assert calls(8) == [3, 4, 5]
    made.execute(made.binding(8))
    assert calls(8) == [3, 4, 7]


def test_named_memory_and_constants_come_in_the_order_of_the_plan(objects: Objects) -> None:
    made = machine(
        objects,
        """
float *w = (float *)run->named[0]; int64_t *c = (int64_t *)run->named[1], *s = (int64_t *)run->named[2];
for (int i = 0; i < 4; i++) w[i] *= 2;
s[0] += c[0] * c[1];
""",
        memory=(memory := {"w": np.arange(4, dtype=np.float32)}),
    )
    made.step()
    made.step()
    np.testing.assert_array_equal(memory["w"], [0, 4, 8, 12])
    assert made.memory["s"] == [70]


def test_memory_that_was_replaced_is_followed_when_told(objects: Objects) -> None:
    made = machine(objects, "((float *)run->named[0])[1] += 1;")
    binding = made.step()
    old = made.memory["w"]
    made.memory["w"] = np.full(4, 10, np.float32)
    made.forget()
    made.execute(binding)
    made.step()
    np.testing.assert_array_equal(old, [0, 1, 0, 0])
    np.testing.assert_array_equal(made.memory["w"], [10, 12, 10, 10])
    made.memory["w"] = np.zeros(3, np.float32)
    with pytest.raises(BadPlan):
        made.forget()


def test_results_that_lie_in_named_memory_follow_too(objects: Objects) -> None:
    code = Code((), driver("((int64_t *)run->named[0])[0] += 1;"), 1, 4)
    made = plan(code, named=(Buffer("s", "i64", 1, "named"),))
    port = made.results[0]._replace(name="s", view=View(2, 0, (1,), (1,)))
    native = NativeMachine(replace(made, results=(port,)), objects=objects)
    assert native.step().results["s"] == [1]
    native.memory["s"] = np.array([41])
    native.forget()
    assert native.step().results["s"] == [42]


def test_a_binding_keeps_what_its_calls_need(objects: Objects) -> None:
    memory = {"w": np.zeros(4, np.float32)}
    made = machine(objects, "((int64_t *)run->arena)[8] = ((int64_t *)run->named[1])[1];", memory=memory)
    binding, array = made.step(), weakref.ref(memory["w"])
    del made, memory
    gc.collect()
    assert array() is not None
    binding.results["y"].fill(0)
    binding.steps[0]()
    assert binding.results["y"][0] == 7


CHECK = """
int64_t *x = (int64_t *)run->arena;
for (int64_t i = run->count * t / T; i < run->count * (t + 1) / T; i++)
  if (x[i] < 0 || x[i] >= 3) ax_fault(run, 1, x[i], 3);
"""


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("wrong", [-1, 3, 1 << 40])
def test_an_index_out_of_range_is_told_as_numpy_machines_do(objects: Objects, wrong: int, threads: int) -> None:
    native = machine(objects, CHECK, threads)
    step = Step("check_range", (), (View(0, 0, (N,), (1,)), 3), (("where", "model.axon:2:5"),), 1)
    reference = Machine(replace(native.plan, steps=(step,)))
    x = np.array([0, 2, wrong, 0, 0, 1, 1, 1])
    told = []
    for made in (native, reference):
        with pytest.raises(OutOfRange) as found:
            made.run({"x": x})
        told.append(str(found.value))
    assert told[0] == told[1]
    native.run({"x": np.clip(x, 0, 2)})


def test_of_several_faults_one_is_told_and_a_step_without_a_note_has_no_place(objects: Objects) -> None:
    made = machine(objects, "ax_fault(run, -1, 10 + t, 5); ax_fault(run, 0, 7, 3);", 2)
    with pytest.raises(OutOfRange, match=r"^index 1[01] is outside 0 … 4$"):
        made.step()


def test_a_fault_while_preparing_is_told_and_all_is_done_again(objects: Objects) -> None:
    fault = "if (((int64_t *)run->arena)[0] == 9) ax_fault(run, 0, 9, 3);"
    made = machine(objects, "((int64_t *)run->arena)[8] = run->count;", sizes=fault)
    assert made.run({"x": np.arange(8)})["y"][0] == 8
    with pytest.raises(OutOfRange):
        made.run({"x": np.full(3, 9)}, 3)
    assert made.run({"x": np.arange(8)})["y"][0] == 8


@pytest.mark.parametrize("threads", [1, 2])
def test_steps_are_measured_each_by_itself(objects: Objects, threads: int) -> None:
    text = """
if (t == 0) nanosleep(&(struct timespec){0, 2000000}, 0);
AX_DONE(run, t, 0);
for (int i = 0; i < 2; i++) {
  if (t == T - 1) nanosleep(&(struct timespec){0, 3000000}, 0);
  AX_DONE(run, t, 1);
}
AX_DONE(run, t, 2);
"""
    first, second, third = (Step(name, (), ()) for name in ("first", "second", "third"))
    steps = (first, Loop("i", "n", 2, 1, (second,)), third)
    made = NativeMachine(plan(Code((), driver(text), threads, 4), steps=steps), objects=objects)
    measured = made.measure(repeats=3)
    assert [step for step, _ in measured] == [first, second, third]
    seconds = [s for _, s in measured]
    assert seconds[0] >= 0.002
    assert seconds[1] >= 0.006
    assert seconds[2] < 0.002


def test_small_numbers_stay_what_they_are(objects: Objects) -> None:
    machine(objects, "").step()
    assert np.float32(1e-40) * np.float32(2) > 0
