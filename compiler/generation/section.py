"""The `generate` section of a spec to its settings: which input grows, by which scores, and how tokens are chosen."""

from __future__ import annotations

from ...spec import tree
from ...spec.record import Record
from ...spec.source import Place
from ...spec.suggest import nearest
from ..ir import dims
from ..ir.graph import Node
from ..settings import Reader
from ..trace import errors
from ..trace.expression import evaluate
from ..trace.model import Traced
from ..trace.tracer import is_unknown
from ..trace.values import describe


class Generation(Record):
    """A `generate` section without mistakes. `scores` are read where it stands; None is what was not said.

    `start` and `stop` are tokens, or texts that the data section encodes as one.
    """

    input: str
    scores: tree.Expression
    place: Place
    start: int | str | None = None
    stop: int | str | None = None
    limit: int | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    beam: int | None = None


def generation(model: tree.Model, traced: Traced) -> Generation | None:
    """The section of a model, or None; what is wrong in it is reported to the tracer of the predict phase."""
    section, t = model.generate, traced.tracer
    if section is None:
        return None
    inputs = [i.name.text for i in model.inputs]
    name = section.input
    grown = traced.scope.names.get(name.text)
    if name.text not in inputs:
        t.wrong(errors.UnknownName, name.span, name=name.text, suggestion=nearest(name.text, inputs), reason="no input")
    elif isinstance(grown, Node) and not is_unknown(grown) and not (grown.dtype.is_integer and grown.tensor.rank == 2):
        expected = "an input of whole numbers [N, T]"
        t.wrong(errors.WrongKind, name.span, subject="what grows", expected=expected, found=describe(grown))
    scores = evaluate(t, traced.scope, section.origin)
    if not is_unknown(scores) and not _are_scores(scores, grown):
        expected = "a tensor of floats [N, T, entries]"
        t.wrong(errors.WrongKind, section.origin.span, subject="the scores", expected=expected, found=describe(scores))
    return _settings(Reader(t, traced.scope, section.settings), section, t.place(section.input.span))


def _are_scores(scores: object, grown: object) -> bool:
    """Whether a value has a score for each entry at each position of what grows."""
    if not isinstance(scores, Node) or not scores.dtype.is_float or scores.tensor.rank != 3:
        return False
    if not isinstance(grown, Node) or is_unknown(grown) or grown.tensor.rank != 2:
        return True  # another mistake
    length = grown.shape[1]
    return scores.shape[1] == length and dims.names(length).isdisjoint(dims.names(scores.shape[2]))


def _settings(reader: Reader, section: tree.Generate, place: Place) -> Generation:
    return Generation(
        section.input.text,
        section.origin,
        place,
        _token(reader, "start"),
        _token(reader, "stop"),
        _count(reader, "limit"),
        reader.number("temperature", 0.0, least=0.0) if reader.expression("temperature") else None,
        _count(reader, "top_k"),
        reader.number("top_p", 1.0, least=0.0, most=1.0) if reader.expression("top_p") else None,
        _count(reader, "beam"),
    )


def _token(reader: Reader, key: str) -> int | str | None:
    e = reader.expression(key)
    if isinstance(e, tree.Text):
        return e.value
    return None if e is None else reader.whole(key, 0)


def _count(reader: Reader, key: str) -> int | None:
    return None if reader.expression(key) is None else reader.whole(key, 1, least=1)
