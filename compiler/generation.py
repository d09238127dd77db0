"""The `generate` section: whether it names an input that grows and scores for its next token, and its settings."""

from __future__ import annotations

from ..spec import tree
from ..spec.suggest import nearest
from .ir.graph import Node
from .settings import Reader
from .trace import errors
from .trace.expression import evaluate
from .trace.model import Traced
from .trace.tracer import is_unknown
from .trace.values import describe


def check_generate(model: tree.Model, traced: Traced) -> None:
    """Reports what is wrong with a `generate` section, to the tracer of the predict phase."""
    generate, t = model.generate, traced.tracer
    if generate is None:
        return
    inputs = [i.name.text for i in model.inputs]
    name = generate.input
    grown = traced.scope.names.get(name.text)
    if name.text not in inputs:
        t.wrong(errors.UnknownName, name.span, name=name.text, suggestion=nearest(name.text, inputs), reason="no input")
    elif isinstance(grown, Node) and not is_unknown(grown) and not (grown.dtype.is_integer and grown.tensor.rank == 2):
        expected = "an input of whole numbers [N, T]"
        t.wrong(errors.WrongKind, name.span, subject="what grows", expected=expected, found=describe(grown))
    scores = evaluate(t, traced.scope, generate.origin)
    if not is_unknown(scores) and not (isinstance(scores, Node) and scores.dtype.is_float and scores.tensor.rank == 3):
        expected = "a tensor of floats [N, T, entries]"
        t.wrong(errors.WrongKind, generate.origin.span, subject="the scores", expected=expected, found=describe(scores))
    _check_settings(Reader(t, traced.scope, generate.settings))


def _check_settings(reader: Reader) -> None:
    for key in ("start", "stop"):
        reader.whole(key, 0)
    for key in ("limit", "top_k", "beam"):
        if reader.expression(key) is not None:
            reader.whole(key, 1, least=1)
    reader.number("temperature", 0.0, least=0.0)
    reader.number("top_p", 1.0, least=0.0, most=1.0)
