"""A plan -> its buffers and instructions, one a line; of one for a GPU the products that cuBLAS computes."""

from __future__ import annotations

from collections.abc import Iterator

from ..runtime.plan import Affine, Extent, Gemm, Loop, Matrix, Operand, Plan, Step, View


def lines(plan: Plan) -> Iterator[str]:
    """Buffers with their bytes, then what is done when the count changes, when weights change, and at every run."""
    yield f"plan for {plan.target}, at most {plan.rows} samples, arena of {plan.arena:,} bytes"
    yield ""
    for i, buffer in enumerate(plan.buffers):
        where = f"arena+{buffer.offset}" if buffer.home == "arena" else buffer.home
        yield f"b{i} = {buffer.dtype}[{buffer.size}] {where}  # {buffer.name}"
    for kind, ports in (("input", plan.inputs), ("result", plan.results)):
        for port in ports:
            yield f"{kind} {port.name} = {_view(port.view)}"
    for title, items in (("sizes", plan.sizes), ("prepare", plan.prepare), ("steps", plan.steps)):
        yield ""
        yield f"{title}:"
        yield from _items(plan, items, "  ")


def products(plan: Plan) -> Iterator[str]:
    """The calls of cuBLAS in the order in which they run, under the formulas and lines that they come from."""
    from ..compiler.native.driver import clean

    calls = [(step, step.launch) for step in plan.walk() if isinstance(step.launch, Gemm)]
    if calls:
        yield ""
        yield "/* cuBLAS: matrices lie column by column, so that ours are turned; their columns lie ld apart. */"
    for step, gemm in calls:
        note = plan.notes[step.note]
        yield f"/* {clean(f'{note.formula}, {note.place}')} */"
        yield _gemm(plan, gemm)


def _gemm(plan: Plan, gemm: Gemm) -> str:
    """`gemm f32 [10, 64] @ [64, N]: b3 ld 10 = b1 ld 64 turned @ b0 ld 64`."""
    m, n, k = map(extent, (gemm.m, gemm.n, gemm.k))
    count = "" if gemm.batch == 1 else f"{extent(gemm.batch)} times "
    c, a, b = map(_matrix, (gemm.c, gemm.a, gemm.b))
    kind = "tf32" if gemm.tf32 else plan.buffers[gemm.c.view.buffer].dtype
    return f"gemm {kind} {count}[{m}, {k}] @ [{k}, {n}]: {c} = {a} @ {b}"


def _matrix(x: Matrix) -> str:
    offset = f"+{extent(x.view.offset)}" if x.view.offset != 0 else ""
    step = f" step {extent(x.step)}" if x.step else ""
    return f"b{x.view.buffer}{offset} ld {extent(x.leading)}{step}{' turned' if x.turned else ''}"


def _items(plan: Plan, items: tuple[Step | Loop, ...], indent: str) -> Iterator[str]:
    note = -1
    for item in items:
        if isinstance(item, Loop):
            turn = " reversed" if item.reverse else ""
            yield f"{indent}for {item.start} in {extent(item.extent)} by {item.chunk}{turn}:"
            yield from _items(plan, item.body, indent + "  ")
            continue
        if item.note not in (note, -1):
            yield f"{indent}# {plan.notes[item.note].place}"
        note = item.note
        writes, reads = ", ".join(map(_view, item.writes)), ", ".join(map(_operand, item.reads))
        attributes = "".join(f" {n}={v}" for n, v in item.attributes)
        yield f"{indent}{writes} = {item.instruction}({reads}){attributes}"


def _operand(operand: Operand) -> str:
    if isinstance(operand, View):
        return _view(operand)
    return extent(operand) if isinstance(operand, Affine) else str(operand)


def _view(view: View) -> str:
    """`b3+64[N:10, 10:1]`: buffer, offset, extents with their strides."""
    offset = f"+{extent(view.offset)}" if view.offset != 0 else ""
    axes = ", ".join(f"{extent(n)}:{extent(s)}" for n, s in zip(view.shape, view.strides, strict=True))
    return f"b{view.buffer}{offset}[{axes}]"


def extent(value: Extent) -> str:
    """`N`, `2N + 1`, `64`."""
    if not isinstance(value, Affine):
        return str(value)
    terms = [f"{'' if factor == 1 else factor}{symbol}" for symbol, factor in value.terms]
    return " + ".join([*terms, *([str(value.constant)] if value.constant or not terms else [])])
