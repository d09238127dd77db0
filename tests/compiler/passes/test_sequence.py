"""Passes one after another, watched, and on bodies too."""

from axonc.compiler.ir.graph import Graph
from axonc.compiler.ir.text import read, write
from axonc.compiler.ops.scan import Scan
from axonc.compiler.passes.sequence import run
from axonc.compiler.passes.simplify import simplify
from axonc.compiler.passes.unused import drop_unused

LOOP = """
%h = input("h", "data", f32[2])
%x = input("x", "data", f32[2, 5])
%2 = scan(%h, %x, body={
  %h = input("h", "data", f32[2])
  %x = input("x", "data", f32[2])
  %zero = literal(0.0, f32)
  %a = add(%h, %zero)
  %b = add(%a, %x)
  %c = neg(%b)
  return h=%b
}, carries=1, slices=1)
%last = item(%2, index=0)
return last=%last
"""


def test_the_watch_is_told_each_pass_by_name_with_what_it_made_and_its_seconds() -> None:
    told: list[tuple[str, Graph, float]] = []
    graph = read(LOOP)
    after = run(graph, [drop_unused, simplify], lambda *what: told.append(what))
    assert [name for name, _, _ in told] == ["drop_unused", "simplify"]
    assert told[-1][1] is after
    assert all(seconds >= 0 for _, _, seconds in told)


def test_passes_work_on_bodies_and_leave_their_inputs() -> None:
    after = run(read(LOOP), [simplify])
    (op,) = (n.op for n in after.nodes if isinstance(n.op, Scan))
    assert write(op.body) == (
        '%h = input("h", "data", f32[2])\n%x = input("x", "data", f32[2])\n%b = add(%h, %x): f32[2]\nreturn h=%b\n'
    )


def test_a_graph_with_nothing_to_do_is_given_back_as_it_is() -> None:
    once = run(read(LOOP), [simplify])
    assert run(once, [simplify, drop_unused]) is once
