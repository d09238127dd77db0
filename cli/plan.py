"""`axonc plan`: a spec -> what each training step computes, forward beside backward, or one stage of compiling it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..compiler.devices import DEVICES
from .options import allow_option, examples, set_option, size_option

if TYPE_CHECKING:
    from ..compiler.ir.graph import Graph
    from ..compiler.pipeline import Stages
    from ..compiler.prediction import Prediction
    from ..compiler.schedule.target import Target
    from ..specification import Specification

STAGES = ("spec", "graph", "gradient", "schedule", "plan", "c", "cuda")
PHASES = ("train", "evaluate", "predict", "step")


@click.command(
    epilog=examples(
        "axonc plan net.axon",
        "axonc plan net.axon --format html --output plan.html",
        "axonc plan net.axon --stage gradient --set hidden=16",
        "axonc plan translate.axon --size S=20 --size T=20 --rows 8",
        "axonc plan net.axon --device h100 --rows 256",
    )
)
@click.argument("spec")
@click.option("--stage", type=click.Choice(STAGES), help="Show one stage of compiling instead.")
@click.option("--format", "form", type=click.Choice(("text", "json", "html")), default="text", show_default=True)
@click.option(
    "--phase", type=click.Choice(PHASES), help="Default: train, if there is a loss, else predict; step: one more token."
)
@click.option("--rows", type=click.IntRange(1), help="How many samples a step takes; default: the batch of the data.")
@click.option("--device", type=click.Choice(tuple(DEVICES)), help="Predict the time and memory on this GPU as well.")
@click.option("--all", "unfolded", is_flag=True, help="Show every turn of what repeats.")
@click.option("--output", type=click.Path(), help="Write there instead of to standard output.")
@set_option
@allow_option
@size_option
def command(
    spec: str,
    stage: str | None,
    form: str,
    phase: str | None,
    rows: int | None,
    device: str | None,
    unfolded: bool,
    output: str | None,
    overrides: dict[str, str],
    allowed: tuple[str, ...],
    sizes: dict[str, int],
) -> None:
    """Show what a spec computes, before anything runs.

    For each line of the spec: its forward steps, and beside them the backward steps that belong to it, with formulas,
    shapes, floating-point operations, bytes moved and the place of each result in memory; then the update of the
    weights, and the totals. The memory is exact: it is what training will take.

    With a device there follows a prediction for it, kernel by kernel, with what it assumes: it is calculated from
    published figures, and nothing runs.

    The stages are the spec in canonical form, the graph of the forward pass, the graph with its gradients, the
    schedule of kernels over windows of buffers, the instructions that run, the C of the native backend: kernels under
    the formulas and lines they come from, then the driver that calls them, for a processor with AVX-512; and the CUDA
    of the kernels that a GPU runs, and the products that cuBLAS computes there.
    """
    if device and stage:
        raise click.UsageError("a stage is the same for every device; `--device` is for the whole plan")
    if form == "html" and stage:
        raise click.UsageError("a stage is shown as text or JSON; HTML shows the whole plan")
    from ..specification import check

    specification = check(spec, overrides=overrides, sizes=sizes, allowed=allowed)
    chosen = phase or ("train" if specification.phases.traced["train"].losses else "predict")
    count = rows or (specification.recipe.batch if specification.recipe else 32)
    text = (
        _stage(specification, stage, chosen, count, form)
        if stage
        else _view(specification, chosen, count, form, device, unfolded=unfolded, painted=output is None)
    )
    if output is None:
        click.echo(text, nl=not text.endswith("\n"))
        return
    from ..runtime.files import replace

    replace(Path(output), [text.encode()])


def _view(
    specification: Specification,
    phase: str,
    rows: int,
    form: str,
    device: str | None,
    *,
    unfolded: bool,
    painted: bool,
) -> str:
    from ..compiler.explain import explain
    from . import screen

    stages = compiled(specification, _graph(specification, phase), rows)
    found = explain(stages, specification.phases.ranges, rows=rows, update=specification.training.place)
    tf32 = phase == "train" and specification.training.tf32
    prediction = _predicted(_graph(specification, phase), rows, device, tf32=tf32) if device else None
    if form == "json":
        from .plan_json import render as render_json

        return render_json(specification, phase, found, prediction)
    if form == "html":
        from .plan_html import render as render_html

        return render_html(specification, phase, found, prediction)
    from .plan_text import View

    colour = painted and screen.is_colourful(sys.stdout)
    columns = screen.width() if painted else screen.PIPE_WIDTH
    text = View(specification, phase, found, columns=columns, colour=colour, unfolded=unfolded).text()
    if prediction is None:
        return text
    from .plan_device import lines

    return text + "".join(f"{line.rstrip()}\n" for line in lines(prediction, columns, unfolded=unfolded))


def _predicted(graph: Graph, rows: int, device: str, *, tf32: bool) -> Prediction:
    """What the graph would take on a device, for so many samples."""
    from ..compiler.ir import dims
    from ..compiler.ir.rewrite import bind
    from ..compiler.prediction import predict
    from ..runtime.cupy import nvrtc

    batch = batch_of(graph)
    named = bind(graph, {batch: dims.name("N")}) if batch not in ("", "N") else graph
    return predict(named, DEVICES[device], rows, tf32=tf32, compiler=nvrtc.uses if nvrtc.found() else None)


def _stage(specification: Specification, stage: str, phase: str, rows: int, form: str) -> str:
    """One stage as text, or that text in JSON; the plan in JSON is complete."""
    if stage == "plan" and form == "json":
        from ..runtime.codec import to_json

        return to_json(compiled(specification, _graph(specification, phase), rows).plan)
    text = _stage_text(specification, stage, phase, rows)
    if form == "json":
        import json

        return json.dumps({"stage": stage, "phase": phase, "text": text}, indent=2)
    return text


def _stage_text(specification: Specification, stage: str, phase: str, rows: int) -> str:
    from ..compiler.ir.text import write as write_graph
    from ..spec.write import write as write_spec
    from .plan_instructions import lines

    phases = specification.phases
    match stage:
        case "spec":
            return write_spec(specification.model, "axon")
        case "graph":
            return write_graph(phases.forward if phase == "train" else _graph(specification, phase), places=True)
        case "gradient":
            return write_graph(phases.gradients, places=True)
    if stage == "c":
        return _c_text(specification, phase, rows)
    if stage == "cuda":
        return _cuda_text(specification, phase, rows)
    stages = compiled(specification, _graph(specification, phase), rows)
    return f"{stages.schedule}\n" if stage == "schedule" else "".join(f"{line}\n" for line in lines(stages.plan))


def _c_text(specification: Specification, phase: str, rows: int) -> str:
    """Every kernel of the native backend, and the driver; no compiler is needed to see them."""
    from ..compiler.native.sources import KERNELS
    from ..compiler.schedule.target import native

    code = compiled(specification, _graph(specification, phase), rows, native()).plan.code
    assert code is not None
    kernels = (unit[unit.index(KERNELS) + len(KERNELS) :] for unit in (*code.units, code.light) if unit)
    return "".join((*kernels, code.driver))


def _cuda_text(specification: Specification, phase: str, rows: int) -> str:
    """Every kernel that a GPU runs, each once, and the products of cuBLAS; neither is needed to see them."""
    from ..compiler.native.sources import KERNELS
    from ..compiler.schedule.target import CUPY
    from .plan_instructions import products

    target = CUPY._replace(tf32=phase == "train" and specification.training.tf32)
    plan = compiled(specification, _graph(specification, phase), rows, target).plan
    kernels = "\n".join(unit.text[unit.text.index(KERNELS) + len(KERNELS) :] for unit in plan.units)
    return kernels + "".join(f"{line}\n" for line in products(plan))


def _graph(specification: Specification, phase: str) -> Graph:
    phases = specification.phases
    match phase:
        case "train":
            return phases.train
        case "evaluate":
            return phases.evaluate
        case "step":
            return _step(specification)
    return phases.predict


def _step(specification: Specification) -> Graph:
    """What one more token takes, for texts of the limit of the spec."""
    from ..compiler.ir.rewrite import bind
    from ..runtime.generation.request import LIMIT

    growth = specification.growth
    if growth is None:
        raise click.UsageError("the spec does not say how it writes: it has no `generate` section")
    graph = growth.steps().step
    return bind(graph, {growth.length: growth.section.limit or LIMIT}) if growth.length else graph


def compiled(specification: Specification, graph: Graph, rows: int, target: Target | None = None) -> Stages:
    """The graph compiled for at most `rows` samples, or for exactly as many where one plan cannot serve fewer."""
    from ..compiler.memory import NotAffine
    from ..compiler.pipeline import NUMPY, compile_stages

    batch = batch_of(graph)
    if free := free_sizes(graph):
        given = " ".join(f"--size {n}=16" for n in free)
        raise click.UsageError(f"no data binds the sizes {', '.join(free)}; give each a number, such as {given}")
    sizes = {} if batch in ("N", "") else {batch: rows}
    target = target or NUMPY
    try:
        return compile_stages(graph, rows=rows, sizes=sizes, target=target)
    except NotAffine:
        return compile_stages(graph, rows=rows, sizes={**sizes, "N": rows}, target=target)


def free_sizes(graph: Graph) -> list[str]:
    """The names of dimensions that have no number yet, the batch aside."""
    from ..compiler.ir import dims

    return sorted({n for i in graph.inputs for s in i.shape for n in dims.names(s)} - {batch_of(graph), "N"})


def batch_of(graph: Graph) -> str:
    """The name of the first dimension of what data give; empty if it is a number."""
    from ..compiler.ir.graph import DATA, TARGET, Input

    shapes = [n.shape for n in graph.inputs if isinstance(n.op, Input) and n.op.role in (DATA, TARGET)]
    return next((str(shape[0]) for shape in shapes if shape and not isinstance(shape[0], int)), "")
