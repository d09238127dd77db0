"""Nodes of a document -> expressions, names and texts, each with the place it has in the file.

Numbers and truths are those of YAML 1.2; every other string is an expression of the language.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from .cursor import MAX_DEPTH, MAX_HEIGHT, RESERVED, STRUCTURE, Cursor, Mistake
from .document import Document, Node, expected
from .errors import BadNumber, NotAName, ReservedName, TooDeep, UnclosedBracket, Unexpected
from .expression import pipe, values
from .fragment import Fragment
from .lexer import UNPRINTABLE
from .record import replace
from .source import Diagnostic, Place, Span
from .tree import Argument, Call, Expression, ListOf, Name, Number, Pipe, Text, Unary
from .yaml_errors import UnwritableText, YamlEscape, YamlFolding

P = ParamSpec("P")
T = TypeVar("T")

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_OTHER_NUMBER = re.compile(
    r"([-+]?)(?:0x[0-9a-fA-F]+|0o[0-7]+|\.[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+\.(?:[eE][-+]?[0-9]+)?)\Z"
)
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")
_TRUTHS = {"True": "true", "TRUE": "true", "False": "false", "FALSE": "false"}


def attempt(d: Document, read: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T | None:
    """What `read` finds, or None after a mistake, which is reported."""
    depth = d.depth
    try:
        return read(*arguments, **named)
    except Mistake as mistake:
        d.depth = depth
        d.report(mistake.diagnostic)
        return None


def deeper(d: Document, node: Node, levels: int = 1) -> None:
    """Go deeper; leave with `depth -= levels`."""
    d.depth += levels
    if d.depth > MAX_DEPTH:
        raise Mistake(TooDeep(d.place(node), MAX_DEPTH))


def fragment(d: Document, node: Node, read: Callable[[Cursor], T], *, free: bool = False) -> T:
    """What the grammar finds in a scalar."""
    start, end = _written(d, node)
    found: Fragment[T] = Fragment(d.source, start, end, read, words_are_free=free, depth=d.depth)
    d.height = found.height
    if found.value is None:
        d.mistakes.extend(found.mistakes[:-1])
        raise Mistake(_with_hint(node, found.mistakes[-1]))
    d.mistakes.extend(found.mistakes)
    return found.value


def _with_hint(node: Node, diagnostic: Diagnostic) -> Diagnostic:
    """Inside `[ ]` and `{ }` of YAML a string ends at a comma or bracket, which its writer may not have known."""
    if not node.in_flow or node.style or not isinstance(diagnostic, Unexpected | UnclosedBracket):
        return diagnostic
    hint = "a `,` or bracket inside `[ ]` or `{ }` of YAML ends the string: put the expression in quotes"
    return diagnostic if diagnostic.instead else replace(diagnostic, instead=hint)


def _written(d: Document, node: Node) -> tuple[int, int]:
    """Where the text of an expression stands; one that YAML would change is refused."""
    text = d.source.text
    if node.kind != "scalar" or node.is_null:
        raise expected(d, node, "an expression", "a text or a number", "nothing at all is written `none`")
    if node.style == "|":
        return text.find("\n", node.start, node.end) + 1, node.end
    if node.style == ">" or "\n" in text[node.start : node.end]:
        raise Mistake(YamlFolding(d.place(node)))
    quotes = len(node.style)
    start, end = node.start + quotes, node.end - quotes
    for escape in ("\\",) if node.style == '"' else ("''",) if node.style == "'" else ():
        at = text.find(escape, start, end)
        if at >= 0:
            raise Mistake(YamlEscape(d.place_of(at, at + 2), text[at : at + 2]))
    return start, end


def expression(d: Document, node: Node, *, free: bool = False) -> Expression:
    """The expression at a place for one: a number, a truth, a list, a call as a mapping, or a string that holds one."""
    if node.kind == "list":
        return _list(d, node, free=free)
    if node.kind == "map":
        key, value = only_entry(d, node, "a call")
        return call(d, key, value, free=free)
    if not node.style and (plain := _plain(d, node)):
        d.height = 0
        return plain
    return fragment(d, node, pipe, free=free)


def expressions(d: Document, node: Node) -> tuple[Expression, ...]:
    """As `expression`, or several with commas between them."""
    if node.kind != "scalar" or node.is_null or (not node.style and _plain(d, node)):
        return (expression(d, node),)
    return fragment(d, node, values)


def names_in(d: Document, node: Node) -> tuple[Name, ...]:
    """`w, n`: names in a key."""
    found = fragment(d, node, values)
    for value in found:
        if not isinstance(value, Name):
            raise Mistake(NotAName(Place(value.span), "the `:` of `repeat`"))
        if value.text in RESERVED - STRUCTURE and not d.words_are_free:
            d.report(ReservedName(Place(value.span), value.text))
    return tuple(value for value in found if isinstance(value, Name))


def _plain(d: Document, node: Node) -> Expression | None:
    """The YAML spellings of truths and numbers that the grammar does not have."""
    span = d.span(node)
    if node.text in _TRUTHS:
        return Name(span, _TRUTHS[node.text])
    if _NOT_FINITE.match(node.text):
        raise Mistake(BadNumber(d.place(node), node.text, "a number of a spec is finite"))
    match = _OTHER_NUMBER.match(node.text)
    if not match:
        return None
    digits = node.text.removeprefix(match[1])
    value: int | float = int(digits, 0) if digits[1:2] in ("x", "o") else float(digits)
    number = Number(span, value, repr(value))
    return Unary(span, match[1], number) if match[1] else number


def _list(d: Document, node: Node, *, free: bool) -> ListOf:
    deeper(d, node)
    items = []
    tallest = 0
    for item in node.items:
        items.append(expression(d, item, free=free))
        tallest = max(tallest, d.height)
    d.depth -= 1
    grow(d, node, tallest)
    return ListOf(d.span(node), tuple(items))


def grow(d: Document, node: Node, *heights: int) -> None:
    """Note that an expression was put on others of the given heights."""
    d.height = 1 + max(heights)
    if d.height > MAX_HEIGHT:
        raise Mistake(TooDeep(d.place(node), MAX_HEIGHT))


def only_entry(d: Document, node: Node, what: str) -> tuple[Node, Node]:
    if len(node.entries) != 1:
        raise expected(d, node, what, "a mapping with one key", "write `{word: arguments}`")
    return node.entries[0]


# Calls


def call(d: Document, key: Node, value: Node, *, free: bool = False) -> Expression:
    """`f: a` is `f(a)`, `f: [a, {k: c}]` is `f(a, k = c)`, and `f:` alone is `f`."""
    function = name(d, key, "a layer", new=False)
    if function.text in STRUCTURE and not d.words_are_free:
        d.report(ReservedName(d.place(key), function.text))
    d.height = 0
    if value.is_null:
        return function
    found: tuple[Argument, ...]
    if function.text == "residual" and value.kind != "scalar":
        found = (Argument(d.span(value), None, chain(d, value)),)
    else:
        found = _arguments(d, value, free=free)
    grow(d, value, d.height)
    return Call(Span(d.source, key.start, value.end), function, found)


def _arguments(d: Document, value: Node, *, free: bool) -> tuple[Argument, ...]:
    if value.kind == "map":
        return _named(d, value, free=free)
    items = value.items if value.kind == "list" else [value]
    found: list[Argument] = []
    tallest = 0
    deeper(d, value)
    for item in items:
        if item.kind == "map" and value.kind == "list":
            if item is not items[-1]:
                raise expected(d, item, "an argument before the last", "a value", "named arguments stand last")
            found.extend(_named(d, item, free=free))
        else:
            found.append(Argument(d.span(item), None, expression(d, item, free=free)))
        tallest = max(tallest, d.height)
    d.depth -= 1
    d.height = tallest
    return tuple(found)


def _named(d: Document, node: Node, *, free: bool) -> tuple[Argument, ...]:
    found = []
    tallest = 0
    deeper(d, node)
    for key, value in node.entries:
        label = name(d, key, "an argument", new=False)
        span = label.span.to(d.span(value))
        found.append(Argument(span, label, expression(d, value, free=free)))
        tallest = max(tallest, d.height)
    d.depth -= 1
    d.height = tallest
    return tuple(found)


def chain(d: Document, node: Node) -> Expression:
    """The list under `residual`: layers, each fed by the one before."""
    if node.kind != "list" or not node.items:
        raise expected(d, node, "`residual`", "a list of layers", "write `residual: [layer_norm, {dense: d}]`")
    deeper(d, node)
    value: Expression | None = None
    below = 0
    for item in node.items:
        step = layer(d, item)
        if value is None:
            value, below = step, d.height
        else:
            value = Pipe(Span(d.source, node.items[0].start, item.end), value, step)
            grow(d, item, below, d.height)
            below = d.height
    assert value is not None
    d.depth -= 1
    return value


def layer(d: Document, item: Node) -> Expression:
    """`relu`, or `{dense: 64}`."""
    if item.kind == "map":
        key, value = only_entry(d, item, "a layer")
        return call(d, key, value)
    found = name(d, item, "a layer", new=False)
    d.height = 0
    return found


# Names and texts


def name(d: Document, node: Node, what: str, *, new: bool = True) -> Name:
    """A literal name; a new one must not be a word of the language."""
    if node.kind != "scalar" or not NAME.match(node.text):
        instead = ""
        if node.kind == "scalar" and what == "a layer":
            instead = f"a call is written `{node.text.split('(')[0]}: ...`, any other value `expression: ...`"
        raise expected(d, node, f"the name of {what}", "one word", instead)
    found = Name(d.span(node), node.text)
    if new and found.text in RESERVED and not d.words_are_free:
        d.report(ReservedName(d.place(node), found.text))
    return found


def text(d: Document, node: Node, what: str) -> Text:
    """A literal text: a file name, a pattern."""
    if node.kind != "scalar" or node.is_null:
        raise expected(d, node, what, "a text")
    if "\n" in node.text or UNPRINTABLE.search(node.text) or ('"' in node.text and "'" in node.text):
        raise Mistake(UnwritableText(d.place(node)))
    return Text(d.span(node), node.text)
