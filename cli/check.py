"""`axonc check`: specs -> every mistake in them, or what each is, on one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .options import allow_option, examples, machine_option, set_option, size_option

if TYPE_CHECKING:
    from ..runtime.errors import Mistake
    from ..spec import tree
    from ..spec.source import Diagnostic, Span
    from ..specification import Specification


@click.command(
    epilog=examples(
        "axonc check net.axon",
        "axonc check --set hidden=128 net.yaml",
        "axonc check --json specs/*.axon",
    )
)
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@set_option
@allow_option
@size_option
@machine_option
def command(
    specs: tuple[str, ...],
    overrides: dict[str, str],
    allowed: tuple[str, ...],
    sizes: dict[str, int],
    machine: bool,
) -> int:
    """Report every mistake in specs, or what each of them is.

    A spec without mistakes is one line: its name, how many numbers it trains, its inputs and its outputs. Data that
    the spec names are looked at as far as their sizes matter; where they are missing, that is a warning.
    """
    from .failure import DATA, SPEC, WELL, print_json

    findings = [Finding(path, overrides=overrides, allowed=allowed, sizes=sizes) for path in specs]
    if machine:
        wrong = any(f.errors for f in findings)
        print_json({"ok": not wrong, "specs": [f.as_json() for f in findings]})
    else:
        for finding in findings:
            finding.show()
        _conclude(findings)
    errors = [d for f in findings for d in f.errors]
    return SPEC if any(f.specification is None for f in findings) else DATA if errors else WELL


class Finding:
    """What checking one spec found: a specification, or mistakes, or a specification whose data are at fault."""

    def __init__(self, path: str, **given: Any) -> None:
        from ..spec.source import CompileError
        from ..specification import check

        self.path = path
        self.specification: Specification | None = None
        self.diagnostics: tuple[Diagnostic, ...] = ()
        try:
            specification = check(path, **given)
            if not is_library(specification):
                _ = specification.phases.predict
            if specification.phases.traced["train"].losses:
                _ = specification.phases.gradients  # what cannot be differentiated is a mistake too
        except CompileError as error:
            self.diagnostics = error.diagnostics
        else:
            self.specification = specification
            self.diagnostics = (*_about_data(specification), *_about_writing(specification), *specification.warnings)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(d for d in self.diagnostics if d.severity == "error")

    def show(self) -> None:
        """Mistakes on stderr, the line of a spec without mistakes on stdout."""
        from ..spec.render import escape
        from .failure import show

        if self.diagnostics:
            show(self.diagnostics)
        if self.specification and not self.errors:
            click.echo(escape(f"{self.path}: {summary(self.specification)}"))

    def as_json(self) -> dict[str, Any]:
        from ..spec.render import as_json

        found: dict[str, Any] = {"file": self.path, "ok": not self.errors}
        if self.specification:
            found |= facts(self.specification)
        return found | {"diagnostics": [as_json(d) for d in self.diagnostics]}


def _about_data(specification: Specification) -> list[Diagnostic]:
    """What is wrong with the data, at the line that names them; data that are not there yet are a warning."""
    from ..runtime.errors import FileError
    from .data_errors import DataAtFault, DataMissing

    problem, data = specification.problem, specification.model.data
    if problem is None or data is None or data.source is None:
        return []
    from ..spec.source import Place

    place = Place(_named(data, problem) or data.source.span)
    if isinstance(problem, FileError) and problem.code == "no-such-file":
        return [DataMissing(place, data.source.value, problem.help)]
    return [DataAtFault(place, problem.code, f"{problem.where}: {problem.problem}", problem.help)]


def _named(data: tree.Data, problem: Mistake) -> Span | None:
    """Where the section names the column that is at fault."""
    from ..compiler.trace.naming import parts
    from ..spec.tree import Name, Text

    column = getattr(problem, "column", None)
    for part in parts(tuple(binding.value for binding in data.bindings)):
        match part:
            case Name(text=text) | Text(value=text) if text == column:
                return part.span
    return None


def _about_writing(specification: Specification) -> list[Diagnostic]:
    """What makes writing slow."""
    warning = specification.growth.warning if specification.growth else None
    return [warning] if warning else []


def is_library(specification: Specification) -> bool:
    """Whether a file only has blocks for others to include."""
    model = specification.model
    return bool(model.blocks) and not model.inputs and not model.body


def summary(specification: Specification) -> str:
    """`digits, 8,970 parameters, image f32[N, 8, 8] -> logits f32[N, 10]`."""
    if is_library(specification):
        blocks = ", ".join(block.name.text for block in specification.model.blocks)
        return f"a library of blocks: {blocks}"
    found = facts(specification)
    inputs, outputs = (", ".join(f"{n} {t}" for n, t in found[key].items()) for key in ("inputs", "outputs"))
    count = found["parameters"]
    shown = f"{count:,}" if isinstance(count, int) else count
    noun = "parameter" if count == 1 else "parameters"
    return f"{specification.name}, {shown} {noun}, {inputs} -> {outputs}"


def facts(specification: Specification) -> dict[str, Any]:
    """Name, number of parameters (a text where a dimension is free), types of the inputs and outputs of predict; of
    a library its blocks."""
    from ..compiler.ir.graph import Input

    if is_library(specification):
        return {"blocks": [block.name.text for block in specification.model.blocks]}
    graph = specification.phases.predict
    count = specification.parameter_count
    data = [n for n in graph.inputs if isinstance(n.op, Input) and n.op.role == "data"]
    return {
        "name": specification.name,
        "parameters": count if isinstance(count, int) else str(count),
        "inputs": {n.name: str(n.type) for n in data},
        "outputs": {name: str(n.type) for name, n in graph.results},
    }


def _conclude(findings: list[Finding]) -> None:
    count = sum(len(f.errors) for f in findings)
    if count:
        wrong = sum(bool(f.errors) for f in findings)
        files = f" in {wrong} of {len(findings)} files" if len(findings) > 1 else ""
        click.echo(f"{count} {'mistake' if count == 1 else 'mistakes'}{files}", err=True)
