"""Plans survive being written and read; texts that are no plans are refused, and no view leaves its buffer."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from axonc.runtime.codec import NotAPlan, from_json, to_json
from axonc.runtime.machine import BadPlan, Machine
from axonc.runtime.plan import Affine, Buffer, Loop, Note, Plan, Port, Step, View

ALL = Affine(0, (("N", 1),))


def row(buffer: int, size: Any = ALL, offset: Any = 0) -> View:
    return View(buffer, offset, (size,), (1,))


def doubling() -> Plan:
    """y = x + x + 0.5 + w over at most 8 numbers, the last step in a loop of stretches of 3."""
    buffers = (Buffer("x", "f32", 8), Buffer("y", "f32", 8, "arena", 64), Buffer("w", "f32", 1, "named"))
    stretch = View(1, Affine(0, (("i", 1),)), (Affine(0, (("n", 1),)),), (1,))
    steps: tuple[Step | Loop, ...] = (
        Step("add", (row(1),), (row(0), row(0)), (), 0),
        Step("add", (row(1),), (row(1), 0.5)),
        Loop("i", "n", Affine(0, (("N", 1),)), 3, (Step("add", (stretch,), (stretch, row(2, 1))),)),
    )
    ports = Port("x", row(0), "f32"), Port("y", row(1), "f32")
    return Plan(8, 128, buffers, ports[:1], ports[1:], (), (), steps, (Note("x + x", "a.axon:1:2"),))


@pytest.mark.parametrize("count", [1, 3, 8])
def test_a_plan_runs_the_same_after_being_written_and_read(count: int) -> None:
    plan = doubling()
    again = from_json(to_json(plan))
    assert again == plan
    x = np.arange(count, dtype=np.float32)
    for each in (plan, again):
        memory = {"w": np.ones(1, np.float32)}
        np.testing.assert_array_equal(Machine(each, memory).run({"x": x}, count)["y"], 2 * x + 1.5)


def test_numbers_that_json_lacks_are_kept() -> None:
    plan = doubling()
    step = Step("fill", (row(1),), (), (("value", -float("inf")), ("axes", (1, (2.5, "a")))))
    again = from_json(to_json(Plan(8, 128, plan.buffers, (), (), (step,), (), ())))
    assert again.sizes == (step,)


WRONG = [
    ("version", 2, "version 1"),
    ("rows", -1, "no negative"),
    ("arena", 64, "ends before 64"),
    ("steps.0.do", "system", "an instruction"),
    ("steps.0.reads.0.0", 3, "one of 3 buffers"),
    ("steps.0.reads.0.0", True, "a whole number"),
    ("steps.0.reads.0.2", [1, 2], "a stride for each axis"),
    ("steps.0.note", 1, "one of 1 notes"),
    ("steps.2.for", "N", "new symbols"),
    ("steps.2.chunk", 0, "whole chunks"),
    ("steps.0.writes.0.1", {"": 0, "i": 1}, "a symbol among N"),
    ("buffers.0.1", "object", "an element type"),
    ("buffers.0.4", 1 << 70, "a whole number"),
    ("buffers.0.3", "constant", "a constant that is there"),
    ("extra", 1, "the fields"),
]


@pytest.mark.parametrize(("path", "value", "expected"), WRONG, ids=[w[0] for w in WRONG])
def test_what_is_no_plan_is_refused(path: str, value: object, expected: str) -> None:
    data = json.loads(to_json(doubling()))
    *way, last = path.split(".")
    at = data
    for key in way:
        at = at[int(key) if isinstance(at, list) else key]
    at[int(last) if isinstance(at, list) else last] = value
    with pytest.raises(NotAPlan, match=expected):
        from_json(json.dumps(data))


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(NotAPlan):
        from_json(text)


@pytest.mark.parametrize(
    "view", [row(1, 9), row(1, 8, 1), row(1, 8, -1), View(1, 0, (8,), (-1,)), View(1, 7, (2,), (1,))]
)
def test_a_view_that_leaves_its_buffer_is_refused_when_bound(view: View) -> None:
    plan = doubling()
    bad = Plan(8, 128, plan.buffers, plan.inputs, plan.results, (), (), (Step("fill", (view,), (), (("value", 1),)),))
    with pytest.raises(BadPlan):
        Machine(from_json(to_json(bad))).binding(8)


def test_a_view_may_run_backwards_inside_its_buffer() -> None:
    plan = doubling()
    step = Step("copy", (View(1, 7, (8,), (-1,)),), (row(0, 8),))
    made = Machine(Plan(8, 128, plan.buffers, plan.inputs, plan.results, (), (), (step,)))
    np.testing.assert_array_equal(made.run({"x": np.arange(8)})["y"], np.arange(8)[::-1])
