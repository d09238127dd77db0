"""At which stage a value is known."""

from axonc.compiler.ir.graph import Graph
from axonc.compiler.ir.text import read
from axonc.compiler.passes.stages import Stage, stages

TEXT = """
%x = input("x", "data", f32[N, 3])
%w = input("w", "parameter", f32[3, 3])
%mean = input("mean", "state", f32[3])
%seen = input("seen", "state", f32[3])
%rate = input("rate", "control", f32[])
%two = literal(2.0, f32)
%four = square(%two)
%count = size(N, f32)
%share = div(%two, %count)
%rows = expand(%two, shape=[N, 3])
%doubled = mul(%w, %two)
%shifted = add(%doubled, %mean)
%moved = add(%seen, %mean)
%y = matmul(%x, %shifted)
%step = mul(%two, %rate)
return y=%y, share=%share, rows=%rows, four=%four, step=%step
update seen=%moved
"""


def by_name(graph: Graph) -> dict[str, Stage]:
    return {n.name: stage for n, stage in stages(graph).items()}


def test_a_value_is_known_when_the_latest_of_what_it_depends_on_is() -> None:
    found = by_name(read(TEXT))
    assert found["two"] == found["four"] == Stage.CONSTANT
    assert found["count"] == found["share"] == found["rows"] == Stage.COUNT
    assert found["w"] == found["doubled"] == found["shifted"] == Stage.PREPARED
    assert found["x"] == found["y"] == found["rate"] == found["step"] == Stage.STEP


def test_state_is_prepared_unless_the_graph_updates_it() -> None:
    found = by_name(read(TEXT))
    assert found["mean"] == Stage.PREPARED
    assert found["seen"] == found["moved"] == Stage.STEP


def test_parameters_that_a_step_updates_are_known_in_the_step_only() -> None:
    found = by_name(read(TEXT + "update w=%doubled\n"))
    assert found["w"] == found["doubled"] == Stage.STEP
