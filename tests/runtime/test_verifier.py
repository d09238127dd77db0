"""A plan that a file brought is refused, or runs for every number of samples."""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import operator
import random
import warnings
from collections.abc import Iterator
from typing import Any

import axonc
import numpy as np
import pytest
from axonc.runtime.arrays import INSTRUCTIONS
from axonc.runtime.codec import NotAPlan, from_json, to_json
from axonc.runtime.errors import Mistake
from axonc.runtime.machine import BadPlan, Machine
from axonc.runtime.plan import Affine, Attribute, Buffer, Loop, Operand, Plan, Step, View
from axonc.runtime.rules import RULES
from axonc.runtime.verifier import verified
from axonc.saving import metadata

SPECS = (
    """axonc 1
model words(d = 4)
input tokens: i32[N, 5]
input mask: bool[N, 5]
x = tokens |> embedding(7, d) |> gru(d)
y = where(mask, x |> sum(-1), 0.5)
output best = argmax(y, -1)
output order = take_along(y, argsort(y, descending = true), -1)
""",
    """axonc 1
model pixels
input image: f32[N, 6, 6, 2]
x = image |> conv2d(4, 3, activation = relu) |> max_pool2d(2) |> dropout(0.5) |> flatten
output shares = x |> dense(3) |> softmax
output sums = x |> cumsum(-1) |> floor
""",
)
WORDS = (0, -1, 1, 2, 3, 2**70, None, "", "f64", "i64", "bool", "nan", [], {}, True, 0.5, {"N": 1}, {"N": 2, "": -1})
COUNT = Affine(0, (("N", 1),))


def leaves(data: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path to every item of JSON."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from leaves(item, (*path, key))


def changed(text: str, draw: random.Random) -> str:
    """A plan with one or two fields of other numbers, words, or what stands in such a field elsewhere."""
    data, kinds = json.loads(text), fields(text)
    for _ in range(draw.choice((1, 1, 2))):
        alike = draw.choice(kinds)
        (*way, last), (_, found) = draw.choice(alike)[0], draw.choice(alike)
        value = draw.choice((draw.choice(WORDS), found, found, draw.choice(sorted(INSTRUCTIONS))))
        with contextlib.suppress(LookupError, TypeError):  # the first change took this place away
            functools.reduce(operator.getitem, way, data)[last] = copy.deepcopy(value)
    return json.dumps(data)


@functools.cache
def fields(text: str) -> list[list[tuple[tuple[str | int, ...], Any]]]:
    """The places in a plan and what stands there, those of the same names together."""
    data, kinds = json.loads(text), dict[tuple[str, ...], list[tuple[tuple[str | int, ...], Any]]]()
    for path in leaves(data):
        names = tuple(key if isinstance(key, str) else "" for key in path)
        kinds.setdefault(names, []).append((path, functools.reduce(operator.getitem, path, data)))
    return list(kinds.values())


@pytest.mark.parametrize("spec", SPECS, ids=["words", "pixels"])
def test_a_plan_whose_fields_were_changed_is_refused_or_runs(spec: str) -> None:
    text, draw, ran = metadata(axonc.compile(spec), None)["plan"], random.Random(0), 0
    for _ in range(400):
        try:
            plan = verified(from_json(changed(text, draw)))
        except (NotAPlan, BadPlan):
            continue
        with contextlib.suppress(Mistake), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numbers of chance
            machine = Machine(plan)
            for count in {1, 2, plan.rows}:
                machine.run({}, min(count, plan.rows))
        ran += 1
    assert ran > 40


def test_there_is_a_rule_for_each_instruction() -> None:
    assert RULES.keys() == INSTRUCTIONS.keys()


BUFFERS = (
    Buffer("x", "f32", 24),
    Buffer("y", "f32", 24, "arena", 128),
    Buffer("i", "i64", 24, "arena", 256),
    Buffer("t", "bool", 24, "arena", 512),
    Buffer("w", "f32", 2, "constant"),
)


def whole(buffer: int, *shape: Any) -> View:
    """Elements from the first on, row by row."""
    strides = tuple(int(np.prod([n for n in shape[i + 1 :] if isinstance(n, int)])) for i in range(len(shape)))
    return View(buffer, 0, shape, strides)


def plan_of(*steps: Step | Loop, buffers: tuple[Buffer, ...] = BUFFERS) -> Plan:
    return Plan(8, 1024, buffers, (), (), (), (), steps, constants={"w": np.zeros(2, np.float32)})


def step(name: str, write: View, *reads: Operand, **attributes: Attribute) -> Step:
    return Step(name, (write,), reads, tuple(attributes.items()))


X, Y, I, T = (whole(buffer, COUNT, 3) for buffer in range(4))  # noqa: E741
ROW, ONE = whole(0, 3), whole(2)
GOOD = {
    "sum": step("add", Y, X, ROW),
    "number": step("mul", Y, X, 0.5),
    "sums": step("reduce_sum", whole(1, COUNT), X, axes=(1,)),
    "product": step("matmul", whole(1, COUNT, 2), X, whole(0, 3, 2)),
    "rows": step("take", whole(1, 4, 3), X, whole(2, 4), axis=0),
    "choice": step("select", Y, T, X, 0.0),
    "backwards": step("copy", Y, View(0, Affine(-1, (("N", 3),)), (COUNT, 3), (-3, -1))),
}
BAD = {
    "an operand too many": step("neg", Y, X, X),
    "no operand": step("neg", Y),
    "two results": Step("neg", (Y, Y), (X,)),
    "an attribute missing": step("reduce_sum", whole(1, COUNT), X),
    "an axis outside": step("reduce_sum", whole(1, COUNT), X, axes=(2,)),
    "an axis of text": step("argmax", whole(2, COUNT), X, axis="1"),
    "another element type": step("add", I, X, X),
    "bits of floats": step("xor", Y, X, X),
    "shapes that differ": step("add", Y, X, whole(0, 2)),
    "a shape that is right for 8 samples": step("add", Y, X, whole(0, 8, 3)),
    "rows that differ": step("matmul", whole(1, COUNT, 2), X, whole(0, 4, 2)),
    "a position of floats": step("take", whole(1, 4, 3), X, whole(0, 4), axis=0),
    "a condition of numbers": step("select", Y, X, X, 0.0),
    "a number beyond its type": step("fill", I, value=float("inf")),
    "a text for a number": step("fill", Y, value="1"),
    "beyond the end": step("neg", Y, View(0, 1, (COUNT, 3), (3, 1))),
    "before the beginning": step("copy", Y, View(0, Affine(-2, (("N", 3),)), (COUNT, 3), (-3, -1))),
    "beyond the end in the last turn": Loop(
        "i", "n", COUNT, 3, (step("neg", Y, View(0, Affine(0, (("i", 4),)), (), ())),)
    ),
    "a constant that is written": step("fill", whole(4, 2), value=1.0),
    "more results than places": step("fill", View(1, 0, (25,), (0,)), value=1.0),
    "fewer than no rows": step("neg", View(1, 0, (Affine(-4, (("N", 1),)), 3), (3, 1)), ROW),
    "no element to be the greatest": step("reduce_max", whole(1, 2), whole(0, 2, 0), axes=(1,)),
    "a register not yet made": step("scalars", whole(1), constants=(1.0,), program=(("neg", 1),), results=(1,)),
}


@pytest.mark.parametrize("good", GOOD.values(), ids=GOOD)
def test_a_step_whose_operands_belong_together_runs(good: Step) -> None:
    machine = Machine(verified(plan_of(good)))
    for count in range(1, 9):
        machine.run({}, count)


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_step_that_cannot_run_is_refused(bad: Step | Loop) -> None:
    with pytest.raises(BadPlan, match="expected"):
        verified(from_json(to_json(plan_of(bad))))


def test_a_loop_reaches_its_last_turn_and_no_further() -> None:
    def stretch(step_: int) -> Plan:
        places = View(0, Affine(0, (("i", step_),)), (Affine(0, (("n", 1),)), 3), (step_, 1))
        return plan_of(Loop("i", "n", COUNT, 3, (step("neg", places, places),)))

    Machine(verified(stretch(3))).run({}, 8)
    with pytest.raises(BadPlan, match="24 elements of 'x'"):
        verified(stretch(4))


def test_positions_that_a_plan_does_not_check_are_refused_when_they_are_outside() -> None:
    for name, reads in (("scatter_add", (I, whole(0, COUNT, 3))), ("add_along", (I, X))):
        target = whole(1, 2) if name == "scatter_add" else Y
        machine = Machine(
            verified(
                plan_of(
                    step("fill", I, value=9), step(name, target, *reads, **{} if name == "scatter_add" else {"axis": 1})
                )
            )
        )
        with pytest.raises(axonc.InputError) as found:
            machine.run({}, 2)
        assert found.value.code == "index-out-of-range"


@pytest.mark.parametrize("buffer", [Buffer("x", "f32", 24, "arena", 2), Buffer("w", "f32", 3, "constant")])
def test_a_buffer_lies_at_a_multiple_of_its_elements_and_a_constant_is_as_large_as_it_says(buffer: Buffer) -> None:
    with pytest.raises(BadPlan):
        verified(plan_of(buffers=(buffer,)))
