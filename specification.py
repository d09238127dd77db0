"""A spec, checked: everything that is known of it before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .compiler.budget import check_claims, parameter_count
from .compiler.garbage import without_collection
from .compiler.generation.section import Generation, generation
from .compiler.groups import Origin, changes, grouped
from .compiler.ir import dims
from .compiler.ir.dims import Size
from .compiler.ir.evaluate import read_shape
from .compiler.ir.graph import Input, Node
from .compiler.ops.layout import Slice
from .compiler.parameters import Range, layout
from .compiler.phases import Phases
from .compiler.trace import errors
from .compiler.trace.branches import check_unused_blocks
from .compiler.trace.errors import NothingLearned
from .compiler.trace.model import Traced, declare, merge_reports, trace, trace_phases
from .compiler.trace.tracer import LIMIT, Initial, Tracer, Variable, is_unknown
from .compiler.training.settings import Training, check_training, training
from .runtime.errors import DataError, FileError, InputError
from .spec import tree
from .spec.load import load, parse_override, read
from .spec.record import Record
from .spec.record import replace as replace_record
from .spec.source import CompileError, Diagnostic, Source

if TYPE_CHECKING:
    from .compiler.generation.growth import Growth
    from .compiler.trace.scope import Scope
    from .runtime.data.recipe import Recipe
    from .runtime.data.values import Field

BATCH = 32  # samples of a step where no data says otherwise


class Specification(Record):
    """A model without mistakes: its phases, its weights, its data and how it is trained.

    `sizes` are the dimensions that data or the caller bound; `problem` is why the data could not be looked at, if so.
    `sources` are all texts that it was read from, its own first; none where that is not known. Files are read from
    `folder` and from those in `allowed`; `warnings` say what could not be checked.
    """

    model: tree.Model
    source: Source
    folder: Path
    phases: Phases
    parameters: Mapping[str, Variable]
    states: Mapping[str, Variable]
    initials: Mapping[str, Initial]
    origins: Mapping[str, Origin]
    recipe: Recipe | None
    sizes: Mapping[str, int]
    problem: DataError | FileError | None
    overrides: Mapping[str, tree.Expression]
    generation: Generation | None
    sources: tuple[Source, ...]
    allowed: tuple[Path, ...]
    warnings: tuple[Diagnostic, ...]

    @property
    def training(self) -> Training:
        return self.phases.training

    @property
    def ranges(self) -> tuple[Range, ...]:
        return self.phases.ranges

    @property
    def batch(self) -> int:
        """How many samples a step takes."""
        return self.recipe.batch if self.recipe else BATCH

    @property
    def name(self) -> str:
        return self.model.name.text if self.model.name else "model"

    @property
    def rendered(self) -> tree.Model:
        """The model as it is trained: overrides in place of constants, and what was included written out."""
        constants = tuple(
            replace_record(c, value=self.overrides.get(c.name.text, c.value)) for c in self.model.constants
        )
        return replace_record(self.model, constants=constants, includes=())

    @property
    def parameter_count(self) -> Size:
        """How many numbers are trained or frozen; a size where a dimension is free."""
        return parameter_count(self.ranges)

    @cached_property
    def growth(self) -> Growth | None:
        """How the model writes, where its `generate` section says so."""
        if self.generation is None:
            return None
        from .compiler.generation.growth import growth  # loads NumPy, which other specs are checked without

        return growth(self.generation, self.model, self._freed, self.phases.used)

    def _freed(self, name: str | None) -> Traced:
        """The predict phase with the size of that name free."""
        if name not in self.sizes:
            return self.phases.traced["predict"]
        sizes = {n: size for n, size in self.sizes.items() if n != name}
        return trace(self.model, "predict", overrides=self.overrides, sizes=sizes)


def check(
    spec: str | Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    sizes: Mapping[str, int] | None = None,
    folder: Path | None = None,
    allowed: Sequence[str | Path] = (),
    limit: int = LIMIT,
) -> Specification:
    """The specification in a file, or in a text. Raises CompileError with every mistake that was found.

    `overrides` replace constants, `sizes` give numbers to dimensions that no data binds, `folder` is where the data
    lie if not beside the spec, `allowed` are folders whose files may be read besides, and `limit` is the number of
    expressions after which an expanded spec is too large.
    """
    source, home = _source(spec)
    more_folders = tuple(map(Path, allowed))
    given: dict[str, Any] = {"overrides": _parsed(overrides or {}), "sizes": sizes}
    given |= {"allowed": more_folders, "limit": limit}
    sources = [source] if isinstance(source, Source) else []
    try:
        model = read(source) if isinstance(source, Source) else load(source, allowed=more_folders, sources=sources)
    except CompileError as failure:
        if not isinstance(failure.rest, tree.Model):
            raise
        more = _mistakes(failure.rest, folder or home, **given)
        told = {d.place.span for d in failure.diagnostics}
        others = (d for d in more if d.place.span not in told)
        raise CompileError(merge_reports(failure.diagnostics, others)) from None
    return check_model(model, folder or home, sources=sources, **given)


def _mistakes(model: tree.Model, folder: Path, **given: Any) -> tuple[Diagnostic, ...]:
    """What else is wrong in a model whose settings are."""
    try:
        check_model(model, folder, **given)
    except CompileError as failure:
        return failure.diagnostics
    return ()


@without_collection()
def check_model(
    model: tree.Model,
    folder: Path,
    *,
    overrides: Mapping[str, tree.Expression] | None = None,
    sizes: Mapping[str, int] | None = None,
    allowed: tuple[Path, ...] = (),
    limit: int = LIMIT,
    sources: Sequence[Source] = (),
) -> Specification:
    """The specification of a model that was read from `sources`, its data lying in `folder`. Raises CompileError."""
    given = dict(overrides or {})
    t, scope, _ = declare(model, given)
    raw = _recipe(model, t, scope)
    fields, problem = _data_fields(raw, folder, allowed)
    known = _data_sizes(fields, t.b.inputs) | dict(sizes or {})
    traced = trace_phases(model, overrides=given, sizes=known, limit=limit)
    settings = training(model, t, scope)
    asked = changes(model.groups, t, scope)
    check_unused_blocks(t, set().union(*(p.tracer.used for p in traced.values())))
    writing = generation(model, traced["predict"]) if "predict" in traced else None
    parameters = {n: p for phase in traced.values() for n, p in phase.parameters.items()}
    states = {n: s for phase in traced.values() for n, s in phase.states.items()}
    given_by_groups = grouped(asked, parameters, states, t, whole=not any(phase.reports for phase in traced.values()))
    _check_batch(t, parameters, traced.values())
    prepared = _prepared(raw and replace(raw, seed=settings.seed), traced, fields, model, t)
    _refuse(t, traced)
    _check_sizes(t, sizes or {})
    phases = Phases(traced, layout(parameters.values(), given_by_groups.treatments), settings)
    specification = Specification(
        model,
        model.span.source,
        folder,
        phases,
        parameters,
        states,
        {n: p.initial for n, p in parameters.items()} | dict(given_by_groups.initials),
        given_by_groups.origins,
        prepared,
        known,
        problem,
        given,
        writing,
        tuple(sources),
        allowed,
        check_claims(phases, known, prepared.batch if prepared else BATCH),
    )
    _check_together(specification, traced, t)
    return replace_record(specification, warnings=(*specification.warnings, *_idle(specification)))


def _idle(specification: Specification) -> tuple[Diagnostic, ...]:
    """A warning for each place that makes weights which nothing reads."""
    if not specification.phases.traced["train"].losses:
        return ()
    places = {specification.parameters[name].place: name for name in reversed(specification.phases.idle)}
    return tuple(errors.IdleWeight(place, name=name) for place, name in reversed(places.items()))


def _recipe(model: tree.Model, t: Tracer, scope: Scope) -> Recipe | None:
    """What is made of data, if there are any, as the data section says it."""
    if model.data is None:
        return None
    from .recipes import check_bindings, recipe  # loaded where there are data

    found = recipe(model, t, scope, seed=0)
    check_bindings(model, t)
    return found


def _prepared(
    raw: Recipe | None, traced: Mapping[str, Traced], fields: Mapping[str, Any], model: tree.Model, t: Tracer
) -> Recipe | None:
    """What is made of data, if there are any, checked with the inputs of a model and what training does to samples."""
    if raw is None:
        return None
    from .recipes import check_augment, check_shapes, wanted

    found = wanted(raw, traced)
    check_shapes(found, fields, model, t)
    check_augment(found, model, t)
    return found


def _check_together(specification: Specification, traced: Mapping[str, Traced], t: Tracer) -> None:
    """What only the whole shows: that it can be trained as it says, and written with. Raises CompileError."""
    model = specification.model
    check_training(model, traced["train"], t)
    _refuse(t, traced)
    if traced["train"].losses:
        _ = specification.phases.gradients  # what cannot be differentiated is a mistake too
    if model.train is not None and not specification.phases.learns:
        t.wrong(NothingLearned, traced["train"].losses[0].place.span)
        _refuse(t, traced)
    if specification.growth is not None:
        specification.growth.check()


def _check_weights(t: Tracer, parameters: Mapping[str, Variable], batch: set[str]) -> None:
    """Reports weights that have the size of the batch: it is another one at each step."""
    for p in parameters.values():
        if any(dims.names(size) & batch for size in p.type.shape):
            t.wrong(errors.WeightOfBatch, p.place.span, name=p.name, type=str(p.type))


def _check_batch(t: Tracer, parameters: Mapping[str, Variable], traced: Iterable[Traced]) -> None:
    """Reports weights of the batch's size, and what fits only if that is a certain number, or more than one."""
    batch = {n for i in t.b.inputs for n in dims.names(i.shape[0])} if all(i.shape for i in t.b.inputs) else set()
    _check_weights(t, parameters, batch)
    for phase in traced:
        for guard in phase.b.guards.values():
            number, size = sorted((guard.left, guard.right), key=lambda s: not isinstance(s, int))
            if isinstance(number, int) and dims.names(size) and dims.names(size) <= batch:
                t.b.report(errors.FixedBatch(guard.place, left=str(size), right=str(number)))
        for node in phase.b.nodes:
            if isinstance(node.op, Slice) and not is_unknown(node):
                _check_slice(t, node, node.op, dict.fromkeys(batch, 1))


def _check_slice(t: Tracer, node: Node, op: Slice, single: Mapping[str, Size]) -> None:
    """Reports a slice that leaves a `single` sample."""
    for begin, end, whole, step in zip(op.starts, op.stops, node.inputs[0].shape, op.steps, strict=True):
        places = [dims.substitute(place, single) for place in (0, begin, end, whole)]
        known = [place for place in places if isinstance(place, int)]
        if known == places and step > 0 and dims.names(whole) and known != sorted(known):
            t.b.report(errors.ShortBatch(node.place, start=str(begin), stop=str(end), size=str(whole)))


def _check_sizes(t: Tracer, sizes: Mapping[str, int]) -> None:
    """Raises InputError for a size of no input."""
    known = {name: None for node in t.b.inputs for size in node.shape for name in sorted(dims.names(size))}
    unknown = next((name for name in sizes if name not in known), None)
    if unknown is not None:
        advice = f"its inputs have the sizes {', '.join(known)}"
        raise InputError("unknown-size", f"no input of the spec has a size `{unknown}`", advice)


def _parsed(overrides: Mapping[str, Any]) -> dict[str, tree.Expression]:
    """Overrides as expressions. Raises CompileError with every one that is none."""
    given: dict[str, tree.Expression] = {}
    failures: list[Diagnostic] = []
    for name, value in overrides.items():
        try:
            label, expression = parse_override(f"{name}={_literal(value)}")
            given[label.text] = expression
        except CompileError as failure:
            failures.extend(failure.diagnostics)
    if failures:
        raise CompileError(tuple(failures))
    return given


def _refuse(t: Tracer, traced: Mapping[str, Traced]) -> None:
    """Raises CompileError if there are mistakes, with those of all phases, each once."""
    reports = merge_reports(t.b.reports, *(phase.reports for phase in traced.values()))
    if reports:
        raise CompileError(reports)


def _literal(value: Any) -> str:
    """A Python value as the language writes it; a text is an expression of the language already."""
    match value:
        case bool() | None:
            return {True: "true", False: "false", None: "none"}[value]
        case list() | tuple():
            return f"[{', '.join(map(_literal, value))}]"
        case _:
            return str(value)


def _source(spec: str | Path) -> tuple[Source | Path, Path]:
    """What to read, and the folder of its data: a text with a line end is a spec itself, all else a path."""
    if isinstance(spec, str) and "\n" in spec:
        return Source("<text>", spec), Path.cwd()
    return Path(spec), Path(spec).resolve().parent


def _data_fields(
    raw: Recipe | None, folder: Path, allowed: Sequence[Path]
) -> tuple[Mapping[str, Field], DataError | FileError | None]:
    """What the data give each binding, or why they could not be read."""
    if raw is None:
        return {}, None
    from .runtime.data.dataset import schema  # loads NumPy, which a spec without data can be checked without

    try:
        return schema(raw, folder, allowed=allowed), None
    except (DataError, FileError) as problem:
        return {}, problem


def _data_sizes(fields: Mapping[str, Field], inputs: list[Any]) -> dict[str, int]:
    """The dimensions that the data bind."""
    found: dict[str, int] = {}
    for node in inputs:
        assert isinstance(node.op, Input)
        field_ = fields.get(node.op.name)
        if field_ is not None and len(field_.shape) == node.tensor.rank - 1:
            found |= read_shape(node.shape[1:], field_.shape)
    return found
