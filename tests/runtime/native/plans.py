"""Plans with C text written by hand."""

from __future__ import annotations

from axonc.runtime.plan import Affine, Buffer, Code, Loop, Note, Plan, Port, Step, View

N = Affine(0, (("N", 1),))
ENTRY = """
static void (*const phases[])(struct ax_run *, int) = {sizes, prepare, steps};
int ax_phase(struct ax_run *run, int phase) {
  ax_start(run, phases[phase]);
  return run->fault[0] != 0;
}
"""


def driver(steps: str, *, sizes: str = "", prepare: str = "", before: str = "") -> str:
    """A driver whose phases are what these lines do in thread `t` of `T`."""
    phases = {"sizes": sizes, "prepare": prepare, "steps": steps}
    functions = (
        f"static void {name}(struct ax_run *run, int t) {{ const int T = (int)run->threads;\n{lines}\n}}\n"
        for name, lines in phases.items()
    )
    return "\n".join((before, *functions, ENTRY))


def plan(
    code: Code, *, rows: int = 8, named: tuple[Buffer, ...] = (), steps: tuple[Step | Loop, ...] = (), **others: object
) -> Plan:
    """x, of i64 and a number for each sample, at 0 of the arena, and y likewise at `8 · rows`; then what is named."""
    buffers = (Buffer("x", "i64", rows), Buffer("y", "i64", rows, "arena", 8 * rows), *named)
    x, y = (Port(name, View(i, 0, (N,), (1,)), "i64") for i, name in enumerate("xy"))
    notes = (Note("a", "model.axon:1:1"), Note("b", "model.axon:2:5"))
    return Plan(rows, 16 * rows, buffers, (x,), (y,), (), (), steps, notes, code=code, **others)  # type: ignore[arg-type]
