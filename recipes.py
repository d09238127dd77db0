"""The `data` section of a spec to a recipe, and what the model wants of each binding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .augmenting import Inputs, augmentations
from .compiler.ir.dims import Size
from .compiler.ir.graph import Input, Node
from .compiler.ops.elementwise import Cast
from .compiler.ops.index import Gather, OneHot
from .compiler.ops.normal import CrossEntropy
from .compiler.settings import Reader
from .compiler.trace import errors
from .compiler.trace.expression import evaluate
from .compiler.trace.model import Traced
from .compiler.trace.scope import Scope
from .compiler.trace.tracer import Tracer, is_unknown
from .runtime.data.recipe import PARTS, AllExcept, Binding, Column, Pattern, Recipe, Selector, Step
from .spec import tree
from .spec.source import Diagnostic, Span
from .spec.suggest import nearest

if TYPE_CHECKING:
    from .runtime.data.values import Field


class WrongFunction(Diagnostic):
    """A use of a preparing function that cannot be."""

    code = "wrong-function"
    title = "{problem}"
    help = "{advice}"
    problem: str
    advice: str = ""


@dataclass(frozen=True)
class Columns:
    """What a binding's expression comes to: columns, what is done to them, and where each step is written."""

    selectors: tuple[Selector, ...]
    steps: tuple[Step, ...] = ()
    places: tuple[Span, ...] = ()


def recipe(model: tree.Model, t: Tracer, scope: Scope, seed: int) -> Recipe | None:
    """The recipe of the data section; None where there is none. Mistakes are reported to the tracer."""
    if model.data is None or model.data.source is None:
        return None
    reader = Reader(t, scope, model.data.settings)
    known: dict[str, Columns] = {}
    bindings = []
    for binding in model.data.bindings:
        found = _columns(t, scope, known, binding.value)
        if found is not None and _in_order(t, found):
            known[binding.name.text] = found
            bindings.append(Binding(binding.name.text, binding.target, found.selectors, found.steps))
    return Recipe(
        model.data.source.value,
        tuple(bindings),
        _split(reader),
        reader.whole("batch", 32, least=1),
        reader.flag("shuffle", True),
        seed,
        augmentations(reader),
    )


def check_augment(recipe: Recipe, model: tree.Model, t: Tracer) -> None:
    """What is augmented can be; `recipe` says what the model wants of its inputs."""
    if model.data is not None:
        inputs = Inputs({b.name: b for b in recipe.bindings}, {i.name.text: i.type.span.text for i in model.inputs})
        inputs.check(model.data.settings, recipe.augment, t)


def check_bindings(model: tree.Model, t: Tracer) -> None:
    """Each binding names an input, and each input has a binding."""
    if model.data is None:
        return
    inputs = [i.name.text for i in model.inputs]
    bound = {b.name.text for b in model.data.bindings}
    for b in model.data.bindings:
        if b.name.text not in inputs:
            t.wrong(errors.NotAnInput, b.name.span, name=b.name.text, suggestion=nearest(b.name.text, inputs))
    for i in model.inputs:
        if i.name.text not in bound:
            t.wrong(errors.NoData, i.name.span, name=i.name.text)


def wanted(recipe: Recipe, traced: Mapping[str, Traced]) -> Recipe:
    """The recipe with the dtype, shape and number of entries that the model wants of each binding."""
    inputs = {
        n.op.name: n
        for phase in traced.values()
        for n in phase.b.inputs
        if isinstance(n.op, Input) and n.op.role in ("data", "target")
    }
    entries: dict[str, int] = {}
    for phase in traced.values():
        entries |= index_entries(phase)
    bindings = tuple(
        replace(b, dtype=str(n.dtype), shape=_sizes(n), entries=entries.get(b.name)) if (n := inputs.get(b.name)) else b
        for b in recipe.bindings
    )
    return replace(recipe, bindings=bindings)


def check_shapes(recipe: Recipe, fields: Mapping[str, Field], model: tree.Model, t: Tracer) -> None:
    """The numbers in the type of an input are those of its data; rows of texts are as long as wanted."""
    from .runtime.data.conformity import fits  # loads NumPy, for specs whose data were read
    from .runtime.data.functions import chain

    types = {i.name.text: i.type for i in model.inputs}
    for b in recipe.bindings:
        steps = chain(b.steps)
        if b.name not in fields or b.shape is None or (steps.functions and steps.functions[-1].gives == "tokens"):
            continue
        row = fields[b.name].shape
        if not fits(b.shape, row, in_windows=bool(steps.length)):
            t.wrong(errors.OtherShape, types[b.name].span, name=b.name, found=str(list(row)), wanted=_shown(b.shape))
        found = fields[b.name].entries
        if found is not None and b.entries is not None and found > b.entries:
            last = b.entries - 1
            t.wrong(errors.FewEntries, types[b.name].span, name=b.name, found=found, wanted=b.entries, last=last)


def _shown(shape: Sequence[int | str | None]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _sizes(node: Node) -> tuple[int | str | None, ...]:
    return tuple(s if isinstance(s, int) else str(s) for s in node.shape[1:])


def index_entries(traced: Traced) -> dict[str, int]:
    """For each input that is an index, the number of entries it chooses from."""
    found: dict[str, int] = {}
    for node in traced.b.nodes:
        match node.op:
            case Gather():
                table, index = node.inputs
                size: Size = table.shape[0]
            case CrossEntropy():
                logits, index = node.inputs
                size = logits.shape[-1]
            case OneHot(depth):
                (index,) = node.inputs
                size = depth
            case _:
                continue
        while isinstance(index.op, Cast):
            (index,) = index.inputs
        if isinstance(index.op, Input) and isinstance(size, int):
            found[index.op.name] = min(size, found.get(index.op.name, size))
    return found


def _columns(t: Tracer, scope: Scope, known: Mapping[str, Columns], e: tree.Expression) -> Columns | None:
    """The columns of an expression, and its steps; None where a mistake was reported."""
    match e:
        case tree.Pipe(value=value, step=function):
            before = _columns(t, scope, known, value)
            made = _step(t, scope, function, len(before.steps) if before else 0)
            if before is None or made is None:
                return None
            return Columns(before.selectors, (*before.steps, made), (*before.places, function.span))
        case tree.Name(text=text):
            return known.get(text) or Columns((Column(text),))
        case tree.Text(value=text):
            return Columns((Pattern(text) if "*" in text else Column(text),))
        case tree.ListOf(items=items):
            parts = [_columns(t, scope, known, item) for item in items]
            if any(p is None or p.steps for p in parts):
                t.wrong(
                    errors.WrongKind,
                    e.span,
                    subject="a list of columns",
                    expected="names of columns",
                    found="something else",
                )
                return None
            return Columns(tuple(s for p in parts if p for s in p.selectors))
        case tree.Call(function=tree.Name(text="columns"), arguments=arguments):
            return _except(t, scope, known, e, arguments)
        case _:
            t.wrong(
                errors.WrongKind,
                e.span,
                subject="a binding",
                expected="columns, and functions after `|>`",
                found=e.span.text,
            )
            return None


def _except(
    t: Tracer, scope: Scope, known: Mapping[str, Columns], e: tree.Expression, arguments: tuple[tree.Argument, ...]
) -> Columns | None:
    """`columns()`: all of them; `columns(except = a)`: all the others."""
    left_out: list[Selector] = []
    for a in arguments:
        if a.name is None or a.name.text != "except":
            name = a.name.text if a.name else a.value.span.text
            t.wrong(errors.UnknownArgument, a.span, word="columns", name=name, signature="(except)")
            return None
        found = _columns(t, scope, {}, a.value)
        if found is None:
            return None
        left_out += found.selectors
    return Columns((AllExcept(tuple(left_out)),))


def _step(t: Tracer, scope: Scope, e: tree.Expression, index: int) -> Step | None:
    """One preparing function with its arguments."""
    from .runtime.data.functions import WrongStep, step  # loads NumPy, for specs whose data are prepared only

    word, arguments = (e.function, e.arguments) if isinstance(e, tree.Call) else (e, ())
    if not isinstance(word, tree.Name):
        t.wrong(errors.WrongKind, e.span, subject="a step of data", expected="a function", found=e.span.text)
        return None
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for a in arguments:
        value = evaluate(t, scope, a.value)
        if is_unknown(value):
            return None
        if a.name:
            named[a.name.text] = value
        else:
            positional.append(value)
    try:
        return step(word.text, positional, named, index)
    except WrongStep as refusal:
        t.wrong(WrongFunction, word.span, problem=refusal.problem, advice=refusal.help)
        return None


def _in_order(t: Tracer, found: Columns) -> bool:
    """Whether each step takes what the one before it gives."""
    if not found.steps:
        return True
    from .runtime.data.functions import WrongStep, chain

    try:
        chain(found.steps)
    except WrongStep as refusal:
        t.wrong(WrongFunction, found.places[refusal.index], problem=refusal.problem, advice=refusal.help)
        return False
    return True


def _split(reader: Reader) -> tuple[tuple[str, float | str], ...]:
    split = reader.inner("split")
    if split is None:
        return (("train", 1.0),)
    told = len(reader.t.b.reports)
    shares = {part: split.number(part, 0.0, least=0.0, most=1.0) for part in PARTS if split.expression(part)}
    others = len(split.settings.items) > sum(1 for part in PARTS if split.settings.get(part))  # told when it was read
    if others or len(reader.t.b.reports) > told:
        return (("train", 1.0),)
    if abs(sum(shares.values()) - 1) > 1e-6 or not all(shares.values()) or "train" not in shares:
        found = f"{sum(shares.values()):g} in all"
        reader.t.wrong(
            errors.WrongKind,
            split.settings.span,
            subject="`split`",
            expected="shares above 0 that sum to 1, train among them",
            found=found,
        )
        return (("train", 1.0),)
    return tuple(shares.items())
